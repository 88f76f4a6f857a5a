// KeyStore: the port to wherever private keys live (a folder, a token, a cloud). Keys are named by URI and have explicit
// states; a destroyed key leaves its public half, and who destroyed it, when and why.
import type { Bytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import type { KeyAlgorithmName, SignatureAlgorithmName } from './algorithms.ts'
import type { Signer } from './signer.ts'

/**
 * The life of a key. `generated`: exists, not yet in service (it may sign its own request). `in-use`: signs. `suspended`:
 * refuses to sign, may return. `archived`: retired for good, kept for recovery or investigation. `destroyed`: gone.
 */
export type KeyState = 'generated' | 'in-use' | 'suspended' | 'archived' | 'destroyed'

/** Who did what to a key, and why: names of roles or accounts, never personal data beyond that. */
export interface KeyEvidence {
  readonly who: string
  readonly why: string
}

export interface KeyEvent extends KeyEvidence {
  readonly state: KeyState
  /** Seconds since 1970. */
  readonly at: number
}

export interface KeyInfo {
  readonly keyUri: string
  readonly label: string
  readonly algorithm: KeyAlgorithmName
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes
  readonly state: KeyState
  /** Seconds since 1970. */
  readonly created: number
  /** Every change of state after the first, oldest first. */
  readonly history: readonly KeyEvent[]
}

export interface GeneratedKey {
  readonly keyUri: string
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes
}

/**
 * What every store promises: a returned key is durable; a label names one key for ever (also after destruction); `signer`
 * proves that the private key belongs to the public key on record before it returns; `destroy` leaves nothing that signs.
 */
export interface KeyStore extends AsyncDisposable {
  /** The scheme of this store's key URIs, without the colon. */
  readonly scheme: string
  /** Throws `key.label_invalid`, `key.label_taken`. */
  generate(algorithm: KeyAlgorithmName, label: string): Promise<GeneratedKey>
  /** Takes in a PKCS#8 key. Throws as `importPkcs8`, and `key.label_invalid`, `key.label_taken`. */
  import(pkcs8: Uint8Array, label: string): Promise<GeneratedKey>
  /**
   * A handle that signs, with the first algorithm that the table names for the key unless another is asked for. Throws
   * `key.not_found`, `key.suspended`, `key.archived`, `key.destroyed`, `key.handle_mismatch`, `signer.algorithm_unfit`.
   */
  signer(keyUri: string, algorithm?: SignatureAlgorithmName): Promise<Signer>
  list(): Promise<KeyInfo[]>
  /** Moves a key to another state. Throws `key.transition_invalid`; `destroyed` is reached by `destroy` only. */
  changeState(keyUri: string, state: Exclude<KeyState, 'generated' | 'destroyed'>, evidence: KeyEvidence): Promise<void>
  /** Destroys the private key for good. Throws `key.not_found`; destroying twice changes nothing. */
  destroy(keyUri: string, evidence: KeyEvidence): Promise<void>
}

const NEXT: Readonly<Record<KeyState, readonly KeyState[]>> = {
  generated: ['in-use', 'suspended', 'archived', 'destroyed'],
  'in-use': ['suspended', 'archived', 'destroyed'],
  suspended: ['in-use', 'archived', 'destroyed'],
  archived: ['destroyed'],
  destroyed: [],
}

/** Throws `key.transition_invalid` unless a key may go from one state to the other. */
export function assertTransition(from: KeyState, to: KeyState, keyUri: string): void {
  if (NEXT[from].includes(to)) return
  throw new TouchmarkError('key.transition_invalid', 'conflict', `A key that is ${from} cannot become ${to}.`, {
    evidence: { keyUri, from, to },
  })
}

/** Throws `key.suspended`, `key.archived` or `key.destroyed` unless a key in this state may sign. */
export function assertMaySign(state: KeyState, keyUri: string): void {
  switch (state) {
    case 'generated':
    case 'in-use':
      return
    case 'suspended':
    case 'archived':
    case 'destroyed':
      throw new TouchmarkError(`key.${state}`, 'forbidden', `The key is ${state} and does not sign.`, {
        evidence: { keyUri },
      })
    default:
      state satisfies never
  }
}
