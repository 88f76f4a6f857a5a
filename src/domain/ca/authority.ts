// A certification authority of this instance. The key is named by URI and lives in a key store; a record without a loadable key
// (the offline root) can be shown and trusted, and cannot sign.
import type { AuthorityId, UnixSeconds } from '../ids.ts'

export type AuthorityState =
  /** A key exists and a CSR went out; the certificate has not come back. */
  | 'awaiting_certificate'
  | 'active'
  /** Still answers for what it issued (CRL, OCSP); issues nothing new. */
  | 'retired'

export interface Authority {
  readonly id: AuthorityId
  readonly kind: 'root' | 'intermediate' | 'issuing'
  readonly state: AuthorityState
  /** `null` while the certificate is awaited. */
  readonly certificate: Uint8Array | null
  /** The authority of this instance that certified it; itself for a root; `null` where the issuer is outside. */
  readonly issuer: AuthorityId | null
  /** Certificates above the issuer that is outside this instance, leaf side first; empty where `issuer` is set. */
  readonly chainAbove: readonly Uint8Array[]
  readonly keyUri: string
  /** Grows by one with each new key of the same authority name (rollover). */
  readonly generation: number
  /** How many CRLs its certificates are spread over; fixed into each certificate at issue. */
  readonly crlShards: number
  readonly createdAt: UnixSeconds
}
