// Making and opening a store in a PostgreSQL database. The database itself exists: whoever runs the server made it.
import pg from 'pg'
import { TouchmarkError } from '../../../core/errors.ts'
import { migrate, type SchemaSession, schemaStatus } from '../migrations.ts'
import { query } from '../sql.ts'
import { storeErrorOf } from './postgres-error.ts'
import { PostgresSession, VALUE_TYPES } from './session.ts'
import { type PostgresOptions, PostgresStore } from './store.ts'

/** Connections that answer questions; the writer has one more. */
const READERS = 8
const CONNECT_MS = 10_000
/**
 * Every statement of this store has its index and is about a page at most. The planner does not know that: rather than look 2,000 rows up it
 * reads a table of some 100,000 whole, for each page; or, prepared while a table was empty, goes through all its rows for each of a list.
 */
const PLAN_BY_INDEX = `SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
  SET enable_material = off; SET max_parallel_workers_per_gather = 0; SET jit = off`
/** "TMRK": the advisory lock of migrations. */
const MIGRATION_LOCK = 0x544d524b

/** Errors: `store.exists`, `store.missing` (the database), `store.unavailable`. */
export async function createPostgresStore(url: string, options: PostgresOptions = {}): Promise<PostgresStore> {
  return opened(url, options, async session => {
    if ((await schemaStatus(session)) !== 'empty') {
      throw new TouchmarkError('store.exists', 'conflict', 'The store exists.', {
        next: 'Open it, or name an empty database.',
      })
    }
    await migrate(session)
  })
}

/** Errors: `store.missing`, `store.schema_newer`, `store.schema_changed`, `store.unavailable`. */
export async function openPostgresStore(url: string, options: PostgresOptions = {}): Promise<PostgresStore> {
  return opened(url, options, async session => {
    const status = await schemaStatus(session)
    if (status === 'empty') {
      throw new TouchmarkError('store.missing', 'not_found', 'The database holds no store.', {
        next: 'Make one with `touchmark init`.',
      })
    }
    if (status === 'behind') await migrate(session)
  })
}

async function opened(
  url: string,
  options: PostgresOptions,
  schema: (session: SchemaSession) => Promise<void>,
): Promise<PostgresStore> {
  const connect = () => connectedClient(url)
  try {
    const client = await connect()
    try {
      const session = new PostgresSession(client)
      await session.exec(`BEGIN; SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`)
      await schema(schemaSession(session))
      await session.commit()
    } finally {
      await client.end()
    }
  } catch (error) {
    throw storeErrorOf(error)
  }
  const pool = new pg.Pool({
    connectionString: url,
    max: READERS,
    connectionTimeoutMillis: CONNECT_MS,
    types: VALUE_TYPES,
    onConnect: async client => void (await client.query(PLAN_BY_INDEX)),
  })
  // An idle connection that is lost is replaced at the next question; without a listener it would end the process.
  pool.on('error', () => undefined)
  return new PostgresStore(pool, connect, options)
}

/** A connection for the writer: statements go out without waiting for each other, and COMMIT means that the disk has it. */
async function connectedClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    types: VALUE_TYPES,
    pipeline: true,
  })
  // Without a listener a lost connection would end the process; whoever uses it meets the error anyway.
  client.on('error', () => undefined)
  await client.connect()
  await client.query(PLAN_BY_INDEX)
  const { rows } = await client.query<{ synchronous_commit: string }>('SHOW synchronous_commit')
  if (rows[0]?.synchronous_commit === 'off') await client.query('SET synchronous_commit = on')
  return client
}

const HAS_TABLE = query('SELECT to_regclass(?) IS NOT NULL AS found')

function schemaSession(session: PostgresSession): SchemaSession {
  return {
    engine: session.engine,
    all: (question, values) => session.all(question, values),
    run: async (text, values = []) => void (await session.ask(query(text), values)),
    hasTable: async name => String((await session.all(HAS_TABLE, [name]))[0]?.['found']) === 'true',
  }
}
