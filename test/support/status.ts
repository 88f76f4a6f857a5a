// Synthetic universes, and artefacts over them under a signature that only says whose it is: what the format promises does not depend on
// the algorithm.
import { createHash, createHmac } from 'node:crypto'
import type { Bytes } from '../../src/core/bytes/bytes.ts'
import { type StatusSets, StatusUniverse } from '../../src/core/filter/build-status.ts'
import { encodeStatusArtefact, openStatusArtefact, type StatusArtefact } from '../../src/core/filter/status-artefact.ts'
import type { StatusHead } from '../../src/core/filter/status-body.ts'

/** 2026-01-01T00:00:00Z. */
export const T0 = 1_767_225_600
export const ISSUER = digest('issuer')
export const SIGNER = digest('a certificate in its place')

/** The `index`-th serial number of a synthetic authority: issued `index` seconds after `T0`, but for the low bits of a batch. */
export function serialOf(index: number, salt = 'touchmark'): Bytes {
  const out = new Uint8Array(16)
  new DataView(out.buffer).setUint32(0, T0 + (index >>> 8))
  out.set(digest(`${salt} ${index}`).subarray(0, 12), 4)
  return out
}

export interface Synthetic {
  readonly serials: Bytes
  readonly revoked: Bytes
  readonly universe: StatusUniverse
}

/** `count` certificates, of which those are revoked that `isRevoked` says. */
export function synthetic(count: number, isRevoked: (index: number) => boolean, salt?: string): Synthetic {
  const serials = new Uint8Array(count * 16)
  const revoked = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    serials.set(serialOf(i, salt), i * 16)
    revoked[i] = isRevoked(i) ? 1 : 0
  }
  const universe = new StatusUniverse(count)
  universe.add(serials, revoked)
  return { serials, revoked, universe }
}

export function headOf(head: Partial<StatusHead> = {}): StatusHead {
  return {
    issuerKeyHash: ISSUER,
    epoch: 1,
    thisUpdate: T0 + 1_000_000,
    nextUpdate: T0 + 1_600_000,
    graceUntil: T0 + 9_000_000,
    coveredFrom: 0,
    coveredUntil: T0 + 1_000_000,
    expiredBefore: T0 + 1_000_000,
    universe: 0,
    revoked: 0,
    ...head,
  }
}

export function signedArtefact(sets: StatusSets, head: Partial<StatusHead> = {}, signer: Uint8Array = SIGNER): Bytes {
  const { toBeSigned, signed } = encodeStatusArtefact(
    { head: headOf(head), ...sets },
    { algorithm: -7, certificate: signer },
  )
  return signed(mac(toBeSigned))
}

export function opened(
  octets: Uint8Array,
  options: { notBelow?: number; issuerKeyHash?: Uint8Array } = {},
): StatusArtefact {
  return openStatusArtefact(octets, {
    ...options,
    verify: ({ toBeSigned, signature }) => Buffer.from(mac(toBeSigned)).equals(signature),
  })
}

/** In the place of a signature: 64 octets that everybody can make. */
export function mac(octets: Uint8Array): Bytes {
  return new Uint8Array(createHmac('sha512', 'not a secret').update(octets).digest())
}

function digest(text: string): Bytes {
  return new Uint8Array(createHash('sha256').update(text).digest())
}
