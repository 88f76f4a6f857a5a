// The Merkle tree as RFC 9162 2.1 writes it down, recursion by recursion: slow, obvious, and the judge of the fast one.
import { createHash } from 'node:crypto'

const HASH = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** MTH(D_n), 2.1.1. */
export function MTH(entries: readonly Uint8Array[]): Buffer {
  if (entries.length === 0) return HASH()
  if (entries.length === 1) return HASH(Uint8Array.of(0x00), entries[0]!)
  const k = largestPowerOfTwoBelow(entries.length)
  return HASH(Uint8Array.of(0x01), MTH(entries.slice(0, k)), MTH(entries.slice(k)))
}

/** PATH(m, D_n), 2.1.3.1. */
export function PATH(m: number, entries: readonly Uint8Array[]): Buffer[] {
  if (entries.length === 1) return []
  const k = largestPowerOfTwoBelow(entries.length)
  return m < k
    ? [...PATH(m, entries.slice(0, k)), MTH(entries.slice(k))]
    : [...PATH(m - k, entries.slice(k)), MTH(entries.slice(0, k))]
}

/** PROOF(m, D_n), 2.1.4.1. */
export function PROOF(m: number, entries: readonly Uint8Array[]): Buffer[] {
  return SUBPROOF(m, entries, true)
}

function SUBPROOF(m: number, entries: readonly Uint8Array[], known: boolean): Buffer[] {
  if (m === entries.length) return known ? [] : [MTH(entries)]
  const k = largestPowerOfTwoBelow(entries.length)
  return m <= k
    ? [...SUBPROOF(m, entries.slice(0, k), known), MTH(entries.slice(k))]
    : [...SUBPROOF(m - k, entries.slice(k), false), MTH(entries.slice(0, k))]
}

function largestPowerOfTwoBelow(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}
