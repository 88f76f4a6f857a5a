// A sign-in link: works once, within a day. It is how the first administrator gets in, and how a new operator does, or one who lost a passkey.
// There is one for each operator at most: a new one takes the place of the one before.
import type { UnixSeconds } from '../ids.ts'

export interface SignInLink {
  /** The operator's id, or `first` for the one that makes the first administrator. */
  readonly name: string
  /** SHA-256 over the secret, 64 hex digits. */
  readonly secretHash: string
  readonly createdAt: UnixSeconds
  readonly expiresAt: UnixSeconds
}

export const FIRST_LINK = 'first'
export const LINK_SECONDS = 24 * 3600
