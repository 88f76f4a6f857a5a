// Runs x509-limbo (C2SP/x509-limbo, `limbo.json`) through the very function behind `touchmark verify --ndjson`, and prints where our answer differs
// from the one that the suite lists, by namespace. Our reasons for each difference stand in docs/conformance/x509-limbo.md.
//   node scripts/x509-limbo.ts limbo.json
import { readFileSync } from 'node:fs'
import { type CaseAnswer, judgeCase } from '../src/domain/verdict/judge-case.ts'

/** As much of a case as is used here. */
interface LimboCase {
  readonly id: string
  readonly features: readonly string[]
  readonly validation_kind: 'CLIENT' | 'SERVER'
  readonly trusted_certs: readonly string[]
  readonly untrusted_intermediates: readonly string[]
  readonly peer_certificate: string
  readonly validation_time: string | null
  readonly expected_result: 'SUCCESS' | 'FAILURE'
  readonly expected_peer_name: LimboName | null
  readonly expected_peer_names?: readonly LimboName[]
  readonly max_chain_depth: number | null
  readonly crls?: readonly string[]
}

interface LimboName {
  readonly kind: 'DNS' | 'IP' | 'RFC822'
  readonly value: string
}

const KINDS = { DNS: 'dns', IP: 'ip', RFC822: 'email' } as const
/** For cases without a time of their own, whose certificates live from 1970 to 2969. */
const SOME_TIME = '2026-06-01T00:00:00Z'

export interface LimboOutcome {
  readonly id: string
  readonly features: readonly string[]
  readonly expected: boolean
  readonly answer: CaseAnswer
}

/** The line that the command would read. */
export function limboLine(test: LimboCase): string {
  const name = test.expected_peer_name ?? (test.expected_peer_names?.length === 1 ? test.expected_peer_names[0] : null)
  return JSON.stringify({
    id: test.id,
    certificate: test.peer_certificate,
    intermediates: test.untrusted_intermediates,
    anchors: test.trusted_certs,
    crls: test.crls ?? [],
    at: test.validation_time ?? SOME_TIME,
    purpose: test.validation_kind.toLowerCase(),
    ...(name ? { name: { kind: KINDS[name.kind], value: name.value } } : {}),
    ...(test.max_chain_depth === null ? {} : { maxDepth: test.max_chain_depth }),
  })
}

export function runLimbo(json: string): LimboOutcome[] {
  const { testcases } = JSON.parse(json) as { readonly testcases: readonly LimboCase[] }
  return testcases.map(test => ({
    id: test.id,
    features: test.features,
    expected: test.expected_result === 'SUCCESS',
    answer: judgeCase(limboLine(test), 0),
  }))
}

export function namespaceOf(id: string): string {
  return id.split('::').slice(0, -1).join('::')
}

if (import.meta.main) {
  const [file] = process.argv.slice(2)
  if (file === undefined) throw new Error('node scripts/x509-limbo.ts limbo.json')
  const outcomes = runLimbo(readFileSync(file, 'utf8'))
  const totals = new Map<string, { cases: number; differ: number }>()
  for (const { id, expected, answer, features } of outcomes) {
    const total = totals.get(namespaceOf(id)) ?? { cases: 0, differ: 0 }
    total.cases++
    totals.set(namespaceOf(id), total)
    if (answer.valid === expected) continue
    total.differ++
    console.log(`${id}\texpected ${expected ? 'valid' : 'invalid'}\t${answer.code}\t${features.join(' ')}`)
  }
  for (const [namespace, { cases, differ }] of totals) console.log(`${namespace}\t${cases}\t${differ}`)
}
