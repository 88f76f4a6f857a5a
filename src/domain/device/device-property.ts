// What is said of a device beside its name: owner, site, labels, free attributes. Each is found by its value. What could tell of a person
// is marked so: the audit log holds a salted commitment to it, and erasing value and salt leaves the log whole.
import type { DeviceId } from '../ids.ts'

/** `owner`, `site`, `label:NAME` or `attribute:NAME`. */
export type PropertyName = 'owner' | 'site' | `label:${string}` | `attribute:${string}`

export interface DeviceProperty {
  readonly deviceId: DeviceId
  readonly name: PropertyName
  /** At most 256 characters. */
  readonly value: string
  readonly personal: boolean
  /** What the commitment in the log was made with; `null` where the property is not personal. */
  readonly salt: Uint8Array | null
}
