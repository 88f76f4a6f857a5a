// What a stranger learns of an error that no protocol translated: the status of its kind, its code and its sentence, as plain text. Of what
// goes wrong inside the house, nothing but the number under which the operator finds it in the log lines.
import type { ErrorKind, TouchmarkError } from '../core/errors.ts'
import type { HttpReply } from '../protocols/http.ts'

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
}

/** Kinds whose sentence is about our own house (files, addresses, keys) and nobody else's business. */
const PRIVATE: ReadonlySet<ErrorKind> = new Set(['internal', 'unavailable'])

const RETRY_AFTER_SECONDS = '5'

/** The error as a reply. `requestId` is what the log line carries too. */
export function errorReply(error: TouchmarkError, requestId: string): HttpReply {
  const status = FINER[error.code] ?? STATUS[error.kind]
  const headers: Record<string, string> = {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  }
  if (error.code === 'http.method_not_allowed') headers['allow'] = String(error.evidence['allow'])
  if (error.kind === 'unavailable' || error.kind === 'too_many')
    headers['retry-after'] = String(error.evidence['retryAfterSeconds'] ?? RETRY_AFTER_SECONDS)
  const text = PRIVATE.has(error.kind) ? `${error.kind}; request ${requestId}` : `${error.code}: ${error.message}`
  return { status, headers, body: `${text}\n` }
}
