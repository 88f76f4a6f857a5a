// What devices last said of themselves: one row each, replaced by each report.
import type { DeviceHealth } from '../../../domain/device/device-health.ts'
import { type DeviceId, deviceId } from '../../../domain/ids.ts'
import { first, type Queries } from '../engine.ts'
import { change, hexOf, insert, integerOf, nullable, octetsOf, query, type Row, type StepSink, textOf } from '../sql.ts'

const COLUMNS = {
  at: 'integer',
  sequence: 'integer',
  clock_skew_seconds: 'integer',
  firmware: 'text',
  configuration: 'text',
  agent_version: 'text',
  last_error: 'text',
} as const
const NAMES = Object.keys(COLUMNS)

export const insertHealth = insert('device_health', { device_id: 'bytes', ...COLUMNS })
export const updateHealth = change(
  'device_health',
  `UPDATE device_health SET ${NAMES.map(name => `${name} = ?`).join(', ')} WHERE device_id = ? AND sequence = ?`,
)

export function putHealth(health: DeviceHealth, from: number | null, out: StepSink): void {
  if (from === null) {
    out.begin(insertHealth).hex(health.deviceId)
    putColumns(health, out)
  } else {
    out.begin(updateHealth)
    putColumns(health, out)
    out.hex(health.deviceId).integer(from)
  }
}

/** As `COLUMNS` has them. */
function putColumns(health: DeviceHealth, out: StepSink): void {
  out
    .integer(health.at)
    .integer(health.sequence)
    .integer(health.clockSkewSeconds)
    .text(health.firmware)
    .text(health.configuration)
    .text(health.agentVersion)
    .text(health.lastError)
}

const OF_DEVICE = query(`SELECT device_id, ${NAMES.join(', ')} FROM device_health WHERE device_id = ?`)

export async function readHealth(queries: Queries, id: DeviceId): Promise<DeviceHealth | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, OF_DEVICE, [octets]))
  return row && healthOf(row)
}

function healthOf(row: Row): DeviceHealth {
  return {
    deviceId: deviceId(hexOf(row, 'device_id')),
    at: integerOf(row, 'at'),
    sequence: integerOf(row, 'sequence'),
    clockSkewSeconds: integerOf(row, 'clock_skew_seconds'),
    firmware: nullable(textOf, row, 'firmware'),
    configuration: nullable(textOf, row, 'configuration'),
    agentVersion: nullable(textOf, row, 'agent_version'),
    lastError: nullable(textOf, row, 'last_error'),
  }
}
