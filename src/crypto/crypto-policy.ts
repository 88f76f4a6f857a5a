// Crypto policy: until when each algorithm may be used, as data, because the rules differ by market and change with time.
// A policy never changes what can be verified; it says what may still be issued, and which live identities outlive it.
import type { KeyAlgorithmName } from './algorithms.ts'

/** Seconds since 1970-01-01T00:00:00Z. */
type Seconds = number

export interface CryptoPolicy {
  readonly name: string
  /** Where the dates come from, for the report. */
  readonly source: string
  /** The last second in which an algorithm may be in use; an algorithm without an entry has no last date. */
  readonly lastUse: Readonly<Partial<Record<KeyAlgorithmName, Seconds>>>
  /** Algorithms that may not be used at all under this policy. */
  readonly forbidden: readonly KeyAlgorithmName[]
}

const END_OF_2030 = Date.UTC(2031, 0, 1) / 1000 - 1
const END_OF_2035 = Date.UTC(2036, 0, 1) / 1000 - 1

/** No dates: what the table can do, a deployment may do. */
export const UNLIMITED_POLICY: CryptoPolicy = {
  name: 'unlimited',
  source: 'No outside rule.',
  lastUse: {},
  forbidden: [],
}

/** NIST IR 8547 (initial public draft, 2024) table 2: 112-bit signatures are deprecated after 2030 (here: end), all quantum-vulnerable ones end with 2035. */
export const NIST_IR_8547_POLICY: CryptoPolicy = {
  name: 'nist-ir-8547',
  source:
    'NIST IR 8547 ipd, table 2: 112 bits deprecated after 2030; all quantum-vulnerable signatures disallowed after 2035.',
  lastUse: {
    'RSA-2048': END_OF_2030,
    'RSA-3072': END_OF_2035,
    'RSA-4096': END_OF_2035,
    'P-256': END_OF_2035,
    'P-384': END_OF_2035,
    'P-521': END_OF_2035,
    Ed25519: END_OF_2035,
  },
  forbidden: [],
}

/** CNSA 2.0 (NSA, 2022; FAQ 2024): ML-DSA-87 only once the transition is over; P-384 and RSA of 3072 bits or more until then. */
export const CNSA_2_POLICY: CryptoPolicy = {
  name: 'cnsa-2.0',
  source: 'NSA CNSA 2.0 FAQ: ML-DSA-87; P-384 and RSA >= 3072 in the transition, which ends by 2035 at the latest.',
  lastUse: { 'P-384': END_OF_2035, 'RSA-3072': END_OF_2035, 'RSA-4096': END_OF_2035 },
  forbidden: ['P-256', 'P-521', 'Ed25519', 'RSA-2048', 'ML-DSA-44', 'ML-DSA-65'],
}

export const CRYPTO_POLICIES: readonly CryptoPolicy[] = [UNLIMITED_POLICY, NIST_IR_8547_POLICY, CNSA_2_POLICY]

/** The outcome of asking a policy about one key that is to live until a time: a value, because a refusal is no error. */
export type PolicyVerdict =
  | { readonly outcome: 'allowed' }
  | { readonly outcome: 'forbidden' }
  | { readonly outcome: 'outlives'; readonly lastUse: Seconds }

/** Whether a key of this algorithm may be in use up to and including `until` (a certificate's notAfter). */
export function judgeAlgorithm(policy: CryptoPolicy, algorithm: KeyAlgorithmName, until: Seconds): PolicyVerdict {
  if (policy.forbidden.includes(algorithm)) return { outcome: 'forbidden' }
  const lastUse = policy.lastUse[algorithm]
  return lastUse !== undefined && until > lastUse ? { outcome: 'outlives', lastUse } : { outcome: 'allowed' }
}
