// What an endpoint of the REST API is: a method and a path, who may call it, schemas of what goes in and comes out, and a handler that is as
// thin as a command of the command line. The schemas validate (gate.ts) and are the OpenAPI document (openapi.ts): there is no second description.
import { z } from 'zod'
import { TouchmarkError } from '../../core/errors.ts'
import type { Permission } from '../../domain/access/permissions.ts'
import type { Facts, Principal, Scope } from '../../domain/access/principal.ts'
import type { AuditEntry } from '../../domain/audit/entry.ts'
import type { UnixSeconds } from '../../domain/ids.ts'
import type { Page } from '../../domain/ports.ts'
import type { HttpRequest, Route } from '../http.ts'
import type { RateLimit } from './rate-limit.ts'

/** Where the API begins; paths of endpoints are below it. */
export const API_BASE = '/api/v1'

/** What a page listens to. */
export const EVENTS_PATH = '/events'

/** Sections of the document, in the order in which people look for them. */
export const TAGS = [
  'Session',
  'Statistics',
  'Devices',
  'Groups',
  'Owners',
  'Certificates',
  'Enrolments',
  'Tokens',
  'Batches',
  'Authorities',
  'Profiles',
  'Rules',
  'Revocations',
  'Renewal',
  'Campaigns',
  'Alerts',
  'Audit',
  'Operators',
  'Settings',
  'Jobs',
  'Description',
] as const
export type Tag = (typeof TAGS)[number]

/** What a call may see and do, as the gate found it. */
export interface Call<Params, Query, Body> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly request: HttpRequest
  /** `null` only where the endpoint is public. */
  readonly caller: Principal | null
  /** Who acts, for audit entries. */
  readonly actor: AuditEntry['actor']
  readonly now: UnixSeconds
  /** The version that `If-Match` names; `null` where it is absent, or `*`. Where the endpoint asks for it, it is never absent. */
  readonly ifMatch: number | '*' | null
  /** Of a paged endpoint: how many, and where to go on. */
  readonly page: { readonly limit: number; readonly after?: string }
  /** Whether the caller may do this to a thing with these facts; without facts, to everything. */
  may(facts?: Facts, permission?: Permission): boolean
  /** Where the caller may do this: a list is narrowed to it. One of them being `{}` is everywhere. */
  readonly scopes: readonly Scope[]
}

export type AnyCall = Call<Record<string, never>, Record<string, never>, never>

/** What a handler answers: a value that fits the schema, or octets. */
export type Answer<Value> =
  | {
      readonly body: Value
      /** 200, or 201 where a thing was made, 202 where work goes on. */
      readonly status?: 200 | 201 | 202
      /** Version of a thing that can be edited: becomes the entity tag. */
      readonly version?: number
      readonly headers?: Readonly<Record<string, string>>
    }
  | { readonly status: 204; readonly headers?: Readonly<Record<string, string>> }
  | {
      readonly octets: Uint8Array | string | AsyncIterable<Uint8Array | string>
      readonly contentType: string
      readonly fileName?: string
      readonly headers?: Readonly<Record<string, string>>
    }

type Shape = z.ZodRawShape
type Output<S extends Shape> = z.output<z.ZodObject<S>>

export interface EndpointDefinition<
  P extends Shape,
  Q extends Shape,
  B extends z.ZodType,
  A extends z.ZodType,
  Paged extends boolean = false,
> {
  readonly method: Route['method']
  /** `/devices/:id`: each segment with a colon stands in `params`. */
  readonly path: `/${string}`
  /** Name for programs, unique: `listDevices`. */
  readonly id: string
  readonly tag: Tag
  /** One sentence for people, without a full stop. */
  readonly summary: string
  readonly description?: string
  /** `public`: anybody. `signed-in`: every operator and API token. */
  readonly permission: Permission | 'public' | 'signed-in'
  /**
   * That the handler asks `may` for each thing that it shows or touches. Without it the permission has to be held without a scope: who may
   * act for one owner only gets nowhere here.
   */
  readonly scoped?: true
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  /** Media type of a body that the handler reads as octets, as they come. */
  readonly upload?: string
  /** Octets of a body; 64 KiB where nothing is said. */
  readonly maxBody?: number
  /** One item, where the endpoint is paged; the document or the value otherwise. Absent: 204, or octets of `produces`. */
  readonly answer?: A
  /** Media type of an answer in octets. */
  readonly produces?: string
  /** Answers `{items, next}` and takes `limit` and `after`; cursors are bound to the query that made them. */
  readonly paged?: Paged
  /** Takes `fields`, the names of members that are wanted. */
  readonly sparse?: true
  /** Edits a version: `If-Match` has to be there (428 without). */
  readonly edits?: true
  /** Whether it costs signatures or commits; POST, PUT, PATCH and DELETE do where nothing is said. */
  readonly expensive?: boolean
  /** How often one caller may ask this, counted apart from everything else; absent: as for all endpoints together. */
  readonly rate?: RateLimit
  /** Changes nothing although it is a POST: a question with a body. No Idempotency-Key, and a refusal is no event. */
  readonly question?: true
  readonly handle: (
    call: Call<Output<P>, Output<Q>, z.output<B>>,
  ) => Promise<Answer<Paged extends true ? Page<z.input<A>> : z.input<A>>>
}

/** An endpoint whose types only the handler still knows. */
export interface Endpoint
  extends Omit<EndpointDefinition<Shape, Shape, z.ZodType, z.ZodType, boolean>, 'handle' | 'params' | 'query'> {
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  handle(call: AnyCall): Promise<Answer<unknown>>
}

/** Throws at start where path and parameters do not agree. */
export function endpoint<
  P extends Shape = Record<never, never>,
  Q extends Shape = Record<never, never>,
  B extends z.ZodType = z.ZodUndefined,
  A extends z.ZodType = z.ZodUnknown,
  Paged extends boolean = false,
>(definition: EndpointDefinition<P, Q, B, A, Paged>): Endpoint {
  const { params, query, handle, ...rest } = definition
  const named = [...definition.path.matchAll(/:([A-Za-z]+)/g)].map(([, name]) => name!)
  const declared = Object.keys(params ?? {})
  if (named.join() !== declared.join())
    throw new Error(`${definition.path} names ${named.join()}, and declares ${declared.join()}`)
  return {
    ...rest,
    params: z.strictObject(params ?? {}),
    query: z.strictObject(query ?? {}),
    handle: handle as unknown as Endpoint['handle'],
  } as Endpoint
}

/** A change that names a version of the thing. Throws `api.precondition_failed` where another one is in force. */
export function assertVersion(ifMatch: number | '*' | null, version: number): void {
  if (ifMatch === '*' || ifMatch === version) return
  throw new TouchmarkError('api.precondition_failed', 'conflict', 'Somebody else changed it since you read it.', {
    evidence: { version },
    next: 'Read it again, and send If-Match with the entity tag of what you read.',
  })
}

/** Schemas that every resource uses. */
export const hexId = (what: string) =>
  z.string().regex(/^[0-9a-f]{32}$/, `must be the id of ${what}, 32 hexadecimal digits`)
export const nameText = z.string().min(1).max(256)
export const timestampText = z.iso.datetime().meta({ description: 'RFC 3339, UTC' })
export const durationSeconds = z.int().min(0).max(3_155_760_000)
