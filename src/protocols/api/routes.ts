// The REST API, put together: every resource's endpoints, each behind the gate.
import type { Access } from '../../domain/access/access.ts'
import type { AuthorityDirectory } from '../../domain/ca/authorities.ts'
import type { Random, Store } from '../../domain/ports.ts'
import type { Route } from '../http.ts'
import { accessEndpoints } from './access-endpoints.ts'
import { certificateEndpoints } from './certificates.ts'
import { descriptionEndpoints } from './description.ts'
import { deviceActionEndpoints } from './device-actions.ts'
import { deviceEndpoints } from './devices.ts'
import type { Endpoint } from './endpoint.ts'
import { type GatePorts, gatedRoute } from './gate.ts'
import { IdempotentAnswers } from './idempotency.ts'
import { openApiDocument } from './openapi.ts'
import { RateLimiter } from './rate-limit.ts'
import { statisticsEndpoints } from './statistics.ts'

export interface ApiPorts extends Omit<GatePorts, 'limiter' | 'answers'> {
  readonly store: Store
  readonly random: Random
  /** Of the program, for the description. */
  readonly version: string
  readonly authorities: AuthorityDirectory
  /** Operators and how they sign in; the four eyes over what cannot be undone. */
  readonly access: Access
  /** Milliseconds of a clock that never goes back. */
  readonly elapsed: () => number
}

/** Every endpoint that there is; the same list makes routes, the OpenAPI document and the matrix of permissions. */
export function apiEndpoints(ports: ApiPorts): Endpoint[] {
  const { store } = ports
  const { read } = store
  const resources = [
    ...statisticsEndpoints({ ...ports, read }),
    ...accessEndpoints(ports.access),
    ...deviceEndpoints({ read }),
    ...deviceActionEndpoints(ports),
    ...certificateEndpoints(ports),
  ]
  return [...resources, ...descriptionEndpoints(resources, ports.version)]
}

/** The OpenAPI document, without a server. */
export function apiDocument(version: string): Record<string, unknown> {
  return openApiDocument(apiEndpoints({ ...inert(), version }), version)
}

/** Ports that nobody uses: describing calls no handler. */
function inert(): ApiPorts {
  const nothing: object = new Proxy(() => nothing, { get: () => nothing })
  return { store: nothing, access: nothing } as unknown as ApiPorts
}

export function createApiRoutes(ports: ApiPorts): Route[] {
  const gate = { ...ports, limiter: new RateLimiter(ports.elapsed), answers: new IdempotentAnswers(ports) }
  return apiEndpoints(ports).map(each => gatedRoute(each, gate))
}
