// Everything that an authority issued, in the order of issue, from one index and as columns: the universe that a status artefact is over.
import type { AuthorityId } from '../../../domain/ids.ts'
import type { UniversePage } from '../../../domain/ports.ts'
import { first, type Queries } from '../engine.ts'
import { MAX_PACKED, packed, unpackRows } from '../packed-rows.ts'
import { query, storableText } from '../sql.ts'

const PAGE = query(
  `SELECT ${packed('audit_index', 'serial_number', 'audit_index', 'not_after')}
    FROM (SELECT audit_index, serial_number, not_after FROM certificate
      WHERE authority_id = ? AND audit_index > ? AND audit_index <= ? ORDER BY audit_index LIMIT ?) AS page`,
)

export async function readUniverse(
  queries: Queries,
  authority: AuthorityId,
  { after, upTo, limit }: { readonly after: number; readonly upTo: number; readonly limit: number },
): Promise<UniversePage> {
  const asked = [authority, after, upTo, Math.min(limit, MAX_PACKED)]
  const row = storableText(authority) === undefined ? undefined : await first(queries, PAGE, asked)
  const { count, octets, numbers } = unpackRows(row, 2)
  return { count, serialNumbers: octets, auditIndexes: numbers[0]!, notAfter: numbers[1]! }
}
