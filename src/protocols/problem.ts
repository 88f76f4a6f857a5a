// Errors as problem details (RFC 9457): `application/problem+json` with the stable `code` as a member of its own. Of what goes wrong inside
// the house the other side learns the code of the kind and nothing else.
import type { ErrorKind, TouchmarkError } from '../core/errors.ts'
import type { HttpReply } from './http.ts'

const STATUS = {
  malformed: [400, 'Bad Request'],
  unauthenticated: [401, 'Unauthorized'],
  forbidden: [403, 'Forbidden'],
  not_found: [404, 'Not Found'],
  conflict: [409, 'Conflict'],
  too_many: [429, 'Too Many Requests'],
  unavailable: [503, 'Service Unavailable'],
  internal: [500, 'Internal Server Error'],
} as const satisfies Record<ErrorKind, readonly [number, string]>

/** Codes for which HTTP has a finer word than their kind's. */
const FINER: Readonly<Record<string, readonly [number, string]>> = {
  'http.method_not_allowed': [405, 'Method Not Allowed'],
  'http.body_too_large': [413, 'Content Too Large'],
  'message.too_large': [413, 'Content Too Large'],
  'device_api.content_type': [415, 'Unsupported Media Type'],
  'api.content_type': [415, 'Unsupported Media Type'],
  'api.precondition_failed': [412, 'Precondition Failed'],
  'api.precondition_required': [428, 'Precondition Required'],
  'api.idempotency_key_reused': [422, 'Unprocessable Content'],
}

/** Kinds whose sentence is about our own house. */
const PRIVATE: ReadonlySet<ErrorKind> = new Set(['internal', 'unavailable'])

const RETRY_AFTER_SECONDS = 30

export type ProblemOf = Pick<TouchmarkError, 'code' | 'kind' | 'message' | 'next'> &
  Partial<Pick<TouchmarkError, 'evidence'>>

export interface ProblemOptions {
  /** Scheme by which to authenticate (RFC 9110 §11.6.1). Without one there is no 401: what fails in the TLS handshake has no scheme, and is 403. */
  readonly challenge?: string
  /** Further members (RFC 9457 §3.2). */
  readonly members?: Readonly<Record<string, unknown>>
}

/** `type` is left out, which is `about:blank`: the title is then that of the status (RFC 9457 §4.2.1). */
export function problemReply(error: ProblemOf, options: ProblemOptions = {}): HttpReply {
  const { challenge, members = {} } = options
  const kind = error.kind === 'unauthenticated' && challenge === undefined ? 'forbidden' : error.kind
  const [status, title] = FINER[error.code] ?? STATUS[kind]
  const told = PRIVATE.has(kind) ? {} : { detail: error.message, ...(error.next ? { next: error.next } : {}) }
  const code = kind === 'internal' ? 'internal' : error.code
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }
  if (kind === 'unavailable' || kind === 'too_many') {
    headers['retry-after'] = String(error.evidence?.['retryAfterSeconds'] ?? RETRY_AFTER_SECONDS)
  }
  if (status === 401) headers['www-authenticate'] = challenge!
  if (status === 405) headers['allow'] = String(error.evidence?.['allow'] ?? '')
  return { status, headers, body: `${JSON.stringify({ title, status, code, ...told, ...members })}\n` }
}
