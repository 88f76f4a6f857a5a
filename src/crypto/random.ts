// The only source of random octets, and the health test that it must pass before a process uses it (SP 800-90B §4.4).
// The operating system's source is trusted to be good; the test finds the one that is stuck, badly biased or repeating.
import { randomFillSync } from 'node:crypto'
import type { Bytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'

/** A source of random octets. */
export interface Random {
  /** `count` fresh octets that nobody can predict. */
  bytes(count: number): Bytes
}

/** The DRBG of OpenSSL, seeded by the operating system. */
export const systemRandom: Random = {
  bytes(count) {
    return randomFillSync(new Uint8Array(count))
  },
}

/**
 * A source that is drawn from in pieces of `octets`, because the call to the source costs more than a hundred serial numbers. For ids, never
 * for keys: what was drawn lies in memory until it is used.
 */
export function drawnAhead(random: Random, octets: number): Random {
  let drawn: Bytes | undefined
  let at = 0
  return {
    bytes(count) {
      if (count > octets) return random.bytes(count)
      if (drawn === undefined || at + count > drawn.length) {
        drawn = random.bytes(octets)
        at = 0
      }
      at += count
      return drawn.subarray(at - count, at)
    },
  }
}

/**
 * As `drawnAhead`, for the ids of rows that are made together: all that it gives begin with the same `NEIGHBOUR_OCTETS` random octets, so
 * that the rows lie together in an index that the ids order, too. The others of each are its own.
 */
export function drawnForNeighbours(random: Random, octets: number): Random {
  const ahead = drawnAhead(random, octets)
  let first: Bytes | undefined
  return {
    bytes(count) {
      const given = ahead.bytes(count)
      first ??= given.slice(0, NEIGHBOUR_OCTETS)
      for (let i = 0; i < first.length && i < count; i++) given[i] = first[i]!
      return given
    },
  }
}

/** 65,536 places for a chunk of a batch within a second, and ten of the twelve octets of an id left to chance. */
export const NEIGHBOUR_OCTETS = 2

/** Samples drawn by the test. SP 800-90B §4.3 asks for at least 1024 consecutive ones at start-up. */
export const HEALTH_TEST_SAMPLES = 4096
/**
 * Repetition count test, §4.4.1: C = 1 + ceil(-log2(alpha) / H) with H = 8 bits an octet and alpha = 2^-40. The usual
 * 2^-20 would stop one healthy start in 256.
 */
export const REPETITION_CUTOFF = 6
/** Adaptive proportion test, §4.4.2: the window for samples that are not binary. */
export const PROPORTION_WINDOW = 512
/** The smallest C with P(Binomial(511, 2^-8) + 1 >= C) <= 2^-40; the test suite computes it again. */
export const PROPORTION_CUTOFF = 20
/** Blocks of 16 octets must all differ: a source that starts over is neither stuck nor biased. P(false alarm) < 2^-112. */
const BLOCK = 16

/** Draws from the source and throws `random.unhealthy` if what came cannot be random. Call once at start. */
export function checkRandomSource(random: Random): void {
  const samples = random.bytes(HEALTH_TEST_SAMPLES)
  if (samples.length !== HEALTH_TEST_SAMPLES) throw unhealthy('length')
  let run = 1
  for (let i = 1; i < samples.length; i++) {
    run = samples[i] === samples[i - 1] ? run + 1 : 1
    if (run >= REPETITION_CUTOFF) throw unhealthy('repetition count')
  }
  for (let start = 0; start + PROPORTION_WINDOW <= samples.length; start += PROPORTION_WINDOW) {
    const first = samples[start]
    let seen = 1
    for (let i = start + 1; i < start + PROPORTION_WINDOW; i++) if (samples[i] === first) seen++
    if (seen >= PROPORTION_CUTOFF) throw unhealthy('adaptive proportion')
  }
  const blocks = new Set<string>()
  for (let at = 0; at < samples.length; at += BLOCK) {
    const block = String.fromCharCode(...samples.subarray(at, at + BLOCK))
    if (blocks.has(block)) throw unhealthy('repeated block')
    blocks.add(block)
  }
}

function unhealthy(test: string): TouchmarkError {
  return new TouchmarkError('random.unhealthy', 'unavailable', `The random source failed its health test (${test}).`, {
    next: 'Do not make keys on this machine before its random source is repaired.',
    evidence: { test },
  })
}
