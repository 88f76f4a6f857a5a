// A one-time token: bearer evidence for one enrolment of one device. Only a hash of the secret is ever stored.
// How one is made: `create-token.ts`.
import { toHex } from '../../core/bytes/hex.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { sha256 } from '../../crypto/digest.ts'
import type { DeviceId, TokenId, UnixSeconds } from '../ids.ts'

export interface Token {
  readonly id: TokenId
  /** SHA-256 over the secret, 64 hex digits. The secret has 256 bits of entropy, so a slow hash would add nothing. */
  readonly secretHash: string
  readonly deviceId: DeviceId
  /** The profile that it may enrol for. */
  readonly profile: string
  readonly createdAt: UnixSeconds
  /** Inclusive. */
  readonly expiresAt: UnixSeconds
  readonly usedAt: UnixSeconds | null
  /** Withdrawn before use: it opens nothing any more. */
  readonly cancelledAt: UnixSeconds | null
}

/** The hash that the store keeps and finds tokens by. */
export function hashTokenSecret(secret: string): string {
  return toHex(sha256(toUtf8(secret)))
}
