// Plain inserts on their way into SQLite, many rows a statement: starting a statement, opening its table and each of its indexes costs as much
// as a row. Rows of one table stay in order; bundles of different tables change places, which plain inserts may.
import { type Query, severalRows, type Value, type WriteStatement } from '../sql.ts'

/** Rows in a bundle. More gain nothing, and every bundle that is not full goes row by row. */
const ROWS = 32

/** The statements for full bundles, made once: a connection knows them again. */
const FULL = new Map<WriteStatement, Query>()

/** What the bundles need of a connection: how many rows the statement changed. */
export interface Changes {
  change(query: Query, values: readonly Value[]): number
}

export class RowBundles {
  readonly #connection: Changes
  readonly #bundles = new Map<WriteStatement, Bundle>()

  constructor(connection: Changes) {
    this.#connection = connection
  }

  /** Takes a row of a plain insert; it may be written now or later. False where a row of the statement's could not be inserted. */
  add(statement: WriteStatement, values: readonly Value[]): boolean {
    let bundle = this.#bundles.get(statement)
    if (bundle === undefined) {
      bundle = new Bundle(statement)
      this.#bundles.set(statement, bundle)
    }
    return bundle.add(values, this.#connection)
  }

  /** Writes what is left. False where a row could not be inserted. */
  flush(): boolean {
    for (const bundle of this.#bundles.values()) if (!bundle.flush(this.#connection)) return false
    return true
  }
}

class Bundle {
  readonly #statement: WriteStatement
  readonly #full: Query
  readonly #values: Value[]
  #used = 0

  constructor(statement: WriteStatement) {
    this.#statement = statement
    this.#full = FULL.get(statement) ?? severalRows(statement, ROWS)
    FULL.set(statement, this.#full)
    this.#values = Array<Value>(ROWS * statement.arity).fill(null)
  }

  add(values: readonly Value[], connection: Changes): boolean {
    for (let i = 0; i < values.length; i++) this.#values[this.#used++] = values[i]!
    if (this.#used < this.#values.length) return true
    this.#used = 0
    return connection.change(this.#full, this.#values) === ROWS
  }

  flush(connection: Changes): boolean {
    const { arity } = this.#statement
    const used = this.#used
    this.#used = 0
    for (let at = 0; at < used; at += arity) {
      if (connection.change(this.#statement, this.#values.slice(at, at + arity)) === 0) return false
    }
    return true
  }
}
