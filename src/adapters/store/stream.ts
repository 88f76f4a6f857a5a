// Streams over more rows than fit in memory: page after page from an index, with no transaction held between pages and the event
// loop given back after each, so that a long export never stands in the way of a commit or of a request.
import { setImmediate } from 'node:timers/promises'
import type { Queries } from './engine.ts'
import type { Query, Row, Value } from './sql.ts'

/** Rows that one page reads. */
export const PAGE = 500

type PageValues = (limit: number) => readonly Value[]

/** Rows in the order of the query: `start` gives the values of the first page, `after` those that go on behind a row. */
export async function* pages(
  queries: Queries,
  query: Query,
  start: PageValues,
  after: (last: Row) => PageValues,
): AsyncGenerator<Row> {
  for (let values = start; ; ) {
    const rows = await queries.all(query, values(PAGE))
    yield* rows
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return
    values = after(last)
    await setImmediate()
  }
}
