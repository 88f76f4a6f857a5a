// What alert rules and gauges are computed from: read from indexes and counters, bounded in number, whatever the size of the fleet.
import { parseCertificate } from '../../core/pki/certificate.ts'
import type { Authority, AuthorityState } from '../ca/authority.ts'
import type { Profile } from '../ca/profile.ts'
import type { CampaignState } from '../campaign/campaign.ts'
import type { UnixSeconds } from '../ids.ts'
import type { PublicationHead, StoreReader } from '../ports.ts'
import type { PlannedBucket } from '../renewal/credential.ts'
import { crlPublicationName } from '../revocation/crl-series.ts'
import type { RecentView } from './recent-counts.ts'

export interface AuthorityFacts {
  readonly id: string
  readonly kind: Authority['kind']
  readonly state: AuthorityState
  /** `null` while its certificate is awaited. */
  readonly notAfter: UnixSeconds | null
  /** Whether its key signs here. `false` is as it should be for an offline root. */
  readonly keyHere: boolean
  /** Whether the key is expected here: an issuing authority's, or one that signed in this process before. */
  readonly keyExpected: boolean
  readonly crls: readonly CrlFacts[]
  /** End of the certificate of its OCSP signer; `null`: it has none. */
  readonly ocspNotAfter: UnixSeconds | null
}

export interface CrlFacts {
  readonly shard: number
  /** `null`: there is none. */
  readonly list: Pick<PublicationHead, 'number' | 'thisUpdate' | 'nextUpdate' | 'octets'> | null
}

export interface ProfileFacts {
  readonly profile: string
  readonly lifetimeSeconds: number
  /** Certificates that are not renewed, by the bucket in which they end, past ones too. */
  readonly ends: readonly PlannedBucket[]
}

/** What only the process knows. */
export interface ProcessFacts {
  readonly recent: RecentView
  /** `null` where it cannot be said. */
  readonly disk: { readonly freeOctets: number; readonly totalOctets: number } | null
  /** Since when the log has entries that no checkpoint covers; `null`: it has none. */
  readonly logUnsignedSince: UnixSeconds | null
  readonly failingJobs: readonly { readonly name: string; readonly since: UnixSeconds }[]
  keyIsHere(keyUri: string): boolean
  keyWasHere(keyUri: string): boolean
  /** End of the OCSP signer of the authority, if it has one. */
  ocspNotAfter(authorityId: string): UnixSeconds | null
}

export interface AlertFacts extends Pick<ProcessFacts, 'recent' | 'disk' | 'logUnsignedSince' | 'failingJobs'> {
  readonly now: UnixSeconds
  readonly authorities: readonly AuthorityFacts[]
  readonly profiles: readonly ProfileFacts[]
  /** When the windows of those closed who have not renewed, longest ago first; at most `MAX_LISTED`. */
  readonly overdue: readonly UnixSeconds[]
  /** When those asked who wait for an operator, longest ago first; at most `MAX_LISTED`. */
  readonly waiting: readonly UnixSeconds[]
  readonly campaigns: readonly {
    readonly name: string
    readonly state: CampaignState
    readonly stateReason: string | null
  }[]
  /** Channels to which something could not be delivered, with how often. */
  readonly undelivered: ReadonlyMap<string, number>
}

/** Rows that are counted one by one; more are "at least so many". */
export const MAX_LISTED = 1000
/** Shards of CRLs that are looked at one by one. */
const MAX_CRLS = 2000
/** 9999-12-31T23:59:59Z. */
const FOREVER = 253_402_300_799

export interface FactPorts {
  readonly read: Pick<
    StoreReader,
    | 'authorities'
    | 'planned'
    | 'credentialsOverdue'
    | 'enrolments'
    | 'campaignsAtWork'
    | 'publicationHead'
    | 'deadDeliveries'
  >
  readonly authorities: { profiles(): Promise<readonly Profile[]> }
}

export async function gatherFacts(now: UnixSeconds, here: ProcessFacts, ports: FactPorts): Promise<AlertFacts> {
  const { read } = ports
  const [authorities, profiles, overdue, waiting, campaigns, dead] = await Promise.all([
    authorityFacts(here, read),
    profileFacts(ports),
    read.credentialsOverdue(now, { limit: MAX_LISTED }),
    read.enrolments('pending', { limit: MAX_LISTED }),
    read.campaignsAtWork(),
    read.deadDeliveries({ limit: MAX_LISTED }),
  ])
  const undelivered = new Map<string, number>()
  for (const { channel } of dead.items) undelivered.set(channel, (undelivered.get(channel) ?? 0) + 1)
  const { recent, disk, logUnsignedSince, failingJobs } = here
  return {
    now,
    recent,
    disk,
    logUnsignedSince,
    failingJobs,
    authorities,
    profiles,
    overdue: overdue.items.map(({ windowEnd }) => windowEnd),
    waiting: waiting.items.map(({ createdAt }) => createdAt),
    campaigns: campaigns.map(({ name, state, stateReason }) => ({ name, state, stateReason })),
    undelivered,
  }
}

async function authorityFacts(here: ProcessFacts, read: FactPorts['read']): Promise<AuthorityFacts[]> {
  let crlsLeft = MAX_CRLS
  const facts: AuthorityFacts[] = []
  for (const authority of await read.authorities()) {
    const { id, kind, state, keyUri } = authority
    const crls: CrlFacts[] = []
    const shards = state === 'awaiting_certificate' ? 0 : Math.min(authority.crlShards, crlsLeft)
    crlsLeft -= shards
    for (let shard = 0; shard < shards; shard++) {
      const publication = await read.publicationHead(crlPublicationName(id, shard))
      crls.push({ shard, list: publication ?? null })
    }
    facts.push({
      id,
      kind,
      state,
      notAfter: authority.certificate ? parseCertificate(authority.certificate).notAfter : null,
      keyHere: here.keyIsHere(keyUri),
      keyExpected: kind === 'issuing' || here.keyWasHere(keyUri),
      crls,
      ocspNotAfter: here.ocspNotAfter(id),
    })
  }
  return facts
}

/** Profiles of devices whose certificates end. */
async function profileFacts({ read, authorities }: FactPorts): Promise<ProfileFacts[]> {
  const facts: ProfileFacts[] = []
  for (const { name, holder, lifetimeSeconds } of await authorities.profiles()) {
    if (holder !== 'device' || lifetimeSeconds === null) continue
    facts.push({ profile: name, lifetimeSeconds, ends: await read.planned(name, 'expiry', 0, FOREVER) })
  }
  return facts
}
