// What a revocation would meet, before anything is done: how many certificates of which devices, of which models and owners, what stops working,
// until when those that nobody reaches keep being believed, which campaigns it cuts into. How many certificates there are is counted, however many;
// what is told of their devices comes from every one of them, or, where there are very many, from a share that says so.
import type { CampaignId, DeviceId, UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import { type CertificateQuery, meetsConditions, type SelectedCertificate } from './certificate-query.ts'
import { type TallyReader, tallyMeant } from './certificate-tally.ts'

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
  /** Counted, however many, as is the last expiry. */
  readonly certificates: number
  /** `null`: everything was looked at. Else how many certificates were, spread over all: the other figures follow from those. */
  readonly sampled: number | null
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
  /** Some that it would meet. */
  readonly sample: readonly SampleCertificate[]
}

/** Certificates that are looked at one by one. */
export const LOOKED_AT = 5_000
const PAGE = 1_000
const DAY = 86_400
const RECENT = 30 * DAY
const HORIZONS = [0, 7, 30, 90, 365] as const
const SHOWN = 50
/** Names that are counted apart; what comes later is counted together. */
const MAX_NAMES = 10_000
const SAMPLE = 20

type PreviewReader = TallyReader &
  Pick<StoreReader, 'certificatesAt' | 'deviceSketches' | 'campaignsAtWork' | 'campaignDevicesUnderWay'>

/** Counts what the query means. `progress` is told the certificates counted so far. `lookedAt`: how many are looked at one by one. */
export async function previewRevocation(
  query: CertificateQuery,
  now: UnixSeconds,
  read: PreviewReader,
  { progress, lookedAt = LOOKED_AT }: { progress?: (certificates: number) => void; lookedAt?: number } = {},
): Promise<RevocationPreview> {
  const meant = await tallyMeant(query, { atMost: lookedAt }, read, progress)
  const { certificates, lastExpiry, sampled } = meant
  const look = new Look(
    query,
    now,
    read,
    (await read.campaignsAtWork()).map(({ id, name }) => ({ id, name })),
  )
  const sampleEvery = Math.max(1, Math.floor(sampled.length / SAMPLE))
  for (let from = 0; from < sampled.length; from += PAGE) await look.at(sampled.slice(from, from + PAGE), sampleEvery)
  const isAll = sampled.length === certificates
  return {
    certificates,
    sampled: isAll ? null : look.certificates,
    lastExpiry,
    ...look.seen(isAll || look.certificates === 0 ? 1 : certificates / look.certificates),
  }
}

/** How many the query means, and nothing else. */
export async function countSelected(query: CertificateQuery, read: TallyReader): Promise<number> {
  return (await tallyMeant(query, { atMost: 0 }, read)).certificates
}

/** How many certificates of how many devices. */
export async function countWithDevices(
  query: CertificateQuery,
  read: TallyReader,
): Promise<{ readonly certificates: number; readonly devices: number }> {
  return tallyMeant(query, { atMost: 0, countDevices: true }, read)
}

/**
 * What is seen of certificates of a share of all, and of their devices. A device that has several which are meant is met as often by chance:
 * each time it counts for its part, so that together it counts once.
 */
class Look {
  readonly #query: CertificateQuery
  readonly #now: UnixSeconds
  readonly #read: PreviewReader
  readonly #campaigns: readonly { readonly id: CampaignId; readonly name: string; devices: number }[]
  readonly #byState = new Names()
  readonly #byKeyAlgorithm = new Names()
  readonly #byAuthority = new Names()
  readonly #byProfile = new Names()
  readonly #models = new Names()
  readonly #owners = new Names()
  readonly #contact = { recent: 0, silent: 0, never: 0 }
  readonly #ends = new Array<number>(HORIZONS.length + 1).fill(0)
  readonly #sample: SampleCertificate[] = []
  #devices = 0
  #some = 0
  #withoutOwner = 0
  certificates = 0

  constructor(
    query: CertificateQuery,
    now: UnixSeconds,
    read: PreviewReader,
    campaigns: readonly { readonly id: CampaignId; readonly name: string }[],
  ) {
    this.#query = query
    this.#now = now
    this.#read = read
    this.#campaigns = campaigns.map(campaign => ({ ...campaign, devices: 0 }))
  }

  async at(auditIndexes: readonly number[], sampleEvery: number): Promise<void> {
    const items = await this.#read.certificatesAt(auditIndexes)
    const standing = await standingOf(items, this.#query, this.#now, this.#read)
    const sketches = new Map((await this.#read.deviceSketches([...standing.keys()])).map(each => [each.id, each]))
    const parts = new Map<DeviceId, number>()
    for (const item of items) {
      const { authorityId, serialNumber, profile, notAfter, keyAlgorithm, deviceId } = item
      const device = sketches.get(deviceId)
      if (device === undefined) continue
      if (this.certificates++ % sampleEvery === 0 && this.#sample.length < SAMPLE) {
        const { id, model, serialNumber: serial, owner } = device
        const its = { id, model, serialNumber: serial, owner }
        this.#sample.push({ authorityId, serialNumber, profile, notAfter, device: its })
      }
      this.#byAuthority.count(authorityId, 1)
      this.#byProfile.count(profile, 1)
      if (keyAlgorithm !== null) this.#byKeyAlgorithm.count(keyAlgorithm, 1)
      const horizon = HORIZONS.findIndex(days => notAfter - this.#now <= days * DAY)
      this.#ends[horizon < 0 ? HORIZONS.length : horizon]!++
      const { meant, left } = standing.get(deviceId)!
      const part = 1 / Math.max(1, meant)
      parts.set(deviceId, (parts.get(deviceId) ?? 0) + part)
      this.#devices += part
      if (left) this.#some += part
      this.#byState.count(device.state, part)
      this.#models.count(device.model, part)
      if (device.owner === null) this.#withoutOwner += part
      else this.#owners.count(device.owner, part)
      const { lastSeenAt } = device
      this.#contact[lastSeenAt === null ? 'never' : lastSeenAt >= this.#now - RECENT ? 'recent' : 'silent'] += part
    }
    if (parts.size === 0) return
    const mean = [...parts.values()].reduce((sum, part) => sum + part, 0) / parts.size
    for (const campaign of this.#campaigns) {
      campaign.devices += mean * (await this.#read.campaignDevicesUnderWay(campaign.id, [...parts.keys()]))
    }
  }

  /** `times`: how many certificates each of these stands for. */
  seen(times: number) {
    const of = (count: number) => Math.round(count * times)
    const devices = of(this.#devices)
    const some = Math.min(devices, of(this.#some))
    const { recent, silent, never } = this.#contact
    return {
      devices,
      byState: this.#byState.all(times),
      byModel: this.#models.top(times),
      byOwner: this.#owners.top(times),
      others: {
        models: this.#models.others(times),
        owners: this.#owners.others(times),
        withoutOwner: of(this.#withoutOwner),
      },
      byAuthority: this.#byAuthority.all(times),
      byProfile: this.#byProfile.all(times),
      byKeyAlgorithm: this.#byKeyAlgorithm.all(times),
      left: { some, none: devices - some },
      contact: { recent: of(recent), silent: of(silent), never: of(never) },
      believedUntil: this.#ends.map((credentials, i) => ({
        withinDays: HORIZONS[i] ?? null,
        credentials: of(credentials),
      })),
      campaigns: this.#campaigns
        .map(campaign => ({ ...campaign, devices: of(campaign.devices) }))
        .filter(campaign => campaign.devices > 0),
      sample: this.#sample,
    }
  }
}

/** Of each device how many of its certificates are meant, and whether another live one is left to it. */
async function standingOf(
  items: readonly SelectedCertificate[],
  query: CertificateQuery,
  now: UnixSeconds,
  read: Pick<StoreReader, 'certificatesOfDevices'>,
): Promise<Map<DeviceId, { meant: number; left: boolean }>> {
  const standing = new Map(items.map(({ deviceId }) => [deviceId, { meant: 0, left: false }]))
  for (const certificate of await read.certificatesOfDevices([...standing.keys()])) {
    const { deviceId, status, notAfter } = certificate
    const its = standing.get(deviceId)!
    if (meetsConditions(query, certificate)) its.meant++
    else if (status.kind === 'good' && notAfter >= now) its.left = true
  }
  return standing
}

/** Counts by name: apart for so many names, the rest together. */
class Names {
  readonly #counts = new Map<string, number>()
  #rest = 0

  count(name: string, part: number): void {
    const known = this.#counts.get(name)
    if (known === undefined && this.#counts.size >= MAX_NAMES) this.#rest += part
    else this.#counts.set(name, (known ?? 0) + part)
  }

  all(times: number): Record<string, number> {
    return Object.fromEntries([...this.#counts].map(([name, each]) => [name, Math.round(each * times)]))
  }

  top(times: number): Tally[] {
    return this.#sorted()
      .slice(0, SHOWN)
      .map(({ name, count }) => ({ name, count: Math.round(count * times) }))
  }

  others(times: number): number {
    const rest = this.#sorted()
      .slice(SHOWN)
      .reduce((sum, { count }) => sum + count, this.#rest)
    return Math.round(rest * times)
  }

  #sorted(): Tally[] {
    return [...this.#counts].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count)
  }
}
