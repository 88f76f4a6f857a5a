// Suspension, resumption, retirement and destruction (row D1): each takes everything that speaks for a device with it, in one transaction,
// whatever else happens in the same moment.
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { sha256 } from '../../src/crypto/digest.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { verifyStore } from '../../src/domain/audit/verify-store.ts'
import type { CertificateRecord } from '../../src/domain/ca/certificate-record.ts'
import { destroyDevice } from '../../src/domain/device/destroy-device.ts'
import { mayMove } from '../../src/domain/device/device.ts'
import { mayKeyMove } from '../../src/domain/device/device-key.ts'
import { endKeys } from '../../src/domain/device/end-keys.ts'
import { retireDevice } from '../../src/domain/device/retire-device.ts'
import { shipDevice } from '../../src/domain/device/ship-device.ts'
import { resumeDevice, suspendDevice } from '../../src/domain/device/suspend-device.ts'
import type { DeviceId } from '../../src/domain/ids.ts'
import type { ChangeSet, Store } from '../../src/domain/ports.ts'
import { createToken } from '../../src/domain/ra/create-token.ts'
import { enrol } from '../../src/domain/ra/enrol.ts'
import { createRegistration } from '../../src/domain/ra/registration.ts'
import { releaseCertificate, revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import {
  auditLog,
  bornDevice,
  certify,
  OPERATOR,
  registerDevice,
  type TestInstance,
  testCsr,
  testInstance,
  useRules,
} from '../support/instance.ts'
import { assertInvariants } from '../support/invariants.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'

const BY = { actor: OPERATOR, because: 'INC-4711' } as const

/** Born in the factory, and with a working credential of another authority. */
async function fieldDevice(instance: TestInstance) {
  const born = await bornDevice(instance)
  const key = await generateKeyPair('P-256')
  const ldevid = await certify(instance, born.device, key, 'ldevid')
  return { id: born.device.id, device: born.device, key, idevid: born.record, ldevid }
}

async function statuses(instance: TestInstance, id: DeviceId): Promise<Record<string, string>> {
  const records = await instance.store.read.certificatesOfDevice(id)
  return Object.fromEntries(records.map(({ profile, status }) => [profile, status.kind]))
}

async function keyStates(instance: TestInstance, id: DeviceId): Promise<string[]> {
  return (await instance.store.read.keysOfDevice(id)).map(({ state }) => state).sort()
}

/** Findings but that of the missing checkpoint: test instances sign none. */
async function auditFindings({ store }: TestInstance): Promise<string[]> {
  const report = await verifyStore(store.read, { hash: sha256, origin: 'test', logKeys: [], kept: [] })
  return report.findings.filter(({ code }) => code !== 'audit.checkpoint_missing').map(({ message }) => message)
}

/** The store, but that `meanwhile` happens once between the decision and the writing of the first change set that `matches`. */
function withRival(store: Store, matches: (change: ChangeSet) => boolean, meanwhile: () => Promise<unknown>): Store {
  let done = false
  return {
    read: store.read,
    async commit(change) {
      if (!done && matches(change)) {
        done = true
        await meanwhile()
      }
      return store.commit(change)
    },
    commitEach: changes => store.commitEach(changes),
    lease: (...parameters) => store.lease(...parameters),
    saveCheckpoint: checkpoint => store.saveCheckpoint(checkpoint),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

const moves = (change: ChangeSet) =>
  change.writes.some(write => write.kind === 'device.state' && write.from !== write.to)

test('a suspension holds all live certificates of every authority and suspends the keys, in one transaction, and says who and why', async t => {
  const instance = await testInstance(t)
  const { id, idevid, ldevid } = await fieldDevice(instance)
  const before = (await instance.store.read.auditHead()).size
  const outcome = await suspendDevice(id, BY, instance)
  assert.deepEqual([outcome.device.state, outcome.certificates.length, outcome.keys.length], ['suspended', 2, 2])
  assert.deepEqual(await statuses(instance, id), { idevid: 'held', ldevid: 'held' })
  assert.notEqual(idevid.authorityId, ldevid.authorityId)
  assert.deepEqual(await keyStates(instance, id), ['suspended', 'suspended'])
  const entries = (await auditLog(instance)).slice(before)
  assert.deepEqual(entries.map(({ action }) => action).sort(), [
    'certificate.held',
    'certificate.held',
    'device.state_changed',
    'key.state_changed',
    'key.state_changed',
  ])
  const moved = entries.find(({ action }) => action === 'device.state_changed')
  assert.deepEqual(moved?.detail, { from: 'manufactured', to: 'suspended', because: 'INC-4711' })
  const work = await instance.store.lease('crl', instance.clock.now(), 60, 10)
  assert.deepEqual(work.map(({ key }) => key.split('/')[0]).sort(), [idevid.authorityId, ldevid.authorityId].sort())
})

test('the end of a suspension gives back exactly what it took', async t => {
  const instance = await testInstance(t)
  const { id, idevid, ldevid } = await fieldDevice(instance)
  await revokeCertificate(idevid, 'certificateHold', OPERATOR, instance)
  instance.clock.advance(10)
  await suspendDevice(id, BY, instance)
  instance.clock.advance(10)
  const outcome = await resumeDevice(id, BY, instance)
  assert.equal(outcome.device.state, 'manufactured', 'a device that never left the factory does not come back active')
  assert.deepEqual(
    outcome.certificates.map(({ serialNumber }) => serialNumber),
    [ldevid.serialNumber],
  )
  assert.deepEqual(await statuses(instance, id), { idevid: 'held', ldevid: 'good' })
  assert.deepEqual(await keyStates(instance, id), ['established', 'established'])
  assert.equal(await instance.store.read.suspension(id), undefined)
  assert.deepEqual(await auditFindings(instance), [])
})

test('what was decided while a device was suspended stands when it is resumed', async t => {
  const instance = await testInstance(t)
  const { id, ldevid } = await fieldDevice(instance)
  await suspendDevice(id, BY, instance)
  instance.clock.advance(10)
  await revokeCertificate(ldevid, 'keyCompromise', OPERATOR, instance)
  await resumeDevice(id, BY, instance)
  assert.deepEqual(await statuses(instance, id), { idevid: 'good', ldevid: 'revoked' })
  assert.deepEqual(await keyStates(instance, id), ['compromised', 'established'])
})

test('no certificate of a suspended device is released by itself', async t => {
  const instance = await testInstance(t)
  const { id, idevid, ldevid } = await fieldDevice(instance)
  await revokeCertificate(idevid, 'certificateHold', OPERATOR, instance)
  await suspendDevice(id, BY, instance)
  for (const held of [idevid, ldevid]) {
    await assert.rejects(releaseCertificate(held, OPERATOR, instance), { code: 'certificate.device_suspended' })
  }
  assert.deepEqual(await statuses(instance, id), { idevid: 'held', ldevid: 'held' })
  await resumeDevice(id, BY, instance)
  await releaseCertificate(idevid, OPERATOR, instance)
  assert.deepEqual(await statuses(instance, id), { idevid: 'good', ldevid: 'good' })
})

test('a retirement revokes every slot and ends keys, tokens and requests that wait', async t => {
  const instance = await testInstance(t)
  const { id, device } = await fieldDevice(instance)
  await createToken({ ...device, profile: 'ldevid', actor: OPERATOR }, instance)
  await useRules(instance, [{ name: 'ask', outcome: 'pending' }])
  const waiting = await enrol(request(device, await generateKeyPair('P-256')), instance)
  assert.equal(waiting.kind, 'pending')
  await suspendDevice(id, BY, instance)

  const outcome = await retireDevice(id, BY, instance)
  assert.deepEqual([outcome.from, outcome.device.state], ['suspended', 'retired'])
  assert.deepEqual([outcome.certificates.length, outcome.tokens, outcome.requests], [2, 1, 1])
  for (const { status } of await instance.store.read.certificatesOfDevice(id)) {
    assert.equal(status.kind === 'revoked' && status.reason, 'cessationOfOperation')
  }
  assert.deepEqual(await keyStates(instance, id), ['archived', 'archived'])
  assert.deepEqual(await instance.store.read.openTokensOfDevice(id), [])
  assert.deepEqual(await instance.store.read.openEnrolmentsOfDevice(id), [])
  assert.deepEqual(await instance.store.read.credentialsOfDevice(id), [])
  const again = await retireDevice(id, BY, instance)
  assert.deepEqual([again.certificates.length, again.keys.length, again.tokens], [0, 0, 0])
  await assert.rejects(resumeDevice(id, BY, instance), { code: 'device.move_not_allowed' })
  await assert.rejects(createToken({ ...device, profile: 'ldevid', actor: OPERATOR }, instance), {
    code: 'device.may_not_enrol',
  })
  await assertInvariants(instance.store)
  assert.deepEqual(await auditFindings(instance), [])
})

test('a destruction comes after a retirement and ends what is left of the keys with a statement', async t => {
  const instance = await testInstance(t)
  const { id } = await fieldDevice(instance)
  const ports = { ...instance, organization: 'Example Devices' }
  await assert.rejects(destroyDevice(id, { ...BY, erase: false }, ports), { code: 'device.move_not_allowed' })
  await retireDevice(id, BY, instance)
  const [first, second] = await instance.store.read.keysOfDevice(id)
  const bytes = new TextEncoder().encode('{"keys":[]}')
  const wipe = { sha256: Buffer.from(sha256(bytes)).toString('hex'), deviceId: id, kind: 'wipe', bytes, at: 1 } as const
  const actor = { kind: 'device', id } as const
  assert.deepEqual(await endKeys(id, [first!.id], wipe, actor, instance), [first!.id])
  assert.deepEqual(await endKeys(id, [first!.id], wipe, actor, instance), [first!.id], 'said twice changes nothing')
  const witness = new TextEncoder().encode('Shredded on line 4, protocol 77.')
  const outcome = await destroyDevice(id, { ...BY, witness, erase: false }, ports)
  assert.deepEqual(outcome.keys, [{ id: second!.id, from: 'archived', to: 'destroyed' }])
  assert.deepEqual(await keyStates(instance, id), ['destroyed', 'destroyed'])
  const statements = await instance.store.read.statementsOfDevice(id)
  assert.deepEqual(statements.map(({ kind }) => kind).sort(), ['destruction_facts', 'destruction_witness', 'wipe'])
  const ended = (await auditLog(instance)).filter(({ action }) => action === 'key.ended')
  assert.deepEqual(
    ended.map(({ subject, detail }) => [subject['keyId'], detail?.['evidence']]),
    [
      [first!.id, 'wipe'],
      [second!.id, 'destruction_witness'],
    ],
  )
  const again = await destroyDevice(id, { ...BY, erase: false }, ports)
  assert.deepEqual([again.keys, again.device.state], [[], 'destroyed'])
  assert.deepEqual(await auditFindings(instance), [])
})

test('keys end only with their device, and only its own', async t => {
  const instance = await testInstance(t)
  const [one, other] = [await fieldDevice(instance), await fieldDevice(instance)]
  const [key] = await instance.store.read.keysOfDevice(other.id)
  const bytes = new TextEncoder().encode('x')
  const statement = { sha256: '00'.repeat(32), deviceId: one.id, kind: 'wipe', bytes, at: 1 } as const
  await assert.rejects(endKeys(one.id, [], statement, OPERATOR, instance), { code: 'device.not_retired' })
  await retireDevice(one.id, BY, instance)
  await assert.rejects(endKeys(one.id, [key!.id], statement, OPERATOR, instance), { code: 'key.not_of_device' })
})

test('why is one word: a sentence about a person does not get into the log', async t => {
  const instance = await testInstance(t)
  const { id } = await registerDevice(instance)
  const by = { actor: OPERATOR, because: 'stolen from Ada' }
  await assert.rejects(suspendDevice(id, by, instance), { code: 'device.because_invalid' })
  assert.equal((await instance.store.read.device(id))?.state, 'manufactured')
})

type Act = 'ship' | 'suspend' | 'resume' | 'retire' | 'destroy' | 'issue' | 'hold' | 'release' | 'compromise' | 'wait'

for (const engine of ['SQLite', 'PostgreSQL'] as const) {
  describe(`on ${engine}`, () => {
    let postgres: TestPostgres | undefined
    before(async () => {
      if (engine === 'PostgreSQL') postgres = await startPostgres()
    })
    after(() => postgres?.stop())

    const instanceOf = async (t: TestContext) => testInstance(t, postgres)

    for (const [name, act, expected] of [
      ['suspension', suspendDevice, 'held'],
      ['retirement', retireDevice, 'revoked'],
    ] as const) {
      test(`a certificate that is issued while a ${name} is written does not slip through`, async t => {
        const instance = await instanceOf(t)
        const { id, device } = await fieldDevice(instance)
        let slipped: CertificateRecord | undefined
        const store = withRival(instance.store, moves, async () => {
          slipped = await certify(instance, device, await generateKeyPair('P-256'), 'ldevid')
        })
        const before = (await instance.store.read.auditHead()).size
        await act(id, BY, { store, clock: instance.clock })
        const record = await instance.store.read.certificate(slipped!.authorityId, slipped!.serialNumber)
        assert.equal(record?.status.kind, expected)
        const live = (await instance.store.read.certificatesOfDevice(id)).filter(({ status }) => status.kind === 'good')
        assert.deepEqual(live, [])
        // One transaction for all of it: the state and what ends with it stand in the log together, once.
        const states = (await auditLog(instance))
          .slice(before)
          .filter(({ action }) => action === 'device.state_changed')
        assert.equal(states.length, 1)
      })

      test(`a request that was decided before a ${name} is not written after it`, async t => {
        const instance = await instanceOf(t)
        const { id, device } = await fieldDevice(instance)
        const { authorities, issuer, clock, random } = instance
        const issues = (change: ChangeSet) => change.writes.some(write => write.kind === 'certificate.insert')
        const store = withRival(instance.store, issues, () => act(id, BY, instance))
        const registration = createRegistration({ store, authorities, issuer, clock, random })
        const outcome = await enrol(request(device, await generateKeyPair('P-256')), registration)
        assert.equal(outcome.kind, 'denied')
        const live = (await instance.store.read.certificatesOfDevice(id)).filter(({ status }) => status.kind === 'good')
        assert.deepEqual(live, [])
      })
    }

    test('many enrolments and a suspension at once leave nothing live', async t => {
      const instance = await instanceOf(t)
      const { id, device } = await fieldDevice(instance)
      const keys = await Promise.all(Array.from({ length: 6 }, () => generateKeyPair('P-256')))
      const [suspended] = await Promise.all([
        suspendDevice(id, BY, instance),
        ...keys.map(key => enrol(request(device, key), instance).catch(tooMany)),
      ])
      assert.equal(suspended.device.state, 'suspended')
      const live = (await instance.store.read.certificatesOfDevice(id)).filter(({ status }) => status.kind === 'good')
      assert.deepEqual(live, [])
      assert.deepEqual(new Set(await keyStates(instance, id)), new Set(['suspended']))
      await assertInvariants(instance.store)
    })

    test('whatever is done in whatever order, device, keys and certificates agree, and the log knows all of it', async t => {
      const instance = await instanceOf(t)
      const ports = { ...instance, organization: 'Example Devices' }
      const acts = fc.array(
        fc.constantFrom<Act>(
          'ship',
          'suspend',
          'resume',
          'issue',
          'hold',
          'release',
          'compromise',
          'wait',
          'suspend',
          'resume',
          'retire',
          'destroy',
        ),
        { minLength: 1, maxLength: 10 },
      )
      await fc.assert(
        fc.asyncProperty(acts, async sequence => {
          const { id, device } = await fieldDevice(instance)
          for (const act of sequence) await perform(act, id)
          await consistent(id)

          async function perform(act: Act, deviceId: DeviceId): Promise<void> {
            const { state } = (await instance.store.read.device(deviceId))!
            const records = await instance.store.read.certificatesOfDevice(deviceId)
            const refused = { code: 'device.move_not_allowed' }
            switch (act) {
              case 'ship':
                if (state === 'manufactured' || state === 'shipped')
                  return void (await shipDevice(deviceId, BY, instance))
                return assert.rejects(shipDevice(deviceId, BY, instance), refused)
              case 'suspend':
                if (state === 'suspended' || mayMove(state, 'suspended'))
                  return void (await suspendDevice(deviceId, BY, instance))
                return assert.rejects(suspendDevice(deviceId, BY, instance), refused)
              case 'resume':
                if (state === 'retired' || state === 'destroyed')
                  return assert.rejects(resumeDevice(deviceId, BY, instance), refused)
                return void (await resumeDevice(deviceId, BY, instance))
              case 'retire':
                if (state === 'destroyed') return assert.rejects(retireDevice(deviceId, BY, instance), refused)
                return void (await retireDevice(deviceId, BY, instance))
              case 'destroy':
                if (state === 'retired' || state === 'destroyed')
                  return void (await destroyDevice(deviceId, { ...BY, erase: false }, ports))
                return assert.rejects(destroyDevice(deviceId, { ...BY, erase: false }, ports), refused)
              case 'issue': {
                const outcome = await enrol(request(device, await generateKeyPair('P-256')), instance)
                assert.equal(outcome.kind, ['suspended', 'retired', 'destroyed'].includes(state) ? 'denied' : 'issued')
                return
              }
              case 'hold': {
                const good = records.find(({ status }) => status.kind === 'good')
                if (good) await revokeCertificate(good, 'certificateHold', OPERATOR, instance)
                return
              }
              case 'release': {
                const held = records.find(({ status }) => status.kind === 'held')
                if (held && state !== 'suspended') await releaseCertificate(held, OPERATOR, instance)
                return
              }
              case 'compromise': {
                const [newest] = records
                const key = newest && (await instance.store.read.key(newest.keyId))
                if (newest && key && mayKeyMove(key.state, 'compromised')) {
                  await revokeCertificate(newest, 'keyCompromise', OPERATOR, instance)
                }
                return
              }
              case 'wait':
                instance.clock.advance(7)
                return
              default:
                act satisfies never
            }
          }
        }),
        { numRuns: 12 },
      )
      await assertInvariants(instance.store)
      assert.deepEqual(await auditFindings(instance), [])

      async function consistent(id: DeviceId): Promise<void> {
        const { read } = instance.store
        const { state } = (await read.device(id))!
        const kinds = new Set((await read.certificatesOfDevice(id)).map(({ status }) => status.kind))
        const keys = new Set((await read.keysOfDevice(id)).map(key => key.state))
        if (state === 'suspended' || state === 'retired' || state === 'destroyed') {
          assert.ok(!kinds.has('good'), `${state}: nothing is good`)
          assert.ok(!keys.has('in_use') && !keys.has('established'), `${state}: no key may be certified`)
        }
        if (state === 'retired' || state === 'destroyed') assert.ok(!kinds.has('held') && !keys.has('suspended'))
        if (state === 'destroyed') assert.deepEqual(keys, new Set(['destroyed']))
        if (state !== 'suspended') assert.ok(!keys.has('suspended'), `${state}: no key is suspended`)
        assert.equal((await read.suspension(id)) !== undefined, state === 'suspended')
      }
    })
  })
}

/** Six requests for one slot at once: who never gets a turn is told to ask again. */
function tooMany(thrown: unknown): void {
  assert.equal((thrown as { code?: string }).code, 'enrolment.contended')
}

function request(device: Parameters<typeof certify>[1], key: Parameters<typeof testCsr>[0]) {
  return {
    protocol: 'test',
    operation: 'enrol',
    profile: 'ldevid',
    csr: testCsr(key),
    evidence: [{ kind: 'operator', name: 'tester', device }],
    channelBinding: false,
    address: '127.0.0.1',
  } as const
}
