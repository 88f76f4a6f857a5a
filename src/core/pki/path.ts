// Certification paths (RFC 5280 §6.1) from a leaf to a trust anchor, as far as client certificates need them: no policy
// tree and no CRLs, so that critical policy constraints are refused rather than ignored. Building and checking are one
// bounded search; time, anchors and the signature check are arguments. What is asked of one complete path: `path-check.ts`.
import { equalBytes } from '../bytes/bytes.ts'
import type { Evidence } from '../errors.ts'
import type { AlgorithmIdentifier } from './algorithm-identifier.ts'
import type { Certificate } from './certificate.ts'
import { formatName, namesEqual } from './name.ts'
import {
  checkIssuer,
  checkLeafExpiry,
  checkPath,
  type PathCertificate,
  type PathErrorCode,
  type PathProblem,
  type PathPurpose,
  readPathCertificate,
} from './path-check.ts'

/** Whether `signature` over `tbs` was made with the key of `spki` (a whole SubjectPublicKeyInfo). Must not throw. */
export type VerifySignature = (
  spki: Uint8Array,
  algorithm: AlgorithmIdentifier,
  tbs: Uint8Array,
  signature: Uint8Array,
) => boolean

export interface PathInput {
  readonly leaf: Certificate
  /** What may stand between: in any order, with strangers among them. */
  readonly intermediates: readonly Certificate[]
  /** Trusted for their name and key; their validity and constraints count too (RFC 5937). */
  readonly anchors: readonly Certificate[]
  /** Whole seconds since 1970. */
  readonly at: number
  readonly verify: VerifySignature
  /** What the leaf is to be used for; absent: extended key usage is not asked. */
  readonly purpose?: PathPurpose | undefined
  /** Critical extensions that the caller processes itself, as OIDs. */
  readonly processed?: readonly string[] | undefined
}

export type PathResult =
  | { readonly ok: true; readonly path: Certificate[] }
  | {
      readonly ok: false
      readonly code: PathErrorCode
      readonly message: string
      readonly evidence: Evidence
      /** With `path.leaf_expired`: the path that is good but for the leaf's notAfter, so that a grace rule may go on. */
      readonly path?: Certificate[]
    }

interface Candidate {
  readonly certificate: Certificate
  readonly anchor: boolean
}

/** Signatures checked for one leaf: the longest path needs 7, the rest is for cross-certificates and renewed CA keys. */
const MAX_SIGNATURES = 16
/** Candidates looked at for one leaf. */
const MAX_NODES = 128
/** Certificates that a peer may send along. */
const MAX_INTERMEDIATES = 64
/** Certificates in one path, leaf and anchor included. */
const MAX_LENGTH = 8

/**
 * The path from the leaf to an anchor (both included), or the most telling reason why there is none. Stops at the first
 * good path. Never throws for what the certificates say: a malformed extension is a reason like others.
 */
export function validateChain(input: PathInput): PathResult {
  const { at, purpose } = input
  if (input.intermediates.length > MAX_INTERMEDIATES) {
    return failure({
      code: 'path.too_many_certificates',
      message: 'The peer sent too many certificates.',
      evidence: {},
    })
  }
  const leaf = readPathCertificate(input.leaf)
  const candidates: Candidate[] = [
    ...input.anchors.map(certificate => ({ certificate, anchor: true })),
    ...input.intermediates.map(certificate => ({ certificate, anchor: false })),
  ]
  const processed = new Set(input.processed)
  const budget = { nodes: MAX_NODES, signatures: MAX_SIGNATURES }
  let best: PathProblem | undefined
  let expired: { problem: PathProblem; path: Certificate[] } | undefined
  const note = (problem: PathProblem) => {
    if (best === undefined || rank(problem) > rank(best)) best = problem
  }

  const search = (path: readonly PathCertificate[]): Certificate[] | undefined => {
    const child = path[path.length - 1]!
    // Extensions are read only where the name fits: a server trusts hundreds of anchors, and few have this name.
    const issuers = candidates
      .filter(candidate => mayHaveIssued(candidate.certificate, child, path))
      .map(({ certificate, anchor }) => ({ ...readPathCertificate(certificate), anchor }))
    if (issuers.length === 0) note(noIssuer(child))
    issuers.sort((a, b) => preference(b, child) - preference(a, child))
    for (const issuer of issuers) {
      if (budget.nodes-- <= 0) {
        note({
          code: 'path.budget_exhausted',
          message: 'The search for a path was cut off.',
          evidence: { nodes: MAX_NODES },
        })
        return undefined
      }
      const unfit = checkIssuer(issuer, at)
      if (unfit) {
        note(unfit)
        continue
      }
      if (budget.signatures-- <= 0) {
        const evidence = { signatures: MAX_SIGNATURES }
        note({ code: 'path.budget_exhausted', message: 'The search for a path was cut off.', evidence })
        return undefined
      }
      const { tbs, signature, signatureAlgorithm } = child.certificate
      if (!input.verify(issuer.certificate.subjectPublicKeyInfo.raw, signatureAlgorithm, tbs, signature)) {
        note(badSignature(child))
        continue
      }
      const longer = [...path, issuer]
      if (!issuer.anchor) {
        if (longer.length >= MAX_LENGTH) note({ code: 'path.too_long', message: 'The path is too long.', evidence: {} })
        else {
          const found = search(longer)
          if (found) return found
        }
        continue
      }
      const problem = checkPath(longer, { at, purpose, processed })
      if (problem) {
        note(problem)
        continue
      }
      const certificates = longer.map(member => member.certificate)
      const late = checkLeafExpiry(leaf, at)
      if (!late) return certificates
      expired ??= { problem: late, path: certificates }
    }
    return undefined
  }

  const path = search([leaf])
  if (path) return { ok: true, path }
  if (expired) return { ...failure(expired.problem), path: expired.path }
  return failure(best ?? noIssuer(leaf))
}

function failure(problem: PathProblem) {
  return { ok: false as const, code: problem.code, message: problem.message, evidence: problem.evidence }
}

/** What stopped the search latest says most: a complete path that breaks a rule, then a bad signature, then a missing issuer. */
function rank(problem: PathProblem): number {
  switch (problem.code) {
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

/** Name chaining; a certificate stands in a path once, and so does a name with its key (a loop would not end otherwise). */
function mayHaveIssued(candidate: Certificate, child: PathCertificate, path: readonly PathCertificate[]): boolean {
  if (!namesEqual(candidate.subject, child.certificate.issuer)) return false
  return !path.some(
    member =>
      equalBytes(member.certificate.subjectPublicKeyInfo.raw, candidate.subjectPublicKeyInfo.raw) &&
      namesEqual(member.certificate.subject, candidate.subject),
  )
}

/** A hint, never a proof (RFC 5280 §4.2.1.1): the issuer with the right key identifier first, then anchors. */
function preference(candidate: PathCertificate & { readonly anchor: boolean }, child: PathCertificate): number {
  const wanted = child.authorityKeyIdentifier
  const has = candidate.subjectKeyIdentifier
  const byKey = wanted === undefined || has === undefined ? 1 : equalBytes(wanted, has) ? 2 : 0
  return 2 * byKey + (candidate.anchor ? 1 : 0)
}

function noIssuer(child: PathCertificate): PathProblem {
  const { issuer, serialNumber } = child.certificate
  return {
    code: 'path.no_issuer',
    message: 'No certificate at hand has the name of the issuer.',
    evidence: { issuer: formatName(issuer).slice(0, 256), serialNumber },
  }
}

function badSignature(child: PathCertificate): PathProblem {
  const { issuer, serialNumber } = child.certificate
  return {
    code: 'path.signature_invalid',
    message: 'The signature does not verify with the key of the issuer.',
    evidence: { issuer: formatName(issuer).slice(0, 256), serialNumber },
  }
}
