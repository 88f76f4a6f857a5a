// Certification path validation (RFC 5280 §6): from a leaf to a trust anchor, policies and revocation included. Building and checking are one
// bounded search (`path/path-search.ts`); time, anchors, the signature check and evidence of revocation are arguments.
// What is asked of one complete path: `path-check.ts`, `path/policy-graph.ts`, `path/crl-check.ts`.
import { equalBytes } from '../bytes/bytes.ts'
import type { Evidence } from '../errors.ts'
import type { Certificate } from './certificate.ts'
import { judgePolicies } from './path/certificate-policies.ts'
import { type PathErrorCode, type PathProblem, problem } from './path/path-problem.ts'
import {
  DEFAULT_BUDGET,
  finding,
  MAX_INTERMEDIATES,
  type PathBudget,
  PathSearch,
  type VerifySignature,
} from './path/path-search.ts'
import type { PolicyInput, PolicyOutcome } from './path/policy-graph.ts'
import type { RevocationSource, RevocationStatus } from './path/revocation.ts'
import { RevocationCheck, withCrlIssuers } from './path/revocation-check.ts'
import {
  checkLeafExpiry,
  comparisonBudget,
  type PathCertificate,
  type PathPurpose,
  pathProblems,
  readPathCertificate,
} from './path-check.ts'

export type { PathErrorCode, PathProblem } from './path/path-problem.ts'
export type { PathBudget, VerifySignature } from './path/path-search.ts'
export type { PolicyInput, PolicyNode, PolicyOutcome } from './path/policy-graph.ts'
export type { RevocationQuestion, RevocationSource, RevocationStatus } from './path/revocation.ts'

export interface PathInput {
  readonly leaf: Certificate
  /** What may stand between: in any order, with strangers among them. */
  readonly intermediates: readonly Certificate[]
  /** Trusted for their name and key; their validity and constraints count too (RFC 5937). */
  readonly anchors: readonly Certificate[]
  /** Whole seconds since 1970. */
  readonly at: number
  readonly verify: VerifySignature
  /** What the leaf is to be used for; absent: extended key usage is not asked. */
  readonly purpose?: PathPurpose | undefined
  /** Critical extensions that the caller processes itself, as OIDs. */
  readonly processed?: readonly string[] | undefined
  /** Absent: any policy, or none, will do, unless a certificate asks for one. */
  readonly policies?: PolicyInput | undefined
  /** Most certificates between leaf and anchor that are not self-issued. */
  readonly maxDepth?: number | undefined
  /** Absent: status is not asked. */
  readonly revocation?: RevocationSource | undefined
  readonly budget?: Partial<PathBudget> | undefined
  /** An anchor given as the leaf (octet for octet) is a path by itself: trusted already, and asked only what a leaf is asked. */
  readonly leafMayBeAnchor?: boolean | undefined
}

/** One certificate of the path, and what was found out about it there. */
export interface PathStep {
  readonly certificate: Certificate
  readonly role: 'leaf' | 'intermediate' | 'anchor'
  /** Empty: nothing is wrong with it in this path. */
  readonly problems: readonly PathProblem[]
  /** Absent: it was not asked (no source, the anchor, or the path failed before). */
  readonly revocation?: RevocationStatus | undefined
}

export type PathResult =
  | {
      readonly ok: true
      /** From the leaf to the anchor, both included. */
      readonly path: Certificate[]
      readonly steps: readonly PathStep[]
      readonly policies: PolicyOutcome
    }
  | {
      readonly ok: false
      readonly code: PathErrorCode
      readonly message: string
      readonly evidence: Evidence
      /** Of the path that came furthest, from the leaf up: with an anchor at its end where one was reached. */
      readonly steps: readonly PathStep[]
      /** With `path.leaf_expired`: the path that is good but for the leaf's notAfter, so that a grace rule may go on. */
      readonly path?: Certificate[]
    }

const NO_POLICIES: PolicyOutcome = { policies: [], required: false, graph: [] }

/**
 * The path from the leaf to an anchor (both included), or the most telling reason why there is none. Stops at the first
 * good path. Never throws for what the certificates say: a malformed extension is a reason like others.
 */
export function validateChain(input: PathInput): PathResult {
  const { at, purpose } = input
  // Read anew: a leaf comes once, and what is kept of it would only be in the way.
  const leaf = readPathCertificate(input.leaf)
  if (input.intermediates.length > MAX_INTERMEDIATES) {
    const tooMany = problem('path.too_many_certificates', 'The peer sent too many certificates.', input.leaf)
    return failure(tooMany, steps([leaf], [tooMany], false))
  }
  const search = new PathSearch({
    intermediates: withCrlIssuers(input.intermediates, input.revocation),
    anchors: input.anchors,
    at,
    verify: input.verify,
    budget: { ...DEFAULT_BUDGET, ...input.budget },
  })
  const revocation = input.revocation && new RevocationCheck(search, input.revocation, at, input.verify)
  const rules = { at, purpose, processed: new Set(input.processed), comparisons: comparisonBudget() }
  let policies = NO_POLICIES
  const statuses = new Map<readonly PathCertificate[], readonly RevocationStatus[]>()
  const judge = (path: readonly PathCertificate[]): readonly PathProblem[] => {
    const problems = pathProblems(path, rules)
    const outcome = judgePolicies(path, input.policies ?? {})
    if ('code' in outcome) problems.push(outcome)
    else policies = outcome
    if (problems.length > 0) return problems
    if (revocation) {
      const answers = revocation.statuses(path)
      statuses.set(path, answers)
      problems.push(...revocation.problems(path, answers))
    }
    const late = checkLeafExpiry(leaf, at)
    if (late) problems.push(late)
    return problems
  }
  const trusted = input.leafMayBeAnchor && input.anchors.some(({ raw }) => equalBytes(raw, input.leaf.raw))
  const found = trusted ? finding([leaf], judge([leaf])) : search.find({ leaf, judge, maxDepth: input.maxDepth })
  const [first] = found.problems
  if (first === undefined) {
    return {
      ok: true,
      path: certificates(found.path),
      steps: steps(found.path, [], true, statuses.get(found.path)),
      policies,
    }
  }
  const complete = 'complete' in found && found.complete
  const failed = failure(first, steps(found.path, found.problems, complete, statuses.get(found.path)))
  return first.code === 'path.leaf_expired' ? { ...failed, path: certificates(found.path) } : failed
}

function certificates(path: readonly PathCertificate[]): Certificate[] {
  return path.map(member => member.certificate)
}

function failure({ code, message, evidence }: PathProblem, all: readonly PathStep[]) {
  return { ok: false as const, code, message, evidence, steps: all }
}

function steps(
  path: readonly PathCertificate[],
  problems: readonly PathProblem[],
  complete: boolean,
  statuses: readonly RevocationStatus[] = [],
): PathStep[] {
  return path.map(({ certificate }, i) => ({
    certificate,
    role: i === 0 ? 'leaf' : complete && i === path.length - 1 ? 'anchor' : 'intermediate',
    problems: problems.filter(each => each.certificate === certificate),
    revocation: statuses[i],
  }))
}
