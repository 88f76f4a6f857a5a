// The extensions of OCSP requests and responses (RFC 6960 §4.4) with the nonce of RFC 9654.
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { type AlgorithmIdentifier, parseAlgorithmIdentifier } from './algorithm-identifier.ts'
import { type Extension, findExtension } from './extension.ts'
import { OID } from './oids.ts'

/** What stands below id-pkix-ocsp. None of these extensions need be critical. */
export const OCSP_OID = {
  basic: OID.ocspBasic,
  nonce: OID.ocspNonce,
  crl: '1.3.6.1.5.5.7.48.1.3',
  response: '1.3.6.1.5.5.7.48.1.4',
  archiveCutoff: '1.3.6.1.5.5.7.48.1.6',
  serviceLocator: '1.3.6.1.5.5.7.48.1.7',
  preferredSignatureAlgorithms: '1.3.6.1.5.5.7.48.1.8',
  extendedRevoke: '1.3.6.1.5.5.7.48.1.9',
} as const

/** Octets of a nonce (RFC 9654 §2.1): a request outside these bounds is malformed. */
export const MAX_NONCE = 128
/** Octets that a client of ours sends, and the longest that every responder must echo (RFC 9654 §2.1). */
export const NONCE_LENGTH = 32

const MAX_PREFERRED_ALGORITHMS = 64
const MAX_RESPONSE_TYPES = 16

/** `Nonce ::= OCTET STRING (SIZE (1..128))` (RFC 9654 §2.1). Throws `der.value_invalid` for another size. */
export function encodeNonce(nonce: Uint8Array): Bytes {
  if (nonce.length < 1 || nonce.length > MAX_NONCE) {
    throw new DerError('der.value_invalid', 0, `A nonce has 1 to ${MAX_NONCE} octets`)
  }
  return writeDer(w => w.octetString(nonce), 64)
}

/** The nonce among these extensions, or `undefined`. Throws `DerError` where it is no OCTET STRING of 1 to 128 octets. */
export function findNonce(extensions: readonly Extension[]): Uint8Array | undefined {
  const extension = findExtension(extensions, OCSP_OID.nonce)
  if (!extension) return undefined
  return readDer(extension.value, reader => {
    const at = reader.offset
    const nonce = reader.octetString()
    if (nonce.length < 1 || nonce.length > MAX_NONCE) {
      throw new DerError('der.value_invalid', at, `A nonce has 1 to ${MAX_NONCE} octets`)
    }
    return nonce
  })
}

/** `ArchiveCutoff ::= GeneralizedTime`: how far back the responder knows about expired certificates (RFC 6960 §4.4.4). */
export function encodeArchiveCutoff(seconds: number): Bytes {
  return writeDer(w => w.generalizedTime(seconds), 32)
}

export function findArchiveCutoff(extensions: readonly Extension[]): number | undefined {
  const extension = findExtension(extensions, OCSP_OID.archiveCutoff)
  return extension && readDer(extension.value, reader => reader.generalizedTime())
}

/**
 * Says that the responder answers "revoked" for serial numbers that were never issued (RFC 6960 §2.2, §4.4.8). The single
 * response is then `revoked`, certificateHold, at 1970-01-01T00:00:00Z.
 */
export function encodeExtendedRevoke(): Bytes {
  return writeDer(w => w.null(), 8)
}

/** One entry of `PreferredSignatureAlgorithms` (RFC 6960 §4.4.7.1). */
export interface PreferredSignatureAlgorithm {
  readonly signature: AlgorithmIdentifier
  /** The only kind of key that the client wants to see under it; `undefined`: any. */
  readonly publicKey: AlgorithmIdentifier | undefined
}

/** `PreferredSignatureAlgorithms` of a request, best first (RFC 6960 §4.4.7.1); empty where the client does not say. */
export function findPreferredSignatureAlgorithms(extensions: readonly Extension[]): PreferredSignatureAlgorithm[] {
  const extension = findExtension(extensions, OCSP_OID.preferredSignatureAlgorithms)
  if (!extension) return []
  return readDer(extension.value, reader => reader.listOf(parsePreferred, { limit: MAX_PREFERRED_ALGORITHMS }))
}

/**
 * `SEQUENCE { sigIdentifier AlgorithmIdentifier, pubKeyAlgIdentifier SMIMECapability OPTIONAL }`; an SMIMECapability has the form of an
 * AlgorithmIdentifier.
 */
function parsePreferred(reader: DerReader): PreferredSignatureAlgorithm {
  return reader.sequence(fields => ({
    signature: parseAlgorithmIdentifier(fields),
    publicKey: fields.empty ? undefined : parseAlgorithmIdentifier(fields),
  }))
}

/** `AcceptableResponses ::= SEQUENCE OF OBJECT IDENTIFIER` (RFC 6960 §4.4.3): what a client sends who can read basic responses. */
export function encodeAcceptableResponses(): Bytes {
  return writeDer(w => w.sequence(() => w.oid(OCSP_OID.basic)), 32)
}

/** The response types that a client can read (RFC 6960 §4.4.3); `undefined` where it does not say. */
export function findAcceptableResponses(extensions: readonly Extension[]): readonly string[] | undefined {
  const extension = findExtension(extensions, OCSP_OID.response)
  if (!extension) return undefined
  return readDer(extension.value, reader => reader.listOf(item => item.oid(), { limit: MAX_RESPONSE_TYPES }))
}
