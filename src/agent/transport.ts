// How an agent speaks with servers: one request, one answer, everything bounded. A port, so that a simulator can lose messages and a test
// can lie; `https-transport.ts` is the real one.
import type { Bytes } from '../core/bytes/bytes.ts'
import { fromUtf8 } from '../core/bytes/utf8.ts'
import { type ErrorKind, TouchmarkError } from '../core/errors.ts'

/** A certificate with its key as TLS takes them: PEM, the leaf first. */
export interface TlsIdentity {
  readonly certificates: string
  readonly key: string
}

export interface TransportRequest {
  readonly method: 'GET' | 'POST'
  /** `https:` only. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** Roots in PEM that the server's certificate must lead to; no others count. */
  readonly trustAnchors: string
  readonly identity?: TlsIdentity | undefined
  /** Octets of the answer's body; what is longer is not read to its end. */
  readonly maxBody: number
  /** For the whole exchange, however slowly the server drips. */
  readonly deadlineMs: number
  /**
   * Given where the device's clock is known to be wrong: the newest time (whole seconds) that there is evidence of. The server's
   * certificate must not have ended before it; that it begins later is then evidence of the time, not against the certificate.
   */
  readonly notBeforeTime?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface TlsFacts {
  readonly protocol: string
  readonly cipher: string
  /** The subject of the server's certificate. */
  readonly server: string
  /** Whole seconds: what the server says of the time is believed within the validity of its own certificate. */
  readonly notBefore: number
  readonly notAfter: number
}

export interface TransportAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Bytes
  readonly tls: TlsFacts
}

/**
 * Rejects with `transport.unreachable`, `transport.deadline`, `transport.server_untrusted`, `transport.tls_refused`,
 * `transport.truncated`, `transport.body_too_large`, or the reason of `signal`. An answer of any status is an answer.
 */
export interface Transport {
  exchange(request: TransportRequest): Promise<TransportAnswer>
}

/** The media type without its parameters, in lower case. */
export function mediaType(answer: TransportAnswer): string {
  return (answer.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
}

/** Throws `agent.answer_type` unless the answer is of this media type. */
export function requireMediaType(answer: TransportAnswer, expected: string): void {
  if (mediaType(answer) === expected) return
  throw new TouchmarkError(
    'agent.answer_type',
    'malformed',
    'The server answered with something else than was asked for.',
    {
      next: 'See whether the address is that of a Touchmark server, and whether a proxy stands between.',
      evidence: { expected, found: mediaType(answer).slice(0, 80) },
    },
  )
}

/** Longest wait that a server may ask for; a wrong header must not put a device to sleep for years. */
const MAX_RETRY_AFTER = 7 * 86_400

/** Retry-After in seconds (RFC 9110 §10.2.3: a number, or a date against the server's own), or `undefined`. */
export function retryAfter(answer: TransportAnswer): number | undefined {
  const text = answer.headers['retry-after']
  if (text === undefined) return undefined
  const date = dateOf(answer)
  const seconds = /^\d{1,10}$/.test(text)
    ? Number(text)
    : date === undefined
      ? Number.NaN
      : Date.parse(text) / 1000 - date
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(Math.ceil(seconds), MAX_RETRY_AFTER) : undefined
}

/** The Date header in whole seconds, where it lies within the validity of the server's certificate. */
export function dateOf(answer: TransportAnswer): number | undefined {
  return believableTime(Math.floor(Date.parse(answer.headers['date'] ?? '') / 1000), answer.tls)
}

/** A time that the server told, where its certificate lets it speak of that time. */
export function believableTime(seconds: number, tls: TlsFacts): number | undefined {
  return seconds >= tls.notBefore && seconds <= tls.notAfter ? seconds : undefined
}

const KINDS: Readonly<Record<number, ErrorKind>> = {
  400: 'malformed',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  405: 'not_found',
  409: 'conflict',
  429: 'too_many',
}

/** An answer that is no success, as an error: `agent.server_refused` with status, the server's code, and when to come again. */
export function refusal(answer: TransportAnswer): TouchmarkError {
  const { status } = answer
  const said = saidBy(answer)
  const wait = retryAfter(answer)
  const kind = KINDS[status] ?? (status >= 500 ? 'unavailable' : 'malformed')
  const text = `The server answered ${status}${said.code ? ` ${said.code}` : ''}${said.text ? `: ${said.text}` : '.'}`
  return new TouchmarkError('agent.server_refused', kind, text, {
    evidence: {
      status,
      ...(said.code ? { serverCode: said.code } : {}),
      ...(wait === undefined ? {} : { retryAfterSeconds: wait }),
    },
  })
}

/** Code and sentence of a problem document (RFC 9457) or of plain text `code: sentence`; nothing that could harm a terminal or a log. */
function saidBy(answer: TransportAnswer): { readonly code: string; readonly text: string } {
  let body: string
  try {
    body = fromUtf8(answer.body.subarray(0, 4096))
  } catch {
    return { code: '', text: '' }
  }
  if (mediaType(answer) === 'application/problem+json') {
    try {
      const problem = JSON.parse(body) as Record<string, unknown>
      return { code: codeIn(problem['code']), text: printable(problem['detail'] ?? problem['title']) }
    } catch {
      return { code: '', text: '' }
    }
  }
  if (mediaType(answer) !== 'text/plain') return { code: '', text: '' }
  const [, code = '', text = ''] = /^(?:([a-z0-9_]+(?:\.[a-z0-9_]+)+)(?:: |\s|$))?([^\n]*)/.exec(body) ?? []
  return { code, text: printable(text) }
}

const codeIn = (value: unknown) => (typeof value === 'string' && /^[a-z0-9_.]{1,80}$/.test(value) ? value : '')
const printable = (value: unknown) =>
  typeof value === 'string'
    ? value
        .replaceAll(/[^\x20-\x7e]/g, '?')
        .slice(0, 200)
        .trim()
    : ''
