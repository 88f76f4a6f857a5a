// When to try again. Waiting grows with each failure and is spread, so that a fleet that lost its server does not come back in one second;
// near the end of a certificate it stays short; what the server asks for is a lower bound.
import type { TouchmarkError } from '../core/errors.ts'
import type { Random } from '../crypto/random.ts'

/** The first wait, about. */
export const FIRST_SECONDS = 30
/** No wait is longer than this, but for half of it more. */
const LONGEST_SECONDS = 6 * 3600
/** In the last part of a certificate's life, and after it. */
const LONGEST_URGENT_SECONDS = 900
/** Where no server was reached: a try costs none of them anything, and a device that is seldom online must not sleep through the hour it is. */
export const LONGEST_OFFLINE_SECONDS = 900

export interface Retry {
  /** Failures in a row. */
  readonly failures: number
  /** Not before this time, whole seconds. */
  readonly at: number
  /** The server asked for this wait: it binds also a person who asks at once. */
  readonly asked: boolean
}

/** The wait after one more failure. */
export function nextRetry(
  before: Retry | undefined,
  error: TouchmarkError,
  context: { readonly now: number; readonly urgent: boolean; readonly random: Random },
): Retry {
  const failures = (before?.failures ?? 0) + 1
  const offline = error.code === 'transport.unreachable' || error.code === 'transport.deadline'
  const longest = offline ? LONGEST_OFFLINE_SECONDS : context.urgent ? LONGEST_URGENT_SECONDS : LONGEST_SECONDS
  const wait = Math.min(longest, FIRST_SECONDS * 2 ** Math.min(failures - 1, 20))
  const asked = error.evidence['retryAfterSeconds']
  const floor = typeof asked === 'number' ? asked : 0
  // Half of the wait is spread; over what the server asked for as well, because it asked many.
  const spread = fraction(context.random)
  const seconds = Math.max(wait * (0.5 + spread), floor + spread * Math.min(floor, wait))
  return { failures, at: context.now + Math.ceil(seconds), asked: floor > 0 }
}

/** A number in [0, 1) from the source of randomness. */
export function fraction(random: Random): number {
  return random.bytes(4).reduce((sum, octet) => sum * 256 + octet, 0) / 2 ** 32
}
