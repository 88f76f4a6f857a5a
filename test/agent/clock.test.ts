// The clock rule: a time before anything that there is evidence of is wrong, and what an authenticated server says counts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AgentClock, RELEASED_AT } from '../../src/agent/agent-clock.ts'
import { nextRetry } from '../../src/agent/back-off.ts'
import { DeviceAgent } from '../../src/agent/device-agent.ts'
import { memoryStorage } from '../../src/agent/memory-storage.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import { AgentServer, DAY, NOW } from '../support/agent-server.ts'

const TLS = { protocol: '', cipher: '', server: '', notBefore: NOW - DAY, notAfter: NOW + 90 * DAY }

test('no clock is believed before the release of the agent', () => {
  const clock = new AgentClock(() => 0)
  assert.equal(clock.now(), RELEASED_AT)
  assert.equal(clock.isWrong, true)
  assert.equal(clock.device(), 0)
})

test('what is signed only moves the time forward; between servers the last word counts', () => {
  const event = fc.record({
    kind: fc.constantFrom('evidence', 'told', 'heard', 'clock'),
    at: fc.integer({ min: 0, max: 2 * NOW }),
  })
  fc.assert(
    fc.property(fc.array(event), events => {
      let device = 0
      let signed = RELEASED_AT
      const clock = new AgentClock(() => device)
      for (const { kind, at } of events) {
        const before = clock.evident
        if (kind === 'evidence') clock.notBefore(at)
        else if (kind === 'told') clock.toldBefore(at)
        else if (kind === 'heard') clock.heard(at, TLS)
        else device = at
        if (kind === 'evidence') signed = Math.max(signed, at)
        assert.ok(clock.evident >= signed)
        assert.ok(clock.now() >= clock.evident)
        if (kind !== 'heard') assert.ok(clock.evident >= before)
        else if (at < TLS.notBefore || at > TLS.notAfter) assert.equal(clock.evident, before)
        else assert.equal(clock.now(), Math.max(signed, at))
      }
    }),
  )
})

test('a server corrects a clock that is behind, and one that is ahead', () => {
  for (const device of [0, NOW + 1000 * DAY]) {
    const clock = new AgentClock(() => device)
    clock.heard(NOW, TLS)
    assert.equal(clock.now(), NOW)
    assert.equal(clock.skewSeconds, device - NOW)
  }
})

test('a device that wakes in 1970 enrols, renews in time, and reports its own clock as it is', async () => {
  const server = new AgentServer()
  server.tokens.set('secret', undefined)
  let device = 0
  const storage = memoryStorage()
  const start = () => new DeviceAgent({ storage, transport: server, now: () => device })
  await start().enrol({
    model: 'gateway',
    serialNumber: 'SN-1',
    servers: ['https://a.test'],
    trustAnchors: server.roots,
    evidence: { kind: 'token', token: 'secret' },
  })
  assert.equal(server.reports.at(-1)?.time, 0)
  // After a reboot the clock begins anew; the certificate and the time that the server told are evidence enough.
  const rebooted = start()
  const status = await rebooted.status()
  assert.equal(status.valid, true)
  assert.equal(status.clockIsWrong, true)
  assert.ok(rebooted.now() >= NOW)
  device = 100
  server.now = NOW + 62 * DAY
  await rebooted.tick()
  assert.equal(server.issued.length, 2)
})

test('TLS is told where the clock is wrong, and only there', async () => {
  const server = new AgentServer()
  server.tokens.set('secret', undefined)
  const told: (number | undefined)[] = []
  server.onRequest = (_, { notBeforeTime }) => {
    told.push(notBeforeTime)
    return undefined
  }
  let device = 0
  const agent = new DeviceAgent({ storage: memoryStorage(), transport: server, now: () => device })
  await agent.enrol({
    model: 'gateway',
    serialNumber: 'SN-1',
    servers: ['https://a.test'],
    trustAnchors: server.roots,
    evidence: { kind: 'token', token: 'secret' },
  })
  assert.equal(told[0], RELEASED_AT)
  assert.ok(told.every(time => time !== undefined))
  told.length = 0
  device = NOW + DAY
  await agent.tick()
  assert.ok(told.length > 0 && told.every(time => time === undefined))
})

test('waiting grows, is spread, stays below its bound, and never undercuts what the server asked for', () => {
  const failure = (retryAfterSeconds?: number) =>
    new TouchmarkError('agent.server_refused', 'unavailable', 'No.', {
      evidence: retryAfterSeconds === undefined ? {} : { retryAfterSeconds },
    })
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 60 }),
      fc.option(fc.integer({ min: 0, max: 7 * DAY }), { nil: undefined }),
      fc.boolean(),
      (failures, asked, urgent) => {
        const before = { failures, at: 0, asked: false }
        const retry = nextRetry(before, failure(asked), { now: NOW, urgent, random: systemRandom })
        const wait = retry.at - NOW
        assert.equal(retry.failures, failures + 1)
        assert.ok(wait >= 15 && wait >= (asked ?? 0))
        assert.ok(wait <= Math.max(1.5 * (urgent ? 900 : 21_600), 2 * (asked ?? 0)) + 1)
      },
    ),
  )
  const waits = Array.from(
    { length: 50 },
    () => nextRetry(undefined, failure(600), { now: 0, urgent: false, random: systemRandom }).at,
  )
  assert.ok(new Set(waits).size > 10, 'a fleet that was asked at once comes back spread')
})
