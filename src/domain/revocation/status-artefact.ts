// The status artefact of an authority, kept true: docs/formats/status-artefact.md. What changed goes out at once, as exceptions to what was built
// before; building over the whole universe happens beside that, seldom, in a thread of its own.

import { equalBytes } from '../../core/bytes/bytes.ts'
import { fromHex } from '../../core/bytes/hex.ts'
import { parseSign1 } from '../../core/cose/sign1.ts'
import { type StatusNow, type StatusSets, setsOctets, withChanges } from '../../core/filter/build-status.ts'
import type { CollectedStatus } from '../../core/filter/collect-status.ts'
import type { ExactFilter } from '../../core/filter/exact-filter.ts'
import {
  encodeStatusArtefact,
  isRevoked,
  issuedAt,
  STATUS_CONTENT_TYPE,
  serialOctets,
} from '../../core/filter/status-artefact.ts'
import { parseStatusBody, SERIAL_OCTETS, type StatusBody, type StatusHead } from '../../core/filter/status-body.ts'
import { composeStatusDelta, difference } from '../../core/filter/status-delta.ts'
import type { Certificate } from '../../core/pki/certificate.ts'
import { readSpki } from '../../crypto/algorithms.ts'
import { coseAlgorithm, toCoseSignature } from '../../crypto/cose-signature.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { Signer } from '../../crypto/signer.ts'
import { issuerKeyHash } from '../../crypto/status-signer.ts'
import { verifyOwnSignature } from '../ca/sign.ts'
import type { AuthorityId, UnixSeconds } from '../ids.ts'
import type { Clock, OctetsColumn, Publication, Store, StoreReader, Write } from '../ports.ts'
import { placePublication } from '../publication-body.ts'
import { changedSince, encodeStatusHistory, parseStatusHistory, type StatusHistory } from './status-history.ts'

/** Who signs for an authority. */
export interface StatusIssuer {
  readonly authorityId: AuthorityId
  readonly authority: Certificate
  readonly crlShards: number
  /** The delegated signer's certificate, or the authority's own. */
  readonly certificate: Certificate
  readonly signer: Signer
}

export interface StatusSchedule {
  /** How long an artefact may be relied on at most; never longer than the signer's certificate lasts. */
  readonly lifetimeSeconds: number
  /** How much longer a device may that cannot get another. */
  readonly graceSeconds: number
  /** A new one comes after so long where something was issued: the artefact is to cover it. */
  readonly everySeconds: number
  /** What was issued so long ago stands in the store, or never will. */
  readonly marginSeconds: number
}

export const DEFAULT_STATUS_SCHEDULE: StatusSchedule = {
  lifetimeSeconds: 7 * 86_400,
  graceSeconds: 90 * 86_400,
  everySeconds: 3_600,
  marginSeconds: 60,
}

export interface StatusPorts {
  readonly store: Store
  readonly clock: Clock
  readonly schedule: StatusSchedule
}

/** Builds sets over a universe, away from the thread that answers requests. */
export interface StatusBuilder {
  build(pieces: AsyncIterable<StatusPiece>, upon: readonly ExactFilter[]): Promise<CollectedStatus>
}

/** Serial numbers of `SERIAL_OCTETS`, end to end; those that are revoked or held come first. */
export interface StatusPiece {
  readonly kind: 'revoked' | 'issued'
  readonly serials: Uint8Array
}

export type StatusPublished =
  | { readonly kind: 'published'; readonly epoch: number; readonly rebuild: boolean }
  /** There is nothing to begin with: it has to be built. */
  | { readonly kind: 'absent' }

export function statusPublicationName(authority: string): string {
  return `status/${authority}`
}

function historyName(authority: string): string {
  return `status-history/${authority}`
}

/** Changes that a new epoch takes as exceptions; with more of them, building is cheaper. */
const MAX_CHANGES = 16_384
/** Octets of exceptions that cause a build whatever it costs: as many again as a large artefact has. */
const MAX_EXCEPTION_OCTETS = 512 * 1024
/** And octets of them that cause a build: this many, or the share of what the segments take. */
const FEW_EXCEPTION_OCTETS = 1_024
const EXCEPTION_SHARE = 1 / 4
/** After a build, a pause so many times as long as it took, so that a stream of revocations does not keep a core busy. */
const PAUSE = 10
/** Expired certificates leave, and segments that were added are merged, once a day. */
const WHOLE_EVERY = 86_400
/** The epoch counts seconds from 2020 where it has nothing to count on: it grows also where a store came back from a backup. */
const EPOCH_ZERO = 1_577_836_800

/** An artefact that is in place, with what is remembered of it. */
interface Current {
  readonly publication: Publication
  readonly body: StatusBody
  readonly history: StatusHistory
}

/** Puts out a new epoch with everything that the log knows, upon what was built. Throws `publication.outdated` where another process came first. */
export async function publishStatus(issuer: StatusIssuer, ports: StatusPorts): Promise<StatusPublished> {
  const current = await readCurrent(issuer.authorityId, ports.store.read)
  if (current === undefined) return { kind: 'absent' }
  const { body, history } = current
  const { universe, revoked } = body.head
  const { through, newest } = history
  return advance(issuer, current, { sets: body, through, newest, universe, revoked }, () => history, ports)
}

/** Builds over the whole universe, and puts out a new epoch. Throws `publication.outdated` where another process came first. */
export async function rebuildStatus(
  issuer: StatusIssuer,
  builder: StatusBuilder,
  ports: StatusPorts,
): Promise<StatusPublished> {
  const { store, clock } = ports
  const before = await readCurrent(issuer.authorityId, store.read)
  const at = clock.now()
  const whole = before === undefined || at - before.history.wholeAt >= WHOLE_EVERY
  const upon = whole ? [] : before.body.segments
  const through = (await store.read.auditHead()).size - 1
  let newest = 0
  const everything = universeOf(issuer, through, at, store.read, serial => {
    newest = Math.max(newest, secondOf(serial, at))
  })
  const { sets, universe, revoked } = await builder.build(everything, upon)
  // Meanwhile others may have put out epochs: what they knew is read again. Where one of them was built anew, this one is not needed.
  const current = await readCurrent(issuer.authorityId, store.read)
  if (current?.history.built.epoch !== before?.history.built.epoch) {
    return { kind: 'published', epoch: current!.body.head.epoch, rebuild: false }
  }
  const kept =
    upon.length > 0 && sets.segments[0] !== undefined && sameFilter(sets.segments[0], upon[0]!) ? upon.length : 0
  const built = (epoch: number): StatusHistory => ({
    through,
    newest,
    built: { epoch, at, seconds: clock.now() - at },
    wholeAt: kept > 0 ? before!.history.wholeAt : at,
    segments: sets.segments.map((_, i) => (i < kept ? before!.history.segments[i]! : epoch)),
    signer: current?.history.signer ?? epoch,
    changes: [],
  })
  return advance(issuer, current, { sets, through, newest, universe, revoked }, built, ports)
}

/**
 * Whether a new epoch is due although nobody asked for one: half of the time of the last one is over, it does not cover what was issued, or a
 * change is not out. The last is for builds: a process that dies in one has taken the request with it.
 */
export async function isStatusDue(id: AuthorityId, { store, clock, schedule }: StatusPorts): Promise<boolean> {
  const { read } = store
  const head = await read.publicationHead(statusPublicationName(id))
  const now = clock.now()
  if (head === undefined || now < head.thisUpdate || now >= (head.thisUpdate + head.nextUpdate) / 2) return true
  const remembered = await read.publication(historyName(id))
  const after = remembered === undefined ? -1 : parseStatusHistory(remembered.bytes).through
  if ((await read.statusChanges({ after, authorityId: id, limit: 1 })).length > 0) return true
  if (now - head.thisUpdate < schedule.everySeconds) return false
  const upTo = (await read.auditHead()).size - 1
  return (await read.universe(id, { after, upTo, limit: 1 })).count > 0
}

/**
 * The delta from an earlier epoch to the artefact of now; `undefined` where there is none that is shorter than the artefact itself. `current`: the
 * epoch is the one of now.
 */
export async function readStatusDelta(
  id: AuthorityId,
  from: number,
  read: StoreReader,
): Promise<{ readonly to: Publication; readonly bytes: Uint8Array } | 'current' | undefined> {
  const current = await readCurrent(id, read)
  if (current === undefined || from > current.body.head.epoch) return undefined
  const { publication, body, history } = current
  if (from === body.head.epoch) return 'current'
  const bytes = composeStatusDelta(
    { envelope: parseSign1(publication.bytes), body },
    {
      from,
      kept: history.segments.filter(since => since <= from).length,
      sameSigner: history.signer <= from,
      exceptions: from >= history.built.epoch ? changedSince(history, from) : undefined,
    },
  )
  return bytes.length < publication.bytes.length ? { to: publication, bytes } : undefined
}

async function readCurrent(id: AuthorityId, read: StoreReader): Promise<Current | undefined> {
  for (let attempt = 0; attempt < MAX_LOOKS; attempt++) {
    const publication = await read.publication(statusPublicationName(id))
    const remembered = await read.publication(historyName(id))
    if (publication === undefined || remembered === undefined) return undefined
    // Both were put in place together: where the numbers differ, they were replaced between the two looks.
    if (publication.number !== remembered.number) continue
    const body = parseStatusBody(parseSign1(publication.bytes).payload)
    return { publication, body, history: parseStatusHistory(remembered.bytes) }
  }
  return undefined
}

const MAX_LOOKS = 8

interface Basis {
  readonly sets: StatusSets
  /** Position of the last log entry that the sets know of. */
  readonly through: number
  /** The last second of issue up to there; absent: not known. */
  readonly newest: UnixSeconds | undefined
  readonly universe: number
  readonly revoked: number
}

/** From sets that are true up to a position of the log to a signed artefact that is true up to now. */
async function advance(
  issuer: StatusIssuer,
  current: Current | undefined,
  basis: Basis,
  historyAt: (epoch: number) => StatusHistory,
  { store, clock, schedule }: StatusPorts,
): Promise<StatusPublished> {
  const { authorityId } = issuer
  const now = clock.now()
  // First nobody may come later with a certificate of a second that is covered; then what is there is looked at. No second is covered that
  // nothing was issued in yet: a clock that ran ahead for a while must not keep the authority from issuing when it is right again.
  const newest = await newestIssue(authorityId, basis, now, store.read)
  const coveredUntil = Math.max(current?.body.head.coveredUntil ?? 0, Math.min(newest, now - schedule.marginSeconds))
  if (coveredUntil > (current?.body.head.coveredUntil ?? 0)) {
    await store.commit({ writes: [{ kind: 'status.cover', authorityId, until: coveredUntil }], audit: [] })
  }
  const through = (await store.read.auditHead()).size - 1
  const expiredBefore = Math.max(current?.body.head.expiredBefore ?? 0, now)
  const changes = await changesOf(issuer, basis, through, expiredBefore, store.read)
  if (changes === 'many') return { kind: 'published', epoch: current?.publication.number ?? 0, rebuild: true }
  const sets = withChanges(basis.sets, changes.now.values())
  const epoch = Math.max((current?.body.head.epoch ?? 0) + 1, now - EPOCH_ZERO)
  const before = historyAt(epoch)
  const nextUpdate = Math.min(now + schedule.lifetimeSeconds, issuer.certificate.notAfter)
  const head: StatusHead = {
    issuerKeyHash: issuerKeyHash(issuer.authority),
    epoch,
    thisUpdate: now,
    nextUpdate,
    graceUntil: nextUpdate + schedule.graceSeconds,
    coveredFrom: 0,
    coveredUntil,
    expiredBefore,
    universe: basis.universe + changes.issued,
    revoked: Math.max(0, basis.revoked + changes.revoked),
  }
  const bytes = await signArtefact(issuer, { head, segments: sets.segments, exceptions: sets.exceptions })
  const exceptions = basis.sets.exceptions
  const added = difference(sets.exceptions, exceptions)
  const removed = difference(exceptions, sets.exceptions)
  const history: StatusHistory = {
    ...before,
    through,
    newest: Math.max(newest, changes.newest),
    signer: current && sameSigner(current, bytes) ? before.signer : epoch,
    // A build begins with its own exceptions; only what comes after it is a change.
    changes:
      before.built.epoch === epoch || added.length + removed.length === 0
        ? before.changes
        : [...before.changes, { epoch, added, removed }],
  }
  const common = { number: epoch, thisUpdate: now, nextUpdate }
  const from = current?.publication.number ?? 0
  const later: Write[] =
    changes.uncoveredUntil > coveredUntil
      ? [laterRequest(authorityId, changes.uncoveredUntil + schedule.marginSeconds + 1)]
      : []
  await placePublication(
    { name: statusPublicationName(authorityId), contentType: STATUS_CONTENT_TYPE, bytes, ...common },
    {
      from,
      along: () => ({
        writes: [
          {
            kind: 'publication.put',
            publication: {
              name: historyName(authorityId),
              contentType: 'application/json',
              bytes: encodeStatusHistory(history),
              ...common,
            },
          },
          ...later,
        ],
        audit: [
          {
            at: now,
            actor: { kind: 'system', id: 'status' },
            action: 'status.published',
            outcome: 'done',
            subject: { authorityId },
            detail: { number: epoch, universe: head.universe, revoked: head.revoked, statusSha256: sha256Hex(bytes) },
          },
        ],
      }),
    },
    store,
  )
  return { kind: 'published', epoch, rebuild: wantsBuild(sets, history, now) }
}

/** One that is revoked before it is covered is told of as soon as it is. */
function laterRequest(authority: AuthorityId, dueAt: UnixSeconds): Write {
  return { kind: 'work.request', topic: 'status', key: authority, dueAt }
}

function wantsBuild(sets: StatusSets, { built, wholeAt }: StatusHistory, now: UnixSeconds): boolean {
  const octets = sets.exceptions.length
  const segments = setsOctets({ segments: sets.segments, exceptions: new Uint8Array(0) })
  const many = octets > Math.max(FEW_EXCEPTION_OCTETS, segments * EXCEPTION_SHARE)
  const old = now - wholeAt >= WHOLE_EVERY
  return octets > MAX_EXCEPTION_OCTETS || ((many || old) && now >= built.at + built.seconds * (1 + PAUSE))
}

function sameSigner(current: Current, bytes: Uint8Array): boolean {
  return equalBytes(parseSign1(current.publication.bytes).head, parseSign1(bytes).head)
}

function sameFilter(a: ExactFilter, b: ExactFilter): boolean {
  return a.salt === b.salt && a.attempt === b.attempt && equalBytes(a.columns, b.columns)
}

async function signArtefact({ signer, certificate }: StatusIssuer, body: StatusBody): Promise<Uint8Array> {
  const key = readSpki(certificate.subjectPublicKeyInfo.raw).algorithm!
  const algorithm = coseAlgorithm(signer.algorithm.name)
  const { toBeSigned, signed } = encodeStatusArtefact(body, { algorithm, certificate: certificate.raw })
  const signature = await signer.sign(toBeSigned)
  verifyOwnSignature(signer, toBeSigned, signature)
  return signed(toCoseSignature(key, signature))
}

/** The last second of issue in the registry of now. */
async function newestIssue(
  id: AuthorityId,
  { through, newest = Number.MAX_SAFE_INTEGER }: Basis,
  now: UnixSeconds,
  read: StoreReader,
): Promise<UnixSeconds> {
  let last = newest
  const upTo = (await read.auditHead()).size - 1
  for await (const serials of issuedSince(id, through, upTo, 0, read)) {
    for (let at = 0; at < serials.length; at += SERIAL_OCTETS) {
      last = Math.max(last, secondOf(serials.subarray(at, at + SERIAL_OCTETS), now))
    }
  }
  return last
}

/** The second of issue: less than 34 years before this time, or after it; which of the seconds with these low bits it was. */
function secondOf(serial: Uint8Array, time: UnixSeconds): UnixSeconds {
  return issuedAt(serial, Math.max(0, time - 2 ** 30))
}

interface Changes {
  /** The last second of issue among what came. */
  readonly newest: UnixSeconds
  readonly now: Map<string, StatusNow>
  readonly issued: number
  /** By how many there are more that are revoked. */
  readonly revoked: number
  /** The last second of issue among those whose status changed. */
  readonly uncoveredUntil: number
}

/** What was issued and what changed since the basis, up to `through`. */
async function changesOf(
  { authorityId }: StatusIssuer,
  basis: Basis,
  through: number,
  expiredBefore: UnixSeconds,
  read: StoreReader,
): Promise<Changes | 'many'> {
  const now = new Map<string, StatusNow>()
  let newest = 0
  for await (const serials of issuedSince(authorityId, basis.through, through, expiredBefore, read)) {
    for (let at = 0; at < serials.length; at += SERIAL_OCTETS) {
      const serialNumber = serials.subarray(at, at + SERIAL_OCTETS)
      now.set(String.fromCharCode(...serialNumber), { serialNumber, revoked: false })
      newest = Math.max(newest, secondOf(serialNumber, expiredBefore))
    }
    if (now.size > MAX_ISSUED) return 'many'
  }
  const issued = now.size
  let [revoked, uncoveredUntil, changed] = [0, 0, 0]
  for (let last = basis.through; ; ) {
    const page = await read.statusChanges({ after: last, authorityId, limit: STATUS_PAGE })
    for (const { serialNumber, status, notAfter, auditIndex } of page) {
      last = auditIndex
      const serial = serialOctets(fromHex(serialNumber))
      if (serial === undefined || notAfter < expiredBefore) continue
      const key = String.fromCharCode(...serial)
      const isNow = status.kind !== 'good'
      const wasSo = now.get(key)?.revoked ?? isRevoked(basis.sets, serial, 0)
      if (isNow !== wasSo) revoked += isNow ? 1 : -1
      now.set(key, { serialNumber: serial, revoked: isNow })
      uncoveredUntil = Math.max(uncoveredUntil, secondOf(serial, expiredBefore))
    }
    changed += page.length
    if (changed > MAX_CHANGES) return 'many'
    if (page.length < STATUS_PAGE) return { now, newest, issued, revoked, uncoveredUntil }
  }
}

const STATUS_PAGE = 1_000
/** What a new epoch looks at one by one; with more, building is cheaper. */
const MAX_ISSUED = 200_000

/** The universe as of a position of the log, for a build. */
async function* universeOf(
  { authorityId, crlShards }: StatusIssuer,
  through: number,
  expiredBefore: UnixSeconds,
  read: StoreReader,
  onIssued: (serial: Uint8Array) => void,
): AsyncGenerator<StatusPiece> {
  for (let shard = 0; shard < crlShards; shard++) {
    for await (const { serialNumbers } of read.revokedPages(authorityId, shard, expiredBefore)) {
      yield { kind: 'revoked', serials: packed(serialNumbers, () => true) }
    }
  }
  for await (const serials of issuedSince(authorityId, -1, through, expiredBefore, read)) {
    for (let at = 0; at < serials.length; at += SERIAL_OCTETS) onIssued(serials.subarray(at, at + SERIAL_OCTETS))
    yield { kind: 'issued', serials }
  }
}

/** Serial numbers of what was issued in (after, through] and has not expired. */
async function* issuedSince(
  authorityId: AuthorityId,
  after: number,
  through: number,
  expiredBefore: UnixSeconds,
  read: StoreReader,
): AsyncGenerator<Uint8Array> {
  for (let last = after; last < through; ) {
    const page = await read.universe(authorityId, { after: last, upTo: through, limit: PAGE })
    yield packed(page.serialNumbers, i => page.notAfter[i]! >= expiredBefore)
    if (page.count < PAGE) return
    last = page.auditIndexes[page.count - 1]!
  }
}

const PAGE = 4_096

/** Those that `wanted` says, in octets of one length; numbers that are longer are none of ours, and no artefact covers them. */
function packed({ bytes, ends }: OctetsColumn, wanted: (index: number) => boolean): Uint8Array {
  const out = new Uint8Array(ends.length * SERIAL_OCTETS)
  let length = 0
  for (let i = 0, from = 0; i < ends.length; from = ends[i]!, i++) {
    if (!wanted(i)) continue
    const serial = serialOctets(bytes.subarray(from, ends[i]!))
    if (serial === undefined) continue
    out.set(serial, length)
    length += SERIAL_OCTETS
  }
  return out.slice(0, length)
}
