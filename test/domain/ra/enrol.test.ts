// The recipe over a real store, on both engines: what a grant changes, that asking twice is safe, and that rivals do not both win.
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { parseCertificate } from '../../../src/core/pki/certificate.ts'
import { parseCertificationRequest } from '../../../src/core/pki/csr.ts'
import { generateKeyPair, type PrivateKey } from '../../../src/crypto/keys.ts'
import type { Device } from '../../../src/domain/device/device.ts'
import { approveEnrolment, rejectEnrolment } from '../../../src/domain/ra/approve.ts'
import { createToken } from '../../../src/domain/ra/create-token.ts'
import { REPLAY_SECONDS } from '../../../src/domain/ra/earlier-enrolment.ts'
import { enrol, PENDING_RETRY_SECONDS } from '../../../src/domain/ra/enrol.ts'
import type { EnrolmentOutcome, EnrolmentRequest } from '../../../src/domain/ra/enrolment-request.ts'
import type { Evidence } from '../../../src/domain/ra/evidence.ts'
import type { Registration } from '../../../src/domain/ra/registration.ts'
import { revokeCertificate } from '../../../src/domain/revocation/revoke.ts'
import {
  auditLog,
  bornDevice,
  countEverything,
  OPERATOR,
  registerDevice,
  renewalCsrDer,
  type TestCsrOptions,
  type TestInstance,
  testCsr,
  testInstance,
  trustManufacturer,
  useRules,
} from '../../support/instance.ts'
import { assertInvariants } from '../../support/invariants.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { testCertificate } from '../../support/test-pki.ts'

let postgres: TestPostgres
before(async () => {
  postgres = await startPostgres()
})
after(() => postgres.stop())

const ENGINES = [
  ['SQLite', async (t: TestContext) => testInstance(t)],
  ['PostgreSQL', async (t: TestContext) => testInstance(t, postgres)],
] as const

async function shown(instance: TestInstance, der: Uint8Array): Promise<Evidence> {
  const found = await instance.evidence.fromCertificates([der], instance.clock.now())
  assert.ok(found.kind === 'evidence', JSON.stringify(found))
  return found.evidence
}

async function tokenFor(instance: TestInstance, device: Device, profile = 'ldevid') {
  return createToken({ model: device.model, serialNumber: device.serialNumber, profile, actor: OPERATOR }, instance)
}

async function spend(instance: TestInstance, device: Device, secret: string): Promise<Evidence> {
  const found = await instance.evidence.fromToken(device.serialNumber, secret)
  assert.ok(found.kind === 'evidence', JSON.stringify(found))
  return found.evidence
}

function ask(
  instance: Registration,
  evidence: readonly Evidence[],
  key: PrivateKey,
  fields: Partial<EnrolmentRequest> & TestCsrOptions = {},
): Promise<EnrolmentOutcome> {
  const request: EnrolmentRequest = {
    protocol: 'test',
    operation: 'enrol',
    profile: 'ldevid',
    csr: testCsr(key, fields),
    evidence,
    channelBinding: false,
    address: '192.0.2.7',
    ...fields,
  }
  return enrol(request, instance)
}

function issued(outcome: EnrolmentOutcome): Extract<EnrolmentOutcome, { kind: 'issued' }> {
  assert.ok(outcome.kind === 'issued', JSON.stringify(outcome))
  return outcome
}

function denied(outcome: EnrolmentOutcome): string {
  assert.ok(outcome.kind === 'denied', JSON.stringify(outcome))
  return outcome.code
}

for (const [engine, open] of ENGINES) {
  describe(`enrolment on ${engine}`, () => {
    test('a grant is one change set: device, keys, certificate, record and entries', async t => {
      const instance = await open(t)
      const unit = await bornDevice(instance)
      const before = (await auditLog(instance)).length
      const key = await generateKeyPair('P-256')
      const { record, chain, replayed } = issued(await ask(instance, [await shown(instance, unit.record.der)], key))
      assert.equal(replayed, false)
      assert.equal(record.deviceId, unit.device.id)
      assert.equal(record.profile, 'ldevid')
      assert.equal(record.replaces, null, 'the birth certificate is not replaced')
      assert.equal((await chain()).length, 2)
      assert.equal((await instance.store.read.device(unit.device.id))?.state, 'active', 'it was seen in the field')
      const keys = await instance.store.read.keysOfDevice(unit.device.id)
      const state = new Map(keys.map(each => [each.id, each.state]))
      assert.equal(state.get(unit.record.keyId), 'in_use', 'the birth key proved itself')
      assert.equal(state.get(record.keyId), 'established')
      const entries = (await auditLog(instance)).slice(before)
      assert.deepEqual(
        entries.map(entry => entry.action),
        ['device.state_changed', 'key.state_changed', 'key.registered', 'certificate.issued'],
      )
      const entry = entries.at(-1)!
      assert.deepEqual(entry.actor, { kind: 'device', id: unit.device.id })
      assert.equal(entry.detail?.['rule'], 'birth-to-operational')
      assert.equal(entry.detail?.['evidence'], `own-certificate:${unit.record.authorityId}/${unit.record.serialNumber}`)
      assert.deepEqual(await instance.store.read.certificate(record.authorityId, record.serialNumber), record)
      await assertInvariants(instance.store)
    })

    test('a renewal keeps its lineage, and the old certificate stays good', async t => {
      const instance = await open(t)
      const unit = await bornDevice(instance)
      const first = issued(
        await ask(instance, [await shown(instance, unit.record.der)], await generateKeyPair('P-256')),
      )
      const key = await generateKeyPair('P-256')
      const csr = parseCertificationRequest(renewalCsrDer(key, first.record.der))
      const second = issued(
        await ask(instance, [await shown(instance, first.record.der)], key, { operation: 'renew', csr }),
      )
      const { authorityId, serialNumber } = first.record
      assert.deepEqual(second.record.replaces, { authorityId, serialNumber })
      const before = parseCertificate(first.record.der)
      const now = parseCertificate(second.record.der)
      assert.deepEqual(now.subject.raw, before.subject.raw)
      assert.equal((await instance.store.read.certificate(authorityId, serialNumber))?.status.kind, 'good')
      await assertInvariants(instance.store)
    })

    test('the same request again gets the same certificate: the answer was lost', async t => {
      const instance = await open(t)
      const unit = await bornDevice(instance)
      const key = await generateKeyPair('P-256')
      const evidence = [await shown(instance, unit.record.der)]
      const first = issued(await ask(instance, evidence, key))
      const before = await countEverything(instance, unit.device)
      instance.clock.advance(3600)
      // ECDSA signs differently each time: the request is the same by what it asks, not by its octets.
      const again = issued(await ask(instance, [await shown(instance, unit.record.der)], key))
      assert.equal(again.replayed, true)
      assert.deepEqual(again.record, first.record)
      assert.deepEqual(await countEverything(instance, unit.device), before)
    })

    test('a day later the same request is a new one, and is safe to repeat again', async t => {
      const instance = await open(t)
      const unit = await bornDevice(instance)
      const key = await generateKeyPair('P-256')
      const asking = async () => issued(await ask(instance, [await shown(instance, unit.record.der)], key))
      const serials: string[] = []
      for (let day = 0; day < 4; day++) {
        const first = await asking()
        assert.equal(first.replayed, false, `day ${day}`)
        instance.clock.advance(60)
        const again = await asking()
        assert.equal(again.replayed, true, `day ${day}`)
        assert.equal(again.record.serialNumber, first.record.serialNumber)
        serials.push(first.record.serialNumber)
        instance.clock.advance(REPLAY_SECONDS)
      }
      assert.equal(new Set(serials).size, 4)
      await assertInvariants(instance.store)
    })

    test('a revoked certificate is not given again', async t => {
      const instance = await open(t)
      const unit = await bornDevice(instance)
      const key = await generateKeyPair('P-256')
      const first = issued(await ask(instance, [await shown(instance, unit.record.der)], key))
      await revokeCertificate({ serialNumber: first.record.serialNumber }, 'superseded', OPERATOR, instance)
      const again = issued(await ask(instance, [await shown(instance, unit.record.der)], key))
      assert.notEqual(again.record.serialNumber, first.record.serialNumber)
      await revokeCertificate({ serialNumber: again.record.serialNumber }, 'keyCompromise', OPERATOR, instance)
      assert.equal(denied(await ask(instance, [await shown(instance, unit.record.der)], key)), 'key.compromised')
    })

    test('a suspended device is not even given what it had', async t => {
      const instance = await open(t)
      const unit = await bornDevice(instance)
      const key = await generateKeyPair('P-256')
      issued(await ask(instance, [await shown(instance, unit.record.der)], key))
      const at = instance.clock.now()
      await instance.store.commit({
        writes: [{ kind: 'device.state', id: unit.device.id, from: 'active', to: 'suspended', at }],
        audit: [
          {
            at,
            actor: OPERATOR,
            action: 'device.state_changed',
            outcome: 'done',
            subject: { deviceId: unit.device.id },
            detail: { from: 'active', to: 'suspended' },
          },
        ],
      })
      assert.equal(denied(await ask(instance, [await shown(instance, unit.record.der)], key)), 'device.suspended')
    })

    test('a used token gives the same certificate for the same request, and nothing for another', async t => {
      const instance = await open(t)
      const device = await registerDevice(instance)
      const { secret } = await tokenFor(instance, device)
      const key = await generateKeyPair('P-256')
      const first = issued(await ask(instance, [await spend(instance, device, secret)], key))
      const again = issued(await ask(instance, [await spend(instance, device, secret)], key))
      assert.equal(again.record.serialNumber, first.record.serialNumber)
      const before = await countEverything(instance, device)
      const other = await generateKeyPair('P-256')
      assert.equal(denied(await ask(instance, [await spend(instance, device, secret)], other)), 'token.used')
      instance.clock.advance(REPLAY_SECONDS)
      assert.equal(denied(await ask(instance, [await spend(instance, device, secret)], key)), 'token.used')
      assert.deepEqual(await countEverything(instance, device), before)
    })

    test('rivals with one token: one certificate, whoever wins', async t => {
      const instance = await open(t)
      const device = await registerDevice(instance)
      const { secret } = await tokenFor(instance, device)
      const keys = await Promise.all([1, 2, 3, 4].map(() => generateKeyPair('P-256')))
      const evidence = await spend(instance, device, secret)
      const outcomes = await Promise.all(keys.map(key => ask(instance, [evidence], key)))
      assert.equal(outcomes.filter(({ kind }) => kind === 'issued').length, 1)
      const codes = outcomes.flatMap(outcome => (outcome.kind === 'denied' ? [outcome.code] : []))
      assert.deepEqual(codes, ['token.used', 'token.used', 'token.used'])
      assert.equal((await instance.store.read.certificatesOfDevice(device.id)).length, 1)
      await assertInvariants(instance.store)
    })

    test('the same request many times at once is issued once', async t => {
      const instance = await open(t)
      const unit = await bornDevice(instance)
      const key = await generateKeyPair('P-256')
      const evidence = [await shown(instance, unit.record.der)]
      const outcomes = await Promise.all(Array.from({ length: 8 }, () => ask(instance, evidence, key)))
      const serials = new Set(outcomes.map(outcome => issued(outcome).record.serialNumber))
      assert.equal(serials.size, 1)
      assert.equal((await instance.store.read.certificatesOfDevice(unit.device.id)).length, 2)
      await assertInvariants(instance.store)
    })

    test('one key for two devices at once: one gets it', async t => {
      const instance = await open(t)
      const units = [await bornDevice(instance), await bornDevice(instance)]
      const key = await generateKeyPair('P-256')
      const outcomes = await Promise.all(
        units.map(async unit => ask(instance, [await shown(instance, unit.record.der)], key)),
      )
      assert.deepEqual(outcomes.map(({ kind }) => kind).sort(), ['denied', 'issued'])
      assert.equal(denied(outcomes.find(({ kind }) => kind === 'denied')!), 'key.known_elsewhere')
      await assertInvariants(instance.store)
    })

    test('a quota holds under rivals', async t => {
      const instance = await open(t)
      const unit = await bornDevice(instance)
      await useRules(instance, [{ name: 'few', outcome: 'grant', quota: { per: 'device', limit: 2 } }])
      const evidence = [await shown(instance, unit.record.der)]
      const keys = await Promise.all(Array.from({ length: 3 }, () => generateKeyPair('P-256')))
      const outcomes = await Promise.all(keys.map(key => ask(instance, evidence, key)))
      assert.equal(outcomes.filter(({ kind }) => kind === 'issued').length, 2)
      assert.equal(denied(outcomes.find(({ kind }) => kind === 'denied')!), 'quota.exceeded')
    })

    test('what waits is approved once, issued at the next asking, and the device enters the registry then', async t => {
      const instance = await open(t)
      const { anchor, der } = await acme(instance)
      await trustManufacturer(instance, anchor)
      const key = await generateKeyPair('P-256')
      const waiting = await ask(instance, [await shown(instance, der)], key)
      assert.ok(waiting.kind === 'pending')
      assert.equal(waiting.retryAfterSeconds, PENDING_RETRY_SECONDS)
      assert.equal(
        (await ask(instance, [await shown(instance, der)], key)).kind,
        'pending',
        'asking again changes nothing',
      )
      assert.equal(await instance.store.read.deviceBySerial('acme-1', 'A-77'), undefined)
      const listed = await instance.store.read.enrolments('pending', { limit: 10 })
      assert.deepEqual(
        listed.items.map(({ serialNumberClaimed, rule }) => [serialNumberClaimed, rule]),
        [['A-77', 'other-makers']],
      )

      await approveEnrolment(waiting.digest, 'ann', instance)
      await assert.rejects(approveEnrolment(waiting.digest, 'ann', instance), { code: 'enrolment.not_pending' })
      const first = issued(await ask(instance, [await shown(instance, der)], key))
      const device = await instance.store.read.deviceBySerial('acme-1', 'A-77')
      assert.equal(device?.state, 'active')
      const keys = await instance.store.read.keysOfDevice(device!.id)
      assert.deepEqual(keys.map(({ origin, state }) => `${origin} ${state}`).sort(), [
        'device established',
        'imported in_use',
      ])
      assert.equal((await instance.store.read.enrolment(waiting.digest))?.deviceId, device!.id)
      const again = issued(await ask(instance, [await shown(instance, der)], key))
      assert.equal(again.record.serialNumber, first.record.serialNumber)
      const actions = (await auditLog(instance)).map(({ action }) => action)
      for (const action of ['enrolment.pending', 'enrolment.approved', 'device.registered']) {
        assert.equal(actions.filter(each => each === action).length >= 1, true, action)
      }
      await assertInvariants(instance.store)
    })

    test('what was rejected stays rejected', async t => {
      const instance = await open(t)
      const { anchor, der } = await acme(instance)
      await trustManufacturer(instance, anchor)
      const key = await generateKeyPair('P-256')
      const waiting = await ask(instance, [await shown(instance, der)], key)
      assert.ok(waiting.kind === 'pending')
      await rejectEnrolment(waiting.digest, 'ann', 'not one of ours', instance)
      assert.equal(denied(await ask(instance, [await shown(instance, der)], key)), 'enrolment.rejected')
      assert.equal(await instance.store.read.deviceBySerial('acme-1', 'A-77'), undefined)
    })
  })
}

describe('bounds', () => {
  test('a device that makes a new key at each attempt does not fill the list of what waits', async t => {
    const instance = await testInstance(t)
    const unit = await bornDevice(instance)
    await useRules(instance, [{ name: 'ask', outcome: 'pending' }])
    const evidence = [await shown(instance, unit.record.der)]
    const kinds: string[] = []
    for (let i = 0; i < 12; i++) {
      const outcome = await ask(instance, evidence, await generateKeyPair('P-256'))
      kinds.push(outcome.kind === 'denied' ? outcome.code : outcome.kind)
    }
    assert.deepEqual(kinds.slice(10), ['enrolment.too_many_pending', 'enrolment.too_many_pending'])
    assert.equal((await instance.store.read.enrolments('pending', { limit: 100 })).items.length, 10)
  })

  test('a server that cannot sign is at fault, not the device: nothing is refused, nothing changes', async t => {
    const instance = await testInstance(t)
    const unit = await bornDevice(instance)
    const evidence = [await shown(instance, unit.record.der)]
    const before = await countEverything(instance, unit.device)
    const log = (await auditLog(instance)).length
    const broken = {
      ...instance,
      issuer: {
        prepare: instance.issuer.prepare.bind(instance.issuer),
        sign: () => Promise.reject(Object.assign(new Error('the token was pulled out'))),
      },
    }
    await assert.rejects(ask(broken, evidence, await generateKeyPair('P-256')), /pulled out/)
    assert.deepEqual(await countEverything(instance, unit.device), before)
    assert.equal((await auditLog(instance)).length, log)
  })
})

/** A manufacturer with a device of its own. */
async function acme(instance: TestInstance) {
  const year = { notAfter: new Date((instance.clock.now() + 86_400 * 365) * 1000) }
  const ca = await testCertificate({ name: 'Acme CA', authority: true, ...year })
  const leaf = await testCertificate({ name: 'A-77', issuer: ca, ...year })
  const anchor = {
    name: 'acme',
    certificates: [ca.cert],
    model: { fixed: 'acme-1' },
    serialNumber: 'subject.CN',
  } as const
  const der = new Uint8Array(leaf.certificate.rawData)
  return { anchor: { ...anchor, certificates: [...anchor.certificates] }, der }
}
