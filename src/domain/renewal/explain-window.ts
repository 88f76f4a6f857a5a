// Why a window lies where it lies, for people: the order that stands, or the opening of the policy and how far levelling moved it.
import type { UnixSeconds } from '../ids.ts'
import type { Credential, RenewalReason } from './credential.ts'
import type { RenewalPolicy } from './policy.ts'
import { bucketWidth, lifeOf } from './window.ts'

export interface WindowExplanation {
  readonly reason: RenewalReason
  /** Where the policy would have the renewal if nobody else renewed. */
  readonly opensAt: UnixSeconds
  readonly earliest: UnixSeconds
  readonly latest: UnixSeconds
  /** How far from there the window begins, in seconds: below 0 is earlier. 0 where it lies in the very bucket of the opening. */
  readonly movedBy: number
  readonly standing: 'ahead' | 'open' | 'overdue' | 'expired'
}

/** `policy` is that of the credential's profile as it is now; the window was chosen by the one of its time. */
export function explainWindow(credential: Credential, policy: RenewalPolicy, now: UnixSeconds): WindowExplanation {
  const life = lifeOf(credential)
  const at = (fraction: number) => credential.notBefore + Math.floor(life * fraction)
  const opensAt = at(policy.opensAtFraction)
  const width = bucketWidth(life)
  const bucketOf = (time: UnixSeconds) => Math.floor(time / width) * width
  return {
    reason: credential.order?.reason ?? 'scheduled',
    opensAt,
    earliest: at(policy.earliestFraction),
    latest: at(policy.latestFraction),
    movedBy: bucketOf(credential.windowStart) - bucketOf(opensAt),
    standing: standingOf(credential, now),
  }
}

function standingOf({ windowStart, windowEnd, notAfter }: Credential, now: UnixSeconds): WindowExplanation['standing'] {
  if (now > notAfter) return 'expired'
  if (now > windowEnd) return 'overdue'
  return now < windowStart ? 'ahead' : 'open'
}
