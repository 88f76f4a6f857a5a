// The shape shared by everything signed in X.509: SEQUENCE { toBeSigned, signatureAlgorithm, BIT STRING }
// (RFC 5280 §4.1.1, §5.1.1; RFC 2986 §4.2; RFC 6960 §4.2.1). Verification works on `tbs` as received, never on a re-encoding.
import type { DerReader } from '../asn1/reader.ts'
import { TAG } from '../asn1/tag.ts'
import { putHeader, sizeOf } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { type Allocate, allocateEach } from '../bytes/slab.ts'
import { type AlgorithmIdentifier, parseAlgorithmIdentifier } from './algorithm-identifier.ts'

export interface Signed {
  /** The whole structure as received. */
  readonly raw: Uint8Array
  /** What was signed, as received. */
  readonly tbs: Uint8Array
  readonly signatureAlgorithm: AlgorithmIdentifier
  readonly signature: Uint8Array
}

/** Reads the three parts; `trailer` reads what some types have after the signature (OCSP's certificates). */
export function parseSigned(reader: DerReader, trailer?: (inner: DerReader) => void): Signed {
  const start = reader.offset
  const inner = reader.enter(TAG.SEQUENCE)
  const tbs = inner.raw(TAG.SEQUENCE)
  const signatureAlgorithm = parseAlgorithmIdentifier(inner)
  const signature = inner.bitStringOctets()
  trailer?.(inner)
  inner.finish()
  return { raw: reader.since(start), tbs, signatureAlgorithm, signature }
}

/** Joins the three parts. `signatureAlgorithm` is a whole AlgorithmIdentifier. Written in one pass: every certificate is joined here. */
export function encodeSigned(
  tbs: Uint8Array,
  signatureAlgorithm: Uint8Array,
  signature: Uint8Array,
  allocate: Allocate = allocateEach,
): Bytes {
  const length = tbs.length + signatureAlgorithm.length + sizeOf(1 + signature.length)
  const out = allocate(sizeOf(length))
  let at = putHeader(out, 0, TAG.SEQUENCE, length)
  out.set(tbs, at)
  at += tbs.length
  out.set(signatureAlgorithm, at)
  at = putHeader(out, at + signatureAlgorithm.length, TAG.BIT_STRING, 1 + signature.length)
  // The octet at `at` counts unused bits: there are none.
  out.set(signature, at + 1)
  return out
}
