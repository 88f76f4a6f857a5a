// What a device last said of itself. It is telemetry and no evidence: it stands in the store and not in the audit log, except where it
// gives two copies of one device away.
import type { DeviceId, UnixSeconds } from '../ids.ts'

export interface DeviceHealth {
  readonly deviceId: DeviceId
  /** When it came, by our clock. */
  readonly at: UnixSeconds
  /** Counts the reports of the device, by the device; two copies of one device give the same number twice. */
  readonly sequence: number
  /** The device's clock minus ours, in seconds. */
  readonly clockSkewSeconds: number
  readonly firmware: string | null
  /** Name of the configuration that it runs, where it tells. */
  readonly configuration: string | null
  readonly agentVersion: string | null
  /** Code of what last went wrong for it. */
  readonly lastError: string | null
}
