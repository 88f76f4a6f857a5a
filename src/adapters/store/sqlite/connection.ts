// One SQLite connection, set up as this store needs it, with its statements prepared once.

import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { type Queries, SQLITE } from '../engine.ts'
import type { Query, Row, Value } from '../sql.ts'

/** Waits this long for a writer in another process before it gives up. */
const BUSY_MS = 5_000
/** Octets of pages that a connection keeps in memory. */
const CACHE = { reader: 16 * 1024 * 1024, writer: 64 * 1024 * 1024 }
/** Pages that the write-ahead log gathers before it is worked into the database. */
const CHECKPOINT_PAGES = 8_192
/** Octets of the write-ahead log that are kept for the next round. */
const JOURNAL_OCTETS = 64 * 1024 * 1024
export const PAGE_OCTETS = 4_096

/** "TMRK": tells our databases from others. */
export const APPLICATION_ID = 0x544d524b

export interface ConnectionOptions {
  readonly role: 'reader' | 'writer'
  /** Octets that the database may grow to; more is `store.full`. */
  readonly maxOctets?: number | undefined
}

export class SqliteConnection implements Queries {
  readonly engine = SQLITE
  readonly #database: DatabaseSync
  readonly #prepared = new Map<Query, StatementSync>()

  /** The file exists. Throws what SQLite throws. */
  constructor(path: string, options: ConnectionOptions) {
    // mode=rw: a file that is gone is an error, never a new and empty one.
    this.#database = new DatabaseSync(`${pathToFileURL(path).href}?mode=rw`, { timeout: BUSY_MS })
    try {
      // synchronous=FULL: a commit has returned from fsync. The page size counts only where the file is still empty.
      // secure_delete: what is erased is overwritten, in its page and in pages that become free.
      this.exec(
        `PRAGMA page_size = ${PAGE_OCTETS};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = ${-CACHE[options.role] / 1024};
         PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
         PRAGMA journal_size_limit = ${JOURNAL_OCTETS};
         PRAGMA temp_store = MEMORY;
         PRAGMA secure_delete = ON;
         PRAGMA trusted_schema = OFF;`,
      )
      if (options.role === 'reader') this.exec('PRAGMA query_only = ON')
      if (options.maxOctets !== undefined) {
        this.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(options.maxOctets / PAGE_OCTETS))}`)
      }
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  /** Rows of a statement in portable SQL. Synchronous at heart: a point query takes microseconds. */
  rows(query: Query, values: readonly Value[]): readonly Row[] {
    return this.#prepare(query).all(...values) as unknown as readonly Row[]
  }

  async all(query: Query, values: readonly Value[]): Promise<readonly Row[]> {
    return this.rows(query, values)
  }

  /** How many rows the statement changed. */
  change(query: Query, values: readonly Value[]): number {
    return Number(this.#prepare(query).run(...values).changes)
  }

  /** Moves the write-ahead log into the database and cuts it to nothing. False where a reader or writer stood in the way for so long. */
  emptyLog(waitMs: number): boolean {
    try {
      this.exec(`PRAGMA busy_timeout = ${waitMs}`)
      return this.#database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'] === 0
    } catch {
      return false
    } finally {
      this.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
    }
  }

  #prepare(query: Query): StatementSync {
    let statement = this.#prepared.get(query)
    if (statement === undefined) {
      statement = this.#database.prepare(SQLITE.render(query.text))
      this.#prepared.set(query, statement)
    }
    return statement
  }

  exec(text: string): void {
    this.#database.exec(text)
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction
  }

  close(): void {
    this.#prepared.clear()
    this.#database.close()
  }
}
