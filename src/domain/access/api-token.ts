// An API token: what a program shows. It acts in the name of the operator who made it, and never with more power than that operator has at
// the moment of use.
import type { UnixSeconds } from '../ids.ts'
import type { Permission } from './permissions.ts'
import type { Scope } from './principal.ts'

export interface ApiToken {
  /** `at-` and 32 hex digits: what the log calls it. */
  readonly id: string
  /** SHA-256 over the secret, 64 hex digits. */
  readonly secretHash: string
  readonly operatorId: string
  readonly name: string
  readonly permissions: readonly Permission[]
  readonly scope: Scope
  readonly createdAt: UnixSeconds
  /** The last second in which it works. */
  readonly expiresAt: UnixSeconds
  readonly lastUsedAt: UnixSeconds | null
  readonly revokedAt: UnixSeconds | null
}
