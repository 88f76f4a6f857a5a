// What relying parties fetch by the addresses inside certificates (RFC 5280 §4.2.1.13, §4.2.2.1; RFC 2585): CRLs and authority
// certificates, as immutable octets with the headers that caches need. And the trust bundle for people.
import { toPem } from '../../core/asn1/pem.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { Authority } from '../../domain/ca/authority.ts'
import type { Clock, PublicationHead, StoreReader } from '../../domain/ports.ts'
import { publicationBody, publicationReplaced } from '../../domain/publication-body.ts'
import { PUBLICATION_PIECE } from '../../domain/publication-piece.ts'
import { crlPublicationName, deltaPublicationName } from '../../domain/revocation/crl-series.ts'
import type { HttpReply, HttpRequest, Route } from '../http.ts'
import { immutableReply, type Served } from './immutable-reply.ts'

export interface DistributionPorts {
  readonly read: Pick<StoreReader, 'publicationHead' | 'publicationPiece'>
  readonly clock: Clock
  /** The authorities of this instance. */
  authorities(): Promise<readonly Authority[]>
  /** Root certificates in DER. */
  trustBundle(): Promise<readonly Uint8Array[]>
}

export function createDistributionRoutes(ports: DistributionPorts): Route[] {
  const common = { method: 'GET', door: 'public', listeners: ['https', 'http'], maxBody: 0 } as const
  return [
    {
      ...common,
      pattern: '/crl/:authority/:file',
      async handle(request) {
        const [, shard, delta] = /^(\d{1,5})(-delta)?\.crl$/.exec(request.params['file'] ?? '') ?? []
        const nameOf = delta === undefined ? crlPublicationName : deltaPublicationName
        const name = shard === undefined ? undefined : nameOf(request.params['authority']!, Number(shard))
        const head = name && (await ports.read.publicationHead(name))
        if (!head) return notFound('crl.not_found', 'There is no such CRL.')
        return immutableReply(request, await crlServed(head, ports))
      },
    },
    {
      ...common,
      pattern: '/ca/:file',
      async handle(request) {
        const id = /^(.+)\.cer$/.exec(request.params['file'] ?? '')?.[1]
        const authority = (await ports.authorities()).find(candidate => candidate.id === id)
        if (!authority?.certificate) return notFound('authority.not_found', 'There is no such authority.')
        return whole(request, authority.certificate, {
          'content-type': 'application/pkix-cert',
          'cache-control': 'public, max-age=86400',
        })
      },
    },
    {
      ...common,
      pattern: '/trust.pem',
      async handle(request) {
        const pem = (await ports.trustBundle()).map(der => toPem('CERTIFICATE', der)).join('')
        return whole(request, new TextEncoder().encode(pem), {
          'content-type': 'application/x-pem-file',
          'cache-control': 'public, max-age=3600',
        })
      },
    },
  ]
}

/** A CRL is replaced as soon as something is revoked: caches ask again within the minute. */
const MAX_CRL_AGE = 60

/** Lists of the same second have the same date: only when the second is over may somebody go by it. */
const DATED_AFTER = 2

async function crlServed(head: PublicationHead, ports: DistributionPorts): Promise<Served> {
  const { read, clock } = ports
  const now = clock.now()
  const maxAge = Math.max(0, Math.min(MAX_CRL_AGE, head.nextUpdate - now))
  const served = {
    octets: head.octets,
    sha256: head.sha256,
    headers: {
      'content-type': head.contentType,
      'cache-control': `public, max-age=${maxAge}`,
      'last-modified': new Date(Math.min(head.thisUpdate, now - DATED_AFTER) * 1000).toUTCString(),
    },
  }
  if (head.octets > PUBLICATION_PIECE) return { ...served, body: range => publicationBody(head, read, range) }
  // In one piece: what is sent is what is read here, whatever replaces it meanwhile.
  const bytes = await read.publicationPiece(head.name, head.number, 0)
  if (bytes !== undefined) return { ...served, bytes }
  const newer = await read.publicationHead(head.name)
  if (newer === undefined || newer.number === head.number) throw publicationReplaced(head)
  return crlServed(newer, ports)
}

function whole(request: HttpRequest, bytes: Uint8Array, headers: Record<string, string>): HttpReply {
  return immutableReply(request, { octets: bytes.length, sha256: sha256Hex(bytes), headers, bytes })
}

function notFound(code: string, sentence: string): HttpReply {
  return { status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${code}\n${sentence}\n` }
}
