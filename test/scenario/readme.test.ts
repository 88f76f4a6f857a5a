// A newcomer follows README.md: its lines are run as they stand, but for the ports and the launcher.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { serve, testFolder } from '../support/cli.ts'
import { requireTool } from '../support/tools.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/touchmark.js', import.meta.url))
const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/** The sh blocks of the section, in order. */
function blocks(heading: string): string[] {
  const section = README.slice(README.indexOf(`## ${heading}`)).split('\n## ')[0]!
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(match => match[1]!)
}

test('from an empty folder to an identity that is checked by mutual TLS, revoked, and audited', async t => {
  for (const tool of ['bash', 'openssl', 'curl']) if (!requireTool(t, tool)) return
  using folder = testFolder()
  writeFileSync(folder.join('passphrase'), 'a passphrase for the newcomer\n')
  const env = { ...process.env, TOUCHMARK_PASSPHRASE_FILE: folder.join('passphrase') }
  const run = (script: string) =>
    spawnSync(
      'bash',
      ['-e', '-o', 'pipefail', '-c', script.replaceAll('npx touchmark', `${process.execPath} ${LAUNCHER}`)],
      {
        encoding: 'utf8',
        cwd: folder.path,
        env,
      },
    )
  const [make, ...steps] = blocks('Your own instance, in five minutes')
  const [init, start] = make!.trim().split('\n')
  assert.equal(start, 'npx touchmark serve --data ./acme')
  const made = run(init!)
  assert.equal(made.status, 0, made.stderr)
  const server = await serve(['--data', folder.join('acme')], { env })
  try {
    const script = steps.join('\n').replaceAll('https://localhost:8443', server.url)
    const { status, stdout, stderr } = run(script)
    assert.equal(status, 0, `${stdout}\n${stderr}`)
    assert.match(stdout, /"serialNumber": "SN-000042"/)
    assert.match(stdout, /SN-000043 \(gateway-7\), active/, 'the agent')
    assert.match(stdout, /device\.pem: OK/)
    assert.match(stdout, /revoked, keyCompromise/)
    assert.match(stdout, /evidence\.certificate_revoked/)
    assert.match(stdout, /The store is what the log says/)
  } finally {
    await server.stop()
  }
  assert.match(readFileSync(folder.join('checkpoint.txt'), 'utf8'), /^acme-devices-[0-9a-f]{8}\/log\n\d+\n/)
})

test('the two commands are those of package.json, and every page that is named exists', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    scripts: Record<string, string>
  }
  assert.match(scripts['start']!, / demo$/)
  assert.ok(scripts['test'])
  for (const [, path] of README.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
    const target = new URL(`../../${path}`, import.meta.url)
    assert.ok(readable(target), path)
  }
})

function readable(target: URL): boolean {
  return spawnSync('test', ['-e', fileURLToPath(target)]).status === 0
}
