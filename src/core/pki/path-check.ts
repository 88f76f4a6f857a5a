// What RFC 5280 §6.1.3 to §6.1.5 asks of one complete path, apart from signatures (`path.ts`), policies (`path/policy-graph.ts`) and
// revocation (`path/crl-check.ts`).
import { TouchmarkError } from '../errors.ts'
import type { Certificate } from './certificate.ts'
import { findExtension } from './extension.ts'
import {
  type BasicConstraints,
  type KeyUsageBit,
  parseAuthorityKeyIdentifier,
  parseBasicConstraints,
  parseExtendedKeyUsage,
  parseKeyUsage,
  parseSubjectAltName,
  parseSubjectKeyIdentifier,
} from './extensions.ts'
import type { GeneralName } from './general-name.ts'
import { ATTRIBUTE, namesEqual } from './name.ts'
import {
  formOf,
  type GeneralSubtree,
  matchSubtree,
  type NameConstraints,
  parseNameConstraints,
} from './name-constraints.ts'
import { OID } from './oids.ts'
import { type PathProblem, problem } from './path/path-problem.ts'

/** `ocsp`: to sign OCSP responses as a delegated responder (RFC 6960 §4.2.2.2). */
export type PathPurpose = 'client' | 'server' | 'code' | 'ocsp'

/** A certificate with the extensions that path validation reads, parsed once. */
export interface PathCertificate {
  readonly certificate: Certificate
  /** The first extension that could not be read; it spoils every path with this certificate. */
  readonly malformed: PathProblem | undefined
  readonly basicConstraints: BasicConstraints | undefined
  readonly keyUsage: readonly KeyUsageBit[] | undefined
  readonly extendedKeyUsage: readonly string[] | undefined
  readonly nameConstraints: NameConstraints | undefined
  readonly subjectAltName: readonly GeneralName[]
  readonly authorityKeyIdentifier: Uint8Array | undefined
  readonly subjectKeyIdentifier: Uint8Array | undefined
  readonly selfIssued: boolean
  /** In a complete path, where the key took parameters from above: the whole key (RFC 5280 §6.1.4 (e)). */
  readonly workingKey?: Uint8Array | undefined
}

/** Extensions that are understood here when critical. */
const PROCESSED: ReadonlySet<string> = new Set([
  OID.basicConstraints,
  OID.keyUsage,
  OID.extKeyUsage,
  OID.nameConstraints,
  OID.subjectAltName,
  OID.issuerAltName,
  OID.certificatePolicies,
  OID.policyMappings,
  OID.policyConstraints,
  OID.inhibitAnyPolicy,
  OID.cRLDistributionPoints,
  OID.freshestCRL,
  OID.authorityKeyIdentifier,
  OID.subjectKeyIdentifier,
])

/** Comparisons of one name with one subtree in one search: 1024 names against 256 subtrees, which no honest path needs. */
const MAX_COMPARISONS = 262_144

/** What comparing names may cost; one for all the paths that one search looks at. */
export interface ComparisonBudget {
  comparisons: number
}

export function comparisonBudget(): ComparisonBudget {
  return { comparisons: MAX_COMPARISONS }
}

const PURPOSES = {
  client: { oid: OID.clientAuth, words: 'as a TLS client' },
  server: { oid: OID.serverAuth, words: 'as a TLS server' },
  code: { oid: OID.codeSigning, words: 'for signing code' },
  ocsp: { oid: OID.ocspSigning, words: 'for signing OCSP responses' },
} as const satisfies Record<PathPurpose, { readonly oid: string; readonly words: string }>

export function readPathCertificate(certificate: Certificate): PathCertificate {
  let malformed: PathProblem | undefined
  const read = <T>(oid: string, parse: (value: Uint8Array) => T): T | undefined => {
    const found = findExtension(certificate.extensions, oid)
    if (found === undefined) return undefined
    try {
      return parse(found.value)
    } catch (error) {
      if (!(error instanceof TouchmarkError)) throw error
      malformed ??= problem('path.extension_malformed', `The extension ${oid} cannot be read.`, certificate, {
        extension: oid,
        reason: error.code,
      })
      return undefined
    }
  }
  return {
    certificate,
    basicConstraints: read(OID.basicConstraints, parseBasicConstraints),
    keyUsage: read(OID.keyUsage, parseKeyUsage),
    extendedKeyUsage: read(OID.extKeyUsage, parseExtendedKeyUsage),
    nameConstraints: read(OID.nameConstraints, parseNameConstraints),
    subjectAltName: read(OID.subjectAltName, parseSubjectAltName) ?? [],
    authorityKeyIdentifier: read(OID.authorityKeyIdentifier, parseAuthorityKeyIdentifier)?.keyIdentifier,
    subjectKeyIdentifier: read(OID.subjectKeyIdentifier, parseSubjectKeyIdentifier),
    selfIssued: namesEqual(certificate.subject, certificate.issuer),
    malformed,
  }
}

/** What can be asked of an issuer before a signature is checked: RFC 5280 §6.1.3 (a)(2), §6.1.4 (k) and (n). */
export function checkIssuer(
  issuer: PathCertificate & { readonly anchor: boolean },
  at: number,
): PathProblem | undefined {
  const { certificate, basicConstraints, keyUsage } = issuer
  if (issuer.malformed) return issuer.malformed
  if (at < certificate.notBefore) {
    return problem('path.issuer_not_yet_valid', 'The certificate of an issuer is not valid yet.', certificate, {
      at,
      notBefore: certificate.notBefore,
    })
  }
  if (at > certificate.notAfter) {
    return problem('path.issuer_expired', 'The certificate of an issuer has expired.', certificate, {
      at,
      notAfter: certificate.notAfter,
    })
  }
  // An anchor of version 1 has no way to say that it is a CA; being configured as an anchor says it (§6.1.4 (k)).
  const configured = issuer.anchor && certificate.version < 3
  if (!configured && basicConstraints?.cA !== true) {
    return problem('path.not_a_ca', 'The certificate of an issuer is not that of a CA.', certificate)
  }
  if (keyUsage !== undefined && !keyUsage.includes('keyCertSign')) {
    return problem('path.key_usage', 'The key of an issuer is not for signing certificates.', certificate)
  }
  return undefined
}

export interface PathRules {
  readonly at: number
  readonly purpose: PathPurpose | undefined
  /** Critical extensions beyond ours that the caller processes. */
  readonly processed: ReadonlySet<string>
  /** Absent: this path has one of its own. */
  readonly comparisons?: ComparisonBudget | undefined
}

/** `path` runs from the leaf to the anchor. All rules but the leaf's notAfter, which `checkLeafExpiry` asks last. The first problem. */
export function checkPath(path: readonly PathCertificate[], rules: PathRules): PathProblem | undefined {
  return pathProblems(path, rules)[0]
}

/** As `checkPath`, and does not stop at the first problem. */
export function pathProblems(path: readonly PathCertificate[], rules: PathRules): PathProblem[] {
  const problems: PathProblem[] = []
  const note = (found: PathProblem | undefined) => {
    if (found) problems.push(found)
  }
  const leaf = path[0]!
  for (const member of path) {
    note(member.malformed)
    note(checkCritical(member, rules.processed))
    note(checkPurpose(member, rules.purpose, member === leaf))
  }
  note(checkLeafUsage(leaf, rules.purpose))
  note(checkLengths(path))
  note(checkNames(path, rules.comparisons ?? comparisonBudget()))
  const { notBefore } = leaf.certificate
  if (rules.at < notBefore) {
    const evidence = { at: rules.at, notBefore }
    note(problem('path.leaf_not_yet_valid', 'The certificate is not valid yet.', leaf.certificate, evidence))
  }
  return problems
}

/** notAfter is the last good second (RFC 5280 §4.1.2.5). */
export function checkLeafExpiry(leaf: PathCertificate, at: number): PathProblem | undefined {
  const { notAfter } = leaf.certificate
  if (at <= notAfter) return undefined
  return problem('path.leaf_expired', 'The certificate has expired.', leaf.certificate, { at, notAfter })
}

/** RFC 5280 §6.1.4 (o), §6.1.5 (f). */
function checkCritical({ certificate }: PathCertificate, processed: ReadonlySet<string>): PathProblem | undefined {
  const unknown = certificate.extensions.find(
    ({ critical, oid }) => critical && !PROCESSED.has(oid) && !processed.has(oid),
  )
  if (unknown === undefined) return undefined
  const message = 'A critical extension is not understood here.'
  return problem('path.critical_extension_unknown', message, certificate, { extension: unknown.oid })
}

/**
 * RFC 5280 §4.2.1.12 for the leaf. For CAs it says little; that their extended key usage limits what they may issue for is
 * how every TLS stack reads it, and refusing more is the safe side. A responder of OCSP is named by its own certificate and in so many
 * words: neither anyExtendedKeyUsage nor the CA's purposes count (RFC 6960 §4.2.2.2).
 */
function checkPurpose(
  { certificate, extendedKeyUsage }: PathCertificate,
  purpose: PathPurpose | undefined,
  isLeaf: boolean,
): PathProblem | undefined {
  if (purpose === undefined || (purpose === 'ocsp' && !isLeaf)) return undefined
  const { oid, words } = PURPOSES[purpose]
  const fits =
    purpose === 'ocsp'
      ? extendedKeyUsage?.includes(oid)
      : extendedKeyUsage === undefined ||
        extendedKeyUsage.includes(oid) ||
        extendedKeyUsage.includes(OID.anyExtendedKeyUsage)
  if (fits) return undefined
  return problem('path.extended_key_usage', `The certificate is not for use ${words}.`, certificate)
}

/** All four purposes sign with the key (for TLS: RFC 8446 §4.4.2.2): a keyUsage without digitalSignature forbids it. */
function checkLeafUsage(
  { certificate, keyUsage }: PathCertificate,
  purpose: PathPurpose | undefined,
): PathProblem | undefined {
  if (purpose === undefined || keyUsage === undefined || keyUsage.includes('digitalSignature')) return undefined
  // RFC 6960 leaves the bits open, and responders have been given this one.
  if (purpose === 'ocsp' && keyUsage.includes('contentCommitment')) return undefined
  return problem('path.key_usage', 'The key of the certificate is not for digital signatures.', certificate)
}

/** RFC 5280 §6.1.4 (l), (m): certificates below an issuer, self-issued ones and the leaf not counted. */
function checkLengths(path: readonly PathCertificate[]): PathProblem | undefined {
  let below = 0
  for (const issuer of path.slice(1)) {
    const limit = issuer.basicConstraints?.pathLenConstraint
    if (limit !== undefined && below > limit) {
      const evidence = { pathLenConstraint: limit, below }
      return problem('path.length_exceeded', 'More CAs follow than an issuer allows.', issuer.certificate, evidence)
    }
    if (!issuer.selfIssued) below++
  }
  return undefined
}

/** RFC 5280 §6.1.3 (b), (c), §6.1.4 (g): every name below an issuer against the constraints of that issuer. */
function checkNames(path: readonly PathCertificate[], budget: ComparisonBudget): PathProblem | undefined {
  for (let i = path.length - 1; i > 0; i--) {
    const constraints = path[i]!.nameConstraints
    if (constraints === undefined) continue
    for (let j = i - 1; j >= 0; j--) {
      const member = path[j]!
      // Self-issued certificates in the middle renew a key and are exempt; a self-issued leaf is not (§6.1.3 (b)).
      if (member.selfIssued && j > 0) continue
      for (const name of namesOf(member)) {
        const code = checkName(name, constraints, budget)
        if (code) return problem(code, NAME_MESSAGES[code], member.certificate, { form: name.kind })
      }
    }
  }
  return undefined
}

type NameProblem =
  | 'path.name_excluded'
  | 'path.name_not_permitted'
  | 'path.name_constraint_unsupported'
  | 'path.budget_exhausted'

const NAME_MESSAGES: Readonly<Record<NameProblem, string>> = {
  'path.name_excluded': 'A name in the certificate is excluded by an issuer.',
  'path.name_not_permitted': 'A name in the certificate is not among those that an issuer permits.',
  'path.name_constraint_unsupported': 'An issuer constrains names in a form that is not understood here.',
  'path.budget_exhausted': 'The certificates have too many names and constraints to compare.',
}

/** The subject where it is not empty, the alternative names, and e-mail addresses in the subject where they stand alone. */
function namesOf({ certificate, subjectAltName }: PathCertificate): GeneralName[] {
  const names: GeneralName[] = [...subjectAltName]
  if (certificate.subject.rdns.length > 0) names.push({ kind: 'directoryName', name: certificate.subject })
  if (!subjectAltName.some(name => name.kind === 'rfc822Name')) {
    for (const rdn of certificate.subject.rdns) {
      for (const { type, value } of rdn) if (type === ATTRIBUTE.emailAddress) names.push({ kind: 'rfc822Name', value })
    }
  }
  return names
}

function checkName(name: GeneralName, constraints: NameConstraints, budget: ComparisonBudget): NameProblem | undefined {
  const { excluded, permitted } = subtreesOf(constraints)
  const form = formOf(name)
  // The name itself counts too: there may be many that nobody constrains.
  if (budget.comparisons-- <= 0) return 'path.budget_exhausted'
  for (const { base, minimum, maximum } of excluded.get(form) ?? []) {
    if (budget.comparisons-- <= 0) return 'path.budget_exhausted'
    if (minimum || maximum !== undefined) return 'path.name_constraint_unsupported'
    const match = matchSubtree(name, base, 'excluded')
    if (match === 'unsupported') return 'path.name_constraint_unsupported'
    if (match === 'inside') return 'path.name_excluded'
  }
  const wanted = permitted.get(form)
  if (wanted === undefined) return undefined
  for (const { base, minimum, maximum } of wanted) {
    if (budget.comparisons-- <= 0) return 'path.budget_exhausted'
    if (minimum || maximum !== undefined) return 'path.name_constraint_unsupported'
    const match = matchSubtree(name, base, 'permitted')
    if (match === 'unsupported') return 'path.name_constraint_unsupported'
    if (match === 'inside') return undefined
  }
  return 'path.name_not_permitted'
}

/** Subtrees by the form of name that they speak about: a name is compared with none of the others. */
interface SubtreesByForm {
  readonly excluded: ReadonlyMap<string, readonly GeneralSubtree[]>
  readonly permitted: ReadonlyMap<string, readonly GeneralSubtree[]>
}

const byForm = new WeakMap<NameConstraints, SubtreesByForm>()

function subtreesOf(constraints: NameConstraints): SubtreesByForm {
  let found = byForm.get(constraints)
  if (found === undefined) {
    const group = (subtrees: readonly GeneralSubtree[] = []) => Map.groupBy(subtrees, ({ base }) => formOf(base))
    found = { excluded: group(constraints.excludedSubtrees), permitted: group(constraints.permittedSubtrees) }
    byForm.set(constraints, found)
  }
  return found
}
