// What a CRL lists, from one index and as columns.
import { setImmediate } from 'node:timers/promises'
import { EMPTY } from '../../../core/bytes/bytes.ts'
import { CRL_REASONS } from '../../../core/pki/crl-reason.ts'
import type { AuthorityId, UnixSeconds } from '../../../domain/ids.ts'
import type { RevokedPage } from '../../../domain/ports.ts'
import { first, type Queries } from '../engine.ts'
import { packed, packedRoom, unpackRows } from '../packed-rows.ts'
import { query, storableText } from '../sql.ts'

/** In a page. Its text is short enough for the young generation of the heap: of a list of millions nothing piles up. */
const ROWS = 1024

const WORDS = Object.entries(CRL_REASONS).map(([reason, code]) => `WHEN '${reason}' THEN ${code}`)
/** As CRLReason numbers them; of a hold, the reason that it may end with is not what the list says. */
const REASON = `CASE WHEN status = 'held' THEN ${CRL_REASONS.certificateHold} ELSE CASE status_reason ${WORDS.join(' ')} END END`

const PAGE = query(
  `SELECT ${packed('serial_number', 'serial_number', 'status_at', REASON, 'invalidity_date')}
    FROM (SELECT serial_number, status, status_at, status_reason, invalidity_date FROM certificate
      WHERE status <> 'good' AND authority_id = ? AND crl_shard = ? AND serial_number > ? AND not_after >= ?
      ORDER BY serial_number LIMIT ?) AS page`,
)

export async function* readRevokedPages(
  queries: Queries,
  authority: AuthorityId,
  crlShard: number,
  expiresAfter: UnixSeconds,
): AsyncGenerator<RevokedPage> {
  if (storableText(authority) === undefined) return
  const room = packedRoom(ROWS, 3)
  for (let after: Uint8Array = EMPTY; ; ) {
    const row = await first(queries, PAGE, [authority, crlShard, after, expiresAfter, ROWS])
    const { count, octets, numbers } = unpackRows(row, 3, room)
    if (count === 0) return
    yield {
      count,
      serialNumbers: octets,
      revokedAt: numbers[0]!,
      reasons: numbers[1]!,
      invalidityDates: numbers[2]!,
    }
    if (count < ROWS) return
    after = octets.bytes.subarray(octets.ends[count - 2])
    // A long list stands in nobody's way.
    await setImmediate()
  }
}
