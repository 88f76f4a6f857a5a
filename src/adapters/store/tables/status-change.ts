// The log of status changes: one row for each, at the position of its audit entry. What follows it (the delta CRL, answers that are signed
// ahead, the status artefact) learns what changed since it looked last, without looking at what did not.
import { authorityId, type SerialNumber, serialNumber } from '../../../domain/ids.ts'
import type { StatusChange, StatusChangesAsked, Write } from '../../../domain/ports.ts'
import type { Queries } from '../engine.ts'
import { hexOf, insert, integerOf, query, type Row, type StepSink, storableText, textOf } from '../sql.ts'
import { statusOf } from './certificate.ts'

export const insertStatusChange = insert('status_change', {
  audit_index: 'integer',
  authority_id: 'text',
  crl_shard: 'integer',
  serial_number: 'bytes',
})

export function putStatusChange(write: Extract<Write, { kind: 'certificate.status' }>, out: StepSink): void {
  out
    .begin(insertStatusChange)
    .auditIndex(write.auditEntry)
    .text(write.authorityId)
    .integer(write.crlShard)
    .hex(write.serialNumber)
}

/** The status is the one of now: of a certificate that changed twice, both rows say the same. */
const changesWhere = (condition: string) =>
  query(`SELECT changed.audit_index, changed.authority_id, changed.crl_shard, changed.serial_number,
      status, status_at, status_reason, invalidity_date, hold_ends_at, not_after
    FROM status_change AS changed JOIN certificate
      ON certificate.serial_number = changed.serial_number AND certificate.authority_id = changed.authority_id
    WHERE ${condition} AND changed.audit_index > ? ORDER BY changed.audit_index LIMIT ?`)
const OF_ALL = changesWhere('1 = 1')
const OF_AUTHORITY = changesWhere('changed.authority_id = ?')
const OF_SHARD = changesWhere('changed.authority_id = ? AND changed.crl_shard = ?')

export async function readStatusChanges(queries: Queries, asked: StatusChangesAsked): Promise<StatusChange[]> {
  const { after, limit, authorityId: authority, crlShard } = asked
  if (authority === undefined) return (await queries.all(OF_ALL, [after, limit])).map(changeOf)
  if (storableText(authority) === undefined) return []
  const rows =
    crlShard === undefined
      ? await queries.all(OF_AUTHORITY, [authority, after, limit])
      : await queries.all(OF_SHARD, [authority, crlShard, after, limit])
  return rows.map(changeOf)
}

function changeOf(row: Row): StatusChange {
  return {
    auditIndex: integerOf(row, 'audit_index'),
    authorityId: authorityId(textOf(row, 'authority_id')),
    crlShard: integerOf(row, 'crl_shard'),
    serialNumber: serialNumber(hexOf(row, 'serial_number')) satisfies SerialNumber,
    status: statusOf(row),
    notAfter: integerOf(row, 'not_after'),
  }
}
