// How something is revoked: why, since when its key is suspect, and whether it goes on hold first, so that a mistake can be undone. The rules of
// RFC 5280 §5.3.1 and §5.3.2 on what a person may ask for are here.
import { type Evidence, TouchmarkError } from '../../core/errors.ts'
import { type CrlReason, isCrlReason } from '../../core/pki/crl-reason.ts'
import type { CertificateStatus, HoldEnd } from '../ca/certificate-record.ts'
import { becauseDetail } from '../device/device-act.ts'
import type { UnixSeconds } from '../ids.ts'

/** Reasons that a person or rule may give for a certificate. */
export const REVOCATION_REASONS = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'privilegeWithdrawn',
] as const satisfies readonly CrlReason[]

export type RevocationReason = (typeof REVOCATION_REASONS)[number]

/** What whoever revokes says. */
export interface RevocationTerms {
  readonly reason: RevocationReason
  /** Since when the key is suspect: the invalidity date. */
  readonly suspectSince?: UnixSeconds
  /** On hold until then, and revoked from then on, unless it is released before. */
  readonly undoUntil?: UnixSeconds
  /** One word: a ticket number or a code. */
  readonly because?: string
}

/** A day is enough to see what stopped working, a month is no longer a revocation. */
export const MAX_UNDO_SECONDS = 31 * 86_400

/**
 * Reads a reason as people and scripts write it. Throws `revocation.reason_unknown`, and `revocation.reason_not_by_hand` for those of
 * RFC 5280 that no person gives.
 */
export function parseRevocationReason(text: string): RevocationReason {
  const reason = REVOCATION_REASONS.find(candidate => candidate.toLowerCase() === text.toLowerCase())
  if (reason) return reason
  if (isCrlReason(text)) {
    throw new TouchmarkError(
      'revocation.reason_not_by_hand',
      'malformed',
      `${text} is no reason to revoke a certificate.`,
      {
        next:
          text === 'removeFromCRL'
            ? 'A delta CRL says it of what was released: release the hold.'
            : 'It is for attribute certificates. For a certificate use privilegeWithdrawn.',
      },
    )
  }
  throw new TouchmarkError('revocation.reason_unknown', 'malformed', `"${text}" is not a revocation reason.`, {
    next: `Use one of: ${REVOCATION_REASONS.join(', ')}.`,
  })
}

/**
 * Throws `revocation.suspect_since_ahead`, `revocation.undo_invalid` and `device.because_invalid` where what is asked for makes no sense at
 * `now`.
 */
export function checkTerms({ reason, suspectSince, undoUntil, because }: RevocationTerms, now: UnixSeconds): void {
  becauseDetail(because === undefined ? {} : { because })
  if (suspectSince !== undefined && suspectSince > now) {
    throw new TouchmarkError(
      'revocation.suspect_since_ahead',
      'malformed',
      'A key is not suspect since a time to come.',
      {
        next: 'Give the time at which it may first have been misused (RFC 5280 §5.3.2).',
        evidence: { suspectSince, now },
      },
    )
  }
  if (undoUntil === undefined) return
  const problem =
    reason === 'certificateHold'
      ? 'A hold can be released as it is: it needs no time in which to undo it.'
      : undoUntil <= now
        ? 'The time in which to undo it is over before it begins.'
        : undoUntil - now > MAX_UNDO_SECONDS
          ? `The time in which to undo it is longer than ${MAX_UNDO_SECONDS / 86_400} days.`
          : undefined
  if (problem === undefined) return
  throw new TouchmarkError('revocation.undo_invalid', 'malformed', problem, {
    next: 'Ask for a hold (certificateHold) to decide later, or for a shorter time.',
    evidence: { reason, undoUntil },
  })
}

/** The status that the terms give, from `now` on. */
export function statusOfTerms(
  { reason, suspectSince, undoUntil }: RevocationTerms,
  now: UnixSeconds,
): CertificateStatus {
  const facts = { at: now, invalidityDate: suspectSince ?? null }
  if (reason === 'certificateHold') return { kind: 'held', ...facts, ends: null }
  if (undoUntil !== undefined) return { kind: 'held', ...facts, ends: { at: undoUntil, reason } }
  return { kind: 'revoked', ...facts, reason }
}

/** Whether a certificate with this status moves when it is given the other. */
export function mayBecome(from: CertificateStatus, to: CertificateStatus): boolean {
  if (from.kind === 'good') return to.kind !== 'good'
  if (from.kind === 'revoked' || to.kind === 'good') return false
  // A hold that ends is as good as revoked. Who announces another end decides: undoing the first would give back what the second ended.
  return to.kind === 'revoked' || (to.ends !== null && !announces(from, to.ends))
}

/** A compromised key stays one, whoever gives another reason later. */
function announces({ ends }: Extract<CertificateStatus, { kind: 'held' }>, wanted: HoldEnd): boolean {
  return (
    ends !== null && ends.at === wanted.at && (ends.reason === 'keyCompromise' || wanted.reason !== 'keyCompromise')
  )
}

/** What is announced with a time to undo it is final when that time is over. */
export function undoOver(evidence: Evidence): TouchmarkError {
  return new TouchmarkError('revocation.undo_over', 'conflict', 'The time to undo it is over: a revocation is final.', {
    evidence,
  })
}
