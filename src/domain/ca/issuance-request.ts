// What goes into the making of a certificate, and what is known about it from then on.
import type { Extension } from '../../core/pki/extension.ts'
import type { Name } from '../../core/pki/name.ts'
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { AuthorityId, DeviceId, KeyId, SerialNumber, UnixSeconds } from '../ids.ts'
import type { CertificateRecord } from './certificate-record.ts'
import type { Profile } from './profile.ts'
import type { SubjectKey } from './subject-key.ts'

/** What the registration side decided: whom, which key, under which profile, when. */
export interface IssuanceRequest {
  readonly profile: Profile
  /** `null` for certificates of the platform itself. */
  readonly device: {
    readonly id: DeviceId
    readonly model: string
    readonly serialNumber: string
    readonly labels: Readonly<Record<string, string>>
  } | null
  /** `{fields.NAME}` of the profile's templates: what the platform says about a certificate of its own. */
  readonly subjectFields?: Readonly<Record<string, string>>
  /** SubjectPublicKeyInfo DER. */
  readonly spki: Uint8Array
  /** The same key, where it was read before. */
  readonly key?: SubjectKey
  /** What the CSR asks for; the profile says what of it counts. */
  readonly requestedSubject?: Name | undefined
  readonly requestedExtensions?: readonly Extension[] | undefined
  readonly replaces: CertificateRecord['replaces']
  readonly now: UnixSeconds
  /** Which authority, where the profile leaves it open (`*`). */
  readonly authority?: AuthorityId
}

/** What is known about a certificate before it is signed, and stays true after. */
export interface CertificateFacts {
  readonly authorityId: AuthorityId
  readonly serialNumber: SerialNumber
  readonly deviceId: DeviceId | null
  readonly profile: string
  readonly profileVersion: number
  readonly keyId: KeyId
  readonly keyAlgorithm: KeyAlgorithmName
  readonly notBefore: UnixSeconds
  readonly notAfter: UnixSeconds
  readonly crlShard: number
  /** Whether it is the certificate of a CA. */
  readonly isAuthority: boolean
  readonly replaces: CertificateRecord['replaces']
  /** The time of issue. */
  readonly issuedAt: UnixSeconds
}
