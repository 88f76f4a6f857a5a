// Room for many short octet strings in a few large buffers: a buffer for each costs more than filling it, and the collector afterwards as
// much again. Whoever keeps one of them keeps the buffer that it lies in, so this is for what is made together and let go together.
import type { Bytes } from './bytes.ts'

/** Gives room for this many octets, all zero, that nobody else has. */
export type Allocate = (length: number) => Bytes

export const allocateEach: Allocate = length => new Uint8Array(length)

/** Octets of one buffer; what needs more than a fourth of it gets a buffer of its own. */
const SLAB_OCTETS = 64 * 1024

export function allocateTogether(): Allocate {
  let slab = new Uint8Array(0)
  let at = 0
  return length => {
    if (length > SLAB_OCTETS / 4) return new Uint8Array(length)
    if (at + length > slab.length) {
      slab = new Uint8Array(SLAB_OCTETS)
      at = 0
    }
    at += length
    return slab.subarray(at - length, at)
  }
}
