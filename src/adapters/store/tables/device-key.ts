// Public keys of devices. The primary key lies in order of the device; the unique index over the key id is the only random one.
import type { KeyAlgorithmName } from '../../../crypto/algorithms.ts'
import type { DeviceKey, KeyOrigin, KeyState } from '../../../domain/device/device-key.ts'
import { type DeviceId, deviceId, type KeyId, keyId, type UnixSeconds } from '../../../domain/ids.ts'
import { first, type Queries } from '../engine.ts'
import { bytesOf, change, hexOf, insert, integerOf, octetsOf, query, type Row, type StepSink, wordOf } from '../sql.ts'

export const insertKey = insert('device_key', {
  device_id: 'bytes',
  id: 'bytes',
  algorithm: 'text',
  origin: 'text',
  state: 'text',
  created_at: 'integer',
  state_changed_at: 'integer',
})

export function putKey(key: DeviceKey, out: StepSink): void {
  out
    .begin(insertKey)
    .hex(key.deviceId)
    .hex(key.id)
    .text(key.algorithm)
    .text(key.origin)
    .text(key.state)
    .integer(key.createdAt)
    .integer(key.stateChangedAt)
}

export const updateKeyState = change(
  'device_key',
  'UPDATE device_key SET state = ?, state_changed_at = ? WHERE id = ? AND state = ?',
)

export function moveKey(id: KeyId, from: KeyState, to: KeyState, at: UnixSeconds, out: StepSink): void {
  out.begin(updateKeyState).text(to).integer(at).hex(id).text(from)
}

const COLUMNS = 'device_id, id, algorithm, origin, state, created_at, state_changed_at'
const BY_ID = query(`SELECT ${COLUMNS} FROM device_key WHERE id = ?`)
const OF_DEVICE = query(`SELECT ${COLUMNS} FROM device_key WHERE device_id = ?`)
const OF_DEVICES = query(`SELECT ${COLUMNS} FROM device_key WHERE device_id IN {bytesList}`)
const AMONG = query(`SELECT ${COLUMNS} FROM device_key WHERE id IN {bytesList}`)

export async function readKey(queries: Queries, id: KeyId): Promise<DeviceKey | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, BY_ID, [octets]))
  return row && keyOf(row)
}

export async function readKeysOfDevice(queries: Queries, id: DeviceId): Promise<DeviceKey[]> {
  const octets = octetsOf(id)
  if (octets === undefined) return []
  const keys = (await queries.all(OF_DEVICE, [octets])).map(keyOf)
  return keys.sort((a, b) => a.createdAt - b.createdAt)
}

export async function readKeysOfDevices(queries: Queries, ids: readonly DeviceId[]): Promise<DeviceKey[]> {
  const asked = ids.filter(id => octetsOf(id) !== undefined)
  return asked.length === 0 ? [] : (await queries.all(OF_DEVICES, [JSON.stringify(asked)])).map(keyOf)
}

export async function readKeysAmong(queries: Queries, ids: readonly KeyId[]): Promise<DeviceKey[]> {
  const asked = ids.filter(id => octetsOf(id) !== undefined)
  return asked.length === 0 ? [] : (await queries.all(AMONG, [JSON.stringify(asked)])).map(keyOf)
}

function keyOf(row: Row): DeviceKey {
  return {
    id: keyId(bytesOf(row, 'id')),
    deviceId: deviceId(hexOf(row, 'device_id')),
    algorithm: wordOf<KeyAlgorithmName>(row, 'algorithm'),
    origin: wordOf<KeyOrigin>(row, 'origin'),
    state: wordOf<KeyState>(row, 'state'),
    createdAt: integerOf(row, 'created_at'),
    stateChangedAt: integerOf(row, 'state_changed_at'),
  }
}
