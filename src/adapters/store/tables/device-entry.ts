// Which entries of the log are about a device. The issue of a certificate is not written here: the certificate itself says where its entry
// stands, and a batch, which logs nothing else of its devices, pays nothing for this index.
import type { AuditEntry } from '../../../domain/audit/entry.ts'
import type { DeviceId } from '../../../domain/ids.ts'
import type { Queries } from '../engine.ts'
import { insert, integerOf, octetsOf, query, type StepSink } from '../sql.ts'

export const insertDeviceEntry = insert('device_entry', { device_id: 'bytes', entry_index: 'integer' })

const DEVICE = /^[0-9a-f]{32}$/

export function putDeviceEntries(audit: readonly AuditEntry[], out: StepSink): void {
  for (let position = 0; position < audit.length; position++) {
    const { action, subject } = audit[position]!
    const device = subject['deviceId']
    if (device === undefined || action === 'certificate.issued' || !DEVICE.test(device)) continue
    out.begin(insertDeviceEntry).hex(device).auditIndex(position)
  }
}

const OF_DEVICE = query(
  `SELECT entry_index FROM (
      SELECT entry_index FROM device_entry WHERE device_id = ? AND entry_index < ?
      UNION
      SELECT audit_index AS entry_index FROM certificate WHERE device_id = ? AND audit_index < ?) AS about
    ORDER BY entry_index DESC LIMIT ?`,
)

/** Newest first; those before `before`. */
export async function readEntriesOfDevice(
  queries: Queries,
  id: DeviceId,
  before: number,
  limit: number,
): Promise<number[]> {
  const octets = octetsOf(id)
  if (octets === undefined) return []
  const rows = await queries.all(OF_DEVICE, [octets, before, octets, before, limit])
  return rows.map(row => integerOf(row, 'entry_index'))
}
