// A filter that is right about every key of a known universe: which of them belong to the set. Two ribbons, as Clubcard has them (Schanck,
// "Clubcards for the WebPKI"): the first lets through the set and a share of the rest, the second says of each that came through whether it
// belongs. Of a key outside the universe the filter says anything.
import type { Bytes } from '../bytes/bytes.ts'
import { dot, MAX_WIDTH, type RibbonShape, RibbonSystem, readRow } from './ribbon.ts'
import { statusError } from './status-error.ts'

export interface ExactFilter {
  /** The set is what the ribbons do not hold: where more than half of the universe belongs to it. */
  readonly inverted: boolean
  /** Which hash functions: the first key word of both ribbons, and the second one of the exact ribbon. */
  readonly salt: number
  readonly attempt: number
  /** Columns of the first ribbon: each halves what comes through. */
  readonly sieves: number
  readonly sieve: RibbonShape
  /** No octets: everything that comes through belongs. */
  readonly exact: RibbonShape
  /** The sieve's columns, then that of the exact ribbon. */
  readonly columns: Uint8Array
}

/** The keys that a filter is exact about, in octets of one length, end to end. */
export interface Keys {
  readonly octets: Uint8Array
  readonly length: number
  readonly count: number
}

export const MAX_SIEVES = 31
/** Arithmetic on positions in bits stays within 31 bits. */
export const MAX_COLUMN_OCTETS = 2 ** 27

const NO_RIBBON: RibbonShape = { octets: 0, width: 0 }

/** Whether the key belongs to the set. */
export function contains(filter: ExactFilter, octets: Uint8Array, at: number, length: number): boolean {
  const { salt, sieve, sieves, exact, columns } = filter
  if (sieves > 0) {
    readRow(sieve, salt, 0, octets, at, length)
    for (let column = 0; column < sieves; column++) {
      if (dot(sieve.width, columns, column * sieve.octets) !== 0) return filter.inverted
    }
  }
  if (exact.octets === 0) return !filter.inverted
  readRow(exact, salt, 1 + filter.attempt, octets, at, length)
  return (dot(exact.width, columns, sieves * sieve.octets) === 1) !== filter.inverted
}

/**
 * Builds the filter for the keys whose `belongs` is 1. `salt` tells apart filters that are used together; the result depends on the set of
 * keys and on it, not on the order of the keys. Throws `status.duplicate_key` where a key stands there twice with different answers.
 */
export function buildExactFilter(keys: Keys, belongs: Uint8Array, salt: number): ExactFilter {
  let count = 0
  for (let i = 0; i < keys.count; i++) count += belongs[i]!
  const inverted = count * 2 > keys.count
  const wanted = inverted ? 0 : 1
  const inside = inverted ? keys.count - count : count
  const empty = { inverted: !inverted, salt, attempt: 0, sieves: 0, sieve: NO_RIBBON, exact: NO_RIBBON }
  if (inside === 0) return { ...empty, columns: new Uint8Array(0) }

  const sieves = sievesFor(inside, keys.count - inside)
  const { sieve, columns } =
    sieves === 0
      ? { sieve: NO_RIBBON, columns: new Uint8Array(0) }
      : buildSieve(keys, belongs, wanted, inside, sieves, salt)
  let passing = new Int32Array(sieves === 0 ? keys.count : inside + (keys.count - inside) * 2 ** -sieves * 2 + 64)
  let passed = 0
  let strangers = 0
  for (let i = 0; i < keys.count; i++) {
    if (sieves > 0 && !passes(sieve, sieves, columns, salt, keys, i)) continue
    if (passed === passing.length) {
      const longer = new Int32Array(passed * 2)
      longer.set(passing)
      passing = longer
    }
    passing[passed++] = i
    if (belongs[i] !== wanted) strangers++
  }
  if (strangers === 0) return { inverted, salt, attempt: 0, sieves, sieve, exact: NO_RIBBON, columns }

  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const exact = exactShape(passed, attempt)
    const system = new RibbonSystem(exact)
    let fits = true
    for (let k = 0; k < passed && fits; k++) {
      const i = passing[k]!
      readRow(exact, salt, 1 + attempt, keys.octets, i * keys.length, keys.length)
      fits = system.add(belongs[i] === wanted ? 1 : 0)
    }
    if (!fits) continue
    const all = new Uint8Array(columns.length + exact.octets)
    all.set(columns)
    system.solve(all, columns.length, 0)
    return { inverted, salt, attempt, sieves, sieve, exact, columns: all }
  }
  throw statusError('status.duplicate_key', 'A key stands in the universe twice, once in the set and once outside.')
}

/** How often the exact ribbon is tried, each time under another hash function and a little longer. */
const MAX_ATTEMPTS = 48

/** The number of columns with the smallest sum: what the sieve costs, and an exact bit for each that comes through. */
function sievesFor(inside: number, outside: number): number {
  let best = 0
  let bestCost = Number.POSITIVE_INFINITY
  for (let sieves = 0; sieves <= MAX_SIEVES; sieves++) {
    const cost = (sieves > 0 ? sieves * 8 * sieveShape(inside, sieves).octets : 0) + inside + outside * 2 ** -sieves
    if (cost < bestCost) {
      best = sieves
      bestCost = cost
    }
  }
  return best
}

function buildSieve(
  keys: Keys,
  belongs: Uint8Array,
  wanted: number,
  inside: number,
  sieves: number,
  salt: number,
): { sieve: RibbonShape; columns: Bytes } {
  const sieve = sieveShape(inside, sieves)
  const system = new RibbonSystem(sieve)
  for (let i = 0; i < keys.count; i++) {
    if (belongs[i] !== wanted) continue
    readRow(sieve, salt, 0, keys.octets, i * keys.length, keys.length)
    system.add(0)
  }
  const columns = new Uint8Array(sieve.octets * sieves)
  for (let column = 0; column < sieves; column++) {
    system.solve(columns, column * sieve.octets, (salt ^ Math.imul(column + 1, 0x9e3779b1)) | 1)
  }
  return { sieve, columns }
}

function passes(sieve: RibbonShape, sieves: number, columns: Bytes, salt: number, keys: Keys, i: number): boolean {
  readRow(sieve, salt, 0, keys.octets, i * keys.length, keys.length)
  for (let column = 0; column < sieves; column++) {
    if (dot(sieve.width, columns, column * sieve.octets) !== 0) return false
  }
  return true
}

/**
 * A hundredth more than it has rows, and two octets: with fewer free bits the columns come near to zero, and let through too much. A window
 * needs more bits than there are columns, or different keys have the same row.
 */
function sieveShape(count: number, sieves: number): RibbonShape {
  return shapeOf(Math.max(count * 1.01 + 16, sieves + 16))
}

/** What is enough nearly always, and more with each attempt; the share grows with the logarithm of the length. */
function exactShape(count: number, attempt: number): RibbonShape {
  const share = Math.max(0.003, 0.005 + 0.0013 * Math.log2(count / 26_000))
  return shapeOf(count * (1 + share + 0.001 * attempt) + 12 + 4 * attempt)
}

function shapeOf(bits: number): RibbonShape {
  const octets = Math.ceil(bits / 8)
  return { octets, width: Math.min(octets, MAX_WIDTH) }
}
