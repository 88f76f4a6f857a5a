// The guide for the agent, line by line as it stands, the example program, and the unit for systemd.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { AGENT_VERSION } from '../../src/agent/device-agent.ts'
import { testFolder } from '../support/cli.ts'
import { LiveServer } from '../support/live-server.ts'
import { requireTool } from '../support/tools.ts'

const here = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const GUIDE = readFileSync(here('docs/guides/agent.md'), 'utf8')

test('every command of docs/guides/agent.md works', async t => {
  for (const tool of ['openssl', 'curl']) if (!requireTool(t, tool)) return
  await using server = await LiveServer.start()
  const blocks = [...GUIDE.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!)
  assert.ok(blocks.length >= 5)
  const script = blocks.join('\n').replaceAll('https://localhost:8443', server.url).replaceAll('./acme', server.data)
  const printed = await server.sh(script, { env: { TOUCHMARK_DATA: '/nonexistent' }, timeoutMs: 60_000 })
  assert.match(printed, /"serialNumber": "SN-42"/, 'whoami')
  assert.match(printed, /certificate\.pem: OK/)
  assert.match(printed, /Renewed\./)
  const last = printed.trim().split('\n').at(-1)!
  assert.equal(JSON.parse(last).valid, true)
})

test('the codes that the guide explains exist', () => {
  const known = readFileSync(here('docs/errors.md'), 'utf8')
  const codes = [...GUIDE.matchAll(/`((?:agent|transport)\.[a-z_]+)`/g)].map(([, code]) => code!)
  assert.ok(codes.length > 10)
  assert.deepEqual(
    codes.filter(code => !known.includes(`\`${code}\``)),
    [],
  )
})

test('the agent reports the version of the package', () => {
  assert.equal(AGENT_VERSION, JSON.parse(readFileSync(here('package.json'), 'utf8')).version)
})

test('examples/embed-agent.ts enrols, renews, and is known by both certificates', async () => {
  await using server = await LiveServer.start()
  const token = await server.token('SN-9')
  const script = `${process.execPath} ${here('examples/embed-agent.ts')} "$URL" "$ROOTS" SN-9 gateway ./embedded`
  const printed = await server.sh(script, { input: token, timeoutMs: 60_000 })
  const serials = [...printed.matchAll(/"certificate":[^}]*"serialNumber": ?"([0-9a-f]+)"/g)].map(
    ([, serial]) => serial,
  )
  const issued = (await server.device('SN-9')).certificates.map(({ serialNumber }) => serialNumber)
  assert.deepEqual(serials, issued.toReversed())
  assert.match(printed, /^enrolled, until /m)
  assert.match(printed, /^renewed, until /m)
})

test('the unit for systemd is one, and confines the agent', t => {
  if (!requireTool(t, 'systemd-analyze')) return
  using folder = testFolder()
  const unit = folder.join('touchmark-agent.service')
  const text = readFileSync(here('examples/systemd/touchmark-agent.service'), 'utf8')
  // The program is where this clone has it; everything else is as shipped.
  writeFileSync(unit, text.replace('/usr/local/bin/touchmark', here('bin/touchmark.js')))
  const verify = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' })
  assert.equal(verify.status, 0, verify.stderr)
  assert.doesNotMatch(verify.stderr, /touchmark-agent/)
  // Exposure in tenths: what systemd calls OK ends at 5.
  const security = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', unit], {
    encoding: 'utf8',
  })
  assert.equal(security.status, 0, security.stdout)
})
