// What can be wrong with a certification path (RFC 5280 §6), as values with stable codes: a stranger's certificate that breaks a rule
// is an expected outcome.
import type { Evidence } from '../../errors.ts'
import type { Certificate } from '../certificate.ts'

export type PathErrorCode =
  | 'path.no_issuer'
  | 'path.signature_invalid'
  | 'path.budget_exhausted'
  | 'path.too_many_certificates'
  | 'path.too_long'
  | 'path.leaf_expired'
  | 'path.leaf_not_yet_valid'
  | 'path.issuer_expired'
  | 'path.issuer_not_yet_valid'
  | 'path.not_a_ca'
  | 'path.key_usage'
  | 'path.length_exceeded'
  | 'path.extended_key_usage'
  | 'path.name_excluded'
  | 'path.name_not_permitted'
  | 'path.name_constraint_unsupported'
  | 'path.critical_extension_unknown'
  | 'path.extension_malformed'
  | 'path.policy_required'
  | 'path.policy_mapping_invalid'
  | 'path.revoked'
  | 'path.held'
  | 'path.revocation_unknown'

/** Why no CRL at hand tells the status of a certificate. */
export type CrlProblemCode =
  | 'crl.none'
  | 'crl.expired'
  | 'crl.not_yet_valid'
  | 'crl.no_next_update'
  | 'crl.scope_mismatch'
  | 'crl.delta_without_base'
  | 'crl.extension_unknown'
  | 'crl.malformed'
  | 'crl.number_invalid'
  | 'crl.issuer_untrusted'
  | 'crl.signature_invalid'
  | 'crl.reasons_incomplete'
  | 'crl.budget_exhausted'

export interface PathProblem {
  readonly code: PathErrorCode
  readonly message: string
  readonly evidence: Evidence
  /** Which one it is about. */
  readonly certificate: Certificate
}

/** A problem of this certificate; the evidence begins with its serial number. */
export function problem(
  code: PathErrorCode,
  message: string,
  certificate: Certificate,
  evidence: Evidence = {},
): PathProblem {
  return { code, message, evidence: { serialNumber: certificate.serialNumber, ...evidence }, certificate }
}
