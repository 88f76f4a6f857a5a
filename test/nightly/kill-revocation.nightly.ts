// A mass revocation whose process is killed (SIGKILL) in the middle: another one goes on where it was, nothing is revoked twice, nothing is forgotten,
// and the log has one entry for each.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseAuditEntry } from '../../src/domain/audit/entry.ts'
import { LiveServer } from '../support/live-server.ts'

const UNITS = 8_000
const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname

test('a mass revocation survives kill -9, and does nothing twice', async () => {
  await using server = await LiveServer.prepare()
  const units = Array.from({ length: UNITS }, (_, i) => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return `UNIT-${i},${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`
  })
  writeFileSync(server.folder.join('units.csv'), ['serial,public_key', ...units, ''].join('\n'))
  await server.json(['batch', '--input', 'units.csv', '--profile', 'idevid', '--output', 'out'])

  const args = [
    'revoke',
    '--data',
    server.data,
    '--profile',
    'idevid',
    '--reason',
    'superseded',
    '--expect',
    String(UNITS),
  ]
  const killed = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore' })
  const ended = once(killed, 'close')
  let id: string | undefined
  let done = 0
  for (let i = 0; i < 3_000 && killed.exitCode === null; i++) {
    await using store = await server.store()
    const [job] = (await store.read.jobs({ limit: 1 })).items
    if (job !== undefined) {
      id = job.id
      done = job.done
      if (done > 0) break
    }
    await sleep(5)
  }
  killed.kill('SIGKILL')
  await ended
  assert.ok(id !== undefined && done > 0, 'it was killed after a step')
  {
    await using store = await server.store()
    const left = await store.read.job(id)
    assert.ok(left !== undefined && left.done < UNITS, 'it was killed before its end')
    assert.equal(left.state, 'running')
  }

  const resumed = await server.json<{ state: string; changed: number; failed: number }>(['revoke', '--job', id])
  assert.deepEqual([resumed.state, resumed.changed, resumed.failed], ['finished', UNITS, 0])
  await using store = await server.store()
  const serials: string[] = []
  for await (const { bytes } of store.read.auditEntries(0)) {
    const { action, subject } = parseAuditEntry(bytes)
    if (action === 'certificate.revoked') serials.push(subject['serialNumber']!)
  }
  assert.equal(serials.length, UNITS, 'one entry each')
  assert.equal(new Set(serials).size, UNITS)
  const report = await server.json<{ ok: boolean; findings: unknown[] }>(['audit', 'verify'])
  assert.deepEqual([report.ok, report.findings], [true, []])
})
