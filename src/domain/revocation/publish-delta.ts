// The delta CRL of a shard (RFC 5280 §5.2.4): what changed since the oldest full CRL that somebody may still hold, from the log of status
// changes. With any full CRL from that one on, it says what a full CRL of now would say.
import { fromHex } from '../../core/bytes/hex.ts'
import { CrlBuilder, type CrlEntryColumns } from '../../core/pki/crl-builder.ts'
import { encodeDeltaCrlIndicator } from '../../core/pki/crl-extensions.ts'
import { CRL_REASONS, type CrlReason } from '../../core/pki/crl-reason.ts'
import { extension } from '../../core/pki/extensions.ts'
import { OID } from '../../core/pki/oids.ts'
import type { AuthorityId, SerialNumber, UnixSeconds } from '../ids.ts'
import type { Publication, StatusChange, StoreReader } from '../ports.ts'
import { placePublication } from '../publication-body.ts'
import {
  CRL_CONTENT_TYPE,
  type CrlIssuer,
  commonExtensions,
  type PublishCrlPorts,
  publishedEntry,
  signCrl,
} from './crl-parts.ts'
import { type CrlSchedule, MAX_DELTA_CHANGES } from './crl-schedule.ts'
import {
  againstOthers,
  type CrlBase,
  crlBases,
  crlPublicationName,
  deltaPublicationName,
  takeNumber,
} from './crl-series.ts'

/** Rows that are read at once. */
const PAGE = 1000

/**
 * Publishes the shard's delta CRL as of now, under the next number of the series that it shares with the full ones. `undefined`: there is no
 * full CRL to start from, or more changed since the last one than a delta should hold.
 */
export async function publishDelta(
  issuer: CrlIssuer,
  crlShard: number,
  shardUrl: string,
  schedule: CrlSchedule,
  ports: PublishCrlPorts,
): Promise<Publication | undefined> {
  const { store, clock } = ports
  const { delta } = schedule
  if (delta === null) return undefined
  const { id } = issuer.record
  const shard = crlPublicationName(id, crlShard)
  return againstOthers(async () => {
    const bases = await crlBases(shard, store.read)
    if (bases.length === 0) return undefined
    // Taken before the changes are read, so that a delta with a higher number holds what this one holds; and for good: where the process dies
    // over the pieces of a long one, nobody comes to lie upon them.
    const thisUpdate = clock.now()
    const number = await takeNumber(shard, thisUpdate, store)
    const found = await changesSinceBase(id, crlShard, bases, store.read)
    if (found === undefined) return undefined
    const { base, changes } = found
    const builder = new CrlBuilder()
    builder.add(deltaEntries(changes, thisUpdate, schedule.keepExpiredSeconds))
    const nextUpdate = Math.min(thisUpdate + delta.lifetimeSeconds, issuer.certificate.notAfter)
    const extensions = [
      ...commonExtensions(issuer, number, shardUrl),
      extension(OID.deltaCRLIndicator, true, encodeDeltaCrlIndicator(base.number)),
    ]
    const bytes = await signCrl(builder, issuer, { thisUpdate, nextUpdate, extensions })
    const publication: Publication = {
      name: deltaPublicationName(id, crlShard),
      contentType: CRL_CONTENT_TYPE,
      bytes,
      number,
      thisUpdate,
      nextUpdate,
    }
    const said = { shard: crlShard, number, base: base.number, entries: builder.count }
    await placePublication(
      publication,
      {
        along: ({ sha256 }) => ({
          writes: [],
          audit: [publishedEntry(issuer, thisUpdate, { ...said, crlSha256: sha256 })],
        }),
      },
      store,
    )
    return publication
  })
}

/** The oldest base since which no more changed than a delta should hold, and what did. */
async function changesSinceBase(
  authorityId: AuthorityId,
  crlShard: number,
  bases: readonly CrlBase[],
  read: StoreReader,
): Promise<{ base: CrlBase; changes: StatusChange[] } | undefined> {
  // From the newest back: each older base adds what changed between the two.
  let found: { base: CrlBase; changes: StatusChange[] } | undefined
  let upTo = Number.MAX_SAFE_INTEGER
  for (const base of bases.toReversed()) {
    const earlier = await changesBetween(authorityId, crlShard, base.covers, upTo, read)
    if (earlier.length + (found?.changes.length ?? 0) > MAX_DELTA_CHANGES) return found
    found = { base, changes: [...earlier, ...(found?.changes ?? [])] }
    upTo = base.covers
  }
  return found
}

/** Changes that stand in [from, upTo) of the log; one more than a delta should hold at most. */
async function changesBetween(
  authorityId: AuthorityId,
  crlShard: number,
  from: number,
  upTo: number,
  read: StoreReader,
): Promise<StatusChange[]> {
  const changes: StatusChange[] = []
  for (let after = from - 1; changes.length <= MAX_DELTA_CHANGES; ) {
    const page = await read.statusChanges({ after, limit: PAGE, authorityId, crlShard })
    for (const change of page) if (change.auditIndex < upTo) changes.push(change)
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE || last.auditIndex >= upTo) break
    after = last.auditIndex
  }
  return changes
}

/**
 * One entry for each certificate that changed, with its status of now. Who is off hold leaves the list, and so does one that expired so long
 * ago that a full CRL of now does not list it: `removeFromCRL`, whether or not the base listed it (RFC 5280 §5.2.4).
 */
export function deltaEntries(
  changes: readonly StatusChange[],
  now: UnixSeconds,
  keepExpiredSeconds: number,
): CrlEntryColumns {
  const bySerial = new Map<SerialNumber, StatusChange>()
  for (const change of changes) bySerial.set(change.serialNumber, change)
  const rows = [...bySerial.values()].sort((a, b) => (a.serialNumber < b.serialNumber ? -1 : 1))
  const serials = rows.map(({ serialNumber }) => fromHex(serialNumber))
  const bytes = new Uint8Array(serials.reduce((sum, { length }) => sum + length, 0))
  const ends: number[] = []
  for (const serial of serials) {
    const at = ends.at(-1) ?? 0
    bytes.set(serial, at)
    ends.push(at + serial.length)
  }
  const said = rows.map(row => entryOf(row, now, keepExpiredSeconds))
  return {
    count: rows.length,
    serialNumbers: { bytes, ends },
    revokedAt: said.map(({ at }) => at),
    reasons: said.map(({ reason }) => CRL_REASONS[reason]),
    invalidityDates: said.map(({ invalidityDate }) => invalidityDate ?? Number.NaN),
  }
}

function entryOf(
  { status, notAfter }: StatusChange,
  now: UnixSeconds,
  keepExpiredSeconds: number,
): { readonly at: UnixSeconds; readonly reason: CrlReason; readonly invalidityDate: UnixSeconds | null } {
  if (status.kind === 'good') return { at: now, reason: 'removeFromCRL', invalidityDate: null }
  const { at, invalidityDate } = status
  if (notAfter < now - keepExpiredSeconds) return { at, reason: 'removeFromCRL', invalidityDate: null }
  return { at, reason: status.kind === 'held' ? 'certificateHold' : status.reason, invalidityDate }
}
