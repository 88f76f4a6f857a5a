// The public key that a certificate is for, read and named once: a batch would hash it and look up its algorithm at every step again.
import { type KeyAlgorithmName, keyAlgorithmOfSpki, readSpki } from '../../crypto/algorithms.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import { type KeyId, keyId } from '../ids.ts'

export class SubjectKey {
  /** SubjectPublicKeyInfo DER, as it came. */
  readonly spki: Uint8Array
  readonly id: KeyId
  readonly algorithm: KeyAlgorithmName
  /** The content of its BIT STRING. */
  readonly publicKey: Uint8Array

  /** Throws as `keyAlgorithmOfSpki`. Whether the key is fit to be certified is another question: `crypto/key-check.ts`. */
  constructor(spki: Uint8Array) {
    const { algorithm, publicKey } = readSpki(spki)
    this.spki = spki
    this.id = keyId(sha256Hex(spki))
    this.algorithm = algorithm?.name ?? keyAlgorithmOfSpki(spki)
    this.publicKey = publicKey
  }
}
