// The status of a certificate from CRLs (RFC 5280 §6.3.3): complete, delta, indirect and partitioned ones, each signed by whoever the path
// to the same anchor lets sign it. Who may sign is asked back from the search that builds paths.

import { TouchmarkError } from '../../errors.ts'
import type { Certificate } from '../certificate.ts'
import { type CertificateList, findRevoked, type RevokedCertificate } from '../crl.ts'
import { REASON_FLAGS, type ReasonFlag } from '../crl-reason.ts'
import { type DistributionPoint, parseCRLDistributionPoints } from '../distribution-point.ts'
import { findExtension } from '../extension.ts'
import type { GeneralName } from '../general-name.ts'
import { type Name, nameKey } from '../name.ts'
import { OID } from '../oids.ts'
import type { PathCertificate } from '../path-check.ts'
import { type CrlFacts, directoryNameKey, distributionPointKeys, generalNameKey, readCrlFacts } from './crl-facts.ts'
import type { CrlProblemCode } from './path-problem.ts'
import type { RevocationStatus } from './revocation.ts'

/** What the check needs to know about keys and paths. */
export interface CrlAuthorities {
  /** Certificates at hand with this subject, the likeliest first. */
  issuers(name: Name, keyIdentifier: Uint8Array | undefined): Iterable<PathCertificate>
  /** Whether this key signed the list; `undefined` where the budget is spent. */
  verify(spki: Uint8Array, crl: CertificateList): boolean | undefined
  /** Whether a valid path leads from this certificate to this anchor. */
  trusts(candidate: PathCertificate, anchor: Certificate): boolean
  /** Takes one from the budget of things looked at; false where nothing is left. */
  spend(): boolean
  /** As `spend`, for what costs next to nothing: whether a CRL is about a distribution point, or goes with another CRL. */
  compare(): boolean
}

/** A distribution point as the check compares it. */
interface Point {
  /** Who must have issued the CRL, as keys of names. */
  readonly issuers: ReadonlySet<string>
  /** cRLIssuer is present: the CRL must be an indirect one. */
  readonly indirect: boolean
  /** What the scope of the CRL must name, where it names anything. */
  readonly names: ReadonlySet<string>
  readonly reasons: number
}

const ALL_REASONS = maskOf(Object.keys(REASON_FLAGS) as ReasonFlag[])

/** Why no CRL could be used, from what says least to what says most. */
const MESSAGES: Readonly<Record<CrlProblemCode, string>> = {
  'crl.none': 'No CRL at hand is about this certificate.',
  'crl.scope_mismatch':
    'The CRLs of the issuer are not about this certificate: another distribution point, kind or issuer.',
  'crl.delta_without_base': 'There is a delta CRL, and no complete CRL that it goes with.',
  'crl.not_yet_valid': 'The CRL is not valid yet.',
  'crl.expired': 'The CRL has expired.',
  'crl.no_next_update': 'The CRL does not say until when it is good.',
  'crl.malformed': 'The CRL cannot be read.',
  'crl.number_invalid': 'The CRL has no number, or one that is marked critical.',
  'crl.extension_unknown': 'The CRL has a critical extension that is not understood here.',
  'crl.issuer_untrusted':
    'No certificate at hand may sign this CRL: wrong name, wrong key usage, or no path to the anchor.',
  'crl.signature_invalid': 'The signature of the CRL does not verify.',
  'crl.budget_exhausted': 'Looking for the status was cut off.',
  'crl.reasons_incomplete': 'The CRLs cover some reasons for revocation and not others.',
}
const RANKS = Object.keys(MESSAGES) as CrlProblemCode[]

/** CRLs by the name of their issuer, newest first. */
export class CrlIndex {
  readonly #byIssuer = new Map<string, CertificateList[]>()

  constructor(crls: readonly CertificateList[]) {
    for (const crl of crls) {
      const key = nameKey(crl.issuer)
      const same = this.#byIssuer.get(key)
      if (same) same.push(crl)
      else this.#byIssuer.set(key, [crl])
    }
    for (const same of this.#byIssuer.values()) same.sort((a, b) => b.thisUpdate - a.thisUpdate)
  }

  issuedBy(key: string): readonly CertificateList[] {
    return this.#byIssuer.get(key) ?? []
  }
}

/** `path[at]` is the certificate in question; what stands above it ends with the anchor, and is taken as valid. */
export function crlStatus(
  path: readonly PathCertificate[],
  index: number,
  crls: CrlIndex,
  at: number,
  authorities: CrlAuthorities,
): RevocationStatus {
  return new CrlCheck(path, index, crls, at, authorities).run()
}

class CrlCheck {
  readonly #path: readonly PathCertificate[]
  readonly #index: number
  readonly #subject: PathCertificate
  readonly #crls: CrlIndex
  readonly #at: number
  readonly #authorities: CrlAuthorities
  #covered = 0
  #until: number | undefined
  #worst: CrlProblemCode = 'crl.none'

  constructor(
    path: readonly PathCertificate[],
    index: number,
    crls: CrlIndex,
    at: number,
    authorities: CrlAuthorities,
  ) {
    this.#path = path
    this.#index = index
    this.#subject = path[index]!
    this.#crls = crls
    this.#at = at
    this.#authorities = authorities
  }

  run(): RevocationStatus {
    const points = this.#points()
    if (points === undefined) return this.#unknown('crl.malformed')
    // The last one is what §6.3.3 assumes where the others left the question open: a CRL of the issuer about everything.
    for (const point of [...points, this.#assumedPoint()]) {
      for (const issuer of point.issuers) {
        for (const crl of this.#crls.issuedBy(issuer)) {
          const entry = this.#ask(point, crl)
          if (entry) {
            const { reason, revocationDate: revokedAt, invalidityDate } = entry
            return { kind: 'revoked', source: 'crl', reason, revokedAt, invalidityDate }
          }
          if (this.#worst === 'crl.budget_exhausted') return this.#unknown(this.#worst)
          if (this.#covered === ALL_REASONS) return { kind: 'good', source: 'crl', until: this.#until }
        }
      }
    }
    if (this.#covered !== 0) this.#note('crl.reasons_incomplete')
    return this.#unknown(this.#worst)
  }

  #unknown(code: CrlProblemCode): RevocationStatus {
    return { kind: 'unknown', code, message: MESSAGES[code] }
  }

  #note(code: CrlProblemCode): undefined {
    if (RANKS.indexOf(code) > RANKS.indexOf(this.#worst)) this.#worst = code
    return undefined
  }

  /** One complete CRL, with its newest delta (§6.3.3 (a) to (l)). The entry where it says revoked. */
  #ask(point: Point, crl: CertificateList): RevokedCertificate | undefined {
    if (!this.#authorities.compare()) return this.#note('crl.budget_exhausted')
    const facts = readCrlFacts(crl)
    // A delta is used with its base, below.
    if (facts.baseNumber !== undefined) return this.#note('crl.delta_without_base')
    if (facts.unusable) return this.#note(facts.unusable)
    if (!this.#inScope(point, facts)) return this.#note('crl.scope_mismatch')
    // (d) and (e)
    const reasons = point.reasons & (facts.scope?.onlySomeReasons ? maskOf(facts.scope.onlySomeReasons) : ALL_REASONS)
    if ((reasons & ~this.#covered) === 0) return undefined
    if (!this.#authorities.spend()) return this.#note('crl.budget_exhausted')
    const early = this.#early(crl)
    if (early) return this.#note(early)
    // (a): a base that has expired lives on in a delta that has not.
    const delta = this.#deltaFor(crl, facts)
    const late = this.#late(delta ?? crl)
    if (late) return this.#note(late)
    const signer = this.#signerOf(crl, facts)
    if (typeof signer === 'string') return this.#note(signer)
    // (h): with the same key as the base.
    const trusted = delta && this.#authorities.verify(signer, delta) ? delta : undefined
    if (delta && !trusted) {
      const stale = this.#late(crl)
      if (stale) return this.#note(stale)
    }
    const entry = this.#lookUp(crl, trusted)
    if (typeof entry === 'string') return this.#note(entry)
    if (entry) return entry
    this.#covered |= reasons
    const ends = (trusted ?? crl).nextUpdate
    this.#until = ends === undefined ? this.#until : Math.min(ends, this.#until ?? ends)
    return undefined
  }

  /** (i) to (k): the delta first, then the base, unless the delta takes the entry back. */
  #lookUp(crl: CertificateList, delta: CertificateList | undefined): RevokedCertificate | CrlProblemCode | undefined {
    const { serialNumber, issuer } = this.#subject.certificate
    try {
      const entry = (delta && findRevoked(delta, serialNumber, issuer)) ?? findRevoked(crl, serialNumber, issuer)
      return entry?.reason === 'removeFromCRL' ? undefined : entry
    } catch (error) {
      if (!(error instanceof TouchmarkError)) throw error
      return error.code === 'crl.extension_unknown' ? error.code : 'crl.malformed'
    }
  }

  /** (b): the issuer was looked up by name, so what is left is the scope. */
  #inScope(point: Point, { scope, scopeNames }: CrlFacts): boolean {
    if (point.indirect && !scope?.indirectCRL) return false
    if (scope === undefined) return true
    if (scopeNames && !some(scopeNames, name => point.names.has(name))) return false
    const isCa = this.#subject.basicConstraints?.cA === true
    if (scope.onlyContainsUserCerts && isCa) return false
    if (scope.onlyContainsCACerts && !isCa) return false
    return !scope.onlyContainsAttributeCerts
  }

  #early(crl: CertificateList): CrlProblemCode | undefined {
    return crl.thisUpdate > this.#at ? 'crl.not_yet_valid' : undefined
  }

  #late({ nextUpdate }: CertificateList): CrlProblemCode | undefined {
    if (nextUpdate === undefined) return 'crl.no_next_update'
    return nextUpdate < this.#at ? 'crl.expired' : undefined
  }

  /** (c): the newest delta that is current, has the same scope and key, and begins where this one may end (§5.2.4). */
  #deltaFor(crl: CertificateList, { number, family }: CrlFacts): CertificateList | undefined {
    if (number === undefined) return undefined
    let best: { crl: CertificateList; number: bigint } | undefined
    for (const candidate of this.#crls.issuedBy(nameKey(crl.issuer))) {
      if (!this.#authorities.compare()) break
      const facts = readCrlFacts(candidate)
      if (facts.baseNumber === undefined || facts.number === undefined) continue
      if (facts.unusable) this.#note(facts.unusable)
      else if (
        facts.family === family &&
        facts.baseNumber <= number &&
        facts.number > number &&
        this.#early(candidate) === undefined &&
        this.#late(candidate) === undefined &&
        (best === undefined || facts.number > best.number)
      ) {
        best = { crl: candidate, number: facts.number }
      }
    }
    return best?.crl
  }

  /** (f) and (g): the key that signed the CRL, of a certificate that may sign CRLs and leads to the anchor of this path. */
  #signerOf(crl: CertificateList, { keyIdentifier }: CrlFacts): Uint8Array | CrlProblemCode {
    const wanted = nameKey(crl.issuer)
    const above = this.#path.slice(this.#index + 1)
    const inPath = above.filter(({ certificate }) => nameKey(certificate.subject) === wanted)
    let problem: CrlProblemCode = 'crl.issuer_untrusted'
    for (const candidate of inTurn(inPath, this.#authorities.issuers(crl.issuer, keyIdentifier))) {
      if (!this.#authorities.spend()) return 'crl.budget_exhausted'
      if (candidate.malformed) continue
      // An anchor of version 1 cannot say what it may sign; like any certificate without keyUsage it may.
      if (candidate.keyUsage && !candidate.keyUsage.includes('cRLSign')) continue
      const spki = candidate.workingKey ?? candidate.certificate.subjectPublicKeyInfo.raw
      const verdict = this.#authorities.verify(spki, crl)
      if (verdict === undefined) return 'crl.budget_exhausted'
      if (!verdict) problem = 'crl.signature_invalid'
      else if (inPath.includes(candidate)) return spki
      else if (this.#authorities.trusts(candidate, this.#path.at(-1)!.certificate)) return spki
      else return 'crl.issuer_untrusted'
    }
    return problem
  }

  /** The certificate's own distribution points; `undefined` where they cannot be read. */
  #points(): Point[] | undefined {
    const { certificate } = this.#subject
    const found = findExtension(certificate.extensions, OID.cRLDistributionPoints)
    if (found === undefined) return []
    try {
      return parseCRLDistributionPoints(found.value).map(point => readPoint(point, certificate.issuer))
    } catch (error) {
      if (!(error instanceof TouchmarkError)) throw error
      return undefined
    }
  }

  #assumedPoint(): Point {
    const { issuer } = this.#subject.certificate
    const names = new Set([directoryNameKey(issuer)])
    return { issuers: new Set([nameKey(issuer)]), indirect: false, names, reasons: ALL_REASONS }
  }
}

function readPoint({ distributionPoint, reasons, cRLIssuer }: DistributionPoint, certificateIssuer: Name): Point {
  const named = cRLIssuer?.flatMap(name => (name.kind === 'directoryName' ? [name.name] : []))
  const issuers = named ?? [certificateIssuer]
  const names = distributionPoint
    ? distributionPointKeys(distributionPoint, issuers[0] ?? certificateIssuer)
    : new Set((cRLIssuer ?? []).map((name: GeneralName) => generalNameKey(name)))
  return {
    issuers: new Set(issuers.map(nameKey)),
    indirect: cRLIssuer !== undefined,
    names,
    reasons: reasons ? maskOf(reasons) : ALL_REASONS,
  }
}

function maskOf(reasons: readonly ReasonFlag[]): number {
  return reasons.reduce((mask, reason) => mask | (1 << REASON_FLAGS[reason]), 0)
}

function* inTurn<T>(first: Iterable<T>, then: Iterable<T>): Generator<T> {
  yield* first
  yield* then
}

function some<T>(values: Iterable<T>, test: (value: T) => boolean): boolean {
  for (const value of values) if (test(value)) return true
  return false
}
