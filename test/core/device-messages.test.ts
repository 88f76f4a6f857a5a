// The JSON that devices and the platform exchange: what is written is read again, what breaks the grammar is refused with its place, and
// nothing that a stranger sends does more than that.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import {
  DEVICE_ORDERS,
  DEVICE_STATES,
  encodeHealthAnswer,
  encodeHealthReport,
  KEY_PLACES,
  KEY_PROTECTIONS,
  MAX_HEALTH_REPORT,
  parseHealthAnswer,
  parseHealthReport,
} from '../../src/core/messages/device-health.ts'
import { encodeRenewalInfo, parseRenewalInfo } from '../../src/core/messages/renewal-info.ts'
import { encodeTrustBundle, parseTrustBundle, sameRoots } from '../../src/core/messages/trust-bundle.ts'
import {
  encodeSignedWipeStatement,
  encodeWipeAnswer,
  encodeWipeStatement,
  parseSignedWipeStatement,
  parseWipeAnswer,
  parseWipeStatement,
} from '../../src/core/messages/wipe-statement.ts'

const PLAIN = { noNullPrototype: true }
const time = fc.integer({ min: 0, max: 253_402_300_799 })
const keyId = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => Buffer.from(bytes).toString('hex'))
const text = (maxLength: number) =>
  fc.string({ minLength: 1, maxLength, unit: 'grapheme' }).filter(t => t.length <= maxLength && /^[^\p{C}]+$/u.test(t))
const code = fc.constantFrom('est.pending', 'network.unreachable', 'clock')
const octets = (maxLength: number) => fc.uint8Array({ minLength: 1, maxLength })

const renewal = fc
  .record({
    start: time,
    length: fc.integer({ min: 0, max: 1_000_000 }),
    notAfter: time,
    until: time,
    ordered: fc.boolean(),
  })
  .filter(({ start, length }) => start + length <= 253_402_300_799)
  .map(({ start, length, notAfter, until, ordered }) => ({
    profile: 'ldevid',
    certificate: { serialNumber: '0a1b', notAfter },
    suggestedWindow: { start, end: start + length },
    reason: ordered ? 'campaign' : 'scheduled',
    order: ordered ? { newKey: true, keyAlgorithm: 'P-384', profile: null, until } : null,
  }))

function refusal(read: () => unknown): TouchmarkError {
  try {
    read()
  } catch (thrown) {
    assert.ok(thrown instanceof TouchmarkError, String(thrown))
    return thrown
  }
  throw new assert.AssertionError({ message: 'nothing was refused' })
}

test('a health report is read as it was written', () => {
  const report = fc.record(
    {
      sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      time,
      agentVersion: fc.option(text(64)),
      firmware: fc.option(text(64)),
      configuration: fc.option(text(64)),
      daysLeft: fc.option(fc.integer({ min: -1000, max: 100_000 })),
      lastError: fc.option(fc.record({ code, at: time }, PLAIN)),
      keys: fc.array(
        fc.record(
          { keyId, place: fc.constantFrom(...KEY_PLACES), protection: fc.constantFrom(...KEY_PROTECTIONS) },
          PLAIN,
        ),
        { maxLength: 8 },
      ),
    },
    PLAIN,
  )
  fc.assert(fc.property(report, each => assert.deepEqual(parseHealthReport(encodeHealthReport(each)), each)))
})

test('the answer to a health report is read as it was written', () => {
  const answer = fc.record(
    {
      time,
      device: fc.record({ state: fc.constantFrom(...DEVICE_STATES) }, PLAIN),
      order: fc.option(fc.constantFrom(...DEVICE_ORDERS)),
      renewal: fc.option(renewal),
      trustBundle: fc.record({ version: fc.nat() }, PLAIN),
    },
    PLAIN,
  )
  fc.assert(fc.property(answer, each => assert.deepEqual(parseHealthAnswer(encodeHealthAnswer(each)), each)))
})

test('renewal information is read as it was written', () => {
  fc.assert(fc.property(renewal, each => assert.deepEqual(parseRenewalInfo(encodeRenewalInfo(each)), each)))
})

test('a trust bundle is read as it was written, its roots in order', () => {
  const bundle = fc.record(
    {
      version: fc.integer({ min: 1, max: 1_000_000 }),
      createdAt: time,
      certificates: fc.array(octets(200), { minLength: 1, maxLength: 5 }),
    },
    PLAIN,
  )
  fc.assert(
    fc.property(bundle, each => {
      const read = parseTrustBundle(encodeTrustBundle(each))
      assert.deepEqual({ ...read, certificates: [] }, { ...each, certificates: [] })
      assert.ok(sameRoots(read.certificates, each.certificates))
      assert.deepEqual(encodeTrustBundle(read), encodeTrustBundle(each))
    }),
  )
})

test('a wipe statement and its signatures are read as they were written', () => {
  const wiped = fc.record(
    {
      model: text(64),
      serialNumber: text(64),
      keys: fc.uniqueArray(keyId, { minLength: 1, maxLength: 16 }),
      at: time,
    },
    PLAIN,
  )
  const signature = fc.record({ keyId, signature: octets(4700) }, PLAIN)
  fc.assert(
    fc.property(wiped, fc.array(signature, { maxLength: 3 }), (each, signatures) => {
      const statement = encodeWipeStatement(each)
      assert.deepEqual(parseWipeStatement(statement), each)
      assert.deepEqual(parseSignedWipeStatement(encodeSignedWipeStatement({ statement, signatures })), {
        statement,
        signatures,
      })
      assert.deepEqual(parseWipeAnswer(encodeWipeAnswer(each.keys)), each.keys)
    }),
  )
})

const GOOD = { sequence: 1, time: '2030-01-01T00:00:00Z' }
const KEY = { keyId: 'ab'.repeat(32), place: 'file', protection: 'none' }

test('a member that is not known, and one that is null, count as absent', () => {
  const report = parseHealthReport(toUtf8(JSON.stringify({ ...GOOD, shoeSize: 44, firmware: null })))
  assert.equal(report.firmware, null)
  assert.deepEqual(report.keys, [])
})

test('fractions of a second are dropped', () => {
  const report = parseHealthReport(toUtf8(JSON.stringify({ ...GOOD, time: '2030-01-01T00:00:00.999Z' })))
  assert.equal(report.time, Date.UTC(2030, 0, 1) / 1000)
})

const BAD_REPORTS: Readonly<Record<string, unknown>> = {
  'no object': [GOOD],
  'no sequence': { time: GOOD.time },
  'a sequence of zero': { ...GOOD, sequence: 0 },
  'a sequence that is text': { ...GOOD, sequence: '1' },
  'a sequence beyond what is exact': { ...GOOD, sequence: 2 ** 53 },
  'a sequence inherited from a prototype': JSON.parse('{"__proto__":{"sequence":1},"time":"2030-01-01T00:00:00Z"}'),
  'a time of another zone': { ...GOOD, time: '2030-01-01T00:00:00+01:00' },
  'a day that does not exist': { ...GOOD, time: '2030-02-31T00:00:00Z' },
  'a time as a number': { ...GOOD, time: 1_900_000_000 },
  'a control character': { ...GOOD, firmware: 'one\ntwo' },
  'a lone surrogate': { ...GOOD, firmware: '\ud800' },
  'an empty text': { ...GOOD, firmware: '' },
  'a text without end': { ...GOOD, firmware: 'x'.repeat(129) },
  'an error code that is a sentence': { ...GOOD, lastError: { code: 'Something broke!', at: GOOD.time } },
  'keys that are no list': { ...GOOD, keys: KEY },
  'too many keys': { ...GOOD, keys: Array.from({ length: 33 }, () => KEY) },
  'a key in an unknown place': { ...GOOD, keys: [{ ...KEY, place: 'pocket' }] },
  'a key id in capitals': { ...GOOD, keys: [{ ...KEY, keyId: 'AB'.repeat(32) }] },
}

for (const [what, report] of Object.entries(BAD_REPORTS)) {
  test(`refuses a health report with ${what}`, () => {
    assert.equal(refusal(() => parseHealthReport(Buffer.from(JSON.stringify(report)))).code, 'message.malformed')
  })
}

test('refuses what is not JSON, not UTF-8, or nested without end', () => {
  for (const bytes of [toUtf8(''), toUtf8('{'), new Uint8Array([0x22, 0xff, 0x22]), toUtf8('['.repeat(8000))]) {
    assert.equal(refusal(() => parseHealthReport(bytes)).code, 'message.malformed')
  }
})

test('refuses more octets than a report may have before it reads them', () => {
  const { code: found, evidence } = refusal(() => parseHealthReport(new Uint8Array(MAX_HEALTH_REPORT + 1)))
  assert.equal(found, 'message.too_large')
  assert.equal(evidence['limit'], MAX_HEALTH_REPORT)
})

test('the fault is named by its place', () => {
  const report = toUtf8(JSON.stringify({ ...GOOD, keys: [KEY, { ...KEY, protection: 'hope' }] }))
  assert.equal(refusal(() => parseHealthReport(report)).evidence['path'], 'health.keys[1].protection')
})

test('refuses an answer with an order that nobody can obey', () => {
  const answer = {
    time: GOOD.time,
    device: { state: 'active' },
    order: 'explode',
    renewal: null,
    trustBundle: { version: 1 },
  }
  assert.equal(refusal(() => parseHealthAnswer(toUtf8(JSON.stringify(answer)))).code, 'message.malformed')
})

test('refuses a window that ends before it begins (RFC 9773 §4.2)', () => {
  const info = {
    profile: 'ldevid',
    certificate: { serialNumber: '01', notAfter: GOOD.time },
    suggestedWindow: { start: '2030-01-02T00:00:00Z', end: '2030-01-01T00:00:00Z' },
    reason: 'scheduled',
    order: null,
  }
  assert.equal(refusal(() => parseRenewalInfo(toUtf8(JSON.stringify(info)))).code, 'message.malformed')
})

test('refuses a wipe statement of another type, with a key twice, without keys, or with a member that is not known', () => {
  const statement = { type: 'touchmark-wipe-v1', model: 'm', serialNumber: 's', keys: [KEY.keyId], at: GOOD.time }
  assert.deepEqual(parseWipeStatement(toUtf8(JSON.stringify(statement))).keys, [KEY.keyId])
  for (const change of [
    { type: 'other' },
    { keys: [KEY.keyId, KEY.keyId] },
    { keys: [] },
    { note: 'also the house' },
  ]) {
    const octets = toUtf8(JSON.stringify({ ...statement, ...change }))
    assert.equal(refusal(() => parseWipeStatement(octets)).code, 'message.malformed')
  }
})

test('refuses a trust bundle without roots, without a version, or with what is not base64', () => {
  const bundle = { version: 1, createdAt: GOOD.time, certificates: ['MA=='] }
  assert.equal(parseTrustBundle(toUtf8(JSON.stringify(bundle))).version, 1)
  for (const change of [{ certificates: [] }, { version: 0 }, { certificates: ['MA='] }, { certificates: ['MB=='] }]) {
    const octets = toUtf8(JSON.stringify({ ...bundle, ...change }))
    assert.equal(refusal(() => parseTrustBundle(octets)).code, 'message.malformed')
  }
})

test('whatever comes, a parser answers with a message or with a refusal', () => {
  const parsers = [
    parseHealthReport,
    parseHealthAnswer,
    parseRenewalInfo,
    parseWipeStatement,
    parseSignedWipeStatement,
    parseTrustBundle,
  ]
  fc.assert(
    fc.property(fc.json(), fc.nat({ max: parsers.length - 1 }), (json, which) => {
      assert.match(refusal(() => parsers[which]!(Buffer.from(json))).code, /^message\./)
    }),
  )
})
