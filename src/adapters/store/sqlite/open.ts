// Making and opening the database file.
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { TouchmarkError } from '../../../core/errors.ts'
import { migrate, type SchemaSession, schemaStatus } from '../migrations.ts'
import { query } from '../sql.ts'
import { APPLICATION_ID, SqliteConnection } from './connection.ts'
import { storeErrorOf } from './sqlite-error.ts'
import { SqliteStore } from './store.ts'

export interface SqliteOptions {
  readonly maxOctets?: number
  readonly onGroup?: (changes: number, seconds: number) => void
}

/** Errors: `store.exists`, `store.foreign`, `store.unavailable`. */
export async function createSqliteStore(path: string, options: SqliteOptions): Promise<SqliteStore> {
  return guarded(async () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // Nobody but the owner reads the registry, whatever the umask says.
    closeSync(openSync(path, 'a', 0o600))
    await withSchema(path, async session => {
      if ((await schemaStatus(session)) !== 'empty') {
        throw new TouchmarkError('store.exists', 'conflict', 'The store exists.', {
          next: 'Open it, or choose another data folder.',
        })
      }
      await migrate(session)
    })
    return new SqliteStore(path, options)
  })
}

/** Errors: `store.missing`, `store.foreign`, `store.schema_newer`, `store.schema_changed`, `store.corrupt`, `store.unavailable`. */
export async function openSqliteStore(path: string, options: SqliteOptions): Promise<SqliteStore> {
  return guarded(async () => {
    if (!existsSync(path)) throw missing()
    const connection = new SqliteConnection(path, { role: 'reader' })
    let status: Awaited<ReturnType<typeof schemaStatus>>
    try {
      status = await schemaStatus(sessionOf(connection))
    } finally {
      connection.close()
    }
    if (status === 'empty') throw missing()
    if (status === 'behind') await withSchema(path, migrate)
    return new SqliteStore(path, options)
  })
}

async function withSchema(path: string, body: (session: SchemaSession) => Promise<void>): Promise<void> {
  const connection = new SqliteConnection(path, { role: 'writer' })
  try {
    // The write lock is the lock of the migration.
    connection.exec('BEGIN IMMEDIATE')
    await body(sessionOf(connection))
    connection.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
    connection.exec('COMMIT')
  } finally {
    connection.close()
  }
}

const TABLES = query("SELECT name FROM sqlite_master WHERE type = 'table'")
const APPLICATION = query('PRAGMA application_id')

function sessionOf(connection: SqliteConnection): SchemaSession {
  const tables = connection.rows(TABLES, []).map(row => row['name'])
  if (tables.length > 0 && connection.rows(APPLICATION, [])[0]?.['application_id'] !== APPLICATION_ID) {
    throw new TouchmarkError('store.foreign', 'conflict', 'The database belongs to another program.', {
      next: 'Name the data folder that `touchmark init` made.',
    })
  }
  return {
    engine: connection.engine,
    all: (question, values) => connection.all(question, values),
    run: async (text, values = []) => void connection.change(query(text), values),
    hasTable: async name => tables.includes(name),
  }
}

async function guarded<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    throw storeErrorOf(error)
  }
}

function missing(): TouchmarkError {
  return new TouchmarkError('store.missing', 'not_found', 'There is no store here.', {
    next: 'Make one with `touchmark init`, or name its folder with --data.',
  })
}
