// What is coming: how many certificates end and how many renewals begin in each day or week, from the counters of the renewal plan. Its cost
// grows with the days that are looked at, never with the fleet.
import type { UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import type { PlannedBucket } from './credential.ts'

export const HORIZON_PERIODS = { day: 86_400, week: 7 * 86_400 } as const
export type HorizonPeriod = keyof typeof HORIZON_PERIODS

export interface HorizonRow {
  /** First second of the day or week. */
  readonly start: UnixSeconds
  /** Certificates that end, unless they are renewed before. */
  readonly expiring: number
  /** Renewals whose window begins. */
  readonly renewing: number
}

export interface ProfileHorizon {
  readonly profile: string
  /** In order of time, without those in which nothing happens. */
  readonly rows: readonly HorizonRow[]
  /** Certificates that ended before the first row and were not renewed. */
  readonly expired: number
  /** Renewals whose window began before the first row and that did not happen yet. */
  readonly begun: number
  /** Certificates that have not ended. */
  readonly live: number
}

/** 9999-12-31T23:59:59Z. */
const FOREVER = 253_402_300_799

/** From the start of the day of `now` (UTC) on, for `seconds`; one horizon for each profile, in the order given. */
export async function expiryHorizon(
  request: {
    readonly profiles: readonly string[]
    readonly now: UnixSeconds
    readonly seconds: number
    readonly by: HorizonPeriod
  },
  read: Pick<StoreReader, 'planned'>,
): Promise<ProfileHorizon[]> {
  const from = floorTo(request.now, HORIZON_PERIODS.day)
  const until = from + request.seconds
  return Promise.all(
    request.profiles.map(async profile => {
      const [ends, windows] = await Promise.all([
        read.planned(profile, 'expiry', 0, FOREVER),
        read.planned(profile, 'window', 0, until),
      ])
      const live = count(ends, from, FOREVER)
      return {
        profile,
        rows: rowsOf(ends, windows, from, until, HORIZON_PERIODS[request.by]),
        expired: count(ends, 0, from),
        begun: count(windows, 0, from),
        live,
      }
    }),
  )
}

function rowsOf(
  ends: readonly PlannedBucket[],
  windows: readonly PlannedBucket[],
  from: UnixSeconds,
  until: UnixSeconds,
  period: number,
): HorizonRow[] {
  const rows = new Map<UnixSeconds, { expiring: number; renewing: number }>()
  const add = (buckets: readonly PlannedBucket[], what: 'expiring' | 'renewing') => {
    for (const { start, planned } of buckets) {
      if (start < from || start >= until) continue
      const at = from + floorTo(start - from, period)
      const row = rows.get(at) ?? { expiring: 0, renewing: 0 }
      row[what] += planned
      rows.set(at, row)
    }
  }
  add(ends, 'expiring')
  add(windows, 'renewing')
  return Array.from(rows, ([start, row]) => ({ start, ...row })).sort((a, b) => a.start - b.start)
}

function count(buckets: readonly PlannedBucket[], from: UnixSeconds, until: UnixSeconds): number {
  return buckets.reduce((sum, { start, planned }) => (start >= from && start < until ? sum + planned : sum), 0)
}

function floorTo(value: number, width: number): number {
  return Math.floor(value / width) * width
}
