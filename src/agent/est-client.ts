// An EST client (RFC 7030) as a device has one: HTTPS with its own certificate or a one-time token, base64 bodies, certs-only answers.
// It speaks only the public protocol and shares no code with the server beyond the encodings. What it returns is parsed, not trusted.
import { fromBase64Lines, toBase64, toBase64Lines } from '../core/bytes/base64.ts'
import type { Bytes } from '../core/bytes/bytes.ts'
import { fromPrintableAscii, toUtf8 } from '../core/bytes/utf8.ts'
import { parseCertsOnly } from '../core/cms/certs-only.ts'
import { TouchmarkError } from '../core/errors.ts'
import { httpsTransport } from './https-transport.ts'
import {
  refusal,
  requireMediaType,
  retryAfter,
  type TlsIdentity,
  type Transport,
  type TransportAnswer,
} from './transport.ts'

/** What proves to the server who asks: a certificate with its key, a token, or both. */
export interface EstIdentity {
  readonly tls?: TlsIdentity | undefined
  readonly basic?: { readonly user: string; readonly password: string } | undefined
}

export interface EstClientOptions {
  /** `https://host:port`, without a path. */
  readonly url: string
  /** Trust anchors in PEM: the explicit trust anchor database of RFC 7030 §3.1. */
  readonly trustAnchors: string
  /** Path label (RFC 7030 §3.2.2). */
  readonly label?: string | undefined
  readonly transport?: Transport
  readonly deadlineMs?: number
  /** See `TransportRequest`. */
  readonly notBeforeTime?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Sees every answer before it is judged: what it tells of the time. */
  readonly onAnswer?: (answer: TransportAnswer) => void
}

export type EstAnswer =
  | { readonly kind: 'certificates'; readonly certificates: readonly Bytes[] }
  /** 202: come again after so many seconds (RFC 7030 §4.2.3). */
  | { readonly kind: 'pending'; readonly retryAfterSeconds: number }

/** A chain of eight certificates with ML-DSA-87 signatures has half of this in base64. */
const MAX_ANSWER = 256 * 1024
export const DEADLINE_MS = 30_000
/** Where the server says "later" and not when. */
const DEFAULT_RETRY_AFTER = 60

/**
 * Every method rejects with what `Transport` rejects with, `agent.server_refused` (evidence `status`, `serverCode`, `retryAfterSeconds`),
 * `agent.answer_type`, and `agent.answer_malformed`.
 */
export class EstClient {
  readonly #options: EstClientOptions

  constructor(options: EstClientOptions) {
    this.#options = options
  }

  /** The authority certificates of the server (§4.1). */
  async cacerts(): Promise<readonly Bytes[]> {
    return certificatesOf(await this.#exchange('GET', 'cacerts', {}))
  }

  /** A first certificate (§4.2.1). */
  simpleEnroll(csr: Uint8Array, identity: EstIdentity): Promise<EstAnswer> {
    return this.#request('simpleenroll', csr, identity)
  }

  /** A renewal of the certificate that `identity` shows (§4.2.2). */
  simpleReenroll(csr: Uint8Array, identity: EstIdentity): Promise<EstAnswer> {
    return this.#request('simplereenroll', csr, identity)
  }

  async #request(operation: string, csr: Uint8Array, identity: EstIdentity): Promise<EstAnswer> {
    const answer = await this.#exchange('POST', operation, identity, csr)
    if (answer.status !== 202) return { kind: 'certificates', certificates: certificatesOf(answer) }
    return { kind: 'pending', retryAfterSeconds: retryAfter(answer) ?? DEFAULT_RETRY_AFTER }
  }

  async #exchange(method: 'GET' | 'POST', operation: string, identity: EstIdentity, csr?: Uint8Array) {
    const { url, trustAnchors, label, transport = httpsTransport, deadlineMs = DEADLINE_MS } = this.#options
    const path = `/.well-known/est/${label === undefined ? '' : `${encodeURIComponent(label)}/`}${operation}`
    const answer = await transport.exchange({
      method,
      url: new URL(path, url).href,
      trustAnchors,
      identity: identity.tls,
      headers: {
        ...(identity.basic ? { authorization: basic(identity.basic) } : {}),
        // RFC 8951 §3.1: the transfer encoding is base64 whatever the header says; older servers want to read it.
        ...(csr ? { 'content-type': 'application/pkcs10', 'content-transfer-encoding': 'base64' } : {}),
      },
      ...(csr ? { body: toUtf8(toBase64Lines(csr, 64, '\r\n')) } : {}),
      maxBody: MAX_ANSWER,
      deadlineMs,
      notBeforeTime: this.#options.notBeforeTime,
      signal: this.#options.signal,
    })
    this.#options.onAnswer?.(answer)
    return answer
  }
}

function certificatesOf(answer: TransportAnswer): readonly Bytes[] {
  if (answer.status !== 200) throw refusal(answer)
  requireMediaType(answer, 'application/pkcs7-mime')
  try {
    const text = fromPrintableAscii(answer.body.filter(octet => octet > 0x20 || octet < 0x09))
    return parseCertsOnly(fromBase64Lines(text ?? '?')).map(der => new Uint8Array(der))
  } catch (cause) {
    throw new TouchmarkError('agent.answer_malformed', 'malformed', 'The answer of the server cannot be read.', {
      cause,
      evidence: { reason: cause instanceof TouchmarkError ? cause.code : 'unknown' },
    })
  }
}

/** RFC 7617 §2, UTF-8. */
function basic(credentials: { readonly user: string; readonly password: string }): string {
  return `Basic ${toBase64(toUtf8(`${credentials.user}:${credentials.password}`))}`
}
