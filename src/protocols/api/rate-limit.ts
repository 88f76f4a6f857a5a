// How often one caller may ask: a bucket of tokens each, which fills steadily and holds a burst. Callers are told apart by principal, strangers
// by address; the memory for them is bounded.
import { TouchmarkError } from '../../core/errors.ts'

export interface RateLimit {
  /** Requests a second, in the long run. */
  readonly perSecond: number
  readonly burst: number
}

/** A console that opens a page asks a dozen things at once; a script that walks a million devices in pages of 500 asks 2,000. */
export const SIGNED_IN_LIMIT: RateLimit = { perSecond: 100, burst: 400 }
/** A gateway that asks in every TLS handshake. */
export const GATEWAY_LIMIT: RateLimit = { perSecond: 5000, burst: 10_000 }
export const STRANGER_LIMIT: RateLimit = { perSecond: 10, burst: 60 }

const MAX_CALLERS = 10_000

interface Bucket {
  tokens: number
  at: number
}

export class RateLimiter {
  readonly #elapsed: () => number
  /** In the order in which they were last used. */
  readonly #buckets = new Map<string, Bucket>()

  /** `elapsed`: milliseconds of a clock that never goes back. */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed
  }

  /** Throws `api.too_many_requests`, with the seconds after which there is room. */
  take(caller: string, { perSecond, burst }: RateLimit): void {
    const now = this.#elapsed()
    const bucket = this.#buckets.get(caller) ?? { tokens: burst, at: now }
    this.#buckets.delete(caller)
    this.#buckets.set(caller, bucket)
    if (this.#buckets.size > MAX_CALLERS) this.#buckets.delete(this.#buckets.keys().next().value!)
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond)
    bucket.at = now
    if (bucket.tokens >= 1) {
      bucket.tokens--
      return
    }
    const retryAfterSeconds = Math.max(1, Math.ceil((1 - bucket.tokens) / perSecond))
    throw new TouchmarkError('api.too_many_requests', 'too_many', 'You ask more often than you may.', {
      evidence: { retryAfterSeconds },
      next: 'Wait for the time that Retry-After names; lists take up to 500 at once.',
    })
  }
}
