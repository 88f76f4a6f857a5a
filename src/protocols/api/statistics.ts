// The numbers of the fleet at a glance. Every one is read from counters that the changes themselves move: none is counted now, however large the
// store.
import { z } from 'zod'
import { parseCertificate } from '../../core/pki/certificate.ts'
import type { AuthorityDirectory } from '../../domain/ca/authorities.ts'
import type { Authority } from '../../domain/ca/authority.ts'
import type { Profile } from '../../domain/ca/profile.ts'
import { DEVICE_STATES } from '../../domain/device/device.ts'
import type { UnixSeconds } from '../../domain/ids.ts'
import type { StoreReader } from '../../domain/ports.ts'
import { expiryHorizon, HORIZON_PERIODS } from '../../domain/renewal/expiry-horizon.ts'
import { crlPublicationName } from '../../domain/revocation/crl-series.ts'
import { type Activity, HOUR } from '../../domain/statistics/activity.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { type Endpoint, endpoint, nameText, timestampText } from './endpoint.ts'

export interface StatisticsPorts {
  readonly read: StoreReader
  readonly authorities: Pick<AuthorityDirectory, 'profile'>
}

const count = z.int().min(0)

const activityRow = z
  .object({
    start: timestampText,
    enrolled: count,
    renewed: count,
    refused: count,
    revoked: count,
    held: count,
    registered: count,
  })
  .meta({ id: 'ActivityRow' })

const authorityHealth = z
  .object({
    id: z.string(),
    kind: z.enum(['root', 'intermediate', 'issuing']),
    state: z.enum(['awaiting_certificate', 'active', 'retired']),
    notBefore: timestampText.nullable(),
    notAfter: timestampText.nullable(),
    crl: z
      .object({ number: z.int(), thisUpdate: timestampText, nextUpdate: timestampText, fresh: z.boolean() })
      .nullable()
      .meta({ description: 'The one of its shards that ends first; null where none is published.' }),
  })
  .meta({ id: 'AuthorityHealth' })

const overview = z
  .object({
    at: timestampText,
    devices: z.object({
      total: count,
      byState: z.object(Object.fromEntries(DEVICE_STATES.map(state => [state, count])) as Record<string, typeof count>),
    }),
    certificates: count.meta({ description: 'Ever issued, those of the platform included.' }),
    activity: z
      .array(activityRow)
      .meta({ description: 'The last 48 hours, oldest first; the hour under way is last.' }),
    refusals: z
      .array(z.object({ code: z.string(), count }))
      .meta({ description: 'Requests refused in the last 24 hours, by code, most first.' }),
    renewal: z.object({
      live: count,
      expiredNotRenewed: count,
      windowsBegun: count.meta({
        description: 'Renewals whose window began before today and that did not happen yet.',
      }),
      endingWithin: z.array(z.object({ days: z.int(), certificates: count })),
    }),
    waiting: z.object({
      requests: count,
      more: z.boolean().meta({ description: 'Whether there are more than were counted.' }),
    }),
    campaigns: z.array(
      z.object({ id: z.string(), name: z.string(), state: z.string(), devices: count, wave: z.int(), waves: z.int() }),
    ),
    batches: z.array(
      z.object({
        id: z.string(),
        profile: z.string(),
        state: z.enum(['running', 'finished']),
        createdAt: timestampText,
      }),
    ),
    authorities: z.array(authorityHealth),
    log: z.object({
      size: count,
      checkpoint: z
        .object({ size: count, at: timestampText, entriesBehind: count })
        .nullable()
        .meta({ description: 'The newest that is signed.' }),
    }),
  })
  .meta({ id: 'Overview' })

const horizonRow = z.object({ start: timestampText, expiring: count, renewing: count }).meta({ id: 'HorizonRow' })
const horizon = z
  .object({
    by: z.enum(['day', 'week']),
    profiles: z.array(
      z.object({
        profile: z.string(),
        live: count,
        expired: count,
        begun: count,
        rows: z.array(horizonRow).meta({ description: 'In order of time, without those in which nothing happens.' }),
      }),
    ),
  })
  .meta({ id: 'Horizon' })

const ACTIVITY_HOURS = 48
const MAX_WAITING = 100
const ENDING_DAYS = [1, 7, 30, 90, 400] as const

export function statisticsEndpoints({ read, authorities }: StatisticsPorts): Endpoint[] {
  const profile = (name: string) => authorities.profile(name)
  return [
    endpoint({
      method: 'GET',
      path: '/statistics/overview',
      id: 'showOverview',
      tag: 'Statistics',
      summary: 'The fleet at a glance: is everything fine, and what needs attention today',
      permission: 'statistics.read',
      answer: overview,
      async handle({ now }) {
        return { body: await overviewOf(now, read, profile) }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/statistics/horizon',
      id: 'showHorizon',
      tag: 'Statistics',
      summary: 'How many certificates end and how many renewals begin, by day or week',
      permission: 'statistics.read',
      query: {
        days: z.int().min(1).max(4000).default(400),
        by: z.enum(['day', 'week']).default('day'),
        profile: nameText.optional(),
      },
      answer: horizon,
      async handle({ now, query: { days, by, profile: only } }) {
        if (only !== undefined) await profile(only)
        const profiles = only === undefined ? await renewedProfiles(read, profile) : [only]
        const horizons = await expiryHorizon({ profiles, now, seconds: days * HORIZON_PERIODS.day, by }, read)
        return {
          body: {
            by,
            profiles: horizons.map(({ rows, ...sums }) => ({
              ...sums,
              rows: rows.map(({ start, ...row }) => ({ start: timestamp(start), ...row })),
            })),
          },
        }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/statistics/activity',
      id: 'showActivity',
      tag: 'Statistics',
      summary: 'What happened, by the hour',
      permission: 'statistics.read',
      query: { hours: z.int().min(1).max(9600).default(ACTIVITY_HOURS) },
      answer: z.object({ rows: z.array(activityRow), refusals: z.array(z.object({ code: z.string(), count })) }),
      async handle({ now, query: { hours } }) {
        const activity = await read.activity(hourOf(now) - (hours - 1) * HOUR, hourOf(now) + HOUR)
        return { body: { rows: rowsOf(activity, now, hours), refusals: refusalsOf(activity) } }
      },
    }),
  ]
}

async function overviewOf(
  now: UnixSeconds,
  read: StoreReader,
  profile: (name: string) => Promise<Profile>,
): Promise<z.input<typeof overview>> {
  const profiles = await renewedProfiles(read, profile)
  const [counts, byState, activity, horizons, waiting, campaigns, batches, authorities, head, checkpoint] =
    await Promise.all([
      read.counts(),
      read.deviceCounts(),
      read.activity(hourOf(now) - (ACTIVITY_HOURS - 1) * HOUR, hourOf(now) + HOUR),
      expiryHorizon({ profiles, now, seconds: 400 * HORIZON_PERIODS.day, by: 'day' }, read),
      read.enrolments('pending', { limit: MAX_WAITING + 1 }),
      read.campaignsAtWork(),
      read.batches({ limit: 5 }),
      read.authorities(),
      read.auditHead(),
      read.latestCheckpoint(),
    ])
  const sum = (of: 'live' | 'expired' | 'begun') => horizons.reduce((total, each) => total + each[of], 0)
  return {
    at: timestamp(now),
    devices: {
      total: counts.devices,
      byState: Object.fromEntries(DEVICE_STATES.map(state => [state, byState[state] ?? 0])),
    },
    certificates: counts.certificates,
    activity: rowsOf(activity, now, ACTIVITY_HOURS),
    refusals: refusalsOf(activity.filter(({ hour }) => hour > now - 24 * HOUR)),
    renewal: {
      live: sum('live'),
      expiredNotRenewed: sum('expired'),
      windowsBegun: sum('begun'),
      endingWithin: ENDING_DAYS.map(days => ({
        days,
        certificates: horizons
          .flatMap(({ rows }) => rows)
          .filter(({ start }) => start < now + days * HORIZON_PERIODS.day)
          .reduce((total, { expiring }) => total + expiring, 0),
      })),
    },
    waiting: { requests: Math.min(waiting.items.length, MAX_WAITING), more: waiting.items.length > MAX_WAITING },
    campaigns: campaigns.map(({ id, name, state, devices, wave, waves }) => ({
      id,
      name,
      state,
      devices,
      wave,
      waves,
    })),
    batches: batches.items.map(({ id, profile: name, state, createdAt }) => ({
      id,
      profile: name,
      state,
      createdAt: timestamp(createdAt),
    })),
    authorities: await Promise.all(authorities.map(authority => healthOf(authority, now, read))),
    log: {
      size: head.size,
      checkpoint: checkpoint
        ? {
            size: checkpoint.size,
            at: timestamp(checkpoint.at),
            entriesBehind: Math.max(0, head.size - checkpoint.size),
          }
        : null,
    },
  }
}

/** Profiles of devices whose certificates end. */
export async function renewedProfiles(
  read: Pick<StoreReader, 'documents'>,
  profile: (name: string) => Promise<Profile>,
): Promise<string[]> {
  const names = (await read.documents('profile')).map(({ name }) => name)
  const profiles = await Promise.all(names.map(profile))
  return profiles.filter(each => each.holder === 'device' && each.lifetimeSeconds !== null).map(({ name }) => name)
}

/** State and validity of an authority, and whether its CRLs are fresh. */
export async function healthOf(
  authority: Authority,
  now: UnixSeconds,
  read: Pick<StoreReader, 'publicationHead'>,
): Promise<z.input<typeof authorityHealth>> {
  const { id, kind, state, crlShards } = authority
  const certificate = authority.certificate && parseCertificate(authority.certificate)
  const lists = await Promise.all(
    Array.from({ length: crlShards }, (_, shard) => read.publicationHead(crlPublicationName(id, shard))),
  )
  const [first] = lists.filter(each => each !== undefined).sort((a, b) => a.nextUpdate - b.nextUpdate)
  return {
    id,
    kind,
    state,
    notBefore: certificate && timestamp(certificate.notBefore),
    notAfter: certificate && timestamp(certificate.notAfter),
    crl: first
      ? {
          number: first.number,
          thisUpdate: timestamp(first.thisUpdate),
          nextUpdate: timestamp(first.nextUpdate),
          fresh: first.nextUpdate > now,
        }
      : null,
  }
}

function rowsOf(activity: readonly Activity[], now: UnixSeconds, hours: number): z.input<typeof activityRow>[] {
  const first = hourOf(now) - (hours - 1) * HOUR
  const rows = Array.from({ length: hours }, (_, i) => ({
    start: timestamp(first + i * HOUR),
    enrolled: 0,
    renewed: 0,
    refused: 0,
    revoked: 0,
    held: 0,
    registered: 0,
  }))
  for (const { hour, measure, amount } of activity) {
    const row = rows[(hour - first) / HOUR]
    if (row) row[measure] += amount
  }
  return rows
}

function refusalsOf(activity: readonly Activity[]): { code: string; count: number }[] {
  const codes = new Map<string, number>()
  for (const { measure, code, amount } of activity) {
    if (measure === 'refused') codes.set(code, (codes.get(code) ?? 0) + amount)
  }
  return Array.from(codes, ([code, total]) => ({ code, count: total })).sort(
    (a, b) => b.count - a.count || (a.code < b.code ? -1 : 1),
  )
}

const hourOf = (at: UnixSeconds) => at - (at % HOUR)
