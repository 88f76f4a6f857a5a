// The REST API of a test instance without a socket: requests go through the router and the gate as they would from a listener, and whoever asks
// is who the test says. Answers are held against the OpenAPI document by `openapi-check.ts`.

import assert from 'node:assert/strict'
import { passkeyVerifier } from '../../src/adapters/passkey-verifier.ts'
import { EMPTY } from '../../src/core/bytes/bytes.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { asTouchmarkError, TouchmarkError } from '../../src/core/errors.ts'
import { sha256 } from '../../src/crypto/digest.ts'
import { type Access, createAccess } from '../../src/domain/access/access.ts'
import { Passwords } from '../../src/domain/access/password.ts'
import { type Permission, permissionNames } from '../../src/domain/access/permissions.ts'
import type { Grant, Principal, Scope } from '../../src/domain/access/principal.ts'
import type { BatchDesk } from '../../src/domain/factory/batch-desk.ts'
import { type ApiPorts, apiDocument, createApiRoutes } from '../../src/protocols/api/routes.ts'
import type { HttpReply, HttpRequest, Route } from '../../src/protocols/http.ts'
import { createRouter } from '../../src/server/router.ts'
import { NOBODY, TEST_START, type TestInstance } from './instance.ts'
import { type OpenApi, problemsOf } from './openapi-check.ts'

/** Somebody with these permissions; everything where none are named. */
export function somebody(
  permissions: readonly Permission[] = permissionNames,
  scope: Scope = {},
  id = 'op-tester',
): Principal {
  const grants: Grant[] = [{ permissions: new Set(permissions), scope }]
  return {
    kind: 'operator',
    id,
    name: 'Tester',
    grants,
    authenticatedBy: 'password',
    authenticatedAt: TEST_START,
    operatorId: id,
  }
}

export interface ApiRequest {
  readonly method?: Route['method']
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** `null`: a stranger. */
  readonly as?: Principal | null
}

export interface ApiReply extends HttpReply {
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever JSON came
  readonly json: any
}

export type ApiDoor = (path: string, request?: ApiRequest) => Promise<ApiReply>

/** Access of a test instance; its passwords cost little. */
export function testAccess({ store, clock, random }: TestInstance): Access {
  const passwords = new Passwords(random, { memoryKiB: 64, passes: 1, lanes: 1 })
  return createAccess({
    store,
    clock,
    random,
    passwords,
    passkeys: passkeyVerifier,
    secretFor: purpose => sha256(toUtf8(`test ${purpose}`)),
  })
}

/** For tests without files. */
const NO_FILES: BatchDesk = {
  upload: () => Promise.reject(new TouchmarkError('factory.input_unknown', 'malformed', 'No files here.')),
  find: () => Promise.reject(new TouchmarkError('batch.upload_not_found', 'not_found', 'No files here.')),
  tryOut: () => Promise.reject(new TouchmarkError('batch.upload_not_found', 'not_found', 'No files here.')),
  result: () => undefined,
}

export function apiPorts(instance: TestInstance, caller: () => Principal | undefined): ApiPorts {
  let elapsed = 0
  return {
    ...instance,
    notifier: { send: () => Promise.reject(new TouchmarkError('notify.failed', 'unavailable', 'Nobody is there.')) },
    access: testAccess(instance),
    desk: NO_FILES,
    wait: async () => undefined,
    log: { origin: 'log.example.test', verifierKeys: [] },
    version: '0.0.0',
    // Nobody is limited here, but where a test asks for it.
    elapsed: () => (elapsed += 1000),
    authenticate: async () => caller(),
  }
}

/** `path` is below `/api/v1`. */
export function apiDoor(instance: TestInstance, ports: Partial<ApiPorts> = {}): ApiDoor {
  let caller: Principal | undefined
  const router = createRouter(createApiRoutes({ ...apiPorts(instance, () => caller), ...ports }))
  return async (path, { method = 'GET', body, headers, as = somebody() } = {}) => {
    const url = new URL(`https://localhost/api/v1${path}`)
    const { route, params } = router.find(method, url.pathname)
    const stop = new AbortController()
    const request: HttpRequest = {
      id: 'test',
      method,
      path: url.pathname,
      query: url.searchParams,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: octetsOf(body),
      ...(route.upload ? { upload: uploadOf(body) } : {}),
      peer: NOBODY,
      params,
      signal: stop.signal,
    }
    caller = as ?? undefined
    const reply = await route.handle(request).catch(thrown => {
      failures.push(thrown)
      return route.refusal!(asTouchmarkError(thrown))
    })
    const text = await textOf(reply, stop)
    const isJson = /\bjson\b/.test(reply.headers['content-type'] ?? '')
    const json: unknown = isJson ? JSON.parse(text) : {}
    // With `fields` the members that were not asked for are absent.
    if (!url.searchParams.has('fields')) assertDescribed(route.pattern, method, reply, json)
    return { ...reply, text, json }
  }
}

/** What handlers threw on, for the server to log: a test that expects none looks here. */
export const failures: unknown[] = []

const DOCUMENT = JSON.parse(JSON.stringify(apiDocument('0'))) as OpenApi

/** Every answer of every test is held against the document. */
function assertDescribed(pattern: string, method: string, { status, headers }: HttpReply, json: unknown): void {
  if (status < 200 || status > 299 || headers['content-type'] !== 'application/json') return
  const path = pattern.replaceAll(/:([A-Za-z]+)/g, '{$1}')
  const { responses } = DOCUMENT.paths[path]![method.toLowerCase()]!
  const schema = responses['2XX']?.content?.['application/json']?.schema
  if (schema === undefined || schema.format === 'binary') return
  assert.deepEqual(problemsOf(json, schema, DOCUMENT), [], `${method} ${path} answers what it does not describe`)
}

/** Parts of a stream that a test reads before it hangs up. */
const MAX_PARTS = 3

async function textOf({ body, stream }: HttpReply, stop: AbortController): Promise<string> {
  if (stream === undefined) return typeof body === 'string' ? body : Buffer.from(body).toString()
  const parts: Buffer[] = []
  for await (const part of stream) {
    parts.push(Buffer.from(part))
    if (parts.length === MAX_PARTS) break
    if (parts.length === MAX_PARTS - 1) stop.abort()
  }
  return Buffer.concat(parts).toString()
}

async function* uploadOf(body: unknown): AsyncGenerator<Uint8Array> {
  yield octetsOf(body)
}

function octetsOf(body: unknown) {
  if (body === undefined) return EMPTY
  if (body instanceof Uint8Array) return new Uint8Array(body)
  return toUtf8(typeof body === 'string' ? body : JSON.stringify(body))
}
