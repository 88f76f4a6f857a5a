// Brings a database to the schema that this program knows: forward only, each migration once, in one transaction under a lock.

import { toHex } from '../../core/bytes/hex.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { emptyRoot } from '../../core/merkle/tree.ts'
import { sha256 } from '../../crypto/digest.ts'
import type { Queries } from './engine.ts'
import { MIGRATIONS, type Migration } from './schema.ts'
import { integerOf, query, type Row, textOf, type Value } from './sql.ts'
import { headValues, INSERT_HEAD } from './tables/log.ts'

/** A connection inside of a transaction that excludes every other migration of the same database. */
export interface SchemaSession extends Queries {
  run(text: string, values?: readonly Value[]): Promise<void>
  /** Whether the database has a table of this name. */
  hasTable(name: string): Promise<boolean>
}

/** `empty` has no table of ours; `behind` is understood once it is migrated. */
export type SchemaStatus = 'empty' | 'behind' | 'current'

const APPLIED = query('SELECT version, name, checksum FROM schema_migration ORDER BY version')

/**
 * Compares what the database ran with what this program knows.
 * Errors: `store.schema_newer` (made by a newer version), `store.schema_changed` (a migration that is not ours).
 */
export async function schemaStatus(
  session: Pick<SchemaSession, 'all' | 'hasTable'>,
  known: readonly Migration[] = MIGRATIONS,
): Promise<SchemaStatus> {
  if (!(await session.hasTable('schema_migration'))) return 'empty'
  const applied = await session.all(APPLIED, [])
  if (applied.length > known.length) throw newer(applied, known)
  for (const [i, row] of applied.entries()) {
    const migration = known[i]!
    if (integerOf(row, 'version') !== migration.version || textOf(row, 'checksum') !== checksum(migration)) {
      throw new TouchmarkError(
        'store.schema_changed',
        'internal',
        `Migration ${migration.version} of this database (${textOf(row, 'name')}) is not the one that this program knows.`,
        { next: 'Use the version of Touchmark that made the database, or restore a backup.' },
      )
    }
  }
  if (applied.length === 0) return 'empty'
  return applied.length < known.length ? 'behind' : 'current'
}

/** Runs what is missing. The caller commits. Errors: as `schemaStatus`. */
export async function migrate(session: SchemaSession, known: readonly Migration[] = MIGRATIONS): Promise<void> {
  const status = await schemaStatus(session, known)
  if (status === 'current') return
  const { engine } = session
  let done = 0
  if (status === 'empty') {
    await session.run(
      engine.renderSchema(
        'CREATE TABLE schema_migration (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)',
      ),
    )
  } else {
    done = (await session.all(APPLIED, [])).length
  }
  for (const migration of known.slice(done)) {
    for (const statement of migration.statements) await session.run(engine.renderSchema(statement))
    await session.run('INSERT INTO schema_migration (version, name, checksum) VALUES (?, ?, ?)', [
      migration.version,
      migration.name,
      checksum(migration),
    ])
  }
  if (status === 'empty') {
    const start = {
      changes: 0,
      configurationChanges: 0,
      devices: 0,
      certificates: 0,
      logSize: 0,
      logRoot: emptyRoot(sha256),
    }
    await session.run(INSERT_HEAD.text, headValues(start))
  }
}

/** SHA-256 over the portable text, without what only layout put there. */
function checksum(migration: Migration): string {
  const text = migration.statements.map(statement => statement.replaceAll(/\s+/g, ' ')).join(';\n')
  return toHex(sha256(toUtf8(text)))
}

function newer(applied: readonly Row[], known: readonly Migration[]): TouchmarkError {
  const stored = integerOf(applied.at(-1)!, 'version')
  return new TouchmarkError(
    'store.schema_newer',
    'unavailable',
    `The database has schema ${stored}; this version of Touchmark knows schemas up to ${known.at(-1)?.version ?? 0}.`,
    { next: 'Use the version of Touchmark that last opened it, or a newer one.', evidence: { schema: stored } },
  )
}
