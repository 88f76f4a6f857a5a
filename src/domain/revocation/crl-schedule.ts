// When lists are published, how long they may be relied on, and what stays on them (RFC 5280 §5.1.2.5, §5.2.4, §3.3).

/** How long a CRL may be relied on, and how long before its end the next one comes: between the two lies the overlap. */
export interface CrlSchedule {
  readonly lifetimeSeconds: number
  readonly renewBeforeSeconds: number
  /**
   * An expired certificate stays on the list this long: longer than from one scheduled list to the next, so that it is on at least one that
   * was issued after its end (RFC 5280 §3.3).
   */
  readonly keepExpiredSeconds: number
  /** `null`: no delta CRLs. */
  readonly delta: DeltaSchedule | null
}

export interface DeltaSchedule {
  /** Half of it before its end the next one comes. */
  readonly lifetimeSeconds: number
  /** Lists with fewer entries go without: fetching them whole costs no more than the delta beside them. */
  readonly fromEntries: number
}

const HOUR = 3600
const DAY = 24 * HOUR

export const DEFAULT_CRL_SCHEDULE: CrlSchedule = {
  lifetimeSeconds: 7 * DAY,
  renewBeforeSeconds: 4 * DAY,
  keepExpiredSeconds: 8 * DAY,
  delta: { lifetimeSeconds: DAY, fromEntries: 1000 },
}

/** The offline root signs by hand: once a year, with a month to do it in. */
export const OFFLINE_CRL_SCHEDULE: CrlSchedule = {
  lifetimeSeconds: 400 * DAY,
  renewBeforeSeconds: 35 * DAY,
  keepExpiredSeconds: 400 * DAY,
  delta: null,
}

/** Changes in a delta CRL at most: what has more waits for the full list, which is on its way. */
export const MAX_DELTA_CHANGES = 5000
