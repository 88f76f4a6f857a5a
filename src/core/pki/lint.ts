// What RFC 5280 demands of a certificate, asked before a CA signs it: nothing that was not linted can be signed. Rules and
// their codes stand in `lint/rules.ts`; no finding means no objection.
import { DerError } from '../asn1/der-error.ts'
import { type Certificate, type CertificateFields, parseTbsCertificate } from './certificate.ts'
import { findExtension } from './extension.ts'
import { parseBasicConstraints } from './extensions.ts'
import { lintEncoding } from './lint/encoding.ts'
import { lintExtensions } from './lint/extensions.ts'
import { lintName } from './lint/names.ts'
import { lintRoles } from './lint/roles.ts'
import { collectFindings, type LintCode, type LintFinding } from './lint/rules.ts'
import { OID } from './oids.ts'

export type { LintCode, LintFinding } from './lint/rules.ts'

export interface LintContext {
  /** The certificate of the CA that is to sign; absent for a self-signed one. */
  readonly issuer?: Certificate | undefined
  /** What the profile means to issue; absent: what basicConstraints says. */
  readonly kind?: 'ca' | 'end-entity' | undefined
}

/** Lints the octets that are about to be signed. Never throws for what they say: octets that cannot be read are a finding. */
export function lintTbsCertificate(tbs: Uint8Array, context: LintContext = {}): LintFinding[] {
  const findings: LintFinding[] = []
  const report = collectFindings(findings)
  let walked = false
  try {
    lintEncoding(tbs, report)
    walked = true
    lintFields(parseTbsCertificate(tbs), context, findings)
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    // Some of what the walk has named already, the parser refuses: saying it twice helps nobody.
    if (!walked || !findings.some(({ code }) => PARSER_REFUSES.has(code))) report('lint.malformed', error.message)
  }
  return findings
}

const PARSER_REFUSES: ReadonlySet<LintCode> = new Set([
  'lint.version_not_3',
  'lint.serial_not_positive',
  'lint.extension_duplicate',
])

/** Lints a certificate, or the fields of one to be, that was parsed before. */
export function lintCertificateFields(fields: CertificateFields, context: LintContext = {}): LintFinding[] {
  const findings: LintFinding[] = []
  lintEncoding(fields.tbs, collectFindings(findings))
  lintFields(fields, context, findings)
  return findings
}

function lintFields(fields: CertificateFields, context: LintContext, findings: LintFinding[]): void {
  const report = collectFindings(findings)
  lintName(fields.subject, report)
  const seen = lintExtensions(fields.extensions, claimsCA(fields), report)
  lintRoles(fields, seen, context, report)
}

/** Whether basicConstraints has cA; a value that cannot be read says no, and is a finding by itself. */
function claimsCA(fields: CertificateFields): boolean {
  const constraints = findExtension(fields.extensions, OID.basicConstraints)
  try {
    return constraints !== undefined && parseBasicConstraints(constraints.value).cA
  } catch {
    return false
  }
}
