// What only the embedded store can show: its file, its locks, its limits, and that no question reads more than its index.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, afterEach, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { createStore, DATABASE_FILE, openStore } from '../../../src/adapters/store/open-store.ts'
import { storeReader } from '../../../src/adapters/store/reader.ts'
import { query } from '../../../src/adapters/store/sql.ts'
import { SqliteConnection } from '../../../src/adapters/store/sqlite/connection.ts'
import { TouchmarkError } from '../../../src/core/errors.ts'
import { authorityId, batchId, campaignId, requestDigest, transferId } from '../../../src/domain/ids.ts'
import type { Store } from '../../../src/domain/ports.ts'
import { assertInvariants } from '../../support/invariants.ts'
import { aDevice, anEntry, aPublication, aUnit, NOW, only } from '../../support/store-fixtures.ts'

const root = await mkdtemp(join(tmpdir(), 'touchmark-sqlite-'))
after(() => rm(root, { recursive: true }))
const opened: Store[] = []
afterEach(async () => {
  for (const store of opened.splice(0)) await store[Symbol.asyncDispose]()
})

let folders = 0
const newFolder = () => join(root, String(folders++))

async function newStore(folder = newFolder(), options: Parameters<typeof createStore>[1] = {}): Promise<Store> {
  const store = await createStore({ folder }, options)
  opened.push(store)
  return store
}

async function rejectsWith(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error: unknown) => error instanceof TouchmarkError && error.code === code)
}

test('answers every question from an index', async () => {
  const folder = newFolder()
  await (await createStore({ folder }))[Symbol.asyncDispose]()
  const connection = new SqliteConnection(join(folder, DATABASE_FILE), { role: 'reader' })
  const plans = new Map<string, readonly string[]>()
  const read = storeReader({
    engine: connection.engine,
    all: async (asked, values) => {
      const rows = connection.rows(query(`EXPLAIN QUERY PLAN ${asked.text}`), values)
      plans.set(
        asked.text,
        rows.map(row => String(row['detail'])),
      )
      return connection.rows(asked, values)
    },
  })
  const { device, key, certificate } = aUnit()
  const authority = certificate.authorityId
  const batch = batchId('00'.repeat(16))
  await Promise.all([
    read.changeMarker(),
    read.device(device.id),
    read.deviceBySerial('m', 's'),
    read.devicesBySerial('s'),
    read.devices({ limit: 5 }),
    read.devices({ limit: 5, model: 'm' }),
    read.devices({ limit: 5, batch }),
    read.devices({ limit: 5, batch, model: 'm' }),
    read.devicesAmong('m', ['a', 'b']),
    read.key(key.id),
    read.keysOfDevice(device.id),
    read.keysAmong([key.id]),
    read.certificate(authority, certificate.serialNumber),
    read.certificatesBySerial(certificate.serialNumber),
    read.certificatesOfDevice(device.id),
    read.platformCertificates(authority, 'p'),
    Array.fromAsync(read.allCertificates()),
    Array.fromAsync(read.revokedPages(authority, 0, NOW)),
    Array.fromAsync(read.allTokens()),
    read.tokenByHash('00'.repeat(32)),
    read.enrolment(requestDigest(new Uint8Array(32))),
    read.enrolments('pending', { limit: 5 }),
    read.quotaTaken('c'),
    read.batch(batch),
    read.batchByInput('00'),
    read.batches({ limit: 5 }),
    read.batches({ limit: 5, after: batch }),
    read.document('profile', 'n'),
    read.document('profile', 'n', 1),
    read.documents('profile'),
    read.publication('n'),
    read.auditEntry(0),
    Array.fromAsync(read.auditEntries(0)),
    read.auditTile(0, 0),
    read.latestCheckpoint(),
    read.counts(),
    read.propertiesOfDevice(device.id),
    Array.fromAsync(read.allProperties()),
    read.health(device.id),
    read.suspension(device.id),
    read.transfer(transferId('00')),
    read.transfersOfDevice(device.id),
    read.transfersDue(NOW, 5),
    Array.fromAsync(read.allTransfers()),
    read.statementsOfDevice(device.id),
    read.keyHolding(key.id),
    read.openTokensOfDevice(device.id),
    read.openEnrolmentsOfDevice(device.id),
    read.certificatesOfAuthority(authority, { limit: 5 }),
    read.credential(device.id, 'p'),
    read.credentialsOfDevice(device.id),
    read.credentialsToRetire(NOW, 5),
    read.credentialsExpiring({ from: NOW, until: NOW + 9 }, { limit: 5 }),
    read.credentialsOverdue(NOW, { limit: 5 }),
    read.planned('p', 'window', NOW, NOW + 9),
    read.campaign(campaignId('00')),
    read.campaignByName('n'),
    read.campaigns({ limit: 5 }),
    read.campaigns({ limit: 5, after: '00' }),
    read.campaignsAtWork(),
    read.operator('op'),
    read.operatorByEmail('a@b'),
    read.operatorByOidc({ issuer: 'i', subject: 's' }),
    read.operators({ limit: 5 }),
    read.passkey('00'),
    read.passkeysOfOperator('op'),
    read.sessionByHash('00'),
    read.sessionsOfOperator('op'),
    read.linkByHash('00'),
    read.apiToken('at'),
    read.apiTokenByHash('00'),
    read.apiTokens({ limit: 5 }),
    read.apiTokens({ limit: 5, operatorId: 'op' }),
    read.approval('ap'),
    read.approvals({ limit: 5 }),
    read.approvals({ limit: 5, state: 'waiting' }),
    read.approvalsOverdue(NOW, 5),
    read.campaignCounts(campaignId('00')),
    read.campaignDevice(campaignId('00'), device.id),
    read.campaignDevices(campaignId('00'), { state: 'asked' }, { limit: 5 }),
    read.campaignDevices(campaignId('00'), { state: 'asked', wave: 1 }, { limit: 5 }),
  ])
  connection.close()
  assert.ok(plans.size >= 60)
  for (const [text, steps] of plans) {
    for (const step of steps) {
      // The rows of a list that came with the question, of the models that were hopped to, and the newest few in order of the key.
      const bounded =
        /^SCAN (?:json_each|models|page)\b|^SCAN (?:batch|campaign|log_checkpoint)(?: USING (?:INDEX|COVERING INDEX)| *$)/
      assert.ok(!step.startsWith('SCAN') || bounded.test(step), `${step}: ${text}`)
      assert.ok(!step.includes('TEMP B-TREE') || text.includes('FROM models'), `${step}: ${text}`)
    }
  }
})

test('keeps its file to the owner, and leaves one file behind when it is closed', async () => {
  const folder = newFolder()
  const store = await newStore(folder)
  await store.commit(aUnit().change)
  assert.equal((await stat(folder)).mode & 0o777, 0o700)
  for (const file of await readdir(folder)) assert.equal((await stat(join(folder, file))).mode & 0o777, 0o600, file)
  await store[Symbol.asyncDispose]()
  assert.deepEqual(await readdir(folder), [DATABASE_FILE])
})

test('writes ahead, and waits for the disk at every commit', async () => {
  const folder = newFolder()
  await newStore(folder)
  const connection = new SqliteConnection(join(folder, DATABASE_FILE), { role: 'writer' })
  assert.equal(connection.rows(query('PRAGMA journal_mode'), [])[0]?.['journal_mode'], 'wal')
  assert.equal(connection.rows(query('PRAGMA synchronous'), [])[0]?.['synchronous'], 2)
  connection.close()
})

test('many callers share commits, one caller waits for nobody', async () => {
  const store = await newStore()
  const commits = () => store.read.changeMarker()
  const oneByOne = async (count: number) => {
    for (let i = 0; i < count; i++) await store.commit({ writes: [], audit: [anEntry()] })
  }
  const before = await commits()
  await oneByOne(10)
  const between = await commits()
  assert.equal(between - before, 10)
  await Promise.all(Array.from({ length: 20 }, () => oneByOne(20)))
  const shared = (await commits()) - between
  assert.ok(shared < 100, `${shared} commits for 400 change sets`)
  assert.equal((await store.read.counts()).auditEntries, 410)
})

test('the configuration marker is that of the turn, and never older than what the caller committed', async () => {
  const store = await newStore()
  const marker = () => store.read.configurationMarker()
  const [first, again] = await Promise.all([marker(), marker()])
  assert.equal(first, again)
  const document = { kind: 'rules', name: 'rules', version: 1, body: '{}', createdAt: NOW } as const
  const committed = store.commit({ writes: [{ kind: 'document.insert', document }], audit: [anEntry()] })
  assert.equal(await marker(), first)
  await committed
  assert.equal(await marker(), first! + 1)
})

test('opens nothing that is not its own', async () => {
  const folder = newFolder()
  await rejectsWith(openStore({ folder }), 'store.missing')
  assert.equal(existsSync(folder), false)
  await rejectsWith(openStore({ url: `sqlite:${join(root, 'nowhere.db')}` }), 'store.missing')
  await rejectsWith(openStore({ url: 'mysql://localhost/x' }), 'store.url_invalid')

  const foreign = join(root, 'foreign.db')
  const database = new DatabaseSync(foreign)
  database.exec('CREATE TABLE something (id INTEGER PRIMARY KEY)')
  database.close()
  await rejectsWith(openStore({ url: `sqlite:${foreign}` }), 'store.foreign')
  await rejectsWith(createStore({ url: `sqlite:${foreign}` }), 'store.foreign')

  const garbage = join(root, 'garbage.db')
  await writeFile(garbage, 'this is no database, but it is long enough to be one'.repeat(50))
  await rejectsWith(openStore({ url: `sqlite:${garbage}` }), 'store.corrupt')
  await rejectsWith(createStore({ folder: join(garbage, 'below') }), 'store.unavailable')
})

test('is made where a former attempt was cut off before it began', async () => {
  const folder = newFolder()
  await (await newStore(folder))[Symbol.asyncDispose]()
  await truncate(join(folder, DATABASE_FILE), 0)
  await rejectsWith(openStore({ folder }), 'store.missing')
  await (await newStore(folder)).commit(aUnit().change)
})

test('refuses a schema that is newer, or not the one it knows', async () => {
  const folder = newFolder()
  await (await newStore(folder))[Symbol.asyncDispose]()
  const change = (sql: string) => {
    const database = new DatabaseSync(join(folder, DATABASE_FILE))
    database.exec(sql)
    database.close()
  }
  change("INSERT INTO schema_migration (version, name, checksum) VALUES (99, 'from the future', 'x')")
  await rejectsWith(openStore({ folder }), 'store.schema_newer')
  change("DELETE FROM schema_migration WHERE version = 99; UPDATE schema_migration SET checksum = 'x'")
  await rejectsWith(openStore({ folder }), 'store.schema_changed')
})

test('says that it is full, loses nothing by it, and goes on with what still fits', async () => {
  const folder = newFolder()
  const store = await newStore(folder, { maxOctets: 1_000_000 })
  const first = aUnit()
  await store.commit(first.change)
  const large = aPublication({ bytes: new Uint8Array(2_000_000) })
  const [full, beside] = await store.commitEach([
    only({ kind: 'publication.put', publication: large }),
    only({ kind: 'device.insert', device: aDevice() }),
  ])
  for (const outcome of [full, beside]) {
    assert.ok(outcome instanceof TouchmarkError)
    assert.equal(outcome.code, 'store.full')
    assert.equal(outcome.kind, 'unavailable')
  }
  assert.equal(await store.read.publication(large.name), undefined)
  assert.deepEqual(await store.read.counts(), { devices: 1, certificates: 1, auditEntries: 2 })

  let stored = 1
  for (let rejected = 0; rejected < 3; ) {
    const outcomes = await store.commitEach(Array.from({ length: 50 }, () => aUnit().change))
    if (outcomes.every(outcome => outcome instanceof Error)) rejected++
    else stored += outcomes.length
  }
  assert.equal((await store.read.counts()).devices, stored)
  await assertInvariants(store)
  await store[Symbol.asyncDispose]()

  const roomy = await openStore({ folder })
  opened.push(roomy)
  await roomy.commit(aUnit().change)
  await roomy.commit(only({ kind: 'publication.put', publication: large }))
  await assertInvariants(roomy)
})

test('waits for a writer in another process without holding up this one', async () => {
  const folder = newFolder()
  const store = await newStore(folder)
  await store.commit(aUnit().change)
  const other = new DatabaseSync(join(folder, DATABASE_FILE))
  other.exec('BEGIN IMMEDIATE')
  const { change, device } = aUnit()
  const committed = store.commit(change)
  let turns = 0
  for (; turns < 20; turns++) {
    await wait(10)
    assert.equal(await store.read.device(device.id), undefined)
  }
  other.exec('ROLLBACK')
  other.close()
  await committed
  assert.deepEqual(await store.read.device(device.id), device)
})

test('writes nothing more onto a log that was altered', async () => {
  const folder = newFolder()
  const store = await newStore(folder)
  await store.commitEach(Array.from({ length: 10 }, () => aUnit().change))
  await store[Symbol.asyncDispose]()
  const alter = (sql: string) => {
    const database = new DatabaseSync(join(folder, DATABASE_FILE))
    database.exec(sql)
    database.close()
  }
  const refuses = async () => {
    const again = await openStore({ folder })
    opened.push(again)
    const before = await again.read.counts()
    await rejectsWith(again.commit(aUnit().change), 'store.log_damaged')
    assert.deepEqual(await again.read.counts(), before)
  }
  alter('UPDATE log_tile SET hashes = zeroblob(length(hashes)) WHERE level = 0')
  await refuses()
  alter('DELETE FROM log_tile')
  await refuses()
  alter('UPDATE head SET log_size = 3')
  await refuses()
})

test('refuses what nobody waits for any more, and then recovers', async () => {
  const store = await newStore()
  const change = { writes: [], audit: [] }
  const outcomes = await store.commitEach(Array.from({ length: 70_000 }, () => change))
  const refused = outcomes.filter(outcome => outcome instanceof TouchmarkError && outcome.code === 'store.overloaded')
  assert.ok(refused.length > 0 && refused.length <= 70_000 - 64 * 1024)
  assert.equal(outcomes.filter(outcome => outcome instanceof Error).length, refused.length)
  await store.commit({ writes: [], audit: [anEntry()] })
})

test('tells when its file is gone, and makes no new one', async () => {
  const folder = newFolder()
  const store = await newStore(folder)
  await rm(join(folder, DATABASE_FILE))
  await rejectsWith(store.commit(aUnit().change), 'store.unavailable')
  assert.equal(existsSync(join(folder, DATABASE_FILE)), false)
})

test('of many rows that travel in one statement, the one that conflicts fails alone', async () => {
  const store = await newStore()
  const taken = aUnit()
  await store.commit(taken.change)
  const { model, serialNumber } = taken.device
  // More than a bundle of rows, with the conflict behind full bundles, in a full one, and in the rest.
  for (const at of [0, 20, 40, 99]) {
    const { auditEntries, devices } = await store.read.counts()
    const units = Array.from({ length: 100 }, (_, i) => aUnit(i === at ? { model, serialNumber } : {}))
    const outcomes = await store.commitEach(units.map(unit => unit.change))
    const failed = outcomes.flatMap((outcome, i) => (outcome instanceof TouchmarkError ? [[i, outcome.code]] : []))
    assert.deepEqual(failed, [[at, 'device.exists']])
    const indexes = outcomes.flatMap(outcome => (outcome instanceof Error ? [] : [outcome.firstAuditIndex]))
    assert.deepEqual(
      indexes,
      Array.from({ length: 99 }, (_, i) => auditEntries + 2 * i),
    )
    assert.equal((await store.read.counts()).devices, devices + 99)
    for (const [i, { certificate }] of units.entries()) {
      const stored = await store.read.certificate(certificate.authorityId, certificate.serialNumber)
      assert.equal(stored === undefined, i === at)
    }
  }
})

test('what is no plain insert finds the rows that stand before it in the same change set', async () => {
  const store = await newStore()
  const device = aDevice()
  const at = NOW + 1
  await store.commit(
    only(
      { kind: 'device.insert', device },
      { kind: 'device.state', id: device.id, from: device.state, to: 'retired', at },
    ),
  )
  assert.equal((await store.read.device(device.id))?.state, 'retired')
})

test('holds 20,000 units (100,000 rows) in bounded memory, written and streamed', async () => {
  const store = await newStore()
  for (let i = 0; i < 20; i++) {
    const outcomes = await store.commitEach(Array.from({ length: 1000 }, () => aUnit().change))
    assert.ok(outcomes.every(outcome => !(outcome instanceof Error)))
  }
  let certificates = 0
  for await (const { authorityId: authority } of store.read.allCertificates()) {
    assert.equal(authority, authorityId('idevid-1'))
    certificates++
  }
  assert.equal(certificates, 20_000)
  let entries = 0
  for await (const { index } of store.read.auditEntries(0)) assert.equal(index, entries++)
  assert.equal(entries, 40_000)
  assert.ok(process.memoryUsage.rss() < 400 * 2 ** 20, `${process.memoryUsage.rss() >> 20} MB are resident`)
})
