// A one-time token: bearer evidence for one enrolment of one device. Only a hash of the secret is ever stored.
import type { DeviceId, TokenId, UnixSeconds } from '../ids.ts'

export interface Token {
  readonly id: TokenId
  /** SHA-256 over the secret, 64 hex digits. The secret has 256 bits of entropy, so a slow hash would add nothing. */
  readonly secretHash: string
  readonly deviceId: DeviceId
  /** The profile that it may enrol for. */
  readonly profile: string
  readonly createdAt: UnixSeconds
  readonly expiresAt: UnixSeconds
  readonly usedAt: UnixSeconds | null
}
