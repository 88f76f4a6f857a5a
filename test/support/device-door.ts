// The device API with nothing around it: requests as values, through the router that the server uses, and errors worded as the listener would.
import { EMPTY } from '../../src/core/bytes/bytes.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { asTouchmarkError } from '../../src/core/errors.ts'
import { TrustBundles } from '../../src/domain/trust-bundle/trust-bundles.ts'
import { createDeviceRoutes } from '../../src/protocols/device/routes.ts'
import type { HttpReply, HttpRequest } from '../../src/protocols/http.ts'
import { createRouter } from '../../src/server/router.ts'
import { NOBODY, type TestInstance } from './instance.ts'

export interface DeviceRequest {
  /** Leaf first. */
  readonly certificates?: readonly Uint8Array[]
  /** A value is sent as JSON, octets and text as they are. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface DeviceReply extends HttpReply {
  readonly text: string
  /** Of the body as JSON. */
  readonly json: Readonly<Record<string, unknown>>
}

export type DeviceDoor = (path: string, request?: DeviceRequest) => Promise<DeviceReply>

export async function deviceDoor(instance: TestInstance): Promise<DeviceDoor> {
  const trustBundles = new TrustBundles(instance)
  await trustBundles.refresh()
  const router = createRouter(createDeviceRoutes({ ...instance, trustBundle: () => trustBundles.current }))
  return async (path, { certificates = [], body, headers } = {}) => {
    const url = new URL(`https://localhost/api/v1/device/${path}`)
    const method = body === undefined ? 'GET' : 'POST'
    const { route, params } = router.find(method, url.pathname)
    const request: HttpRequest = {
      method,
      path: url.pathname,
      query: url.searchParams,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: octetsOf(body),
      peer: { ...NOBODY, certificates: certificates.map(der => new Uint8Array(der)) },
      params,
      signal: new AbortController().signal,
      id: 'test',
    }
    const reply = await route.handle(request).catch(thrown => route.refusal!(asTouchmarkError(thrown)))
    const text = typeof reply.body === 'string' ? reply.body : Buffer.from(reply.body).toString()
    const isJson = /json/.test(reply.headers['content-type'] ?? '')
    return { ...reply, text, json: isJson ? JSON.parse(text) : {} }
  }
}

function octetsOf(body: unknown) {
  if (body === undefined) return EMPTY
  if (body instanceof Uint8Array) return new Uint8Array(body)
  return toUtf8(typeof body === 'string' ? body : JSON.stringify(body))
}
