// Talking to PostgreSQL: numbers as numbers, octets as plain arrays, each statement prepared once a connection.
import type { Buffer } from 'node:buffer'
import pg from 'pg'
import { POSTGRES, type Queries } from '../engine.ts'
import type { Query, Row, Value } from '../sql.ts'

const INT8 = 20
const BYTEA = 17

/** How values come back: for the `types` of a pool or client. */
export const VALUE_TYPES = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    // Every BIGINT of the schema is a safe integer, because only such are written.
    if (oid === INT8) return Number
    const parse = pg.types.getTypeParser(oid, format)
    // A view of the pool that Buffers share would keep eight kilobytes alive for each id.
    return oid === BYTEA ? (text: string) => new Uint8Array(parse(text) as Buffer) : parse
  }) as typeof pg.types.getTypeParser,
}

export interface Answer {
  readonly rows: readonly Row[]
  /** Rows that the statement changed. */
  readonly changes: number
}

/** A pool, or one client of it. All connections behind a session see the same statements under the same names. */
export class PostgresSession implements Queries {
  readonly engine = POSTGRES
  readonly #on: pg.Pool | pg.ClientBase
  readonly #prepared = new Map<Query, { readonly name: string; readonly text: string }>()

  constructor(on: pg.Pool | pg.ClientBase) {
    this.#on = on
  }

  async ask(query: Query, values: readonly Value[] | readonly (readonly Value[])[]): Promise<Answer> {
    let prepared = this.#prepared.get(query)
    if (prepared === undefined) {
      prepared = { name: `touchmark_${this.#prepared.size}`, text: POSTGRES.render(query.text) }
      this.#prepared.set(query, prepared)
    }
    const { rows, rowCount } = await this.#on.query<Row>({ ...prepared, values: [...values] })
    return { rows, changes: rowCount ?? 0 }
  }

  async all(query: Query, values: readonly Value[]): Promise<readonly Row[]> {
    return (await this.ask(query, values)).rows
  }

  /** A statement without values and without a name. */
  async exec(text: string): Promise<void> {
    await this.#on.query(text)
  }

  /** Throws where the server rolled back instead, as it does with a transaction in which something failed. */
  async commit(): Promise<void> {
    const { command } = await this.#on.query('COMMIT')
    if (command !== 'COMMIT') throw new TypeError('The transaction was rolled back in place of being committed.')
  }
}
