// What the recipes of access ask for.
import type { Bytes } from '../../core/bytes/bytes.ts'
import type { Clock, Random, Store } from '../ports.ts'
import type { PasskeyVerifier } from './passkey-verifier.ts'
import type { Passwords } from './password.ts'
import type { SlowDown } from './slow-down.ts'

export interface AccessPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly passwords: Passwords
  readonly slowDown: SlowDown
  readonly passkeys: PasskeyVerifier
  /** 32 octets that only holders of the key store can compute, the same in every process. */
  secretFor(purpose: string): Bytes
}

/** Under which the secrets of TOTP are sealed. */
export const TOTP_KEY = 'totp'
/** Which authenticates the challenges that passkeys sign. */
export const CHALLENGE_KEY = 'passkey challenge'
