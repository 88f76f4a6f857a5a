// The contract of the store, on both engines, and what only PostgreSQL can do to it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import pg from 'pg'
import { createStore, openStore } from '../../../src/adapters/store/open-store.ts'
import { TouchmarkError } from '../../../src/core/errors.ts'
import type { Store } from '../../../src/domain/ports.ts'
import { assertInvariants } from '../../support/invariants.ts'
import { storeEngines } from '../../support/store-engines.ts'
import { aDevice, aUnit, only } from '../../support/store-fixtures.ts'
import { accessContract } from './access-contract.ts'
import { storeContract } from './contract.ts'
import { fieldContract } from './field-contract.ts'

const { sqlite, postgres, createDatabase } = storeEngines()
for (const contract of [storeContract, fieldContract, accessContract]) {
  contract('SQLite', sqlite)
  contract('PostgreSQL', postgres)
}

describe('Store on PostgreSQL alone', () => {
  it('walks an index where the planner would rather read a whole table for each page', async () => {
    const url = await createDatabase()
    await using store = await createStore({ url })
    await asAdministrator(
      url,
      `CREATE TEMP TABLE fleet AS SELECT decode(lpad(to_hex(n), 32, '0'), 'hex') AS id, n FROM generate_series(1, 20000) AS n;
       INSERT INTO device SELECT id, 'M', 'S' || n, 'active', NULL, 1, 1, '{}' FROM fleet;
       INSERT INTO device_health SELECT id, n, 1, 0, '1.0', NULL, NULL, NULL FROM fleet;
       ANALYZE device; ANALYZE device_health`,
    )
    const scanned = async () => {
      const [row] = await asAdministrator(
        url,
        `SELECT CAST(COALESCE(SUM(seq_tup_read), 0) AS INTEGER) AS rows FROM pg_stat_user_tables
          WHERE relname IN ('device', 'device_health')`,
      )
      return Number(row?.['rows'])
    }
    const before = await scanned()
    for (const asked of [{}, { firmware: '1.0' }, { seenAfter: 0, states: ['active'] }] as const) {
      const { items } = await store.read.selectDevices(asked, { limit: 2_000 })
      assert.equal(items.length, 2_000)
    }
    // The connections report what they read when they end.
    await store[Symbol.asyncDispose]()
    assert.equal(await scanned(), before)
  })

  it('outlives the loss of every connection, idle or at work', async () => {
    const url = await createDatabase()
    await using store = await createStore({ url })
    const units = Array.from({ length: 160 }, () => aUnit())
    let next = 0
    const worker = async () => {
      for (let unit = units[next++]; unit !== undefined; unit = units[next++]) {
        await whileAvailable(() => store.commit(unit.change))
        assert.deepEqual(await whileAvailable(() => store.read.device(unit.device.id)), unit.device)
      }
    }
    let working = true
    const cut = async () => {
      while (working) {
        await new Promise(resolve => setTimeout(resolve, 40))
        await asAdministrator(
          url,
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
        )
      }
    }
    const cutting = cut()
    await Promise.all(Array.from({ length: 20 }, worker))
    working = false
    await cutting
    await whileAvailable(() => assertInvariants(store))
    assert.equal((await store.read.counts()).devices, 160)

    /** Tries again where the connection was lost before anything happened; a commit that happened is never reported as lost. */
    async function whileAvailable<T>(act: () => Promise<T>): Promise<T> {
      for (;;) {
        try {
          return await act()
        } catch (error) {
          assert.ok(error instanceof TouchmarkError, String(error))
          assert.equal(error.code, 'store.unavailable')
        }
      }
    }
  })

  it('writes durably and in turn, whatever the defaults of the database are', async () => {
    const url = await createDatabase()
    const name = new URL(url).pathname.slice(1)
    await asAdministrator(url, `ALTER DATABASE ${name} SET synchronous_commit = off`)
    await asAdministrator(url, `ALTER DATABASE ${name} SET default_transaction_isolation = 'serializable'`)
    await using one = await createStore({ url })
    await using other = await openStore({ url })
    const changes = Array.from({ length: 30 }, (_, i) =>
      only({ kind: 'device.insert', device: aDevice({ serialNumber: `S${i}` }) }),
    )
    const again = Array.from({ length: 30 }, (_, i) =>
      only({ kind: 'device.insert', device: aDevice({ serialNumber: `S${i}` }) }),
    )
    const outcomes = await Promise.allSettled([
      ...changes.map(change => one.commit(change)),
      ...again.map(change => other.commit(change)),
    ])
    const refused = outcomes.filter(outcome => outcome.status === 'rejected')
    assert.deepEqual(
      refused.map(({ reason }) => (reason as TouchmarkError).code),
      Array(30).fill('device.exists'),
    )
    await assertInvariants(one)
  })

  it('refuses a schema that is newer, and a log that was altered', async () => {
    const url = await createDatabase()
    {
      await using store = await createStore({ url })
      await store.commit(aUnit().change)
    }
    await asAdministrator(url, "UPDATE log_tile SET hashes = decode(repeat('00', length(hashes)), 'hex')")
    {
      await using store = await openStore({ url })
      await rejectsWith(store.commit(aUnit().change), 'store.log_damaged')
      assert.equal((await store.read.counts()).devices, 1)
    }
    await asAdministrator(url, "INSERT INTO schema_migration VALUES (99, 'from the future', 'x')")
    await rejectsWith(openStore({ url }), 'store.schema_newer')
  })

  it('says what is wrong with the address', async () => {
    const url = new URL(await createDatabase())
    const changed = (change: (url: URL) => void) => {
      const copy = new URL(url)
      change(copy)
      return { url: copy.href }
    }
    await rejectsWith(openStore({ url: url.href }), 'store.missing')
    await rejectsWith(createStore(changed(other => (other.pathname = '/nowhere'))), 'store.missing')
    await rejectsWith(createStore(changed(other => (other.password = 'wrong'))), 'store.unavailable')
    await rejectsWith(createStore(changed(other => (other.port = '1'))), 'store.unavailable')
  })
})

/** The rows of the last statement. */
async function asAdministrator(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const results = [await client.query(sql)].flat()
    return results.at(-1)?.rows ?? []
  } finally {
    await client.end()
  }
}

async function rejectsWith(promise: Promise<Store | unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error: unknown) => error instanceof TouchmarkError && error.code === code)
}
