// The paths of EST (RFC 7030 §3.2.2) as routes: `/.well-known/est/<operation>`, with a label between, and with the label in front, which
// is where `pki --est` of strongSwan before 6.0 puts whatever follows the host in its URL.
import type { Route } from '../http.ts'
import { MAX_BODY } from './body.ts'
import type { EstOperation, EstPorts, EstServices } from './exchange.ts'
import { boundedKeyMaker } from './key-maker.ts'
import { answerEst, refuseTooLarge } from './pipeline.ts'

const OPERATIONS = {
  cacerts: { method: 'GET', door: 'public' },
  csrattrs: { method: 'GET', door: 'public' },
  simpleenroll: { method: 'POST', door: 'protocol' },
  simplereenroll: { method: 'POST', door: 'protocol' },
  serverkeygen: { method: 'POST', door: 'protocol' },
  fullcmc: { method: 'POST', door: 'protocol' },
} as const satisfies Record<EstOperation, Pick<Route, 'method' | 'door'>>

const PLACES = ['/.well-known/est', '/.well-known/est/:label', '/:label/.well-known/est'] as const

/** HTTPS only: without TLS there is no EST (§3.3). Another method on these paths is the router's 405. */
export function createEstRoutes(ports: EstPorts): Route[] {
  const services: EstServices = { ...ports, makeKey: boundedKeyMaker() }
  const operations = Object.entries(OPERATIONS) as [EstOperation, (typeof OPERATIONS)[EstOperation]][]
  return operations.flatMap(([operation, { method, door }]) =>
    PLACES.map(
      (place): Route => ({
        method,
        pattern: `${place}/${operation}`,
        door,
        listeners: ['https'],
        maxBody: method === 'POST' ? MAX_BODY : 0,
        expensive: method === 'POST',
        handle: request => answerEst(operation, request, services),
        ...(method === 'POST' && { tooLarge: request => refuseTooLarge(operation, request, ports) }),
      }),
    ),
  )
}
