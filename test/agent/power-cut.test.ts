// Power cuts. The whole life of a device is played once to count the changes that it makes to its files; then it is played again with a cut
// before and after each of them. Whatever lay there, the next start ends with one valid identity, and the server agrees which.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeviceAgent } from '../../src/agent/device-agent.ts'
import { type MemoryStorage, memoryStorage, PowerCut } from '../../src/agent/memory-storage.ts'
import { AgentServer, DAY, hierarchy, leafOf, NOW, rootPem, unreachable } from '../support/agent-server.ts'

const PKI = hierarchy('Test')
const NEXT = hierarchy('Next')

interface Life {
  readonly server: AgentServer
  readonly storage: MemoryStorage
  agent: DeviceAgent
}

function begin(): Life {
  const server = new AgentServer(PKI)
  const storage = memoryStorage()
  server.tokens.set('secret', undefined)
  return { server, storage, agent: start(server, storage) }
}

const start = (server: AgentServer, storage: MemoryStorage) =>
  new DeviceAgent({ storage, ...server.options(), hook: async () => undefined })

const enrolment = (server: AgentServer) => ({
  model: 'gateway',
  serialNumber: 'SN-1',
  servers: ['https://a.test'],
  trustAnchors: server.roots,
  evidence: { kind: 'token', token: 'secret' } as const,
})

/** The steps of a life, each of which may be done again. */
const LIFE: readonly ((life: Life) => Promise<void>)[] = [
  async ({ agent, server }) => {
    if ((await agent.status()).state === 'active') return
    await agent.enrol(enrolment(server))
  },
  async ({ agent, server }) => {
    server.now = NOW + DAY
    await agent.tick({ atOnce: true })
  },
  async ({ agent, server }) => {
    server.now = NOW + 70 * DAY
    await agent.tick({ atOnce: true })
  },
  async ({ agent, server }) => {
    if (server.trustVersion === 0) await server.publishTrust([PKI.root, NEXT.root])
    server.now = NOW + 72 * DAY
    await agent.tick({ atOnce: true })
  },
  async ({ agent, server }) => {
    server.now = NOW + 74 * DAY
    if (server.last.profile === 'ldevid') {
      server.renewalOrder = { newKey: true, keyAlgorithm: 'P-384', profile: 'ldevid-v2', until: NOW + 90 * DAY }
      server.window = { start: NOW + 70 * DAY, end: NOW + 71 * DAY }
    }
    await agent.tick({ atOnce: true })
  },
  async ({ agent, server }) => {
    server.order = 'suspend'
    server.state = 'suspended'
    server.now = NOW + 76 * DAY
    await agent.tick({ atOnce: true })
  },
  async ({ agent, server }) => {
    server.order = null
    server.state = 'active'
    server.now = NOW + 78 * DAY
    await agent.tick({ atOnce: true })
  },
]

/** What is true at the end of every life, however often the power was cut. */
async function assertOneIdentity({ server, storage, agent }: Life): Promise<void> {
  const status = await agent.status()
  assert.equal(status.reason, null)
  assert.equal(status.serialNumber, server.last.serialNumber, 'the newest that the server issued is the one in use')
  assert.equal(status.keyAlgorithm, 'P-384')
  assert.equal(status.trustBundle?.version, 1)
  assert.equal(status.requestPending, false)
  const identity = await agent.identity()
  assert.equal(leafOf(identity.certificates).serialNumber, server.last.serialNumber)
  const files = (await storage.list()).toSorted()
  const folder = await storage.readLink('current')
  assert.deepEqual(
    files,
    [`${folder}/certificate.pem`, `${folder}/key.pem`, 'roots.pem', 'state.json'],
    'nothing is left over',
  )
  const sequences = server.reports.map(({ sequence }) => sequence)
  assert.equal(new Set(sequences).size, sequences.length, 'no number was used twice')
}

/** Plays on from the step that the cut met; a person switches the device on again. */
async function play(life: Life): Promise<void> {
  for (const step of LIFE) {
    try {
      await step(life)
    } catch (thrown) {
      if (!(thrown instanceof PowerCut)) throw thrown
      life.storage.restorePower()
      life.agent = start(life.server, life.storage)
      await step(life)
      // What a cut leaves open is closed by the next tick.
      await life.agent.tick({ atOnce: true })
    }
  }
}

test('a life without power cuts ends with one identity', async () => {
  const life = begin()
  await play(life)
  await assertOneIdentity(life)
  assert.equal(life.server.issued.length, 3)
})

test('a cut before or after any change to any file ends with one valid identity', async () => {
  const whole = begin()
  await play(whole)
  const { changes } = whole.storage
  assert.ok(changes > 30, `${changes} changes`)
  for (let nth = 1; nth <= changes; nth++) {
    for (const when of ['before', 'after'] as const) {
      const life = begin()
      life.storage.cutPower(nth, when)
      try {
        await play(life)
        await assertOneIdentity(life)
        // The same request again is the same certificate: none was made in vain.
        assert.ok(life.server.issued.length <= 3, `${life.server.issued.length} certificates`)
      } catch (thrown) {
        throw new Error(`power cut ${when} change ${nth} of ${changes}`, { cause: thrown })
      }
    }
  }
})

test('an answer that is lost at any time is fetched by the same request', async () => {
  for (const operation of ['simpleenroll', 'simplereenroll', 'health', 'trust-bundle']) {
    const life = begin()
    let lost = 0
    life.server.onAnswer = (asked, answer) => {
      if (asked !== operation || lost++ > 0) return answer
      throw unreachable()
    }
    for (const step of LIFE) {
      await step(life).catch(() => step(life))
      await life.agent.tick({ atOnce: true })
    }
    assert.ok(lost > 0)
    await assertOneIdentity(life)
    assert.equal(life.server.issued.length, 3)
  }
})

test('a wipe that is cut anywhere leaves no key at the end', async () => {
  const wiping = async (life: Life) => {
    life.server.order = 'wipe'
    life.server.state = 'retired'
    life.server.now = NOW + 2 * DAY
    await life.agent.tick({ atOnce: true })
  }
  const enrolled = async () => {
    const life = begin()
    await LIFE[0]!(life)
    return life
  }
  const whole = await enrolled()
  const before = whole.storage.changes
  await wiping(whole)
  const changes = whole.storage.changes - before
  assert.ok(changes >= 8, `${changes} changes`)
  for (let nth = 1; nth <= changes; nth++) {
    for (const when of ['before', 'after'] as const) {
      const life = await enrolled()
      const keyId = (await life.agent.identity()).key
      life.storage.cutPower(nth, when)
      await assert.rejects(wiping(life), PowerCut)
      life.storage.restorePower()
      life.agent = start(life.server, life.storage)
      await wiping(life)
      const { state, valid } = await life.agent.status()
      assert.deepEqual({ state, valid }, { state: 'wiped', valid: false }, `cut ${when} change ${nth}`)
      assert.deepEqual((await life.storage.list()).toSorted(), ['roots.pem', 'state.json', 'wipe-statement.json'])
      assert.equal(await life.storage.readLink('current'), undefined)
      assert.ok(keyId.length > 0 && life.server.wiped.length > 0, 'the server heard it')
    }
  }
})

test('an enrolment with a birth certificate and sealed keys that is cut anywhere ends with one valid identity', async () => {
  const passphrase = new TextEncoder().encode('correct horse battery staple')
  const sealParameters = { memoryKiB: 64, passes: 1, lanes: 1 }
  const server = new AgentServer(PKI)
  const evidence = server.birth()
  const make = (storage: MemoryStorage) => new DeviceAgent({ storage, ...server.options(), passphrase, sealParameters })
  const whole = memoryStorage()
  await make(whole).enrol({ ...enrolment(server), evidence })
  for (let nth = 1; nth <= whole.changes; nth++) {
    for (const when of ['before', 'after'] as const) {
      const storage = memoryStorage()
      storage.cutPower(nth, when)
      server.reports.length = 0
      await assert.rejects(make(storage).enrol({ ...enrolment(server), evidence }), PowerCut)
      storage.restorePower()
      const agent = make(storage)
      if ((await agent.status()).state === 'active') await agent.tick({ atOnce: true })
      else await agent.enrol({ ...enrolment(server), evidence })
      const { valid, keyProtection, serialNumber } = await agent.status()
      const expected = { valid: true, keyProtection: 'passphrase', serialNumber: server.last.serialNumber }
      assert.deepEqual({ valid, keyProtection, serialNumber }, expected, `cut ${when} change ${nth}`)
      assert.equal((await storage.list()).length, 6)
    }
  }
})

test('roots of the next hierarchy serve a certificate below it', async () => {
  const life = begin()
  await LIFE[0]!(life)
  await life.server.publishTrust([PKI.root, NEXT.root])
  life.server.now += 2 * DAY
  await life.agent.tick({ atOnce: true })
  life.server.issueAs = { issuer: NEXT.issuing }
  life.server.onAnswer = (operation, answer) =>
    operation === 'cacerts' ? life.server.certificates([NEXT.issuing.certificate.raw]) : answer
  await life.agent.renew()
  assert.equal((await life.agent.status()).valid, true)
  assert.ok((await life.agent.identity()).trustAnchors.includes(rootPem(NEXT.root)))
})
