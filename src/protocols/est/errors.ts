// From codes and kinds to HTTP (RFC 7030 §4.2.3, §4.3.2, §4.4.2, §4.5.2): a status, and a plain text for whoever reads the device's log.
// The body is code, sentence and what to do next; of the house itself it says nothing.
import type { ErrorKind } from '../../core/errors.ts'
import type { HttpReply } from '../http.ts'

/** A kind without a status does not compile. */
const STATUS = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_many: 429,
  unavailable: 503,
  internal: 500,
} as const satisfies Record<ErrorKind, number>

/** Codes for which HTTP has a finer word than their kind's. */
const FINER: Readonly<Record<string, number>> = {
  'http.method_not_allowed': 405,
  'http.body_too_large': 413,
  'est.content_type': 415,
  // RFC 9110 §15.6.2: the server does not have what the request needs.
  'est.full_cmc_unsupported': 501,
  'est.key_encryption_unavailable': 501,
}

/** Kinds whose sentence is about our own house. */
const PRIVATE: ReadonlySet<ErrorKind> = new Set(['internal', 'unavailable'])

const RETRY_AFTER_SECONDS = '30'

/**
 * No `charset` parameter: libest warns about what it does not know, and ASCII is all that serial numbers and tokens are made of.
 * Header names are written as the RFCs spell them, because libest compares them by case.
 */
const CHALLENGE = 'Basic realm="touchmark"'

export interface EstError {
  readonly code: string
  readonly kind: ErrorKind
  readonly message: string
  readonly next?: string | undefined
}

export function errorReply(error: EstError): HttpReply {
  const status = FINER[error.code] ?? STATUS[error.kind]
  const headers: Record<string, string> = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' }
  if (status === 401) headers['WWW-Authenticate'] = CHALLENGE
  if (error.kind === 'too_many' || error.kind === 'unavailable') headers['Retry-After'] = RETRY_AFTER_SECONDS
  const lines = PRIVATE.has(error.kind)
    ? [error.code]
    : [`${error.code}: ${error.message}`, ...(error.next ? [error.next] : [])]
  return { status, headers, body: `${lines.join('\n')}\n` }
}
