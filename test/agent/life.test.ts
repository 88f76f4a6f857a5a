// The life of one device against an honest server: renewal in the window and by order, fallbacks, suspension, the end; and what it tells the
// program beside it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeviceAgent, type DeviceAgentOptions } from '../../src/agent/device-agent.ts'
import type { BootstrapEvidence } from '../../src/agent/home.ts'
import type { HookEvent } from '../../src/agent/hook.ts'
import { type MemoryStorage, memoryStorage } from '../../src/agent/memory-storage.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { parseSignedWipeStatement, parseWipeStatement } from '../../src/core/messages/wipe-statement.ts'
import { AgentServer, DAY, keyIdOf, leafOf, NOW, unreachable } from '../support/agent-server.ts'

interface Options extends Partial<DeviceAgentOptions> {
  readonly evidence?: BootstrapEvidence
  readonly urls?: readonly string[]
}

async function enrolled({ evidence, urls, ...options }: Options = {}, server = new AgentServer()) {
  const storage = memoryStorage()
  const agent = new DeviceAgent({ storage, ...server.options(), ...options })
  server.tokens.set('secret', undefined)
  await agent.enrol({
    model: 'gateway',
    serialNumber: 'SN-1',
    servers: urls ?? ['https://a.test'],
    trustAnchors: server.roots,
    evidence: evidence ?? { kind: 'token', token: 'secret' },
  })
  return { server, storage, agent }
}

test('a device enrols, is seen, and knows its window', async () => {
  const { server, agent } = await enrolled()
  const status = await agent.status()
  assert.equal(status.valid, true)
  assert.equal(status.serialNumber, server.last.serialNumber)
  const renewAfter = Date.parse(status.renewAfter!) / 1000
  const start = server.last.notAfter - 30 * DAY
  assert.ok(renewAfter >= start && renewAfter <= start + DAY, 'a moment of the window')
  assert.deepEqual(server.asked, ['simpleenroll', 'cacerts', 'health'])
  const [report] = server.reports
  assert.equal(report!.sequence, 1)
  assert.equal(report!.daysLeft, 90)
  assert.deepEqual(report!.keys, [{ keyId: keyIdOf(server.last.publicKey), place: 'file', protection: 'none' }])
})

test('before its moment it reports and does not renew; after it, it does, over a new key, and the old key is destroyed', async () => {
  const { server, storage, agent } = await enrolled()
  const first = await agent.identity()
  server.now = NOW + 59 * DAY
  await agent.tick()
  assert.equal(server.issued.length, 1)
  server.now = NOW + 62 * DAY
  await agent.tick()
  assert.equal(server.issued.length, 2)
  const second = await agent.identity()
  assert.notEqual(second.key, first.key)
  assert.deepEqual(leafOf(second.certificates).subject.raw, leafOf(first.certificates).subject.raw)
  assert.deepEqual(
    (await storage.list()).filter(name => name.endsWith('key.pem')),
    [`${await storage.readLink('current')}/key.pem`],
  )
})

test('the moment that was drawn stays while the window stays, and differs between devices', async () => {
  const server = new AgentServer()
  const moments = new Set<string>()
  for (let i = 0; i < 8; i++) {
    const { agent } = await enrolled({}, new AgentServer(server.pki))
    moments.add((await agent.status()).renewAfter!)
  }
  assert.ok(moments.size > 1)
  const { agent, server: own } = await enrolled()
  const { renewAfter } = await agent.status()
  own.now += 2 * DAY
  await agent.tick()
  assert.equal((await agent.status()).renewAfter, renewAfter)
})

test('an order to renew into another profile with another algorithm is obeyed', async () => {
  const { server, agent } = await enrolled()
  server.renewalOrder = { newKey: true, keyAlgorithm: 'P-384', profile: 'ldevid-v2', until: NOW + 5 * DAY }
  server.window = { start: NOW, end: NOW + DAY }
  server.now = NOW + 2 * DAY
  await agent.tick()
  assert.equal(server.last.profile, 'ldevid-v2')
  const { keyAlgorithm, profile } = await agent.status()
  assert.deepEqual({ keyAlgorithm, profile }, { keyAlgorithm: 'P-384', profile: 'ldevid-v2' })
  server.now = NOW + 80 * DAY
  await agent.tick()
  assert.equal(server.last.profile, 'ldevid-v2', 'and stays so')
  assert.equal((await agent.status()).keyAlgorithm, 'P-384')
})

test('failures wait longer and longer, a Retry-After is obeyed, and a person may ask at once', async () => {
  const { server, agent } = await enrolled()
  server.now = NOW + 62 * DAY
  server.onAnswer = (operation, answer) =>
    operation === 'simplereenroll' ? server.refuse(503, 'server.busy', { 'retry-after': '600' }) : answer
  const first = await agent.tick()
  assert.deepEqual(
    first.errors.map(({ code }) => code),
    ['agent.server_refused'],
  )
  assert.ok(first.nextAt! >= server.now + 600)
  const asked = server.asked.length
  await agent.tick()
  assert.equal(server.asked.length, asked, 'nothing is due before')
  server.onAnswer = (operation, answer) => {
    if (operation === 'simplereenroll') throw unreachable()
    return answer
  }
  const waits: number[] = []
  for (let i = 0; i < 8; i++) {
    server.now = (await agent.tick()).nextAt! + 1
    const { nextAt } = await agent.tick()
    waits.push(nextAt! - server.now)
  }
  assert.ok(waits.at(-1)! > waits[0]! * 4, `${waits}`)
  server.onAnswer = (_, answer) => answer
  assert.equal((await agent.renew()).serialNumber, server.last.serialNumber)
})

test('a second server is asked where the first does not answer, and one refusal about the device is enough', async () => {
  const server = new AgentServer()
  server.onRequest = (_, { url }) => {
    if (url.startsWith('https://a.test')) throw unreachable()
    return undefined
  }
  const { agent } = await enrolled({ urls: ['https://a.test', 'https://b.test'] }, server)
  assert.equal((await agent.status()).valid, true)
  server.onRequest = () => undefined
  server.onAnswer = (operation, answer) =>
    operation === 'simplereenroll' ? server.refuse(403, 'device.retired') : answer
  const before = server.asked.length
  await assert.rejects(agent.renew(), { code: 'agent.server_refused' })
  assert.equal(server.asked.length, before + 1)
})

test('where the renewal is refused the device enrols again with the certificate that it was born with', async () => {
  const server = new AgentServer()
  const { agent } = await enrolled({ evidence: server.birth() }, server)
  server.onAnswer = (operation, answer) =>
    operation === 'simplereenroll' ? server.refuse(403, 'evidence.certificate_revoked') : answer
  const { serialNumber } = await agent.renew()
  assert.equal(serialNumber, server.last.serialNumber)
  assert.deepEqual(
    server.asked.filter(operation => operation.startsWith('simple')),
    ['simpleenroll', 'simplereenroll', 'simpleenroll'],
  )
})

test('a device that slept beyond the end of its certificate comes back with the one that it was born with', async () => {
  const server = new AgentServer()
  const { agent } = await enrolled({ evidence: server.birth() }, server)
  server.now = NOW + 400 * DAY
  assert.equal((await agent.status()).reason, 'path.leaf_expired')
  await agent.tick()
  assert.equal((await agent.status()).valid, true)
})

test('a key file that was altered is not used: the device falls back to what it has', async () => {
  const server = new AgentServer()
  const { agent, storage } = await enrolled({ evidence: server.birth() }, server)
  const name = `${await storage.readLink('current')}/key.pem`
  await storage.write(name, toUtf8('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'))
  assert.equal((await agent.status()).reason, 'agent.key_altered')
  await assert.rejects(agent.identity(), { code: 'agent.key_altered' })
  const { errors } = await agent.tick()
  assert.deepEqual(
    errors.map(({ code }) => code),
    ['agent.key_altered'],
  )
  assert.equal((await agent.status()).valid, true)
  assert.equal(server.issued.length, 2)
})

test('a device that has nothing left to show goes on with a new token in the same folder, and counts on', async () => {
  const { server, agent, storage } = await enrolled()
  server.tokens.set('new', undefined)
  const again = {
    model: 'gateway',
    serialNumber: 'SN-1',
    servers: ['https://a.test'],
    trustAnchors: server.roots,
    evidence: { kind: 'token', token: 'new' } as const,
  }
  await assert.rejects(agent.enrol(again), { code: 'agent.enrolled_already' })
  await storage.write(`${await storage.readLink('current')}/key.pem`, toUtf8('rubbish'))
  await agent.tick()
  assert.equal((await agent.status()).reason, 'agent.key_altered')
  await assert.rejects(agent.enrol({ ...again, serialNumber: 'SN-2' }), { code: 'agent.enrolled_already' })
  await agent.enrol(again)
  assert.equal((await agent.status()).serialNumber, server.last.serialNumber)
  assert.deepEqual(
    server.reports.map(({ sequence }) => sequence),
    [1, 2],
  )
  assert.equal((await storage.list()).length, 4)

  server.now = NOW + 200 * DAY
  await agent.tick()
  assert.equal((await agent.status()).lastError?.code, 'agent.server_refused')
  server.tokens.set('newest', undefined)
  await agent.enrol({ ...again, evidence: { kind: 'token', token: 'newest' } })
  assert.equal((await agent.status()).valid, true)
})

test('a full disk is waited for, another agent too', async () => {
  const { server, agent, storage } = await enrolled()
  const stop = new AbortController()
  const told: string[] = []
  const write = storage.write.bind(storage)
  storage.write = async () => {
    throw new TouchmarkError('agent.storage_failed', 'unavailable', 'The disk of the test is full.')
  }
  server.now += 2 * DAY
  const running = new DeviceAgent({
    storage,
    ...server.options(),
    onEvent: ({ event, error }) => {
      told.push(error?.code ?? event)
      stop.abort()
    },
  })
  await running.run(stop.signal)
  assert.deepEqual(told, ['agent.storage_failed'])
  storage.write = write
  await agent.tick()
  assert.equal((await agent.status()).valid, true)
})

test('an altered key is replaced by the one before, where the server has not seen the new one', async () => {
  const { server, agent, storage } = await enrolled()
  const first = (await agent.status()).serialNumber
  server.onAnswer = (operation, answer) => {
    if (operation === 'health') throw unreachable()
    return answer
  }
  await agent.renew()
  const name = `${await storage.readLink('current')}/key.pem`
  await storage.write(name, toUtf8('rubbish'))
  server.onAnswer = (_, answer) => answer
  server.now += DAY
  await agent.tick({ atOnce: true })
  assert.equal((await agent.status()).serialNumber, first)
})

test('suspended, the identity is taken out of the way and the device keeps asking; resumed, it is back', async () => {
  const events: HookEvent[] = []
  const { server, agent, storage } = await enrolled({ hook: async event => void events.push(event) })
  server.state = 'suspended'
  server.order = 'suspend'
  server.now = NOW + 2 * DAY
  await agent.tick()
  assert.equal(await storage.readLink('current'), undefined)
  assert.equal((await agent.status()).reason, 'agent.suspended')
  await assert.rejects(agent.identity(), { code: 'agent.suspended' })
  server.now = NOW + 80 * DAY
  await agent.tick()
  assert.equal(server.issued.length, 1, 'a suspended device does not renew')
  server.state = 'active'
  server.order = null
  server.now = NOW + 82 * DAY
  await agent.tick()
  assert.equal((await agent.status()).valid, true)
  assert.deepEqual(
    events.map(({ event }) => event),
    ['enrolled', 'suspended', 'resumed', 'renewed'],
  )
  assert.equal(events[1]!.certificate, undefined)
  assert.equal(events[3]!.certificate, 'current/certificate.pem')
})

test('ordered to wipe, it says so with every key, destroys them, and never works again', async () => {
  let statement: Uint8Array | undefined
  const server = new AgentServer()
  const { agent, storage } = await enrolled({ evidence: server.birth() }, server)
  server.onRequest = (operation, { body }) => {
    if (operation === 'wipe-statement') statement = body
    return undefined
  }
  server.order = 'wipe'
  server.state = 'retired'
  server.now += 2 * DAY
  assert.equal((await agent.tick()).nextAt, null)
  assert.deepEqual(server.wiped, [keyIdOf(server.last.publicKey)], 'those that the server knows')
  const { model, serialNumber } = parseWipeStatement(parseSignedWipeStatement(statement!).statement)
  assert.deepEqual({ model, serialNumber }, { model: 'gateway', serialNumber: 'SN-1' })
  assert.deepEqual((await storage.list()).toSorted(), ['roots.pem', 'state.json', 'wipe-statement.json'])
  assert.equal((await agent.status()).state, 'wiped')
  await assert.rejects(agent.renew(), { code: 'agent.wiped' })
  await assert.rejects(agent.identity(), { code: 'agent.wiped' })
  const asked = server.asked.length
  assert.equal((await agent.tick()).nextAt, null)
  assert.equal(server.asked.length, asked)
})

test('a wipe that nobody hears is not put off for ever', async () => {
  const { server, agent, storage } = await enrolled()
  server.order = 'wipe'
  server.onAnswer = (operation, answer) => {
    if (operation === 'wipe-statement') throw unreachable()
    return answer
  }
  server.now += 2 * DAY
  let next: number | null = 0
  let ticks = 0
  for (; next !== null && ticks < 50; ticks++) {
    next = (await agent.tick()).nextAt
    if (next !== null) server.now = next + 1
  }
  assert.equal((await agent.status()).state, 'wiped')
  assert.equal(ticks, 10)
  assert.ok((await storage.list()).includes('wipe-statement.json'), 'for the operator')
})

test('a hook that fails is reported and undoes nothing', async () => {
  const { server, agent } = await enrolled({
    hook: async () => {
      throw new Error('the program is gone')
    },
  })
  const status = await agent.status()
  assert.equal(status.valid, true)
  assert.equal(status.lastError?.code, 'agent.hook_failed')
  assert.equal(server.reports.at(-1)?.lastError?.code, 'agent.hook_failed')
})

test('firmware and configuration are asked for at each report', async () => {
  let firmware = '1.0'
  const { server, agent } = await enrolled({ firmware: () => firmware, configuration: () => 'site-a' })
  firmware = '1.1'
  server.now += 2 * DAY
  await agent.tick()
  assert.deepEqual(
    server.reports.map(report => [report.firmware, report.configuration]),
    [
      ['1.0', 'site-a'],
      ['1.1', 'site-a'],
    ],
  )
})

test('an enrolment that a person has to approve is asked for again, with the same request', async () => {
  const server = new AgentServer()
  let waiting = true
  server.onAnswer = (operation, answer) =>
    waiting && operation === 'simpleenroll'
      ? server.answer(202, 'text/plain', toUtf8('wait'), { 'retry-after': '120' })
      : answer
  const storage = memoryStorage()
  const agent = new DeviceAgent({ storage, ...server.options() })
  server.tokens.set('secret', undefined)
  const request = {
    model: 'gateway',
    serialNumber: 'SN-1',
    servers: ['https://a.test'],
    trustAnchors: server.roots,
    evidence: { kind: 'token', token: 'secret' } as const,
  }
  await assert.rejects(agent.enrol(request), { code: 'agent.enrolment_pending' })
  const { nextAt } = await agent.tick()
  assert.ok(nextAt! >= NOW + 120)
  waiting = false
  server.now = nextAt! + 1
  await agent.tick()
  assert.equal((await agent.status()).valid, true)
  assert.equal(server.issued.length, 1)
  await assert.rejects(agent.enrol(request), { code: 'agent.enrolled_already' })
})

test('a plain EST server is enough: the device renews in the last third by itself', async () => {
  const server = new AgentServer()
  server.onAnswer = (operation, answer) =>
    ['health', 'renewal-info'].includes(operation) ? server.refuse(404, 'http.not_found') : answer
  const { agent } = await enrolled({}, server)
  server.now = NOW + 59 * DAY
  await agent.tick()
  assert.equal(server.issued.length, 1)
  server.now = NOW + 82 * DAY
  await agent.tick()
  assert.equal(server.issued.length, 2)
})

test('a copy of the files gives itself away by the number of its report', async () => {
  const { server, agent, storage } = await enrolled()
  const copy = new DeviceAgent({ storage: storage.clone(), ...server.options() })
  server.now += 2 * DAY
  await agent.tick()
  const { errors } = await copy.tick()
  assert.deepEqual(
    errors.map(({ code, message }) => [code, /409/.test(message)]),
    [['agent.server_refused', true]],
  )
})

test('a folder that lost its state loses nothing else: only an enrolment clears it', async () => {
  const { server, storage, agent } = await enrolled()
  const before = (await storage.list()).filter(name => name.startsWith('identities/'))
  await storage.destroy('state.json')
  await assert.rejects(agent.tick(), { code: 'agent.not_enrolled' })
  await assert.rejects(agent.identity(), { code: 'agent.not_enrolled' })
  await assert.rejects(agent.wipe(), { code: 'agent.not_enrolled' })
  assert.equal(before.length, 2)
  assert.deepEqual(
    (await storage.list()).filter(name => name.startsWith('identities/')),
    before,
  )
  await agent
    .enrol({
      model: 'gateway',
      serialNumber: 'SN-1',
      servers: ['https://a.test'],
      trustAnchors: server.roots,
      evidence: { kind: 'token', token: 'secret' },
    })
    .catch(() => undefined)
  assert.ok((await storage.list()).filter(name => name.startsWith('identities/')).length <= 2)
})

test('without what it needs, it says so', async () => {
  const storage: MemoryStorage = memoryStorage()
  const agent = new DeviceAgent({ storage })
  assert.deepEqual(await agent.status().then(({ valid, state, reason }) => [valid, state, reason]), [
    false,
    'new',
    'agent.not_enrolled',
  ])
  await assert.rejects(agent.tick(), { code: 'agent.not_enrolled' })
  await assert.rejects(agent.renew(), { code: 'agent.not_enrolled' })
  await assert.rejects(agent.identity(), { code: 'agent.not_enrolled' })
  assert.throws(() => new DeviceAgent({}), TypeError)
  await storage.write('state.json', toUtf8('{"format":"touchmark-agent-v1"'))
  await assert.rejects(agent.status(), { code: 'agent.state_damaged' })
})

test('places for keys that have no driver yet are named', async () => {
  const server = new AgentServer()
  for (const [keyPlace, code] of [
    ['tpm:0x81000001', 'agent.key_place_unavailable'],
    ['pkcs11:token=device', 'agent.key_place_unavailable'],
    ['paper', 'agent.key_place_unknown'],
  ] as const) {
    const agent = new DeviceAgent({ storage: memoryStorage(), ...server.options() })
    const request = {
      model: 'gateway',
      serialNumber: 'SN-1',
      servers: ['https://a.test'],
      trustAnchors: server.roots,
      keyPlace,
    }
    await assert.rejects(agent.enrol({ ...request, evidence: { kind: 'token', token: 'secret' } }), { code })
  }
})
