// A ribbon over GF(2) (Dillinger and Walzer, "Ribbon filter: practically smaller than Bloom and Xor"): every key names a window of a bit
// column, and what the window's bits add up to under the key's coefficients is the answer. Elimination works within the band, so the columns
// are found in almost linear time. The column is a function of the set of keys alone, whatever their order.
import type { Bytes } from '../bytes/bytes.ts'
import { halfSipHash, hashed } from './half-sip-hash.ts'

/** Columns of `octets` octets, in which a row has a window of `width` octets. */
export interface RibbonShape {
  readonly octets: number
  /** 1 to `MAX_WIDTH`, and not more than `octets`. */
  readonly width: number
}

/** Octets of the widest window. */
export const MAX_WIDTH = 32

/** The row of the key that was asked for last: where its window begins, and the window's coefficients. */
export const row = { start: 0, coefficients: new Int32Array(MAX_WIDTH / 4) }

/** Derives the row of a serial number; `k0` and `k1` are the key of this ribbon. docs/formats/status-artefact.md, "The row of a key". */
export function readRow(
  shape: RibbonShape,
  k0: number,
  k1: number,
  octets: Uint8Array,
  at: number,
  length: number,
): void {
  halfSipHash(k0, k1, octets, at, length)
  const { first, second } = hashed
  const { width } = shape
  const places = 8 * (shape.octets - width) + 1
  // floor(first * places / 2^32), in parts that a double holds exactly.
  row.start = Math.floor(((first >>> 16) * places + Math.floor(((first & 0xffff) * places) / 0x10000)) / 0x10000)
  for (let i = 0; 4 * i < width; i++) {
    let word = (second + Math.imul(i + 1, 0x9e3779b9)) | 0
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
    row.coefficients[i] = word ^ (word >>> 16)
  }
  row.coefficients[0]! |= 1
  if ((width & 3) !== 0) row.coefficients[width >>> 2]! &= 2 ** (8 * (width & 3)) - 1
}

/** What the window of the last row adds up to in the column that begins at octet `from` of `columns`: 0 or 1. */
export function dot(width: number, columns: Uint8Array, from: number): number {
  const shift = row.start & 7
  let at = from + (row.start >>> 3)
  let sum = 0
  for (let i = 0; 4 * i < width; i++, at += 4) {
    // Octets behind the window may be any, or none: the coefficients there are zero.
    let window = columns[at]! | (columns[at + 1]! << 8) | (columns[at + 2]! << 16) | (columns[at + 3]! << 24)
    if (shift !== 0) window = (window >>> shift) | (columns[at + 4]! << (32 - shift))
    sum ^= window & row.coefficients[i]!
  }
  sum ^= sum >>> 16
  sum ^= sum >>> 8
  sum ^= sum >>> 4
  return (0x6996 >>> (sum & 15)) & 1
}

/** Rows that were eliminated so far, one for each leading position. */
export class RibbonSystem {
  readonly shape: RibbonShape
  readonly #words: number
  readonly #rows: Int32Array
  /** 0: no row leads here. Otherwise one more than its right side. */
  readonly #leads: Uint8Array

  constructor(shape: RibbonShape) {
    this.shape = shape
    this.#words = Math.ceil(shape.width / 4)
    this.#rows = new Int32Array(8 * shape.octets * this.#words)
    this.#leads = new Uint8Array(8 * shape.octets)
  }

  /** Adds the equation "the last row gives `value`"; false where it contradicts those before. */
  add(value: number): boolean {
    const words = this.#words
    const rows = this.#rows
    const leads = this.#leads
    const work = row.coefficients
    let right = value
    let lead = row.start
    for (;;) {
      const there = leads[lead]!
      const base = lead * words
      if (there === 0) {
        for (let i = 0; i < words; i++) rows[base + i] = work[i]!
        leads[lead] = right + 1
        return true
      }
      right ^= there - 1
      let rest = 0
      for (let i = 0; i < words; i++) rest |= work[i]! ^= rows[base + i]!
      if (rest === 0) return right === 0
      while (work[0] === 0) {
        for (let i = 1; i < words; i++) work[i - 1] = work[i]!
        work[words - 1] = 0
        lead += 32
      }
      // The number of zeros below the lowest one.
      const zeros = 31 - Math.clz32(work[0]! & -work[0]!)
      if (zeros > 0) {
        for (let i = 0; i < words - 1; i++) work[i] = (work[i]! >>> zeros) | (work[i + 1]! << (32 - zeros))
        work[words - 1]! >>>= zeros
        lead += zeros
      }
    }
  }

  /**
   * Solves for one column, written to `out` from octet `from`. Where no row leads, the bit is free: zero, or the next of a sequence that
   * `seed` (not zero) begins. A filter needs such bits, for the zero column holds everything.
   */
  solve(out: Bytes, from: number, seed: number): void {
    const words = this.#words
    // The window that begins behind the present position, as bits of 32-bit words.
    const window = new Int32Array(words)
    let state = seed
    for (let at = 8 * this.shape.octets - 1; at >= 0; at--) {
      const lead = this.#leads[at]!
      let bit = 0
      for (let i = words - 1; i > 0; i--) window[i] = (window[i]! << 1) | (window[i - 1]! >>> 31)
      window[0]! <<= 1
      if (lead === 0) {
        if (state !== 0) {
          state ^= state << 13
          state ^= state >>> 17
          state ^= state << 5
          bit = state & 1
        }
      } else {
        let sum = 0
        const base = at * words
        for (let i = 0; i < words; i++) sum ^= window[i]! & this.#rows[base + i]!
        sum ^= sum >>> 16
        sum ^= sum >>> 8
        sum ^= sum >>> 4
        bit = ((0x6996 >>> (sum & 15)) & 1) ^ (lead - 1)
      }
      window[0]! |= bit
      out[from + (at >>> 3)]! |= bit << (at & 7)
    }
  }
}
