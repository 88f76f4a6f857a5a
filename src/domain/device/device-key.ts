// A device's public key: where it came from, how it is held, in which state. The private half never passes through here.
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { DeviceId, KeyId, UnixSeconds } from '../ids.ts'

/** Who made the key: the device itself, the factory station, this server (EST serverkeygen), or somebody before us. */
export type KeyOrigin = 'device' | 'station' | 'server' | 'imported'

/** generated → established → in_use ⇄ suspended → archived | compromised → destroyed. */
export type KeyState = 'generated' | 'established' | 'in_use' | 'suspended' | 'archived' | 'compromised' | 'destroyed'

export interface DeviceKey {
  readonly id: KeyId
  readonly deviceId: DeviceId
  readonly algorithm: KeyAlgorithmName
  readonly origin: KeyOrigin
  readonly state: KeyState
  readonly createdAt: UnixSeconds
  readonly stateChangedAt: UnixSeconds
}

const MOVES: Readonly<Record<KeyState, readonly KeyState[]>> = {
  // A key that was never certified can be lost, and ends with its device.
  generated: ['established', 'archived', 'compromised', 'destroyed'],
  established: ['in_use', 'suspended', 'archived', 'compromised', 'destroyed'],
  in_use: ['suspended', 'archived', 'compromised', 'destroyed'],
  suspended: ['established', 'in_use', 'archived', 'compromised', 'destroyed'],
  archived: ['compromised', 'destroyed'],
  compromised: ['destroyed'],
  destroyed: [],
}

/** Whether the key may move from one state to the other. */
export function mayKeyMove(from: KeyState, to: KeyState): boolean {
  return MOVES[from].includes(to)
}

/** May this key be certified (again)? */
export function mayCertify(state: KeyState): boolean {
  return state === 'generated' || state === 'established' || state === 'in_use'
}
