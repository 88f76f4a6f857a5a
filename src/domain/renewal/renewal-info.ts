// "When should I renew?", answered from what stands written about a credential: the suggested window and the time to ask again mean what
// RFC 9773 §4.2 and §4.3 mean by them, so that ACME and our own REST say the same.
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Credential, RenewalOrder, RenewalReason } from './credential.ts'
import { algorithmEnd, type RenewalPolicy } from './policy.ts'
import { lifeOf } from './window.ts'

export interface RenewalInfo {
  /** The device renews at a time that it draws between these; at once where that has passed. `end` is after `start`. */
  readonly suggestedWindow: { readonly start: UnixSeconds; readonly end: UnixSeconds }
  readonly reason: RenewalReason
  readonly retryAfterSeconds: number
  /** What shall be true of the next certificate; `null`: nothing in particular. */
  readonly order: Pick<RenewalOrder, 'newKey' | 'keyAlgorithm' | 'profile' | 'until'> | null
}

/** A device asks at least so often, however long its certificate lives: an order should not wait for longer. */
export const MAX_RETRY_SECONDS = 6 * 3600
const MIN_RETRY_SECONDS = 30
/** A certificate that lives for a day has its holder ask every five minutes. */
const QUESTIONS_A_LIFE = 288
/** Once it should have renewed, and near the end, a device asks so many times as often. */
const URGENCY = 4
/** Who holds a key of an algorithm past its date has so long to renew, so that not all come at once. */
const ALGORITHM_PATIENCE_SECONDS = 14 * 86_400

/** `policy` and `keyAlgorithms` (the preferred one first) are those of the credential's profile. */
export function renewalInfo(
  credential: Credential,
  policy: RenewalPolicy,
  now: UnixSeconds,
  keyAlgorithms: readonly KeyAlgorithmName[] = [],
): RenewalInfo {
  const { order } = credential
  const implied = order === null ? algorithmOrder(credential, policy, now, keyAlgorithms) : null
  const window = implied ? earlier(credential, implied) : credential
  const start = window.windowStart
  return {
    suggestedWindow: { start, end: Math.max(window.windowEnd, start + 1) },
    reason: order?.reason ?? (implied ? 'algorithm_ended' : 'scheduled'),
    retryAfterSeconds: retryAfter(credential, window.windowEnd, policy, now),
    order: order ? wishes(order) : (implied?.order ?? null),
  }
}

type Window = Pick<Credential, 'windowStart' | 'windowEnd'>

/** The algorithm of the key is past its date: a new key of another one. */
function algorithmOrder(
  credential: Credential,
  policy: RenewalPolicy,
  now: UnixSeconds,
  keyAlgorithms: readonly KeyAlgorithmName[],
) {
  const end = algorithmEnd(policy, credential.keyAlgorithm)
  if (end === null || end > now) return null
  const until = end + ALGORITHM_PATIENCE_SECONDS
  const keyAlgorithm = keyAlgorithms.find(name => (algorithmEnd(policy, name) ?? until + 1) > until) ?? null
  return { windowStart: end, windowEnd: until, order: { newKey: true, keyAlgorithm, profile: null, until } }
}

function earlier(a: Window, b: Window): Window {
  return {
    windowStart: Math.min(a.windowStart, b.windowStart),
    windowEnd: Math.min(a.windowEnd, b.windowEnd),
  }
}

function wishes({ newKey, keyAlgorithm, profile, until }: RenewalOrder): NonNullable<RenewalInfo['order']> {
  return { newKey, keyAlgorithm, profile, until }
}

/** RFC 9773 §4.3. */
function retryAfter(credential: Credential, windowEnd: UnixSeconds, policy: RenewalPolicy, now: UnixSeconds): number {
  const life = lifeOf(credential)
  const usual = Math.min(Math.max(Math.floor(life / QUESTIONS_A_LIFE), MIN_RETRY_SECONDS), MAX_RETRY_SECONDS)
  const urgent = now > windowEnd || now >= credential.notBefore + life * policy.urgentFraction
  return urgent ? Math.max(Math.floor(usual / URGENCY), MIN_RETRY_SECONDS) : usual
}
