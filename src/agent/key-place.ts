// Where the keys of a device live. One small interface for files, a TPM and a PKCS#11 token: a key is made there, signs there, proves
// itself before use, and is destroyed there.
import { TouchmarkError } from '../core/errors.ts'
import type { KeyAlgorithmName } from '../crypto/algorithms.ts'
import type { Random } from '../crypto/random.ts'
import type { Signer } from '../crypto/signer.ts'
import { FileKeyPlace } from './file-key-place.ts'
import type { AgentStorage } from './storage.ts'

/** As the server's registry calls them. */
export type KeyProtection = 'none' | 'passphrase' | 'hardware'

export interface HeldKey {
  /** SHA-256 of the SubjectPublicKeyInfo, hexadecimal. */
  readonly keyId: string
  readonly signer: Signer
  /** How TLS gets at the key: PEM, or what OpenSSL's provider for the token reads. */
  tlsKey(): string
}

/**
 * What a place stores in the agent's storage under the name of a key is its own: the key, one wrapped by a TPM, a reference into a token. There
 * is always something, because the names that are stored are how the agent knows which keys there are.
 */
export interface KeyPlace {
  /** What the server is told: `file`, `tpm`, `secure_element`, `hsm`. */
  readonly place: 'file' | 'tpm' | 'secure_element' | 'hsm'
  readonly protection: KeyProtection
  /** Makes a key under the name; answers it with the digest of what was stored. The key has proven itself. */
  make(name: string, algorithm: KeyAlgorithmName): Promise<{ readonly key: HeldKey; readonly sha256: string }>
  /**
   * Opens a key, which proves itself again: stored as it was written (`sha256`), private half fits public half. Rejects with
   * `agent.key_missing`, `agent.key_altered`, `seal.broken`.
   */
  open(name: string, sha256: string): Promise<HeldKey>
  /** What is stored goes, and a token forgets the key. Nothing happens where there is none. */
  destroy(name: string): Promise<void>
}

export interface KeyPlacePorts {
  readonly storage: AgentStorage
  readonly random: Random
  /** Seals what is stored; absent: in the clear, and only file rights protect it. */
  readonly masterKey?: Uint8Array | undefined
}

/**
 * The place that a URI names: `file`, `tpm:`, `pkcs11:` (RFC 7512). Throws `agent.key_place_unavailable` for those that this build has no
 * driver for, and `agent.key_place_unknown`.
 */
export function openKeyPlace(uri: string, ports: KeyPlacePorts): KeyPlace {
  const scheme = uri.split(':')[0]!
  switch (scheme) {
    case 'file':
      return new FileKeyPlace(ports)
    case 'tpm':
    case 'pkcs11':
      throw new TouchmarkError(
        'agent.key_place_unavailable',
        'unavailable',
        `This build has no driver for keys in ${scheme}.`,
        {
          next: 'Use --key-place file, or implement KeyPlace for it (docs/guides/agent-library.md).',
          evidence: { scheme },
        },
      )
    default:
      throw new TouchmarkError('agent.key_place_unknown', 'malformed', 'That is no place for keys.', {
        next: 'It is file, tpm:... or pkcs11:...',
        evidence: { scheme: scheme.slice(0, 32) },
      })
  }
}
