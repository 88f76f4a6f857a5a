// Who may do what: every endpoint of the OpenAPI document, tried as every built-in role, is open or closed as docs/reference/permissions.md says.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { allows, MATRIX_PAGE, permissionMatrix } from '../../scripts/permission-matrix.ts'
import { permissionNames } from '../../src/domain/access/permissions.ts'
import { BUILT_IN_ROLES } from '../../src/domain/access/roles.ts'
import { apiDocument, documentedEndpoints } from '../../src/protocols/api/routes.ts'
import { apiDoor, somebody } from '../support/api-door.ts'
import { testInstance } from '../support/instance.ts'
import { type OpenApi, type Route, routesOf } from '../support/openapi-check.ts'

const routes = routesOf(JSON.parse(JSON.stringify(apiDocument('0'))) as OpenApi)
const endpoints = new Map(documentedEndpoints('0').map(each => [each.id, each]))

/** Well formed enough to come to the gate, and too little to get anything done. */
function requestOf({ path, method }: Route) {
  const filled = path.replace('/api/v1', '').replaceAll(/\{([A-Za-z]+)\}/g, '0'.repeat(32))
  return [filled, { method, ...(method === 'GET' ? {} : { body: {} }) }] as const
}

describe('the matrix of permissions', () => {
  it('is the page in the documentation: node scripts/permission-matrix.ts', () => {
    assert.equal(readFileSync(MATRIX_PAGE, 'utf8'), permissionMatrix())
  })

  it('is what the gate does, for every endpoint and every role', async t => {
    const door = apiDoor(await testInstance(t))
    const wrong: string[] = []
    let tried = 0
    for (const role of BUILT_IN_ROLES) {
      const as = somebody([...role.permissions])
      for (const route of routes) {
        const [path, request] = requestOf(route)
        const { status, json } = await door(path, { ...request, as })
        const refused = status === 403 && json.code === 'access.forbidden' && json.detail?.startsWith('This takes the')
        const expected = allows(endpoints.get(route.operation.operationId)!, role)
        if (refused === expected)
          wrong.push(`${role.name} at ${route.method} ${route.path}: ${status} ${json.code ?? ''}`)
        tried++
      }
    }
    assert.deepEqual(wrong, [])
    assert.equal(tried, routes.length * BUILT_IN_ROLES.length)
  })

  it('lets nobody in who shows nothing, but where anybody may', async t => {
    const door = apiDoor(await testInstance(t))
    for (const route of routes) {
      const [path, request] = requestOf(route)
      const { status, json } = await door(path, { ...request, as: null })
      if (route.operation['x-permission'] === 'public') assert.notEqual(json.code, 'access.unauthenticated', path)
      else assert.deepEqual([status, json.code], [401, 'access.unauthenticated'], `${route.method} ${path}`)
    }
  })

  it('gives a narrowed grant nothing of the instance as a whole, and no list of what others own', async t => {
    const door = apiDoor(await testInstance(t))
    const as = somebody(permissionNames, { owner: 'acme' })
    for (const route of routes) {
      const endpoint = endpoints.get(route.operation.operationId)!
      if (endpoint.scoped || endpoint.permission === 'public' || endpoint.permission === 'signed-in') continue
      const [path, request] = requestOf(route)
      const { status, json } = await door(path, { ...request, as })
      assert.deepEqual([status, json.code], [403, 'access.forbidden'], `${route.method} ${path}`)
    }
  })
})
