// Status artefacts and their deltas, as immutable octets: docs/formats/status-artefact.md. A device asks for the delta from the epoch that it has,
// and for the whole where there is none.
import { sha256Hex } from '../../crypto/digest.ts'
import { type AuthorityId, authorityId } from '../../domain/ids.ts'
import type { Clock, Publication, StoreReader } from '../../domain/ports.ts'
import { readStatusDelta, statusPublicationName } from '../../domain/revocation/status-artefact.ts'
import type { HttpReply, HttpRequest, Route } from '../http.ts'
import { immutableReply } from './immutable-reply.ts'

export interface StatusRoutePorts {
  readonly read: StoreReader
  readonly clock: Clock
}

/** `application/vnd.touchmark.status` is an artefact; this is what leads to one. */
const DELTA_TYPE = 'application/vnd.touchmark.status-delta'
/** A new epoch comes as soon as something is revoked. */
const MAX_AGE = 60
/** Epochs whose deltas are kept, ready to be sent: those that many devices hold. */
const MAX_KEPT = 64

export function createStatusRoutes(ports: StatusRoutePorts): Route[] {
  const common = { method: 'GET', door: 'public', listeners: ['https', 'http'], maxBody: 0 } as const
  const kept = new Map<string, Awaited<ReturnType<typeof readStatusDelta>>>()

  async function delta(id: AuthorityId, from: number): Promise<Awaited<ReturnType<typeof readStatusDelta>>> {
    const head = await ports.read.publicationHead(statusPublicationName(id))
    if (head === undefined) return undefined
    const key = `${id} ${from} ${head.number}`
    if (!kept.has(key)) {
      const made = await readStatusDelta(id, from, ports.read)
      if (kept.size >= MAX_KEPT) kept.clear()
      kept.set(key, made)
    }
    return kept.get(key)
  }

  return [
    {
      ...common,
      pattern: '/status/:file',
      async handle(request) {
        const id = /^([^/]+)\.tms$/.exec(request.params['file'] ?? '')?.[1]
        if (id === undefined) return notFound(ARTEFACT_MISSING)
        const publication = await ports.read.publication(statusPublicationName(id))
        if (publication === undefined) return notFound(ARTEFACT_MISSING)
        return served(request, publication, publication.bytes, publication.contentType, ports.clock.now())
      },
    },
    {
      ...common,
      pattern: '/status/:authority/:file',
      async handle(request) {
        const from = /^(\d{1,10})\.tmd$/.exec(request.params['file'] ?? '')?.[1]
        const id = authorityId(request.params['authority']!)
        if (from === undefined) return notFound(DELTA_MISSING)
        const found = await delta(id, Number(from))
        if (found === undefined) return notFound(DELTA_MISSING)
        // Nothing newer: 204 has no octets, and says so to clients that keep no entity-tag.
        if (found === 'current') return { status: 204, headers: { 'cache-control': 'no-cache' }, body: '' }
        return served(request, found.to, found.bytes, DELTA_TYPE, ports.clock.now())
      },
    },
  ]
}

function served(
  request: HttpRequest,
  { thisUpdate, nextUpdate }: Publication,
  bytes: Uint8Array,
  contentType: string,
  now: number,
): HttpReply {
  const maxAge = Math.max(0, Math.min(MAX_AGE, nextUpdate - now))
  return immutableReply(request, {
    octets: bytes.length,
    sha256: sha256Hex(bytes),
    bytes,
    headers: {
      'content-type': contentType,
      'cache-control': `public, max-age=${maxAge}`,
      // Of the second that goes on there may be another: nobody goes by its date before it is over.
      'last-modified': new Date(Math.min(thisUpdate, now - 2) * 1000).toUTCString(),
    },
  })
}

const ARTEFACT_MISSING = 'status.not_found\nThere is no such status artefact.\n'
const DELTA_MISSING = 'status.delta_not_found\nThere is no delta from this epoch: fetch the whole artefact.\n'

function notFound(body: string): HttpReply {
  return { status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' }, body }
}
