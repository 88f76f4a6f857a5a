// A server that errs or lies about what it issues, what is to be trusted, and what time it is: the agent refuses with a stable code, keeps the
// identity that it has, and asks again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeviceAgent } from '../../src/agent/device-agent.ts'
import { memoryStorage } from '../../src/agent/memory-storage.ts'
import type { TransportAnswer } from '../../src/agent/transport.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { AgentServer, DAY, hierarchy, NOW } from '../support/agent-server.ts'
import { p256Key } from '../support/certificates.ts'

const OTHERS = hierarchy('Others')

async function enrolled(lifeSeconds = 90 * DAY) {
  const server = new AgentServer()
  server.lifeSeconds = lifeSeconds
  server.tokens.set('secret', undefined)
  const storage = memoryStorage()
  const agent = new DeviceAgent({ storage, ...server.options() })
  const status = await agent.enrol({
    model: 'gateway',
    serialNumber: 'SN-1',
    servers: ['https://a.test'],
    trustAnchors: server.roots,
    evidence: { kind: 'token', token: 'secret' },
  })
  return { server, storage, agent, status }
}

const answering = (server: AgentServer, operation: string, change: (answer: TransportAnswer) => TransportAnswer) => {
  server.onAnswer = (asked, answer) => (asked === operation ? change(answer) : answer)
}

const cut = (answer: TransportAnswer, octets: number) => ({ ...answer, body: answer.body.slice(0, octets) })

const LIES: readonly (readonly [string, string, (server: AgentServer) => void])[] = [
  [
    'a chain to other roots',
    'agent.certificate_untrusted',
    server => {
      server.issueAs = { issuer: OTHERS.issuing }
    },
  ],
  [
    'a certificate by a CA that nobody knows',
    'agent.certificate_untrusted',
    server => {
      server.issueAs = { issuer: { certificate: server.pki.issuing.certificate, key: p256Key() } }
    },
  ],
  [
    'a certificate over another key',
    'agent.certificate_for_other_key',
    server => {
      server.issueAs = { publicKey: p256Key().spki }
    },
  ],
  [
    'the certificate of another device',
    'agent.certificate_for_other_device',
    server => {
      server.issueAs = { subject: 'O=Test,2.5.4.5=SN-10' }
    },
  ],
  [
    'a certificate that has ended',
    'agent.certificate_expired',
    server => {
      server.issueAs = { notBefore: NOW - 20 * DAY, notAfter: NOW - DAY }
    },
  ],
  [
    'a certificate that begins next year',
    'agent.certificate_untrusted',
    server => {
      server.issueAs = { notBefore: NOW + 365 * DAY, notAfter: NOW + 400 * DAY }
    },
  ],
  [
    'no certificate',
    'agent.certificate_missing',
    server => {
      answering(server, 'simplereenroll', () => server.certificates([]))
    },
  ],
  [
    'half a message',
    'agent.answer_malformed',
    server => {
      answering(server, 'simplereenroll', answer => cut(answer, answer.body.length >> 1))
    },
  ],
  [
    'octets that are no message',
    'agent.answer_malformed',
    server => {
      answering(server, 'simplereenroll', answer => ({ ...answer, body: new Uint8Array(500).fill(0xff) }))
    },
  ],
  [
    'a web page',
    'agent.answer_type',
    server => {
      answering(server, 'simplereenroll', () =>
        server.answer(200, 'text/html; charset=utf-8', toUtf8('<h1>Welcome</h1>')),
      )
    },
  ],
  [
    'a redirect',
    'agent.server_refused',
    server => {
      answering(server, 'simplereenroll', () =>
        server.answer(302, 'text/plain', toUtf8(''), { location: 'https://evil.test/' }),
      )
    },
  ],
]

for (const [lie, code, tell] of LIES) {
  test(`a renewal that is answered with ${lie} is refused, and the old identity stays`, async () => {
    const { server, storage, agent, status } = await enrolled()
    const before = await agent.identity()
    tell(server)
    await assert.rejects(agent.renew(), { code })
    const after = await agent.status()
    assert.equal(after.valid, true)
    assert.equal(after.serialNumber, status.serialNumber)
    assert.equal(after.lastError?.code, code)
    assert.deepEqual(await agent.identity(), before)

    server.issueAs = {}
    server.onAnswer = (_, answer) => answer
    const renewed = await agent.renew()
    assert.equal(renewed.serialNumber, server.last.serialNumber)
    assert.notEqual(renewed.serialNumber, status.serialNumber)
    assert.equal(renewed.lastError, null)
    assert.equal((await storage.list()).length, 4, 'what was refused is not kept')
  })
}

test('a lie is reported to whoever hears the next report, with its code', async () => {
  const { server, agent } = await enrolled()
  server.issueAs = { publicKey: p256Key().spki }
  await assert.rejects(agent.renew())
  server.now += 2 * DAY
  await agent.tick()
  assert.equal(server.reports.at(-1)?.lastError?.code, 'agent.certificate_for_other_key')
})

test('what a server says of itself in an error is one short line without control characters', async () => {
  const { server, agent } = await enrolled()
  const nasty = 'est.odd: \u001b[2J\u0007you are \u202eowned\nsecond line'
  answering(server, 'simplereenroll', () => server.answer(400, 'text/plain', toUtf8(nasty.padEnd(3000, 'x'))))
  await assert.rejects(agent.renew(), (error: TouchmarkError) => {
    assert.equal(error.evidence['serverCode'], 'est.odd')
    assert.match(error.message, /^[\x20-\x7e]{1,300}$/)
    return true
  })
})

const BUNDLES: readonly (readonly [string, string, (server: AgentServer) => Promise<void>])[] = [
  [
    'is signed below other roots',
    'trust_bundle.signer_untrusted',
    server => server.publishTrust([OTHERS.root], OTHERS),
  ],
  [
    'is signed by a certificate for servers',
    'trust_bundle.signer_untrusted',
    server => server.publishTrust([OTHERS.root], server.pki, { purpose: OID.serverAuth }),
  ],
  [
    'was altered',
    'trust_bundle.signature_invalid',
    async server => {
      await server.publishTrust([server.pki.root, OTHERS.root])
      const at = Buffer.from(server.trustBundle).indexOf('"version":')
      server.trustBundle[at + 10] = 0x39
    },
  ],
  [
    'is no bundle',
    'trust_bundle.malformed',
    async server => {
      server.trustVersion = 1
      server.trustBundle = new Uint8Array(300).fill(0x30)
    },
  ],
]

for (const [what, code, publish] of BUNDLES) {
  test(`a trust bundle that ${what} is not pinned`, async () => {
    const { server, agent } = await enrolled()
    const { trustAnchors } = await agent.identity()
    await publish(server)
    server.now += 2 * DAY
    const { errors } = await agent.tick()
    assert.deepEqual(
      errors.map(error => error.code),
      [code],
    )
    assert.equal((await agent.status()).trustBundle?.version, 0)
    assert.equal((await agent.identity()).trustAnchors, trustAnchors)
  })
}

test('a trust bundle of the past is not pinned again', async () => {
  const { server, agent } = await enrolled()
  await server.publishTrust([server.pki.root, OTHERS.root])
  const old = server.trustBundle
  await server.publishTrust([server.pki.root])
  server.now += 2 * DAY
  await agent.tick()
  assert.equal((await agent.status()).trustBundle?.version, 2)

  server.trustBundle = old
  server.trustVersion = 3
  server.now += 2 * DAY
  const { errors } = await agent.tick()
  assert.deepEqual(
    errors.map(({ code }) => code),
    ['agent.trust_bundle_rolled_back'],
  )
  const { trustBundle } = await agent.status()
  assert.deepEqual(trustBundle, { version: 2, roots: 1 })
})

test('a server cannot move the time beyond the end of its own certificate', async () => {
  const { server, agent } = await enrolled()
  answering(server, 'health', answer => ({
    ...answer,
    headers: { ...answer.headers, date: 'Thu, 01 Jan 2099 00:00:00 GMT' },
  }))
  server.now += 2 * DAY
  await agent.tick()
  assert.equal(agent.now(), server.now)
  assert.equal((await agent.status()).valid, true)
})

test('a server whose clock was ahead for an hour costs nobody their identity: its later word counts', async () => {
  const { server, agent, storage, status } = await enrolled(20 * DAY)
  const ahead = 55 * DAY
  server.onAnswer = (_, answer) => ({
    ...answer,
    headers: { ...answer.headers, date: new Date((server.now + ahead) * 1000).toUTCString() },
  })
  server.now += 2 * DAY
  // What it is given in that hour looks ended, and is not taken.
  await agent.tick()
  assert.equal(agent.now(), server.now + ahead)
  assert.equal((await agent.status()).serialNumber, status.serialNumber)
  server.onAnswer = (_, answer) => answer
  server.now += 5 * DAY
  const restarted = new DeviceAgent({ storage, ...server.options() })
  await restarted.tick({ atOnce: true })
  assert.equal(restarted.now(), server.now)
  assert.equal((await new DeviceAgent({ storage, ...server.options() }).status()).clockIsWrong, false)
  server.now += 8 * DAY
  await restarted.tick({ atOnce: true })
  const after = await restarted.status()
  assert.equal(after.valid, true)
  assert.equal(Date.parse(after.notAfter!) / 1000, server.now + 20 * DAY)
})

test('a server that suggests a time after the end of the certificate is not waited for', async () => {
  const { server, agent } = await enrolled()
  const { notAfter } = server.last
  server.window = { start: notAfter + DAY, end: notAfter + 2 * DAY }
  server.now += 2 * DAY
  await agent.tick()
  server.now = notAfter - 2 * DAY
  await agent.tick()
  assert.ok(server.last.notAfter > notAfter, 'it has renewed')
})

test('a report that is answered with an order that nobody knows is refused', async () => {
  const { server, agent } = await enrolled()
  answering(server, 'health', answer => ({
    ...answer,
    body: toUtf8(new TextDecoder().decode(answer.body).replace('"order":null', '"order":"explode"')),
  }))
  server.now += 2 * DAY
  const { errors } = await agent.tick()
  assert.deepEqual(
    errors.map(({ code }) => code),
    ['message.malformed'],
  )
  assert.equal((await agent.status()).valid, true)
})

test('the first enrolment is refused as well, keeps its request, and works with an honest server', async () => {
  const server = new AgentServer()
  server.tokens.set('secret', undefined)
  const storage = memoryStorage()
  const agent = new DeviceAgent({ storage, ...server.options() })
  const request = {
    model: 'gateway',
    serialNumber: 'SN-1',
    servers: ['https://a.test'],
    trustAnchors: server.roots,
    evidence: { kind: 'token', token: 'secret' } as const,
  }
  const honest = server.onAnswer
  answering(server, 'simpleenroll', answer => cut(answer, 100))
  await assert.rejects(agent.enrol(request), { code: 'agent.answer_malformed' })
  assert.equal((await agent.status()).state, 'enrolling')
  server.onAnswer = honest
  const status = await agent.enrol(request)
  assert.equal(status.valid, true)
  assert.equal(server.issued.length, 1, 'the token gave one certificate, and the device has it')
})

test('trust anchors that hold no certificate are refused before anything is written', async () => {
  const server = new AgentServer()
  const storage = memoryStorage()
  const agent = new DeviceAgent({ storage, ...server.options() })
  const request = {
    model: 'gateway',
    serialNumber: 'SN-1',
    servers: ['https://a.test'],
    trustAnchors: 'nothing',
    evidence: { kind: 'token', token: 'secret' } as const,
  }
  await assert.rejects(
    agent.enrol(request),
    (error: unknown) => error instanceof TouchmarkError && error.code === 'agent.no_trust_anchors',
  )
  assert.deepEqual(await storage.list(), [])
})
