// A key store that forgets everything: for tests that need signers and no disk.
import { TouchmarkError } from '../../src/core/errors.ts'
import type { KeyAlgorithmName, SignatureAlgorithmName } from '../../src/crypto/algorithms.ts'
import { assertTransition, type KeyInfo, type KeyState, type KeyStore } from '../../src/crypto/key-store.ts'
import { generateKeyPair, importPkcs8, type PrivateKey } from '../../src/crypto/keys.ts'
import { softwareSigner } from '../../src/crypto/signer.ts'

export class MemoryKeyStore implements KeyStore {
  readonly scheme = 'memory'
  readonly #keys = new Map<string, { key: PrivateKey; state: KeyState }>()

  /** Another one that holds the same keys. */
  copy(): MemoryKeyStore {
    const copy = new MemoryKeyStore()
    for (const [keyUri, { key, state }] of this.#keys) copy.#keys.set(keyUri, { key, state })
    return copy
  }

  async generate(algorithm: KeyAlgorithmName, label: string) {
    return this.#put(label, await generateKeyPair(algorithm))
  }

  async import(pkcs8: Uint8Array, label: string) {
    return this.#put(label, importPkcs8(pkcs8))
  }

  async signer(keyUri: string, algorithm?: SignatureAlgorithmName) {
    return softwareSigner(this.#get(keyUri).key, keyUri, algorithm)
  }

  async list(): Promise<KeyInfo[]> {
    return Array.from(this.#keys, ([keyUri, { key, state }]) => ({
      keyUri,
      label: keyUri.slice('memory:'.length),
      algorithm: key.algorithm,
      publicKey: key.publicKey,
      state,
      created: 0,
      history: [],
    }))
  }

  async changeState(keyUri: string, state: Exclude<KeyState, 'generated' | 'destroyed'>) {
    const entry = this.#get(keyUri)
    assertTransition(entry.state, state, keyUri)
    entry.state = state
  }

  async destroy(keyUri: string) {
    this.#keys.delete(keyUri)
  }

  async [Symbol.asyncDispose]() {
    this.#keys.clear()
  }

  #put(label: string, key: PrivateKey) {
    const keyUri = `memory:${label}`
    if (this.#keys.has(keyUri)) throw new TouchmarkError('key.label_taken', 'conflict', 'The label is taken.')
    this.#keys.set(keyUri, { key, state: 'generated' })
    return { keyUri, publicKey: key.publicKey }
  }

  #get(keyUri: string) {
    const entry = this.#keys.get(keyUri)
    if (!entry)
      throw new TouchmarkError('key.not_found', 'not_found', 'There is no such key.', { evidence: { keyUri } })
    return entry
  }
}
