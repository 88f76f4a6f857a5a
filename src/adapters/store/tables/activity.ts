// What happened by the hour, and how many devices are in each state: counts that the change sets move which they count.
import type { DeviceState } from '../../../domain/device/device.ts'
import type { UnixSeconds } from '../../../domain/ids.ts'
import type { Activity, ActivityMeasure } from '../../../domain/statistics/activity.ts'
import type { Queries } from '../engine.ts'
import { change, integerOf, query, type StepSink, textOf, wordOf } from '../sql.ts'

export const addToActivity = change(
  'activity',
  `INSERT INTO activity (hour, measure, code, amount) VALUES (?, ?, ?, ?)
    ON CONFLICT (hour, measure, code) DO UPDATE SET amount = activity.amount + excluded.amount`,
)

export function putActivity({ hour, measure, code, amount }: Activity, out: StepSink): void {
  out.begin(addToActivity).integer(hour).text(measure).text(code).integer(amount)
}

const ACTIVITY = query(
  'SELECT hour, measure, code, amount FROM activity WHERE hour >= ? AND hour < ? ORDER BY hour, measure, code',
)

export async function readActivity(queries: Queries, from: UnixSeconds, until: UnixSeconds): Promise<Activity[]> {
  const rows = await queries.all(ACTIVITY, [from, until])
  return rows.map(row => ({
    hour: integerOf(row, 'hour'),
    measure: wordOf<ActivityMeasure>(row, 'measure'),
    code: textOf(row, 'code'),
    amount: integerOf(row, 'amount'),
  }))
}

/** Once for a whole group of change sets: a batch brings thousands of devices in one state. Values: state, devices. */
export const ADD_DEVICES = change(
  'device_count',
  `INSERT INTO device_count (state, devices) VALUES (?, ?)
    ON CONFLICT (state) DO UPDATE SET devices = device_count.devices + excluded.devices`,
)

const DEVICE_COUNTS = query('SELECT state, devices FROM device_count WHERE devices > 0')

export async function readDeviceCounts(queries: Queries): Promise<Partial<Record<DeviceState, number>>> {
  const rows = await queries.all(DEVICE_COUNTS, [])
  return Object.fromEntries(rows.map(row => [wordOf<DeviceState>(row, 'state'), integerOf(row, 'devices')]))
}
