// The server as a process: what it does when it is told to stop, when another one is there already, and on PostgreSQL.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ServerProcess, serve, testFolder, touchmark, touchmarkJson } from '../support/cli.ts'
import { https } from '../support/https.ts'
import { makeInstance } from '../support/live-server.ts'
import { startPostgres } from '../support/postgres.ts'

describe('a server process', () => {
  const folder = testFolder()
  const data = folder.join('acme')
  const common = ['--data', data]
  const secret = folder.join('secret')
  const env = { TOUCHMARK_PASSPHRASE_FILE: secret }
  before(async () => {
    writeFileSync(secret, 'a passphrase for this test\n')
    await makeInstance(data, 'a passphrase for this test')
  })
  after(() => folder[Symbol.dispose]())

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal}: idle connections are closed, the log is signed to its end, the exit code is 0`, async () => {
      const server = await serve(common, { env })
      const idle = connect(Number(new URL(server.httpUrl).port), '127.0.0.1')
      idle.on('error', () => {})
      await new Promise(resolve => idle.once('connect', resolve))
      const started = Date.now()
      assert.equal(await server.stop(signal), 0)
      assert.ok(Date.now() - started < 5000, 'an idle connection does not keep it')
      const report = await touchmarkJson<{ ok: boolean; size: number; signedSize: number }>([
        'audit',
        'verify',
        ...common,
      ])
      assert.deepEqual([report.ok, report.signedSize], [true, report.size])
      const { stdout } = await touchmark(['audit', 'list', ...common, '--limit', '1', '--json'])
      assert.equal(JSON.parse(stdout).action, 'server.stopped')
    })
  }

  test('killed with -9 it starts again, and the log verifies', async () => {
    const server = await serve(common, { env })
    await server.stop('SIGKILL')
    const again = await serve(common, { env })
    assert.equal(await again.stop(), 0)
    assert.equal((await touchmark(['audit', 'verify', ...common])).code, 0)
  })

  test('where the configured plain port is taken, another one is, and the ready line says so', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const file = `${data}/touchmark.json`
    const text = readFileSync(file, 'utf8')
    const configuration = JSON.parse(text)
    writeFileSync(file, JSON.stringify({ ...configuration, listen: { ...configuration.listen, httpPort: port } }))
    const server = await serve(common, { env, httpPort: 'configured' })
    writeFileSync(file, text)
    other.close()
    assert.notEqual(new URL(server.httpUrl).port, String(port))
    assert.ok(
      server.warnings.some(warning => warning.startsWith(`Port ${port} is taken, so CRLs and OCSP are on port `)),
    )
    assert.equal((await fetch(`${server.httpUrl}/healthz`)).status, 200)
    await server.stop()
  })

  test('two servers may work on one data folder', async () => {
    const [first, second] = [await serve(common, { env }), await serve(common, { env })]
    const roots = (await touchmark(['trust', ...common])).stdout
    for (const server of [first, second]) assert.equal((await https(`${server.url}/readyz`, { ca: roots })).status, 200)
    assert.deepEqual([await first.stop(), await second.stop()], [0, 0])
    assert.equal((await touchmark(['audit', 'verify', ...common])).code, 0)
  })

  test('what the command line changes is in force in the server within a second', async () => {
    const server = await serve(common, { env })
    const roots = (await touchmark(['trust', ...common])).stdout
    const profile = JSON.parse((await touchmark(['profile', 'show', 'ldevid', ...common])).stdout)
    writeFileSync(
      folder.join('short.json'),
      JSON.stringify({ ...profile, name: 'short-lived', validity: { seconds: 3600 } }),
    )
    const attrs = () => https(`${server.url}/.well-known/est/short-lived/csrattrs`, { ca: roots })
    assert.equal((await attrs()).status, 404)
    assert.equal((await touchmark(['profile', 'add', folder.join('short.json'), ...common])).code, 0)
    let status = 0
    for (let i = 0; i < 10 && status !== 200; i++) {
      status = (await attrs()).status
      if (status !== 200) await sleep(100)
    }
    assert.ok(status === 200 || status === 204, `csrattrs answers ${status}`)
    await server.stop()
  })
})

test('on PostgreSQL: init, serve, token, verify', async t => {
  const postgres = await startPostgres()
  t.after(() => postgres.stop())
  using folder = testFolder()
  const data = folder.join('acme')
  const store = await postgres.createDatabase()
  const made = await touchmark(['init', '--data', data, '--organization', 'Acme', '--store', store])
  assert.equal(made.code, 0, made.stderr)
  const server: ServerProcess = await serve(['--data', data])
  const { token } = await touchmarkJson<{ token: string }>([
    ...['token', 'create', '--data', data, '--device', 'SN-1', '--model', 'm', '--profile', 'ldevid'],
  ])
  assert.ok(token)
  const roots = (await touchmark(['trust', '--data', data])).stdout
  assert.equal((await https(`${server.url}/readyz`, { ca: roots })).status, 200)
  assert.equal(await server.stop(), 0)
  assert.equal((await touchmark(['audit', 'verify', '--data', data])).code, 0)
  const taken = await touchmark(['init', '--data', folder.join('other'), '--organization', 'Acme', '--store', store])
  assert.notEqual(taken.code, 0)
  assert.match(taken.stderr, /store\.exists/)
})
