// When a certificate is to be renewed, chosen when it is issued, so that devices that were born together do not renew together: time is
// divided into buckets, the plan knows how many renewals lie in each, and a bucket that is full passes a renewal on to the nearest one
// that is not (docs/adr/0011-levelled-renewal.md). Pure: the plan and the draw are arguments.
import type { UnixSeconds } from '../ids.ts'
import type { RenewalPolicy } from './policy.ts'

/** What the plan says when a window is chosen. */
export interface PlanView {
  /** Certificates of the profile that are to be renewed some day, this one left out. */
  readonly fleet: number
  /** Renewals whose window begins in the bucket that begins then. */
  planned(bucket: UnixSeconds): number
}

export interface WindowRequest {
  readonly policy: Pick<RenewalPolicy, 'opensAtFraction' | 'earliestFraction' | 'latestFraction'>
  readonly notBefore: UnixSeconds
  /** Inclusive. */
  readonly notAfter: UnixSeconds
  readonly now: UnixSeconds
  readonly plan: PlanView
  /** In [0, 1): decides between places that are equally good. */
  readonly draw: number
}

export interface RenewalWindow {
  readonly windowStart: UnixSeconds
  /** Inclusive, and after `windowStart`. */
  readonly windowEnd: UnixSeconds
  /** Where the renewal counts in the plan. */
  readonly bucket: UnixSeconds
}

/** What a bucket may take beyond an even share: room for the levelling to succeed, and no more. */
export const LOAD_MARGIN = 1.1

const DAY = 86_400
/** Each divides the next, so that what was counted in small buckets adds up in larger ones. */
const WIDTHS = [5, 15, 60, 300, 900, 3600, 21_600, 43_200, DAY, 7 * DAY] as const
/** A life has at least so many buckets, where it is long enough. */
const BUCKETS_A_LIFE = 180

/** Seconds from notBefore to notAfter, that second included. */
export function lifeOf({ notBefore, notAfter }: { readonly notBefore: UnixSeconds; readonly notAfter: UnixSeconds }) {
  return notAfter - notBefore + 1
}

/** How wide the buckets for certificates of this life are: a day for a year, five minutes for a day. */
export function bucketWidth(lifeSeconds: number): number {
  return WIDTHS.findLast(width => lifeSeconds / width >= BUCKETS_A_LIFE) ?? WIDTHS[0]
}

interface Planned {
  readonly notBefore: UnixSeconds
  readonly notAfter: UnixSeconds
  readonly windowStart: UnixSeconds
}

/** The bucket that a credential's window counts in. */
export function windowBucket(credential: Planned): UnixSeconds {
  return floorTo(credential.windowStart, bucketWidth(lifeOf(credential)))
}

/** The bucket that a credential's last second counts in: never wider than a day, for the sake of who reads the horizon. */
export function expiryBucket(credential: Omit<Planned, 'windowStart'>): UnixSeconds {
  return floorTo(credential.notAfter, Math.min(DAY, bucketWidth(lifeOf(credential))))
}

/** How many renewals a bucket takes before it counts as full. */
export function bucketCapacity(
  fleet: number,
  lifeSeconds: number,
  policy: Pick<RenewalPolicy, 'opensAtFraction'>,
): number {
  const buckets = (lifeSeconds * policy.opensAtFraction) / bucketWidth(lifeSeconds)
  return Math.max(1, Math.ceil((fleet * LOAD_MARGIN) / buckets))
}

/**
 * The window: the bucket nearest to the opening that is not full; where all are, the least loaded one. It lies between the earliest and
 * the latest time of the policy, not in the past, and before the certificate's end. Where less than a bucket is left of that, the window
 * is what is left.
 */
export function chooseWindow(request: WindowRequest): RenewalWindow {
  const { policy, notBefore, notAfter, now, plan, draw } = request
  const life = lifeOf(request)
  const width = bucketWidth(life)
  const at = (fraction: number) => notBefore + Math.floor(life * fraction)
  const latest = Math.min(at(policy.latestFraction), notAfter)
  const earliest = Math.max(Math.min(at(policy.earliestFraction), latest), now)
  const first = Math.ceil(earliest / width) * width
  const last = floorTo(latest + 1, width) - width
  if (first > last) return whatIsLeft(earliest, latest, notAfter, width)
  const opening = Math.min(Math.max(floorTo(at(policy.opensAtFraction), width), first), last)
  const bucket = nearestWithRoom(
    { opening, first, last, width },
    bucketCapacity(plan.fleet + 1, life, policy),
    plan,
    draw,
  )
  return { windowStart: bucket, windowEnd: bucket + width - 1, bucket }
}

interface Reach {
  readonly opening: UnixSeconds
  readonly first: UnixSeconds
  readonly last: UnixSeconds
  readonly width: number
}

function nearestWithRoom({ opening, first, last, width }: Reach, capacity: number, plan: PlanView, draw: number) {
  const side = draw < 0.5 ? -1 : 1
  let best = opening
  let least = Number.POSITIVE_INFINITY
  for (let distance = 0; ; distance += width) {
    const one = opening + side * distance
    const other = opening - side * distance
    const oneIsThere = one >= first && one <= last
    const otherIsThere = distance > 0 && other >= first && other <= last
    if (!oneIsThere && !otherIsThere) return best
    for (const bucket of oneIsThere && otherIsThere ? [one, other] : [oneIsThere ? one : other]) {
      const load = plan.planned(bucket)
      if (load < capacity) return bucket
      if (load < least) {
        least = load
        best = bucket
      }
    }
  }
}

function whatIsLeft(earliest: UnixSeconds, latest: UnixSeconds, notAfter: UnixSeconds, width: number): RenewalWindow {
  const windowStart = Math.min(earliest, notAfter - 1)
  const windowEnd = latest > windowStart ? latest : notAfter
  return { windowStart, windowEnd, bucket: floorTo(windowStart, width) }
}

function floorTo(at: UnixSeconds, width: number): UnixSeconds {
  return Math.floor(at / width) * width
}
