// Lint of what a certificate says it is: CA or end entity, for which key and which purpose, below which issuer. The rules that
// span several extensions and the certificate of the issuer (RFC 5280 §4.1.2.6, §4.2.1.1 to §4.2.1.3, §4.2.1.9, §4.2.1.12).
import { equalBytes } from '../../bytes/bytes.ts'
import type { Certificate, CertificateFields } from '../certificate.ts'
import { findExtension } from '../extension.ts'
import { type KeyUsageBit, parseBasicConstraints, parseSubjectKeyIdentifier } from '../extensions.ts'
import { OID } from '../oids.ts'
import type { SeenExtensions } from './extensions.ts'
import type { Report } from './rules.ts'

const ENCIPHERMENT: readonly KeyUsageBit[] = ['keyEncipherment', 'dataEncipherment']
const NOT_SIGNING: readonly KeyUsageBit[] = [...ENCIPHERMENT, 'keyAgreement', 'encipherOnly', 'decipherOnly']
const NOT_AGREEMENT: readonly KeyUsageBit[] = [
  ...ENCIPHERMENT,
  'digitalSignature',
  'contentCommitment',
  'keyCertSign',
  'cRLSign',
]

/** Bits that a kind of key must not have, by the OID of the key. */
const FORBIDDEN_BITS = new Map<string, { readonly bits: readonly KeyUsageBit[]; readonly source: string }>([
  ['1.2.840.10045.2.1', { bits: ENCIPHERMENT, source: 'RFC 8813 3' }],
  ['1.2.840.113549.1.1.10', { bits: NOT_SIGNING, source: 'RFC 4055 1.2' }],
  ['1.3.101.112', { bits: NOT_SIGNING, source: 'RFC 9295 3' }],
  ['1.3.101.113', { bits: NOT_SIGNING, source: 'RFC 9295 3' }],
  ['1.3.101.110', { bits: NOT_AGREEMENT, source: 'RFC 9295 3' }],
  ['1.3.101.111', { bits: NOT_AGREEMENT, source: 'RFC 9295 3' }],
  ['2.16.840.1.101.3.4.3.17', { bits: NOT_SIGNING, source: 'RFC 9881 5' }],
  ['2.16.840.1.101.3.4.3.18', { bits: NOT_SIGNING, source: 'RFC 9881 5' }],
  ['2.16.840.1.101.3.4.3.19', { bits: NOT_SIGNING, source: 'RFC 9881 5' }],
])

/** Bits one of which a purpose needs where keyUsage is present (RFC 5280 §4.2.1.12). */
const BITS_FOR_PURPOSE = new Map<string, readonly KeyUsageBit[]>([
  [OID.serverAuth, ['digitalSignature', 'keyEncipherment', 'keyAgreement']],
  [OID.clientAuth, ['digitalSignature', 'keyAgreement']],
  [OID.codeSigning, ['digitalSignature']],
  [OID.emailProtection, ['digitalSignature', 'contentCommitment', 'keyEncipherment', 'keyAgreement']],
  [OID.timeStamping, ['digitalSignature', 'contentCommitment']],
  [OID.ocspSigning, ['digitalSignature', 'contentCommitment']],
])

export interface RoleContext {
  readonly issuer?: Certificate | undefined
  readonly kind?: 'ca' | 'end-entity' | undefined
}

export function lintRoles(fields: CertificateFields, seen: SeenExtensions, context: RoleContext, report: Report): void {
  const isCA = seen.basicConstraints?.cA === true
  const selfIssued = equalBytes(fields.subject.raw, fields.issuer.raw)
  if (fields.issuer.rdns.length === 0) report('lint.issuer_empty')
  if (fields.subject.rdns.length === 0) {
    if (isCA) report('lint.subject_empty_ca')
    if (seen.subjectAltName?.critical !== true) report('lint.subject_empty_without_san')
  }
  if (context.kind === 'ca' && !isCA) report('lint.basic_constraints_missing')
  if (context.kind === 'end-entity' && isCA) report('lint.kind_mismatch', 'cA is set')
  if (isCA) lintCA(fields, seen, report)
  else if (seen.keyUsage?.includes('keyCertSign')) report('lint.key_usage_cert_sign_without_ca')
  lintPathLength(seen, report)
  lintKeyUsage(fields, seen, report)
  // Only a self-signed certificate may go without: its key is its issuer's (§4.2.1.1). Whether it is one shows in the context.
  if (seen.authorityKeyIdentifier?.keyIdentifier === undefined && !(selfIssued && context.issuer === undefined)) {
    report('lint.authority_key_identifier_missing')
  }
  if (context.issuer) lintIssuer(fields, seen, context.issuer, isCA && !selfIssued, report)
}

/** §4.2.1.2, §4.2.1.3, §4.2.1.9. */
function lintCA(fields: CertificateFields, seen: SeenExtensions, report: Report): void {
  if (seen.subjectKeyIdentifier === undefined) report('lint.subject_key_identifier_missing')
  if (seen.keyUsage === undefined) report('lint.key_usage_missing')
  const signs = seen.keyUsage === undefined || seen.keyUsage.includes('keyCertSign')
  if (signs && findExtension(fields.extensions, OID.basicConstraints)?.critical !== true) {
    report('lint.extension_must_be_critical', 'basicConstraints', 'RFC 5280 4.2.1.9')
  }
}

function lintPathLength({ basicConstraints, keyUsage }: SeenExtensions, report: Report): void {
  if (basicConstraints?.pathLenConstraint === undefined) return
  if (!basicConstraints.cA || keyUsage?.includes('keyCertSign') === false) report('lint.path_length_without_ca')
}

function lintKeyUsage(fields: CertificateFields, seen: SeenExtensions, report: Report): void {
  const { keyUsage, extendedKeyUsage, basicConstraints } = seen
  if (keyUsage === undefined) return
  const lonely = keyUsage.includes('encipherOnly') || keyUsage.includes('decipherOnly')
  if (lonely && !keyUsage.includes('keyAgreement')) report('lint.key_usage_only_without_agreement')
  const forbidden = FORBIDDEN_BITS.get(fields.subjectPublicKeyInfo.algorithm.oid)
  if (forbidden) {
    for (const bit of keyUsage)
      if (forbidden.bits.includes(bit)) report('lint.key_usage_for_key', bit, forbidden.source)
  }
  // In the certificate of a CA, purposes limit what it issues; its own key signs certificates.
  if (basicConstraints?.cA) return
  for (const purpose of extendedKeyUsage ?? []) {
    const wanted = BITS_FOR_PURPOSE.get(purpose)
    if (wanted && !wanted.some(bit => keyUsage.includes(bit))) report('lint.key_usage_for_purpose', purpose)
  }
}

/** The certificate against that of the CA that is to sign: names and key identifiers chain, the path length has room. */
function lintIssuer(
  fields: CertificateFields,
  seen: SeenExtensions,
  issuer: Certificate,
  isSubCA: boolean,
  report: Report,
): void {
  if (!equalBytes(fields.issuer.raw, issuer.subject.raw)) report('lint.issuer_mismatch')
  const identifier = findExtension(issuer.extensions, OID.subjectKeyIdentifier)
  const claimed = seen.authorityKeyIdentifier?.keyIdentifier
  if (identifier && claimed && !equalBytes(claimed, parseSubjectKeyIdentifier(identifier.value))) {
    report('lint.authority_key_identifier_mismatch')
  }
  const constraints = findExtension(issuer.extensions, OID.basicConstraints)
  const { cA, pathLenConstraint } = constraints ? parseBasicConstraints(constraints.value) : { cA: false }
  if (!cA) report('lint.issuer_not_ca')
  if (isSubCA && pathLenConstraint === 0) report('lint.issuer_path_length')
}
