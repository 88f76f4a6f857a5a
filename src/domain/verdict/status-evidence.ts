// What somebody brings to tell the status of a certificate by: OCSP responses here, lists and artefacts beside them. Each source answers for one
// certificate and its issuer, or has nothing to say.

import type { BasicOcspResponse } from '../../core/pki/ocsp.ts'
import { checkOcspResponse } from '../../core/pki/ocsp-check.ts'
import type { RevocationQuestion, RevocationStatus } from '../../core/pki/path.ts'
import { sha1, sha256, sha384, sha512 } from '../../crypto/digest.ts'
import { verifySignature } from '../../crypto/verify.ts'

/** Answers for one certificate; `undefined`: has nothing to say about it. Never throws. */
export type StatusSource = (question: RevocationQuestion) => RevocationStatus | undefined

/** The first that knows; else what the first that was asked said. */
export function firstOf(sources: readonly StatusSource[]): StatusSource {
  return question => {
    let unknown: RevocationStatus | undefined
    for (const source of sources) {
      const status = source(question)
      if (status && status.kind !== 'unknown') return status
      unknown ??= status
    }
    return unknown
  }
}

const HASHES: Readonly<Record<string, (octets: Uint8Array) => Uint8Array>> = {
  '1.3.14.3.2.26': sha1,
  '2.16.840.1.101.3.4.2.1': sha256,
  '2.16.840.1.101.3.4.2.2': sha384,
  '2.16.840.1.101.3.4.2.3': sha512,
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
    return { kind: 'unknown', code: verdict.code, message: verdict.message }
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
      return { kind: 'unknown', code: 'ocsp.unknown', message: 'The responder does not know the certificate.' }
    default:
      return status satisfies never
  }
}
