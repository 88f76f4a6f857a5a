// Certificate policies along a path (RFC 5280 §6.1.2 to §6.1.5 as RFC 9618 has it): a graph in place of the tree. Where the tree of
// RFC 5280 copies a node for each of its parents and doubles with every certificate (CVE-2023-0464), the graph has one node for a policy
// on a level, with all its parents: never more than what the certificates list.
import { OID } from '../oids.ts'
import type { PolicyConstraints, PolicyInformation, PolicyMapping, PolicyQualifier } from '../policies.ts'

/** What the relying party wants (RFC 5280 §6.1.1 (c), (e), (f), (g)). */
export interface PolicyInput {
  /** user-initial-policy-set, as OIDs; absent, or with anyPolicy in it: any. */
  readonly initial?: readonly string[] | undefined
  /** initial-explicit-policy: a path without a valid policy is refused. */
  readonly explicit?: boolean | undefined
  /** initial-policy-mapping-inhibit. */
  readonly inhibitMapping?: boolean | undefined
  /** initial-any-policy-inhibit. */
  readonly inhibitAny?: boolean | undefined
}

/** What one certificate says about policies. */
export interface CertificatePolicies {
  /** Absent: the certificate has no certificatePolicies. */
  readonly policies: readonly PolicyInformation[] | undefined
  readonly mappings: readonly PolicyMapping[]
  readonly constraints: PolicyConstraints
  readonly inhibitAnyPolicy: number | undefined
  readonly selfIssued: boolean
}

export interface PolicyNode {
  readonly policy: string
  readonly qualifiers: readonly PolicyQualifier[]
  /** The policies that the next certificate may name for it: itself, or what it was mapped to. */
  readonly expected: readonly string[]
  /** Policies on the level above that this one came from; anyPolicy among them stands alone. */
  readonly parents: readonly string[]
}

export interface PolicyOutcome {
  /**
   * The user-constrained-policy-set, in the words of the anchor (before mappings). anyPolicy in it: whatever policy one may ask for.
   * Empty where none is valid, which is no fault unless `required`.
   */
  readonly policies: readonly string[]
  /** Whether the path was valid only with a policy: the relying party or a certificate asked for it. */
  readonly required: boolean
  /** Level 0 is the anchor's (anyPolicy), then one for each certificate down to the leaf, whose policies have the leaf's qualifiers. Empty: no policy is valid. */
  readonly graph: readonly (readonly PolicyNode[])[]
}

/** `at` is the index in the path that was given. */
export type PolicyProblem = {
  readonly code: 'path.policy_required' | 'path.policy_mapping_invalid'
  readonly at: number
}

type Level = Map<string, PolicyNode>

const ANY: string = OID.anyPolicy
const ROOT: PolicyNode = { policy: ANY, qualifiers: [], expected: [ANY], parents: [] }

/**
 * `path` runs from the leaf to the last certificate below the anchor; `anchor` is what the anchor says, which limits like any other
 * certificate (RFC 5937) but that its own policies are not asked. Linear in what the certificates list.
 */
export function processPolicies(
  path: readonly CertificatePolicies[],
  anchor: CertificatePolicies | undefined,
  input: PolicyInput,
): PolicyOutcome | PolicyProblem {
  const n = path.length
  let level: Level = new Map([[ANY, ROOT]])
  const levels: Level[] = [level]
  let explicit = limit(input.explicit ? 0 : n + 1, anchor?.constraints.requireExplicitPolicy)
  let mapping = limit(input.inhibitMapping ? 0 : n + 1, anchor?.constraints.inhibitPolicyMapping)
  let any = limit(input.inhibitAny ? 0 : n + 1, anchor?.inhibitAnyPolicy)
  for (let at = n - 1; at >= 0; at--) {
    const { policies, mappings, constraints, inhibitAnyPolicy, selfIssued } = path[at]!
    level = policies === undefined ? new Map() : grow(level, policies, any > 0 || (at > 0 && selfIssued))
    levels.push(level)
    // §6.1.3 (f)
    if (explicit === 0 && level.size === 0) return { code: 'path.policy_required', at }
    if (at === 0) {
      // §6.1.5 (a) and (b)
      if (explicit > 0) explicit--
      if (constraints.requireExplicitPolicy === 0) explicit = 0
      break
    }
    // §6.1.4 (a) and (b)
    if (mappings.some(each => each.issuerDomainPolicy === ANY || each.subjectDomainPolicy === ANY)) {
      return { code: 'path.policy_mapping_invalid', at }
    }
    if (mappings.length > 0) mapPolicies(level, mappings, mapping > 0)
    // §6.1.4 (h) to (j)
    if (!selfIssued) {
      if (explicit > 0) explicit--
      if (mapping > 0) mapping--
      if (any > 0) any--
    }
    explicit = limit(explicit, constraints.requireExplicitPolicy)
    mapping = limit(mapping, constraints.inhibitPolicyMapping)
    any = limit(any, inhibitAnyPolicy)
  }
  const graph = prune(levels)
  const policies = userConstrained(graph, input.initial)
  const required = explicit === 0
  if (required && policies.length === 0) return { code: 'path.policy_required', at: 0 }
  return { policies, required, graph }
}

function limit(value: number, by: number | undefined): number {
  return by === undefined ? value : Math.min(value, by)
}

/** §6.1.3 (d): the level of the next certificate. */
function grow(above: Level, policies: readonly PolicyInformation[], anyAllowed: boolean): Level {
  const parentsOf = new Map<string, string[]>()
  for (const { policy, expected } of above.values()) {
    for (const one of expected) {
      const parents = parentsOf.get(one)
      if (parents) parents.push(policy)
      else parentsOf.set(one, [policy])
    }
  }
  const level: Level = new Map()
  let any: PolicyInformation | undefined
  for (const information of policies) {
    const { policyIdentifier: policy, policyQualifiers: qualifiers } = information
    if (policy === ANY) {
      any = information
      continue
    }
    const parents = parentsOf.get(policy) ?? (above.has(ANY) ? [ANY] : undefined)
    if (parents) level.set(policy, { policy, qualifiers, expected: [policy], parents })
  }
  if (any && anyAllowed) {
    for (const [policy, parents] of parentsOf) {
      if (!level.has(policy)) {
        level.set(policy, { policy, qualifiers: any.policyQualifiers, expected: [policy], parents })
      }
    }
  }
  return level
}

/** §6.1.4 (b): what the next certificate must say for a policy of this one. */
function mapPolicies(level: Level, mappings: readonly PolicyMapping[], allowed: boolean): void {
  const mapped = new Map<string, string[]>()
  for (const { issuerDomainPolicy, subjectDomainPolicy } of mappings) {
    const subjects = mapped.get(issuerDomainPolicy)
    if (subjects === undefined) mapped.set(issuerDomainPolicy, [subjectDomainPolicy])
    else if (!subjects.includes(subjectDomainPolicy)) subjects.push(subjectDomainPolicy)
  }
  const any = level.get(ANY)
  for (const [policy, expected] of mapped) {
    const node = level.get(policy)
    if (!allowed) level.delete(policy)
    else if (node) level.set(policy, { ...node, expected })
    else if (any) level.set(policy, { policy, qualifiers: any.qualifiers, expected, parents: [ANY] })
  }
}

/** §6.1.3 (d)(3): only what a policy of the leaf came from stays. */
function prune(levels: readonly Level[]): readonly (readonly PolicyNode[])[] {
  let kept = [...levels.at(-1)!.values()]
  if (kept.length === 0) return []
  const graph = [kept]
  for (let depth = levels.length - 2; depth >= 0; depth--) {
    const parents = new Set(kept.flatMap(node => node.parents))
    kept = [...levels[depth]!.values()].filter(node => parents.has(node.policy))
    graph.push(kept)
  }
  return graph.reverse()
}

/** §6.1.5 (g): the policies below the anchor's anyPolicy, as far as they are wanted. */
function userConstrained(
  graph: readonly (readonly PolicyNode[])[],
  initial: readonly string[] | undefined,
): readonly string[] {
  const valid = new Set<string>()
  for (const level of graph) {
    for (const { policy, parents } of level) if (policy !== ANY && parents[0] === ANY) valid.add(policy)
  }
  const any = graph.at(-1)?.some(node => node.policy === ANY) ?? false
  if (initial === undefined || initial.includes(ANY)) return any ? [...valid, ANY] : [...valid]
  return any ? [...new Set(initial)] : [...new Set(initial)].filter(policy => valid.has(policy))
}
