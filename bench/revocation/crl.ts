// CRLs in numbers: the delta of a shard while a million certificates are stored and a tenth of them revoked, and the full list when all of them are,
// each in a process of its own so that its memory is its own. The rows are put into the database as they would lie there: how they come
// there is what the other parts measure.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { report, say } from '../support/figure.ts'
import { makeDataFolder } from '../support/instance.ts'
import type { Published } from './publish-crls.ts'

const CERTIFICATES = Number(process.env['TOUCHMARK_BENCH_DEVICES'] ?? 1_000_000)
const REVOKED = Math.floor(CERTIFICATES / 10)
const PUBLISH = fileURLToPath(new URL('./publish-crls.ts', import.meta.url))

export async function run(): Promise<void> {
  await using folder = await makeDataFolder()
  const path = join(folder.path, 'touchmark.db')
  fill(path)
  say(`${CERTIFICATES} certificates stored, ${REVOKED} of them revoked`)

  const delta = publish(folder.path, 'delta')
  report({
    figure: 'delta CRL after one revocation',
    value: delta.milliseconds,
    unit: 'ms',
    limit: { what: 'signing as many octets', value: delta.bareMilliseconds, unit: 'ms' },
    certificates: CERTIFICATES,
    revoked: REVOKED,
    entries: delta.entries,
  })

  revokeAll(path)
  const full = publish(folder.path, 'full')
  report({
    figure: 'full CRL',
    value: full.milliseconds,
    unit: 'ms',
    limit: {
      what: 'signing as many octets, verifying that, hashing and writing them to a synced file',
      value: full.bareMilliseconds,
      unit: 'ms',
    },
    entries: full.entries,
    octets: full.octets,
    cpuMilliseconds: full.cpuMilliseconds,
  })
  report({
    figure: 'full CRL, most memory of the process',
    value: full.peakMebibytes,
    unit: 'MiB',
    entries: full.entries,
  })
  report({
    figure: 'full CRL, longest time that nothing else ran',
    value: full.stalledMilliseconds,
    unit: 'ms',
    entries: full.entries,
  })
}

function publish(folder: string, kind: 'delta' | 'full'): Published {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PUBLISH, folder, kind], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Published
}

/** Octets of a certificate, so that the table is as large as it would be. */
const DER_OCTETS = 500
const SERIAL_OCTETS = 20

function fill(path: string): void {
  using database = open(path)
  const now = Math.floor(Date.now() / 1000)
  const from = Number(database.prepare('SELECT MAX(audit_index) AS last FROM certificate').get()!['last']) + 1_000_000
  database.exec('BEGIN')
  database
    .prepare(
      `WITH RECURSIVE unit(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM unit WHERE i + 1 < ?)
       INSERT INTO certificate (audit_index, authority_id, serial_number, device_id, key_id, profile, profile_version, not_before, not_after,
         status, status_at, status_reason, crl_shard, der)
       SELECT ? + i, 'idevid-1', unhex(printf('40%012x', i) || hex(randomblob(${SERIAL_OCTETS - 7}))), randomblob(16), randomblob(32), 'idevid', 1,
         ?, 253402300799, CASE WHEN i % 10 = 0 THEN 'revoked' ELSE 'good' END, CASE WHEN i % 10 = 0 THEN ? - i % 86400 END,
         CASE WHEN i % 10 = 0 THEN 'superseded' END, 0, randomblob(${DER_OCTETS}) FROM unit`,
    )
    .run(CERTIFICATES, from, now, now)
  database.exec('COMMIT')
}

function revokeAll(path: string): void {
  using database = open(path)
  const now = Math.floor(Date.now() / 1000)
  database
    .prepare(
      `UPDATE certificate SET status = 'revoked', status_at = ? - audit_index % 86400, status_reason = 'keyCompromise'
        WHERE status = 'good' AND authority_id = 'idevid-1'`,
    )
    .run(now)
}

function open(path: string): DatabaseSync & Disposable {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -200000')
  return database as DatabaseSync & Disposable
}
