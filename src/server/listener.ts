// One listening socket: HTTP or HTTPS in, `HttpRequest` values to the routes, `HttpReply` values out. Limits and deadlines on
// everything that a stranger controls are here and nowhere else. A client certificate is asked for and never insisted on:
// renegotiation does not exist any more, so each path judges what the handshake brought.
import { constants } from 'node:crypto'
import { createServer as createHttp, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttps, type Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import { type Bytes, EMPTY } from '../core/bytes/bytes.ts'
import { asTouchmarkError, TouchmarkError } from '../core/errors.ts'
import type { HttpReply, HttpRequest, Peer, ReadyReply, Route } from '../protocols/http.ts'
import type { Admission } from './admission.ts'
import { withRequest } from './current-request.ts'
import { errorReply } from './error-reply.ts'
import { errorFields, type Logger } from './logger.ts'
import { type FoundReady, ReadyReplies } from './ready-replies.ts'
import { createRouter, type Router } from './router.ts'
import { PeerReader, plainPeer } from './tls-peer.ts'
import type { RequestSpan, RequestTracing } from './tracing/request-tracing.ts'

export interface ListenerLimits {
  /** Open connections; further ones are closed at once. */
  readonly connections: number
  /** From the first octet of TLS to its end. */
  readonly handshakeMs: number
  /** From the first octet of a request to the end of its header, and to the end of its body. */
  readonly headersMs: number
  readonly requestMs: number
  /** How long a handler may take before the client is told to come again. */
  readonly handlerMs: number
  /** Between two requests of one connection. */
  readonly idleMs: number
  readonly headerOctets: number
  readonly requestsPerConnection: number
}

export const LIMITS: ListenerLimits = {
  connections: 10_000,
  handshakeMs: 10_000,
  headersMs: 10_000,
  requestMs: 30_000,
  handlerMs: 30_000,
  idleMs: 15_000,
  headerOctets: 16_384,
  requestsPerConnection: 10_000,
}

/** A TLS session may be resumed for an hour; certificate status is asked at every request, resumed or not. */
const SESSION_SECONDS = 3600

export type TlsCertificate = Pick<SecureContextOptions, 'key' | 'cert'>

/**
 * No trust anchors for OpenSSL: the routes judge certificates by the registry, and a chain verified in every handshake would cost as
 * much as the handshake itself (a P-384 root above all). The list of wanted authorities that clients see is then empty, which means
 * any (RFC 8446 §4.2.4), and strangers do not learn whose devices we accept.
 */
const NO_TRUST_ANCHORS: string[] = []

const TLS_OPTIONS = {
  ca: NO_TRUST_ANCHORS,
  minVersion: 'TLSv1.2',
  honorCipherOrder: true,
  sessionTimeout: SESSION_SECONDS,
  // Without one OpenSSL refuses to resume a session that had a client certificate.
  sessionIdContext: 'touchmark',
  // Who is at the other end is read once a connection, and so is its channel binding (TLS 1.2): neither may change on the way.
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const

export interface ListenerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly routes: readonly Route[]
  readonly logger: Logger
  /** With it the listener speaks HTTPS. */
  readonly tls?: TlsCertificate
  readonly limits?: Partial<ListenerLimits>
  /** Asked for every expensive request; without it all are admitted. */
  readonly admission?: Admission
  /** Told of each reply, for those who count: the route's pattern (`null`: there is none), and how long the client waited for its head. */
  readonly onReply?: (reply: {
    readonly route: string | null
    readonly method: string
    readonly status: number
    readonly seconds: number
  }) => void
  /** Told of each request, where requests are traced. */
  readonly tracing?: RequestTracing | undefined
}

/** Octets of an unwanted body that are read and thrown away. What is larger is cut off, in the middle of a reply if need be. */
const MAX_DISCARDED = 32 * 1024 * 1024

/** A request on its way through a handler. */
interface Flight {
  readonly id: string
  readonly abort: AbortController
  readonly begun: number
  readonly until: number
  /** Once it is found. The log lines name its pattern instead of what the stranger wrote. */
  route?: Route
  readonly span: RequestSpan | undefined
  /** Of the error that is answered. */
  code: string | null
  finish(reply: HttpReply): void
}

/** Opens the socket. Throws `listen.port_taken`, `listen.not_permitted`, `listen.address_unknown`. */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const listener = new Listener(options)
  await listener.open(options.host, options.port)
  return listener
}

export class Listener {
  readonly #server: Server | HttpsServer
  readonly #secure: boolean
  readonly #router: Router
  readonly #readyReplies: ReadyReplies
  readonly #limits: ListenerLimits
  readonly #admission: Admission | undefined
  readonly #logger: Logger
  readonly #onReply: ListenerOptions['onReply']
  readonly #tracing: RequestTracing | undefined
  readonly #peers = new PeerReader()
  readonly #flights = new Set<Flight>()
  /** Replies that are being sent piece by piece. */
  readonly #streams = new Set<ServerResponse>()
  readonly #idPrefix = Math.floor(process.hrtime()[1]).toString(36)
  #sweeper: NodeJS.Timeout | undefined
  #requests = 0
  #reportedRefusals = 0
  #closing = false

  constructor(options: ListenerOptions) {
    const limits = { ...LIMITS, ...options.limits }
    const scheme = options.tls ? 'https' : 'http'
    this.#limits = limits
    this.#admission = options.admission
    this.#logger = options.logger
    this.#onReply = options.onReply
    this.#tracing = options.tracing
    this.#secure = options.tls !== undefined
    const routes = routesFor(scheme, options.routes)
    this.#router = createRouter(routes)
    this.#readyReplies = new ReadyReplies(routes)
    const http = {
      maxHeaderSize: limits.headerOctets,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: Math.min(5_000, limits.headersMs),
      noDelay: true,
    }
    this.#server = options.tls
      ? createHttps({
          ...http,
          ...options.tls,
          ...TLS_OPTIONS,
          requestCert: true,
          rejectUnauthorized: false,
          handshakeTimeout: limits.handshakeMs,
        })
      : createHttp(http)
    this.#server.maxConnections = limits.connections
    this.#server.maxRequestsPerSocket = limits.requestsPerConnection
    this.#server.on('request', (request, response) => void this.#serve(request, response))
    this.#server.on('checkContinue', (request, response) => void this.#serve(request, response))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Requests answered since the start. */
  get requests(): number {
    return this.#requests
  }

  async open(host: string, port: number): Promise<void> {
    const opened = Promise.withResolvers<void>()
    this.#server.once('error', opened.reject)
    this.#server.listen({ host, port, backlog: 1024 }, opened.resolve)
    try {
      await opened.promise
    } catch (cause) {
      throw listenError(cause as NodeJS.ErrnoException, host, port)
    }
    this.#server.off('error', opened.reject)
    this.#server.on('error', error => this.#logger.error('listener.error', errorFields(error)))
    this.#sweeper = setInterval(() => this.#sweep(), 1000).unref()
  }

  /** New connections get the new certificate; those that stand keep theirs. */
  useCertificate(tls: TlsCertificate): void {
    if (!('setSecureContext' in this.#server)) throw new Error('A plain listener has no certificate.')
    this.#server.setSecureContext({ ...tls, ...TLS_OPTIONS })
  }

  /** Stops accepting, lets what is in flight finish for as long as `graceMs`, then cuts the rest. */
  async close(graceMs = 10_000): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    clearInterval(this.#sweeper)
    if (!this.#server.listening) return
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    for (const response of this.#streams) response.destroy()
    const cut = setTimeout(() => {
      for (const flight of this.#flights) flight.abort.abort(stopping())
      this.#server.closeAllConnections()
    }, graceMs)
    await closed
    clearTimeout(cut)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#serveReady(request, response)) return
    const flight = this.#takeOff(request, response)
    const carry = () => this.#carry(request, response, flight)
    const { id, span } = flight
    return withRequest(id, span === undefined ? carry : () => span.within(carry))
  }

  /** What is ready is sent before anything is made for the request: it is counted like any other, and nothing of it can fail or wait. */
  #serveReady(request: IncomingMessage, response: ServerResponse): boolean {
    const { method, url } = request
    if ((method !== 'GET' && method !== 'HEAD') || url === undefined) return false
    const found = this.#readyReplies.find(url)
    if (found === undefined || isConditional(request)) return false
    const begun = performance.now()
    const reply = this.#ready(found)
    if (reply === undefined) return false
    this.#requests++
    const { status, headers, body } = reply
    response.writeHead(status, this.#closing ? [...headers, 'connection', 'close'] : (headers as string[]))
    response.end(body)
    const seconds = (performance.now() - begun) / 1000
    const told = { route: found.route.pattern, method: found.route.method, status }
    this.#onReply?.({ ...told, seconds })
    this.#traced(request, begun)?.end({ ...told, listener: this.#scheme, requestId: null, code: null })
    return true
  }

  /** A fault here is one of ours: it is told, and the handler answers. */
  #ready({ route, rest }: FoundReady): ReadyReply | undefined {
    try {
      return route.ready?.(rest)
    } catch (thrown) {
      this.#logger.error('request.failed', { path: route.pattern, ...errorFields(thrown) })
      return undefined
    }
  }

  async #carry(request: IncomingMessage, response: ServerResponse, flight: Flight): Promise<void> {
    try {
      flight.finish(await this.#answer(request, response, flight))
    } catch (thrown) {
      const error = asTouchmarkError(thrown)
      flight.code = error.code
      if (error.code !== OVERLOADED && (error.kind === 'internal' || error.kind === 'unavailable')) {
        const fields = {
          code: error.code,
          path: pathOf(request).slice(0, 200),
          ...errorFields(thrown),
        }
        this.#logger.error('request.failed', fields)
      }
      flight.finish(refusalReply(error, flight))
    } finally {
      this.#flights.delete(flight)
    }
  }

  #takeOff(request: IncomingMessage, response: ServerResponse): Flight {
    const abort = new AbortController()
    const begun = performance.now()
    const flight: Flight = {
      id: `${this.#idPrefix}-${(++this.#requests).toString(36)}`,
      abort,
      begun,
      until: begun + this.#limits.handlerMs,
      span: this.#traced(request, begun),
      code: null,
      finish: reply => this.#write(request, response, reply, flight),
    }
    this.#flights.add(flight)
    response.once('close', () => {
      if (!response.writableFinished)
        abort.abort(new TouchmarkError('http.client_gone', 'unavailable', 'The client hung up.'))
    })
    return flight
  }

  #traced(request: IncomingMessage, begun: number): RequestSpan | undefined {
    if (this.#tracing === undefined) return undefined
    const { traceparent } = request.headers
    return this.#tracing.request(typeof traceparent === 'string' ? traceparent : undefined, begun)
  }

  get #scheme(): 'https' | 'http' {
    return this.#secure ? 'https' : 'http'
  }

  async #answer(request: IncomingMessage, response: ServerResponse, flight: Flight): Promise<HttpReply> {
    const target = pathOf(request)
    const mark = target.indexOf('?')
    const { route, path, params } = this.#router.find(request.method ?? '', mark < 0 ? target : target.slice(0, mark))
    flight.route = route
    const admission = route.expensive ? this.#admission : undefined
    admission?.assertRoom()
    const asked = (body: Bytes): HttpRequest => ({
      id: flight.id,
      method: route.method,
      path,
      query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
      headers: singleHeaders(request),
      body,
      peer: this.#peer(request),
      params,
      signal: flight.abort.signal,
      ...(route.upload ? { upload: uploadOf(request, response, route) } : {}),
    })
    let body: Bytes
    try {
      body = route.upload ? EMPTY : await this.#body(request, response, route)
    } catch (thrown) {
      if (route.tooLarge && asTouchmarkError(thrown).code === 'http.body_too_large') return route.tooLarge(asked(EMPTY))
      throw thrown
    }
    // Only now: who is slow to send its body holds no place.
    const leave = admission?.enter()
    try {
      return await route.handle(asked(body))
    } finally {
      leave?.()
    }
  }

  #peer(request: IncomingMessage): Peer {
    return this.#secure ? this.#peers.peer(request.socket as TLSSocket) : plainPeer(request.socket.remoteAddress ?? '')
  }

  /** The whole body, refused as soon as it is known to be too large: before `100 Continue` where the client asks. */
  async #body(request: IncomingMessage, response: ServerResponse, route: Route): Promise<Bytes> {
    if (route.method === 'GET') return EMPTY
    if (Number(request.headers['content-length'] ?? 0) > route.maxBody) throw tooLarge(route)
    if (request.headers.expect !== undefined) response.writeContinue()
    return readBody(request, route)
  }

  #write(request: IncomingMessage, response: ServerResponse, reply: HttpReply, flight: Flight): void {
    const { id, route, begun } = flight
    const told = { route: route?.pattern ?? null, method: route?.method ?? '', status: reply.status }
    // Also where the client is gone: what was done for it is done.
    flight.span?.end({ ...told, listener: this.#scheme, requestId: id, code: flight.code })
    if (response.headersSent || response.destroyed) return
    const seconds = (performance.now() - begun) / 1000
    this.#onReply?.({ ...told, seconds })
    const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body
    const headers: Record<string, string | number> = { ...reply.headers, 'X-Request-Id': id }
    // Spelled as RFC 9110 spells it: libest compares header names by case.
    // A 304 has no body, and must not say that the body it stands for has no octets (RFC 9110 §8.6).
    if (reply.stream === undefined && reply.status !== 304) headers['Content-Length'] = body.length
    if (this.#closing) headers['connection'] = 'close'
    if (!request.complete && request.method !== 'GET' && request.method !== 'HEAD') this.#discard(request, headers)
    response.writeHead(reply.status, headers)
    if (reply.stream !== undefined && request.method !== 'HEAD') {
      void this.#send(response, reply.stream)
      return
    }
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  /** What is under way when the server stops is cut: who reads events asks again, and a download is not complete without its end. */
  async #send(response: ServerResponse, stream: AsyncIterable<Uint8Array | string>): Promise<void> {
    this.#streams.add(response)
    try {
      await pipeline(Readable.from(stream, { objectMode: true }), response)
    } catch (thrown) {
      // Also where the other side hung up, which is its right.
      if (!response.destroyed) this.#logger.error('reply.stream_failed', errorFields(thrown))
      response.destroy()
    } finally {
      this.#streams.delete(response)
    }
  }

  /**
   * A body that nobody wants is read on and thrown away for a while: a connection that is closed under a client that still sends loses
   * the reply with it. Who waits for `100 Continue` has sent nothing yet; there the end of the connection is the only way.
   */
  #discard(request: IncomingMessage, headers: Record<string, string | number>): void {
    if (request.headers.expect !== undefined) {
      headers['connection'] = 'close'
      return
    }
    let discarded = 0
    request.on('data', (chunk: Buffer) => {
      discarded += chunk.length
      if (discarded > MAX_DISCARDED) request.destroy()
    })
    request.resume()
  }

  #sweep(): void {
    const now = performance.now()
    const { refusals = 0, atWork = 0 } = this.#admission ?? {}
    if (refusals > this.#reportedRefusals) {
      this.#logger.warning('admission.refused', { refused: refusals - this.#reportedRefusals, atWork })
      this.#reportedRefusals = refusals
    }
    for (const flight of this.#flights) {
      if (flight.until > now) continue
      this.#flights.delete(flight)
      const error = new TouchmarkError('http.handler_timeout', 'unavailable', 'The request took too long.')
      this.#logger.warning('request.timeout', { request: flight.id, route: flight.route?.pattern })
      flight.code = error.code
      flight.finish(refusalReply(error, flight))
      flight.abort.abort(error)
    }
  }
}

const OVERLOADED = 'server.overloaded'

/** The refusal in the words of the route's protocol, where it has its own. Who is sent away leaves: an idle connection costs too. */
function refusalReply(error: TouchmarkError, { route, id }: Flight): HttpReply {
  const reply = route?.refusal?.(error) ?? errorReply(error, id)
  return error.code === OVERLOADED ? { ...reply, headers: { ...reply.headers, connection: 'close' } } : reply
}

/** The routes that this listener carries. What asks for authentication never goes over a plain one. */
function routesFor(scheme: 'https' | 'http', routes: readonly Route[]): readonly Route[] {
  const carried = routes.filter(route => route.listeners.includes(scheme))
  const open = carried.find(route => scheme === 'http' && route.door !== 'public')
  if (open) throw new Error(`${open.pattern} authenticates its clients and must not be served over plain HTTP.`)
  return carried
}

/** The request target in origin form; the absolute form is taken too (RFC 9112 §3.2.2). */
function pathOf(request: IncomingMessage): string {
  const target = request.url ?? '/'
  if (target.startsWith('/')) return target
  const absolute = /^https?:\/\/[^/?#]*(.*)$/i.exec(target)
  if (!absolute) return '/'
  return absolute[1]!.startsWith('/') ? absolute[1]! : `/${absolute[1]!}`
}

/** Whether an answer may be 304: the handler compares validators. Looked for where no object of all headers is made. */
function isConditional({ rawHeaders }: IncomingMessage): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length > 7 && name[2] === '-' && /^if-/i.test(name)) return true
  }
  return false
}

function singleHeaders(request: IncomingMessage): Readonly<Record<string, string | undefined>> {
  const { 'set-cookie': _, ...headers } = request.headers
  return headers as Readonly<Record<string, string | undefined>>
}

/** The body piece by piece. What reads it waits for the client, and the client for what reads. */
async function* uploadOf(
  request: IncomingMessage,
  response: ServerResponse,
  route: Route,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (Number(request.headers['content-length'] ?? 0) > route.maxBody) throw tooLarge(route)
  if (request.headers.expect !== undefined) response.writeContinue()
  let length = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += (chunk as Buffer).length
      if (length > route.maxBody) throw tooLarge(route)
      yield chunk as Buffer
    }
  } catch (cause) {
    throw cause instanceof TouchmarkError ? cause : cutShort(cause)
  }
  if (!request.complete) throw cutShort()
}

function readBody(request: IncomingMessage, route: Route): Promise<Bytes> {
  const { promise, resolve, reject } = Promise.withResolvers<Bytes>()
  const chunks: Buffer[] = []
  let length = 0
  let whole = false
  const take = (chunk: Buffer) => {
    length += chunk.length
    if (length > route.maxBody) {
      request.off('data', take)
      chunks.length = 0
      reject(tooLarge(route))
    } else chunks.push(chunk)
  }
  request.on('data', take)
  request.once('end', () => {
    whole = true
    const body = new Uint8Array(length)
    let at = 0
    for (const chunk of chunks) {
      body.set(chunk, at)
      at += chunk.length
    }
    resolve(body)
  })
  request.once('error', cause => reject(cutShort(cause)))
  // Every request closes; an error is made for those that close too early.
  request.once('close', () => whole || reject(cutShort()))
  return promise
}

function tooLarge(route: Route): TouchmarkError {
  return new TouchmarkError('http.body_too_large', 'malformed', `The body may have ${route.maxBody} octets here.`, {
    evidence: { limit: route.maxBody },
  })
}

function cutShort(cause?: unknown): TouchmarkError {
  return new TouchmarkError('http.body_incomplete', 'malformed', 'The body ended before its announced length.', {
    cause,
  })
}

function stopping(): TouchmarkError {
  return new TouchmarkError('server.stopping', 'unavailable', 'The server is stopping.')
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): TouchmarkError {
  const evidence = { host, port }
  switch (cause.code) {
    case 'EADDRINUSE':
      return new TouchmarkError(
        'listen.port_taken',
        'unavailable',
        `Port ${port} on ${host} is taken by another program.`,
        {
          cause,
          evidence,
          next: 'Stop that program, or choose another port with --port (0 takes a free one).',
        },
      )
    case 'EACCES':
      return new TouchmarkError('listen.not_permitted', 'unavailable', `This user may not listen on port ${port}.`, {
        cause,
        evidence,
        next: 'Choose a port above 1023 with --port, or give the right to bind low ports.',
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new TouchmarkError('listen.address_unknown', 'unavailable', `This machine has no address ${host}.`, {
        cause,
        evidence,
        next: 'Correct listen.host in touchmark.json, or pass --host.',
      })
    default:
      return new TouchmarkError('listen.failed', 'unavailable', `Listening on ${host}:${port} failed.`, {
        cause,
        next: 'Choose another address or port with --host and --port.',
        evidence: { ...evidence, reason: cause.code ?? 'unknown' },
      })
  }
}
