// Bodies of EST are base64 of DER, whatever the headers say (RFC 8951 §3, §3.1): read with and without line breaks, written with lines of 76
// characters by default and on one line where the label asks for it.
import { fromBase64Lines, toBase64, toBase64Lines } from '../../core/bytes/base64.ts'
import type { Bytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { HttpReply, HttpRequest } from '../http.ts'

/** Octets of a request body. A request with an ML-DSA-87 key has 10 kB; certificates in attributes leave room to spare. */
export const MAX_BODY = 65_536

export function bodyTooLarge(): TouchmarkError {
  return new TouchmarkError('http.body_too_large', 'malformed', `The body may have ${MAX_BODY} octets here.`, {
    evidence: { limit: MAX_BODY },
  })
}

/** libest cannot read a long line, strongSwan before 6.0 cannot read a line break: the label says which client it is. */
export type Base64Form = 'wrapped' | 'flat'

/** The media type must be this one; parameters do not matter. Throws `est.content_type`. */
export function requireContentType(request: HttpRequest, wanted: string): void {
  const given = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (given === wanted) return
  throw new TouchmarkError('est.content_type', 'malformed', `The body must be ${wanted}.`, {
    next: `Send the header Content-Type: ${wanted}.`,
  })
}

/** The DER inside the body. Throws `est.body_empty`, `est.body_not_base64`; raw DER and PEM are told what is expected. */
export function decodeBody(body: Uint8Array): Bytes {
  if (body.length === 0) throw invalid('est.body_empty', 'The body is empty.')
  // Base64 of a SEQUENCE begins with M; its DER begins with the octet 30, which no base64 of a SEQUENCE does.
  if (body[0] === 0x30) throw invalid('est.body_not_base64', 'The body is raw DER; EST wants it in base64.')
  if (body[0] === 0x2d)
    throw invalid('est.body_not_base64', 'The body is PEM; EST wants the base64 without its header and footer.')
  try {
    return fromBase64Lines(new TextDecoder('latin1').decode(body))
  } catch (cause) {
    throw invalid('est.body_not_base64', 'The body is not base64.', cause)
  }
}

function invalid(code: string, message: string, cause?: unknown): TouchmarkError {
  const next = 'Make the body with: openssl req -in request.pem -outform DER | openssl base64'
  return new TouchmarkError(code, 'malformed', message, { next, cause })
}

/** Lines end in LF: OpenSSL and what is built on it read both ends, `base64 -d` of the GNU tools refuses a CR. */
export function encodeBody(der: Uint8Array, form: Base64Form): string {
  return form === 'wrapped' ? toBase64Lines(der, 76, '\n') : toBase64(der)
}

/** A 200 with base64. `no-store`: what is in it was made for this device. */
export function base64Reply(
  der: Uint8Array,
  contentType: string,
  form: Base64Form,
  cacheControl = 'no-store',
): HttpReply {
  return {
    status: 200,
    headers: { 'Content-Type': contentType, 'Content-Transfer-Encoding': 'base64', 'Cache-Control': cacheControl },
    body: encodeBody(der, form),
  }
}

/** A body of several parts (RFC 2046 §5.1.3), each base64. No line of base64 begins with two hyphens, so the boundary is safe. */
export function multipartReply(
  parts: readonly { readonly contentType: string; readonly der: Uint8Array }[],
  form: Base64Form,
): HttpReply {
  const lines = parts.flatMap(({ contentType, der }) => [
    `--${BOUNDARY}`,
    `Content-Type: ${contentType}`,
    'Content-Transfer-Encoding: base64',
    '',
    encodeBody(der, form).trimEnd(),
  ])
  return {
    status: 200,
    headers: { 'Content-Type': `multipart/mixed; boundary=${BOUNDARY}`, 'Cache-Control': 'no-store' },
    body: [...lines, `--${BOUNDARY}--`, ''].join('\r\n'),
  }
}

const BOUNDARY = 'touchmark-est-part'
