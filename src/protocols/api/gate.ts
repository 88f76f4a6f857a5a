// The one gate of the REST API. Every request passes here in this order, whatever it asks for: who is it, may they, how often, is it well formed,
// was it asked before, then the handler, then the entity tag; and whatever goes wrong leaves as a problem (RFC 9457).
import { z } from 'zod'
import { TouchmarkError } from '../../core/errors.ts'
import { actorOf, may, maySomewhere, type Principal, scopesOf } from '../../domain/access/principal.ts'
import type { AuditEntry } from '../../domain/audit/entry.ts'
import type { Clock } from '../../domain/ports.ts'
import type { RefusalLog } from '../../domain/ra/refusal-log.ts'
import type { HttpReply, HttpRequest, Route } from '../http.ts'
import { problemReply } from '../problem.ts'
import { type Cursors, listName } from './cursor.ts'
import { type Answer, type AnyCall, API_BASE, type Endpoint } from './endpoint.ts'
import { etagOf, isNotModified, readIfMatch } from './etag.ts'
import type { IdempotentAnswers } from './idempotency.ts'
import { type RateLimiter, SIGNED_IN_LIMIT, STRANGER_LIMIT } from './rate-limit.ts'
import { InvalidRequest, type ParameterType, parseWith, queryValues, readJsonBody } from './read-request.ts'

export interface GatePorts {
  readonly clock: Clock
  readonly refusals: RefusalLog
  readonly limiter: RateLimiter
  readonly answers: IdempotentAnswers
  readonly cursors: Cursors
  /** Who asks; `undefined` where nothing was shown. Throws `access.*` where what was shown is not good. */
  authenticate(request: HttpRequest): Promise<Principal | undefined>
}

export const MAX_PAGE = 500
const DEFAULT_PAGE = 50
const DEFAULT_MAX_BODY = 64 * 1024

/** Members of the query that the gate itself understands. */
export function gateQuery(endpoint: Endpoint): z.ZodRawShape {
  return {
    ...(endpoint.paged
      ? {
          limit: z.int().min(1).max(MAX_PAGE).default(DEFAULT_PAGE).meta({ description: 'Items of a page.' }),
          after: z.string().max(4096).optional().meta({ description: 'The `next` of the page before.' }),
        }
      : {}),
    ...(endpoint.sparse
      ? {
          fields: z.string().max(1000).optional().meta({
            description: 'Names of the members that are wanted, separated by commas; the others are absent then.',
          }),
        }
      : {}),
  }
}

/** The endpoint as a route of the server. Throws at start where a schema cannot be described. */
export function gatedRoute(endpoint: Endpoint, ports: GatePorts): Route {
  const { method, path } = endpoint
  const gate = new Gate(endpoint, ports)
  return {
    method,
    pattern: `${API_BASE}${path}`,
    door: endpoint.permission === 'public' ? 'public' : 'protocol',
    listeners: ['https'],
    maxBody: method === 'GET' ? 0 : (endpoint.maxBody ?? DEFAULT_MAX_BODY),
    ...(endpoint.upload === undefined ? {} : { upload: true }),
    expensive: endpoint.expensive ?? method !== 'GET',
    handle: request => gate.handle(request),
    refusal: error => problemReply(error, { challenge: CHALLENGE }),
  }
}

const CHALLENGE = 'Bearer realm="touchmark"'

class Gate {
  readonly #endpoint: Endpoint
  readonly #ports: GatePorts
  readonly #query: z.ZodObject
  readonly #types: Readonly<Record<string, ParameterType>>
  readonly #members: ReadonlySet<string>

  constructor(endpoint: Endpoint, ports: GatePorts) {
    this.#endpoint = endpoint
    this.#ports = ports
    this.#query = endpoint.query.extend(gateQuery(endpoint))
    this.#types = (z.toJSONSchema(this.#query, { io: 'input' }).properties ?? {}) as Record<string, ParameterType>
    this.#members = new Set(endpoint.answer instanceof z.ZodObject ? Object.keys(endpoint.answer.shape) : [])
  }

  async handle(request: HttpRequest): Promise<HttpReply> {
    let caller: Principal | undefined
    try {
      caller = await this.#ports.authenticate(request)
      this.#authorise(caller)
      const { limiter } = this.#ports
      const { rate, id } = this.#endpoint
      if (caller && rate) limiter.take(`${caller.id} ${id}`, rate)
      else if (caller) limiter.take(caller.id, SIGNED_IN_LIMIT)
      else limiter.take(`address ${request.peer.address}`, STRANGER_LIMIT)
      return await this.#serve(request, caller)
    } catch (thrown) {
      // What is our own fault is thrown on, for the server to log.
      if (!(thrown instanceof TouchmarkError) || thrown.kind === 'internal' || thrown.kind === 'unavailable')
        throw thrown
      await this.#record(thrown, request, caller)
      return this.#problem(thrown, request)
    }
  }

  #authorise(caller: Principal | undefined): void {
    const { permission, scoped } = this.#endpoint
    if (permission === 'public') return
    if (caller === undefined) {
      throw new TouchmarkError('access.unauthenticated', 'unauthenticated', 'Sign in first.', {
        next: 'Send an API token as Authorization: Bearer …, or sign in on the console.',
      })
    }
    if (permission === 'signed-in') return
    if (scoped ? maySomewhere(caller, permission) : may(caller, permission)) return
    throw forbidden(permission, scopesOf(caller, permission).length > 0)
  }

  async #serve(request: HttpRequest, caller: Principal | undefined): Promise<HttpReply> {
    const endpoint = this.#endpoint
    const params = parseWith(endpoint.params, request.params, 'path')
    const { limit, after, fields, ...query } = parseWith(
      this.#query,
      queryValues(request.query, this.#types),
      'query',
    ) as Record<string, unknown>
    const wanted = this.#wanted(fields as string | undefined)
    const list = endpoint.paged ? listName(endpoint.id, query) : ''
    const place = after === undefined ? undefined : this.#ports.cursors.open(list, after as string)
    const ifMatch = readIfMatch(request, endpoint)
    const body = endpoint.body === undefined ? undefined : parseWith(endpoint.body, readJsonBody(request), 'body')
    const { permission } = endpoint
    const actor: AuditEntry['actor'] = caller ? actorOf(caller) : { kind: 'stranger', id: 'unknown' }
    const call = {
      params,
      query,
      body,
      request,
      caller: caller ?? null,
      actor,
      now: this.#ports.clock.now(),
      ifMatch,
      page: { limit: (limit as number | undefined) ?? DEFAULT_PAGE, ...(place === undefined ? {} : { after: place }) },
      may: (facts, other) =>
        caller !== undefined &&
        (other !== undefined
          ? may(caller, other, facts)
          : permission === 'public' || permission === 'signed-in' || may(caller, permission, facts)),
      scopes:
        caller === undefined || permission === 'public' || permission === 'signed-in'
          ? []
          : scopesOf(caller, permission),
    } as AnyCall
    const act = async () => this.#reply(await endpoint.handle(call), request, { list, wanted })
    // A file that is sent again is the same file: its name is its digest, and what was begun under the key was not hashed yet.
    const kept = request.method !== 'GET' && !endpoint.question && endpoint.upload === undefined
    if (!kept || caller === undefined) return act()
    return this.#ports.answers.once(request, endpoint.id, caller.id, act)
  }

  /** Names of members, where the caller wants some only. */
  #wanted(fields: string | undefined): ReadonlySet<string> | undefined {
    if (fields === undefined) return undefined
    const names = fields.split(',').map(name => name.trim())
    const unknown = names.filter(name => !this.#members.has(name))
    if (unknown.length === 0) return new Set(names)
    const message = `has no member ${unknown.join(', ').slice(0, 200)}; there are ${[...this.#members].join(', ')}`
    throw new InvalidRequest([{ in: 'query', path: 'fields', message }])
  }

  #reply(
    answer: Answer<unknown>,
    request: HttpRequest,
    { list, wanted }: { readonly list: string; readonly wanted: ReadonlySet<string> | undefined },
  ): HttpReply {
    const headers: Record<string, string> = { 'cache-control': 'no-store', ...COMMON_HEADERS, ...answer.headers }
    if ('octets' in answer) {
      headers['content-type'] = answer.contentType
      if (answer.fileName !== undefined) headers['content-disposition'] = `attachment; filename="${answer.fileName}"`
      const { octets } = answer
      if (typeof octets === 'string' || octets instanceof Uint8Array) return { status: 200, headers, body: octets }
      return { status: 200, headers, body: '', stream: octets }
    }
    if (!('body' in answer)) return { status: 204, headers, body: '' }
    headers['content-type'] = 'application/json'
    if (answer.version !== undefined) {
      headers['etag'] = etagOf(answer.version)
      headers['cache-control'] = 'private, no-cache'
      if (request.method === 'GET' && isNotModified(request, answer.version)) {
        const { 'content-type': _, ...unchanged } = headers
        return { status: 304, headers: unchanged, body: '' }
      }
    }
    const value = this.#endpoint.paged
      ? this.#page(answer.body as { items: readonly unknown[]; next: string | null }, list, wanted)
      : sparse(answer.body, wanted)
    return { status: answer.status ?? 200, headers, body: `${JSON.stringify(value)}\n` }
  }

  #page(
    { items, next }: { readonly items: readonly unknown[]; readonly next: string | null },
    list: string,
    wanted: ReadonlySet<string> | undefined,
  ): unknown {
    const { cursors } = this.#ports
    return { items: items.map(item => sparse(item, wanted)), next: next === null ? null : cursors.seal(list, next) }
  }

  #problem(error: TouchmarkError, { id }: HttpRequest): HttpReply {
    const members: Record<string, unknown> = { requestId: id }
    if (error instanceof InvalidRequest) members['problems'] = error.problems
    else if (Object.keys(error.evidence).length > 0) members['evidence'] = error.evidence
    const reply = problemReply(error, { challenge: CHALLENGE, members })
    return { ...reply, headers: { ...reply.headers, ...COMMON_HEADERS } }
  }

  /** That somebody was not let in, and that a rule refused an act, are evidence; a request that is not well formed is not. */
  async #record(error: TouchmarkError, request: HttpRequest, caller: Principal | undefined): Promise<void> {
    const { id: operation, question } = this.#endpoint
    const atTheDoor = error.code.startsWith('access.')
    const refusedAct = request.method !== 'GET' && !question && ACT_REFUSALS.has(error.kind) && caller !== undefined
    if (!atTheDoor && !refusedAct) return
    // Who shows nothing has not tried anything: a console whose session is over asks on for a while.
    if (error.code === 'access.unauthenticated' && request.method === 'GET') return
    await this.#ports.refusals.record({
      code: error.code,
      action: atTheDoor ? 'access.refused' : 'operator.refused',
      protocol: 'api',
      operation,
      deviceId: null,
      ...(caller === undefined ? {} : { actor: actorOf(caller) }),
      address: request.peer.address,
      detail: atTheDoor ? {} : { command: operation },
    })
  }
}

const ACT_REFUSALS: ReadonlySet<string> = new Set(['forbidden', 'not_found', 'conflict'])

/** What is read here is no page: nothing sniffs it, frames it, or tells others where it was. */
const COMMON_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const

/** The caller may not. `elsewhere`: it has the permission, but not for this. */
export function forbidden(permission: string, elsewhere = false): TouchmarkError {
  return new TouchmarkError(
    'access.forbidden',
    'forbidden',
    elsewhere ? `You have ${permission}, but not for this.` : `This takes the permission ${permission}.`,
    { evidence: { permission }, next: 'An administrator gives roles.' },
  )
}

function sparse(value: unknown, wanted: ReadonlySet<string> | undefined): unknown {
  if (wanted === undefined) return value
  return Object.fromEntries(Object.entries(value as Record<string, unknown>).filter(([name]) => wanted.has(name)))
}
