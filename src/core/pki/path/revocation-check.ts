// The status of every certificate of a path (RFC 5280 §6.3), from whoever the caller asks first and then from CRLs. A CRL that somebody else
// than the issuer signed needs a path for that signer, with statuses of its own: the same search, with the same budget.
import { equalBytes } from '../../bytes/bytes.ts'
import type { Certificate } from '../certificate.ts'
import type { CertificateList } from '../crl.ts'
import { checkLeafExpiry, comparisonBudget, type PathCertificate, pathProblems } from '../path-check.ts'
import { judgePolicies } from './certificate-policies.ts'
import { type CrlAuthorities, CrlIndex, crlStatus } from './crl-check.ts'
import { type PathProblem, problem } from './path-problem.ts'
import type { PathSearch, VerifySignature } from './path-search.ts'
import type { RevocationSource, RevocationStatus } from './revocation.ts'

/** CRL issuers whose CRL issuers have CRL issuers: honest ones end after two. */
const MAX_NESTING = 4
/** A CRL of 35 MB that a gateway keeps is hashed once, not once a certificate. */
const verified = new WeakMap<CertificateList, { readonly verifier: VerifySignature; readonly spki: Uint8Array }>()
/** Of CRLs with distribution points and with each other, in one search: four certificates with 64 points each, and 256 shards. */
const MAX_CRL_COMPARISONS = 65_536
const NO_EXTENSIONS: ReadonlySet<string> = new Set()

export class RevocationCheck {
  readonly #search: PathSearch
  readonly #verifier: VerifySignature
  readonly #source: RevocationSource
  readonly #crls: CrlIndex
  readonly #at: number
  readonly #comparisons = comparisonBudget()
  #comparable = MAX_CRL_COMPARISONS
  readonly #authorities: CrlAuthorities
  /** CRL issuers that are being looked at: their CRL may be about themselves (as in NIST PKITS 4.14.30). */
  readonly #pending: Certificate[] = []
  /** Whether something was taken as given because it was pending: such a result holds only inside of that question. */
  #assumed = false
  readonly #trusted: { readonly certificate: Certificate; readonly anchor: Certificate; readonly trusted: boolean }[] =
    []

  constructor(search: PathSearch, source: RevocationSource, at: number, verify: VerifySignature) {
    this.#search = search
    this.#verifier = verify
    this.#source = source
    this.#crls = new CrlIndex(source.crls)
    this.#at = at
    this.#authorities = {
      issuers: (name, keyIdentifier) => search.issuers(name, keyIdentifier),
      verify: (spki, crl) => this.#verify(spki, crl),
      trusts: (candidate, anchor) => this.#trusts(candidate, anchor),
      spend: () => search.spend(),
      compare: () => this.#comparable-- > 0,
    }
  }

  /** For each certificate from the leaf up, without the anchor: an anchor is trusted, not revoked. */
  statuses(path: readonly PathCertificate[]): RevocationStatus[] {
    return path.slice(0, -1).map(({ certificate }, i) => {
      const answer = this.#source.ask?.({ certificate, issuer: path[i + 1]!.certificate, at: this.#at })
      // A list may know of a revocation that came after what was said before.
      if (answer?.kind === 'revoked' || (answer?.kind === 'good' && this.#source.crls.length === 0)) return answer
      const status = crlStatus(path, i, this.#crls, this.#at, this.#authorities)
      if (answer?.kind === 'good') return status.kind === 'revoked' ? status : answer
      // Where there is no CRL to speak of, what was said before says more.
      return status.kind === 'unknown' && status.code === 'crl.none' && answer ? answer : status
    })
  }

  problems(path: readonly PathCertificate[], statuses: readonly RevocationStatus[]): PathProblem[] {
    const bad: PathProblem[] = []
    const open: PathProblem[] = []
    statuses.forEach((status, i) => {
      const { certificate } = path[i]!
      if (status.kind === 'revoked') bad.push(revoked(certificate, status))
      else if (status.kind === 'unknown' && this.#source.required) {
        open.push(problem('path.revocation_unknown', status.message, certificate, { reason: status.code }))
      }
    })
    // What is revoked says more than what could not be found out.
    return [...bad, ...open]
  }

  #verify(spki: Uint8Array, crl: CertificateList): boolean | undefined {
    const known = verified.get(crl)
    if (known?.verifier === this.#verifier && equalBytes(known.spki, spki)) return true
    const valid = this.#search.verify(spki, crl)
    if (valid) verified.set(crl, { verifier: this.#verifier, spki })
    return valid
  }

  #trusts(candidate: PathCertificate, anchor: Certificate): boolean {
    const { certificate } = candidate
    if (certificate === anchor) return true
    if (this.#pending.includes(certificate)) {
      this.#assumed = true
      return true
    }
    const known = this.#trusted.find(each => each.certificate === certificate && each.anchor === anchor)
    if (known) return known.trusted
    if (this.#pending.length >= MAX_NESTING) return false
    const before = this.#assumed
    this.#assumed = false
    this.#pending.push(certificate)
    const found = this.#search.find({ leaf: candidate, anchor, judge: path => this.#judge(path) })
    this.#pending.pop()
    const trusted = found.problems.length === 0
    if (!this.#assumed || this.#pending.length === 0) this.#trusted.push({ certificate, anchor, trusted })
    this.#assumed = this.#pending.length > 0 && (this.#assumed || before)
    return trusted
  }

  #judge(path: readonly PathCertificate[]): PathProblem[] {
    // A path like any other, to no purpose that RFC 5280 names, under no policy of ours.
    const problems = pathProblems(path, {
      at: this.#at,
      purpose: undefined,
      processed: NO_EXTENSIONS,
      comparisons: this.#comparisons,
    })
    const outcome = judgePolicies(path, {})
    if ('code' in outcome) problems.push(outcome)
    const late = checkLeafExpiry(path[0]!, this.#at)
    if (late) problems.push(late)
    return problems.length > 0 ? problems : this.problems(path, this.statuses(path))
  }
}

/** The certificates among which the search looks for issuers of certificates and of CRLs. */
export function withCrlIssuers(
  intermediates: readonly Certificate[],
  source: RevocationSource | undefined,
): readonly Certificate[] {
  return source?.certificates ? [...intermediates, ...source.certificates] : intermediates
}

function revoked(certificate: Certificate, { reason, revokedAt }: Extract<RevocationStatus, { kind: 'revoked' }>) {
  const evidence = { reason, revokedAt }
  return reason === 'certificateHold'
    ? problem('path.held', 'The certificate is on hold.', certificate, evidence)
    : problem('path.revoked', 'The certificate is revoked.', certificate, evidence)
}
