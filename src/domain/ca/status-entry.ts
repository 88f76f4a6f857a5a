// How the log tells of a certificate's status: what an entry says of the status that it gives, and the status that an entry gave. The second is
// the first read backwards, so that verification can hold each row against the log.
import type { CrlReason } from '../../core/pki/crl-reason.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { UnixSeconds } from '../ids.ts'
import type { CertificateStatus } from './certificate-record.ts'

export const STATUS_ACTIONS = {
  good: 'certificate.released',
  held: 'certificate.held',
  revoked: 'certificate.revoked',
} as const satisfies Record<CertificateStatus['kind'], AuditEntry['action']>

/** What an entry made at `now` says of the status that it gives. */
export function statusDetail(status: CertificateStatus, now: UnixSeconds): Record<string, string | number> {
  if (status.kind === 'good') return {}
  const { at, invalidityDate } = status
  return {
    reason: status.kind === 'held' ? 'certificateHold' : status.reason,
    ...(at === now ? {} : { since: at }),
    ...(invalidityDate === null ? {} : { invalidityDate }),
    ...(status.kind === 'held' && status.ends !== null
      ? { endsAt: status.ends.at, endsReason: status.ends.reason }
      : {}),
  }
}

/** The status that the entry gave; `undefined` where it is about something else. */
export function statusOfEntry({ action, at, detail = {} }: AuditEntry<string>): CertificateStatus | undefined {
  const facts = () => ({ at: numberOr(detail['since'], at), invalidityDate: numberOr(detail['invalidityDate'], null) })
  switch (action) {
    case STATUS_ACTIONS.good:
      return { kind: 'good' }
    case STATUS_ACTIONS.held: {
      const end = numberOr(detail['endsAt'], null)
      return { kind: 'held', ...facts(), ends: end === null ? null : { at: end, reason: wordOf(detail['endsReason']) } }
    }
    case STATUS_ACTIONS.revoked:
      return { kind: 'revoked', ...facts(), reason: wordOf(detail['reason']) }
    default:
      return undefined
  }
}

function numberOr<T>(value: unknown, otherwise: T): number | T {
  return typeof value === 'number' ? value : otherwise
}

/** Compared as text only: a word that is no reason equals none. */
const wordOf = (value: unknown) => String(value) as CrlReason
