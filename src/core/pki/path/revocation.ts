// Revocation as path validation asks for it (RFC 5280 §6.3): what the caller brings (CRLs, an answer from elsewhere such as OCSP), and what
// is found out for each certificate. Nothing is fetched here.
import type { Certificate } from '../certificate.ts'
import type { CertificateList } from '../crl.ts'
import type { CrlReason } from '../crl-reason.ts'

/** One certificate of a path and the one above it, whose key signed it. */
export interface RevocationQuestion {
  readonly certificate: Certificate
  readonly issuer: Certificate
  /** Whole seconds since 1970. */
  readonly at: number
}

export type RevocationStatus =
  /** `until`: when what says so ends. */
  | { readonly kind: 'good'; readonly source: RevocationEvidence; readonly until: number | undefined }
  /** A hold (`certificateHold`) is a revocation that can end. */
  | {
      readonly kind: 'revoked'
      readonly source: RevocationEvidence
      readonly reason: CrlReason
      /** Whole seconds since 1970. */
      readonly revokedAt: number
      readonly invalidityDate: number | undefined
    }
  /** `code` says why it could not be found out: `crl.*` here, `ocsp.*` and others from whoever was asked. */
  | { readonly kind: 'unknown'; readonly code: string; readonly message: string }

export type RevocationEvidence = 'crl' | 'ocsp' | 'other'

export interface RevocationSource {
  /** In any order, with strangers among them: complete, delta, indirect. */
  readonly crls: readonly CertificateList[]
  /** Of CRL issuers, where they are neither in the path nor among the intermediates. */
  readonly certificates?: readonly Certificate[] | undefined
  /**
   * Asked before the CRLs, for each certificate below the anchor: OCSP responses, a status artefact, a registry. Must not throw. `undefined`
   * and `unknown` leave the answer to the CRLs, and `good` holds where no CRL says revoked.
   */
  readonly ask?: ((question: RevocationQuestion) => RevocationStatus | undefined) | undefined
  /** Whether a certificate whose status cannot be found out spoils the path; otherwise its step says `unknown`, and no more. */
  readonly required: boolean
}
