// The EST routes with nothing around them: requests as values, through the router that the server uses.
import { toBase64Lines } from '../../src/core/bytes/base64.ts'
import { EMPTY } from '../../src/core/bytes/bytes.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import type { EstPorts } from '../../src/protocols/est/exchange.ts'
import { createEstRoutes } from '../../src/protocols/est/routes.ts'
import type { HttpReply, Peer } from '../../src/protocols/http.ts'
import { createRouter } from '../../src/server/router.ts'
import { NOBODY, type TestInstance } from './instance.ts'

export interface DoorRequest {
  readonly method?: string
  /** Leaf first. */
  readonly certificates?: readonly Uint8Array[]
  /** `user:password`. */
  readonly basic?: string
  readonly headers?: Readonly<Record<string, string>>
  /** DER, sent as base64 in lines; text, sent as it is. */
  readonly body?: Uint8Array | string
  readonly peer?: Partial<Peer>
}

export type EstDoor = (path: string, request?: DoorRequest) => Promise<HttpReply & { readonly text: string }>

export function estDoor(instance: TestInstance, more: Omit<EstPorts, 'registration'> = {}): EstDoor {
  const router = createRouter(createEstRoutes({ registration: instance, ...more }))
  return async (path, request = {}) => {
    const { body, basic, certificates = [] } = request
    const method = request.method ?? (body === undefined ? 'GET' : 'POST')
    const { route, params } = router.find(method, path)
    const octets =
      body === undefined ? EMPTY : typeof body === 'string' ? toUtf8(body) : toUtf8(toBase64Lines(body, 64, '\r\n'))
    const reply = await route.handle({
      method,
      path,
      query: new URLSearchParams(),
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/pkcs10' }),
        ...(basic === undefined ? {} : { authorization: `Basic ${Buffer.from(basic).toString('base64')}` }),
        ...request.headers,
      },
      body: octets,
      peer: { ...NOBODY, certificates: certificates.map(der => new Uint8Array(der)), ...request.peer },
      params,
      signal: new AbortController().signal,
      id: 'test',
    })
    return { ...reply, text: typeof reply.body === 'string' ? reply.body : Buffer.from(reply.body).toString() }
  }
}
