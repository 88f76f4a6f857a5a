// Attack: a device that was taken out comes back by another door: a token that was made before, the birth certificate of another maker, a key
// that had no live certificate when it was reported lost.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { documentDetail } from '../../src/domain/audit/document-detail.ts'
import { type DeviceState, mayEnrol } from '../../src/domain/device/device.ts'
import { retireDevice } from '../../src/domain/device/retire-device.ts'
import { shipDevice } from '../../src/domain/device/ship-device.ts'
import { resumeDevice, suspendDevice } from '../../src/domain/device/suspend-device.ts'
import { createToken } from '../../src/domain/ra/create-token.ts'
import { enrol } from '../../src/domain/ra/enrol.ts'
import type { EvidenceFinding } from '../../src/domain/ra/evidence-reader.ts'
import { revokeCertificate, revokeDevice } from '../../src/domain/revocation/revoke.ts'
import {
  auditLog,
  certify,
  OPERATOR,
  type TestInstance,
  testCsr,
  testInstance,
  trustManufacturer,
  useRules,
} from '../support/instance.ts'
import { testCertificate } from '../support/test-pki.ts'

/** The clock of the tests stands in 2030. */
const LATE = new Date('2040-01-01')

/** A device of another maker that enrolled here, with everything that it could show. */
async function foreignDevice(t: TestContext) {
  const instance = await testInstance(t)
  const maker = await testCertificate({ name: 'Maker', authority: true, notAfter: LATE })
  const birth = await testCertificate({ name: 'F-1', issuer: maker, notAfter: LATE })
  const model = { fixed: 'other' }
  await trustManufacturer(instance, { name: 'maker', certificates: [maker.cert], model, serialNumber: 'subject.CN' })
  await useRules(instance, [{ name: 'all', outcome: 'grant', firstSeen: 'register' }])
  const doors: Record<string, () => Promise<EvidenceFinding>> = {
    'birth certificate': () =>
      instance.evidence.fromCertificates([new Uint8Array(birth.certificate.rawData)], instance.clock.now()),
  }
  assert.equal(await knock(instance, doors['birth certificate']!), 'issued')
  const device = (await instance.store.read.deviceBySerial('other', 'F-1'))!
  const record = await certify(instance, device, await generateKeyPair('P-256'), 'ldevid')
  doors['own certificate'] = () => instance.evidence.fromCertificates([record.der], instance.clock.now())
  const token = { model: 'other', serialNumber: 'F-1', profile: 'ldevid', actor: OPERATOR }
  const { secret } = await createToken(token, instance)
  doors['token'] = () => instance.evidence.fromToken('F-1', secret)
  return { instance, device, record, doors }
}

/** Enrols a new key with what is shown: `issued`, or the code of the refusal. */
async function knock(instance: TestInstance, door: () => Promise<EvidenceFinding>): Promise<string> {
  const finding = await door()
  if (finding.kind === 'refused') return finding.refusal.code
  const outcome = await enrol(
    {
      protocol: 'test',
      operation: 'enrol',
      profile: 'ldevid',
      csr: testCsr(await generateKeyPair('P-256')),
      evidence: finding.kind === 'evidence' ? [finding.evidence] : [],
      channelBinding: false,
      address: '192.0.2.1',
    },
    instance,
  )
  return outcome.kind === 'denied' ? outcome.code : outcome.kind
}

async function answers(instance: TestInstance, doors: Record<string, () => Promise<EvidenceFinding>>) {
  const found: Record<string, string> = {}
  for (const [name, door] of Object.entries(doors)) found[name] = await knock(instance, door)
  return found
}

const BY = { actor: OPERATOR } as const

test('a device that is suspended is given nothing at any door, and everything again when it is resumed', async t => {
  const { instance, device, doors } = await foreignDevice(t)
  await suspendDevice(device.id, BY, instance)
  const refused = 'device.suspended'
  const all = { 'birth certificate': refused, 'own certificate': refused, token: refused }
  assert.deepEqual(await answers(instance, doors), all)
  await resumeDevice(device.id, BY, instance)
  // Its own certificate first: what is issued at another door takes its place.
  const { 'own certificate': own, ...others } = doors
  assert.deepEqual(await answers(instance, { 'own certificate': own!, ...others }), {
    'birth certificate': 'issued',
    'own certificate': 'issued',
    token: 'issued',
  })
})

test('a device that is retired is given nothing, and stays so', async t => {
  const { instance, device, doors } = await foreignDevice(t)
  await retireDevice(device.id, BY, instance)
  assert.deepEqual(new Set(Object.values(await answers(instance, doors))), new Set(['device.retired']))
  for (const act of [resumeDevice, suspendDevice, shipDevice]) {
    await assert.rejects(act(device.id, BY, instance), { code: 'device.move_not_allowed' })
  }
  const moves = (await auditLog(instance)).filter(entry => entry.action === 'device.state_changed')
  assert.deepEqual(moves.at(-1)?.detail, { from: 'active', to: 'retired' })
})

test('a device that is reported lost loses every key: the one that another maker certified, and those without a live certificate', async t => {
  const { instance, device, record, doors } = await foreignDevice(t)
  const { store, clock } = instance
  await revokeCertificate(record, 'superseded', OPERATOR, { store, clock })
  await revokeDevice(device.id, 'keyCompromise', OPERATOR, { store, clock })
  const states = (await store.read.keysOfDevice(device.id)).map(({ state }) => state)
  assert.deepEqual([states.length, new Set(states)], [3, new Set(['compromised'])])
  const { 'birth certificate': birth, 'own certificate': own } = await answers(instance, doors)
  assert.deepEqual([birth, own], ['evidence.key_unusable', 'evidence.certificate_revoked'])
})

test('a maker that is trusted no more has no device at the door', async t => {
  const { instance, doors } = await foreignDevice(t)
  const { store, clock } = instance
  const current = (await store.read.document('trust-anchors', 'maker'))!
  const body = JSON.stringify({ ...JSON.parse(current.body), certificates: [] })
  const document = { ...current, version: current.version + 1, body }
  const audit = { at: clock.now(), actor: OPERATOR, action: 'trust.anchor_removed', outcome: 'done' } as const
  await store.commit({
    writes: [{ kind: 'document.insert', document }],
    audit: [{ ...audit, subject: { name: 'maker', certificateSha256: '' }, detail: documentDetail(document) }],
  })
  assert.equal(await knock(instance, doors['birth certificate']!), 'evidence.issuer_unknown')
})

test('a device in a state that nobody knows is given nothing', () => {
  assert.equal(mayEnrol('unheard-of' as DeviceState), false)
})
