// What a protocol sees of HTTP: values in, values out. Sockets, TLS, body limits and deadlines are the server's.
import type { Bytes } from '../core/bytes/bytes.ts'
import type { TouchmarkError } from '../core/errors.ts'

/** The other end of the connection. */
export interface Peer {
  /** Certificates that the peer proved possession of (leaf) and sent along, leaf first; empty without a client certificate. */
  readonly certificates: readonly Bytes[]
  /**
   * Whether the leaf was already found good for this connection is not kept here: status is asked at every request.
   * Channel bindings for proof-of-possession linking (RFC 7030 §3.5): `tls-unique` of TLS 1.2, `tls-exporter` of TLS 1.3 (RFC 9266).
   */
  readonly tlsUnique: Bytes | null
  readonly tlsExporter: Bytes | null
  /** For rate limits and logs of refusals; never stored with a device. */
  readonly address: string
}

export interface HttpRequest {
  /** What log lines call this request; `X-Request-Id` of the reply. */
  readonly id: string
  readonly method: string
  /** Without the query, percent-decoded once. */
  readonly path: string
  readonly query: URLSearchParams
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** Empty where the route takes it as `upload`. */
  readonly body: Bytes
  /** The body as it comes, where the route says so: reading it fails beyond the route's `maxBody`. */
  readonly upload?: AsyncIterable<Uint8Array>
  readonly peer: Peer
  /** Path segments that the route's pattern named. */
  readonly params: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

export interface HttpReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | string
  /** In place of the body: sent piece by piece, until it ends or the other side hangs up. */
  readonly stream?: AsyncIterable<Uint8Array | string>
}

/** A reply that is there before it is asked for, public and the same for everybody: `X-Request-Id` and all that is made for one request it has not. */
export interface ReadyReply {
  readonly status: 200
  /** Name, value, name, value …: all that are sent, Content-Length among them; Date and Connection are the listener's. */
  readonly headers: readonly string[]
  readonly body: Uint8Array
}

/** Who may come in at all. The server checks it in one place, before the handler runs. */
export type Door =
  /** Anybody: trust anchors, CRLs, OCSP, health. */
  | 'public'
  /** The handler authenticates by the protocol's own means (EST: certificate or Basic) and must refuse otherwise. */
  | 'protocol'

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `/.well-known/est/:label/simpleenroll`: a segment with a colon is a parameter. A final `*` takes the rest of the path. */
  readonly pattern: string
  readonly door: Door
  /** Which listeners carry it: OCSP and CRLs must be had without TLS too (RFC 5280 §4.2.1.13 and §8 on loops). */
  readonly listeners: readonly ('https' | 'http')[]
  /** Largest request body in octets; a larger one is answered 413. */
  readonly maxBody: number
  /** Whether the handler reads the body itself, as it comes. */
  readonly upload?: boolean
  /** Whether a request costs signatures or commits: those are admitted only as far as the server can bear them. */
  readonly expensive?: boolean
  handle(request: HttpRequest): Promise<HttpReply>
  /**
   * Answers GET and HEAD at once where the reply is ready; `undefined`: `handle` answers. Only for public routes without parameters. `rest` is what
   * stands in the place of the pattern's final `*` (empty where there is none), as it was sent. Conditional requests never come here. It must
   * not throw, and it must take microseconds: docs/adr/0012-ready-ocsp-answers.md.
   */
  ready?(rest: string): ReadyReply | undefined
  /** Answers where the body is too large; it was not read, and is empty here. For protocols whose refusals leave a trace. */
  tooLarge?(request: HttpRequest): Promise<HttpReply>
  /** How this protocol words a refusal that comes from outside the handler: overload, a body that is too large, a deadline. */
  refusal?(error: TouchmarkError): HttpReply
}
