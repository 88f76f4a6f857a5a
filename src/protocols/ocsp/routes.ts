// OCSP over HTTP (RFC 6960 Appendix A): POST with the request as the body, GET with it in the path. Answers without a nonce carry
// the caching headers of RFC 5019 §6.2.

import { fromBase64Lines } from '../../core/bytes/base64.ts'
import { type Bytes, EMPTY } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { encodeOcspError, MAX_OCSP_REQUEST, type OcspError } from '../../core/pki/ocsp.ts'
import { sha256 } from '../../crypto/digest.ts'
import type { Clock } from '../../domain/ports.ts'
import type { OcspAnswer } from '../../domain/revocation/live-ocsp.ts'
import type { OcspService } from '../../domain/revocation/ocsp-service.ts'
import type { PresignedAnswer } from '../../domain/revocation/presigned-answers.ts'
import type { HttpReply, HttpRequest, ReadyReply, Route } from '../http.ts'

/** RFC 5019 §5: requests above 255 octets go by POST; a longer path is cut off here. */
const MAX_GET_PATH = 2048
/** For how long a reply's max-age stands as it was written. */
const HEAD_SECONDS = 30

const OCSP_RESPONSE = 'application/ocsp-response'

export type OcspOrigin = 'presigned' | 'live' | 'refused'

export interface OcspRoutePorts {
  readonly service: Pick<OcspService, 'answer' | 'ready'>
  readonly clock: Clock
  /** Told of each answer, for those who count; `begun` is what `elapsed` said when it was asked for. It must not throw. */
  readonly onAnswer?: (outcome: OcspAnswer['outcome'], origin: OcspOrigin, begun: number | undefined) => void
  /** Milliseconds of a clock that never goes back. */
  readonly elapsed?: () => number
}

export function createOcspRoutes(ports: OcspRoutePorts): Route[] {
  const { clock, service, onAnswer } = ports
  const heads = new ReadyHeads()
  const common = { door: 'public', listeners: ['https', 'http'], refusal } as const
  return [
    {
      ...common,
      method: 'POST',
      pattern: '/ocsp',
      maxBody: MAX_OCSP_REQUEST,
      async handle(request) {
        if (mediaType(request.headers['content-type']) !== 'application/ocsp-request') {
          return text(415, 'ocsp.content_type', 'The body must be application/ocsp-request.')
        }
        return answer(request, request.body, ports)
      },
    },
    {
      ...common,
      method: 'GET',
      pattern: '/ocsp/*',
      maxBody: 0,
      handle: request => answer(request, decodePath(request.params['*'] ?? ''), ports),
      ready(rest) {
        if (rest.length > MAX_GET_PATH) return undefined
        const found = service.ready(rest.includes('%') ? unescaped(rest) : rest)
        if (found === undefined) return undefined
        onAnswer?.('successful', 'presigned', undefined)
        return heads.reply(found, clock.now())
      },
    },
  ]
}

async function answer({ headers }: HttpRequest, der: Bytes, ports: OcspRoutePorts): Promise<HttpReply> {
  const begun = ports.elapsed?.()
  const answered = await ports.service.answer(der)
  const origin = answered.outcome !== 'successful' ? 'refused' : 'request' in answered ? 'presigned' : 'live'
  ports.onAnswer?.(answered.outcome, origin, begun)
  return reply(answered, headers['if-none-match'], ports.clock.now())
}

/** The rest of the path is base64 of the DER; an undecodable one becomes empty octets, which no request is. */
function decodePath(path: string): Bytes {
  if (path.length > MAX_GET_PATH) return EMPTY
  try {
    return fromBase64Lines(path)
  } catch (thrown) {
    if (thrown instanceof TouchmarkError) return EMPTY
    throw thrown
  }
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

function reply(answer: OcspAnswer, ifNoneMatch: string | undefined, now: number): HttpReply {
  const { der, cacheable } = answer
  if (cacheable === undefined) {
    return { status: 200, headers: { 'content-type': OCSP_RESPONSE, 'cache-control': 'no-store' }, body: der }
  }
  const validator = etag(der)
  const headers = { ...cachingHeaders(cacheable, now, 0), etag: validator }
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, validator)) return { status: 304, headers, body: EMPTY }
  return { status: 200, headers: { 'content-type': OCSP_RESPONSE, ...headers }, body: der }
}

/** RFC 5019 §6.2. What was signed a while ago has so much less to live. */
function cachingHeaders({ thisUpdate, nextUpdate }: OcspAnswer['cacheable'] & object, now: number, margin: number) {
  const seconds = Math.max(0, nextUpdate - now - margin)
  return {
    'last-modified': httpDate(thisUpdate),
    expires: httpDate(nextUpdate),
    'cache-control': `max-age=${seconds}, public, no-transform, must-revalidate`,
  }
}

/** The heads of replies that are given again and again: written once for each answer and half minute. */
class ReadyHeads {
  readonly #replies = new WeakMap<PresignedAnswer, { readonly until: number; readonly reply: ReadyReply }>()

  reply(answer: PresignedAnswer, now: number): ReadyReply {
    const known = this.#replies.get(answer)
    if (known !== undefined && now < known.until) return known.reply
    const headers = {
      'Content-Type': OCSP_RESPONSE,
      ...cachingHeaders(answer, now, HEAD_SECONDS),
      etag: etag(answer.der),
      'Content-Length': String(answer.der.length),
    }
    const reply: ReadyReply = { status: 200, headers: Object.entries(headers).flat(), body: answer.der }
    this.#replies.set(answer, { until: now + HEAD_SECONDS, reply })
    return reply
  }
}

function etag(der: Bytes): string {
  return `"${toHex(sha256(der))}"`
}

function matches(ifNoneMatch: string, validator: string): boolean {
  return ifNoneMatch.split(',').some(each => ['*', validator, `W/${validator}`].includes(each.trim()))
}

/** OCSP has words of its own for faults (RFC 6960 §2.3); a body that HTTP refuses is told of in its words. */
function refusal({ kind, code, message }: TouchmarkError): HttpReply {
  if (kind === 'malformed') return text(code === 'http.body_too_large' ? 413 : 400, code, message)
  return errorReply(kind === 'internal' ? 'internalError' : 'tryLater')
}

function errorReply(error: OcspError): HttpReply {
  const headers = { 'content-type': OCSP_RESPONSE, 'cache-control': 'no-store' }
  return { status: 200, headers, body: encodeOcspError(error) }
}

function mediaType(header: string | undefined): string {
  return (header ?? '').split(';')[0]!.trim().toLowerCase()
}

function httpDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString()
}

function text(status: number, code: string, sentence: string): HttpReply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${code}\n${sentence}\n` }
}
