// Building certification paths: from a leaf up, through every certificate that has the right name, to an anchor. A depth-first search in a
// budget of signatures and candidates, which a mesh of cross-certificates cannot get out of; the best guess is tried first.
import { equalBytes } from '../../bytes/bytes.ts'
import { toHex } from '../../bytes/hex.ts'
import type { AlgorithmIdentifier } from '../algorithm-identifier.ts'
import type { Certificate } from '../certificate.ts'
import { formatName, type Name, nameKey } from '../name.ts'
import { checkIssuer, type PathCertificate, readPathCertificate } from '../path-check.ts'
import { inheritsParameters, withInherited } from './inherited-parameters.ts'
import { type PathProblem, problem } from './path-problem.ts'

/**
 * Whether `signature` over `tbs` was made with the key of `spki` (a whole SubjectPublicKeyInfo). Must not throw, and answers the same question
 * always the same: what was good is not asked again.
 */
export type VerifySignature = (
  spki: Uint8Array,
  algorithm: AlgorithmIdentifier,
  tbs: Uint8Array,
  signature: Uint8Array,
) => boolean

/** What one search may spend; those of CRLs and their issuers count too. */
export interface PathBudget {
  /** Signatures that are checked. */
  readonly signatures: number
  /** Candidates that are looked at. */
  readonly nodes: number
}

/** A path needs one signature a certificate; the rest is for cross-certificates, renewed CA keys, and CRLs. */
export const DEFAULT_BUDGET: PathBudget = { signatures: 64, nodes: 512 }
/** Complete paths that are judged. */
const MAX_COMPLETE = 64
/** Certificates in one path, leaf and anchor included. */
const MAX_LENGTH = 20
/** Certificates that a stranger may send along. */
export const MAX_INTERMEDIATES = 16_384
/** Where more certificates are at hand, how far a name is from an anchor is worth finding out before the search. */
const CROWD = 16

export interface SearchInput {
  readonly intermediates: readonly Certificate[]
  readonly anchors: readonly Certificate[]
  readonly at: number
  readonly verify: VerifySignature
  readonly budget: PathBudget
}

export interface Goal {
  readonly leaf: PathCertificate
  /** Only paths to this one. */
  readonly anchor?: Certificate | undefined
  /** Most certificates between leaf and anchor that are not self-issued. */
  readonly maxDepth?: number | undefined
  /** What is wrong with a complete path whose signatures are good; the search ends with the first path that nothing is wrong with. */
  readonly judge: (path: readonly PathCertificate[]) => readonly PathProblem[]
}

export type Finding =
  | { readonly path: readonly PathCertificate[]; readonly problems: readonly [] }
  /** The most telling failure: how far it came, and what stopped it there. */
  | {
      readonly path: readonly PathCertificate[]
      readonly problems: readonly [PathProblem, ...PathProblem[]]
      /** Whether the path reaches an anchor and its signatures are good. */
      readonly complete: boolean
    }

interface Candidate {
  readonly certificate: Certificate
  readonly anchor: boolean
}

type Issuer = PathCertificate & { readonly anchor: boolean }

/** Certificates with one subject. What they say is read, and their order found, when somebody asks for the name. */
interface Namesakes {
  readonly candidates: Candidate[]
  /** The likeliest first, whoever asks. */
  issuers?: readonly Issuer[]
  /** By key identifier in hexadecimal; those without one under the empty text. */
  byKey?: ReadonlyMap<string, readonly Issuer[]>
}
type Failure = Extract<Finding, { readonly complete: boolean }>

interface CheckedSignature {
  readonly signed: object
  readonly spki: Uint8Array
  readonly valid: boolean
}

/** One search, or several with one budget: the paths of a leaf and of whoever signed its CRLs. */
export class PathSearch {
  readonly #input: SearchInput
  readonly #byName = new Map<string, Namesakes>()
  readonly #crowd: boolean
  #distances: Map<string, number> | undefined
  readonly #checked: CheckedSignature[] = []
  #nodes: number
  #complete = MAX_COMPLETE
  #signatures: number

  constructor(input: SearchInput) {
    this.#input = input
    this.#nodes = input.budget.nodes
    this.#signatures = input.budget.signatures
    this.#crowd = input.intermediates.length > CROWD
    for (const certificate of input.anchors) this.#add({ certificate, anchor: true })
    for (const certificate of input.intermediates) this.#add({ certificate, anchor: false })
  }

  #add(candidate: Candidate): void {
    const key = nameKey(candidate.certificate.subject)
    const same = this.#byName.get(key)
    if (same) same.candidates.push(candidate)
    else this.#byName.set(key, { candidates: [candidate] })
  }

  /** Who may have signed something that names this issuer, and perhaps its key: the likeliest first. */
  *issuers(name: Name, keyIdentifier: Uint8Array | undefined): Generator<Issuer> {
    const namesakes = this.#byName.get(nameKey(name))
    if (namesakes === undefined) return
    namesakes.issuers ??= this.#inOrder(namesakes.candidates)
    if (keyIdentifier === undefined || namesakes.issuers.length === 1) {
      yield* namesakes.issuers
      return
    }
    // The key identifier is a hint, never a proof (RFC 5280 §4.2.1.1): the right key first, then those that do not say, then the others.
    namesakes.byKey ??= Map.groupBy(namesakes.issuers, keyOf)
    const wanted = toHex(keyIdentifier)
    yield* namesakes.byKey.get(wanted) ?? []
    if (wanted !== '') yield* namesakes.byKey.get('') ?? []
    for (const issuer of namesakes.issuers) {
      const key = keyOf(issuer)
      if (key !== wanted && key !== '') yield issuer
    }
  }

  /** Anchors first, then what is valid now, then what is nearer to an anchor. */
  #inOrder(candidates: readonly Candidate[]): readonly Issuer[] {
    const { at } = this.#input
    const issuers = candidates.map(({ certificate, anchor }) => ({ ...memoized(certificate), anchor }))
    if (issuers.length === 1) return issuers
    const weight = ({ certificate: { notBefore, notAfter, issuer }, anchor }: Issuer) => {
      if (anchor) return 0
      const near = this.#crowd ? (this.#distance(issuer) ?? candidates.length) : 0
      return 1 + near + (at >= notBefore && at <= notAfter ? 0 : 2 * MAX_INTERMEDIATES)
    }
    const weights = new Map(issuers.map(issuer => [issuer, weight(issuer)]))
    return issuers.sort((a, b) => weights.get(a)! - weights.get(b)!)
  }

  /** Takes one node from the budget; false where none is left. */
  spend(): boolean {
    return this.#nodes-- > 0
  }

  /** The first path to an anchor that is judged good, or the failure that says most. */
  find(goal: Goal): Finding {
    const best: { failure: Failure | undefined } = { failure: undefined }
    const found = this.#climb(goal, [goal.leaf], best)
    if (found) return { path: found, problems: [] }
    return best.failure ?? { path: [goal.leaf], problems: [noIssuer(goal.leaf)], complete: false }
  }

  #climb(
    goal: Goal,
    path: readonly PathCertificate[],
    best: { failure: Failure | undefined },
  ): readonly PathCertificate[] | undefined {
    const child = path[path.length - 1]!
    const fail = (at: readonly PathCertificate[], problems: Failure['problems'], complete = false) => {
      const failure = { path: at, problems, complete }
      if (best.failure === undefined || rank(failure) > rank(best.failure)) best.failure = failure
    }
    let none = true
    for (const issuer of this.issuers(child.certificate.issuer, child.authorityKeyIdentifier)) {
      if (!this.spend()) {
        fail(path, [exhausted(child, 'nodes', this.#input.budget.nodes)])
        return undefined
      }
      if (issuer.anchor && goal.anchor !== undefined && issuer.certificate !== goal.anchor) continue
      if (standsIn(path, issuer.certificate)) continue
      none = false
      const longer = [...path, issuer]
      const unfit = checkIssuer(issuer, this.#input.at)
      if (unfit) {
        fail(longer, [unfit])
        continue
      }
      // A key without its parameters can check nothing before the path is complete.
      const key = issuer.certificate.subjectPublicKeyInfo
      const verdict = inheritsParameters(key) || this.verify(key.raw, child.certificate)
      if (verdict === undefined) {
        fail(path, [exhausted(child, 'signatures', this.#input.budget.signatures)])
        return undefined
      }
      if (!verdict) {
        fail(path, [badSignature(child)])
        continue
      }
      if (!issuer.anchor) {
        const tooLong = checkLength(longer, goal.maxDepth)
        if (tooLong) fail(longer, [tooLong])
        else {
          const found = this.#climb(goal, longer, best)
          if (found) return found
        }
        continue
      }
      const whole = this.#inherit(longer)
      if (this.#complete-- <= 0) {
        fail(path, [exhausted(child, 'paths', MAX_COMPLETE)])
        return undefined
      }
      if (whole === undefined) {
        fail(path, [badSignature(child)])
        continue
      }
      const [first, ...others] = goal.judge(whole)
      if (first === undefined) return whole
      fail(whole, [first, ...others], true)
    }
    if (none) fail(path, [noIssuer(child)])
    return undefined
  }

  /** The path with the keys that took parameters from above, and what they signed checked; `undefined` where that is not good. */
  #inherit(path: readonly PathCertificate[]): readonly PathCertificate[] | undefined {
    if (!path.some(({ certificate }) => inheritsParameters(certificate.subjectPublicKeyInfo))) return path
    const whole = [...path]
    let above = path[path.length - 1]!.certificate.subjectPublicKeyInfo
    for (let i = path.length - 2; i >= 0; i--) {
      const { certificate } = path[i]!
      const key = withInherited(certificate.subjectPublicKeyInfo, above)
      if (key === undefined || !this.verify(above.raw, certificate)) return undefined
      whole[i] = { ...path[i]!, workingKey: key.raw }
      above = key
    }
    return whole
  }

  /** Certificates between this name and the name of an anchor, by names alone; `undefined` where none leads there. */
  #distance(name: Name): number | undefined {
    if (this.#distances === undefined) {
      this.#distances = new Map(this.#input.anchors.map(({ subject }) => [nameKey(subject), 0]))
      const below = new Map<string, string[]>()
      for (const { issuer, subject } of this.#input.intermediates) {
        const subjects = below.get(nameKey(issuer))
        if (subjects) subjects.push(nameKey(subject))
        else below.set(nameKey(issuer), [nameKey(subject)])
      }
      // A Map walks over what is added during the walk: nearest names first.
      for (const [key, distance] of this.#distances) {
        for (const subject of below.get(key) ?? []) {
          if (!this.#distances.has(subject)) this.#distances.set(subject, distance + 1)
        }
      }
    }
    return this.#distances.get(nameKey(name))
  }

  /** Whether the key signed this; the same question is asked once. `undefined`: the budget is spent. */
  verify(
    spki: Uint8Array,
    signed: {
      readonly tbs: Uint8Array
      readonly signature: Uint8Array
      readonly signatureAlgorithm: AlgorithmIdentifier
    },
  ): boolean | undefined {
    const known = this.#checked.find(each => each.signed === signed && equalBytes(each.spki, spki))
    if (known) return known.valid
    if (this.#signatures <= 0) return undefined
    this.#signatures--
    const valid = this.#input.verify(spki, signed.signatureAlgorithm, signed.tbs, signed.signature)
    this.#checked.push({ signed, spki, valid })
    return valid
  }
}

/** What the judgement of a complete path amounts to. */
export function finding(path: readonly PathCertificate[], [first, ...others]: readonly PathProblem[]): Finding {
  return first ? { path, problems: [first, ...others], complete: true } : { path, problems: [] }
}

function keyOf({ subjectKeyIdentifier }: PathCertificate): string {
  return subjectKeyIdentifier === undefined ? '' : toHex(subjectKeyIdentifier)
}

/** A certificate stands in a path once, and so does a name with its key (a loop would not end otherwise). */
function standsIn(path: readonly PathCertificate[], { subject, subjectPublicKeyInfo }: Certificate): boolean {
  return path.some(
    ({ certificate }) =>
      equalBytes(certificate.subjectPublicKeyInfo.raw, subjectPublicKeyInfo.raw) &&
      nameKey(certificate.subject) === nameKey(subject),
  )
}

/** A CA's certificate comes back with every leaf below it, as the same object where the caller keeps it: it is read once. */
export function memoized(certificate: Certificate): PathCertificate {
  let read = memo.get(certificate)
  if (read === undefined) {
    read = readPathCertificate(certificate)
    memo.set(certificate, read)
  }
  return read
}

const memo = new WeakMap<Certificate, PathCertificate>()

/**
 * How much a failure says: a complete path that breaks a rule, more where only the last questions (status, then the leaf's end) were
 * answered badly; then the budget, an unfit issuer, a bad signature, a missing issuer.
 */
function rank({ complete, problems: [{ code }] }: Failure): number {
  if (code === 'path.leaf_expired') return 8
  if (code === 'path.revoked' || code === 'path.held') return 7
  if (code === 'path.revocation_unknown') return 6
  if (complete) return 5
  switch (code) {
    case 'path.no_issuer':
      return 0
    case 'path.signature_invalid':
      return 1
    case 'path.budget_exhausted':
      return 3
    default:
      return 2
  }
}

function checkLength(path: readonly PathCertificate[], maxDepth: number | undefined): PathProblem | undefined {
  const last = path[path.length - 1]!
  if (path.length >= MAX_LENGTH) return problem('path.too_long', 'The path is too long.', last.certificate)
  if (maxDepth === undefined) return undefined
  const depth = path.slice(1).filter(({ selfIssued }) => !selfIssued).length
  if (depth <= maxDepth) return undefined
  return problem('path.too_long', 'The path is longer than was asked for.', last.certificate, { maxDepth })
}

function noIssuer(child: PathCertificate): PathProblem {
  const issuer = formatName(child.certificate.issuer).slice(0, 256)
  return problem('path.no_issuer', 'No certificate at hand has the name of the issuer.', child.certificate, { issuer })
}

function badSignature(child: PathCertificate): PathProblem {
  const issuer = formatName(child.certificate.issuer).slice(0, 256)
  const message = 'The signature does not verify with the key of the issuer.'
  return problem('path.signature_invalid', message, child.certificate, { issuer })
}

function exhausted(child: PathCertificate, what: 'nodes' | 'signatures' | 'paths', limit: number): PathProblem {
  return problem('path.budget_exhausted', 'The search for a path was cut off.', child.certificate, { [what]: limit })
}
