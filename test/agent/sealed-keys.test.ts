// Keys in files: their rights, their seal, and what they must prove before they are used.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DeviceAgent, type DeviceAgentOptions } from '../../src/agent/device-agent.ts'
import { fileStorage } from '../../src/agent/file-storage.ts'
import { memoryStorage } from '../../src/agent/memory-storage.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { AgentServer, DAY } from '../support/agent-server.ts'
import { testFolder } from '../support/cli.ts'

const CHEAP = { memoryKiB: 64, passes: 1, lanes: 1 }
const PASSPHRASE = toUtf8('correct horse battery staple')

function request(server: AgentServer) {
  server.tokens.set('secret-token', undefined)
  return {
    model: 'gateway',
    serialNumber: 'SN-1',
    servers: ['https://a.test'],
    trustAnchors: server.roots,
    evidence: { kind: 'token', token: 'secret-token' } as const,
  }
}

const everyFile = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))

test('files are for their owner alone, and the link leads to a key that fits its certificate', async () => {
  using folder = testFolder()
  const home = folder.join('home')
  const server = new AgentServer()
  const agent = new DeviceAgent({ home, ...server.options() })
  await agent.enrol(request(server))
  assert.equal(statSync(home).mode & 0o777, 0o700)
  for (const file of everyFile(home)) assert.equal(statSync(file).mode & 0o777, 0o600, file)
  assert.equal(readlinkSync(join(home, 'current')), 'identities/1')
  assert.match(readFileSync(join(home, 'current/key.pem'), 'utf8'), /BEGIN PRIVATE KEY/)
  assert.match(readFileSync(join(home, 'current/certificate.pem'), 'utf8'), /BEGIN CERTIFICATE/)
  await agent.renew()
  assert.equal(readlinkSync(join(home, 'current')), 'identities/2')
  assert.deepEqual(readdirSync(join(home, 'identities')), ['2'], 'what is not needed any more is gone')
})

test('with a passphrase no secret lies in the clear, and nothing works without it', async () => {
  using folder = testFolder()
  const home = folder.join('home')
  const server = new AgentServer()
  const start = (options: Partial<DeviceAgentOptions> = {}) =>
    new DeviceAgent({ home, ...server.options(), sealParameters: CHEAP, ...options })
  const sealed = start({ passphrase: PASSPHRASE })
  server.onAnswer = () => server.refuse(503, 'server.busy')
  await assert.rejects(sealed.enrol(request(server)))
  for (const file of everyFile(home)) {
    assert.doesNotMatch(readFileSync(file, 'utf8'), /BEGIN PRIVATE KEY|secret-token|correct horse/, file)
    assert.ok(!readFileSync(file, 'utf8').includes(Buffer.from('secret-token').toString('base64')), file)
  }
  server.onAnswer = (_, answer) => answer
  await sealed.enrol(request(server))
  assert.match(readFileSync(join(home, 'current/key.pem'), 'utf8'), /BEGIN TOUCHMARK SEALED FILE/)
  assert.equal((await start().status()).valid, true, 'the status needs no passphrase')
  assert.equal((await start().status()).keyProtection, 'passphrase')
  await assert.rejects(start().renew(), { code: 'passphrase.missing' })
  await assert.rejects(start({ passphrase: toUtf8('guess') }).renew(), { code: 'passphrase.wrong' })
  assert.equal(server.issued.length, 1)
  const again = start({ passphrase: PASSPHRASE })
  await again.renew()
  assert.match((await again.identity()).key, /BEGIN PRIVATE KEY/, 'the library opens it for the application')
  assert.equal(server.reports.at(-1)?.keys[0]?.protection, 'passphrase')
})

test('a passphrase for keys that are not sealed is refused, so that nobody believes that they are', async () => {
  using folder = testFolder()
  const server = new AgentServer()
  const options = { home: folder.join('home'), ...server.options() }
  await new DeviceAgent(options).enrol(request(server))
  await assert.rejects(new DeviceAgent({ ...options, passphrase: PASSPHRASE }).tick(), { code: 'passphrase.not_used' })
})

test('a bootstrap certificate with the key of another is refused', async () => {
  using folder = testFolder()
  const server = new AgentServer()
  const evidence = { ...server.birth(), key: server.birth().key }
  const agent = new DeviceAgent({ home: folder.join('home'), ...server.options() })
  await assert.rejects(agent.enrol({ ...request(server), evidence }), { code: 'agent.bootstrap_mismatch' })
  const encrypted = { ...server.birth(), key: 'no PEM' }
  await assert.rejects(agent.enrol({ ...request(server), evidence: encrypted }), { code: 'agent.bootstrap_unreadable' })
})

test('a source of randomness that is stuck makes no key', async () => {
  using folder = testFolder()
  const server = new AgentServer()
  const random = { bytes: (count: number) => new Uint8Array(count) }
  const agent = new DeviceAgent({ home: folder.join('home'), ...server.options(), random })
  await assert.rejects(agent.enrol(request(server)), { code: 'random.unhealthy' })
  assert.deepEqual(await fileStorage(folder.join('home')).list(), [])
})

test('on a disk that cannot be written the device keeps the old identity and says so', async () => {
  const server = new AgentServer()
  const storage = memoryStorage()
  const agent = new DeviceAgent({ storage, ...server.options() })
  const { serialNumber } = await agent.enrol(request(server))
  let room = 0
  const write = storage.write.bind(storage)
  storage.write = async (name, content) => {
    if (room-- > 0) return write(name, content)
    throw new TouchmarkError('agent.storage_failed', 'unavailable', 'The disk of the test is full.')
  }
  for (const free of [0, 1]) {
    room = free
    await assert.rejects(agent.renew(), { code: 'agent.storage_failed' })
    assert.equal((await agent.status()).serialNumber, serialNumber)
    assert.equal((await agent.status()).valid, true)
  }
  storage.write = write
  await agent.renew()
  assert.equal((await agent.status()).serialNumber, server.last.serialNumber)
})

test('agents in two places take turns, and the lock of a dead one is taken over', async () => {
  using folder = testFolder()
  const home = folder.join('home')
  const server = new AgentServer()
  const [one, two] = [new DeviceAgent({ home, ...server.options() }), new DeviceAgent({ home, ...server.options() })]
  await one.enrol(request(server))
  server.now += 2 * DAY
  await Promise.all([one.tick(), two.tick(), one.renew(), two.renew()])
  assert.equal(server.issued.length, 3)
  assert.equal((await one.status()).serialNumber, server.last.serialNumber)
  writeFileSync(join(home, '.lock'), '1 0')
  await one.tick()
  writeFileSync(join(home, '.lock'), '999999999 unknown')
  writeFileSync(join(home, '.new-left-over'), 'half a key')
  await two.tick()
  assert.deepEqual(
    readdirSync(home).filter(name => name.startsWith('.')),
    [],
  )
})
