// What relying parties fetch by the addresses inside certificates (RFC 5280 §4.2.1.13, §4.2.2.1; RFC 2585): CRLs and authority
// certificates, as immutable octets with the headers that caches need. And the trust bundle for people.
import { toPem } from '../../core/asn1/pem.ts'
import { concat } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { sha256 } from '../../crypto/digest.ts'
import type { Authority } from '../../domain/ca/authority.ts'
import type { Clock, StoreReader } from '../../domain/ports.ts'
import { crlPublicationName } from '../../domain/revocation/publish-crl.ts'
import type { HttpReply, HttpRequest, Route } from '../http.ts'

export interface DistributionPorts {
  readonly read: StoreReader
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
        const shard = /^(\d{1,5})\.crl$/.exec(request.params['file'] ?? '')?.[1]
        const publication =
          shard && (await ports.read.publication(crlPublicationName(request.params['authority']!, Number(shard))))
        if (!publication) return notFound('crl.not_found', 'There is no such CRL.')
        const maxAge = Math.max(0, Math.min(MAX_CRL_AGE, publication.nextUpdate - ports.clock.now()))
        return conditional(request, publication.bytes, {
          'content-type': publication.contentType,
          'cache-control': `public, max-age=${maxAge}`,
          'last-modified': new Date(publication.thisUpdate * 1000).toUTCString(),
        })
      },
    },
    {
      ...common,
      pattern: '/ca/:file',
      async handle(request) {
        const id = /^(.+)\.cer$/.exec(request.params['file'] ?? '')?.[1]
        const authority = (await ports.authorities()).find(candidate => candidate.id === id)
        if (!authority?.certificate) return notFound('authority.not_found', 'There is no such authority.')
        return conditional(request, authority.certificate, {
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
        return conditional(request, new TextEncoder().encode(pem), {
          'content-type': 'application/x-pem-file',
          'cache-control': 'public, max-age=3600',
        })
      },
    },
  ]
}

/** A CRL is replaced as soon as something is revoked: caches ask again within the minute. */
const MAX_CRL_AGE = 60

function conditional(request: HttpRequest, bytes: Uint8Array, headers: Record<string, string>): HttpReply {
  const etag = `"${toHex(sha256(bytes).subarray(0, 16))}"`
  if (request.headers['if-none-match'] === etag) return { status: 304, headers: { ...headers, etag }, body: concat() }
  return { status: 200, headers: { ...headers, etag }, body: bytes }
}

function notFound(code: string, sentence: string): HttpReply {
  return { status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${code}\n${sentence}\n` }
}
