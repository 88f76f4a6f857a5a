// How the embedded store chooses devices: along one index, the rest by primary key, whatever the query says, and in questions that cost no
// more in a large fleet than in a small one.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { createStore, DATABASE_FILE } from '../../../src/adapters/store/open-store.ts'
import { storeReader } from '../../../src/adapters/store/reader.ts'
import { query } from '../../../src/adapters/store/sql.ts'
import { SqliteConnection } from '../../../src/adapters/store/sqlite/connection.ts'
import type { DeviceQuery } from '../../../src/domain/device/device-query.ts'
import { authorityId, batchId } from '../../../src/domain/ids.ts'
import type { StoreReader } from '../../../src/domain/ports.ts'
import { NOW } from '../../support/store-fixtures.ts'
import { allOf } from './field-contract.ts'

const FLEET = 100_000
/** Of each thousand devices one is suspended, and its second credential is of another algorithm. */
const RARE = 1_000
const BATCH = batchId('b0'.repeat(16))

describe('Selecting devices of a fleet of 100,000', () => {
  let folder: string
  let connection: SqliteConnection
  let read: StoreReader
  /** What was asked of the database, and how many rows it answered. */
  let asked: { readonly text: string; readonly rows: number; readonly plan: () => string[] }[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'touchmark-selection-'))
    await (await createStore({ folder }))[Symbol.asyncDispose]()
    fill(join(folder, DATABASE_FILE))
    connection = new SqliteConnection(join(folder, DATABASE_FILE), { role: 'reader' })
    read = storeReader({
      engine: connection.engine,
      all: async (question, values) => {
        const rows = connection.rows(question, values)
        const plan = () => connection.rows(query(`EXPLAIN QUERY PLAN ${question.text}`), values)
        asked.push({ text: question.text, rows: rows.length, plan: () => plan().map(step => String(step['detail'])) })
        return rows
      },
    })
  })
  after(async () => {
    connection.close()
    await rm(folder, { recursive: true })
  })

  const everyone: readonly DeviceQuery[] = [
    {},
    { labels: { line: 'L' }, owner: 'acme' },
    { seenAfter: NOW - 1 },
    { authority: authorityId('ca'), profile: 'ldevid' },
    { expiresBefore: NOW + FLEET, profile: 'ldevid' },
    { batch: BATCH, keyAlgorithm: 'P-256', states: ['active', 'suspended'], notSeenAfter: NOW + FLEET },
  ]
  for (const each of everyone) {
    it(`reads all that ${JSON.stringify(each)} means in bounded questions, each device once`, async () => {
      asked = []
      const selected = await allOf(2_000, page => read.selectDevices(each, page))
      assert.equal(selected.length, FLEET)
      assert.equal(new Set(selected.map(({ deviceId }) => deviceId)).size, FLEET)
      // Where a stretch ends and what of it is meant; a page may need two of them, and one behind the last tells the end.
      assert.ok(asked.length <= 4 * (FLEET / 2_000 + 1), `${asked.length} questions`)
      for (const { rows } of asked) assert.ok(rows <= 2_000)
    })
  }

  it('finds the few among the many, each question along a stretch of the index', async () => {
    for (const driver of [{}, { batch: BATCH }, { owner: 'acme' }, { keyAlgorithm: 'P-256' as const }]) {
      asked = []
      const selected = await allOf(30, page => read.selectDevices({ ...driver, states: ['suspended'] }, page))
      assert.equal(selected.length, FLEET / RARE)
      assert.ok(selected.every(({ state }) => state === 'suspended'))
      assert.ok(asked.length <= 2 * (FLEET / 2_000 + 5), `${asked.length} questions`)
    }
  })

  it('lists a device once for each credential that meets the conditions, also where a page ends between two', async () => {
    const each = { batch: BATCH, states: ['suspended'], authority: authorityId('ca') } as const
    for (const limit of [1, 7, 2_000]) {
      const selected = await allOf(limit, page => read.selectDevices(each, page))
      assert.deepEqual(new Set(selected.map(({ credential }) => credential?.profile)), new Set(['ldevid', 'tls']))
      assert.equal(new Set(selected.map(one => `${one.deviceId} ${one.credential?.profile}`)).size, selected.length)
      assert.equal(selected.length, (2 * FLEET) / RARE)
    }
    assert.equal((await allOf(9, page => read.selectDevices({ keyAlgorithm: 'P-384' }, page))).length, FLEET / RARE)
  })

  it('walks an index whatever is asked together, and sorts nothing but the credentials of one device', async () => {
    const conditions: DeviceQuery = {
      states: ['active'],
      model: 'M',
      batch: BATCH,
      owner: 'acme',
      labels: { line: 'L' },
      profile: 'ldevid',
      authority: authorityId('ca'),
      keyAlgorithm: 'P-256',
      expiresBefore: NOW + 9,
      firmware: '1.0',
      seenAfter: NOW - 1,
      notSeenAfter: NOW + 9,
    }
    const names = Object.keys(conditions) as (keyof DeviceQuery)[]
    asked = []
    // Each condition by itself, each with each other, and all but each.
    for (const [i, name] of names.entries()) {
      for (const other of names.slice(i)) {
        await read.selectDevices({ [name]: conditions[name], [other]: conditions[other] }, { limit: 5 })
      }
      await read.selectDevices({ ...conditions, [name]: undefined }, { limit: 5 })
    }
    assert.ok(asked.length >= 180)
    const texts = new Set<string>()
    for (const { plan: explain, text } of asked) {
      if (texts.has(text)) continue
      texts.add(text)
      const plan = explain()
      assert.match(plan[0]!, /^SEARCH chosen USING (?:COVERING INDEX|PRIMARY KEY) /, text)
      for (const step of plan) {
        assert.ok(!/^SCAN (?!json_each)/.test(step), `${step}: ${text}`)
        assert.ok(!step.includes('TEMP B-TREE') || step.endsWith('FOR LAST TERM OF ORDER BY'), `${step}: ${text}`)
        assert.ok(!step.includes('AUTOMATIC'), `${step}: ${text}`)
      }
      // Everything else is looked up by the device.
      for (const step of plan.slice(1).filter(line => line.startsWith('SEARCH'))) {
        assert.match(step, /PRIMARY KEY \((?:id|device_id)=\?/, text)
      }
    }
  })

  it('counts certificates along an index, and what else is asked of them by the device', async () => {
    const devices: readonly DeviceQuery[] = [
      {},
      { batch: BATCH },
      { model: 'M' },
      { owner: 'acme', states: ['active'], batch: BATCH },
      { firmware: '1.0', notSeenAfter: NOW },
      { profile: 'ldevid', authority: authorityId('ca') },
      { keyAlgorithm: 'P-256', model: 'M', labels: { line: 'L' } },
    ]
    const certificates = [
      { authority: authorityId('ca') },
      { profile: 'idevid', keyAlgorithm: 'P-256' },
      { issuedFrom: 5, issuedBefore: 9_000, expiresFrom: NOW },
      { authority: authorityId('ca'), issuedFrom: 5, expiresBefore: NOW },
      { holdEndsAt: NOW },
    ] as const
    asked = []
    for (const own of certificates) {
      const statuses = ['good', 'held'] as const
      const options = { share: 5, countDevices: true }
      await read.tallyCertificates({ statuses, ...own }, options)
      await read.selectCertificates({ statuses, ...own }, { limit: 5 })
      for (const each of devices) await read.tallyCertificates({ statuses, ...own, devices: each }, options)
    }
    const texts = new Set<string>()
    for (const { plan: explain, text } of asked) {
      if (texts.has(text)) continue
      texts.add(text)
      const plan = explain()
      for (const step of plan) {
        assert.ok(!/^SCAN (?!json_each)/.test(step), `${step}: ${text}`)
        assert.ok(!/TEMP B-TREE|AUTOMATIC/.test(step), `${step}: ${text}`)
        // Along positions of the log, between where the stretch begins and where it ends, or of one device.
        if (/^SEARCH (chosen|held|earlier) USING.*certificate_|PRIMARY KEY \(rowid/.test(step)) {
          assert.match(step, /device_id=\?|rowid>\? AND rowid<\?|audit_index>\? AND audit_index<\?/, text)
        }
      }
    }
    assert.ok(texts.size > 40)
  })

  it('takes a cursor of another list, or no cursor at all, for the start', async () => {
    const first = await read.selectDevices({ batch: BATCH }, { limit: 3 })
    for (const after of ['', '?', first.next!, Buffer.from('["model",7]').toString('base64url')]) {
      const { items } = await read.selectDevices({ model: 'M' }, { limit: 3, after })
      assert.deepEqual(items, (await read.selectDevices({ model: 'M' }, { limit: 3 })).items)
    }
  })

  it('means no device by what no row can hold', async () => {
    for (const each of [{ model: '\0' }, { batch: batchId('x') }, { labels: { a: '\ud800' } }, { owner: '\0' }]) {
      assert.deepEqual(await read.selectDevices(each, { limit: 3 }), { items: [], next: null })
    }
  })
})

/** Straight into the tables: what is shown here is how they are read. */
function fill(path: string): void {
  using database = new DatabaseSync(path)
  database.exec(`
    BEGIN;
    CREATE TEMP TABLE fleet AS
      WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ${FLEET})
      SELECT n, unhex(printf('%032x', n * 7919)) AS id, n % ${RARE} = 0 AS rare FROM counted;
    INSERT INTO device SELECT id, 'M', printf('S%06d', n), CASE WHEN rare THEN 'suspended' ELSE 'active' END,
      x'${BATCH}', ${NOW}, ${NOW}, '{"line":"L"}' FROM fleet;
    INSERT INTO device_property SELECT id, 'owner', 'acme', 0, NULL FROM fleet;
    INSERT INTO device_property SELECT id, 'label:line', 'L', 0, NULL FROM fleet;
    INSERT INTO device_health SELECT id, ${NOW} + n % 5000, 1, 0, '1.0', NULL, NULL, NULL FROM fleet;
    INSERT INTO credential (device_id, profile, authority_id, serial_number, key_id, key_algorithm, not_before,
        not_after, window_start, window_end, failures, revision)
      SELECT id, 'ldevid', 'ca', id, id, 'P-256', 0, ${NOW} + n % 3000, 0, 0, 0, 1 FROM fleet;
    INSERT INTO credential (device_id, profile, authority_id, serial_number, key_id, key_algorithm, not_before,
        not_after, window_start, window_end, failures, revision)
      SELECT id, 'tls', 'ca', id, id, 'P-384', 0, ${NOW}, 0, 0, 0, 1 FROM fleet WHERE rare;
    COMMIT;
  `)
}
