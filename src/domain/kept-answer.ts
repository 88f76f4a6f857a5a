// The answer to a request that may come again under the same Idempotency-Key: kept for a day, sealed under the key, which the store never has.
import type { UnixSeconds } from './ids.ts'

export interface KeptAnswer {
  /** Derived from caller and key, 64 hex digits. */
  readonly id: string
  /** SHA-256 over method, path, query and body, 64 hex digits: another request under the same key is a mistake. */
  readonly requestDigest: string
  /** `null` while the first request is under way, and where it never came to its end. */
  readonly sealed: Uint8Array | null
  readonly begunAt: UnixSeconds
  readonly expiresAt: UnixSeconds
}
