// An EST client (RFC 7030) as a device has one: HTTPS with its own certificate or a one-time token, base64 bodies, certs-only
// answers. It speaks only the public protocol and shares no code with the server beyond the encodings.
import { Agent, request as httpsRequest } from 'node:https'
import { fromBase64Lines, toBase64Lines } from '../core/bytes/base64.ts'
import type { Bytes } from '../core/bytes/bytes.ts'
import { parseCertsOnly } from '../core/cms/certs-only.ts'

/** What proves to the server who asks: a certificate with its key, a token, or both. PEM as node:tls takes it. */
export interface EstIdentity {
  readonly certificates?: string
  readonly key?: string
  readonly basic?: { readonly user: string; readonly password: string }
}

export interface EstClientOptions {
  /** `https://host:port`, without a path. */
  readonly url: string
  /** Trust anchors in PEM: the explicit trust anchor database of RFC 7030 §3.1. */
  readonly trustAnchors: string
  /** Path label (RFC 7030 §3.2.2). */
  readonly label?: string
}

export type EstAnswer =
  | { readonly kind: 'certificates'; readonly certificates: readonly Bytes[] }
  /** 202: come again after so many seconds (RFC 7030 §4.2.3). */
  | { readonly kind: 'pending'; readonly retryAfterSeconds: number }

/** The server said no: its status and what it wrote. */
export class EstError extends Error {
  override readonly name = 'EstError'
  readonly status: number
  readonly body: string

  constructor(status: number, body: string) {
    super(`The EST server answered ${status}: ${body.trim().slice(0, 200)}`)
    this.status = status
    this.body = body
  }
}

export interface TlsFacts {
  readonly protocol: string
  readonly cipher: string
  /** The subject of the server's certificate. */
  readonly server: string
}

interface Exchange {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
  readonly tls: TlsFacts
}

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
    const exchange = await this.#exchange('POST', operation, identity, csr)
    if (exchange.status !== 202) return { kind: 'certificates', certificates: certificatesOf(exchange) }
    const seconds = Number(exchange.headers['retry-after'])
    return { kind: 'pending', retryAfterSeconds: Number.isFinite(seconds) && seconds > 0 ? seconds : 60 }
  }

  #exchange(method: 'GET' | 'POST', operation: string, identity: EstIdentity, csr?: Uint8Array): Promise<Exchange> {
    const { url, trustAnchors, label } = this.#options
    const path = `/.well-known/est/${label === undefined ? '' : `${encodeURIComponent(label)}/`}${operation}`
    return httpsExchange(new URL(path, url), {
      method,
      trustAnchors,
      identity,
      ...(csr ? { contentType: 'application/pkcs10', body: toBase64Lines(csr, 64, '\r\n') } : {}),
    })
  }
}

export interface HttpsExchangeOptions {
  readonly method: 'GET' | 'POST'
  readonly trustAnchors: string
  readonly identity: EstIdentity
  readonly contentType?: string
  readonly body?: string
}

/** One request over a connection of its own; a device that wakes up has no other. */
export function httpsExchange(url: URL, options: HttpsExchangeOptions): Promise<Exchange> {
  const { identity, body } = options
  const agent = new Agent({ keepAlive: false, maxCachedSessions: 0 })
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(
      url,
      {
        method: options.method,
        agent,
        ca: options.trustAnchors,
        minVersion: 'TLSv1.2',
        timeout: 30_000,
        ...(identity.certificates ? { cert: identity.certificates, key: identity.key } : {}),
        headers: {
          ...(identity.basic ? { authorization: basic(identity.basic) } : {}),
          ...(body === undefined
            ? {}
            : {
                'content-type': options.contentType,
                'content-transfer-encoding': 'base64',
                'content-length': Buffer.byteLength(body),
              }),
        },
      },
      response => {
        const socket = response.socket as import('node:tls').TLSSocket
        const tls = {
          protocol: socket.getProtocol() ?? '',
          cipher: socket.getCipher().standardName,
          server: socket.getPeerX509Certificate()?.subject ?? '',
        }
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString('latin1'),
            tls,
          }),
        )
      },
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${url.host} did not answer within 30 s`)))
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

function certificatesOf(exchange: Exchange): readonly Bytes[] {
  if (exchange.status !== 200) throw new EstError(exchange.status, exchange.body)
  return parseCertsOnly(fromBase64Lines(exchange.body)).map(der => new Uint8Array(der))
}

/** RFC 7617 §2, UTF-8. */
function basic(credentials: { readonly user: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`, 'utf8').toString('base64')}`
}
