// The REST that devices speak, request by request, with a clock that the test moves: who may come in, what a report leaves behind, which orders
// it causes, how a copy gives itself away, and what a wipe statement has to show.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { formatTime } from '../../src/core/messages/json-message.ts'
import {
  encodeSignedWipeStatement,
  encodeWipeStatement,
  parseSignedWipeStatement,
} from '../../src/core/messages/wipe-statement.ts'
import { type KeyAlgorithmName, keyAlgorithm, signatureAlgorithm } from '../../src/crypto/algorithms.ts'
import { sha256, sha256Hex } from '../../src/crypto/digest.ts'
import { generateKeyPair, type PrivateKey } from '../../src/crypto/keys.ts'
import { signWithKey } from '../../src/crypto/sign-with-key.ts'
import { documentDetail } from '../../src/domain/audit/document-detail.ts'
import { catalogueProfile } from '../../src/domain/ca/catalogue.ts'
import type { CertificateRecord } from '../../src/domain/ca/certificate-record.ts'
import type { ProfileConfig } from '../../src/domain/ca/profile-config.ts'
import { retireDevice } from '../../src/domain/device/retire-device.ts'
import { resumeDevice, suspendDevice } from '../../src/domain/device/suspend-device.ts'
import { keyId } from '../../src/domain/ids.ts'
import { revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import { type DeviceDoor, deviceDoor } from '../support/device-door.ts'
import {
  auditLog,
  bornDevice,
  certify,
  OPERATOR,
  type TestDevice,
  type TestInstance,
  testInstance,
} from '../support/instance.ts'
import { assertInvariants } from '../support/invariants.ts'
import { testCertificate } from '../support/test-pki.ts'

const DAY = 86_400
const BY = { actor: OPERATOR }

interface Field extends TestDevice {
  readonly instance: TestInstance
  readonly door: DeviceDoor
  /** Its ldevid certificate and key. */
  readonly current: { readonly record: CertificateRecord; readonly key: PrivateKey }
}

/** A device in the field with a birth certificate and an `ldevid`, whose renewal policy is as given. */
async function fieldDevice(
  t: TestContext,
  renewal: NonNullable<ProfileConfig['renewal']> = {},
  algorithm: KeyAlgorithmName = 'P-256',
): Promise<Field> {
  const instance = await testInstance(t)
  if (Object.keys(renewal).length > 0) await useRenewal(instance, renewal)
  const born = await bornDevice(instance, { state: 'active' })
  const key = await generateKeyPair(algorithm)
  const record = await certify(instance, born.device, key, 'ldevid')
  return { ...born, instance, door: await deviceDoor(instance), current: { record, key } }
}

async function useRenewal(instance: TestInstance, renewal: NonNullable<ProfileConfig['renewal']>): Promise<void> {
  const at = instance.clock.now()
  const body = JSON.stringify({ ...catalogueProfile('ldevid'), version: 2, renewal })
  const document = { kind: 'profile', name: 'ldevid', version: 2, body, createdAt: at } as const
  const subject = { name: 'ldevid' }
  await instance.store.commit({
    writes: [{ kind: 'document.insert', document }],
    audit: [
      { at, actor: OPERATOR, action: 'profile.changed', outcome: 'done', subject, detail: documentDetail(document) },
    ],
  })
}

const report = ({ instance }: Pick<Field, 'instance'>, sequence: number, more: object = {}) => ({
  sequence,
  time: formatTime(instance.clock.now()),
  ...more,
})

const idOf = (key: PrivateKey) => keyId(sha256(key.publicKey))

async function actions(instance: TestInstance, action: string) {
  return (await auditLog(instance)).filter(entry => entry.action === action)
}

test('renewal-info tells window, reason and when to ask again (RFC 9773 §4.2, §4.3)', async t => {
  const { door, instance, current } = await fieldDevice(t)
  const { status, headers, json } = await door('renewal-info', { certificates: [current.record.der] })
  assert.equal(status, 200)
  assert.match(headers['retry-after'] ?? '', /^[1-9][0-9]*$/)
  assert.equal(json['profile'], 'ldevid')
  const { serialNumber, notAfter } = current.record
  assert.deepEqual(json['certificate'], { serialNumber, notAfter: formatTime(notAfter) })
  assert.equal(json['reason'], 'scheduled')
  assert.equal(json['order'], null)
  const window = json['suggestedWindow'] as { start: string; end: string }
  assert.ok(Date.parse(window.start) / 1000 > instance.clock.now())
  assert.ok(window.start < window.end && window.end <= formatTime(notAfter))
})

test('a birth certificate asks for another profile; what has no end has nothing to renew', async t => {
  const { door, record } = await fieldDevice(t)
  const other = await door('renewal-info?profile=ldevid', { certificates: [record.der] })
  assert.equal(other.status, 200)
  assert.equal(other.json['profile'], 'ldevid')
  for (const path of ['renewal-info', 'renewal-info?profile=none-such', `renewal-info?profile=${'x'.repeat(5000)}`]) {
    const { status, json, headers } = await door(path, { certificates: [record.der] })
    assert.equal(status, 404, path)
    assert.equal(json['code'], 'renewal_info.nothing_to_renew')
    assert.equal(headers['content-type'], 'application/problem+json')
  }
})

test('an expired certificate still hears when it should have renewed', async t => {
  const { door, instance, current } = await fieldDevice(t)
  instance.clock.advance(100 * DAY)
  const { status, json } = await door('renewal-info', { certificates: [current.record.der] })
  assert.equal(status, 200)
  assert.ok(Date.parse((json['suggestedWindow'] as { end: string }).end) / 1000 < instance.clock.now())
})

test('a problem is what RFC 9457 says: its media type, title and status, and the code', async t => {
  const { door } = await fieldDevice(t)
  const { status, headers, json } = await door('renewal-info')
  assert.equal(headers['content-type'], 'application/problem+json')
  assert.equal(status, 403)
  assert.equal(json['status'], 403)
  assert.equal(json['title'], 'Forbidden')
  assert.equal(json['code'], 'evidence.missing')
  assert.equal(typeof json['detail'], 'string')
})

test('refuses strangers: no certificate, one of a stranger, octets that are none, one of the platform', async t => {
  const { door, instance } = await fieldDevice(t)
  const stranger = await testCertificate({ name: 'SN-1', notAfter: new Date('2040-01-01') })
  const [authority] = await instance.store.read.authorities()
  const cases: readonly (readonly [readonly Uint8Array[], string])[] = [
    [[], 'evidence.missing'],
    [[new Uint8Array(stranger.certificate.rawData)], 'evidence.issuer_unknown'],
    [[new Uint8Array([1, 2, 3])], 'evidence.certificate_malformed'],
    [[authority!.certificate!], 'evidence.certificate_not_of_device'],
  ]
  for (const [certificates, code] of cases) {
    for (const [path, body] of [
      ['renewal-info', undefined],
      ['health', report({ instance }, 1)],
      ['wipe-statement', {}],
    ] as const) {
      const { status, json } = await door(path, { certificates, body })
      assert.equal(status, 403, path)
      assert.equal(json['code'], code)
    }
  }
  const refused = (await auditLog(instance)).filter(({ action }) => action === 'access.refused')
  assert.ok(refused.some(({ code }) => code === 'evidence.issuer_unknown'))
})

test('a report is kept, and the answer says where the device stands', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, current } = field
  const at = instance.clock.now()
  const more = {
    time: formatTime(at - 90),
    firmware: '1.0',
    configuration: 'blue',
    agentVersion: '0.1',
    lastError: { code: 'net.down', at: formatTime(at) },
  }
  const { status, json, headers } = await door('health', {
    certificates: [current.record.der],
    body: report(field, 1, more),
  })
  assert.equal(status, 200)
  const asked = await door('renewal-info', { certificates: [current.record.der] })
  assert.equal(headers['retry-after'], asked.headers['retry-after'], 'it comes again in time to hear of an order')
  assert.equal(json['time'], formatTime(at))
  assert.deepEqual(json['device'], { state: 'active' })
  assert.equal(json['order'], null)
  assert.equal((json['renewal'] as { profile: string }).profile, 'ldevid')
  assert.deepEqual(json['trustBundle'], { version: 1 })
  assert.deepEqual(await instance.store.read.health(device.id), {
    deviceId: device.id,
    at,
    sequence: 1,
    clockSkewSeconds: -90,
    firmware: '1.0',
    configuration: 'blue',
    agentVersion: '0.1',
    lastError: 'net.down',
  })
})

test('a report over the current certificate ends the one before it', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, current } = field
  const next = await certify(instance, device, await generateKeyPair('P-256'), 'ldevid')
  const status = async () =>
    (await instance.store.read.certificate(current.record.authorityId, current.record.serialNumber))!.status
  assert.equal((await status()).kind, 'good')

  const before = await door('health', { certificates: [current.record.der], body: report(field, 1) })
  const open = (before.json['renewal'] as { suggestedWindow: { end: string } }).suggestedWindow
  assert.ok(Date.parse(open.end) / 1000 <= instance.clock.now() + 1, 'who never got the successor is to ask again now')
  assert.equal((await status()).kind, 'good')

  await door('health', { certificates: [next.der], body: report(field, 2) })
  assert.equal((await status()).kind, 'revoked')
  assert.equal((await instance.store.read.credential(device.id, 'ldevid'))?.seenAt, instance.clock.now())
  await assertInvariants(instance.store)
})

test('says how it holds its own keys, and of the keys of others nothing', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, current } = field
  const other = await bornDevice(instance)
  const claim = { place: 'tpm', protection: 'hardware' }
  const keys = [current.key, other.key].map(key => ({ keyId: idOf(key), ...claim }))
  const body = report(field, 1, { keys: [...keys, keys[0]!] })
  assert.equal((await door('health', { certificates: [current.record.der], body })).status, 200)
  const holding = await instance.store.read.keyHolding(idOf(current.key))
  assert.deepEqual(holding, { keyId: idOf(current.key), ...claim, attestation: 'declared', at: instance.clock.now() })
  assert.equal(await instance.store.read.keyHolding(idOf(other.key)), undefined)
  await door('health', { certificates: [current.record.der], body: report(field, 2, { keys }) })
  const declared = await actions(instance, 'key.holding_declared')
  assert.deepEqual(
    declared.map(({ subject }) => subject),
    [{ deviceId: device.id, keyId: idOf(current.key) }],
  )
})

test('a device that changes its word with each report fills no log: one word a day for each key', async t => {
  const field = await fieldDevice(t)
  const { door, instance, current } = field
  const places = ['tpm', 'file', 'tpm', 'secure_element', 'hsm']
  const send = (sequence: number, place: string) =>
    door('health', {
      certificates: [current.record.der],
      body: report(field, sequence, { keys: [{ keyId: idOf(current.key), place, protection: 'none' }] }),
    })
  for (const [i, place] of places.entries()) assert.equal((await send(i + 1, place)).status, 200)
  assert.equal((await actions(instance, 'key.holding_declared')).length, 1)
  instance.clock.advance(DAY)
  await send(10, 'hsm')
  assert.equal((await instance.store.read.keyHolding(idOf(current.key)))?.place, 'hsm')
  assert.equal((await actions(instance, 'key.holding_declared')).length, 2)
})

test('a claim does not overwrite what was attested', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, current } = field
  const holding = {
    keyId: idOf(current.key),
    place: 'tpm',
    protection: 'hardware',
    attestation: 'attested',
    at: 5,
  } as const
  const at = instance.clock.now()
  const subject = { deviceId: device.id, keyId: holding.keyId }
  const detail = { place: 'tpm', protection: 'hardware' }
  await instance.store.commit({
    writes: [{ kind: 'key.holding', holding }],
    audit: [{ at, actor: OPERATOR, action: 'key.holding_declared', outcome: 'done', subject, detail }],
  })
  const keys = [{ keyId: holding.keyId, place: 'file', protection: 'none' }]
  await door('health', { certificates: [current.record.der], body: report(field, 1, { keys }) })
  assert.deepEqual(await instance.store.read.keyHolding(holding.keyId), holding)
})

const TRIGGERS = { triggers: { firmwareChange: true, configurationChange: true, healthCodes: ['key.suspect'] } }

for (const [what, first, then, reason] of [
  ['new firmware', { firmware: '1.0' }, { firmware: '1.1' }, 'firmware_changed'],
  ['another configuration', { configuration: 'a' }, { configuration: 'b' }, 'configuration_changed'],
  [
    'an error that the policy names',
    {},
    { lastError: { code: 'key.suspect', at: '2030-01-01T00:00:00Z' } },
    'health_reported',
  ],
] as const) {
  test(`${what} orders a renewal where the policy says so, and the answer has it`, async t => {
    const field = await fieldDevice(t, TRIGGERS)
    const { door, instance, device, current } = field
    const certificates = [current.record.der]
    await door('health', { certificates, body: report(field, 1, first) })
    const { json } = await door('health', { certificates, body: report(field, 2, then) })
    const renewal = json['renewal'] as { reason: string; order: object; suggestedWindow: { start: string } }
    assert.equal(renewal.reason, reason)
    assert.ok(renewal.order)
    assert.ok(renewal.suggestedWindow.start <= formatTime(instance.clock.now()))
    const again = await door('health', { certificates, body: report(field, 3, then) })
    assert.equal(again.status, 200)
    assert.equal((await actions(instance, 'renewal.ordered')).length, 1)
    assert.equal((await instance.store.read.credential(device.id, 'ldevid'))?.order?.reason, reason)
  })
}

test('no change orders anything where the policy is silent, nor does what was not known before', async t => {
  const silent = await fieldDevice(t)
  const asked = await fieldDevice(t, TRIGGERS)
  for (const [field, bodies] of [
    [silent, [{ firmware: '1' }, { firmware: '2', lastError: { code: 'key.suspect', at: '2030-01-01T00:00:00Z' } }]],
    [asked, [{}, { firmware: '2' }, {}]],
  ] as const) {
    for (const [i, body] of bodies.entries()) {
      await field.door('health', { certificates: [field.current.record.der], body: report(field, i + 1, body) })
    }
    assert.deepEqual(await actions(field.instance, 'renewal.ordered'), [])
  }
})

test('a number that was here before betrays a copy: 409, on record, once an hour', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, current } = field
  const send = (sequence: number) =>
    door('health', { certificates: [current.record.der], body: report(field, sequence) })
  assert.equal((await send(5)).status, 200)
  for (const sequence of [5, 4, 1]) {
    const { status, json } = await send(sequence)
    assert.equal(status, 409)
    assert.equal(json['code'], 'health.sequence_repeated')
  }
  const suspected = await actions(instance, 'device.clone_suspected')
  assert.deepEqual(
    suspected.map(({ subject, detail }) => [subject['deviceId'], detail?.['sign']]),
    [[device.id, 'sequence_repeated']],
  )
  assert.equal((await instance.store.read.health(device.id))?.sequence, 5)
  assert.equal((await instance.store.read.device(device.id))?.state, 'active')
  assert.equal((await send(6)).status, 200)
})

test('a report that was held back on its way and comes after the next one is refused, and no sign of a copy', async t => {
  const field = await fieldDevice(t, { clones: 'suspend' })
  const { door, instance, device, current } = field
  const certificates = [current.record.der]
  const heldBack = report(field, 4)
  instance.clock.advance(40)
  assert.equal((await door('health', { certificates, body: report(field, 5) })).status, 200)
  const { status, json } = await door('health', { certificates, body: heldBack })
  assert.deepEqual([status, json['code']], [409, 'health.sequence_repeated'])
  assert.equal((await instance.store.read.device(device.id))?.state, 'active')
  instance.clock.advance(3600)
  await door('health', { certificates, body: heldBack })
  assert.equal((await instance.store.read.device(device.id))?.state, 'suspended', 'no connection lasts so long')
})

test('two reports with one number at one moment: one is kept, the other refused', async t => {
  const field = await fieldDevice(t)
  const { door, current } = field
  const send = () => door('health', { certificates: [current.record.der], body: report(field, 1) })
  const statuses = (await Promise.all([send(), send(), send()])).map(({ status }) => status)
  assert.deepEqual(statuses.sort(), [200, 409, 409])
})

test('a copy suspends the device where the policy says so, and both hear of it', async t => {
  const field = await fieldDevice(t, { clones: 'suspend' })
  const { door, instance, device, current } = field
  const send = (sequence: number) =>
    door('health', { certificates: [current.record.der], body: report(field, sequence) })
  await send(1)
  assert.equal((await send(1)).status, 409)
  assert.equal((await instance.store.read.device(device.id))?.state, 'suspended')
  const { status, json, headers } = await send(2)
  assert.equal(status, 200)
  assert.equal(json['order'], 'suspend')
  assert.equal(headers['retry-after'], '3600', 'within the hour it hears that it is let back in')
  assert.equal(json['renewal'], null)
  assert.equal((await instance.store.read.health(device.id))?.sequence, 1, 'nothing is kept of what was said over it')
  await assertInvariants(instance.store)
})

test('a device that was set up again, with a new key, begins to count anew', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, current } = field
  await door('health', { certificates: [current.record.der], body: report(field, 100) })
  instance.clock.advance(60)
  const fresh = await certify(instance, device, await generateKeyPair('P-256'), 'ldevid')
  assert.equal((await door('health', { certificates: [fresh.der], body: report(field, 1) })).status, 200)
  assert.equal((await door('health', { certificates: [fresh.der], body: report(field, 1) })).status, 409)
  assert.deepEqual((await actions(instance, 'device.clone_suspected')).length, 1)
})

test('a suspended device hears so over its held certificate, and is believed again afterwards', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, current } = field
  const certificates = [current.record.der]
  await suspendDevice(device.id, BY, instance)
  const { status, json } = await door('health', { certificates, body: report(field, 1) })
  assert.deepEqual([status, json['order'], json['device']], [200, 'suspend', { state: 'suspended' }])
  assert.equal(await instance.store.read.health(device.id), undefined)
  const info = await door('renewal-info', { certificates })
  assert.deepEqual([info.status, info.json['code']], [403, 'device.suspended'])
  await resumeDevice(device.id, BY, instance)
  const back = await door('health', { certificates, body: report(field, 2) })
  assert.deepEqual([back.status, back.json['order']], [200, null])
})

test('over a revoked certificate nothing is written: no report, no sign of a copy, no use seen', async t => {
  const field = await fieldDevice(t, { clones: 'suspend', ...TRIGGERS })
  const { door, instance, device, current } = field
  const certificates = [current.record.der]
  await door('health', { certificates, body: report(field, 5, { firmware: '1' }) })
  await revokeCertificate(current.record, 'keyCompromise', OPERATOR, instance)
  const before = await auditLog(instance)
  for (const body of [report(field, 6, { firmware: '2' }), report(field, 1)]) {
    const { status, json } = await door('health', { certificates, body })
    assert.deepEqual([status, json['renewal'], json['order'], json['device']], [200, null, null, { state: 'active' }])
  }
  assert.equal((await auditLog(instance)).length, before.length)
  assert.equal((await instance.store.read.health(device.id))?.sequence, 5)
  const info = await door('renewal-info', { certificates })
  assert.equal(info.status, 403)
  assert.match(String(info.json['code']), /^evidence\.(certificate_revoked|key_unusable)$/)
})

test('an expired certificate reports where the device still goes by it; one that it left behind cannot have it suspended', async t => {
  const field = await fieldDevice(t, { clones: 'suspend', previous: { retire: 'leave', deadlineSeconds: DAY } })
  const { door, instance, device, current } = field
  const certificates = [current.record.der]
  instance.clock.advance(100 * DAY)
  const { status, json } = await door('health', { certificates, body: report(field, 5) })
  assert.deepEqual([status, (json['renewal'] as { profile: string }).profile], [200, 'ldevid'])
  assert.equal((await instance.store.read.health(device.id))?.sequence, 5)
  assert.equal((await instance.store.read.credential(device.id, 'ldevid'))?.seenAt, null)

  await certify(instance, device, await generateKeyPair('P-256'), 'ldevid')
  for (const sequence of [1, Number.MAX_SAFE_INTEGER]) {
    const left = await door('health', { certificates, body: report(field, sequence) })
    assert.deepEqual([left.status, left.json['renewal']], [200, null])
  }
  assert.equal((await instance.store.read.health(device.id))?.sequence, 5)
  assert.equal((await instance.store.read.device(device.id))?.state, 'active')
})

test('whatever JSON comes, it is answered with a problem and leaves nothing behind', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, current } = field
  const paths = ['health', 'wipe-statement']
  await fc.assert(
    fc.asyncProperty(fc.json(), fc.constantFrom(...paths), async (body, path) => {
      const { status, json } = await door(path, { certificates: [current.record.der], body })
      assert.deepEqual([status, json['code']], [400, 'message.malformed'])
    }),
    { numRuns: 60 },
  )
  assert.equal(await instance.store.read.health(device.id), undefined)
  const refused = (await auditLog(instance)).filter(({ action }) => action === 'access.refused')
  assert.equal(refused.length, 1, 'a flood of refusals is one entry and a count')
})

test('refuses bodies that break the grammar, are of another type, or say too much', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, current } = field
  const certificates = [current.record.der]
  const cases: readonly (readonly [unknown, object | undefined, number, string])[] = [
    ['{', undefined, 400, 'message.malformed'],
    [new Uint8Array([0xff, 0xfe]), undefined, 400, 'message.malformed'],
    [report(field, 1, { firmware: 7 }), undefined, 400, 'message.malformed'],
    ['x'.repeat(9000), undefined, 413, 'message.too_large'],
    [report(field, 1), { 'content-type': 'text/plain' }, 415, 'device_api.content_type'],
  ]
  for (const [body, headers, status, code] of cases) {
    const reply = await door('health', { certificates, body, ...(headers ? { headers: { ...headers } } : {}) })
    assert.deepEqual([reply.status, reply.json['code']], [status, code])
  }
  assert.equal(await instance.store.read.health(device.id), undefined)
})

const sign = (key: PrivateKey, octets: Uint8Array) =>
  signWithKey(key.keyObject, signatureAlgorithm(keyAlgorithm(key.algorithm).signatureAlgorithms[0]), octets)

/** The statement that a device makes of its keys, and who signs it. */
function wipe({ device, instance }: Field, named: readonly PrivateKey[], signers = named, more: object = {}) {
  const statement = encodeWipeStatement({
    model: device.model,
    serialNumber: device.serialNumber,
    keys: named.map(idOf),
    at: instance.clock.now(),
    ...more,
  })
  const signatures = signers.map(key => ({ keyId: idOf(key), signature: sign(key, statement) }))
  return encodeSignedWipeStatement({ statement, signatures })
}

test('a retired device is told to wipe, and its signed statement ends its keys', async t => {
  const field = await fieldDevice(t, {}, 'P-384')
  const { door, instance, device, key, current } = field
  const certificates = [current.record.der]
  await retireDevice(device.id, BY, instance)
  const told = await door('health', { certificates, body: report(field, 1) })
  assert.deepEqual([told.json['order'], told.json['device']], ['wipe', { state: 'retired' }])

  const octets = wipe(field, [key, current.key])
  const { status, json } = await door('wipe-statement', { certificates, body: octets })
  assert.equal(status, 200)
  assert.deepEqual(json['accepted'], [idOf(key), idOf(current.key)])
  for (const each of [key, current.key]) assert.equal((await instance.store.read.key(idOf(each)))?.state, 'destroyed')
  const statements = await instance.store.read.statementsOfDevice(device.id)
  assert.deepEqual(
    statements.map(({ kind, sha256: digest, bytes }) => [kind, digest, Buffer.from(bytes).equals(octets)]),
    [['wipe', sha256Hex(octets), true]],
  )
  const ended = await actions(instance, 'key.ended')
  assert.deepEqual(
    ended.map(({ actor, detail }) => [actor.kind, detail?.['statementSha256']]),
    [
      ['device', sha256Hex(octets)],
      ['device', sha256Hex(octets)],
    ],
  )
  const again = await door('wipe-statement', { certificates, body: octets })
  assert.deepEqual(again.json['accepted'], json['accepted'], 'the answer was lost: the same again')
  assert.equal((await actions(instance, 'key.ended')).length, 2)
  assert.equal((await door('health', { certificates, body: report(field, 2) })).json['order'], null)
  await assertInvariants(instance.store)
})

for (const algorithm of ['P-256', 'Ed25519', 'RSA-2048', 'ML-DSA-44'] as const) {
  test(`a wipe statement signed with ${algorithm}`, async t => {
    const field = await fieldDevice(t, {}, algorithm)
    const { door, instance, device, current } = field
    await retireDevice(device.id, BY, instance)
    const body = wipe(field, [current.key])
    const { json } = await door('wipe-statement', { certificates: [current.record.der], body })
    assert.deepEqual(json['accepted'], [idOf(current.key)])
  })
}

test('a key that is named and did not sign stays as it is', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, key, current } = field
  await retireDevice(device.id, BY, instance)
  const body = wipe(field, [key, current.key], [current.key])
  const { json } = await door('wipe-statement', { certificates: [current.record.der], body })
  assert.deepEqual(json['accepted'], [idOf(current.key)])
  assert.equal((await instance.store.read.key(idOf(key)))?.state, 'archived')
})

test("keys that are not this device's, or that we never certified, are passed over", async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, current } = field
  const other = await bornDevice(instance)
  const pending = await generateKeyPair('P-256')
  await retireDevice(device.id, BY, instance)
  await retireDevice(other.device.id, BY, instance)
  const body = wipe(field, [current.key, other.key, pending])
  const { json } = await door('wipe-statement', { certificates: [current.record.der], body })
  assert.deepEqual(json['accepted'], [idOf(current.key)])
  assert.equal((await instance.store.read.key(idOf(other.key)))?.state, 'archived')
})

test('a key that is known as stolen does not end by its own word', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, current } = field
  await revokeCertificate(current.record, 'keyCompromise', OPERATOR, instance)
  await retireDevice(device.id, BY, instance)
  const { status, json } = await door('wipe-statement', {
    certificates: [current.record.der],
    body: wipe(field, [current.key]),
  })
  assert.deepEqual([status, json['accepted']], [200, []])
  assert.equal((await instance.store.read.key(idOf(current.key)))?.state, 'compromised')
})

test('refuses a wipe statement of a device that is in service', async t => {
  const field = await fieldDevice(t)
  const { door, instance, current } = field
  const { status, json } = await door('wipe-statement', {
    certificates: [current.record.der],
    body: wipe(field, [current.key]),
  })
  assert.deepEqual([status, json['code']], [409, 'device.not_retired'])
  assert.equal((await instance.store.read.key(idOf(current.key)))?.state, 'established')
})

test('refuses forged wipe statements whole', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, key, current } = field
  const other = await bornDevice(instance)
  const stranger = await generateKeyPair('P-256')
  await retireDevice(device.id, BY, instance)
  const good = parseSignedWipeStatement(wipe(field, [current.key]))
  const [signature] = good.signatures
  const altered = Buffer.from(good.statement)
  altered[altered.indexOf('"at":"') + 9]! ^= 1
  const claimed = (signer: PrivateKey) => [{ keyId: idOf(current.key), signature: sign(signer, good.statement) }]
  const cases: Readonly<Record<string, readonly [Uint8Array, number, string]>> = {
    'without a signature': [encodeSignedWipeStatement({ ...good, signatures: [] }), 400, 'wipe.signature_missing'],
    'altered after it was signed': [
      encodeSignedWipeStatement({ ...good, statement: altered }),
      403,
      'wipe.signature_invalid',
    ],
    'signed by a stranger in the name of the key': [
      encodeSignedWipeStatement({ ...good, signatures: claimed(stranger) }),
      403,
      'wipe.signature_invalid',
    ],
    'signed by another key of the device': [
      encodeSignedWipeStatement({ ...good, signatures: claimed(key) }),
      403,
      'wipe.signature_invalid',
    ],
    'signed twice by one key': [
      encodeSignedWipeStatement({ ...good, signatures: [signature!, signature!] }),
      400,
      'wipe.key_not_named',
    ],
    'signed by a key that it does not name': [
      wipe(field, [current.key], [current.key, key]),
      400,
      'wipe.key_not_named',
    ],
    'of another serial number': [
      wipe(field, [current.key], [current.key], { serialNumber: other.device.serialNumber }),
      403,
      'wipe.other_device',
    ],
    'whose second signature is wrong': [
      encodeSignedWipeStatement({
        statement: parseSignedWipeStatement(wipe(field, [current.key, key])).statement,
        signatures: [
          parseSignedWipeStatement(wipe(field, [current.key, key])).signatures[0]!,
          { keyId: idOf(key), signature: new Uint8Array(70) },
        ],
      }),
      403,
      'wipe.signature_invalid',
    ],
  }
  for (const [what, [body, status, code]] of Object.entries(cases)) {
    const reply = await door('wipe-statement', { certificates: [current.record.der], body })
    assert.deepEqual([reply.status, reply.json['code']], [status, code], what)
  }
  for (const each of [key, current.key]) assert.equal((await instance.store.read.key(idOf(each)))?.state, 'archived')
  assert.deepEqual(await instance.store.read.statementsOfDevice(device.id), [])
})

test('the wipe statement of one device is not taken from another', async t => {
  const field = await fieldDevice(t)
  const { door, instance, device, current } = field
  const other = await bornDevice(instance)
  await retireDevice(device.id, BY, instance)
  await retireDevice(other.device.id, BY, instance)
  const reply = await door('wipe-statement', { certificates: [other.record.der], body: wipe(field, [current.key]) })
  assert.deepEqual([reply.status, reply.json['code']], [403, 'wipe.other_device'])
})

test('the trust bundle has its version as entity tag, and who has it hears so (RFC 9110 §13.1.2)', async t => {
  const { door } = await fieldDevice(t)
  const { status, headers, body } = await door('trust-bundle')
  assert.deepEqual([status, headers['etag']], [200, 'W/"1"'])
  assert.ok(body.length > 500)
  for (const tag of ['"1"', 'W/"1"', '"0", W/"1"']) {
    const unchanged = await door('trust-bundle', { headers: { 'if-none-match': tag } })
    assert.deepEqual([unchanged.status, unchanged.body, unchanged.headers['etag']], [304, '', 'W/"1"'])
  }
  assert.equal((await door('trust-bundle', { headers: { 'if-none-match': '"2"' } })).status, 200)
})
