// Which lists are to be published now. What was revoked goes out at once, in the delta CRL; the full one follows at once where it is small, and
// where it is large in its turn: at once after a pause, and not more often than its size bears while much is revoked.
import { asTouchmarkError } from '../../core/errors.ts'
import type { UnixSeconds } from '../ids.ts'
import type { PublicationHead, Work, Write } from '../ports.ts'
import type { CrlIssuer, PublishCrlPorts } from './crl-parts.ts'
import type { CrlSchedule } from './crl-schedule.ts'
import { crlPublicationName, deltaPublicationName } from './crl-series.ts'
import { isCrlDue, publishCrlAndDelta } from './publish-crl.ts'
import { publishDelta } from './publish-delta.ts'

/** Octets up to which a full CRL is made with each request: some tens of thousands of entries, in a fraction of a second. */
const SMALL = 1024 * 1024
/** Octets of full CRLs that are made in a second, on the average, while requests keep coming. */
const OCTETS_A_SECOND = 2 * 1024 * 1024
/** What one request may take; a full CRL of millions takes longer than a delta. */
const LEASE_SECONDS = { crl: 30, crl_full: 300 } as const

export interface CrlWorkPorts extends PublishCrlPorts {
  /** `undefined`: its key is not here. The offline root's CRL is made where its key is, by `touchmark authority crl`. */
  issuerOf(authority: string): Promise<CrlIssuer | undefined>
  shardUrl(authority: string, crlShard: number): string
  readonly schedule: CrlSchedule
}

/** Publishes every shard whose full or delta CRL is missing or near its end; returns how many. */
export async function publishDueCrls(
  issuer: CrlIssuer,
  shardUrl: (crlShard: number) => string,
  schedule: CrlSchedule,
  ports: PublishCrlPorts,
): Promise<number> {
  const { read } = ports.store
  const { id, crlShards } = issuer.record
  const ends = issuer.certificate.notAfter
  let published = 0
  for (let shard = 0; shard < crlShards; shard++) {
    const current = await read.publicationHead(crlPublicationName(id, shard))
    if (current === undefined || isCrlDue(current, schedule, ports.clock.now(), ends)) {
      await publishCrlAndDelta(issuer, shard, shardUrl(shard), schedule, ports)
      published++
    }
    if (schedule.delta === null) continue
    const delta = await read.publicationHead(deltaPublicationName(id, shard))
    const renewBeforeSeconds = schedule.delta.lifetimeSeconds / 2
    if (delta !== undefined && !isCrlDue(delta, { renewBeforeSeconds }, ports.clock.now(), ends)) continue
    if ((await publishDelta(issuer, shard, shardUrl(shard), schedule, ports)) !== undefined) published++
  }
  return published
}

/**
 * Takes the requested shards, publishes each, and closes the request. A shard that fails stays requested and is tried again
 * when its lease ends; the first failure is thrown after the others were tried. Returns how many shards have a newer list.
 */
export function publishRequestedCrls(ports: CrlWorkPorts): Promise<number> {
  return eachRequest('crl', 64, ports, async (issuer, crlShard, url, work) => {
    const { store, schedule, clock } = ports
    const full = await store.read.publicationHead(crlPublicationName(issuer.record.id, crlShard))
    await publishDelta(issuer, crlShard, url, schedule, ports)
    if (full !== undefined && full.octets > SMALL) {
      return [{ kind: 'work.request', topic: 'crl_full', key: work.key, dueAt: fullDueAt(full, clock.now()) }]
    }
    await publishCrlAndDelta(issuer, crlShard, url, schedule, ports)
    return []
  })
}

/** The same for the full CRLs of large shards, whose turn has come. */
export function publishRequestedFullCrls(ports: CrlWorkPorts): Promise<number> {
  return eachRequest('crl_full', 1, ports, async (issuer, crlShard, url) => {
    await publishCrlAndDelta(issuer, crlShard, url, ports.schedule, ports)
    return []
  })
}

/** Not sooner after the last one than the average rate allows, and not later than a minute. */
export function fullDueAt(last: Pick<PublicationHead, 'thisUpdate' | 'octets'>, now: UnixSeconds): UnixSeconds {
  return Math.max(now, last.thisUpdate + Math.min(60, Math.ceil(last.octets / OCTETS_A_SECOND)))
}

async function eachRequest(
  topic: keyof typeof LEASE_SECONDS,
  limit: number,
  ports: CrlWorkPorts,
  publish: (issuer: CrlIssuer, crlShard: number, url: string, work: Work) => Promise<readonly Write[]>,
): Promise<number> {
  const { store, clock } = ports
  const leased = await store.lease(topic, clock.now(), LEASE_SECONDS[topic], limit)
  let published = 0
  let failure: unknown
  for (const work of leased) {
    const slash = work.key.lastIndexOf('/')
    const authority = work.key.slice(0, slash)
    const crlShard = Number(work.key.slice(slash + 1))
    try {
      const issuer = await ports.issuerOf(authority)
      const more = issuer ? await publish(issuer, crlShard, ports.shardUrl(authority, crlShard), work) : []
      if (issuer) published++
      await store.commit({ writes: [{ kind: 'work.done', work }, ...more], audit: [] })
    } catch (thrown) {
      failure ??= thrown
    }
  }
  if (failure !== undefined) throw asTouchmarkError(failure)
  return published
}
