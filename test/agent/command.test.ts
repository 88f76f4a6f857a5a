// `touchmark agent` as its users call it, against a real server: the forms that scripts rely on, the operator's orders, a copied device, and
// kill -9 at any moment.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { AgentStatus } from '../../src/agent/status.ts'
import { touchmark } from '../support/cli.ts'
import { LiveServer } from '../support/live-server.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** Names, sizes and times of everything in the folder. */
function snapshot(folder: string): string {
  try {
    return readdirSync(folder, { recursive: true })
      .map(name => `${name} ${lstatSync(`${folder}/${name}`, { throwIfNoEntry: false })?.mtimeMs}`)
      .toSorted()
      .join()
  } catch {
    return ''
  }
}

describe('touchmark agent', () => {
  let server: LiveServer
  before(async () => {
    server = await LiveServer.start()
  })
  after(() => server[Symbol.asyncDispose]())

  const dir = (serial: string) => server.folder.join(`device-${serial}`)

  const agent = async (verb: string, serial: string, ...more: string[]) => {
    const { code, stdout, stderr } = await touchmark(['agent', verb, '--dir', dir(serial), ...more, '--json'])
    return { code, stderr, document: JSON.parse(stdout) as AgentStatus & { error: { code: string } } }
  }

  const enroll = async (serial: string, ...more: string[]) => {
    const where = ['--server', server.url, '--trust', server.roots, '--serial', serial, '--model', 'gateway']
    return agent('enroll', serial, ...where, ...more)
  }

  test('enroll, status, run --once and renew speak the documented forms', async () => {
    const enrolled = await enroll('SN-1', '--token', await server.token('SN-1'), '--profile', 'ldevid')
    assert.equal(enrolled.code, 0, enrolled.stderr)
    const { code, document } = await agent('status', 'SN-1')
    assert.equal(code, 0)
    assert.equal(document.valid, true)
    const [certificate] = (await server.device('SN-1')).certificates
    assert.equal(document.serialNumber, certificate!.serialNumber)
    assert.equal(Date.parse(document.notAfter!) / 1000, certificate!.notAfter)
    assert.ok(Date.parse(document.renewAfter!) < Date.parse(document.notAfter!))
    const once = await agent('run', 'SN-1', '--once')
    assert.equal(once.code, 0, once.stderr)
    assert.equal(once.document.serialNumber, certificate!.serialNumber, 'nothing was due')
    const renewed = await agent('renew', 'SN-1')
    assert.equal(renewed.code, 0, renewed.stderr)
    assert.notEqual(renewed.document.serialNumber, certificate!.serialNumber)
    assert.ok(renewed.document.trustBundle!.version >= 1, 'the signed bundle was followed')
    assert.equal((await enroll('SN-1', '--token', 'other')).document.error.code, 'agent.enrolled_already')
    await server.assertInvariants()
  })

  test('a wrong token, a missing file and a wrong address are told apart', async () => {
    await server.token('SN-2')
    const wrong = await enroll('SN-2', '--token', 'wrong')
    assert.equal(wrong.code, 1)
    assert.equal(wrong.document.error.code, 'agent.server_refused')
    assert.match(wrong.stderr, /401/)
    assert.doesNotMatch(wrong.stderr + JSON.stringify(wrong.document), /"wrong"|token wrong/)
    assert.equal((await agent('status', 'SN-2')).code, 1)
    const right = await enroll('SN-2', '--token', await server.token('SN-2'))
    assert.equal(right.code, 0, 'the same command with the right token goes on')
    const nothing = await enroll('SN-3')
    assert.equal(nothing.code, 2)
    const gone = await enroll('SN-3', '--token-file', '/nonexistent')
    assert.equal(gone.document.error.code, 'agent.file_unreadable')
    const away = await touchmark([
      ...['agent', 'enroll', '--dir', dir('SN-3'), '--server', 'https://localhost:1', '--trust', server.roots],
      ...['--serial', 'SN-3', '--model', 'gateway', '--token', 'x', '--json'],
    ])
    assert.equal(away.code, 3)
    assert.equal(JSON.parse(away.stdout).error.code, 'transport.unreachable')
  })

  test('help teaches: every verb, its options, an example', async () => {
    for (const verb of ['enroll', 'run', 'status', 'renew', 'wipe']) {
      const { code, stdout } = await touchmark(['agent', verb, '--help'])
      assert.equal(code, 0)
      assert.match(stdout, /Examples:/)
      assert.match(stdout, /--dir <folder>/)
    }
    assert.equal((await touchmark(['agent', 'wipe', '--dir', dir('SN-1')])).code, 2, 'a wipe wants a --yes')
  })

  test('a hook that fails is told, and the renewal stands', async () => {
    await enroll('SN-4', '--token', await server.token('SN-4'))
    const seen = server.folder.join('seen')
    const hook = server.folder.join('hook.sh')
    writeFileSync(
      hook,
      `#!/bin/sh\necho "$TOUCHMARK_EVENT $TOUCHMARK_SERIAL_NUMBER $TOUCHMARK_CERTIFICATE" >> ${seen}\n`,
      { mode: 0o755 },
    )
    const good = await agent('renew', 'SN-4', '--hook', hook)
    assert.equal(good.document.lastError, null)
    const lines = readFileSync(seen, 'utf8').trim().split('\n')
    assert.deepEqual(
      lines.map(line => line.split(' ')[0]),
      ['enrolled', 'trust-updated', 'renewed'],
      'what nobody was told yet, too',
    )
    assert.ok(lines.every(line => line.endsWith(`SN-4 ${dir('SN-4')}/current/certificate.pem`)))
    writeFileSync(hook, '#!/bin/sh\necho "no such service" >&2; exit 7\n', { mode: 0o755 })
    const bad = await agent('renew', 'SN-4', '--hook', hook)
    assert.equal(bad.code, 0)
    assert.equal(bad.document.valid, true)
    assert.match(bad.document.lastError!.message, /ended with 7 \(no such service\)/)
  })

  test('the operator suspends, resumes, and retires: the agent obeys, and the keys end with its own statement', async () => {
    await enroll('SN-5', '--token', await server.token('SN-5'))
    await server.json(['device', 'suspend', 'SN-5'])
    const suspended = await agent('run', 'SN-5', '--once')
    assert.equal(suspended.document.state, 'suspended', suspended.stderr)
    assert.equal(existsSync(`${dir('SN-5')}/current`), false)
    await server.json(['device', 'resume', 'SN-5'])
    const resumed = await agent('run', 'SN-5', '--once')
    assert.equal(resumed.document.valid, true, resumed.stderr)
    await server.json(['device', 'retire', 'SN-5'])
    const wiped = await agent('run', 'SN-5', '--once')
    assert.equal(wiped.document.state, 'wiped', wiped.stderr)
    assert.deepEqual(
      (await server.device('SN-5')).keys.map(({ state }) => state),
      ['destroyed'],
    )
    assert.equal(existsSync(`${dir('SN-5')}/identities`), false)
    await server.assertInvariants()
  })

  test('the operator orders another algorithm: the agent has it after its next report', async () => {
    await enroll('SN-10', '--token', await server.token('SN-10'))
    await server.json(['renewal', 'order', 'SN-10', '--key-algorithm', 'P-384'])
    const { code, document, stderr } = await agent('run', 'SN-10', '--once')
    assert.equal(code, 0, stderr)
    assert.equal(document.keyAlgorithm, 'P-384')
    assert.equal(document.serialNumber, (await server.device('SN-10')).certificates[0]!.serialNumber)
    assert.equal((await agent('run', 'SN-10', '--once')).document.serialNumber, document.serialNumber, 'once')
  })

  test('a device with a birth certificate whose renewal is refused enrols again with that', async () => {
    await server.sh(`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out birth.key
      openssl req -new -key birth.key -subj /serialNumber=SN-11 -out birth.csr
      touchmark batch --input birth.csr --model gateway --profile idevid --output factory --certificate-files
      cp factory/certificates/*SN-11.pem birth.pem`)
    const [certificate, key] = [server.folder.join('birth.pem'), server.folder.join('birth.key')]
    const first = await enroll('SN-11', '--certificate', certificate, '--key', key)
    assert.equal(first.code, 0, first.stderr)
    await server.json(['revoke', '--certificate', first.document.serialNumber!, '--reason', 'superseded'])
    const again = await agent('renew', 'SN-11')
    assert.equal(again.code, 0, again.stderr)
    assert.notEqual(again.document.serialNumber, first.document.serialNumber)
    await server.assertInvariants()
  })

  test('a copy of the folder is found out', async () => {
    await enroll('SN-6', '--token', await server.token('SN-6'))
    cpSync(dir('SN-6'), dir('SN-6-copy'), { recursive: true, verbatimSymlinks: true })
    assert.equal((await agent('renew', 'SN-6')).code, 0)
    await agent('run', 'SN-6-copy', '--once')
    const copy = await agent('renew', 'SN-6-copy')
    assert.equal(copy.code, 1)
    assert.equal(copy.document.error.code, 'agent.server_refused')
    const { certificates } = await server.device('SN-6')
    assert.ok(certificates.filter(({ status }) => status.kind === 'good').length <= 1, 'never two live identities')
    const audit = await server.sh('touchmark audit list --limit 50 --json')
    assert.match(audit, /device\.clone_suspected/)
  })

  test('run goes on until it is stopped, tells what happens, and obeys meanwhile', async () => {
    await enroll('SN-8', '--token', await server.token('SN-8'))
    const child = spawn(process.execPath, [MAIN, 'agent', 'run', '--dir', dir('SN-8'), '--json'])
    const closed = once(child, 'close') as Promise<[number | null]>
    let stdout = ''
    const reported = Promise.withResolvers<void>()
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text
      if (stdout.includes('"reported"')) reported.resolve()
    })
    void closed.then(() => reported.reject(new Error('it ended')))
    await reported.promise
    const renewed = await agent('renew', 'SN-8')
    assert.equal(renewed.code, 0, 'a person may renew beside it')
    child.kill('SIGTERM')
    assert.deepEqual(await closed, [0, null])
    for (const line of stdout.trim().split('\n')) assert.equal(typeof JSON.parse(line).event, 'string')
  })

  test('killed at any moment of an enrolment and of renewals, the next start ends with one valid identity', async () => {
    const token = await server.token('SN-7')
    const command = (...args: string[]) => [MAIN, 'agent', ...args, '--dir', dir('SN-7'), '--json']
    const enrolment = command(
      'enroll',
      '--server',
      server.url,
      '--trust',
      server.roots,
      '--serial',
      'SN-7',
      '--model',
      'gateway',
      '--token',
      token,
    )
    // What the agent has done so far shows in its files: the kill comes right after the nth change that is seen.
    const killedAfter = async (args: string[], changes: number) => {
      const child = spawn(process.execPath, args, { stdio: 'ignore' })
      const closed = once(child, 'close')
      let seen = snapshot(dir('SN-7'))
      for (let left = changes; left > 0 && child.exitCode === null; ) {
        const now = snapshot(dir('SN-7'))
        if (now !== seen) left--
        seen = now
        await delay(1)
      }
      child.kill('SIGKILL')
      await closed
    }
    for (const changes of [3, 6, 9, 12]) await killedAfter(enrolment, changes)
    const enrolled = await enroll('SN-7', '--token', token)
    assert.ok(enrolled.code === 0 || enrolled.document.error.code === 'agent.enrolled_already', enrolled.stderr)
    for (const changes of [4, 8, 12, 16]) {
      await killedAfter(command('renew'), changes)
      const { document } = await agent('status', 'SN-7')
      assert.equal(document.valid, true, `${changes} changes: ${document.reason}`)
    }
    const ended = await agent('run', 'SN-7', '--once')
    assert.equal(ended.code, 0, ended.stderr)
    const { certificates } = await server.device('SN-7')
    assert.equal(ended.document.serialNumber, certificates[0]!.serialNumber, 'the newest that the server knows')
    const good = certificates.filter(({ status }) => status.kind === 'good')
    assert.equal(good.length, 1, 'and the only one that is good')
    const left = readdirSync(dir('SN-7'), { recursive: true }).map(String)
    const folder = readlinkSync(`${dir('SN-7')}/current`)
    assert.deepEqual(
      left.filter(name => name.includes('.pem') && !name.startsWith('current/')).toSorted(),
      ['certificate.pem', 'key.pem'].map(name => `${folder}/${name}`).concat('roots.pem'),
    )
    await server.assertInvariants()
  })
})
