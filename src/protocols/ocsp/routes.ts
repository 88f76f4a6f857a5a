// OCSP over HTTP (RFC 6960 Appendix A): POST with the request as the body, GET with it in the path. Answers without a nonce carry
// the caching headers of RFC 5019 §6.2.

import { fromBase64Lines } from '../../core/bytes/base64.ts'
import type { Bytes } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { encodeOcspError, MAX_OCSP_REQUEST } from '../../core/pki/ocsp.ts'
import { sha256 } from '../../crypto/digest.ts'
import { answerOcsp, type OcspAnswer, type OcspPorts } from '../../domain/revocation/answer-ocsp.ts'
import type { HttpReply, Route } from '../http.ts'

/** RFC 5019 §5: requests above 255 octets go by POST; a longer path is cut off here. */
const MAX_GET_PATH = 2048

export interface OcspRoutePorts extends OcspPorts {
  /** Told of each request, and by what it answers how that ended: for those who count. It must not throw. */
  readonly begins?: () => (outcome: OcspAnswer['outcome']) => void
}

export function createOcspRoutes(ports: OcspRoutePorts): Route[] {
  const common = { door: 'public', listeners: ['https', 'http'] } as const
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
        return answer(request.body, ports)
      },
    },
    {
      ...common,
      method: 'GET',
      pattern: '/ocsp/*',
      maxBody: 0,
      async handle(request) {
        return answer(decodePath(request.params['*'] ?? ''), ports)
      },
    },
  ]
}

async function answer(der: Bytes, ports: OcspRoutePorts): Promise<HttpReply> {
  const end = ports.begins?.()
  const answered = await answerOcsp(der, ports)
  end?.(answered.outcome)
  return reply(answered)
}

/** The rest of the path is base64 of the DER; an undecodable one becomes empty octets, which no request is. */
function decodePath(path: string): Bytes {
  if (path.length > MAX_GET_PATH) return new Uint8Array(0)
  try {
    return fromBase64Lines(path)
  } catch (thrown) {
    if (thrown instanceof TouchmarkError) return new Uint8Array(0)
    throw thrown
  }
}

function reply(answer: OcspAnswer): HttpReply {
  const headers: Record<string, string> = { 'content-type': 'application/ocsp-response' }
  if (answer.cacheable) {
    const { thisUpdate, nextUpdate } = answer.cacheable
    headers['last-modified'] = httpDate(thisUpdate)
    headers['expires'] = httpDate(nextUpdate)
    headers['cache-control'] = `max-age=${nextUpdate - thisUpdate}, public, no-transform, must-revalidate`
    headers['etag'] = `"${toHex(sha256(answer.der))}"`
  } else {
    headers['cache-control'] = 'no-store'
  }
  return { status: 200, headers, body: answer.der }
}

/** What the server sends when a handler fails: OCSP has a word for it (RFC 6960 §2.3). */
export const OCSP_INTERNAL_ERROR: HttpReply = {
  status: 200,
  headers: { 'content-type': 'application/ocsp-response', 'cache-control': 'no-store' },
  body: encodeOcspError('internalError'),
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
