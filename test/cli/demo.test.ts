// `npm start`: the story is told, and every command that it prints works when it is pasted.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { testFolder, touchmark, touchmarkJson } from '../support/cli.ts'
import { requireTool } from '../support/tools.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/touchmark.js', import.meta.url))

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

describe('touchmark demo', () => {
  const folder = testFolder()
  const data = folder.join('touchmark data')
  after(() => folder[Symbol.dispose]())

  test('makes everything, tells the story, prints commands that work, and serves until it is stopped', async t => {
    const child = spawn(process.execPath, [LAUNCHER, 'demo', '--data', data, '--port', '0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    const serving = Promise.withResolvers<void>()
    child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', text => {
      stderr += text
      if (stderr.includes('Serving until Ctrl-C')) serving.resolve()
    })
    const closed = once(child, 'close') as Promise<[number | null]>
    void closed.then(() => serving.reject(new Error(`demo ended: ${stderr}`)))
    await serving.promise
    try {
      for (const title of [
        'A maker sets up',
        'Its fleet lives for five months',
        'A device is made',
        'its birth certificate',
        'it enrols over EST',
        'lets it in',
        'It renews',
      ]) {
        assert.match(stdout, new RegExp(title))
      }
      assert.match(stdout, /Done in \d+\.\d seconds/)
      if (requireTool(t, 'bash') && requireTool(t, 'openssl') && requireTool(t, 'curl')) {
        const script = stdout.slice(stdout.indexOf('# Be the device')).replaceAll('9443', String(await freePort()))
        // The launcher starts whatever Node it finds; here it shall find the one that runs the tests.
        const pasted = spawnSync(
          'bash',
          ['-e', '-o', 'pipefail', '-c', script.replaceAll(LAUNCHER, `${process.execPath} ${LAUNCHER}`)],
          {
            encoding: 'utf8',
          },
        )
        assert.equal(pasted.status, 0, `${pasted.stdout}\n${pasted.stderr}`)
        const said = pasted.stdout
        const serial = /serial number (DEMO-[0-9A-F]{8})/.exec(stdout)![1]!
        assert.match(said, new RegExp(`"serialNumber": "${serial}"`), 'whoami knows the device')
        assert.match(
          said,
          new RegExp(`subject=.*serialNumber ?= ?${serial}`),
          'the certificate that was renewed by hand',
        )
        assert.match(said, /client certificate/i, 'openssl s_server saw the device')
        assert.match(said, /leaf\.pem: good/)
        assert.match(said, /leaf\.pem: revoked/)
        assert.match(said, /evidence\.certificate_revoked/, 'the server refuses the revoked certificate')
        assert.match(said, /Enrolled\.\nidentity +valid/, 'the agent has its first certificate')
        assert.match(said, /Renewed\.\nidentity +valid/, 'and its next')
        assert.match(said, /"serialNumber": "AGENT-[0-9A-F]{8}"/, 'and the server knows it')
        assert.match(said, /The store is what the log says/)
      }
    } finally {
      child.kill('SIGTERM')
      assert.deepEqual(await closed, [0, null])
    }
    assert.equal(statSync(`${data}/demo-device/device.key`).mode & 0o777, 0o600)
  })

  test('run again, it resumes with the device that it made', async () => {
    const birth = readFileSync(`${data}/demo-device/birth.pem`, 'utf8')
    interface Story {
      serialNumber: string
      steps: { title: string }[]
      certificates: { birth: string; renewed: string }
    }
    const story = await touchmarkJson<Story>(['demo', '--data', data, '--port', '0', '--once'])
    assert.equal(story.steps[0]!.title, 'A device is made')
    assert.equal(readFileSync(`${data}/demo-device/birth.pem`, 'utf8'), birth)
    const shown = await touchmarkJson<{ certificates: { serialNumber: string }[] }>([
      'device',
      'show',
      story.serialNumber,
      '--data',
      data,
    ])
    assert.equal(shown.certificates[0]!.serialNumber, story.certificates.renewed)
    assert.equal((await touchmark(['audit', 'verify', '--data', data])).code, 0)
  })

  test('its fleet is in every state, over several models, owners and sites, with a campaign under way', async () => {
    const list = await touchmark(['device', 'list', '--data', data, '--limit', '500', '--json'])
    const devices = list.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as { state: string; model: string; createdAt: string })
    assert.ok(devices.length > 300, `${devices.length} devices`)
    const states = new Set(devices.map(({ state }) => state))
    assert.deepEqual([...states].sort(), ['active', 'destroyed', 'manufactured', 'retired', 'shipped', 'suspended'])
    assert.ok(new Set(devices.map(({ model }) => model)).size >= 5)
    assert.ok(new Set(devices.map(({ createdAt }) => createdAt.slice(0, 7))).size >= 3, 'born over months')
    const campaign = await touchmarkJson<{ campaign: { state: string } }>([
      'campaign',
      'show',
      'gateway-fresh-keys',
      '--data',
      data,
    ])
    assert.match(JSON.stringify(campaign), /"state":"(running|paused|finished)"/)
  })

  test('a device that its reader revoked makes room for a new one', async () => {
    const [before] = (await touchmark(['device', 'list', '--data', data, '--model', 'demo-sensor', '--json'])).stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
      .filter(({ serialNumber }) => serialNumber.startsWith('DEMO-'))
    await touchmarkJson(['revoke', '--data', data, '--device', before.serialNumber, '--reason', 'keyCompromise'])
    const story = await touchmarkJson<{ serialNumber: string }>(['demo', '--data', data, '--port', '0', '--once'])
    assert.notEqual(story.serialNumber, before.serialNumber)
    assert.ok(statSync(`${data}/demo-device-${before.serialNumber}`).isDirectory())
  })

  test('a port that is taken is named, with what to do', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const { code, stderr } = await touchmark(['demo', '--data', data, '--port', String(port), '--once'])
    server.close()
    assert.equal(code, 3)
    assert.match(stderr, new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is taken[\\s\\S]*--port`))
  })
})
