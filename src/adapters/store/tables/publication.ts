// What outlets serve as it is: replaced whole, and only by a higher number.
import type { Publication } from '../../../domain/ports.ts'
import { first, type Queries } from '../engine.ts'
import { bytesOf, change, integerOf, query, type StepSink, storableText, textOf } from '../sql.ts'

export const upsertPublication = change(
  'publication',
  `INSERT INTO publication (name, content_type, bytes, number, this_update, next_update) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET content_type = excluded.content_type, bytes = excluded.bytes,
      number = excluded.number, this_update = excluded.this_update, next_update = excluded.next_update
    WHERE publication.number < excluded.number`,
)

export function putPublication(publication: Publication, out: StepSink): void {
  out
    .begin(upsertPublication)
    .text(publication.name)
    .text(publication.contentType)
    .bytes(publication.bytes)
    .integer(publication.number)
    .integer(publication.thisUpdate)
    .integer(publication.nextUpdate)
}

const BY_NAME = query(
  'SELECT name, content_type, bytes, number, this_update, next_update FROM publication WHERE name = ?',
)

export async function readPublication(queries: Queries, name: string): Promise<Publication | undefined> {
  if (storableText(name) === undefined) return undefined
  const row = await first(queries, BY_NAME, [name])
  return (
    row && {
      name: textOf(row, 'name'),
      contentType: textOf(row, 'content_type'),
      bytes: bytesOf(row, 'bytes'),
      number: integerOf(row, 'number'),
      thisUpdate: integerOf(row, 'this_update'),
      nextUpdate: integerOf(row, 'next_update'),
    }
  )
}
