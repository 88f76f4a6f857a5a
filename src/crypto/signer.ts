// Signer: a handle on a private key that may live in this process, in a token or behind a network. It takes the whole TBS
// (a token hashes itself, and Ed25519 and ML-DSA have no digest to hand over) and says whether its answers need checking.
// How software signatures are checked: docs/adr/0005-checking-our-own-signatures.md.
import { createPublicKey, type KeyObject } from 'node:crypto'
import { type Bytes, copyBytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import {
  type KeyAlgorithmName,
  keyAlgorithm,
  type SignatureAlgorithm,
  type SignatureAlgorithmName,
  signatureAlgorithm,
} from './algorithms.ts'
import type { PrivateKey } from './keys.ts'
import { signInBackground, signInPieces, signWithKey } from './sign-with-key.ts'
import { checkSignatureInPieces, checkSignatureWith, verifyInBackground, verifyWithKey } from './verify.ts'

export interface Signer {
  /** Where the key lives: `software:<label>`, `pkcs11:…` (RFC 7512). */
  readonly keyUri: string
  readonly keyAlgorithm: KeyAlgorithmName
  readonly algorithm: SignatureAlgorithm
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes
  /**
   * True where the signer itself makes sure of its signatures (software), and verifies each over more than `LARGE_TBS`. Where false (tokens,
   * networks), nothing that it returned may leave before `assertOwnSignature` has passed it. CA certificates and CRLs are verified always.
   */
  readonly selfChecked: boolean
  /** Signs the whole TBS. Rejects with `signer.failed`, `signer.signature_wrong`, or the reason of `signal`. */
  sign(tbs: Uint8Array, signal?: AbortSignal): Promise<Bytes>
  /** Signs many in one go, in order; all or none. */
  signMany?(tbs: readonly Uint8Array[]): Promise<Bytes[]>
  /** Much will have to be signed soon: whatever `signMany` needs is started, so that its first call does not wait for it. */
  expectMany?(): void
}

/** Where signatures are sampled, one in this many is verified before it is returned; the first always. */
export const SAMPLE_EVERY = 64

/** How a software signer makes sure of its own signatures: docs/adr/0005-checking-our-own-signatures.md. */
export type SelfCheck = 'by-openssl' | 'sampled' | 'each'

/**
 * RSA: OpenSSL verifies each CRT result before it returns it. P-256: verifying costs three signatures and a wrong one
 * betrays nothing, so a sample will do. All others are verified one by one.
 */
export function selfCheckOf(algorithm: KeyAlgorithmName): SelfCheck {
  if (algorithm === 'P-256') return 'sampled'
  return keyAlgorithm(algorithm).keyType === 'rsa' ? 'by-openssl' : 'each'
}

/**
 * A signer over a key in this process. `algorithm` defaults to the first that the table names for the key; `bulk` gives threads for signing
 * many at once, where there are any. Throws `signer.algorithm_unfit` where key and algorithm do not belong together.
 */
export function softwareSigner(
  privateKey: PrivateKey,
  keyUri: string,
  algorithm?: SignatureAlgorithmName,
  bulk?: () => BulkSigning,
): Signer {
  return new SoftwareSigner(privateKey, keyUri, algorithm, bulk)
}

/** What signs with the same key and algorithm on threads of its own: a `SigningPool`. */
export type BulkSigning = Required<Pick<Signer, 'signMany'>>

/** Fewer than this are signed where they are: waking a thread for them would take as long. */
const BULK = 64

/** Throws `signer.signature_wrong` unless the signature is the signer's own over these octets. */
export function assertOwnSignature(signer: Signer, tbs: Uint8Array, signature: Uint8Array): void {
  if (checkSignatureWith(signer.publicKey, signer.algorithm, tbs, signature) !== 'valid') throw wrong(signer.keyUri)
}

/** As `assertOwnSignature` for what may be large, and never by a signer that has verified it already. */
export async function assertOwnSignatureOnce(signer: Signer, tbs: Uint8Array, signature: Uint8Array): Promise<void> {
  if (signer.selfChecked && tbs.length > LARGE_TBS) return
  const verdict = await checkSignatureInPieces(signer.publicKey, signer.algorithm, tbs, signature)
  if (verdict !== 'valid') throw wrong(signer.keyUri)
}

/** Quick enough for the calling thread: a hop to the thread pool costs more than one of these signatures. */
const QUICK: readonly KeyAlgorithmName[] = ['P-256', 'Ed25519']

/** Octets from which hashing alone would hold up the calling thread for long. */
export const LARGE_TBS = 256 * 1024

export class SoftwareSigner implements Signer {
  readonly keyUri: string
  readonly keyAlgorithm: KeyAlgorithmName
  readonly algorithm: SignatureAlgorithm
  readonly publicKey: Bytes
  readonly selfChecked = true
  readonly #key: KeyObject
  readonly #publicKey: KeyObject
  readonly #check: SelfCheck
  readonly #bulk: (() => BulkSigning) | undefined
  #made = 0
  #broken = false

  constructor(privateKey: PrivateKey, keyUri: string, algorithm?: SignatureAlgorithmName, bulk?: () => BulkSigning) {
    const row = keyAlgorithm(privateKey.algorithm)
    const name = algorithm ?? row.signatureAlgorithms[0]
    if (!row.signatureAlgorithms.includes(name)) {
      throw new TouchmarkError('signer.algorithm_unfit', 'internal', `A key of ${row.name} cannot sign with ${name}.`, {
        evidence: { keyUri },
      })
    }
    this.keyUri = keyUri
    this.keyAlgorithm = privateKey.algorithm
    this.algorithm = signatureAlgorithm(name)
    this.publicKey = copyBytes(privateKey.publicKey)
    this.#key = privateKey.keyObject
    this.#publicKey = createPublicKey(privateKey.keyObject)
    this.#check = selfCheckOf(privateKey.algorithm)
    this.#bulk = bulk
  }

  async sign(tbs: Uint8Array, signal?: AbortSignal): Promise<Bytes> {
    signal?.throwIfAborted()
    if (tbs.length > LARGE_TBS) {
      const signature = await this.#signLarge(tbs)
      signal?.throwIfAborted()
      return signature
    }
    if (QUICK.includes(this.keyAlgorithm)) return this.signNow(tbs)
    this.#assertSound()
    const snapshot = copyBytes(tbs)
    let signature: Bytes
    try {
      signature = await signInBackground(this.#key, this.algorithm, snapshot)
    } catch (cause) {
      throw failed(this.keyUri, cause)
    }
    if (this.#mustCheck()) {
      this.#accept(await verifyInBackground(this.#publicKey, this.algorithm, snapshot, signature))
    }
    signal?.throwIfAborted()
    return signature
  }

  /** A CRL of a million entries is not copied. Who writes into it meanwhile has a signature that does not verify. */
  async #signLarge(tbs: Uint8Array): Promise<Bytes> {
    this.#assertSound()
    let signature: Bytes | undefined
    try {
      signature = await signInPieces(this.#key, this.#publicKey, this.algorithm, tbs)
    } catch (cause) {
      throw failed(this.keyUri, cause)
    }
    this.#accept(signature !== undefined)
    return signature!
  }

  async signMany(tbs: readonly Uint8Array[]): Promise<Bytes[]> {
    if (this.#bulk !== undefined && tbs.length >= BULK) return this.#signOnThreads(tbs, this.#bulk())
    if (QUICK.includes(this.keyAlgorithm)) return tbs.map(one => this.signNow(one))
    return Promise.all(tbs.map(one => this.sign(one)))
  }

  expectMany(): void {
    this.#bulk?.()
  }

  /** The threads check themselves, each as this signer would. */
  async #signOnThreads(tbs: readonly Uint8Array[], threads: BulkSigning): Promise<Bytes[]> {
    this.#assertSound()
    try {
      return await threads.signMany(tbs)
    } catch (thrown) {
      this.#broken ||= thrown instanceof TouchmarkError && thrown.code === 'signer.signature_wrong'
      throw thrown
    }
  }

  /** Signs on this thread, whatever it costs: for threads that do nothing else. */
  signNow(tbs: Uint8Array): Bytes {
    this.#assertSound()
    let signature: Bytes
    try {
      signature = signWithKey(this.#key, this.algorithm, tbs)
    } catch (cause) {
      throw failed(this.keyUri, cause)
    }
    if (this.#mustCheck()) this.#accept(verifyWithKey(this.#publicKey, this.algorithm, tbs, signature))
    return signature
  }

  #mustCheck(): boolean {
    return this.#check === 'each' || (this.#check === 'sampled' && this.#made++ % SAMPLE_EVERY === 0)
  }

  #accept(valid: boolean): void {
    if (valid) return
    this.#broken = true
    throw wrong(this.keyUri)
  }

  /** After one wrong signature the machine is not trusted with another. */
  #assertSound(): void {
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
