// What a query would touch, before anything is done: how many devices and credentials, whose, and until when those that nobody reaches keep
// being believed by whoever checks no revocation. Read page by page; memory does not grow with the fleet.
import type { DeviceQuery } from '../device/device-query.ts'
import type { UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'

export interface BlastRadius {
  readonly devices: number
  readonly byState: Readonly<Record<string, number>>
  readonly byAuthority: Readonly<Record<string, number>>
  readonly byKeyAlgorithm: Readonly<Record<string, number>>
  /** Heard from in the last 30 days, longer ago, and never. */
  readonly contact: { readonly recent: number; readonly silent: number; readonly never: number }
  /** Credentials by when they end: whoever cannot ask for status believes them until then. */
  readonly believedUntil: readonly { readonly withinDays: number | null; readonly credentials: number }[]
  readonly lastExpiry: UnixSeconds | null
}

export const PAGE = 2000
const DAY = 86_400
const RECENT = 30 * DAY
const HORIZONS = [0, 7, 30, 90, 365] as const

/** Counts what the query means. `progress` is told the devices counted so far, page by page. */
export async function blastRadius(
  query: DeviceQuery,
  now: UnixSeconds,
  read: Pick<StoreReader, 'selectDevices'>,
  progress?: (devices: number) => void,
): Promise<BlastRadius> {
  let devices = 0
  let lastExpiry: UnixSeconds | null = null
  const byState: Record<string, number> = {}
  const byAuthority: Record<string, number> = {}
  const byKeyAlgorithm: Record<string, number> = {}
  const contact = { recent: 0, silent: 0, never: 0 }
  const ends = new Array<number>(HORIZONS.length + 1).fill(0)
  for await (const { state, credential, lastSeenAt } of selected(query, read, () => progress?.(devices))) {
    devices++
    count(byState, state)
    contact[lastSeenAt === null ? 'never' : lastSeenAt >= now - RECENT ? 'recent' : 'silent']++
    if (credential === null) continue
    count(byAuthority, credential.authorityId)
    count(byKeyAlgorithm, credential.keyAlgorithm)
    const left = credential.notAfter - now
    const horizon = HORIZONS.findIndex(days => left <= days * DAY)
    ends[horizon < 0 ? HORIZONS.length : horizon]!++
    if (lastExpiry === null || credential.notAfter > lastExpiry) lastExpiry = credential.notAfter
  }
  const believedUntil = ends.map((credentials, i) => ({ withinDays: HORIZONS[i] ?? null, credentials }))
  return { devices, byState, byAuthority, byKeyAlgorithm, contact, believedUntil, lastExpiry }
}

/** Everything that the query means, page by page. */
export async function* selected(
  query: DeviceQuery,
  read: Pick<StoreReader, 'selectDevices'>,
  onPage?: () => void,
): AsyncGenerator<Awaited<ReturnType<StoreReader['selectDevices']>>['items'][number], void, undefined> {
  let after: string | undefined
  for (;;) {
    const page = await read.selectDevices(query, { limit: PAGE, ...(after === undefined ? {} : { after }) })
    yield* page.items
    onPage?.()
    if (page.next === null) return
    after = page.next
  }
}

function count(into: Record<string, number>, key: string): void {
  into[key] = (into[key] ?? 0) + 1
}
