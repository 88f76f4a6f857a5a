// A device leaves the factory: from now on who holds it is no longer the maker. Nothing else changes; its first own request makes it active.
import type { DeviceId } from '../ids.ts'
import {
  actOnDevice,
  addDeviceMove,
  type DeviceActBy,
  type DeviceActOutcome,
  type DeviceActPorts,
  moveNotAllowed,
} from './device-act.ts'

/**
 * Ships the device; one that is shipped already stays as it is. Throws `device.not_found`, `device.move_not_allowed`,
 * `device.because_invalid`, `device.contended`.
 */
export function shipDevice(id: DeviceId, by: DeviceActBy, ports: DeviceActPorts): Promise<DeviceActOutcome> {
  return actOnDevice(
    id,
    async ({ device }, change, now) => {
      // Back to where it was before a suspension is for its end to say.
      if (device.state === 'suspended') throw moveNotAllowed(device, 'shipped')
      return { device: device.state === 'shipped' ? device : addDeviceMove(change, device, 'shipped', by, now) }
    },
    ports,
  )
}
