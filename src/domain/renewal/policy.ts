// How the certificates of a profile are renewed: when, how evenly spread, with which key, what else asks for it, and what becomes of the
// certificate before. An operator writes it as the section `renewal` of a profile (docs/guides/renewal.md).
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { UnixSeconds } from '../ids.ts'

/** Fractions are of a certificate's life, from notBefore to notAfter. */
export interface RenewalPolicy {
  /** Whether a renewal may certify the same key again. */
  readonly sameKey: boolean
  /** For how long after we first saw a key it may be certified again; `null`: for as long as `sameKey` allows it. */
  readonly sameKeyForSeconds: number | null
  /** Where a renewal belongs when nothing speaks against it. */
  readonly opensAtFraction: number
  /** How far levelling may bring a renewal forward, and put it off. */
  readonly earliestFraction: number
  readonly latestFraction: number
  /** From here on a device asks and tries more often. */
  readonly urgentFraction: number
  /** For how long after notAfter the certificate may still be renewed, where the registration rule says nothing else. */
  readonly graceAfterExpirySeconds: number
  readonly triggers: RenewalTriggers
  readonly previous: {
    /** What becomes of the certificate before once its successor was seen in use: it is revoked as superseded, or lives out its time. */
    readonly retire: 'superseded' | 'leave'
    /** It ends so long after the renewal even if its successor was never seen; and never after its own notAfter. */
    readonly deadlineSeconds: number
  }
  /** What happens where a certificate is shown whose device goes by another one already: it is written down, or the device is suspended too. */
  readonly clones: 'record' | 'suspend'
}

/** What asks for a renewal before its time. */
export interface RenewalTriggers {
  readonly firmwareChange: boolean
  readonly configurationChange: boolean
  /** Codes of errors that a device reports of itself. */
  readonly healthCodes: readonly string[]
  /** From `at` on no key of the algorithm is certified, and who has one renews with another. */
  readonly algorithmEnds: readonly { readonly algorithm: KeyAlgorithmName; readonly at: UnixSeconds }[]
}

const DAY = 86_400

/** What a profile means that says nothing. */
export const DEFAULT_RENEWAL_POLICY: RenewalPolicy = {
  sameKey: true,
  sameKeyForSeconds: null,
  opensAtFraction: 2 / 3,
  earliestFraction: 1 / 4,
  latestFraction: 0.9,
  urgentFraction: 0.9,
  graceAfterExpirySeconds: 0,
  triggers: { firmwareChange: false, configurationChange: false, healthCodes: [], algorithmEnds: [] },
  previous: { retire: 'superseded', deadlineSeconds: 7 * DAY },
  clones: 'record',
}

/** When the algorithm ends by this policy; `null`: never. */
export function algorithmEnd({ triggers }: RenewalPolicy, algorithm: KeyAlgorithmName): UnixSeconds | null {
  const ends = triggers.algorithmEnds.filter(each => each.algorithm === algorithm).map(({ at }) => at)
  return ends.length === 0 ? null : Math.min(...ends)
}
