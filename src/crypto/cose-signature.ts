// What COSE calls our signature algorithms (IANA "COSE Algorithms": RFC 9053, RFC 8230, RFC 8812, RFC 9964), and ECDSA signatures in its form:
// r and s of fixed length, where X.509 has a SEQUENCE.
import { readDer } from '../core/asn1/reader.ts'
import { writeDer } from '../core/asn1/writer.ts'
import { type Bytes, concat, copyBytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import {
  type KeyAlgorithm,
  type SignatureAlgorithm,
  type SignatureAlgorithmName,
  signatureAlgorithm,
} from './algorithms.ts'

const NUMBERS: Readonly<Record<SignatureAlgorithmName, number>> = {
  'ecdsa-with-SHA256': -7,
  'ecdsa-with-SHA384': -35,
  'ecdsa-with-SHA512': -36,
  Ed25519: -8,
  sha256WithRSAEncryption: -257,
  sha384WithRSAEncryption: -258,
  sha512WithRSAEncryption: -259,
  'RSASSA-PSS-SHA256': -37,
  'RSASSA-PSS-SHA384': -38,
  'RSASSA-PSS-SHA512': -39,
  'ML-DSA-44': -48,
  'ML-DSA-65': -49,
  'ML-DSA-87': -50,
}

export function coseAlgorithm(name: SignatureAlgorithmName): number {
  return NUMBERS[name]
}

/** `undefined` where it is none of ours. */
export function signatureAlgorithmOf(cose: number): SignatureAlgorithm | undefined {
  const found = (Object.keys(NUMBERS) as SignatureAlgorithmName[]).find(name => NUMBERS[name] === cose)
  return found && signatureAlgorithm(found)
}

/** A signature as X.509 has it, as COSE has it. */
export function toCoseSignature(key: KeyAlgorithm, signature: Uint8Array): Bytes {
  const length = coordinateOctets(key)
  if (length === undefined) return copyBytes(signature)
  return readDer(signature, der =>
    der.sequence(pair => {
      const halves = [pair.unsignedBytes(), pair.unsignedBytes()]
      return concat(...halves.flatMap(digits => [new Uint8Array(Math.max(0, length - digits.length)), digits]))
    }),
  )
}

/** And back. Throws `cose.signature_malformed` where its length is not that of the key's curve. */
export function fromCoseSignature(key: KeyAlgorithm, signature: Uint8Array): Bytes {
  const length = coordinateOctets(key)
  if (length === undefined) return copyBytes(signature)
  if (signature.length !== 2 * length) {
    throw new TouchmarkError(
      'cose.signature_malformed',
      'malformed',
      'The signature does not have the length of its curve.',
    )
  }
  return writeDer(der =>
    der.sequence(pair => {
      pair.unsigned(signature.subarray(0, length)).unsigned(signature.subarray(length))
    }),
  )
}

/** Octets of r and of s; `undefined` for what is not ECDSA. */
function coordinateOctets({ keyType, publicKeyOctets }: KeyAlgorithm): number | undefined {
  return keyType === 'ec' ? (publicKeyOctets! - 1) / 2 : undefined
}
