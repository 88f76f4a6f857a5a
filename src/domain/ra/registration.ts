// What registration works with, wired once: the store, the authorities, and the readers that keep parsed documents.
import type { AuthorityDirectory } from '../ca/authorities.ts'
import type { CertificateIssuer } from '../ca/issuer.ts'
import type { Clock, Random, Store } from '../ports.ts'
import { RenewalPlan } from '../renewal/renewal-plan.ts'
import { DocumentCache } from './document-cache.ts'
import type { EnrolmentObserver } from './enrolment-observer.ts'
import { EvidenceReader } from './evidence-reader.ts'
import { RefusalLog } from './refusal-log.ts'
import { defaultRules, parseRules, RULES_NAME, type Rules } from './rules.ts'

export interface RegistrationPorts {
  readonly store: Store
  readonly authorities: Pick<AuthorityDirectory, 'profile' | 'issuing' | 'certificate' | 'chain' | 'trustBundle'>
  readonly issuer: Pick<CertificateIssuer, 'prepare' | 'sign'>
  readonly clock: Clock
  readonly random: Random
  readonly observer?: EnrolmentObserver | undefined
}

/** The ports together with what registration keeps for itself. One per process; disposing writes the refusals counted so far. */
export interface Registration extends RegistrationPorts {
  readonly evidence: EvidenceReader
  readonly refusals: RefusalLog
  readonly plan: RenewalPlan
  /** The rules in force; those of a new instance where none were stored. Throws `document.unreadable`. */
  rules(): Promise<Rules>
  [Symbol.asyncDispose](): Promise<void>
}

export function createRegistration(ports: RegistrationPorts): Registration {
  const refusals = new RefusalLog(ports)
  const cache = new DocumentCache<Rules>(parseRules)
  const initialRules = parseRules(defaultRules)
  let inForce: { readonly marker: number; readonly rules: Rules } | undefined
  return {
    ...ports,
    evidence: new EvidenceReader(ports.store.read),
    refusals,
    plan: new RenewalPlan(ports),
    async rules() {
      const { read } = ports.store
      const marker = await read.configurationMarker()
      if (inForce?.marker === marker) return inForce.rules
      const document = await read.document('rules', RULES_NAME)
      const rules = document ? cache.value(document) : initialRules
      // What was read may be newer than the marker, never older.
      inForce = { marker, rules }
      return rules
    },
    [Symbol.asyncDispose]: () => refusals[Symbol.asyncDispose](),
  }
}
