// Admission control: beyond what the server can bear it answers 503 with a spread Retry-After, finishes what it admitted, and goes on answering
// what is cheap. The listener is a real one; its handlers are as slow as the test wants.
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { TouchmarkError } from '../../src/core/errors.ts'
import type { HttpReply, Route } from '../../src/protocols/http.ts'
import { Admission, type AdmissionLimits, DEFAULT_ADMISSION } from '../../src/server/admission.ts'
import { checkConfiguration, newConfiguration } from '../../src/server/configuration.ts'
import { type Listener, openListener } from '../../src/server/listener.ts'
import { jsonLogger } from '../../src/server/logger.ts'

const LIMITS: AdmissionLimits = { requests: 16, eventLoopDelayMs: 100, maxRetryAfterSeconds: 60 }

function overload(admission: Admission): TouchmarkError {
  try {
    admission.enter()
  } catch (thrown) {
    assert.ok(thrown instanceof TouchmarkError)
    assert.equal(thrown.code, 'server.overloaded')
    return thrown
  }
  throw new assert.AssertionError({ message: 'it was admitted' })
}

const retryAfter = (error: TouchmarkError) => Number(error.evidence['retryAfterSeconds'])

test('admits as many as the limit says, and one more for each that leaves', () => {
  const admission = new Admission(LIMITS, { delayMs: () => 0 })
  const leave = Array.from({ length: 16 }, () => admission.enter())
  overload(admission)
  leave[0]!()
  leave[0]!()
  admission.enter()
  overload(admission)
  assert.equal(admission.atWork, 16)
  assert.equal(admission.refusals, 2)
})

test('admits an eighth while the event loop is late, and never none', () => {
  let delay = 101
  const admission = new Admission(LIMITS, { delayMs: () => delay })
  admission.enter()
  admission.enter()
  overload(admission)
  delay = 100
  admission.enter()
  const narrow = new Admission({ ...LIMITS, requests: 1 }, { delayMs: () => 10_000 })
  narrow.enter()
  overload(narrow)
})

test('sends the many away for longer than the few, never for longer than the limit, and each at another time', () => {
  let now = 0
  let draw = 0
  const ports = { delayMs: () => 0, elapsed: () => now, random: () => draw }
  const admission = new Admission({ ...LIMITS, requests: 1 }, ports)
  admission.enter()
  assert.equal(retryAfter(overload(admission)), 2)
  draw = 0.999
  const few = retryAfter(overload(admission))
  for (let i = 0; i < 30; i++) overload(admission)
  const many = retryAfter(overload(admission))
  assert.ok(few < many, `${few} < ${many}`)
  for (let i = 0; i < 10_000; i++) overload(admission)
  assert.equal(retryAfter(overload(admission)), 60)
  now += 1_000_000
  assert.equal(retryAfter(overload(admission)), 4)
})

test('whatever comes and goes, the limit holds and Retry-After is within its bounds', () => {
  const step = fc.record({
    enter: fc.boolean(),
    draw: fc.double({ min: 0, max: 0.999, noNaN: true }),
    ms: fc.nat({ max: 5000 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      let now = 0
      let draw = 0
      const admission = new Admission(LIMITS, { delayMs: () => 0, elapsed: () => now, random: () => draw })
      const inside: (() => void)[] = []
      for (const each of steps) {
        now += each.ms
        draw = each.draw
        if (!each.enter) inside.pop()?.()
        else if (inside.length < LIMITS.requests) inside.push(admission.enter())
        else {
          const seconds = retryAfter(overload(admission))
          assert.ok(Number.isInteger(seconds) && seconds >= 2 && seconds <= 60)
        }
        assert.equal(admission.atWork, inside.length)
      }
    }),
  )
})

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly text: string
}

function post(port: number, path: string, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, method: 'POST', agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }))
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

async function listenerWith(t: TestContext, requests: number) {
  const lines: string[] = []
  const open = Promise.withResolvers<void>()
  const begun: (() => void)[] = []
  const handled: string[] = []
  const common = { method: 'POST', door: 'public', listeners: ['http'], maxBody: 100 } as const
  const reply = (body: string): HttpReply => ({ status: 200, headers: {}, body })
  const slow: Route = {
    ...common,
    pattern: '/slow',
    expensive: true,
    async handle({ body }) {
      handled.push(Buffer.from(body).toString())
      begun.shift()?.()
      await open.promise
      return reply(`done ${Buffer.from(body)}`)
    },
  }
  const worded: Route = {
    ...slow,
    pattern: '/worded',
    refusal: ({ code }) => ({ status: 503, headers: { 'content-type': 'application/problem+json' }, body: code }),
  }
  const cheap: Route = { ...common, pattern: '/cheap', handle: async () => reply('here') }
  const admission = new Admission({ ...LIMITS, requests }, { delayMs: () => 0 })
  const logger = jsonLogger(line => lines.push(line))
  const listener: Listener = await openListener({
    host: '127.0.0.1',
    port: 0,
    routes: [slow, worded, cheap],
    logger,
    admission,
  })
  t.after(() => listener.close())
  const next = () => new Promise<void>(resolve => begun.push(resolve))
  return { port: listener.port, open, next, handled, admission, lines }
}

test('a listener full of slow handlers answers 503 with Retry-After, finishes what it admitted, and answers what is cheap', async t => {
  const { port, open, next, handled, admission } = await listenerWith(t, 3)
  const admitted: Promise<Answer>[] = []
  for (const name of ['a', 'b', 'c']) {
    const working = next()
    admitted.push(post(port, '/slow', name))
    await working
  }
  const refused = await Promise.all(Array.from({ length: 20 }, () => post(port, '/slow', 'x')))
  for (const { status, headers } of refused) {
    assert.equal(status, 503)
    assert.match(String(headers['retry-after']), /^[1-9][0-9]*$/)
    assert.equal(headers['connection'], 'close')
  }
  assert.ok(new Set(refused.map(({ headers }) => headers['retry-after'])).size > 1, 'all were told the same second')
  assert.equal((await post(port, '/cheap', '')).text, 'here')
  assert.deepEqual(handled, ['a', 'b', 'c'])
  assert.equal(admission.refusals, 20)

  open.resolve()
  assert.deepEqual(
    (await Promise.all(admitted)).map(({ status, text }) => [status, text]),
    [
      [200, 'done a'],
      [200, 'done b'],
      [200, 'done c'],
    ],
  )
  assert.equal((await post(port, '/slow', 'd')).text, 'done d')
  assert.equal(admission.atWork, 0)
})

test('a protocol words the refusal itself, and a flood of them is not a flood of log lines', async t => {
  const { port, open, next, lines } = await listenerWith(t, 1)
  const working = next()
  const admitted = post(port, '/slow', 'a')
  await working
  for (let i = 0; i < 5; i++) {
    const { headers, text } = await post(port, '/worded', 'x')
    assert.equal(headers['content-type'], 'application/problem+json')
    assert.equal(text, 'server.overloaded')
  }
  open.resolve()
  await admitted
  assert.deepEqual(
    lines.filter(line => line.includes('request.failed')),
    [],
  )
})

test('who is slow to send its body holds no place', async t => {
  const { port, open, admission } = await listenerWith(t, 1)
  open.resolve()
  const headers = { 'content-length': '5' }
  const idle = request({ host: '127.0.0.1', port, path: '/slow', method: 'POST', agent: false, headers })
  idle.on('error', () => undefined)
  await new Promise<void>(resolve => idle.on('socket', socket => socket.once('connect', resolve)))
  idle.flushHeaders()
  assert.equal((await post(port, '/slow', 'quick')).text, 'done quick')
  assert.equal(admission.atWork, 0)
  idle.destroy()
})

test('the limits come from the configuration, and what it leaves out is as the program thinks best', () => {
  const { admission: _, ...file } = newConfiguration({ log: { origin: 'example.com/log', verifierKeys: ['key'] } })
  assert.deepEqual(checkConfiguration(file).admission, DEFAULT_ADMISSION)
  assert.deepEqual(checkConfiguration({ ...file, admission: { requests: 8 } }).admission, {
    ...DEFAULT_ADMISSION,
    requests: 8,
  })
  for (const admission of [{ requests: 0 }, { requests: '8' }, { patience: 1 }, [], null]) {
    assert.throws(() => checkConfiguration({ ...file, admission }), { code: 'configuration.invalid' })
  }
})
