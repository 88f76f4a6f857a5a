// What a change of certificate status writes, wherever it comes from: the new status, one audit entry each, and a request for every CRL
// shard that has to be published anew (RFC 5280 §5.3.1). Pure: who may change what, and why, is the caller's question.
import type { AuditEntry } from '../audit/entry.ts'
import { type CertificateStatus, expectedStatus, type StatusRecord } from '../ca/certificate-record.ts'
import { STATUS_ACTIONS, statusDetail } from '../ca/status-entry.ts'
import type { ChangeBuilder } from '../change-builder.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Write } from '../ports.ts'

export interface StatusChange {
  readonly to: CertificateStatus
  readonly actor: AuditEntry['actor']
  readonly now: UnixSeconds
  /** What else the entries say. */
  readonly detail?: Readonly<Record<string, string>>
}

/** Moves every one of the records to the status; requests for the same shard are made once. */
export function addStatusChanges(
  change: ChangeBuilder,
  records: readonly StatusRecord[],
  { to, actor, now, detail = {} }: StatusChange,
): void {
  const work = new Map<string, Write>()
  for (const record of records) {
    const { authorityId, serialNumber, deviceId, status: from } = record
    const status = statusAfter(from, to)
    const auditEntry = change.record({
      at: now,
      actor,
      action: STATUS_ACTIONS[to.kind],
      outcome: 'done',
      subject: { authorityId, serialNumber, ...(deviceId === null ? {} : { deviceId }) },
      detail: { ...statusDetail(status, now), ...detail },
    })
    const { crlShard } = record
    change.write({
      kind: 'certificate.status',
      authorityId,
      serialNumber,
      ...expectedStatus(from),
      to: status,
      crlShard,
      auditEntry,
    })
    const key = `${authorityId}/${crlShard}`
    work.set(key, { kind: 'work.request', topic: 'crl', key, dueAt: now })
    work.set(authorityId, { kind: 'work.request', topic: 'status', key: authorityId, dueAt: now })
  }
  change.write(...work.values())
}

/**
 * What a certificate is that had the one status and gets the other: what was on hold keeps the date on which that began, and what was said of
 * its key. A final revocation takes the place of the hold under the hold's date (X.509, hold instruction code).
 */
export function statusAfter(from: CertificateStatus, to: CertificateStatus): CertificateStatus {
  if (from.kind === 'good' || to.kind === 'good') return to
  const kept = { at: from.at, invalidityDate: to.invalidityDate ?? from.invalidityDate }
  if (to.kind === 'revoked' || to.ends === null || from.kind === 'revoked') return { ...to, ...kept }
  const reason = from.ends?.reason === 'keyCompromise' ? from.ends.reason : to.ends.reason
  return { ...to, ...kept, ends: { ...to.ends, reason } }
}
