// Errors of the device API as problem details (RFC 9457): `application/problem+json` with the stable `code` as a member of its own. Of what goes
// wrong inside the house a device learns the code of the kind and nothing else.
import type { ErrorKind, TouchmarkError } from '../../core/errors.ts'
import type { HttpReply } from '../http.ts'

/**
 * A missing certificate is 403 and not 401: a 401 has to name a scheme by which to authenticate (RFC 9110 §15.5.2), and there is none for what
 * happens in the TLS handshake.
 */
const STATUS = {
  malformed: [400, 'Bad Request'],
  unauthenticated: [403, 'Forbidden'],
  forbidden: [403, 'Forbidden'],
  not_found: [404, 'Not Found'],
  conflict: [409, 'Conflict'],
  too_many: [429, 'Too Many Requests'],
  unavailable: [503, 'Service Unavailable'],
  internal: [500, 'Internal Server Error'],
} as const satisfies Record<ErrorKind, readonly [number, string]>

/** Codes for which HTTP has a finer word than their kind's. */
const FINER: Readonly<Record<string, readonly [number, string]>> = {
  'http.body_too_large': [413, 'Content Too Large'],
  'message.too_large': [413, 'Content Too Large'],
  'device_api.content_type': [415, 'Unsupported Media Type'],
}

/** Kinds whose sentence is about our own house. */
const PRIVATE: ReadonlySet<ErrorKind> = new Set(['internal', 'unavailable'])

const RETRY_AFTER_SECONDS = 30

/** `type` is left out, which is `about:blank`: the title is then that of the status (RFC 9457 §4.2.1). */
export function problemReply(
  error: Pick<TouchmarkError, 'code' | 'kind' | 'message' | 'next'> & Partial<Pick<TouchmarkError, 'evidence'>>,
): HttpReply {
  const [status, title] = FINER[error.code] ?? STATUS[error.kind]
  const told = PRIVATE.has(error.kind) ? {} : { detail: error.message, ...(error.next ? { next: error.next } : {}) }
  const code = error.kind === 'internal' ? 'internal' : error.code
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }
  if (error.kind === 'unavailable' || error.kind === 'too_many') {
    headers['retry-after'] = String(error.evidence?.['retryAfterSeconds'] ?? RETRY_AFTER_SECONDS)
  }
  return { status, headers, body: `${JSON.stringify({ title, status, code, ...told })}\n` }
}
