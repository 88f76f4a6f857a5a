// The OpenAPI document: complete, without loose ends; and requests drawn from it, good and hostile, none of which is our own fault.
import assert from 'node:assert/strict'
import { after, describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { PERMISSIONS } from '../../src/domain/access/permissions.ts'
import { apiDocument } from '../../src/protocols/api/routes.ts'
import { type ApiRequest, apiDoor, failures } from '../support/api-door.ts'
import { bornDevice, testInstance } from '../support/instance.ts'
import { drawn, type OpenApi, type Parameter, type Route, routesOf } from '../support/openapi-check.ts'

const document = JSON.parse(JSON.stringify(apiDocument('0'))) as OpenApi
const routes = routesOf(document)

describe('the OpenAPI document', () => {
  it('names every operation once, each with a permission that there is, and refers to nothing that is not there', () => {
    const ids = routes.map(({ operation }) => operation.operationId)
    assert.equal(new Set(ids).size, ids.length)
    for (const { operation, path } of routes) {
      const permission = operation['x-permission']
      assert.ok(permission === 'public' || permission === 'signed-in' || Object.hasOwn(PERMISSIONS, permission), path)
    }
    const text = JSON.stringify(document)
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      assert.ok(Object.hasOwn(document.components.schemas, name!), name)
    }
    assert.ok(!text.includes('#/$defs/'))
  })

  it('opens only what has to be open: the description and the ways to sign in', () => {
    const open = routes.filter(({ operation }) => operation['x-permission'] === 'public')
    for (const { path } of open) assert.match(path, /^\/api\/v1\/(?:openapi\.json$|session\b)/)
  })

  it('is served as it is, to anybody', async t => {
    const door = apiDoor(await testInstance(t))
    const { status, json } = await door('/openapi.json', { as: null })
    assert.equal(status, 200)
    assert.equal(json.openapi, '3.1.0')
    assert.equal(Object.keys(json.paths).length, Object.keys(document.paths).length)
  })
})

describe('requests drawn from the document', () => {
  for (const route of routes) {
    it(`${route.method} ${route.path} never fails by our own fault`, async () => {
      const instance = await shared()
      failures.length = 0
      await fc.assert(
        fc.asyncProperty(requestOf(route), async ({ path, request }) => {
          const { status, headers } = await instance.door(path, request)
          assert.ok(status < 500, `${status} ${path} ${JSON.stringify(request.body)} ${String(failures.at(-1))}`)
          if (status >= 400) assert.equal(headers['content-type'], 'application/problem+json')
        }),
        { numRuns: route.method === 'GET' ? 25 : 15 },
      )
    })
  }
})

let made: Promise<{ door: ReturnType<typeof apiDoor> }> | undefined
const ends: (() => unknown)[] = []
after(async () => {
  for (const end of ends) await end()
})

/** One instance for all, with something in it: what a request breaks, the others meet. It ends with the file, not with its first test. */
function shared(): Promise<{ door: ReturnType<typeof apiDoor> }> {
  made ??= (async () => {
    const instance = await testInstance({
      after: (end: () => unknown) => void ends.push(end),
    } as unknown as TestContext)
    await bornDevice(instance)
    return { door: apiDoor(instance) }
  })()
  return made
}

function requestOf({ path, method, operation }: Route): fc.Arbitrary<{ path: string; request: ApiRequest }> {
  const { parameters = [], requestBody } = operation
  const of = (where: string) => parameters.filter(each => each.in === where)
  const values = (some: readonly Parameter[]) =>
    fc.record(Object.fromEntries(some.map(each => [each.name, drawn(each.schema, document)])), {
      requiredKeys: some.filter(each => each.required).map(each => each.name) as never[],
    })
  const [content] = Object.entries(requestBody?.content ?? {})
  const body =
    content === undefined
      ? fc.constant(undefined)
      : content[0] === 'application/json'
        ? drawn(content[1].schema, document)
        : fc.string()
  const conditional = of('header').some(({ name }) => name === 'If-Match')
  return fc
    .record({
      inPath: values(of('path')),
      inQuery: values(of('query')),
      body,
      version: fc.constantFrom('"0"', '"1"', '"2"', '*', 'W/"1"', 'x'),
      key: fc.oneof(fc.constant(undefined), fc.uuid(), fc.constant('x')),
    })
    .map(({ inPath, inQuery, body: sent, version, key }) => {
      const filled = path.replaceAll(/\{([A-Za-z]+)\}/g, (_, name: string) => segment(inPath[name as never]))
      const query = new URLSearchParams()
      for (const [name, value] of Object.entries(inQuery as Record<string, unknown>))
        for (const each of Array.isArray(value) ? value : [value]) query.append(name, spelled(each))
      const headers = {
        ...(conditional ? { 'if-match': version } : {}),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      }
      const text = query.size > 0 ? `?${query}` : ''
      return {
        path: `${filled.replace('/api/v1', '')}${text}`,
        request: { method, headers, ...(sent === undefined ? {} : { body: sent }) },
      }
    })
}

/** Never empty, and no dots that a URL would resolve. */
function segment(value: unknown): string {
  const text = encodeURIComponent(spelled(value).toWellFormed())
  return text === '' || /^\.+$/.test(text) ? '_' : text
}

function spelled(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
