// What a suspension took from a device, so that its end gives back exactly that: a certificate that was on hold before, for a reason of its
// own, stays on hold, and a device that never left the factory does not come back as one in the field.
import type { AuthorityId, DeviceId, KeyId, SerialNumber, UnixSeconds } from '../ids.ts'
import type { DeviceState } from './device.ts'
import type { KeyState } from './device-key.ts'

export interface Suspension {
  readonly deviceId: DeviceId
  readonly at: UnixSeconds
  /** Where the device goes back to. */
  readonly from: Extract<DeviceState, 'manufactured' | 'shipped' | 'active'>
  /** The certificates that it put on hold, each with the time that its hold began. */
  readonly certificates: readonly {
    readonly authorityId: AuthorityId
    readonly serialNumber: SerialNumber
    readonly heldAt: UnixSeconds
  }[]
  /** The keys that it suspended, each with the state before. */
  readonly keys: readonly { readonly id: KeyId; readonly from: KeyState }[]
}
