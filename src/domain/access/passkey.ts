// A passkey: the public half of a key pair that an authenticator made for this instance (WebAuthn level 3).
import type { UnixSeconds } from '../ids.ts'

export interface Passkey {
  /** Credential id, in hexadecimal. */
  readonly id: string
  readonly operatorId: string
  /** COSE_Key (RFC 9052 §7). */
  readonly publicKey: Uint8Array
  /** As the authenticator last said; stays 0 for passkeys that are synchronised. */
  readonly signCount: number
  /** What its holder calls it. */
  readonly name: string
  readonly transports: readonly string[]
  readonly createdAt: UnixSeconds
  readonly lastUsedAt: UnixSeconds | null
}
