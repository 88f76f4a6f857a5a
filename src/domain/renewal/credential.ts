// What a device holds under one profile: its current certificate, when that is to be renewed, what was asked of it, and the certificate
// before it for as long as that one is still good. One row for each device and profile whose certificates end: birth certificates that
// never expire have none.
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { AuthorityId, CampaignId, DeviceId, KeyId, SerialNumber, UnixSeconds } from '../ids.ts'

/** Why a credential is to be renewed; `scheduled` is the course of its life, each other one is an order. */
export type RenewalReason =
  | 'scheduled'
  /** A campaign moves it to another key, algorithm, profile or authority. */
  | 'campaign'
  | 'operator'
  | 'firmware_changed'
  | 'configuration_changed'
  | 'health_reported'
  /** Its key algorithm is past its date. */
  | 'algorithm_ended'
  /** The device changed hands, and its new owner wants a key that the old one never saw. */
  | 'ownership_transferred'

/** An order to renew before the time, and what shall be true afterwards. Absent wishes mean: as it is. */
export interface RenewalOrder {
  readonly reason: Exclude<RenewalReason, 'scheduled'>
  readonly at: UnixSeconds
  /** The device should have renewed by then. */
  readonly until: UnixSeconds
  readonly newKey: boolean
  readonly keyAlgorithm: KeyAlgorithmName | null
  /** The profile that the device renews into. */
  readonly profile: string | null
  readonly authorityId: AuthorityId | null
  readonly campaignId: CampaignId | null
}

/** An order as it stands on a credential, with the window that it took the place of: that is the window again when it is withdrawn. */
export interface StandingOrder extends RenewalOrder {
  readonly scheduled: { readonly windowStart: UnixSeconds; readonly windowEnd: UnixSeconds }
}

export interface Credential {
  readonly deviceId: DeviceId
  readonly profile: string
  readonly authorityId: AuthorityId
  readonly serialNumber: SerialNumber
  readonly keyId: KeyId
  readonly keyAlgorithm: KeyAlgorithmName
  readonly notBefore: UnixSeconds
  readonly notAfter: UnixSeconds
  /** When the device is to renew (as RFC 9773 §4.2 has it); the window counts in the renewal plan at its start. */
  readonly windowStart: UnixSeconds
  readonly windowEnd: UnixSeconds
  /** When the current certificate was first seen in use; `null` until then. */
  readonly seenAt: UnixSeconds | null
  /** The certificate before, until the current one was seen: who lost the answer still has this one. */
  readonly previous: { readonly authorityId: AuthorityId; readonly serialNumber: SerialNumber } | null
  /** When `previous` is revoked even if the current one was never seen; `null` where it is not, or ended already. */
  readonly retireAt: UnixSeconds | null
  readonly order: StandingOrder | null
  /** Refused attempts to renew since the current certificate was issued; of those within one minute, one. */
  readonly failures: number
  readonly lastFailure: { readonly code: string; readonly at: UnixSeconds } | null
  /** Grows with each change of the row; 1 at first. */
  readonly revision: number
}

/** Counts of the renewal plan: how many credentials of a profile have their window open, or their last day, in a bucket of time. */
export type PlanMeasure = 'window' | 'expiry'

export interface PlannedBucket {
  /** First second of the bucket. */
  readonly start: UnixSeconds
  readonly planned: number
}
