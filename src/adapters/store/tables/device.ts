// Devices. Every index costs each unit of a batch, so there are few: the unique one over model and serial number also answers for a
// serial number of any model, by hopping from model to model.
import type { Device, DeviceState } from '../../../domain/device/device.ts'
import type { DeviceSketch } from '../../../domain/device/device-query.ts'
import type { BatchId, DeviceId, UnixSeconds } from '../../../domain/ids.ts'
import { batchId, deviceId } from '../../../domain/ids.ts'
import type { Page } from '../../../domain/ports.ts'
import { cursorOf, placesOf } from '../cursor.ts'
import { first, type Queries } from '../engine.ts'
import {
  change,
  hexOf,
  insert,
  integerOf,
  nullable,
  octetsOf,
  query,
  type Row,
  type StepSink,
  storableText,
  textOf,
  wordOf,
} from '../sql.ts'

export const insertDevice = insert('device', {
  id: 'bytes',
  model: 'text',
  serial_number: 'text',
  state: 'text',
  batch_id: 'bytes',
  created_at: 'integer',
  state_changed_at: 'integer',
  labels: 'text',
})

/** Where the state stands among the values of `insertDevice`. */
export const DEVICE_STATE = 3

export function putDevice(device: Device, out: StepSink): void {
  out
    .begin(insertDevice)
    .hex(device.id)
    .text(device.model)
    .text(device.serialNumber)
    .text(device.state)
    .hex(device.batch)
    .integer(device.createdAt)
    .integer(device.stateChangedAt)
    .text(JSON.stringify(device.labels))
}

export const updateDeviceState = change(
  'device',
  'UPDATE device SET state = ?, state_changed_at = ? WHERE id = ? AND state = ?',
)

export function moveDevice(id: DeviceId, from: DeviceState, to: DeviceState, at: UnixSeconds, out: StepSink): void {
  out.begin(updateDeviceState).text(to).integer(at).hex(id).text(from)
}

const COLUMNS = 'id, model, serial_number, state, batch_id, created_at, state_changed_at, labels'
const BY_ID = query(`SELECT ${COLUMNS} FROM device WHERE id = ?`)
const BY_SERIAL_NUMBER = query(`SELECT ${COLUMNS} FROM device WHERE model = ? AND serial_number = ?`)
const OF_ANY_MODEL = query(
  `WITH RECURSIVE models(model) AS (
      SELECT MIN(model) FROM device
      UNION ALL
      SELECT (SELECT MIN(next.model) FROM device AS next WHERE next.model > models.model)
        FROM models WHERE models.model IS NOT NULL)
    SELECT ${COLUMNS.replaceAll(/(\w+)/g, 'device.$1')} FROM models CROSS JOIN device
    WHERE device.model = models.model AND device.serial_number = ? ORDER BY device.model LIMIT 100`,
)
const AMONG = query(`SELECT ${COLUMNS} FROM device WHERE model = ? AND serial_number IN {textList}`)
const ANY_BETWEEN = query('SELECT 1 AS found FROM device WHERE model = ? AND serial_number BETWEEN ? AND ? LIMIT 1')

export async function readDevice(queries: Queries, id: DeviceId): Promise<Device | undefined> {
  const octets = octetsOf(id)
  return octets && optional(await first(queries, BY_ID, [octets]))
}

export async function readDeviceBySerial(queries: Queries, model: string, serial: string): Promise<Device | undefined> {
  if (storableText(serial) === undefined || storableText(model) === undefined) return undefined
  return optional(await first(queries, BY_SERIAL_NUMBER, [model, serial]))
}

export async function readDevicesBySerial(queries: Queries, serial: string): Promise<Device[]> {
  if (storableText(serial) === undefined) return []
  return (await queries.all(OF_ANY_MODEL, [serial])).map(deviceOf)
}

const SKETCHES = query(
  `SELECT device.id, device.model, device.serial_number, device.state, owner.value AS owner, health.at AS last_seen_at
    FROM {bytesList} AS asked
    CROSS JOIN device
    LEFT JOIN device_property AS owner ON owner.device_id = device.id AND owner.name = 'owner'
    LEFT JOIN device_health AS health ON health.device_id = device.id
    WHERE device.id = asked.item`,
)

export async function readDeviceSketches(queries: Queries, ids: readonly DeviceId[]): Promise<DeviceSketch[]> {
  const asked = ids.filter(id => octetsOf(id) !== undefined)
  if (asked.length === 0) return []
  return (await queries.all(SKETCHES, [JSON.stringify(asked)])).map(row => ({
    id: deviceId(hexOf(row, 'id')),
    model: textOf(row, 'model'),
    serialNumber: textOf(row, 'serial_number'),
    state: wordOf<DeviceState>(row, 'state'),
    owner: nullable(textOf, row, 'owner'),
    lastSeenAt: nullable(integerOf, row, 'last_seen_at'),
  }))
}

export async function readDevicesAmong(queries: Queries, model: string, serials: readonly string[]): Promise<Device[]> {
  const asked = serials.filter(serial => storableText(serial) !== undefined)
  if (asked.length === 0 || storableText(model) === undefined) return []
  // A batch numbers its units in a row, and most often none of them is known: one look says so.
  const range = rangeOf(asked)
  if (range !== undefined && (await first(queries, ANY_BETWEEN, [model, ...range])) === undefined) return []
  return (await queries.all(AMONG, [model, JSON.stringify(asked)])).map(deviceOf)
}

/** The lowest and the highest, where JavaScript orders them as the engines do: by octets. */
function rangeOf(serials: readonly string[]): readonly [string, string] | undefined {
  let low = serials[0]!
  let high = low
  for (const serial of serials) {
    if (SURROGATE.test(serial)) return undefined
    if (serial < low) low = serial
    else if (serial > high) high = serial
  }
  return [low, high]
}

const SURROGATE = /[\ud800-\udfff]/

const PAGES = {
  all: query(`SELECT ${COLUMNS} FROM device WHERE id > ? ORDER BY id LIMIT ?`),
  newestFirst: query(`SELECT ${COLUMNS} FROM device WHERE id < ? ORDER BY id DESC LIMIT ?`),
  ofBatch: query(`SELECT ${COLUMNS} FROM device WHERE batch_id = ? AND id > ? ORDER BY id LIMIT ?`),
  ofModel: query(`SELECT ${COLUMNS} FROM device WHERE model = ? AND serial_number > ? ORDER BY serial_number LIMIT ?`),
  ofBoth: query(`SELECT ${COLUMNS} FROM device WHERE batch_id = ? AND model = ? AND id > ? ORDER BY id LIMIT ?`),
}
const NOTHING: Page<Device> = { items: [], next: null }
/** Behind every id. */
const LAST_ID = new Uint8Array(17).fill(0xff)

// Models are few: the list hops from one to the next, and looks at a stretch of each. Values: start of the models, prefix and end of the serial
// numbers, place, limit.
const BEGINNING = query(
  `WITH RECURSIVE models(model) AS (
      SELECT MIN(model) FROM device WHERE model >= ?
      UNION ALL
      SELECT (SELECT MIN(next.model) FROM device AS next WHERE next.model > models.model)
        FROM models WHERE models.model IS NOT NULL)
    SELECT ${COLUMNS.replaceAll(/(\w+)/g, 'device.$1')} FROM models CROSS JOIN device
    WHERE device.model = models.model AND device.serial_number >= ? AND device.serial_number < ?
      AND (device.model, device.serial_number) > (?, ?)
    ORDER BY device.model, device.serial_number LIMIT ?`,
)
const BEGINNING_OF_MODEL = query(
  `SELECT ${COLUMNS} FROM device WHERE model = ? AND serial_number >= ? AND serial_number < ? AND serial_number > ?
    ORDER BY serial_number LIMIT ?`,
)

export async function readDevicesBeginning(
  queries: Queries,
  prefix: string,
  { after, limit, model }: { after?: string; limit: number; model?: string },
): Promise<Page<Device>> {
  if (storableText(prefix) === undefined || storableText(model ?? '') === undefined) return NOTHING
  const end = `${prefix}${BEHIND_EVERY_TEXT}`
  const [fromModel, fromSerial] = placesOf('beginning', ['text', 'text'], after) as readonly [string, string]
  const rows =
    model === undefined
      ? await queries.all(BEGINNING, [fromModel, prefix, end, fromModel, fromSerial, limit])
      : await queries.all(BEGINNING_OF_MODEL, [model, prefix, end, fromSerial, limit])
  const items = rows.map(deviceOf)
  const last = items.at(-1)
  if (last === undefined || items.length < limit) return { items, next: null }
  return { items, next: cursorOf('beginning', [last.model, last.serialNumber]) }
}

/** Sorts behind every character that a serial number can go on with. */
const BEHIND_EVERY_TEXT = '\u{10ffff}'

export async function readDevices(
  queries: Queries,
  page: { after?: string; limit: number; model?: string; batch?: BatchId; newestFirst?: boolean },
): Promise<Page<Device>> {
  const { model, limit } = page
  if (model !== undefined && storableText(model) === undefined) return NOTHING
  const cursor = page.after ?? ''
  if (page.batch === undefined && model !== undefined) {
    return pageOf(await queries.all(PAGES.ofModel, [model, storableText(cursor) ?? '', limit]), limit, 'serialNumber')
  }
  if (page.batch === undefined && page.newestFirst) {
    const before = octetsOf(cursor) ?? LAST_ID
    return pageOf(await queries.all(PAGES.newestFirst, [before, limit]), limit, 'id')
  }
  const after = octetsOf(cursor) ?? new Uint8Array(0)
  if (page.batch === undefined) return pageOf(await queries.all(PAGES.all, [after, limit]), limit, 'id')
  const batch = octetsOf(page.batch)
  if (batch === undefined) return NOTHING
  const rows =
    model === undefined
      ? await queries.all(PAGES.ofBatch, [batch, after, limit])
      : await queries.all(PAGES.ofBoth, [batch, model, after, limit])
  return pageOf(rows, limit, 'id')
}

function pageOf(rows: readonly Row[], limit: number, cursor: 'id' | 'serialNumber'): Page<Device> {
  const items = rows.map(deviceOf)
  const last = items.at(-1)
  return { items, next: last === undefined || items.length < limit ? null : last[cursor] }
}

const optional = (row: Row | undefined) => row && deviceOf(row)

function deviceOf(row: Row): Device {
  return {
    id: deviceId(hexOf(row, 'id')),
    model: textOf(row, 'model'),
    serialNumber: textOf(row, 'serial_number'),
    state: wordOf<DeviceState>(row, 'state'),
    batch: nullable((r, c) => batchId(hexOf(r, c)), row, 'batch_id'),
    createdAt: integerOf(row, 'created_at'),
    stateChangedAt: integerOf(row, 'state_changed_at'),
    labels: JSON.parse(textOf(row, 'labels')) as Record<string, string>,
  }
}
