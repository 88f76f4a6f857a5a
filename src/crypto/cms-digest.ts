// Digest algorithms of CMS (RFC 5754 §2) and how a signature algorithm and a digest go together in a SignerInfo.
import { hash } from 'node:crypto'
import type { Bytes } from '../core/bytes/bytes.ts'
import { type AlgorithmIdentifier, encodeAlgorithmIdentifier } from '../core/pki/algorithm-identifier.ts'
import {
  findSignatureAlgorithm,
  type HashName,
  type SignatureAlgorithm,
  type SignatureAlgorithmName,
  signatureAlgorithm,
} from './algorithms.ts'
import { own } from './digest.ts'

const DIGESTS: Readonly<Record<HashName, string>> = {
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
}

const RSA_ENCRYPTION = '1.2.840.113549.1.1.1'
const NULL = new Uint8Array([0x05, 0x00])

/** PKCS#1 v1.5 by digest: in CMS the algorithm may be called rsaEncryption, and the digest is named beside it (RFC 3370 §3.2). */
const PKCS1: Readonly<Record<HashName, SignatureAlgorithmName>> = {
  sha256: 'sha256WithRSAEncryption',
  sha384: 'sha384WithRSAEncryption',
  sha512: 'sha512WithRSAEncryption',
}

/** Digests that go with algorithms that hash for themselves: RFC 8419 §2.3 for Ed25519, RFC 9882 §3.3 for ML-DSA. */
const WHOLE_MESSAGE_DIGESTS: Partial<Record<SignatureAlgorithmName, readonly HashName[]>> = {
  Ed25519: ['sha512'],
  'ML-DSA-44': ['sha256', 'sha384', 'sha512'],
  'ML-DSA-65': ['sha384', 'sha512'],
  'ML-DSA-87': ['sha512'],
}

/** The digest that an AlgorithmIdentifier names, with NULL or without parameters (RFC 5754 §2), or `undefined`. */
export function digestNameOf(identifier: AlgorithmIdentifier): HashName | undefined {
  const { oid, parameters } = identifier
  if (parameters !== undefined && !(parameters.length === 2 && parameters[0] === 0x05 && parameters[1] === 0)) return
  return (Object.keys(DIGESTS) as HashName[]).find(name => DIGESTS[name] === oid)
}

/** The AlgorithmIdentifier of a digest, without parameters (RFC 5754 §2: "SHOULD generate"). */
export function digestIdentifier(name: HashName): Bytes {
  return encodeAlgorithmIdentifier(DIGESTS[name])
}

export function digest(name: HashName, bytes: Uint8Array): Bytes {
  return own(hash(name, bytes, 'buffer'))
}

/** The digest that a signer with this algorithm uses: its own, or SHA-512 where it takes the message whole. */
export function digestFor(algorithm: SignatureAlgorithm): HashName {
  return algorithm.hash ?? 'sha512'
}

/** The row for the two identifiers of a SignerInfo, or `undefined` where they are unknown or do not go together. */
export function signerAlgorithmOf(
  signature: AlgorithmIdentifier,
  digestName: HashName,
): SignatureAlgorithm | undefined {
  if (signature.oid === RSA_ENCRYPTION) return signatureAlgorithm(PKCS1[digestName])
  const row = findSignatureAlgorithm(signature)
  if (row === undefined) return undefined
  const fits = row.hash === undefined ? WHOLE_MESSAGE_DIGESTS[row.name]?.includes(digestName) : row.hash === digestName
  return fits ? row : undefined
}

/** What a SignerInfo calls the algorithm: rsaEncryption for PKCS#1 v1.5, which every implementation reads (RFC 3370 §3.2). */
export function signerAlgorithmIdentifier(algorithm: SignatureAlgorithm): Uint8Array {
  return algorithm.padding === 'pkcs1' ? encodeAlgorithmIdentifier(RSA_ENCRYPTION, NULL) : algorithm.algorithmIdentifier
}
