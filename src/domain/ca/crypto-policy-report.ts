// What the crypto policy in force means for this instance: which authorities and which profiles use an algorithm that ends, or ends too soon.
// A report for people; what is refused at issue is the lint gate's (A policy never changes what can be verified.)
import { NO_EXPIRY } from '../../core/asn1/time.ts'
import type { Certificate } from '../../core/pki/certificate.ts'
import { type KeyAlgorithmName, keyAlgorithmOfSpki } from '../../crypto/algorithms.ts'
import { type CryptoPolicy, judgeAlgorithm } from '../../crypto/crypto-policy.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Profile } from './profile.ts'

export interface CryptoPolicyFinding {
  readonly kind: 'authority' | 'profile'
  /** Authority id or profile name. */
  readonly name: string
  readonly algorithm: KeyAlgorithmName
  /** `forbidden`: may not be used at all; `ended`: its last date is past; `outlives`: what lives or would be issued now ends after it. */
  readonly outcome: 'forbidden' | 'ended' | 'outlives'
  /** The algorithm's last second; `null` where it is forbidden. */
  readonly lastUse: UnixSeconds | null
  /** notAfter of the authority's certificate, or of one issued under the profile now. */
  readonly notAfter: UnixSeconds
  /** Profiles: the last second in which a certificate of full length still ends in time; `null` where there is none. */
  readonly issueUntil: UnixSeconds | null
}

export interface CryptoPolicySubjects {
  readonly authorities: readonly { readonly id: string; readonly certificate: Certificate }[]
  readonly profiles: readonly Profile[]
}

/** Every authority and every algorithm of every profile that the policy objects to, authorities first. */
export function reportCryptoPolicy(
  policy: CryptoPolicy,
  subjects: CryptoPolicySubjects,
  now: UnixSeconds,
): CryptoPolicyFinding[] {
  const findings: CryptoPolicyFinding[] = []
  const ask = (
    kind: CryptoPolicyFinding['kind'],
    name: string,
    algorithm: KeyAlgorithmName,
    notAfter: UnixSeconds,
  ): void => {
    const verdict = judgeAlgorithm(policy, algorithm, notAfter)
    switch (verdict.outcome) {
      case 'allowed':
        return
      case 'forbidden':
        findings.push({ kind, name, algorithm, outcome: 'forbidden', lastUse: null, notAfter, issueUntil: null })
        return
      case 'outlives': {
        const { lastUse } = verdict
        const issueUntil = kind === 'profile' && notAfter !== NO_EXPIRY ? lastUse - (notAfter - now) : null
        const outcome = lastUse < now ? 'ended' : 'outlives'
        findings.push({
          kind,
          name,
          algorithm,
          outcome,
          lastUse,
          notAfter,
          issueUntil: issueUntil !== null && issueUntil >= now ? issueUntil : null,
        })
        return
      }
      default:
        verdict satisfies never
    }
  }
  for (const { id, certificate } of subjects.authorities) {
    ask('authority', id, keyAlgorithmOfSpki(certificate.subjectPublicKeyInfo), certificate.notAfter)
  }
  for (const { name, keyAlgorithms, lifetimeSeconds } of subjects.profiles) {
    const notAfter = lifetimeSeconds === null ? NO_EXPIRY : now + lifetimeSeconds - 1
    for (const algorithm of keyAlgorithms) ask('profile', name, algorithm, notAfter)
  }
  return findings
}
