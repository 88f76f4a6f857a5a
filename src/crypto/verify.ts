// Signature verification over what was signed as received (RFC 5280 §4.1.1.3, RFC 2986 §4.2). The key decides what it can
// verify: an algorithm that does not belong to the key's type is no signature of that key.
import { constants, createPublicKey, createVerify, hash, type KeyObject, verify } from 'node:crypto'
import type { Bytes } from '../core/bytes/bytes.ts'
import type { AlgorithmIdentifier } from '../core/pki/algorithm-identifier.ts'
import {
  bitLength,
  findSignatureAlgorithm,
  type KeyType,
  readSpki,
  type SignatureAlgorithm,
  type SpkiParts,
} from './algorithms.ts'
import { inPieces } from './in-pieces.ts'

/** What a check of one signature found out, for callers that answer or log the reason. */
export type SignatureVerdict = 'valid' | 'invalid' | 'algorithm_unsupported' | 'key_unsupported' | 'key_mismatch'

/** Bounds on the RSA keys of others: below, a forger's budget; above, a stranger would choose how long we compute. */
export const MIN_VERIFY_MODULUS_BITS = 2048
export const MAX_VERIFY_MODULUS_BITS = 8192
/** Verification costs one multiplication a bit of the exponent: 2^16+1 everywhere, 2^32 for the odd ones. */
const MAX_VERIFY_EXPONENT_BITS = 33

/** Whether `signature` over `tbs` was made with the private key of `spki`. Never throws: what cannot be checked is false. */
export function verifySignature(
  spki: Uint8Array,
  algorithm: AlgorithmIdentifier,
  tbs: Uint8Array,
  signature: Uint8Array,
): boolean {
  return checkSignature(spki, algorithm, tbs, signature) === 'valid'
}

/** The check for many signatures by keys that are seen once: the key does not enter the cache. Never throws. */
export function verifyOnce(
  spki: Uint8Array,
  algorithm: SignatureAlgorithm,
  tbs: Uint8Array,
  signature: Uint8Array,
): boolean {
  const key = openPublicKey(spki)
  return key?.asymmetricKeyType === algorithm.keyType && verifyWithKey(key, algorithm, tbs, signature)
}

/** As `verifySignature`, and says why not. */
export function checkSignature(
  spki: Uint8Array,
  algorithm: AlgorithmIdentifier,
  tbs: Uint8Array,
  signature: Uint8Array,
): SignatureVerdict {
  const row = findSignatureAlgorithm(algorithm)
  return row === undefined ? 'algorithm_unsupported' : checkSignatureWith(spki, row, tbs, signature)
}

/** The check for callers that hold the row of the table already. */
export function checkSignatureWith(
  spki: Uint8Array,
  algorithm: SignatureAlgorithm,
  tbs: Uint8Array,
  signature: Uint8Array,
): SignatureVerdict {
  const key = publicKeys.get(spki)
  if (key === undefined) return 'key_unsupported'
  if (key.asymmetricKeyType !== algorithm.keyType) return 'key_mismatch'
  return verifyWithKey(key, algorithm, tbs, signature) ? 'valid' : 'invalid'
}

/**
 * As `checkSignature`, where the key itself is what was signed: the proof of possession of a request. Such a key does not come again, so it is
 * neither looked for among the keys that are kept nor opened as an object of its own.
 */
export function checkSelfSignature(
  spki: Uint8Array,
  algorithm: AlgorithmIdentifier,
  tbs: Uint8Array,
  signature: Uint8Array,
): SignatureVerdict {
  const row = findSignatureAlgorithm(algorithm)
  if (row === undefined) return 'algorithm_unsupported'
  const keyType = verifiableKeyType(spki)
  if (keyType === undefined) return 'key_unsupported'
  if (keyType !== row.keyType) return 'key_mismatch'
  const key = { key: spki as Bytes, format: 'der', type: 'spki' } as const
  try {
    return verify(row.hash ?? null, tbs, { ...key, ...paddingOf(row) }, signature) ? 'valid' : 'invalid'
  } catch {
    // Either the key is none, or OpenSSL calls the signature malformed.
    return openPublicKey(spki) === undefined ? 'key_unsupported' : 'invalid'
  }
}

/** Verification with a key that is already open: the signer's own checks. */
export function verifyWithKey(
  key: KeyObject,
  algorithm: SignatureAlgorithm,
  tbs: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return verify(algorithm.hash ?? null, tbs, verifyingKey(key, algorithm), signature)
  } catch {
    // OpenSSL reports some malformed signatures as errors (of the wrong length, for one); they are as bad as wrong ones.
    return false
  }
}

/** As `verifyWithKey`, in the thread pool of the process. */
export function verifyInBackground(
  key: KeyObject,
  algorithm: SignatureAlgorithm,
  tbs: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  return new Promise(resolve => {
    try {
      verify(algorithm.hash ?? null, tbs, verifyingKey(key, algorithm), signature, (error, valid) =>
        resolve(error === null && valid),
      )
    } catch {
      resolve(false)
    }
  })
}

/** As `checkSignatureWith` for what may be large: hashed a little at a time, and others get their turn between. */
export async function checkSignatureInPieces(
  spki: Uint8Array,
  algorithm: SignatureAlgorithm,
  tbs: Uint8Array,
  signature: Uint8Array,
): Promise<SignatureVerdict> {
  const key = publicKeys.get(spki)
  if (key === undefined) return 'key_unsupported'
  if (key.asymmetricKeyType !== algorithm.keyType) return 'key_mismatch'
  if (algorithm.hash === undefined) {
    return (await verifyInBackground(key, algorithm, tbs, signature)) ? 'valid' : 'invalid'
  }
  const verifying = createVerify(algorithm.hash)
  await inPieces(tbs, piece => verifying.update(piece))
  try {
    return verifying.verify(verifyingKey(key, algorithm), signature) ? 'valid' : 'invalid'
  } catch {
    return 'invalid'
  }
}

function verifyingKey(key: KeyObject, algorithm: SignatureAlgorithm) {
  const padding = paddingOf(algorithm)
  return padding === undefined ? key : { key, ...padding }
}

function paddingOf(algorithm: SignatureAlgorithm) {
  return algorithm.padding === 'pss'
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : undefined
}

/**
 * Opened public keys of issuers. Opening a key costs a third of a P-256 verification and as much as an RSA one, so keys
 * that come back are kept. A device's key is seen once or twice: a key enters only at its third sight within the last
 * `WATCHED` strangers, and the least recently used one leaves. Keys are found by the digest of their SPKI.
 */
class PublicKeyCache {
  readonly #kept = new Map<string, KeyObject>()
  readonly #sights = new Map<string, number>()

  get size(): number {
    return this.#kept.size
  }

  /** The opened key, or `undefined` where it is not a key that we verify with. */
  get(spki: Uint8Array): KeyObject | undefined {
    const id = hash('sha256', spki, 'base64url')
    const kept = this.#kept.get(id)
    if (kept !== undefined) {
      this.#kept.delete(id)
      this.#kept.set(id, kept)
      return kept
    }
    const key = openPublicKey(spki)
    if (key === undefined) return undefined
    const sights = (this.#sights.get(id) ?? 0) + 1
    this.#sights.delete(id)
    if (sights < ADMITTED_AT) {
      this.#sights.set(id, sights)
      if (this.#sights.size > WATCHED) this.#sights.delete(this.#sights.keys().next().value!)
    } else {
      this.#kept.set(id, key)
      if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value!)
    }
    return key
  }
}

/** 256 issuers are more than one process serves; with ML-DSA-87 keys that is about 1 MB. */
const KEPT = 256
const WATCHED = 256
const ADMITTED_AT = 3
const publicKeys = new PublicKeyCache()

function openPublicKey(spki: Uint8Array): KeyObject | undefined {
  if (verifiableKeyType(spki) === undefined) return undefined
  try {
    return createPublicKey({ key: spki as Bytes, format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}

/** The type of a key that we verify with, as far as its encoding tells. */
function verifiableKeyType(spki: Uint8Array): KeyType | undefined {
  let parts: SpkiParts
  try {
    parts = readSpki(spki)
  } catch {
    return undefined
  }
  if (parts.rsa !== undefined) {
    const bits = bitLength(parts.rsa.modulus)
    if (bits < MIN_VERIFY_MODULUS_BITS || bits > MAX_VERIFY_MODULUS_BITS) return undefined
    if (bitLength(parts.rsa.exponent) > MAX_VERIFY_EXPONENT_BITS) return undefined
  }
  return parts.keyType
}
