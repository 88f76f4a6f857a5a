// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7): the key as received, never re-encoded, so that its digest is stable.
import type { DerReader } from '../asn1/reader.ts'
import { TAG } from '../asn1/tag.ts'
import { writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { type AlgorithmIdentifier, parseAlgorithmIdentifier } from './algorithm-identifier.ts'

export interface SubjectPublicKeyInfo {
  /** The whole SEQUENCE as received: what is hashed for a pin and given to the crypto ring. */
  readonly raw: Uint8Array
  readonly algorithm: AlgorithmIdentifier
  /** The content of the BIT STRING: the key identifier of RFC 5280 §4.2.1.2 (1) is the SHA-1 of this. */
  readonly publicKey: Uint8Array
}

/** `SEQUENCE { algorithm AlgorithmIdentifier, subjectPublicKey BIT STRING }`; the key must be whole octets. */
export function parseSubjectPublicKeyInfo(reader: DerReader): SubjectPublicKeyInfo {
  const start = reader.offset
  const fields = reader.enter(TAG.SEQUENCE)
  const algorithm = parseAlgorithmIdentifier(fields)
  const publicKey = fields.bitStringOctets()
  fields.finish()
  return { raw: reader.since(start), algorithm, publicKey }
}

/** `algorithmIdentifier` is a whole AlgorithmIdentifier; `publicKey` the octets inside the BIT STRING. */
export function encodeSubjectPublicKeyInfo(algorithmIdentifier: Uint8Array, publicKey: Uint8Array): Bytes {
  return writeDer(w => w.sequence(() => w.raw(algorithmIdentifier).bitString(publicKey)), publicKey.length + 64)
}
