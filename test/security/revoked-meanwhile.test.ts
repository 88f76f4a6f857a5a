// Attack: a request that was decided a moment before the operator's word is written a moment after it. Whatever is decided over facts
// must be written only while they still hold, or a revoked device leaves with a certificate that nobody revoked.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import type { ChangeSet, Store, Write } from '../../src/domain/ports.ts'
import { createToken } from '../../src/domain/ra/create-token.ts'
import { enrol } from '../../src/domain/ra/enrol.ts'
import type { EnrolmentOutcome, EnrolmentRequest } from '../../src/domain/ra/enrolment-request.ts'
import type { Evidence } from '../../src/domain/ra/evidence.ts'
import { createRegistration } from '../../src/domain/ra/registration.ts'
import { revokeCertificate, revokeDevice } from '../../src/domain/revocation/revoke.ts'
import {
  bornDevice,
  certify,
  OPERATOR,
  registerDevice,
  type TestInstance,
  testCsr,
  testInstance,
  trustManufacturer,
  useRules,
} from '../support/instance.ts'
import { type TestCertificate, testCertificate } from '../support/test-pki.ts'

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

const issues = (change: ChangeSet) => change.writes.some(write => write.kind === 'certificate.insert')
const revokes = (change: ChangeSet) => change.writes.some(write => write.kind === 'certificate.status')
/** The clock of the tests stands in 2030. */
const LATE = new Date('2040-01-01')

function enrolAgainst(
  instance: TestInstance,
  request: Pick<EnrolmentRequest, 'operation' | 'csr' | 'evidence'>,
  meanwhile: () => Promise<unknown>,
): Promise<EnrolmentOutcome> {
  const { authorities, issuer, clock, random } = instance
  const store = withRival(instance.store, issues, meanwhile)
  const registration = createRegistration({ store, authorities, issuer, clock, random })
  return enrol(
    { protocol: 'test', profile: 'ldevid', channelBinding: false, address: '192.0.2.1', ...request },
    registration,
  )
}

/** A device in the field with both certificates, and the request that renews the second. Everything of it is in use already. */
async function operational(t: TestContext) {
  const instance = await testInstance(t)
  const born = await bornDevice(instance)
  const { id } = born.device
  const at = instance.clock.now()
  const key = await generateKeyPair('P-256')
  const record = await certify(instance, born.device, key, 'ldevid')
  await move(instance, { kind: 'device.state', id, from: 'manufactured', to: 'active', at })
  for (const held of await instance.store.read.keysOfDevice(id)) {
    await move(instance, { kind: 'key.state', id: held.id, from: held.state, to: 'in_use', at })
  }
  const evidence = await shown(instance, record.der)
  const renewal = { operation: 'renew', csr: testCsr(await generateKeyPair('P-256')), evidence } as const
  const live = async () =>
    (await instance.store.read.certificatesOfDevice(born.device.id)).filter(each => each.status.kind === 'good')
  return { instance, born, record, renewal, live }
}

async function shown(instance: TestInstance, der: Uint8Array): Promise<readonly Evidence[]> {
  const finding = await instance.evidence.fromCertificates([der], instance.clock.now())
  assert.ok(finding.kind === 'evidence', JSON.stringify(finding))
  return [finding.evidence]
}

const ports = ({ store, clock }: TestInstance) => ({ store, clock })

async function move(instance: TestInstance, write: Extract<Write, { kind: 'device.state' | 'key.state' }>) {
  const at = instance.clock.now()
  const detail = { from: write.from, to: write.to }
  const entry =
    write.kind === 'device.state'
      ? ({ action: 'device.state_changed', subject: { deviceId: write.id } } as const)
      : ({ action: 'key.state_changed', subject: { keyId: write.id } } as const)
  await instance.store.commit({ writes: [write], audit: [{ at, actor: OPERATOR, outcome: 'done', detail, ...entry }] })
}

function assertDenied(outcome: EnrolmentOutcome, code: string): void {
  assert.deepEqual([outcome.kind, outcome.kind === 'denied' ? outcome.code : ''], ['denied', code])
}

test('a certificate that is revoked while its renewal is signed renews nothing', async t => {
  const { instance, record, renewal } = await operational(t)
  const outcome = await enrolAgainst(instance, renewal, () =>
    revokeCertificate(record, 'cessationOfOperation', OPERATOR, ports(instance)),
  )
  assertDenied(outcome, 'evidence.certificate_revoked')
})

test('a certificate that is put on hold while its renewal is signed renews nothing', async t => {
  const { instance, record, renewal } = await operational(t)
  const outcome = await enrolAgainst(instance, renewal, () =>
    revokeCertificate(record, 'certificateHold', OPERATOR, ports(instance)),
  )
  assertDenied(outcome, 'evidence.certificate_held')
})

test('a device that is suspended while its renewal is signed gets nothing', async t => {
  const { instance, born, renewal } = await operational(t)
  const device = (await instance.store.read.device(born.device.id))!
  assert.equal(device.state, 'active')
  const outcome = await enrolAgainst(instance, renewal, () =>
    move(instance, {
      kind: 'device.state',
      id: device.id,
      from: device.state,
      to: 'suspended',
      at: instance.clock.now(),
    }),
  )
  assertDenied(outcome, 'device.suspended')
})

test('a device that is retired while its token is redeemed gets nothing, and the token stays unspent', async t => {
  const instance = await testInstance(t)
  const device = await registerDevice(instance)
  const { secret } = await createToken(
    { model: device.model, serialNumber: device.serialNumber, profile: 'ldevid', actor: OPERATOR },
    instance,
  )
  const finding = await instance.evidence.fromToken(device.serialNumber, secret)
  const evidence = finding.kind === 'evidence' ? [finding.evidence] : []
  const csr = testCsr(await generateKeyPair('P-256'))
  const outcome = await enrolAgainst(instance, { operation: 'enrol', csr, evidence }, () =>
    move(instance, {
      kind: 'device.state',
      id: device.id,
      from: device.state,
      to: 'retired',
      at: instance.clock.now(),
    }),
  )
  assertDenied(outcome, 'device.retired')
})

test('a key that is reported compromised while a request under its certificate is signed speaks for nobody', async t => {
  const { instance, record, renewal } = await operational(t)
  const outcome = await enrolAgainst(instance, renewal, () =>
    move(instance, {
      kind: 'key.state',
      id: record.keyId,
      from: 'in_use',
      to: 'compromised',
      at: instance.clock.now(),
    }),
  )
  assertDenied(outcome, 'evidence.key_unusable')
})

test('a key that is reported compromised while a request over it is signed is not certified', async t => {
  const { instance, born, record } = await operational(t)
  const request = {
    operation: 'enrol',
    csr: testCsr(born.key),
    evidence: await shown(instance, born.record.der),
  } as const
  const outcome = await enrolAgainst(instance, request, () =>
    revokeCertificate(born.record, 'keyCompromise', OPERATOR, ports(instance)),
  )
  assertDenied(outcome, 'evidence.certificate_revoked')
  assert.equal((await instance.store.read.certificate(record.authorityId, record.serialNumber))?.status.kind, 'good')
})

test('two units of another maker that share one key do not both enter the registry, however fast they come', async t => {
  const instance = await testInstance(t)
  const maker = await testCertificate({ name: 'Maker', authority: true, notAfter: LATE })
  const certificates = [maker.cert]
  await trustManufacturer(instance, {
    name: 'maker',
    certificates,
    model: { fixed: 'other' },
    serialNumber: 'subject.CN',
  })
  await useRules(instance, [{ name: 'all', outcome: 'grant', firstSeen: 'register' }])
  const first = await testCertificate({ name: 'U-1', issuer: maker, notAfter: LATE })
  const second = await testCertificate({ name: 'U-2', issuer: maker, notAfter: LATE, keys: first.keys })
  const request = async (certificate: TestCertificate) => ({
    operation: 'enrol' as const,
    csr: testCsr(await generateKeyPair('P-256')),
    evidence: await shown(instance, new Uint8Array(certificate.certificate.rawData)),
  })
  const requests = await Promise.all([request(first), request(second)])
  const outcome = await enrolAgainst(instance, requests[0], async () => {
    assert.equal((await enrolAgainst(instance, requests[1], async () => undefined)).kind, 'issued')
  })
  assertDenied(outcome, 'evidence.key_known_elsewhere')
  assert.equal(await instance.store.read.deviceBySerial('other', 'U-1'), undefined)
})

test('everything of a device is revoked, also what it was issued while the operator spoke', async t => {
  const { instance, born, renewal, live } = await operational(t)
  const store = withRival(instance.store, revokes, async () => {
    const outcome = await enrolAgainst(instance, renewal, async () => undefined)
    assert.equal(outcome.kind, 'issued')
  })
  await revokeDevice(born.device.id, 'cessationOfOperation', OPERATOR, { store, clock: instance.clock })
  assert.deepEqual(await live(), [])
})

test('with keyCompromise every certificate over the key ends, also the one that was issued while the operator spoke', async t => {
  const { instance, born } = await operational(t)
  const { store, clock } = instance
  const rival = withRival(store, revokes, async () => {
    const evidence = await shown(instance, born.record.der)
    const request = { operation: 'enrol', csr: testCsr(born.key), evidence } as const
    assert.equal((await enrolAgainst(instance, request, async () => undefined)).kind, 'issued')
  })
  await revokeCertificate(born.record, 'keyCompromise', OPERATOR, { store: rival, clock })
  const records = await store.read.certificatesOfDevice(born.device.id)
  const overKey = records.filter(each => each.keyId === born.record.keyId).map(each => each.status.kind)
  assert.deepEqual(overKey, ['revoked', 'revoked'])
})
