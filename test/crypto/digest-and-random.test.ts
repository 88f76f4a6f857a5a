// Digests (FIPS 180-4), comparison of secrets, and the health test of the random source (SP 800-90B 4.4).
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { type Bytes, copyBytes } from '../../src/core/bytes/bytes.ts'
import { toHex } from '../../src/core/bytes/hex.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { equalSecrets } from '../../src/crypto/constant-time.ts'
import { sha1, sha256, sha256Hex, sha384, sha512 } from '../../src/crypto/digest.ts'
import {
  checkRandomSource,
  drawnAhead,
  drawnForNeighbours,
  NEIGHBOUR_OCTETS,
  PROPORTION_CUTOFF,
  PROPORTION_WINDOW,
  type Random,
  REPETITION_CUTOFF,
  systemRandom,
} from '../../src/crypto/random.ts'

describe('digests', () => {
  test('"abc" as FIPS 180 gives it', () => {
    assert.equal(toHex(sha1(toUtf8('abc'))), 'a9993e364706816aba3e25717850c26c9cd0d89d')
    assert.equal(toHex(sha256(toUtf8('abc'))), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    assert.equal(sha256Hex(toUtf8('abc')), toHex(sha256(toUtf8('abc'))))
    assert.equal(toHex(sha384(toUtf8('abc'))), createHash('sha384').update('abc').digest('hex'))
    assert.equal(toHex(sha512(toUtf8('abc'))), createHash('sha512').update('abc').digest('hex'))
  })

  test('what comes back is a plain array that owns its octets', () => {
    const digest = sha256(toUtf8('abc'))
    assert.equal(digest.constructor, Uint8Array)
    assert.equal(digest.byteLength, digest.buffer.byteLength)
    const copy = digest.slice()
    copy[0] = 0
    assert.notEqual(digest[0], 0)
  })
})

test('equalSecrets: equality, and lengths that differ are not equal', () => {
  assert.ok(equalSecrets(toUtf8('secret'), toUtf8('secret')))
  assert.ok(!equalSecrets(toUtf8('secret'), toUtf8('secreT')))
  assert.ok(!equalSecrets(toUtf8('secret'), toUtf8('secret ')))
})

test('drawnAhead: nothing is given twice, and the source is asked only when what was drawn does not suffice', () => {
  let next = 0
  const draws: number[] = []
  const counter: Random = {
    bytes(count) {
      draws.push(count)
      return new Uint8Array(count).map(() => next++)
    },
  }
  const random = drawnAhead(counter, 10)
  const given = [4, 4, 4, 6, 12, 1].map(count => [...random.bytes(count)])
  assert.deepEqual(given, [
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [10, 11, 12, 13],
    [14, 15, 16, 17, 18, 19],
    [20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31],
    [32],
  ])
  assert.deepEqual(draws, [10, 10, 12, 10])
})

test('drawnForNeighbours: all begin alike, and nothing else is given twice', () => {
  const random = drawnForNeighbours(systemRandom, 3 * 12)
  const given = Array.from({ length: 9 }, () => [...random.bytes(12)])
  assert.equal(new Set(given.map(octets => octets.slice(0, NEIGHBOUR_OCTETS).join())).size, 1)
  assert.equal(new Set(given.map(octets => octets.slice(NEIGHBOUR_OCTETS).join())).size, given.length)
  const other = drawnForNeighbours(systemRandom, 12).bytes(12)
  assert.notDeepEqual([...other].slice(NEIGHBOUR_OCTETS), given[0]!.slice(NEIGHBOUR_OCTETS))
})

describe('health test of the random source', () => {
  const source = (make: (random: Bytes) => Bytes): Random => ({ bytes: count => make(systemRandom.bytes(count)) })
  const isUnhealthy = (test: string) => (error: unknown) =>
    error instanceof TouchmarkError && error.code === 'random.unhealthy' && error.evidence['test'] === test

  test('the random source of the system passes, again and again', () => {
    for (let i = 0; i < 50; i++) checkRandomSource(systemRandom)
    assert.notDeepEqual(systemRandom.bytes(32), systemRandom.bytes(32))
  })

  test('a stuck source fails the repetition count (4.4.1)', () => {
    assert.throws(() => checkRandomSource(source(bytes => bytes.fill(7))), isUnhealthy('repetition count'))
    const stuckForAMoment = source(bytes => bytes.fill(7, 4000, 4000 + REPETITION_CUTOFF))
    assert.throws(() => checkRandomSource(stuckForAMoment), isUnhealthy('repetition count'))
  })

  test('a biased source fails the adaptive proportion (4.4.2)', () => {
    const biased = source(bytes => bytes.map((byte, i) => (i % 8 === 0 ? 0 : byte)))
    assert.throws(() => checkRandomSource(biased), isUnhealthy('adaptive proportion'))
  })

  test('a source that starts over, and a counter, fail on repeated blocks', () => {
    const startsOver = source(bytes => {
      bytes.copyWithin(2048, 0, 16)
      return bytes
    })
    assert.throws(() => checkRandomSource(startsOver), isUnhealthy('repeated block'))
    const counter = source(bytes => bytes.map((_, i) => i & 255))
    assert.throws(() => checkRandomSource(counter), isUnhealthy('repeated block'))
  })

  test('a source that gives too little fails', () => {
    const short: Random = { bytes: count => copyBytes(systemRandom.bytes(count - 1)) }
    assert.throws(() => checkRandomSource(short), isUnhealthy('length'))
  })

  test('the cut-offs are those of SP 800-90B for H = 8 and alpha = 2^-40', () => {
    assert.equal(REPETITION_CUTOFF, 1 + Math.ceil(40 / 8))
    // P(Binomial(W - 1, 1/256) >= C - 1): the first sample of the window sets the value and counts itself.
    const tail = (successes: number) => {
      let term = 1
      let sum = 0
      const n = PROPORTION_WINDOW - 1
      for (let k = 0; k <= n; k++) {
        if (k >= successes) sum += term * (255 / 256) ** n
        term *= ((n - k) / (k + 1)) * (1 / 255)
      }
      return sum
    }
    assert.ok(tail(PROPORTION_CUTOFF - 1) <= 2 ** -40)
    assert.ok(tail(PROPORTION_CUTOFF - 2) > 2 ** -40)
  })
})
