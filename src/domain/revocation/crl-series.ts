// The one number series that the full and the delta CRLs of a shard share (RFC 5280 §5.2.3), across processes, and the full CRLs that a delta
// may start from (§5.2.4). Both are kept as publications that nobody fetches: numbers of publications only grow.
import { EMPTY } from '../../core/bytes/bytes.ts'
import { fromUtf8, toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Publication, Store, StoreReader, Write } from '../ports.ts'

export function crlPublicationName(authority: string, crlShard: number): string {
  return `crl/${authority}/${crlShard}`
}

export function deltaPublicationName(authority: string, crlShard: number): string {
  return `${crlPublicationName(authority, crlShard)}/delta`
}

/** The authority whose list, full or delta, has this name; `undefined` for what stands beside lists: numbers and bases. */
export function authorityOfCrl(name: string): string | undefined {
  return /^crl\/([^/]+)\/\d+(?:\/delta)?$/.exec(name)?.[1]
}

/** Of the shard's full CRLs that a delta may start from. */
export function basesPublicationName(shard: string): string {
  return `${shard}/bases`
}

/** A full CRL that was published, and may lie in somebody's cache. */
export interface CrlBase {
  readonly number: number
  /** Every change of status that stands below this position of the log is in it. */
  readonly covers: number
  readonly thisUpdate: UnixSeconds
}

/** How often a step is tried against other processes that publish the same shard. */
const MAX_ATTEMPTS = 16
/** Bases that are remembered: spread over the lifetime of a full CRL. */
const MAX_BASES = 16

/** Takes the next number of the series, for a list that is yet to be built: nobody else gets it, whatever comes of the list. */
export async function takeNumber(shard: string, now: UnixSeconds, store: Store): Promise<number> {
  const name = `${shard}/number`
  return againstOthers(async () => {
    const reached = (await store.read.publicationHead(name))?.number ?? 0
    // A series that began before there was a counter goes on.
    const placed = reached === 0 ? ((await store.read.publicationHead(shard))?.number ?? 0) : reached
    const number = placed + 1
    const write: Write = { kind: 'publication.put', publication: state(name, number, EMPTY, now), from: reached }
    await store.commit({ writes: [write], audit: [] })
    return number
  })
}

/** The full CRLs that a delta may start from, oldest first. */
export async function crlBases(shard: string, read: StoreReader): Promise<CrlBase[]> {
  const stored = await read.publication(basesPublicationName(shard))
  return stored === undefined ? [] : (JSON.parse(fromUtf8(stored.bytes)) as CrlBase[])
}

/** The write that adds a base, and forgets those that nobody may rely on any more; and the digest of what then stands there. */
export function addBase(
  shard: string,
  bases: readonly CrlBase[],
  added: CrlBase,
  lifetimeSeconds: number,
): { readonly write: Write; readonly sha256: string } {
  const kept: CrlBase[] = []
  for (const base of bases) {
    if (base.thisUpdate + lifetimeSeconds < added.thisUpdate || base.number >= added.number) continue
    const last = kept.at(-1)
    if (last === undefined || base.thisUpdate - last.thisUpdate >= lifetimeSeconds / MAX_BASES) kept.push(base)
  }
  const bytes = toUtf8(JSON.stringify([...kept, added]))
  const publication = state(basesPublicationName(shard), added.number, bytes, added.thisUpdate)
  return { write: { kind: 'publication.put', publication }, sha256: sha256Hex(bytes) }
}

function state(name: string, number: number, bytes: Uint8Array, now: UnixSeconds): Publication {
  return { name, contentType: 'application/json', bytes, number, thisUpdate: now, nextUpdate: now }
}

/** Does it again with what stands there now, where another process came first. */
export async function againstOthers<T>(attempt: () => Promise<T>): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt()
    } catch (thrown) {
      const outdated = thrown instanceof TouchmarkError && thrown.code === 'publication.outdated'
      if (!outdated || attempts === MAX_ATTEMPTS) throw thrown
    }
  }
}
