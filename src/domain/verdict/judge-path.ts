// Whether a certificate is good as far as certificates themselves can tell: a path to an anchor (RFC 5280 §6), its status where lists are given,
// the name that was meant (RFC 9525), what RFC 5280 demands of each certificate, and keys that nobody should rely on. Pure; the time is given.

import type { Evidence } from '../../core/errors.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { Certificate } from '../../core/pki/certificate.ts'
import type { CertificateList } from '../../core/pki/crl.ts'
import { findExtension } from '../../core/pki/extension.ts'
import { parseSubjectAltName } from '../../core/pki/extensions.ts'
import { formatName } from '../../core/pki/name.ts'
import { OID } from '../../core/pki/oids.ts'
import { type PathInput, type PathResult, validateChain } from '../../core/pki/path.ts'
import type { PathPurpose } from '../../core/pki/path-check.ts'
import { checkServiceIdentity, type ReferenceIdentifier } from '../../core/pki/service-identity.ts'
import { verifySignature } from '../../crypto/verify.ts'
import { verifyLegacySignature } from '../../crypto/verify-legacy.ts'
import type { UnixSeconds } from '../ids.ts'
import { anchorHygiene, certificateHygiene, signatureFlaws } from './certificate-hygiene.ts'
import { keepingSignatures } from './kept-signatures.ts'
import type { StatusSource } from './status-evidence.ts'

export interface PathQuestion {
  readonly leaf: Certificate
  readonly intermediates: readonly Certificate[]
  readonly anchors: readonly Certificate[]
  readonly at: UnixSeconds
  readonly purpose?: PathPurpose | undefined
  readonly name?: ReferenceIdentifier | undefined
  /** Most intermediates between leaf and anchor, self-issued ones not counted. */
  readonly maxDepth?: number | undefined
  readonly policies?: PathInput['policies']
  /** Where there are any, the status of every certificate below the anchor has to be known. */
  readonly crls?: readonly CertificateList[] | undefined
  /** Asked before the lists. */
  readonly status?: StatusSource | undefined
  /** Whether the leaf is refused where `status` does not know it. A stored answer is about one certificate: nobody brings one for each issuer. */
  readonly statusRequired?: boolean | undefined
  /** Whether certificates that break a MUST of RFC 5280, or whose key is weak, are refused (the default) or only reported. */
  readonly nonconforming?: 'refused' | 'reported' | undefined
}

/** One thing that was asked, and its answer. */
export interface Finding {
  readonly code: string
  /** One sentence. */
  readonly message: string
  readonly evidence: Evidence
}

export interface PathJudgement {
  readonly valid: boolean
  /** `good`, or that of the first finding. */
  readonly code: string
  /** Why not, the most telling first; empty where it is good. */
  readonly findings: readonly Finding[]
  /** What was reported and did not count. */
  readonly notes: readonly Finding[]
  /** From the leaf to the anchor, where there is one. */
  readonly path: readonly Certificate[] | undefined
  readonly result: PathResult
}

/** Never throws for what the certificates say. */
export function judgePath(question: PathQuestion): PathJudgement {
  const result = findPath(question)
  const findings: Finding[] = []
  const notes: Finding[] = []
  if (!result.ok) findings.push({ code: result.code, message: result.message, evidence: result.evidence })
  const open = result.ok && question.statusRequired ? result.steps[0]?.revocation : undefined
  if (open?.kind === 'unknown') {
    const evidence = { serialNumber: question.leaf.serialNumber, reason: open.code }
    findings.push({ code: 'path.revocation_unknown', message: open.message, evidence })
  }
  const path = result.path
  const name = question.name && checkName(question.leaf, question.name)
  if (name) findings.push(name)
  for (const [i, certificate] of (path ?? [question.leaf]).entries()) {
    const isAnchor = path !== undefined && i === path.length - 1
    const flaws = isAnchor
      ? anchorHygiene(certificate)
      : [...certificateHygiene(certificate), ...signatureFlaws(certificate)]
    for (const { code, message, counts } of flaws) {
      const refuses = counts === 'always' || (counts === 'in-use' && question.purpose !== undefined)
      const evidence = {
        subject: formatName(certificate.subject).slice(0, 256),
        serialNumber: certificate.serialNumber,
      }
      const target = refuses && question.nonconforming !== 'reported' ? findings : notes
      target.push({ code, message, evidence })
    }
  }
  const valid = findings.length === 0
  return { valid, code: valid ? 'good' : findings[0]!.code, findings, notes, path, result }
}

const verifyKept = keepingSignatures(verifySignature)
const verifyLegacyKept = keepingSignatures(verifyLegacySignature)

/**
 * Without a purpose path validation is asked as such (RFC 5280 §6), and that knows no algorithms: what can be checked is checked, and said. With a
 * purpose the signatures of our day count; others are tried only to be able to say why not. A certificate that is itself an anchor is trusted as
 * it is: there is no signature to check, no status to ask and no policy to follow.
 */
function findPath(question: PathQuestion): PathResult {
  const { leaf, intermediates, anchors, at, purpose, maxDepth, policies, crls = [], status } = question
  const required = crls.length > 0
  const revocation = required || status ? { crls, ask: status, required } : undefined
  const input = { leaf, intermediates, anchors, at, purpose, maxDepth, policies, revocation, leafMayBeAnchor: true }
  if (purpose === undefined) return validateChain({ ...input, verify: verifyLegacyKept })
  const strict = validateChain({ ...input, verify: verifyKept })
  if (strict.ok || strict.code !== 'path.signature_invalid') return strict
  const old = validateChain({ ...input, verify: verifyLegacyKept })
  return old.ok ? old : strict
}

function checkName(leaf: Certificate, wanted: ReferenceIdentifier): Finding | undefined {
  const san = findExtension(leaf.extensions, OID.subjectAltName)
  try {
    return checkServiceIdentity(san ? parseSubjectAltName(san.value) : [], wanted)
  } catch (error) {
    if (!(error instanceof TouchmarkError)) throw error
    return {
      code: 'identity.names_unreadable',
      message: 'The alternative names of the certificate cannot be read.',
      evidence: { reason: error.code },
    }
  }
}
