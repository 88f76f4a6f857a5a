// Signer: a handle on a private key that may live in this process, in a token or behind a network. It takes the whole TBS
// (a token hashes itself, and Ed25519 and ML-DSA have no digest to hand over) and says whether its answers need checking.
// Why some software signatures are not checked again: docs/adr/0005-checking-our-own-signatures.md.
import { createPublicKey } from 'node:crypto'
import { type Bytes, copyBytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import {
  type KeyAlgorithmName,
  type KeyType,
  keyAlgorithm,
  type SignatureAlgorithm,
  type SignatureAlgorithmName,
  signatureAlgorithm,
} from './algorithms.ts'
import type { PrivateKey } from './keys.ts'
import { signInBackground, signWithKey } from './sign-with-key.ts'
import { checkSignatureWith, verifyWithKey } from './verify.ts'

export interface Signer {
  /** Where the key lives: `software:<label>`, `pkcs11:…` (RFC 7512). */
  readonly keyUri: string
  readonly keyAlgorithm: KeyAlgorithmName
  readonly algorithm: SignatureAlgorithm
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes
  /**
   * True where the signer answers for its signatures. Where false, nothing it returned may leave before
   * `assertOwnSignature` has passed it. What is rare and long-lived (CA certificates, CRLs) is checked always.
   */
  readonly selfChecked: boolean
  /** Signs the whole TBS. Rejects with `signer.failed`, `signer.signature_wrong`, or the reason of `signal`. */
  sign(tbs: Uint8Array, signal?: AbortSignal): Promise<Bytes>
  /** Signs many in one go, in order; all or none. */
  signMany?(tbs: readonly Uint8Array[]): Promise<Bytes[]>
}

/** Of the signatures that nobody else checks, one in this many is verified before it is returned; the first always. */
export const SAMPLE_EVERY = 64

/**
 * A signer over a key in this process. `algorithm` defaults to the first that the table names for the key. Throws
 * `signer.algorithm_unfit` where key and algorithm do not belong together.
 */
export function softwareSigner(privateKey: PrivateKey, keyUri: string, algorithm?: SignatureAlgorithmName): Signer {
  const keyRow = keyAlgorithm(privateKey.algorithm)
  const row = signatureAlgorithm(algorithm ?? keyRow.signatureAlgorithms[0])
  if (!keyRow.signatureAlgorithms.includes(row.name)) {
    throw new TouchmarkError(
      'signer.algorithm_unfit',
      'internal',
      `A key of ${keyRow.name} cannot sign with ${row.name}.`,
      { evidence: { keyUri } },
    )
  }
  return new SoftwareSigner(privateKey, keyUri, row)
}

/**
 * RSA: OpenSSL verifies each CRT result and repeats the computation without CRT where it is wrong. P-256: verifying costs
 * three signatures, so the signer samples. All others are checked whole, by the caller.
 */
export function isSelfChecked(algorithm: KeyAlgorithmName): boolean {
  return algorithm === 'P-256' || keyAlgorithm(algorithm).keyType === 'rsa'
}

/** Throws `signer.signature_wrong` unless the signature is the signer's own over these octets. */
export function assertOwnSignature(signer: Signer, tbs: Uint8Array, signature: Uint8Array): void {
  if (checkSignatureWith(signer.publicKey, signer.algorithm, tbs, signature) !== 'valid') throw wrong(signer.keyUri)
}

/** Fast enough to sign on the calling thread: a hop to the thread pool costs more than a P-256 signature. */
const QUICK: readonly KeyType[] = ['ec', 'ed25519']

class SoftwareSigner implements Signer {
  readonly keyUri: string
  readonly keyAlgorithm: KeyAlgorithmName
  readonly algorithm: SignatureAlgorithm
  readonly publicKey: Bytes
  readonly selfChecked: boolean
  readonly #key: PrivateKey['keyObject']
  readonly #publicKey: PrivateKey['keyObject']
  readonly #samples: boolean
  #made = 0
  #broken = false

  constructor(privateKey: PrivateKey, keyUri: string, algorithm: SignatureAlgorithm) {
    this.keyUri = keyUri
    this.keyAlgorithm = privateKey.algorithm
    this.algorithm = algorithm
    this.publicKey = copyBytes(privateKey.publicKey)
    this.selfChecked = isSelfChecked(privateKey.algorithm)
    this.#key = privateKey.keyObject
    this.#publicKey = createPublicKey(privateKey.keyObject)
    this.#samples = privateKey.algorithm === 'P-256'
  }

  async sign(tbs: Uint8Array, signal?: AbortSignal): Promise<Bytes> {
    signal?.throwIfAborted()
    if (QUICK.includes(this.algorithm.keyType)) return this.#now(tbs)
    this.#assertWhole()
    const snapshot = copyBytes(tbs)
    let signature: Bytes
    try {
      signature = await signInBackground(this.#key, this.algorithm, snapshot)
    } catch (cause) {
      throw failed(this.keyUri, cause)
    }
    signal?.throwIfAborted()
    return signature
  }

  async signMany(tbs: readonly Uint8Array[]): Promise<Bytes[]> {
    if (QUICK.includes(this.algorithm.keyType)) return tbs.map(one => this.#now(one))
    return Promise.all(tbs.map(one => this.sign(one)))
  }

  #now(tbs: Uint8Array): Bytes {
    this.#assertWhole()
    let signature: Bytes
    try {
      signature = signWithKey(this.#key, this.algorithm, tbs)
    } catch (cause) {
      throw failed(this.keyUri, cause)
    }
    if (this.#samples && this.#made++ % SAMPLE_EVERY === 0) {
      if (!verifyWithKey(this.#publicKey, this.algorithm, tbs, signature)) {
        this.#broken = true
        throw wrong(this.keyUri)
      }
    }
    return signature
  }

  /** After one wrong signature the machine is not trusted with another. */
  #assertWhole(): void {
    if (this.#broken) throw wrong(this.keyUri)
  }
}

function wrong(keyUri: string): TouchmarkError {
  return new TouchmarkError(
    'signer.signature_wrong',
    'internal',
    'The signer returned a signature that does not verify.',
    {
      next: 'Stop issuing with this key on this machine: suspect its memory, its processor or its token.',
      evidence: { keyUri },
    },
  )
}

function failed(keyUri: string, cause: unknown): TouchmarkError {
  return new TouchmarkError('signer.failed', 'unavailable', 'The key did not sign.', { cause, evidence: { keyUri } })
}
