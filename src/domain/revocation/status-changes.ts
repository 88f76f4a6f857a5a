// What a change of certificate status writes, wherever it comes from: the new status, one audit entry each, and a request for every CRL
// shard that has to be published anew (RFC 5280 §5.3.1). Pure: who may change what, and why, is the caller's question.
import type { AuditEntry } from '../audit/entry.ts'
import type { CertificateRecord, CertificateStatus } from '../ca/certificate-record.ts'
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
  records: readonly CertificateRecord[],
  { to, actor, now, detail = {} }: StatusChange,
): void {
  const shards = new Map<string, Write>()
  for (const record of records) {
    const { authorityId, serialNumber, deviceId, status } = record
    change.write({ kind: 'certificate.status', authorityId, serialNumber, from: status.kind, to })
    change.record({
      at: now,
      actor,
      action: ACTIONS[to.kind],
      outcome: 'done',
      subject: { authorityId, serialNumber, ...(deviceId === null ? {} : { deviceId }) },
      detail: { ...reasonOf(to), ...detail },
    })
    const key = `${authorityId}/${record.crlShard}`
    shards.set(key, { kind: 'work.request', topic: 'crl', key, dueAt: now })
  }
  change.write(...shards.values())
}

const ACTIONS = {
  good: 'certificate.released',
  held: 'certificate.held',
  revoked: 'certificate.revoked',
} as const satisfies Record<CertificateStatus['kind'], AuditEntry['action']>

function reasonOf(status: CertificateStatus): { readonly reason?: string } {
  switch (status.kind) {
    case 'good':
      return {}
    case 'held':
      return { reason: 'certificateHold' }
    case 'revoked':
      return { reason: status.reason }
    default:
      return status satisfies never
  }
}
