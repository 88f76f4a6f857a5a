// What is said of devices, found by its value. The labels of a device stand here too, one row each, and every change of a label changes
// both: profiles read them from the device, queries find them here.
import type { DeviceProperty, PropertyName } from '../../../domain/device/device-property.ts'
import { type DeviceId, deviceId } from '../../../domain/ids.ts'
import type { Queries } from '../engine.ts'
import {
  bytesOf,
  change,
  hexOf,
  insert,
  integerOf,
  nullable,
  octetsOf,
  query,
  type Row,
  type StepSink,
  textOf,
  type Value,
  wordOf,
} from '../sql.ts'
import { pages } from '../stream.ts'

export const LABEL = 'label:'

export const insertProperty = insert('device_property', {
  device_id: 'bytes',
  name: 'text',
  value: 'text',
  personal: 'integer',
  salt: 'bytes',
})
export const updateProperty = change(
  'device_property',
  'UPDATE device_property SET value = ?, personal = ?, salt = ? WHERE device_id = ? AND name = ? AND value = ?',
)
export const deleteProperty = change(
  'device_property',
  'DELETE FROM device_property WHERE device_id = ? AND name = ? AND value = ?',
)
/** Labels that a new device brings; it has no properties yet. */
export const insertLabels = change(
  'device_property',
  `INSERT INTO device_property (device_id, name, value, personal)
    SELECT CAST(? AS {bytes}), '${LABEL}' || label.key, label.value, 0 FROM {textPairs} AS label WHERE 1 = 1
    ON CONFLICT DO NOTHING`,
  'any',
)
/** Values: device, the label's name, its value or NULL. */
export const updateLabel = change('device', 'UPDATE device SET labels = {labelsWith} WHERE id = ?', 'any')

export interface PropertyChange {
  readonly deviceId: DeviceId
  readonly name: PropertyName
  readonly from: string | null
  readonly to: Omit<DeviceProperty, 'deviceId' | 'name'> | null
}

/** `from` and `to` are not both `null`: see `checkChangeSet`. */
export function putProperty({ deviceId: device, name, from, to }: PropertyChange, out: StepSink): void {
  if (to === null) {
    out.begin(deleteProperty).hex(device).text(name).text(from)
  } else if (from === null) {
    out.begin(insertProperty).hex(device).text(name).text(to.value).integer(Number(to.personal)).bytes(to.salt)
  } else {
    out.begin(updateProperty).text(to.value).integer(Number(to.personal)).bytes(to.salt)
    out.hex(device).text(name).text(from)
  }
  if (name.startsWith(LABEL)) {
    out
      .begin(updateLabel)
      .text(name.slice(LABEL.length))
      .text(to === null ? null : to.value)
      .hex(device)
  }
}

export function putLabels(device: DeviceId, labels: Readonly<Record<string, string>>, out: StepSink): void {
  out.begin(insertLabels).hex(device).text(JSON.stringify(labels))
}

const OF_DEVICE = query(
  'SELECT device_id, name, value, personal, salt FROM device_property WHERE device_id = ? ORDER BY name',
)
const ALL = query(
  `SELECT device_id, name, value, personal, salt FROM device_property WHERE (device_id, name) > (?, ?)
    ORDER BY device_id, name LIMIT ?`,
)

export async function readPropertiesOfDevice(queries: Queries, id: DeviceId): Promise<DeviceProperty[]> {
  const octets = octetsOf(id)
  return octets === undefined ? [] : (await queries.all(OF_DEVICE, [octets])).map(propertyOf)
}

export async function* readAllProperties(queries: Queries): AsyncGenerator<DeviceProperty> {
  const from = (after: readonly Value[]) => (limit: number) => [...after, limit]
  const behind = (last: Row) => from([bytesOf(last, 'device_id'), textOf(last, 'name')])
  for await (const row of pages(queries, ALL, from([new Uint8Array(0), '']), behind)) yield propertyOf(row)
}

function propertyOf(row: Row): DeviceProperty {
  return {
    deviceId: deviceId(hexOf(row, 'device_id')),
    name: wordOf<PropertyName>(row, 'name'),
    value: textOf(row, 'value'),
    personal: integerOf(row, 'personal') === 1,
    salt: nullable(bytesOf, row, 'salt'),
  }
}
