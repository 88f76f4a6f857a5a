// Answers that are kept so that a repeated request gets the same one (Idempotency-Key). The key itself is never stored, only what is derived
// from it; the answer is sealed under it.
import type { KeptAnswer } from '../../../domain/kept-answer.ts'
import { first, type Queries } from '../engine.ts'
import { bytesOf, change, hexOf, insert, integerOf, nullable, octetsOf, query, type StepSink } from '../sql.ts'

export const insertAnswer = insert('kept_answer', {
  id: 'bytes',
  request_digest: 'bytes',
  sealed: 'bytes',
  begun_at: 'integer',
  expires_at: 'integer',
})
export const finishAnswer = change('kept_answer', 'UPDATE kept_answer SET sealed = ? WHERE id = ? AND sealed IS NULL')
export const dropAnswer = change('kept_answer', 'DELETE FROM kept_answer WHERE id = ?', 'any')
export const dropOldAnswers = change('kept_answer', 'DELETE FROM kept_answer WHERE expires_at < ?', 'any')

export function putAnswer({ id, requestDigest, sealed, begunAt, expiresAt }: KeptAnswer, out: StepSink): void {
  out.begin(insertAnswer).hex(id).hex(requestDigest).bytes(sealed).integer(begunAt).integer(expiresAt)
}

const BY_ID = query('SELECT id, request_digest, sealed, begun_at, expires_at FROM kept_answer WHERE id = ?')

export async function readAnswer(queries: Queries, id: string): Promise<KeptAnswer | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, BY_ID, [octets]))
  return (
    row && {
      id: hexOf(row, 'id'),
      requestDigest: hexOf(row, 'request_digest'),
      sealed: nullable(bytesOf, row, 'sealed'),
      begunAt: integerOf(row, 'begun_at'),
      expiresAt: integerOf(row, 'expires_at'),
    }
  )
}
