// Which devices are meant: every condition that is there must hold. The same question serves lists, saved groups and campaigns.
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { AuthorityId, BatchId, DeviceId, UnixSeconds } from '../ids.ts'
import type { DeviceState } from './device.ts'

export interface DeviceQuery {
  readonly states?: readonly DeviceState[]
  readonly model?: string
  readonly batch?: BatchId
  readonly owner?: string
  readonly site?: string
  /** Label name to value. */
  readonly labels?: Readonly<Record<string, string>>
  /** Conditions on a credential; all of them on the same one. */
  readonly profile?: string
  readonly authority?: AuthorityId
  readonly keyAlgorithm?: KeyAlgorithmName
  readonly expiresBefore?: UnixSeconds
  /** As the device reported it. */
  readonly firmware?: string
  readonly seenAfter?: UnixSeconds
  /** Not seen since; devices that never reported count as never seen. */
  readonly notSeenAfter?: UnixSeconds
}

/** A device that the query means; with the credential that the query named, where it has conditions on one. */
export interface SelectedDevice {
  readonly deviceId: DeviceId
  readonly state: DeviceState
  readonly credential: {
    readonly profile: string
    readonly authorityId: AuthorityId
    readonly keyAlgorithm: KeyAlgorithmName
    readonly notAfter: UnixSeconds
  } | null
  readonly lastSeenAt: UnixSeconds | null
}

/** What a preview tells of a device. */
export interface DeviceSketch {
  readonly id: DeviceId
  readonly model: string
  readonly serialNumber: string
  readonly state: DeviceState
  readonly owner: string | null
  readonly lastSeenAt: UnixSeconds | null
}
