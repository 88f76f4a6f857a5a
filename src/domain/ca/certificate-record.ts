// A certificate that was issued: the bytes, whose it is, what it replaced, and its status.
import type { CrlReason } from '../../core/pki/crl-reason.ts'
import type { AuthorityId, DeviceId, KeyId, SerialNumber, UnixSeconds } from '../ids.ts'

export type CertificateStatus =
  | { readonly kind: 'good' }
  /** certificateHold: may be released. With `ends`, it becomes a revocation then, for that reason, unless it is released before. */
  | {
      readonly kind: 'held'
      readonly at: UnixSeconds
      readonly invalidityDate: UnixSeconds | null
      readonly ends: HoldEnd | null
    }
  /** `at` is the revocation date of CRLs and OCSP: of what was on hold before, when that began. */
  | {
      readonly kind: 'revoked'
      readonly at: UnixSeconds
      readonly reason: CrlReason
      /** Since when the key is suspect (RFC 5280 §5.3.2), where somebody said. */
      readonly invalidityDate: UnixSeconds | null
    }

/** How a hold that nobody releases ends. */
export interface HoldEnd {
  readonly at: UnixSeconds
  readonly reason: CrlReason
}

export interface CertificateRecord {
  readonly authorityId: AuthorityId
  readonly serialNumber: SerialNumber
  /** `null` for certificates of the platform itself: authorities, servers, OCSP signers, operators. */
  readonly deviceId: DeviceId | null
  readonly keyId: KeyId
  readonly profile: string
  readonly profileVersion: number
  readonly notBefore: UnixSeconds
  readonly notAfter: UnixSeconds
  readonly der: Uint8Array
  readonly status: CertificateStatus
  /** The CRL shard that its distribution point names. */
  readonly crlShard: number
  /** The certificate that this one renews, of the same device: with the same key or a new one, as the key ids tell. */
  readonly replaces: { readonly authorityId: AuthorityId; readonly serialNumber: SerialNumber } | null
  /** Where in the audit log its `certificate.issued` entry stands; set by the store. */
  readonly auditIndex: number
}

/** What a change of status goes by. */
export type StatusRecord = Pick<
  CertificateRecord,
  'authorityId' | 'serialNumber' | 'deviceId' | 'keyId' | 'status' | 'crlShard'
>

/** Time and status together: is this certificate to be relied on at `now`? Validity ends inclusive. */
export function isLive(record: CertificateRecord, now: UnixSeconds): boolean {
  return record.status.kind === 'good' && record.notBefore <= now && now <= record.notAfter
}

/** How an entry names the certificate that another one replaces. */
export function replacedName({ authorityId, serialNumber }: NonNullable<CertificateRecord['replaces']>): string {
  return `${authorityId}/${serialNumber}`
}

/** What a write expects that goes by this status. */
export function expectedStatus(status: CertificateStatus): {
  readonly from: CertificateStatus['kind']
  readonly holdEnds?: UnixSeconds
} {
  const { kind } = status
  return kind === 'held' && status.ends !== null ? { from: kind, holdEnds: status.ends.at } : { from: kind }
}
