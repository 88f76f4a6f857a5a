// What somebody brings to tell the status of a certificate by: OCSP responses here, lists and artefacts beside them. Each source answers for one
// certificate and its issuer, or has nothing to say.

import { equalBytes } from '../../core/bytes/bytes.ts'
import { parseSign1 } from '../../core/cose/sign1.ts'
import { asTouchmarkError } from '../../core/errors.ts'
import { openStatusArtefact, StatusArtefact } from '../../core/filter/status-artefact.ts'
import { parseStatusBody } from '../../core/filter/status-body.ts'
import type { Certificate } from '../../core/pki/certificate.ts'
import type { BasicOcspResponse } from '../../core/pki/ocsp.ts'
import { checkOcspResponse } from '../../core/pki/ocsp-check.ts'
import type { RevocationQuestion, RevocationStatus } from '../../core/pki/path.ts'
import { sha1, sha256, sha384, sha512 } from '../../crypto/digest.ts'
import { inQuestion, issuerKeyHash, statusVerifier } from '../../crypto/status-signer.ts'
import { verifySignature } from '../../crypto/verify.ts'

/** Answers for one certificate; `undefined`: has nothing to say about it. Never throws. */
export type StatusSource = (question: RevocationQuestion) => RevocationStatus | undefined

/** Whoever says revoked decides: the others are older, or know less. Else the first that knows, or what the first that was asked said. */
export function anyOf(sources: readonly StatusSource[]): StatusSource {
  return question => {
    let best: RevocationStatus | undefined
    for (const source of sources) {
      const status = source(question)
      if (status?.kind === 'revoked') return status
      if (best === undefined || (best.kind === 'unknown' && status?.kind === 'good')) best = status ?? best
    }
    return best
  }
}

const HASHES: Readonly<Record<string, (octets: Uint8Array) => Uint8Array>> = {
  '1.3.14.3.2.26': sha1,
  '2.16.840.1.101.3.4.2.1': sha256,
  '2.16.840.1.101.3.4.2.2': sha384,
  '2.16.840.1.101.3.4.2.3': sha512,
}

/**
 * A compact status artefact, as it came. What it says of revoked ones counts however old it is; what it says of good ones while it is fresh, and for
 * as long as its own grace lasts.
 */
export function artefactStatus(octets: Uint8Array): StatusSource {
  const opened = new Map<Certificate, StatusArtefact | RevocationStatus | undefined>()
  return ({ certificate, issuer, at }) => {
    if (!opened.has(issuer)) opened.set(issuer, openFor(octets, issuer))
    const artefact = opened.get(issuer)
    if (!(artefact instanceof StatusArtefact)) return artefact
    const answer = artefact.query(inQuestion(certificate, issuer))
    const freshness = artefact.freshness(at)
    const { thisUpdate, graceUntil } = artefact.head
    if (freshness === 'early') return undetermined('status.early', 'The status artefact is from the future.')
    if (answer.status === 'revoked') {
      return {
        kind: 'revoked',
        source: 'other',
        reason: 'unspecified',
        revokedAt: thisUpdate,
        invalidityDate: undefined,
      }
    }
    if (answer.status === 'unknown')
      return undetermined('status.not_covered', `The certificate ${NOT_COVERED[answer.why]}.`)
    if (freshness === 'stale')
      return undetermined('status.stale', 'The status artefact is too old to say that it is good.')
    return { kind: 'good', source: 'other', until: graceUntil }
  }
}

const NOT_COVERED = {
  newer: 'is newer than the status artefact',
  older: 'is older than what the status artefact covers',
  expired: 'has left what the status artefact covers',
  foreign: 'has a serial number that the authority does not give',
} as const

function openFor(octets: Uint8Array, issuer: Certificate): StatusArtefact | RevocationStatus | undefined {
  try {
    const { head } = parseStatusBody(parseSign1(octets).payload)
    // One about another authority says nothing here.
    if (!equalBytes(head.issuerKeyHash, issuerKeyHash(issuer))) return undefined
    return openStatusArtefact(octets, { verify: statusVerifier(issuer) })
  } catch (thrown) {
    const { code, message } = asTouchmarkError(thrown)
    return undetermined(code, message)
  }
}

function undetermined(code: string, message: string): RevocationStatus {
  return { kind: 'unknown', code, message }
}

/** Of several responses that may be believed, one that says revoked decides: the others are older, or somebody lies. */
export function ocspStatus(responses: readonly BasicOcspResponse[]): StatusSource {
  return ({ certificate, issuer, at }) => {
    let best: RevocationStatus | undefined
    for (const response of responses) {
      const status = statusOf(response, certificate.serialNumber, issuer, at)
      if (status?.kind === 'revoked') return status
      if (best === undefined || status?.kind === 'good') best = status ?? best
    }
    return best
  }
}

function statusOf(
  response: BasicOcspResponse,
  serialNumber: string,
  issuer: RevocationQuestion['issuer'],
  at: number,
): RevocationStatus | undefined {
  const hash = (oid: string, octets: Uint8Array) => HASHES[oid]?.(octets)
  const verdict = checkOcspResponse({ response, serialNumber, issuer, at, verify: verifySignature, hash })
  if (!verdict.ok) {
    // One about somebody else is no broken promise.
    if (verdict.code === 'ocsp.other_certificate') return undefined
    return undetermined(verdict.code, verdict.message)
  }
  const { status } = verdict
  switch (status.kind) {
    case 'good':
      return { kind: 'good', source: 'ocsp', until: verdict.nextUpdate }
    case 'revoked':
      return {
        kind: 'revoked',
        source: 'ocsp',
        reason: status.reason ?? 'unspecified',
        revokedAt: status.revocationTime,
        invalidityDate: undefined,
      }
    case 'unknown':
      return undetermined('ocsp.unknown', 'The responder does not know the certificate.')
    default:
      return status satisfies never
  }
}
