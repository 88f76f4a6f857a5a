// Replies that are ready: which routes may have them, and that they leave as any other reply does.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HttpReply, Route } from '../../src/protocols/http.ts'
import { openListener } from '../../src/server/listener.ts'
import { jsonLogger } from '../../src/server/logger.ts'
import { ReadyReplies } from '../../src/server/ready-replies.ts'

const body = new TextEncoder().encode('ready')
const ready: NonNullable<Route['ready']> = rest => {
  if (rest === 'broken') throw new Error('a fault')
  if (rest === 'other') return undefined
  return { status: 200, headers: ['Content-Type', 'text/plain', 'Content-Length', String(body.length)], body }
}

const route = (fields: Partial<Route>): Route => ({
  method: 'GET',
  pattern: '/list/*',
  door: 'public',
  listeners: ['http'],
  maxBody: 0,
  handle: async request => ({ status: 200, headers: {}, body: `made for ${request.id}` }) satisfies HttpReply,
  ready,
  ...fields,
})

test('found by the target as it was sent; the rest is what stands for the asterisk', () => {
  const list = route({})
  const one = route({ pattern: '/one' })
  const replies = new ReadyReplies([list, one, route({ pattern: '/never', ready: undefined as never })])
  assert.deepEqual(replies.find('/list/a/b%2F?c'), { route: list, rest: 'a/b%2F?c' })
  assert.deepEqual(replies.find('/one'), { route: one, rest: '' })
  for (const target of ['/list', '/one?a', '/never', '/', 'http://localhost/one', '*']) {
    assert.equal(replies.find(target), undefined, target)
  }
})

test('only public routes that take nothing may have them', () => {
  for (const fields of [{ method: 'POST' }, { door: 'protocol' }, { pattern: '/a/:b' }] as const) {
    assert.throws(() => new ReadyReplies([route(fields)]), /cannot have ready replies/)
  }
})

test('a ready reply is counted and has no request of its own; what is not ready, conditional or broken is handled', async t => {
  const lines: string[] = []
  const counted: string[] = []
  const listener = await openListener({
    host: '127.0.0.1',
    port: 0,
    routes: [route({})],
    logger: jsonLogger(line => lines.push(line)),
    onReply: ({ route: pattern, method, status }) => counted.push(`${method} ${pattern} ${status}`),
  })
  t.after(() => listener.close())
  const ask = async (rest: string, init: RequestInit = {}) => {
    const response = await fetch(`http://127.0.0.1:${listener.port}/list/${rest}`, init)
    return [await response.text(), response.headers.get('x-request-id') !== null] as const
  }
  assert.deepEqual(await ask('a'), ['ready', false])
  assert.deepEqual(await ask('a', { method: 'HEAD' }), ['', false])
  for (const [rest, init] of [
    ['other', {}],
    ['broken', {}],
    ['a', { headers: { 'If-None-Match': '"x"' } }],
    ['a', { headers: { 'if-modified-since': 'Sat, 01 Jan 2000 00:00:00 GMT' } }],
  ] as const) {
    const [text, hasId] = await ask(rest, init)
    assert.match(text, /^made for /)
    assert.ok(hasId)
  }
  assert.deepEqual(counted, Array(6).fill('GET /list/* 200'))
  assert.equal(listener.requests, 6)
  assert.equal(lines.length, 1)
  assert.match(lines[0]!, /request.failed.*a fault/)
})
