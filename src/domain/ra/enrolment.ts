// What happened to one enrolment request. A request that comes again (a lost answer, a poll) finds its record and gets the same
// outcome: nothing that was answered is lost, nothing is issued twice.
import type { AuthorityId, DeviceId, RequestDigest, SerialNumber, UnixSeconds } from '../ids.ts'

export type EnrolmentState =
  /** Waits for an operator. */
  | { readonly kind: 'pending' }
  | { readonly kind: 'approved'; readonly by: string; readonly at: UnixSeconds }
  | { readonly kind: 'rejected'; readonly by: string; readonly at: UnixSeconds; readonly reason: string }
  | {
      readonly kind: 'issued'
      readonly authorityId: AuthorityId
      readonly serialNumber: SerialNumber
      readonly at: UnixSeconds
    }

export interface Enrolment {
  readonly digest: RequestDigest
  readonly protocol: string
  readonly profile: string
  readonly deviceId: DeviceId | null
  /** How the device is named by the request, for the person who approves. */
  readonly serialNumberClaimed: string
  readonly rule: string
  readonly csr: Uint8Array
  readonly state: EnrolmentState
  readonly createdAt: UnixSeconds
}
