// What suspensions took from devices: one row for each device that is suspended.
import type { Suspension } from '../../../domain/device/suspension.ts'
import { type DeviceId, deviceId } from '../../../domain/ids.ts'
import { first, type Queries } from '../engine.ts'
import { change, hexOf, integerOf, octetsOf, query, type StepSink, textOf, wordOf } from '../sql.ts'

export const upsertSuspension = change(
  'suspension',
  `INSERT INTO suspension (device_id, at, came_from, certificates, keys) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (device_id) DO UPDATE SET at = excluded.at, came_from = excluded.came_from,
      certificates = excluded.certificates, keys = excluded.keys`,
)
export const deleteSuspension = change('suspension', 'DELETE FROM suspension WHERE device_id = ?', 'any')

export function putSuspension(suspension: Suspension, out: StepSink): void {
  out
    .begin(upsertSuspension)
    .hex(suspension.deviceId)
    .integer(suspension.at)
    .text(suspension.from)
    .text(JSON.stringify(suspension.certificates))
    .text(JSON.stringify(suspension.keys))
}

export function removeSuspension(device: DeviceId, out: StepSink): void {
  out.begin(deleteSuspension).hex(device)
}

const OF_DEVICE = query('SELECT device_id, at, came_from, certificates, keys FROM suspension WHERE device_id = ?')

export async function readSuspension(queries: Queries, id: DeviceId): Promise<Suspension | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, OF_DEVICE, [octets]))
  return (
    row && {
      deviceId: deviceId(hexOf(row, 'device_id')),
      at: integerOf(row, 'at'),
      from: wordOf<Suspension['from']>(row, 'came_from'),
      certificates: JSON.parse(textOf(row, 'certificates')) as Suspension['certificates'],
      keys: JSON.parse(textOf(row, 'keys')) as Suspension['keys'],
    }
  )
}
