// The forms that scripts outside this repository rely on, one by one: arguments, output, exit codes.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { type ServerProcess, serve, testFolder, touchmark, touchmarkJson } from '../support/cli.ts'
import { makeInstance } from '../support/live-server.ts'

/** SHA-256 over every file of a folder, by name. */
function fingerprint(folder: string): string {
  const hash = createHash('sha256')
  for (const name of globSync('**/*', { cwd: folder }).sort()) {
    const path = `${folder}/${name}`
    // The index of the write-ahead log is shared memory of SQLite: it says nothing of the content.
    if (!statSync(path).isFile() || name.endsWith('-shm')) continue
    hash.update(`${name}\0`).update(readFileSync(path))
  }
  return hash.digest('hex')
}

describe('touchmark init', () => {
  const folder = testFolder()
  after(() => folder[Symbol.dispose]())

  test('init --data DIR --organization NAME makes a passphrase where nobody gives one, and says so', async () => {
    const data = folder.join('alone')
    const { code, stdout } = await touchmark(['init', '--data', data, '--organization', 'Acme & Söhne'])
    assert.equal(code, 0)
    assert.match(stdout, /it was made and lies beside the keys/)
    assert.match(stdout, /Move this folder away now/)
    for (const name of ['touchmark.json', 'touchmark.db', 'passphrase'])
      assert.equal(statSync(`${data}/${name}`).mode & 0o777, 0o600, name)
    for (const name of ['', 'keys', 'offline-root']) assert.equal(statSync(`${data}/${name}`).mode & 0o777, 0o700, name)
    assert.match(readFileSync(`${data}/passphrase`, 'utf8'), /^[A-Za-z0-9_-]{43}\n$/)
    for (const profile of ['idevid', 'ldevid']) {
      assert.equal((await touchmark(['profile', 'show', profile, '--data', data])).code, 0, profile)
    }
  })

  test('an instance is never overwritten', async () => {
    const data = folder.join('alone')
    const before = fingerprint(data)
    const { code, stderr } = await touchmark(['init', '--data', data, '--organization', 'Other'])
    assert.equal(code, 3)
    assert.match(stderr, /data\.exists/)
    assert.equal(fingerprint(data), before)
  })

  test('a folder that holds part of an instance is left alone', async () => {
    const data = folder.join('part')
    await touchmark(['init', '--data', data, '--organization', 'Acme'])
    rmSync(`${data}/touchmark.json`)
    const before = fingerprint(data)
    const { code, stderr } = await touchmark(['init', '--data', data, '--organization', 'Acme'])
    assert.deepEqual([code, fingerprint(data)], [3, before])
    assert.match(stderr, /data\.unfinished/)
  })

  test('--json gives one document', async () => {
    const data = folder.join('json')
    const made = await touchmarkJson<{ authorities: { id: string }[]; passphraseFile: string }>([
      'init',
      '--data',
      data,
      '--organization',
      'Acme',
    ])
    assert.deepEqual(
      made.authorities.map(each => each.id),
      ['root-1', 'idevid-1', 'ldevid-1', 'services-1'],
    )
    assert.equal(made.passphraseFile, `${data}/passphrase`)
  })

  test('what fails on the way leaves nothing behind', async () => {
    const data = folder.join('failed')
    const { code, stderr } = await touchmark(['init', '--data', data, '--organization', 'x'.repeat(65)])
    assert.notEqual(code, 0)
    assert.match(stderr, /settings\.invalid/)
    assert.deepEqual(globSync('**/*', { cwd: data }).concat(globSync('.*', { cwd: data })), [])
  })

  test('a wrong command line ends with 2', async () => {
    for (const args of [
      ['init'],
      ['init', '--organization'],
      ['bogus'],
      ['init', '--organization', 'a', '--root-algorithm', 'DSA'],
    ]) {
      assert.equal((await touchmark([...args, '--data', folder.join('usage')])).code, 2, args.join(' '))
    }
  })
})

describe('an instance that serves', () => {
  const folder = testFolder()
  const data = folder.join('acme')
  const passphraseFile = folder.join('secret')
  const dataOption = ['--data', data]
  let server: ServerProcess

  before(async () => {
    writeFileSync(passphraseFile, 'correct horse battery staple\n')
    await makeInstance(data, 'correct horse battery staple')
    // As whoever follows the advice of init does.
    rmSync(`${data}/offline-root`, { recursive: true })
    server = await serve(dataOption, { env: { TOUCHMARK_PASSPHRASE_FILE: passphraseFile } })
  })
  after(async () => {
    await server?.stop()
    folder[Symbol.dispose]()
  })

  test('serve --json writes one line when it listens, and nothing else to standard output', () => {
    const lines = server.output().stdout.split('\n')
    assert.equal(lines.length, 2)
    const ready = JSON.parse(lines[0]!)
    assert.equal(ready.ready, true)
    assert.match(ready.url, /^https:\/\/localhost:\d+$/)
    // A clone that was not started yet has no console.
    const warnings = ready.warnings.filter((text: string) => !text.startsWith('The web console is not built'))
    assert.deepEqual(warnings, [], 'no passphrase beside the keys, no offline root: nothing to warn of')
    assert.equal(existsSync(`${data}/passphrase`), false)
  })

  test('a port that is taken is an environment error that says what to do', async () => {
    const port = new URL(server.url).port
    const args = ['serve', ...dataOption, '--port', port, '--http-port', '0', '--passphrase-file', passphraseFile]
    const { code, stderr } = await touchmark(args)
    assert.equal(code, 3)
    assert.match(stderr, /listen\.port_taken[\s\S]*--port/)
  })

  test('an --http-port that is given is taken or serving fails', async () => {
    const port = new URL(server.httpUrl).port
    const args = ['serve', ...dataOption, '--port', '0', '--http-port', port, '--passphrase-file', passphraseFile]
    const { code, stderr } = await touchmark(args)
    assert.equal(code, 3)
    assert.match(stderr, /listen\.port_taken/)
  })

  test('trust --data DIR prints a PEM bundle on standard output, from the folder alone', async () => {
    const { code, stdout, stderr } = await touchmark(['trust', ...dataOption])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n$/)
  })

  test('token create --device --model --profile --json gives {"token":…} while the server runs', async () => {
    const args = ['token', 'create', ...dataOption, '--device', 'SN-1', '--model', 'm', '--profile', 'ldevid']
    const { token } = await touchmarkJson<{ token: string }>(args)
    assert.match(token, /^[A-Za-z0-9_-]{43}$/)
    const wrong = await touchmark([...args.slice(0, -1), 'no-such-profile'])
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /profile\.not_found/)
  })

  test('device show SERIAL --json gives device, keys and certificates', async () => {
    const shown = await touchmarkJson<{ device: Record<string, unknown>; keys: unknown[]; certificates: unknown[] }>([
      'device',
      'show',
      'SN-1',
      ...dataOption,
    ])
    assert.deepEqual(
      [shown.device['serialNumber'], shown.device['model'], shown.device['state']],
      ['SN-1', 'm', 'manufactured'],
    )
    assert.deepEqual([shown.keys, shown.certificates], [[], []])
    const missing = await touchmark(['device', 'show', 'SN-nope', ...dataOption, '--json'])
    assert.equal(missing.code, 1)
    assert.equal(JSON.parse(missing.stdout).error.code, 'device.not_found')
  })

  test('where two models share a serial number one has to be named', async () => {
    await touchmarkJson([
      'token',
      'create',
      ...dataOption,
      '--device',
      'SN-1',
      '--model',
      'other',
      '--profile',
      'ldevid',
    ])
    const { code, stderr } = await touchmark(['device', 'show', 'SN-1', ...dataOption])
    assert.equal(code, 1)
    assert.match(stderr, /device\.ambiguous[\s\S]*--model: (m, other|other, m)/)
    assert.equal((await touchmark(['device', 'show', 'SN-1', '--model', 'm', ...dataOption])).code, 0)
  })

  test('revoke --certificate HEX --reason R refuses what it does not know and what is no reason', async () => {
    const unknown = await touchmark(['revoke', ...dataOption, '--certificate', '0a1b', '--reason', 'keyCompromise'])
    assert.equal(unknown.code, 1)
    assert.match(unknown.stderr, /certificate\.not_found/)
    for (const wrong of [
      ['--reason', 'keyCompromise'],
      ['--certificate', 'xyz', '--reason', 'keyCompromise'],
      ['--certificate', '0a'],
    ]) {
      assert.equal((await touchmark(['revoke', ...dataOption, ...wrong])).code, 2, wrong.join(' '))
    }
    assert.equal((await touchmark(['revoke', ...dataOption, '--certificate', '0a', '--reason', 'boredom'])).code, 1)
  })

  test('audit verify ends with 0 and {"ok":true,"size":n,…}', async () => {
    const report = await touchmarkJson<{ ok: boolean; size: number; findings: unknown[] }>([
      'audit',
      'verify',
      ...dataOption,
    ])
    assert.equal(report.ok, true)
    assert.ok(report.size > 0)
    assert.deepEqual(report.findings, [])
  })

  test('a wrong passphrase says so, ends with 3, and touches nothing', async () => {
    await server.stop()
    const wrong = folder.join('wrong')
    writeFileSync(wrong, 'not the passphrase\n')
    const before = fingerprint(data)
    for (const command of [
      ['serve', '--port', '0'],
      ['batch', '--input', wrong, '--profile', 'idevid', '--output', folder.join('out')],
    ]) {
      const { code, stderr } = await touchmark([...command, ...dataOption, '--passphrase-file', wrong])
      assert.equal(code, 3, stderr)
      assert.match(stderr, /keystore\.passphrase_wrong/)
    }
    assert.equal(fingerprint(data), before)
    assert.equal(existsSync(folder.join('out')), false)
  })

  test('without a passphrase and without a terminal it says what is missing', async () => {
    const { code, stderr } = await touchmark(['serve', ...dataOption, '--port', '0'])
    assert.equal(code, 3)
    assert.match(stderr, /passphrase\.missing[\s\S]*--passphrase-file[\s\S]*TOUCHMARK_PASSPHRASE_FILE/)
  })

  test('audit verify ends with 1 and names what was altered', async () => {
    const database = new DatabaseSync(`${data}/touchmark.db`)
    const [table] = database
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%entry%'")
      .all() as { name: string }[]
    const [column] = (
      database.prepare(`SELECT name, type FROM pragma_table_info('${table!.name}')`).all() as {
        name: string
        type: string
      }[]
    ).filter(each => each.type === 'BLOB')
    database.exec(
      `UPDATE ${table!.name} SET ${column!.name} = CAST(replace(CAST(${column!.name} AS TEXT), '"name":"idevid"', '"name":"idevil"') AS BLOB)`,
    )
    database.close()
    const { code, stdout } = await touchmark(['audit', 'verify', ...dataOption, '--json'])
    assert.equal(code, 1)
    const report = JSON.parse(stdout)
    assert.equal(report.ok, false)
    assert.deepEqual(
      report.findings.map((each: { code: string }) => each.code),
      ['audit.entry_altered'],
    )
    assert.equal((await touchmark(['audit', 'verify', ...dataOption])).code, 1)
  })
})

test('a folder that is no instance is named, with the way to make one', async () => {
  using folder = testFolder()
  for (const args of [['trust'], ['audit', 'verify'], ['device', 'list'], ['serve']]) {
    const { code, stderr } = await touchmark([...args, '--data', folder.path])
    assert.equal(code, 3, args.join(' '))
    assert.match(stderr, /data\.not_initialised[\s\S]*touchmark init --data/)
  }
})
