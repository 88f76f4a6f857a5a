// What a revocation would meet, before anything is done: how many certificates of which devices, of which models and owners, what stops working,
// until when those that nobody reaches keep being believed, which campaigns it cuts into. Read page by page; memory does not grow with the fleet.
import type { CampaignId, DeviceId, UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import {
  type CertificateQuery,
  meetsConditions,
  type SelectedCertificate,
  selectedCertificates,
} from './certificate-query.ts'

export interface Tally {
  readonly name: string
  readonly count: number
}

export interface SampleCertificate
  extends Pick<SelectedCertificate, 'authorityId' | 'serialNumber' | 'profile' | 'notAfter'> {
  readonly device: {
    readonly id: DeviceId
    readonly model: string
    readonly serialNumber: string
    readonly owner: string | null
  }
}

export interface RevocationPreview {
  readonly certificates: number
  readonly devices: number
  /** Devices by state, models and owners: the most frequent; `others` counts the devices of the rest. */
  readonly byState: Readonly<Record<string, number>>
  readonly byModel: readonly Tally[]
  readonly byOwner: readonly Tally[]
  readonly others: { readonly models: number; readonly owners: number; readonly withoutOwner: number }
  /** Certificates. */
  readonly byAuthority: Readonly<Record<string, number>>
  readonly byKeyAlgorithm: Readonly<Record<string, number>>
  readonly byProfile: Readonly<Record<string, number>>
  /** Devices that keep another live certificate, and those that have none left and stop working. */
  readonly left: { readonly some: number; readonly none: number }
  readonly contact: { readonly recent: number; readonly silent: number; readonly never: number }
  readonly believedUntil: readonly { readonly withinDays: number | null; readonly credentials: number }[]
  readonly lastExpiry: UnixSeconds | null
  /** Campaigns at work of which some of the devices are a part that is not over. */
  readonly campaigns: readonly { readonly id: CampaignId; readonly name: string; readonly devices: number }[]
  /** The first that it would meet. */
  readonly sample: readonly SampleCertificate[]
}

const PAGE = 1_000
const DAY = 86_400
const RECENT = 30 * DAY
const HORIZONS = [0, 7, 30, 90, 365] as const
const SHOWN = 50
/** Names that are counted apart; what comes later is counted together. */
const MAX_NAMES = 10_000
const SAMPLE = 20

type PreviewReader = Pick<
  StoreReader,
  | 'selectCertificates'
  | 'selectDevices'
  | 'certificatesOfDevices'
  | 'deviceSketches'
  | 'campaignsAtWork'
  | 'campaignDevicesUnderWay'
>

/** Counts what the query means. `progress` is told the certificates counted so far, page by page. */
export async function previewRevocation(
  query: CertificateQuery,
  now: UnixSeconds,
  read: PreviewReader,
  progress?: (certificates: number) => void,
): Promise<RevocationPreview> {
  let certificates = 0
  let devices = 0
  let lastExpiry: UnixSeconds | null = null
  let some = 0
  let withoutOwner = 0
  const byState: Record<string, number> = {}
  const byAuthority: Record<string, number> = {}
  const byKeyAlgorithm: Record<string, number> = {}
  const byProfile: Record<string, number> = {}
  const models = new Names()
  const owners = new Names()
  const contact = { recent: 0, silent: 0, never: 0 }
  const ends = new Array<number>(HORIZONS.length + 1).fill(0)
  const sample: SampleCertificate[] = []
  const campaigns = (await read.campaignsAtWork()).map(({ id, name }) => ({ id, name, devices: 0 }))

  for await (const { items } of selectedCertificates(query, PAGE, read)) {
    if (items.length === 0) continue
    const standing = await standingOf(items, query, now, read)
    const sketches = new Map((await read.deviceSketches([...standing.keys()])).map(each => [each.id, each]))
    const met: DeviceId[] = []
    for (const [id, { first, left }] of standing) {
      if (!first) continue
      const sketch = sketches.get(id)
      if (sketch === undefined) continue
      met.push(id)
      devices++
      if (left) some++
      count(byState, sketch.state)
      models.count(sketch.model)
      if (sketch.owner === null) withoutOwner++
      else owners.count(sketch.owner)
      const { lastSeenAt } = sketch
      contact[lastSeenAt === null ? 'never' : lastSeenAt >= now - RECENT ? 'recent' : 'silent']++
    }
    for (const item of items) {
      const { authorityId, serialNumber, profile, notAfter, keyAlgorithm, deviceId } = item
      certificates++
      count(byAuthority, authorityId)
      count(byProfile, profile)
      if (keyAlgorithm !== null) count(byKeyAlgorithm, keyAlgorithm)
      const horizon = HORIZONS.findIndex(days => notAfter - now <= days * DAY)
      ends[horizon < 0 ? HORIZONS.length : horizon]!++
      if (lastExpiry === null || notAfter > lastExpiry) lastExpiry = notAfter
      const device = sample.length < SAMPLE ? sketches.get(deviceId) : undefined
      if (device !== undefined) {
        const { id, model, serialNumber: serial, owner } = device
        sample.push({
          authorityId,
          serialNumber,
          profile,
          notAfter,
          device: { id, model, serialNumber: serial, owner },
        })
      }
    }
    if (met.length > 0) {
      for (const campaign of campaigns) campaign.devices += await read.campaignDevicesUnderWay(campaign.id, met)
    }
    progress?.(certificates)
  }
  return {
    certificates,
    devices,
    byState,
    byModel: models.top(),
    byOwner: owners.top(),
    others: { models: models.others(), owners: owners.others(), withoutOwner },
    byAuthority,
    byKeyAlgorithm,
    byProfile,
    left: { some, none: devices - some },
    contact,
    believedUntil: ends.map((credentials, i) => ({ withinDays: HORIZONS[i] ?? null, credentials })),
    lastExpiry,
    campaigns: campaigns.filter(campaign => campaign.devices > 0),
    sample,
  }
}

/** How many the query means, and nothing else. */
export async function countSelected(query: CertificateQuery, read: PreviewReader): Promise<number> {
  let count = 0
  for await (const { items } of selectedCertificates(query, 2_000, read)) count += items.length
  return count
}

/**
 * Of each device of the page whether it is met for the first time (in the order of issue, by the first of its certificates that is meant), and
 * whether another live certificate is left to it.
 */
async function standingOf(
  items: readonly SelectedCertificate[],
  query: CertificateQuery,
  now: UnixSeconds,
  read: Pick<StoreReader, 'certificatesOfDevices'>,
): Promise<Map<DeviceId, { first: boolean; left: boolean }>> {
  const here = new Set(items.map(({ auditIndex }) => auditIndex))
  const firsts = new Map<DeviceId, number>()
  const standing = new Map(items.map(({ deviceId }) => [deviceId, { first: false, left: false }]))
  for (const certificate of await read.certificatesOfDevices([...standing.keys()])) {
    const { deviceId, auditIndex, status, notAfter } = certificate
    if (meetsConditions(query, certificate)) {
      firsts.set(deviceId, Math.min(auditIndex, firsts.get(deviceId) ?? auditIndex))
    } else if (status.kind === 'good' && notAfter >= now) standing.get(deviceId)!.left = true
  }
  for (const [id, first] of firsts) standing.get(id)!.first = here.has(first)
  return standing
}

/** Counts by name: exactly for so many names, the rest together. */
class Names {
  readonly #counts = new Map<string, number>()
  #rest = 0

  count(name: string): void {
    const known = this.#counts.get(name)
    if (known === undefined && this.#counts.size >= MAX_NAMES) this.#rest++
    else this.#counts.set(name, (known ?? 0) + 1)
  }

  top(): Tally[] {
    return this.#sorted().slice(0, SHOWN)
  }

  others(): number {
    return this.#sorted()
      .slice(SHOWN)
      .reduce((sum, { count: each }) => sum + each, this.#rest)
  }

  #sorted(): Tally[] {
    return [...this.#counts].map(([name, each]) => ({ name, count: each })).sort((a, b) => b.count - a.count)
  }
}

function count(into: Record<string, number>, key: string): void {
  into[key] = (into[key] ?? 0) + 1
}
