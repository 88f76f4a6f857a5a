// Universes for the status artefact: serial numbers as ours are, and artefacts without a signature.
import { randomFillSync } from 'node:crypto'
import type { Bytes } from '../../src/core/bytes/bytes.ts'
import { type StatusSets, StatusUniverse } from '../../src/core/filter/build-status.ts'
import { encodeStatusArtefact } from '../../src/core/filter/status-artefact.ts'

export const T0 = 1_767_225_600
export const HASH: Bytes = new Uint8Array(32)

/** Serial numbers of 16 octets, end to end: all of them issued at `T0`. */
export function randomSerials(count: number): Bytes {
  const serials = new Uint8Array(count * 16)
  for (let at = 0; at < serials.length; at += 2 ** 20) randomFillSync(serials.subarray(at, at + 2 ** 20))
  const view = new DataView(serials.buffer)
  for (let i = 0; i < count; i++) view.setUint32(i * 16, T0)
  return serials
}

export function randomUniverse(
  count: number,
  revokedCount: number,
): { readonly universe: StatusUniverse; readonly serials: Bytes } {
  const serials = randomSerials(count)
  const revoked = new Uint8Array(count)
  const step = Math.floor(count / revokedCount)
  for (let i = 0; i < revokedCount; i++) revoked[i * step] = 1
  const universe = new StatusUniverse(count)
  universe.add(serials, revoked)
  return { universe, serials }
}

export function artefactOf(sets: StatusSets, epoch: number): Bytes {
  const head = {
    issuerKeyHash: HASH,
    epoch,
    thisUpdate: T0,
    nextUpdate: T0 + 604_800,
    graceUntil: T0 + 604_800,
    coveredFrom: 0,
    coveredUntil: T0,
    expiredBefore: T0,
    universe: 0,
    revoked: 0,
  }
  const certificate = new Uint8Array(400)
  return encodeStatusArtefact({ head, ...sets }, { algorithm: -7, certificate }).signed(new Uint8Array(64))
}

/** log2 of the number of ways to choose `k` of `n`: what any encoding of such a set needs on the average. */
export function informationBits(n: number, k: number): number {
  return (logFactorial(n) - logFactorial(k) - logFactorial(n - k)) / Math.LN2
}

/** Stirling's series; exact to far more than a bit from ten on. */
function logFactorial(n: number): number {
  let sum = 0
  let x = n
  for (; x < 10; x++) sum -= Math.log(x + 1)
  return sum + (x + 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * x) - 1 / (360 * x ** 3)
}
