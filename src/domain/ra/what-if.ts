// How a request would be decided, and why; nothing changes. The evidence is what a device would show, the request is a CSR or a key that nobody
// has; the decision is made by the function that makes every decision.
import { parseCertificate } from '../../core/pki/certificate.ts'
import type { CertificationRequest } from '../../core/pki/csr.ts'
import { type KeyAlgorithmName, keyAlgorithmOfSpki } from '../../crypto/algorithms.ts'
import { sha256 } from '../../crypto/digest.ts'
import type { Profile } from '../ca/profile.ts'
import { keyId, type UnixSeconds } from '../ids.ts'
import type { Random, StoreReader } from '../ports.ts'
import { type Decision, explain, type KeyFacts, quotaCounters, type Step } from './decide.ts'
import type { Evidence } from './evidence.ts'
import type { EvidenceFinding } from './evidence-reader.ts'
import { readRenewalFacts } from './renewal-evidence.ts'
import { compareNames, NO_NAMES } from './requested-names.ts'
import { defaultRules, type Operation, parseRules, RULES_NAME, type Rules } from './rules.ts'

export interface WhatIf {
  readonly operation: Operation
  readonly profile: Profile
  readonly finding: EvidenceFinding
  /** Without one, a new key of `keyAlgorithm` is assumed. */
  readonly csr?: CertificationRequest
  readonly keyAlgorithm: KeyAlgorithmName
  readonly serverKey: boolean
  readonly channelBinding: boolean
  readonly rules: Rules
}

export interface WhatIfPorts {
  readonly read: StoreReader
  readonly random: Random
  /** Throws `profile.not_found`. */
  profile(name: string): Promise<Profile>
}

export interface WhatIfAnswer {
  readonly outcome: Decision['outcome']
  /** Where it is denied. */
  readonly code: string | null
  readonly rule: string | null
  readonly because: string
  readonly trace: readonly Step[]
}

export async function whatIf(asked: WhatIf, now: UnixSeconds, ports: WhatIfPorts): Promise<WhatIfAnswer> {
  const { finding, csr, rules, operation, profile, channelBinding } = asked
  if (finding.kind === 'refused') {
    const because = 'the evidence is not acceptable'
    return { outcome: 'denied', code: finding.refusal.code, rule: null, because, trace: [] }
  }
  const { read } = ports
  const evidence: readonly Evidence[] = finding.kind === 'none' ? [] : [finding.evidence]
  const counters = await Promise.all(
    quotaCounters(rules, evidence, now).map(async counter => [counter, await read.quotaTaken(counter)] as const),
  )
  const shown =
    finding.kind === 'evidence' && finding.evidence.kind === 'own-certificate' ? finding.evidence.record : undefined
  const { decision, trace } = explain({
    operation,
    profile,
    evidence,
    key: await keyFacts(asked, ports),
    names: csr && shown ? compareNames(csr, parseCertificate(shown.der)) : NO_NAMES,
    channelBinding,
    approved: false,
    quotaTaken: Object.fromEntries(counters),
    ...(shown && { renewal: await readRenewalFacts(shown, read, ports) }),
    rules,
    now,
  })
  return {
    outcome: decision.outcome,
    code: decision.outcome === 'denied' ? decision.refusal.code : null,
    rule: decision.rule?.name ?? null,
    because: decision.because,
    trace,
  }
}

/** The rules that decide now; those of a new instance where none were stored. */
export async function rulesInForce(read: Pick<StoreReader, 'document'>): Promise<Rules> {
  const stored = await read.document('rules', RULES_NAME)
  return parseRules(stored ? JSON.parse(stored.body) : defaultRules)
}

async function keyFacts({ csr, keyAlgorithm, serverKey }: WhatIf, { read, random }: WhatIfPorts): Promise<KeyFacts> {
  const origin = serverKey ? 'server' : 'device'
  if (csr === undefined) return { id: keyId(random.bytes(32)), algorithm: keyAlgorithm, origin, known: null }
  const spki = csr.subjectPublicKeyInfo.raw
  const id = keyId(sha256(spki))
  return { id, algorithm: keyAlgorithmOfSpki(spki), origin, known: (await read.key(id)) ?? null }
}
