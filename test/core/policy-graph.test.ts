// The policy graph (RFC 9618) against the policy tree as RFC 5280 §6.1 writes it, which is its own judge here: on random paths both must come
// to the same verdict and the same policies. And the case for which the graph was made: paths on which the tree doubles with every certificate.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { OID } from '../../src/core/pki/oids.ts'
import { type CertificatePolicies, type PolicyInput, processPolicies } from '../../src/core/pki/path/policy-graph.ts'

const ANY = OID.anyPolicy

/** From the anchor down, as RFC 5280 numbers certificates; the shape that the judge and the graph are both given. */
type Said = CertificatePolicies

interface TreeNode {
  readonly policy: string
  expected: string[]
  readonly parent: TreeNode | undefined
  children: TreeNode[]
}

/** §6.1.2 to §6.1.5 word for word, with a node for each parent: exponential, and plain. `undefined`: the path is invalid. */
function treeVerdict(down: readonly Said[], input: PolicyInput): readonly string[] | undefined {
  const n = down.length
  let root: TreeNode | undefined = { policy: ANY, expected: [ANY], parent: undefined, children: [] }
  const depth = (i: number): TreeNode[] => {
    let nodes = root ? [root] : []
    for (let level = 0; level < i; level++) nodes = nodes.flatMap(node => node.children)
    return nodes
  }
  const add = (parent: TreeNode, policy: string, expected: string[]) =>
    parent.children.push({ policy, expected, parent, children: [] })
  const remove = (node: TreeNode) => {
    if (node.parent) node.parent.children = node.parent.children.filter(child => child !== node)
    else root = undefined
  }
  /** Nodes above depth i that have no children go. */
  const pruneAbove = (i: number) => {
    for (let level = i - 1; level >= 0; level--) {
      for (const node of depth(level)) if (node.children.length === 0) remove(node)
    }
  }
  let explicit = input.explicit ? 0 : n + 1
  let inhibitAny = input.inhibitAny ? 0 : n + 1
  let mapping = input.inhibitMapping ? 0 : n + 1
  for (let i = 1; i <= n; i++) {
    const { policies, mappings, constraints, inhibitAnyPolicy, selfIssued } = down[i - 1]!
    if (policies === undefined) root = undefined
    else if (root) {
      for (const { policyIdentifier: policy } of policies) {
        if (policy === ANY) continue
        const matching = depth(i - 1).filter(node => node.expected.includes(policy))
        for (const node of matching) add(node, policy, [policy])
        if (matching.length === 0) {
          for (const node of depth(i - 1)) if (node.policy === ANY) add(node, policy, [policy])
        }
      }
      if (policies.some(each => each.policyIdentifier === ANY) && (inhibitAny > 0 || (i < n && selfIssued))) {
        for (const node of depth(i - 1)) {
          for (const policy of node.expected) {
            if (!node.children.some(child => child.policy === policy)) add(node, policy, [policy])
          }
        }
      }
      pruneAbove(i)
    }
    if (explicit === 0 && root === undefined) return undefined
    if (i === n) {
      if (explicit > 0) explicit--
      if (constraints.requireExplicitPolicy === 0) explicit = 0
      break
    }
    if (mappings.some(each => each.issuerDomainPolicy === ANY || each.subjectDomainPolicy === ANY)) return undefined
    for (const policy of new Set(mappings.map(each => each.issuerDomainPolicy))) {
      const subjects = mappings.filter(each => each.issuerDomainPolicy === policy).map(each => each.subjectDomainPolicy)
      const nodes = depth(i).filter(node => node.policy === policy)
      if (mapping === 0) {
        for (const node of nodes) remove(node)
        pruneAbove(i)
      } else if (nodes.length > 0) {
        for (const node of nodes) node.expected = [...new Set(subjects)]
      } else {
        for (const node of depth(i)) if (node.policy === ANY) add(node.parent!, policy, [...new Set(subjects)])
      }
    }
    if (!selfIssued) {
      explicit = Math.max(0, explicit - 1)
      mapping = Math.max(0, mapping - 1)
      inhibitAny = Math.max(0, inhibitAny - 1)
    }
    explicit = Math.min(explicit, constraints.requireExplicitPolicy ?? explicit)
    mapping = Math.min(mapping, constraints.inhibitPolicyMapping ?? mapping)
    inhibitAny = Math.min(inhibitAny, inhibitAnyPolicy ?? inhibitAny)
  }
  const valid: string[] = []
  for (let i = 1; i <= n; i++) {
    for (const node of depth(i)) if (node.parent?.policy === ANY && node.policy !== ANY) valid.push(node.policy)
  }
  const any = depth(n).some(node => node.policy === ANY)
  const initial = input.initial ?? [ANY]
  const policies = initial.includes(ANY)
    ? [...valid, ...(any ? [ANY] : [])]
    : any
      ? initial
      : initial.filter(policy => valid.includes(policy))
  if (explicit === 0 && policies.length === 0) return undefined
  return [...new Set(policies)].sort()
}

const NOTHING: Said = {
  policies: undefined,
  mappings: [],
  constraints: {},
  inhibitAnyPolicy: undefined,
  selfIssued: false,
}

const named = (...oids: readonly string[]) => oids.map(policyIdentifier => ({ policyIdentifier, policyQualifiers: [] }))

const oid = fc.constantFrom('1.2.1', '1.2.2', '1.2.3')
const oidOrAny = fc.oneof({ weight: 4, arbitrary: oid }, { weight: 2, arbitrary: fc.constant(ANY) })
const skip = fc.option(fc.nat({ max: 3 }), { nil: undefined, freq: 2 })
const mapping = fc.record({
  issuerDomainPolicy: fc.oneof({ weight: 30, arbitrary: oid }, { weight: 1, arbitrary: fc.constant(ANY) }),
  subjectDomainPolicy: oid,
})
const said: fc.Arbitrary<Said> = fc.record({
  policies: fc.oneof(
    {
      weight: 9,
      arbitrary: fc.uniqueArray(oidOrAny, { minLength: 1, maxLength: 4 }).map(oids => named(...oids)),
    },
    { weight: 1, arbitrary: fc.constant(undefined) },
  ),
  mappings: fc.array(mapping, { maxLength: 3 }),
  constraints: fc.record({ requireExplicitPolicy: skip, inhibitPolicyMapping: skip }),
  inhibitAnyPolicy: skip,
  selfIssued: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
})
const input: fc.Arbitrary<PolicyInput> = fc.record({
  initial: fc.option(fc.uniqueArray(oidOrAny, { minLength: 1, maxLength: 3 }), { nil: undefined }),
  explicit: fc.boolean(),
  inhibitMapping: fc.boolean(),
  inhibitAny: fc.boolean(),
})

describe('The policy graph (RFC 9618)', () => {
  it('comes to the verdict and the policies of the tree of RFC 5280 on any path', () => {
    let valid = 0
    fc.assert(
      fc.property(fc.array(said, { minLength: 1, maxLength: 5 }), input, (path, wanted) => {
        const outcome = processPolicies(path, undefined, wanted)
        const expected = treeVerdict(path.toReversed(), wanted)
        if ('code' in outcome) assert.equal(expected, undefined)
        else {
          assert.deepEqual(outcome.policies.toSorted(), expected)
          valid++
        }
      }),
      { numRuns: 5000 },
    )
    assert.ok(valid > 500, `${valid} of the random paths were valid`)
  })

  it('does not grow where the tree doubles with every certificate (CVE-2023-0464)', () => {
    const both = named('1.2.1', '1.2.2')
    const mappings = ['1.2.1', '1.2.2'].flatMap(issuerDomainPolicy =>
      ['1.2.1', '1.2.2'].map(subjectDomainPolicy => ({ issuerDomainPolicy, subjectDomainPolicy })),
    )
    const path = Array.from({ length: 60 }, () => ({ ...NOTHING, policies: both, mappings }))
    const outcome = processPolicies(path, undefined, { explicit: true })
    assert.ok('graph' in outcome)
    assert.deepEqual(outcome.policies, ['1.2.1', '1.2.2'])
    assert.equal(outcome.graph.flat().length, 1 + 60 * 2)
  })

  it('has the qualifiers of the leaf for the policies of the leaf', () => {
    const notice = { kind: 'userNotice', explicitText: 'for tests' } as const
    const leaf = { ...NOTHING, policies: [{ policyIdentifier: '1.2.1', policyQualifiers: [notice] }] }
    const outcome = processPolicies([leaf, { ...NOTHING, policies: named(ANY) }], undefined, {})
    assert.ok('graph' in outcome)
    assert.deepEqual(outcome.graph.at(-1), [
      { policy: '1.2.1', qualifiers: [notice], expected: ['1.2.1'], parents: [ANY] },
    ])
  })

  it('what the anchor constrains counts (RFC 5937)', () => {
    const anchor = { ...NOTHING, constraints: { requireExplicitPolicy: 0 } }
    assert.deepEqual(processPolicies([NOTHING], anchor, {}), { code: 'path.policy_required', at: 0 })
    const inhibits = { ...anchor, inhibitAnyPolicy: 0 }
    const leaf = { ...NOTHING, policies: named(ANY) }
    assert.ok('graph' in processPolicies([leaf], anchor, {}))
    assert.ok('code' in processPolicies([leaf], inhibits, {}))
  })
})
