// The REST API, put together: every resource's endpoints, each behind the gate.
import type { KeyStore } from '../../crypto/key-store.ts'
import type { Access } from '../../domain/access/access.ts'
import type { Notifier } from '../../domain/alerts/notice.ts'
import type { AuthorityDirectory } from '../../domain/ca/authorities.ts'
import type { CertificateIssuer } from '../../domain/ca/issuer.ts'
import type { BatchDesk } from '../../domain/factory/batch-desk.ts'
import type { Random, Store } from '../../domain/ports.ts'
import type { Route } from '../http.ts'
import { accessEndpoints } from './access-endpoints.ts'
import { alertEndpoints } from './alert-endpoints.ts'
import { auditEndpoints } from './audit.ts'
import { authorityEndpoints } from './authorities.ts'
import { batchEndpoints } from './batches.ts'
import { campaignEndpoints } from './campaigns.ts'
import { certificateEndpoints } from './certificates.ts'
import { Cursors } from './cursor.ts'
import { descriptionEndpoints } from './description.ts'
import { deviceActionEndpoints } from './device-actions.ts'
import { deviceExportEndpoint } from './device-export.ts'
import { deviceEndpoints } from './devices.ts'
import { createDocsRoutes } from './docs-page.ts'
import { documentEndpoints } from './documents.ts'
import type { Endpoint } from './endpoint.ts'
import { enrolmentEndpoints } from './enrolments.ts'
import { type EventPorts, eventEndpoints } from './events.ts'
import { type GatePorts, gatedRoute } from './gate.ts'
import { IdempotentAnswers } from './idempotency.ts'
import { jobEndpoints } from './jobs.ts'
import { openApiDocument } from './openapi.ts'
import { profileEndpoints } from './profiles.ts'
import { RateLimiter } from './rate-limit.ts'
import { renewalEndpoints } from './renewal.ts'
import { revocationEndpoints } from './revocations.ts'
import { ruleEndpoints } from './rules.ts'
import { statisticsEndpoints } from './statistics.ts'
import { verdictEndpoint } from './verdict.ts'

export interface ApiPorts extends Omit<GatePorts, 'limiter' | 'answers' | 'cursors'> {
  readonly store: Store
  readonly random: Random
  readonly authorities: AuthorityDirectory
  readonly issuer: Pick<CertificateIssuer, 'prepare'>
  readonly keyStore: KeyStore
  /** Operators and how they sign in; the four eyes over what cannot be undone. */
  readonly access: Access
  /** Brings notices to people: for tests of channels. */
  readonly notifier: Notifier
  /** Where factory files come in. */
  readonly desk: BatchDesk
  readonly wait: EventPorts['wait']
  /** The audit log's name and public keys. */
  readonly log: { readonly origin: string; readonly verifierKeys: readonly string[] }
  /** Of the program, for the description. */
  readonly version: string
  /** Milliseconds of a clock that never goes back. */
  readonly elapsed: () => number
}

/** Every endpoint that there is; the same list makes routes, the OpenAPI document and the matrix of permissions. */
export function apiEndpoints(ports: ApiPorts): Endpoint[] {
  const { read } = ports.store
  const { fourEyes } = ports.access
  const resources = [
    ...statisticsEndpoints({ ...ports, read }),
    ...deviceEndpoints({ read }),
    deviceExportEndpoint({ read }),
    ...deviceActionEndpoints({ ...ports, fourEyes }),
    ...certificateEndpoints({ ...ports, fourEyes }),
    verdictEndpoint({ read }),
    ...enrolmentEndpoints(ports),
    ...authorityEndpoints({ ...ports, fourEyes }),
    ...profileEndpoints({ ...ports, fourEyes }),
    ...ruleEndpoints({ ...ports, fourEyes }),
    ...documentEndpoints(ports),
    ...renewalEndpoints({ read }),
    ...campaignEndpoints(ports),
    ...batchEndpoints(ports),
    ...alertEndpoints(ports),
    ...eventEndpoints({ ...ports, read }),
    ...jobEndpoints({ ...ports, fourEyes }),
    ...revocationEndpoints({ ...ports, fourEyes }),
    ...auditEndpoints({ ...ports, read }),
    ...accessEndpoints(ports.access),
  ]
  return [...resources, ...descriptionEndpoints(resources, ports.version)]
}

export function createApiRoutes(ports: ApiPorts): Route[] {
  const gate = {
    ...ports,
    limiter: new RateLimiter(ports.elapsed),
    answers: new IdempotentAnswers(ports),
    cursors: new Cursors({ random: ports.random, secretFor: purpose => ports.access.secretFor(purpose) }),
  }
  return [...apiEndpoints(ports).map(each => gatedRoute(each, gate)), ...createDocsRoutes()]
}

/** The OpenAPI document, without a server. */
export function apiDocument(version: string): Record<string, unknown> {
  return openApiDocument(documentedEndpoints(version), version)
}

/** Every endpoint, to be described and never called. */
export function documentedEndpoints(version: string): Endpoint[] {
  const nothing: object = new Proxy(() => nothing, { get: () => nothing })
  const unused = { store: nothing, access: nothing } as unknown as ApiPorts
  return apiEndpoints({ ...unused, version })
}
