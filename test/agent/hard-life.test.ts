// A hard life, drawn by chance: messages are lost, power is cut, clocks jump, servers refuse, operators give orders. At every moment the files
// hold an identity that proves itself; and once the world is kind again, the device has the newest certificate that the server made for it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DeviceAgent } from '../../src/agent/device-agent.ts'
import { type MemoryStorage, memoryStorage, PowerCut } from '../../src/agent/memory-storage.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { AgentServer, DAY, hierarchy, leafOf, unreachable } from '../support/agent-server.ts'

const PKI = hierarchy('Test')

type Event =
  | { readonly kind: 'power'; readonly nth: number; readonly when: 'before' | 'after' }
  | { readonly kind: 'lose'; readonly what: 'request' | 'answer'; readonly count: number }
  | { readonly kind: 'refuse'; readonly status: number; readonly count: number }
  | { readonly kind: 'garble'; readonly count: number }
  | { readonly kind: 'sleep'; readonly days: number }
  | { readonly kind: 'clock'; readonly offset: number }
  | { readonly kind: 'order' }
  | { readonly kind: 'suspend' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'trust' }

const few = fc.integer({ min: 1, max: 4 })
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    kind: fc.constant('power' as const),
    nth: fc.integer({ min: 1, max: 14 }),
    when: fc.constantFrom('before' as const, 'after' as const),
  }),
  fc.record({
    kind: fc.constant('lose' as const),
    what: fc.constantFrom('request' as const, 'answer' as const),
    count: few,
  }),
  fc.record({
    kind: fc.constant('refuse' as const),
    status: fc.constantFrom(400, 403, 404, 429, 500, 503),
    count: few,
  }),
  fc.record({ kind: fc.constant('garble' as const), count: few }),
  fc.record({ kind: fc.constant('sleep' as const), days: fc.integer({ min: 0, max: 50 }) }),
  fc.record({ kind: fc.constant('clock' as const), offset: fc.integer({ min: -4000 * DAY, max: 400 * DAY }) }),
  fc.constantFrom(...(['order', 'suspend', 'resume', 'trust'] as const).map(kind => ({ kind }))),
)

class World {
  readonly server = new AgentServer(PKI)
  readonly storage: MemoryStorage = memoryStorage()
  readonly evidence = this.server.birth()
  agent: DeviceAgent
  #clockOffset = 0
  #trouble: ((answered: boolean) => void) | undefined

  constructor() {
    this.agent = this.start()
    this.server.onRequest = () => {
      this.#trouble?.(false)
      return this.#refused?.()
    }
    this.server.onAnswer = (_, answer) => {
      this.#trouble?.(true)
      return this.#altered?.(answer) ?? answer
    }
  }

  #refused: (() => ReturnType<AgentServer['refuse']> | undefined) | undefined
  #altered: ((answer: Parameters<AgentServer['onAnswer']>[1]) => typeof answer | undefined) | undefined

  start(): DeviceAgent {
    const now = () => this.server.now + this.#clockOffset
    return new DeviceAgent({ storage: this.storage, transport: this.server, now })
  }

  enrol() {
    const { server, evidence } = this
    const where = { servers: ['https://a.test', 'https://b.test'], trustAnchors: server.roots }
    return this.agent.enrol({ model: 'gateway', serialNumber: 'SN-1', ...where, evidence })
  }

  async apply(event: Event): Promise<void> {
    const { server, storage } = this
    switch (event.kind) {
      case 'power':
        storage.cutPower(event.nth, event.when)
        return
      case 'lose': {
        let left = event.count
        this.#trouble = answered => {
          if (answered === (event.what === 'answer') && left-- > 0) throw unreachable()
        }
        return
      }
      case 'refuse': {
        let left = event.count
        this.#refused = () => (left-- > 0 ? server.refuse(event.status, 'test.refused') : undefined)
        return
      }
      case 'garble': {
        let left = event.count
        this.#altered = answer =>
          left-- > 0 ? { ...answer, body: answer.body.slice(0, answer.body.length >> 1) } : undefined
        return
      }
      case 'sleep':
        server.now += event.days * DAY
        return
      case 'clock':
        this.#clockOffset = event.offset
        // A clock is wrong after a reboot; a running agent has heard the time.
        this.agent = this.start()
        return
      case 'order':
        server.renewalOrder = { newKey: true, keyAlgorithm: null, profile: 'ldevid-v2', until: server.now + 5 * DAY }
        server.window = { start: server.now, end: server.now + DAY }
        return
      case 'suspend':
      case 'resume':
        server.state = event.kind === 'suspend' ? 'suspended' : 'active'
        server.order = event.kind === 'suspend' ? 'suspend' : null
        return
      case 'trust':
        await server.publishTrust([PKI.root])
        return
      default:
        event satisfies never
    }
  }

  /** A day of the device. Whatever goes wrong is either written down or a power cut. */
  async live(): Promise<void> {
    this.server.now += 2 * DAY
    try {
      if ((await this.agent.status()).state === 'new') await this.enrol()
      else {
        const { nextAt } = await this.agent.tick({ atOnce: true })
        assert.ok(nextAt !== null && nextAt > this.agent.now(), 'it never asks without a pause')
      }
    } catch (thrown) {
      if (thrown instanceof PowerCut) {
        this.storage.restorePower()
        this.agent = this.start()
      } else if (!(thrown instanceof TouchmarkError)) throw thrown
    }
    const { state } = await this.agent.status()
    if (state !== 'active') return
    const { certificates, serialNumber } = await this.agent.identity()
    assert.equal(leafOf(certificates).serialNumber, serialNumber)
    assert.ok(this.server.issued.some(issued => issued.serialNumber === serialNumber))
  }

  beKind(): void {
    this.storage.restorePower()
    this.#trouble = undefined
    this.#refused = undefined
    this.#altered = undefined
    this.#clockOffset = 0
    this.server.state = 'active'
    this.server.order = null
    this.agent = this.start()
  }
}

test('after any hard life one kind week is enough for one valid identity, the newest that was made', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 24 }), async events => {
      const world = new World()
      for (const each of events) {
        await world.apply(each)
        await world.live()
      }
      world.beKind()
      for (let day = 0; day < 4; day++) await world.live()
      const { agent, server, storage } = world
      const status = await agent.status()
      assert.equal(status.reason, null)
      assert.equal(status.serialNumber, server.last.serialNumber)
      assert.equal(status.trustBundle?.version, server.trustVersion)
      assert.equal(status.requestPending, false)
      assert.equal(status.lastError, null)
      assert.equal((await storage.list()).length, 6, 'one identity, what it began with, roots and state')
      const sequences = server.reports.map(({ sequence }) => sequence)
      assert.equal(new Set(sequences).size, sequences.length)
    }),
    { numRuns: 60 },
  )
})
