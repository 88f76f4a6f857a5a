// A device as the registry knows it: an identity that outlives its keys and certificates.
import type { BatchId, DeviceId, UnixSeconds } from '../ids.ts'

/** manufactured → shipped → active ⇄ suspended → retired → destroyed. */
export const DEVICE_STATES = ['manufactured', 'shipped', 'active', 'suspended', 'retired', 'destroyed'] as const
export type DeviceState = (typeof DEVICE_STATES)[number]

export interface Device {
  readonly id: DeviceId
  /** The maker's model name. A serial number is unique within it. */
  readonly model: string
  /** The maker's serial number as text: what IEEE 802.1AR puts into the subject. */
  readonly serialNumber: string
  readonly state: DeviceState
  readonly batch: BatchId | null
  readonly createdAt: UnixSeconds
  readonly stateChangedAt: UnixSeconds
  /** What its certificates may name it by, as it was registered and as `label:…` was set since: no personal data here. */
  readonly labels: Readonly<Record<string, string>>
}

const MOVES: Readonly<Record<DeviceState, readonly DeviceState[]>> = {
  manufactured: ['shipped', 'active', 'suspended', 'retired'],
  shipped: ['active', 'suspended', 'retired'],
  active: ['suspended', 'retired'],
  suspended: ['manufactured', 'shipped', 'active', 'retired'],
  retired: ['destroyed'],
  destroyed: [],
}

/** Whether the device may move from one state to the other. */
export function mayMove(from: DeviceState, to: DeviceState): boolean {
  return MOVES[from].includes(to)
}

/** May this device be given a certificate at all? Suspended, retired and destroyed ones may not. */
export function mayEnrol(state: DeviceState): boolean {
  switch (state) {
    case 'manufactured':
    case 'shipped':
    case 'active':
      return true
    case 'suspended':
    case 'retired':
    case 'destroyed':
      return false
    default:
      state satisfies never
      // A state that nobody knows lets nobody in.
      return false
  }
}
