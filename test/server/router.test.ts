import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Route } from '../../src/protocols/http.ts'
import { createRouter } from '../../src/server/router.ts'

const route = (method: 'GET' | 'POST', pattern: string): Route => ({
  method,
  pattern,
  door: 'public',
  listeners: ['https'],
  maxBody: 0,
  handle: async () => ({ status: 200, headers: {}, body: pattern }),
})

const router = createRouter([
  route('GET', '/healthz'),
  route('GET', '/.well-known/est/cacerts'),
  route('POST', '/.well-known/est/simpleenroll'),
  route('GET', '/.well-known/est/:label/cacerts'),
  route('GET', '/ocsp/*'),
  route('POST', '/ocsp'),
  route('GET', '/crl/:authority/:shard'),
  route('GET', '/crl/:authority/latest'),
])

test('a literal path wins over a parameter, a parameter over the rest', () => {
  assert.equal(router.find('GET', '/.well-known/est/cacerts').route.pattern, '/.well-known/est/cacerts')
  const labelled = router.find('GET', '/.well-known/est/factory-7/cacerts')
  assert.deepEqual({ ...labelled.params }, { label: 'factory-7' })
  assert.equal(router.find('GET', '/crl/idevid-1/latest').route.pattern, '/crl/:authority/latest')
  assert.equal(router.find('GET', '/crl/idevid-1/0').route.pattern, '/crl/:authority/:shard')
})

test('the rest of a path keeps its slashes and is decoded once (RFC 6960 A.1: base64 in the path)', () => {
  assert.equal(router.find('GET', '/ocsp/MEow//SDBG%2Bx%3D').params['*'], 'MEow//SDBG+x=')
  assert.equal(router.find('GET', '/ocsp/a%252Fb').params['*'], 'a%2Fb')
})

test('an encoded slash inside a segment is data, not structure', () => {
  assert.deepEqual({ ...router.find('GET', '/crl/a%2Fb/0').params }, { authority: 'a/b', shard: '0' })
})

test('HEAD is answered by the route of GET', () => {
  assert.equal(router.find('HEAD', '/healthz').route.pattern, '/healthz')
})

test('what is not there is not found; a wrong method is told which ones are right', () => {
  for (const path of ['/', '/nothing', '/healthz/', '/.well-known/est//cacerts', '/__proto__']) {
    assert.throws(() => router.find('GET', path), { code: 'http.not_found' }, path)
  }
  assert.throws(
    () => router.find('DELETE', '/healthz'),
    (error: Error & { code?: string; evidence?: Record<string, unknown> }) =>
      error.code === 'http.method_not_allowed' && error.evidence?.['allow'] === 'GET, HEAD',
  )
})

test('a path that is not percent-encoded UTF-8 is malformed', () => {
  assert.throws(() => router.find('GET', '/%ff'), { code: 'http.path_invalid' })
  assert.throws(() => router.find('GET', '/crl/%/0'), { code: 'http.path_invalid' })
})

test('two routes for the same requests are refused at start', () => {
  assert.throws(() => createRouter([route('GET', '/a/:x'), route('GET', '/a/:y')]), /Two routes claim/)
})
