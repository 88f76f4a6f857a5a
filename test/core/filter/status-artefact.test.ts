// The compact status artefact: docs/formats/status-artefact.md. No wrong answer for any certificate that it covers, and no answer for others.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { StatusUniverse, withChanges } from '../../../src/core/filter/build-status.ts'
import { isRevoked, issuedAt, serialOctets } from '../../../src/core/filter/status-artefact.ts'
import { applyStatusDelta, encodeStatusDelta } from '../../../src/core/filter/status-delta.ts'
import { assertOnlyTypedErrors } from '../../support/mutate.ts'
import { headOf, ISSUER, opened, serialOf, signedArtefact, synthetic, T0 } from '../../support/status.ts'

const certificate = (index: number) => ({
  issuerKeyHash: ISSUER,
  serialNumber: serialOf(index),
  notBefore: T0 + (index >>> 8) - 300,
  notAfter: T0 + 90_000_000,
})

test('every certificate of a random universe gets the right answer, whatever share of it is revoked', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 700 }),
      fc.constantFrom(0, 1, 5, 10, 30, 50, 70, 95, 100),
      fc.nat({ max: 1_000_000 }),
      (count, percent, salt) => {
        const isOne = (i: number) => (i * 7919 + salt) % 100 < percent
        const { universe, serials } = synthetic(count, isOne, `u${salt}`)
        const sets = universe.build()
        for (let i = 0; i < count; i++) assert.equal(isRevoked(sets, serials, i * 16), isOne(i), `certificate ${i}`)
      },
    ),
    { numRuns: 60 },
  )
})

test('a universe of 40,000 is answered without a mistake, in less than 1.15 of the information bound', () => {
  const isOne = (i: number) => i % 100 === 3
  const { universe, serials } = synthetic(40_000, isOne)
  const sets = universe.build()
  for (let i = 0; i < 40_000; i++) assert.equal(isRevoked(sets, serials, i * 16), isOne(i), `certificate ${i}`)
  // log2 C(40000, 400) = 3,226 bits.
  const octets = sets.segments[0]!.columns.length
  assert.ok(octets * 8 < 3_226 * 1.15, `${octets * 8} bits`)
})

test('the artefact is a function of the universe: the order of its certificates does not matter', () => {
  const { universe, serials, revoked } = synthetic(3_000, i => i % 20 === 0)
  const reversed = new StatusUniverse()
  for (let i = 2_999; i >= 0; i--) reversed.add(serials.subarray(i * 16, i * 16 + 16), revoked.subarray(i, i + 1))
  assert.deepEqual(signedArtefact(reversed.build()), signedArtefact(universe.build()))
})

test('nothing revoked and everything revoked cost no filter', () => {
  assert.deepEqual(synthetic(500, () => false).universe.build(), { segments: [], exceptions: new Uint8Array(0) })
  const all = synthetic(500, () => true)
  assert.equal(all.universe.build().segments[0]!.columns.length, 0)
  assert.ok(isRevoked(all.universe.build(), all.serials, 17 * 16))
})

test('a serial number that is given twice with different answers is refused', () => {
  const { universe, serials } = synthetic(300, i => i % 2 === 0)
  universe.add(serials.subarray(0, 16), Uint8Array.of(0))
  assert.throws(() => universe.build(), { code: 'status.duplicate_key' })
})

test('certificates outside the universe are unknown, and the artefact says why', () => {
  const { universe } = synthetic(1_000, i => i % 10 === 0)
  const artefact = opened(signedArtefact(universe.build(), { coveredFrom: T0 - 300, coveredUntil: T0 + 3 }))
  const of = (change: Partial<ReturnType<typeof certificate>>, index = 0) =>
    artefact.query({ ...certificate(index), ...change })
  assert.deepEqual(of({}), { status: 'revoked' })
  assert.deepEqual(of({}, 1), { status: 'good' })
  assert.deepEqual(of({ issuerKeyHash: new Uint8Array(32) }), { status: 'unknown', why: 'foreign' })
  assert.deepEqual(of({ serialNumber: new Uint8Array(20).fill(5) }), { status: 'unknown', why: 'foreign' })
  assert.deepEqual(of({ notBefore: T0 - 301 }), { status: 'unknown', why: 'older' })
  assert.deepEqual(of({ notAfter: T0 + 999_999 }), { status: 'unknown', why: 'expired' })
  assert.deepEqual(of({ notAfter: T0 + 1_000_000 }), { status: 'revoked' })
  assert.deepEqual(of({ notBefore: T0 }, 1_024), { status: 'unknown', why: 'newer' })
})

test('a certificate is newer by its second of issue, however far its notBefore was put back', () => {
  const { universe } = synthetic(10, () => false)
  const artefact = opened(signedArtefact(universe.build(), { coveredUntil: T0 }))
  for (const backdating of [0, 300, 86_400, 900_000_000]) {
    const asked = { ...certificate(256), notBefore: T0 + 1 - backdating }
    assert.deepEqual(artefact.query(asked), { status: 'unknown', why: 'newer' }, `${backdating} s before`)
  }
})

test('the second of issue goes on over 2038, where the time in serial numbers begins anew', () => {
  const after2038 = 2 ** 31 + 5
  const serial = new Uint8Array(16)
  serial[3] = 5
  assert.equal(issuedAt(serial, after2038 - 300), after2038)
  assert.equal(issuedAt(serial, after2038), after2038)
  assert.deepEqual(serialOctets(Uint8Array.of(5)), Uint8Array.from([...new Uint8Array(15), 5]))
  assert.deepEqual(serialOctets(Uint8Array.from([0, ...serialOf(1)])), serialOf(1))
})

test('the freshness of an artefact follows from the times that are signed in it', () => {
  const { universe } = synthetic(10, () => false)
  const artefact = opened(signedArtefact(universe.build(), { thisUpdate: 100, nextUpdate: 200, graceUntil: 300 }))
  const at = (time: number) => artefact.freshness(time)
  assert.deepEqual([99, 100, 200, 201, 300, 301].map(at), ['early', 'fresh', 'fresh', 'grace', 'grace', 'stale'])
})

test('an artefact of another signer, another authority or an earlier epoch is not opened', () => {
  const octets = signedArtefact(synthetic(50, i => i < 5).universe.build(), { epoch: 7 })
  assert.throws(() => opened(octets, { notBelow: 8 }), { code: 'status.epoch_older' })
  assert.throws(() => opened(octets, { issuerKeyHash: new Uint8Array(32) }), { code: 'status.signature_invalid' })
  assert.equal(opened(octets, { notBelow: 7 }).head.epoch, 7)
  const forged = Uint8Array.from(octets)
  forged[200]! ^= 1
  assert.throws(() => opened(forged), { kind: 'unauthenticated' })
})

test('octets that are near an artefact are refused with a typed error', () => {
  const list = [
    signedArtefact(synthetic(200, i => i % 3 === 0).universe.build()),
    signedArtefact(synthetic(200, i => i === 9).universe.build()),
    signedArtefact(synthetic(200, () => true).universe.build()),
  ]
  assertOnlyTypedErrors(list, octets => opened(octets).query(certificate(1)), 1_500)
})

test('changes since a build become exceptions, and those that go back leave nothing', () => {
  const { universe, serials } = synthetic(2_000, i => i % 50 === 0)
  const base = universe.build()
  const now = (index: number, revoked: boolean) => ({ serialNumber: serialOf(index), revoked })
  const changed = withChanges(base, [now(1, true), now(50, false), now(3, false), now(2_100, true), now(2_101, false)])
  for (let i = 0; i < 2_000; i++) {
    assert.equal(isRevoked(changed, serials, i * 16), i === 1 || (i % 50 === 0 && i !== 50), `certificate ${i}`)
  }
  assert.ok(isRevoked(changed, serialOf(2_100), 0))
  assert.ok(!isRevoked(changed, serialOf(2_101), 0))
  assert.deepEqual(
    withChanges(changed, [now(1, false), now(50, true), now(2_100, isRevoked(base, serialOf(2_100), 0))]).exceptions
      .length,
    isRevoked(base, serialOf(2_101), 0) ? 16 : 0,
  )
})

test('a further segment upon others is right about everything, and is given up when it does not pay', () => {
  const { universe, serials } = synthetic(16_000, i => i % 20 === 0)
  const base = universe.build()
  const later = synthetic(16_000, i => i % 20 === 0 || i % 2_000 === 5)
  const more = later.universe.build({ upon: base.segments })
  for (let i = 0; i < 16_000; i++) assert.equal(isRevoked(more, serials, i * 16), later.revoked[i] === 1)
  assert.equal(more.segments[0], base.segments[0])
  const other = synthetic(2_000, i => i % 20 === 7)
  assert.deepEqual(other.universe.build({ upon: base.segments }), other.universe.build())
})

test('a delta makes the later artefact, octet for octet', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat({ max: 1_999 }), { maxLength: 30 }),
      fc.uniqueArray(fc.nat({ max: 1_999 }), { maxLength: 30 }),
      fc.boolean(),
      fc.boolean(),
      (first, second, rebuilt, newSigner) => {
        const { universe } = DELTA_BASE
        const base = universe.build()
        const flip = (index: number) => ({ serialNumber: serialOf(index), revoked: index % 40 !== 0 })
        const a = withChanges(base, first.map(flip))
        const back = first.map(index => ({ serialNumber: serialOf(index), revoked: index % 40 === 0 }))
        const b = rebuilt
          ? synthetic(2_000, i => i % 40 === 0 || second.includes(i)).universe.build({ upon: base.segments })
          : withChanges(withChanges(a, back.slice(0, 10)), second.map(flip))
        const from = signedArtefact(a, { epoch: 3 })
        const to = signedArtefact(b, { epoch: 9 }, newSigner ? Uint8Array.of(1, 2, 3) : undefined)
        const delta = encodeStatusDelta(from, to)
        assert.deepEqual(applyStatusDelta(from, delta), to)
        if (!rebuilt && !newSigner) assert.ok(delta.length <= 210 + 16 * (first.length + second.length))
      },
    ),
    { numRuns: 60 },
  )
})
const DELTA_BASE = synthetic(2_000, i => i % 40 === 0)

test('a delta fits the artefact at which it begins, and no other', () => {
  const base = DELTA_BASE.universe.build()
  const artefact = (epoch: number, extra: number[], head = {}) =>
    signedArtefact(
      withChanges(
        base,
        extra.map(i => ({ serialNumber: serialOf(i), revoked: true })),
      ),
      { epoch, ...head },
    )
  const one = artefact(1, [1])
  const two = artefact(2, [1, 2])
  const delta = encodeStatusDelta(one, two)
  assert.throws(() => encodeStatusDelta(two, one), { code: 'status.delta_unfit' })
  assert.throws(() => encodeStatusDelta(one, artefact(2, [], { issuerKeyHash: new Uint8Array(32) })), {
    code: 'status.delta_unfit',
  })
  assert.throws(() => applyStatusDelta(two, delta), { code: 'status.delta_unfit' })
  // Another artefact of the same epoch: the result is not what was signed.
  assert.throws(() => opened(applyStatusDelta(artefact(1, [3]), delta)), { code: 'status.signature_invalid' })
})

test('octets that are near a delta are refused with a typed error, or make what no signature covers', () => {
  const base = DELTA_BASE.universe.build()
  const changed = withChanges(base, [{ serialNumber: serialOf(1), revoked: true }])
  const from = signedArtefact(base, { epoch: 1 })
  const to = signedArtefact(changed, { epoch: 2 })
  assertOnlyTypedErrors([encodeStatusDelta(from, to)], octets => opened(applyStatusDelta(from, octets)), 1_500)
})

test('the head says how large universe and set are', () => {
  const { universe } = synthetic(70, i => i < 7)
  const artefact = opened(
    signedArtefact(universe.build(), { universe: universe.count, revoked: universe.revokedCount }),
  )
  assert.deepEqual(artefact.head, headOf({ universe: 70, revoked: 7 }))
})
