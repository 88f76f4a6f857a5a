// Lint of extensions: for each one that RFC 5280 §4.2 defines, whether it is critical as it must be, whom it is for, and
// what its value must say. One row an extension; extensions that we do not know are left alone.
import { TAG } from '../../asn1/tag.ts'
import { TouchmarkError } from '../../errors.ts'
import { type DistributionPoint, parseCRLDistributionPoints, parseFreshestCRL } from '../distribution-point.ts'
import type { Extension } from '../extension.ts'
import {
  type AuthorityKeyIdentifier,
  type BasicConstraints,
  type KeyUsageBit,
  parseAuthorityInfoAccess,
  parseAuthorityKeyIdentifier,
  parseBasicConstraints,
  parseExtendedKeyUsage,
  parseIssuerAltName,
  parseKeyUsage,
  parseOcspNoCheck,
  parseSubjectAltName,
  parseSubjectDirectoryAttributes,
  parseSubjectInfoAccess,
  parseSubjectKeyIdentifier,
} from '../extensions.ts'
import type { GeneralName } from '../general-name.ts'
import { type GeneralSubtree, isContiguousMask, parseNameConstraints } from '../name-constraints.ts'
import { OID } from '../oids.ts'
import {
  parseCertificatePolicies,
  parseInhibitAnyPolicy,
  parsePolicyConstraints,
  parsePolicyMappings,
} from '../policies.ts'
import { isHostName, isMailbox, lintGeneralName, lintName } from './names.ts'
import type { Report } from './rules.ts'

/** What later checks ask across extensions. */
export interface SeenExtensions {
  keyUsage?: readonly KeyUsageBit[]
  basicConstraints?: BasicConstraints
  extendedKeyUsage?: readonly string[]
  authorityKeyIdentifier?: AuthorityKeyIdentifier
  subjectKeyIdentifier?: Uint8Array
  subjectAltName?: { readonly critical: boolean }
}

interface ExtensionRule {
  readonly name: string
  /** `either` also where the RFC only recommends one. */
  readonly critical: 'must' | 'must_not' | 'either'
  /** Meaningless or forbidden outside CA certificates. */
  readonly onlyInCA?: boolean
  readonly source: string
  /** Parses the value (a `DerError` becomes a finding) and says what is wrong with it. */
  readonly check: (extension: Extension, report: Report, seen: SeenExtensions) => void
}

const RULES = new Map<string, ExtensionRule>([
  [
    OID.authorityKeyIdentifier,
    {
      name: 'authorityKeyIdentifier',
      critical: 'must_not',
      source: 'RFC 5280 4.2.1.1',
      check({ value }, report, seen) {
        const identifier = parseAuthorityKeyIdentifier(value)
        seen.authorityKeyIdentifier = identifier
        const { authorityCertIssuer, authorityCertSerialNumber } = identifier
        if ((authorityCertIssuer === undefined) !== (authorityCertSerialNumber === undefined)) {
          report('lint.authority_cert_incomplete')
        }
      },
    },
  ],
  [
    OID.subjectKeyIdentifier,
    {
      name: 'subjectKeyIdentifier',
      critical: 'must_not',
      source: 'RFC 5280 4.2.1.2',
      check({ value }, _report, seen) {
        seen.subjectKeyIdentifier = parseSubjectKeyIdentifier(value)
      },
    },
  ],
  [
    OID.keyUsage,
    {
      name: 'keyUsage',
      critical: 'either',
      source: 'RFC 5280 4.2.1.3',
      check({ value }, report, seen) {
        seen.keyUsage = parseKeyUsage(value)
        if (seen.keyUsage.length === 0) report('lint.key_usage_empty')
        if (!endsInOneBit(value.subarray(2))) report('lint.named_bits_not_minimal', 'keyUsage')
      },
    },
  ],
  [
    OID.certificatePolicies,
    { name: 'certificatePolicies', critical: 'either', source: 'RFC 5280 4.2.1.4', check: checkPolicies },
  ],
  [
    OID.policyMappings,
    {
      name: 'policyMappings',
      critical: 'either',
      onlyInCA: true,
      source: 'RFC 5280 4.2.1.5',
      check({ value }, report) {
        for (const { issuerDomainPolicy, subjectDomainPolicy } of parsePolicyMappings(value)) {
          if (issuerDomainPolicy === OID.anyPolicy || subjectDomainPolicy === OID.anyPolicy) {
            report('lint.policy_mapping_any')
          }
        }
      },
    },
  ],
  [
    OID.subjectAltName,
    {
      name: 'subjectAltName',
      critical: 'either',
      source: 'RFC 5280 4.2.1.6',
      check({ value, critical }, report, seen) {
        seen.subjectAltName = { critical }
        for (const name of parseSubjectAltName(value)) lintGeneralName(name, report)
      },
    },
  ],
  [
    OID.issuerAltName,
    {
      name: 'issuerAltName',
      critical: 'either',
      source: 'RFC 5280 4.2.1.7',
      check({ value }, report) {
        for (const name of parseIssuerAltName(value)) lintGeneralName(name, report, 'RFC 5280 4.2.1.7')
      },
    },
  ],
  [
    OID.subjectDirectoryAttributes,
    {
      name: 'subjectDirectoryAttributes',
      critical: 'must_not',
      source: 'RFC 5280 4.2.1.8',
      check({ value }) {
        parseSubjectDirectoryAttributes(value)
      },
    },
  ],
  [
    OID.basicConstraints,
    {
      name: 'basicConstraints',
      // Critical in CA certificates only; `lintRoles` asks that, knowing keyUsage.
      critical: 'either',
      source: 'RFC 5280 4.2.1.9',
      check({ value }, report, seen) {
        seen.basicConstraints = parseBasicConstraints(value)
        if (!seen.basicConstraints.cA && value[2] === TAG.BOOLEAN) {
          report('lint.default_encoded', 'cA FALSE in basicConstraints')
        }
      },
    },
  ],
  [
    OID.nameConstraints,
    {
      name: 'nameConstraints',
      critical: 'must',
      onlyInCA: true,
      source: 'RFC 5280 4.2.1.10',
      check({ value }, report) {
        const { permittedSubtrees, excludedSubtrees } = parseNameConstraints(value)
        if (!permittedSubtrees && !excludedSubtrees) report('lint.name_constraints_empty')
        for (const subtree of [...(permittedSubtrees ?? []), ...(excludedSubtrees ?? [])]) checkSubtree(subtree, report)
      },
    },
  ],
  [
    OID.policyConstraints,
    {
      name: 'policyConstraints',
      critical: 'must',
      onlyInCA: true,
      source: 'RFC 5280 4.2.1.11',
      check({ value }, report) {
        const { requireExplicitPolicy, inhibitPolicyMapping } = parsePolicyConstraints(value)
        if (requireExplicitPolicy === undefined && inhibitPolicyMapping === undefined) {
          report('lint.policy_constraints_empty')
        }
      },
    },
  ],
  [
    OID.extKeyUsage,
    {
      name: 'extKeyUsage',
      critical: 'either',
      source: 'RFC 5280 4.2.1.12',
      check({ value, critical }, report, seen) {
        const purposes = parseExtendedKeyUsage(value)
        seen.extendedKeyUsage = purposes
        if (purposes.includes(OID.timeStamping) && (purposes.length > 1 || !critical)) {
          report('lint.extended_key_usage_time_stamping')
        }
      },
    },
  ],
  [
    OID.cRLDistributionPoints,
    {
      name: 'cRLDistributionPoints',
      critical: 'either',
      source: 'RFC 5280 4.2.1.13',
      check: ({ value }, report) => checkPoints(parseCRLDistributionPoints(value), report, 'RFC 5280 4.2.1.13'),
    },
  ],
  [
    OID.inhibitAnyPolicy,
    {
      name: 'inhibitAnyPolicy',
      critical: 'must',
      onlyInCA: true,
      source: 'RFC 5280 4.2.1.14',
      check({ value }) {
        parseInhibitAnyPolicy(value)
      },
    },
  ],
  [
    OID.freshestCRL,
    {
      name: 'freshestCRL',
      critical: 'must_not',
      source: 'RFC 5280 4.2.1.15',
      check: ({ value }, report) => checkPoints(parseFreshestCRL(value), report, 'RFC 5280 4.2.1.15'),
    },
  ],
  [
    OID.authorityInfoAccess,
    {
      name: 'authorityInfoAccess',
      critical: 'must_not',
      source: 'RFC 5280 4.2.2.1',
      check({ value }, report) {
        for (const { accessLocation } of parseAuthorityInfoAccess(value)) {
          lintGeneralName(accessLocation, report, 'RFC 5280 4.2.2.1')
        }
      },
    },
  ],
  [
    OID.subjectInfoAccess,
    {
      name: 'subjectInfoAccess',
      critical: 'must_not',
      source: 'RFC 5280 4.2.2.2',
      check({ value }, report) {
        for (const { accessLocation } of parseSubjectInfoAccess(value)) {
          lintGeneralName(accessLocation, report, 'RFC 5280 4.2.2.2')
        }
      },
    },
  ],
  [
    OID.ocspNoCheck,
    {
      name: 'id-pkix-ocsp-nocheck',
      critical: 'either',
      source: 'RFC 6960 4.2.2.2.1',
      check({ value }) {
        parseOcspNoCheck(value)
      },
    },
  ],
])

/** Each extension by itself; returns what the checks across extensions need. */
export function lintExtensions(extensions: readonly Extension[], isCA: boolean, report: Report): SeenExtensions {
  const seen: SeenExtensions = {}
  for (const extension of extensions) {
    const rule = RULES.get(extension.oid)
    if (rule === undefined) continue
    if (rule.critical === 'must' && !extension.critical) {
      report('lint.extension_must_be_critical', rule.name, rule.source)
    }
    if (rule.critical === 'must_not' && extension.critical) {
      report('lint.extension_must_not_be_critical', rule.name, rule.source)
    }
    if (rule.onlyInCA && !isCA) report('lint.extension_only_in_ca', rule.name, rule.source)
    try {
      rule.check(extension, report, seen)
    } catch (error) {
      if (!(error instanceof TouchmarkError)) throw error
      report('lint.extension_malformed', `${rule.name}: ${error.message}`, rule.source)
    }
  }
  return seen
}

function checkPolicies({ value }: Extension, report: Report): void {
  const policies = parseCertificatePolicies(value)
  if (new Set(policies.map(policy => policy.policyIdentifier)).size !== policies.length) report('lint.policy_duplicate')
  for (const { policyIdentifier, policyQualifiers } of policies) {
    for (const qualifier of policyQualifiers) {
      switch (qualifier.kind) {
        case 'cps':
          lintGeneralName({ kind: 'uniformResourceIdentifier', value: qualifier.uri }, report, 'RFC 5280 4.2.1.4')
          break
        case 'userNotice':
          for (const text of [qualifier.explicitText, qualifier.noticeRef?.organization]) {
            if (text !== undefined && (text === '' || [...text].length > 200)) report('lint.policy_notice_length')
          }
          break
        case 'other':
          if (policyIdentifier === OID.anyPolicy) report('lint.policy_any_qualifier', qualifier.oid)
          break
        default:
          qualifier satisfies never
      }
    }
  }
}

function checkSubtree({ base, minimum, maximum }: GeneralSubtree, report: Report): void {
  // A minimum of 0 is the DEFAULT: reading it at all means that it was written out.
  if (minimum === 0) report('lint.default_encoded', 'minimum 0 in nameConstraints')
  else if (minimum !== undefined || maximum !== undefined) report('lint.name_constraints_range')
  if (!isSubtreeBase(base, report)) report('lint.name_constraints_base', base.kind)
}

/** The forms of §4.2.1.10, which are not those of an alternative name: hosts for mailboxes and URIs, masks for addresses. */
function isSubtreeBase(base: GeneralName, report: Report): boolean {
  switch (base.kind) {
    case 'dNSName':
      return base.value === '' || isHostName(base.value)
    case 'rfc822Name':
      return base.value.includes('@') ? isMailbox(base.value) : isHostName(base.value.replace(/^\./, ''))
    case 'uniformResourceIdentifier':
      return isHostName(base.value.replace(/^\./, ''))
    case 'iPAddress':
      return (
        (base.bytes.length === 8 || base.bytes.length === 32) &&
        isContiguousMask(base.bytes.subarray(base.bytes.length / 2))
      )
    case 'directoryName':
      lintName(base.name, report)
      return true
    case 'registeredID':
    case 'otherName':
    case 'other':
      return true
    default:
      return base satisfies never
  }
}

function checkPoints(points: readonly DistributionPoint[], report: Report, source: string): void {
  for (const { distributionPoint, cRLIssuer, reasons } of points) {
    if (!distributionPoint && !cRLIssuer) report('lint.distribution_point_empty', undefined, source)
    if (distributionPoint?.kind === 'fullName') {
      for (const name of distributionPoint.names) lintGeneralName(name, report, source)
    }
    if (reasons?.length === 0) report('lint.extension_malformed', 'a distribution point for no reason', source)
  }
  if (points.every(point => point.reasons !== undefined))
    report('lint.distribution_point_all_reasons', undefined, source)
}

/** Content octets of a BIT STRING that is a named bit list: the last bit in use is 1 (X.690 §11.2.2). */
function endsInOneBit(content: Uint8Array): boolean {
  if (content.length === 1) return true
  return (content[content.length - 1]! & (1 << content[0]!)) !== 0
}
