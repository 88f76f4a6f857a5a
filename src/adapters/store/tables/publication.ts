// What outlets serve as it is: replaced whole, and only by a higher number. Small ones lie in their row. Large ones lie in pieces, which are
// stored ahead under the number that they will have; one row then puts them in place, and the pieces before stay while somebody may read them.
import { concat } from '../../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../../core/errors.ts'
import { sha256Hex } from '../../../crypto/digest.ts'
import type { Publication, PublicationHead, Write } from '../../../domain/ports.ts'
import { PUBLICATION_PIECE } from '../../../domain/publication-piece.ts'
import { first, type Queries } from '../engine.ts'
import {
  bytesOf,
  change,
  hexOf,
  insert,
  integerOf,
  nullable,
  query,
  type Row,
  type StepSink,
  storableText,
  textOf,
} from '../sql.ts'

export const upsertPublication = change(
  'publication',
  `INSERT INTO publication
      (name, content_type, bytes, number, this_update, next_update, octets, sha256, previous) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)
    ON CONFLICT (name) DO UPDATE SET content_type = excluded.content_type, bytes = excluded.bytes,
      number = excluded.number, this_update = excluded.this_update, next_update = excluded.next_update,
      octets = excluded.octets, sha256 = excluded.sha256, previous = publication.number
    WHERE publication.number < excluded.number AND CAST(? AS BIGINT) IN (-1, publication.number)`,
  'one',
  ['publication_piece'],
)

export const insertPiece = insert('publication_piece', {
  name: 'text',
  number: 'integer',
  piece: 'integer',
  bytes: 'bytes',
})

/** Pieces that are neither of what is served nor of what was served before it, nor of what is yet to come. */
const STALE = `FROM publication_piece AS stale JOIN publication ON publication.name = stale.name
  WHERE stale.name = ? AND stale.number < publication.number AND stale.number <> publication.previous`

export const deleteStalePieces = change(
  'publication_piece',
  `DELETE FROM publication_piece WHERE (name, number, piece) IN (
    SELECT stale.name, stale.number, stale.piece ${STALE} ORDER BY stale.number, stale.piece LIMIT ?)`,
  'any',
  ['publication'],
)

export function putPublication(
  { publication, from }: Extract<Write, { kind: 'publication.put' }>,
  out: StepSink,
): void {
  const { bytes } = publication
  putRow({ ...publication, octets: bytes.length, sha256: sha256Hex(bytes) }, bytes, from, out)
}

export function placePublication({ head, from }: Extract<Write, { kind: 'publication.place' }>, out: StepSink): void {
  putRow(head, null, from, out)
}

function putRow(head: PublicationHead, bytes: Uint8Array | null, from: number | undefined, out: StepSink): void {
  out
    .begin(upsertPublication)
    .text(head.name)
    .text(head.contentType)
    .bytes(bytes)
    .integer(head.number)
    .integer(head.thisUpdate)
    .integer(head.nextUpdate)
    .integer(head.octets)
    .hex(head.sha256)
    .integer(from ?? -1)
}

export function putPiece(write: Extract<Write, { kind: 'publication.piece' }>, out: StepSink): void {
  out.begin(insertPiece).text(write.name).integer(write.number).integer(write.piece).bytes(write.bytes)
}

export function sweepPieces({ name, limit }: Extract<Write, { kind: 'publication.sweep' }>, out: StepSink): void {
  out.begin(deleteStalePieces).text(name).integer(limit)
}

const HEAD = 'name, content_type, number, this_update, next_update, octets, sha256'
const HEAD_BY_NAME = query(`SELECT ${HEAD} FROM publication WHERE name = ?`)
const BY_NAME = query(`SELECT ${HEAD}, bytes FROM publication WHERE name = ?`)
const BYTES_OF = query('SELECT bytes FROM publication WHERE name = ? AND number = ?')
const PIECE = query('SELECT bytes FROM publication_piece WHERE name = ? AND number = ? AND piece = ?')
const STALE_COUNT = query(`SELECT COUNT(*) AS total FROM (SELECT stale.piece ${STALE} LIMIT ?) AS found`)

export async function readPublicationHead(queries: Queries, name: string): Promise<PublicationHead | undefined> {
  if (storableText(name) === undefined) return undefined
  const row = await first(queries, HEAD_BY_NAME, [name])
  return row && headOf(row)
}

export async function readPublication(queries: Queries, name: string): Promise<Publication | undefined> {
  if (storableText(name) === undefined) return undefined
  for (let before = -1; ; ) {
    const row = await first(queries, BY_NAME, [name])
    if (row === undefined) return undefined
    const { octets, sha256: _sha256, ...head } = headOf(row)
    if (head.number === before) throw piecesMissing(head)
    before = head.number
    const inRow = nullable(bytesOf, row, 'bytes')
    if (inRow !== null) return { ...head, bytes: inRow }
    const pieces: Uint8Array[] = []
    for (let at = 0; at < octets; at += PUBLICATION_PIECE) {
      const piece = await readPublicationPiece(queries, name, head.number, at / PUBLICATION_PIECE)
      if (piece === undefined) break
      pieces.push(piece)
    }
    const bytes = concat(...pieces)
    // Otherwise it was replaced twice while it was read.
    if (bytes.length === octets) return { ...head, bytes }
  }
}

/** What is in place has all its pieces: somebody took some by hand, or the file is damaged. */
function piecesMissing({ name, number }: Pick<Publication, 'name' | 'number'>): TouchmarkError {
  return new TouchmarkError('store.row_unexpected', 'internal', 'A publication has not all its pieces.', {
    evidence: { name, number },
  })
}

export async function readPublicationPiece(
  queries: Queries,
  name: string,
  number: number,
  piece: number,
): Promise<Uint8Array | undefined> {
  if (storableText(name) === undefined) return undefined
  const found = await first(queries, PIECE, [name, number, piece])
  if (found !== undefined) return bytesOf(found, 'bytes')
  const row = await first(queries, BYTES_OF, [name, number])
  const whole = row && nullable(bytesOf, row, 'bytes')
  const from = piece * PUBLICATION_PIECE
  return whole && from < whole.length ? whole.subarray(from, from + PUBLICATION_PIECE) : undefined
}

export async function countStalePieces(queries: Queries, name: string, limit: number): Promise<number> {
  if (storableText(name) === undefined) return 0
  const row = await first(queries, STALE_COUNT, [name, limit])
  return row === undefined ? 0 : integerOf(row, 'total')
}

function headOf(row: Row): PublicationHead {
  return {
    name: textOf(row, 'name'),
    contentType: textOf(row, 'content_type'),
    number: integerOf(row, 'number'),
    thisUpdate: integerOf(row, 'this_update'),
    nextUpdate: integerOf(row, 'next_update'),
    octets: integerOf(row, 'octets'),
    sha256: hexOf(row, 'sha256'),
  }
}
