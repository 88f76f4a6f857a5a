// A device changes hands: from whom to whom, when, and who agreed. A transfer is proposed, accepted by both sides or by a rule, and takes
// effect at its date; its history stays.
import type { DeviceId, TransferId, UnixSeconds } from '../ids.ts'

export type TransferState = 'proposed' | 'accepted' | 'effective' | 'cancelled'

export interface OwnershipTransfer {
  readonly id: TransferId
  readonly deviceId: DeviceId
  /** `null` where nobody owned it before. */
  readonly from: string | null
  readonly to: string
  readonly effectiveAt: UnixSeconds
  /** Whether the device needs a new key for the new owner. */
  readonly newKey: boolean
  readonly state: TransferState
  readonly stateChangedAt: UnixSeconds
  /** Who agreed, and by what: an owner's signature over the statement, or the rule that needs none. */
  readonly agreements: readonly {
    readonly party: 'from' | 'to'
    readonly by: 'signature' | 'rule' | 'operator'
    /** CMS SignedData (detached) in base64; `null` without a signature. */
    readonly signature: string | null
    readonly at: UnixSeconds
  }[]
  readonly createdAt: UnixSeconds
}
