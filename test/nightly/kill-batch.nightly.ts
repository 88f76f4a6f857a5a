// A factory batch killed with -9, again and again, at moments that a seed chooses: whatever was written down stays true, and in the end each
// unit has one certificate.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LiveServer } from '../support/live-server.ts'
import { requireTool } from '../support/tools.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const UNITS = 1200
/** Every so many units the station makes the key. */
const STATION = 60
const KILLS = 3

interface Row {
  readonly outcome: string
  readonly certificate: string
}

/** Numbers that look random and are the same every time (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const serialOf = (i: number) => `SN-${String(i).padStart(5, '0')}`

/** Whole lines of a table of results: serial number to outcome and certificate. The last line of a killed run may be cut. */
function readTable(path: string): Map<string, Row> {
  const rows = new Map<string, Row>()
  if (!existsSync(path)) return rows
  const lines = readFileSync(path, 'utf8').split('\n')
  for (const line of lines.slice(1, -1)) {
    const [, , serial = '', outcome = '', , , , , certificate = ''] = line.split(',')
    assert.ok(!rows.has(serial), `${serial} stands twice`)
    rows.set(serial, { outcome, certificate })
  }
  return rows
}

for (const seed of [1, 2]) {
  test(`a batch killed ${KILLS} times and run again: every unit once, nothing that was reported is missing (seed ${seed})`, async t => {
    if (!requireTool(t, 'openssl')) return
    const random = seeded(seed)
    await using server = await LiveServer.prepare()
    const keys = new Map<string, string>()
    const lines = Array.from({ length: UNITS }, (_, i) => {
      if (i % STATION === 0) return `${serialOf(i)},`
      const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const spki = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
      keys.set(serialOf(i), spki)
      return `${serialOf(i)},${spki}`
    })
    writeFileSync(server.folder.join('units.csv'), ['serial,public_key', ...lines, ''].join('\n'))

    const reported = new Map<string, string>()
    const part = server.folder.join('out', 'results.csv.part')
    let killed = 0
    // A run that comes to its end before it is killed does not count.
    for (let run = 0; killed < KILLS && run < 3 * KILLS; run++) {
      // Some in the first moments (opening, the first chunk), some when a part of the results is written.
      const octets = run === 0 ? undefined : random() * UNITS * 900
      const delay = run === 0 ? 150 + random() * 400 : random() * 20
      if (await runAndKill(server, part, octets, delay)) killed++
      for (const [serial, { certificate }] of readTable(part)) {
        if (reported.has(serial))
          assert.equal(certificate, reported.get(serial), `${serial} has another certificate now`)
        reported.set(serial, certificate)
      }
    }
    assert.equal(killed, KILLS)

    const last = await server.json<{ issued: number; existing: number; rejected: number }>(BATCH)
    assert.equal(last.issued + last.existing, UNITS)
    assert.equal(last.rejected, 0)
    assert.ok(last.existing >= reported.size)

    const table = readTable(server.folder.join('out', 'results.csv'))
    assert.equal(table.size, UNITS)
    for (const [serial, certificate] of reported) assert.equal(table.get(serial)?.certificate, certificate, serial)
    const passphrase = readFileSync(server.folder.join('out', 'key-passphrase'), 'utf8').trim()
    for (let i = 0; i < UNITS; i++) {
      const serial = serialOf(i)
      const { certificate } = table.get(serial)!
      const file = readFileSync(server.folder.join('out', 'certificates', `${serial}.pem`), 'utf8')
      assert.equal(file.replaceAll(/-----[A-Z ]+-----|\n/g, ''), certificate, serial)
      if (i % 50 > 0 && i % STATION > 0) continue
      const parsed = new X509Certificate(Buffer.from(certificate, 'base64'))
      if (i % STATION === 0) {
        const key = readFileSync(server.folder.join('out', 'keys', `${serial}.key.pem`))
        assert.ok(parsed.checkPrivateKey(createPrivateKey({ key, passphrase })), serial)
      } else {
        assert.equal(parsed.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), keys.get(serial))
      }
    }
    assert.equal((await server.counts()).devices, UNITS)
    await using store = await server.store()
    const holders = new Set<string>()
    for await (const { deviceId } of store.read.allCertificates()) {
      if (deviceId === null) continue
      assert.ok(!holders.has(deviceId), 'one certificate a device')
      holders.add(deviceId)
    }
    assert.equal(holders.size, UNITS)
    await server.sh(`
      touchmark audit verify
      openssl cms -verify -binary -inform DER -in out/manifest.json.p7s -content out/manifest.json -CAfile $ROOTS -purpose any -out /dev/null`)
    const manifest = JSON.parse(readFileSync(server.folder.join('out', 'manifest.json'), 'utf8'))
    const results = readFileSync(server.folder.join('out', 'results.csv'))
    assert.equal(manifest.resultsSha256, createHash('sha256').update(results).digest('hex'))
    await server.assertInvariants()
  })
}

const BATCH = [
  'batch',
  '--input',
  'units.csv',
  '--profile',
  'idevid',
  '--output',
  'out',
  '--generate-keys',
  '--certificate-files',
]

/** Runs the batch and kills it: a while after the table of results has grown to so many octets. Whether it was still running. */
async function runAndKill(
  server: LiveServer,
  part: string,
  octets: number | undefined,
  delay: number,
): Promise<boolean> {
  const before = existsSync(part) ? statSync(part).mtimeMs : 0
  const args = [MAIN, ...BATCH, '--data', server.data, '--passphrase-file', server.passphraseFile, '--json']
  const child = spawn(process.execPath, args, { cwd: server.folder.path, stdio: 'ignore' })
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const over = new AbortController()
  void ended.then(() => over.abort())
  while (octets !== undefined && !over.signal.aborted) {
    const now = existsSync(part) ? statSync(part) : undefined
    if (now && now.mtimeMs > before && now.size >= octets) break
    await sleep(2)
  }
  await sleep(delay, undefined, { signal: over.signal }).catch(() => undefined)
  child.kill('SIGKILL')
  const [, signal] = await ended
  return signal === 'SIGKILL'
}
