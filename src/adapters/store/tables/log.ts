// The head of the store (counters, markers, size and root of the log) and the log itself: entries, tiles, checkpoints.
import type { AuditHead, StoredCheckpoint } from '../../../domain/ports.ts'
import { first, type Queries } from '../engine.ts'
import { bytesOf, change, insert, integerOf, query, type Row, textOf } from '../sql.ts'
import { pages } from '../stream.ts'

export interface Head {
  /** Commits so far. */
  readonly changes: number
  /** Commits so far that changed an authority or a document. */
  readonly configurationChanges: number
  readonly devices: number
  readonly certificates: number
  readonly logSize: number
  readonly logRoot: Uint8Array
}

const HEAD_COLUMNS = 'changes, configuration_changes, devices, certificates, log_size, log_root'
export const READ_HEAD = query(`SELECT ${HEAD_COLUMNS} FROM head WHERE id = 1`)
export const LOCK_HEAD = query(`SELECT ${HEAD_COLUMNS} FROM head WHERE id = 1 FOR UPDATE`)
/** Values as `headValues` orders them. */
export const UPDATE_HEAD = change(
  'head',
  `UPDATE head SET changes = ?, configuration_changes = ?, devices = ?, certificates = ?, log_size = ?, log_root = ?
    WHERE id = 1`,
)
/** Values as `headValues` orders them. */
export const INSERT_HEAD = change('head', `INSERT INTO head (id, ${HEAD_COLUMNS}) VALUES (1, ?, ?, ?, ?, ?, ?)`)

export const headValues = (head: Head) => [
  head.changes,
  head.configurationChanges,
  head.devices,
  head.certificates,
  head.logSize,
  head.logRoot,
]

export function headOf(row: Row): Head {
  return {
    changes: integerOf(row, 'changes'),
    configurationChanges: integerOf(row, 'configuration_changes'),
    devices: integerOf(row, 'devices'),
    certificates: integerOf(row, 'certificates'),
    logSize: integerOf(row, 'log_size'),
    logRoot: bytesOf(row, 'log_root'),
  }
}

export const insertEntry = insert('log_entry', { entry_index: 'integer', bytes: 'bytes' })
export const upsertTile = change(
  'log_tile',
  `INSERT INTO log_tile (level, tile_index, hashes) VALUES (?, ?, ?)
    ON CONFLICT (level, tile_index) DO UPDATE SET hashes = excluded.hashes`,
)
export const READ_TILE = query('SELECT hashes FROM log_tile WHERE level = ? AND tile_index = ?')
/** Values: size, note, time, size. Does nothing where a larger one is stored. */
export const SAVE_CHECKPOINT = change(
  'log_checkpoint',
  `INSERT INTO log_checkpoint (size, note, signed_at) SELECT CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS BIGINT)
    WHERE NOT EXISTS (SELECT 1 FROM log_checkpoint AS newer WHERE newer.size > ?)
    ON CONFLICT (size) DO UPDATE SET note = excluded.note, signed_at = excluded.signed_at`,
  'any',
)

export const READ_ENTRY = query('SELECT bytes FROM log_entry WHERE entry_index = ?')
/** Only the newest is kept: it vouches for every entry that an older one vouched for. */
export const DROP_OLDER_CHECKPOINTS = change('log_checkpoint', 'DELETE FROM log_checkpoint WHERE size < ?', 'any')

const ENTRIES = query('SELECT entry_index, bytes FROM log_entry WHERE entry_index >= ? ORDER BY entry_index LIMIT ?')
const LATEST_CHECKPOINT = query('SELECT size, note, signed_at FROM log_checkpoint ORDER BY size DESC LIMIT 1')

export async function readHead(queries: Queries): Promise<Head> {
  const row = await first(queries, READ_HEAD, [])
  // The row is made with the schema, in the same transaction.
  return headOf(row ?? {})
}

export async function readLogHead(queries: Queries): Promise<AuditHead> {
  const { logSize, logRoot } = await readHead(queries)
  return { size: logSize, root: logRoot }
}

export async function readEntry(queries: Queries, index: number): Promise<Uint8Array | undefined> {
  const row = await first(queries, READ_ENTRY, [index])
  return row && bytesOf(row, 'bytes')
}

export interface LogEntry {
  readonly index: number
  readonly bytes: Uint8Array
}

export async function* readEntries(queries: Queries, from: number): AsyncGenerator<LogEntry> {
  const start = (index: number) => (limit: number) => [index, limit]
  for await (const row of pages(queries, ENTRIES, start(from), last => start(integerOf(last, 'entry_index') + 1))) {
    yield { index: integerOf(row, 'entry_index'), bytes: bytesOf(row, 'bytes') }
  }
}

export async function readTile(queries: Queries, level: number, index: number): Promise<Uint8Array | undefined> {
  const row = await first(queries, READ_TILE, [level, index])
  return row && bytesOf(row, 'hashes')
}

export async function readLatestCheckpoint(queries: Queries): Promise<StoredCheckpoint | undefined> {
  const row = await first(queries, LATEST_CHECKPOINT, [])
  return row && { size: integerOf(row, 'size'), note: textOf(row, 'note'), at: integerOf(row, 'signed_at') }
}
