// The four policy extensions of a certificate, read once, and what those of a path come to
// (RFC 5280 §4.2.1.4, §4.2.1.5, §4.2.1.11, §4.2.1.14).
import { TouchmarkError } from '../../errors.ts'
import type { Certificate } from '../certificate.ts'
import { findExtension } from '../extension.ts'
import { OID } from '../oids.ts'
import type { PathCertificate } from '../path-check.ts'
import {
  type PolicyConstraints,
  parseCertificatePolicies,
  parseInhibitAnyPolicy,
  parsePolicyConstraints,
  parsePolicyMappings,
} from '../policies.ts'
import { type PathProblem, problem } from './path-problem.ts'
import { type CertificatePolicies, type PolicyInput, type PolicyOutcome, processPolicies } from './policy-graph.ts'

export type ReadPolicies = CertificatePolicies & { readonly malformed: PathProblem | undefined }

const NO_CONSTRAINTS: PolicyConstraints = {}
const POLICY_EXTENSIONS: ReadonlySet<string> = new Set([
  OID.certificatePolicies,
  OID.policyMappings,
  OID.policyConstraints,
  OID.inhibitAnyPolicy,
])
const SILENT: ReadPolicies = {
  policies: undefined,
  mappings: [],
  constraints: NO_CONSTRAINTS,
  inhibitAnyPolicy: undefined,
  selfIssued: false,
  malformed: undefined,
}
const SELF_ISSUED: ReadPolicies = { ...SILENT, selfIssued: true }
const memo = new WeakMap<Certificate, ReadPolicies>()

/** What the certificate says about policies; `malformed` where it cannot be read, or names one policy twice (§4.2.1.4). */
export function readPolicies({ certificate, selfIssued }: PathCertificate): ReadPolicies {
  // Most certificates say nothing, and there is nothing to keep of them.
  if (!certificate.extensions.some(({ oid }) => POLICY_EXTENSIONS.has(oid))) return selfIssued ? SELF_ISSUED : SILENT
  const known = memo.get(certificate)
  if (known) return known
  let malformed: PathProblem | undefined
  const read = <T>(oid: string, parse: (value: Uint8Array) => T): T | undefined => {
    const found = findExtension(certificate.extensions, oid)
    if (found === undefined) return undefined
    try {
      return parse(found.value)
    } catch (error) {
      if (!(error instanceof TouchmarkError)) throw error
      const evidence = { extension: oid, reason: error.code }
      malformed ??= problem('path.extension_malformed', `The extension ${oid} cannot be read.`, certificate, evidence)
      return undefined
    }
  }
  const policies = read(OID.certificatePolicies, parseCertificatePolicies)
  if (policies && new Set(policies.map(each => each.policyIdentifier)).size < policies.length) {
    const evidence = { extension: OID.certificatePolicies }
    malformed ??= problem('path.extension_malformed', 'A policy stands twice.', certificate, evidence)
  }
  const all: ReadPolicies = {
    policies,
    mappings: read(OID.policyMappings, parsePolicyMappings) ?? [],
    constraints: read(OID.policyConstraints, parsePolicyConstraints) ?? NO_CONSTRAINTS,
    inhibitAnyPolicy: read(OID.inhibitAnyPolicy, parseInhibitAnyPolicy),
    selfIssued,
    malformed,
  }
  memo.set(certificate, all)
  return all
}

/** What the policies of a path from leaf to anchor come to, or the first problem (RFC 5280 §6.1.3 (d) to (f), §6.1.4 (a), (b), §6.1.5 (g)). */
export function judgePolicies(path: readonly PathCertificate[], input: PolicyInput): PolicyOutcome | PathProblem {
  const read = path.map(readPolicies)
  for (const { malformed } of read) if (malformed) return malformed
  const outcome = processPolicies(read.slice(0, -1), read.at(-1), input)
  if (!('code' in outcome)) return outcome
  const { certificate } = path[outcome.at]!
  return outcome.code === 'path.policy_required'
    ? problem(outcome.code, 'A valid policy is required, and no policy is valid down to this certificate.', certificate)
    : problem(outcome.code, 'A policy is mapped to or from anyPolicy.', certificate)
}
