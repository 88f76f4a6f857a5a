// A wrong passphrase is told as such, ends the command, and leaves every octet of the data folder as it was.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { globSync, lstatSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { LiveServer } from '../support/live-server.ts'

describe('a wrong passphrase', () => {
  let server: LiveServer
  before(async () => {
    server = await LiveServer.prepare()
    writeFileSync(server.folder.join('wrong'), 'correct horse battery stapler\n')
    writeFileSync(server.folder.join('empty'), '\n')
    writeFileSync(server.folder.join('units.csv'), 'serial\nSN-1\n')
  })
  after(() => server[Symbol.asyncDispose]())

  /** Every file and folder: rights, time of change, size and content. */
  function snapshot(): Readonly<Record<string, string>> {
    const paths = ['.', ...globSync('**/*', { cwd: server.data })].sort()
    return Object.fromEntries(
      paths.map(path => {
        const full = `${server.data}/${path}`
        const { mode, mtimeMs, size } = lstatSync(full)
        const isFile = lstatSync(full).isFile()
        const content = isFile ? createHash('sha256').update(readFileSync(full)).digest('hex') : ''
        return [path, [mode.toString(8), mtimeMs, isFile ? size : '', content].join(' ')]
      }),
    )
  }

  const commands: readonly (readonly [string, readonly string[]])[] = [
    ['serve', ['serve', '--port', '0', '--http-port', '0', '--json']],
    ['batch', ['batch', '--input', 'units.csv', '--profile', 'idevid', '--output', 'out', '--json']],
    ['authority create', ['authority', 'create', 'site-1', '--name', 'Site A', '--json']],
    [
      'authority crl with the offline root',
      ['authority', 'crl', 'root-1', '--issuer-keys', 'data/offline-root', '--json'],
    ],
  ]
  for (const [name, args] of commands) {
    test(`${name}: exit code 3, and nothing was touched`, async () => {
      const before = snapshot()
      const { code, stdout, stderr } = await server.cli([...args, '--passphrase-file', 'wrong'])
      assert.equal(code, 3, stderr)
      const { error } = JSON.parse(stdout) as { error: { code: string; message: string } }
      assert.match(error.code, /passphrase/)
      assert.match(stderr, /passphrase/i)
      assert.deepEqual(snapshot(), before)
    })
  }

  test('none at all, a file that is not there, an empty one: exit code 3 and what to do', async () => {
    const before = snapshot()
    for (const [file, says] of [
      ['', /passphrase\.missing/],
      ['nowhere', /passphrase\.unreadable/],
      ['empty', /passphrase\.invalid/],
    ] as const) {
      const { code, stderr } = await server.cli(
        ['serve', '--port', '0', '--json', ...(file ? ['--passphrase-file', file] : [])],
        {
          env: file ? {} : { TOUCHMARK_PASSPHRASE_FILE: '' },
        },
      )
      assert.equal(code, 3, stderr)
      assert.match(stderr, says)
    }
    assert.deepEqual(snapshot(), before)
  })

  test('what needs no key needs no passphrase', async () => {
    for (const args of [['audit', 'verify'], ['trust'], ['device', 'list'], ['authority', 'list']]) {
      const { code, stderr } = await server.cli(args, { env: { TOUCHMARK_PASSPHRASE_FILE: '/nowhere' } })
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    }
  })
})
