// What a transfer of ownership writes when it moves on: its state, and the entry that says so.
import type { AuditAction } from '../audit/actions.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { ChangeBuilder } from '../change-builder.ts'
import type { UnixSeconds } from '../ids.ts'
import type { OwnershipTransfer, TransferState } from './ownership.ts'

const ACTIONS = {
  accepted: 'ownership.accepted',
  effective: 'ownership.transferred',
  cancelled: 'ownership.cancelled',
} as const satisfies Partial<Record<TransferState, AuditAction>>

/** The detail of every entry about a transfer. */
export function transferDetail({ id, from, effectiveAt, newKey }: OwnershipTransfer) {
  return { transferId: id, effectiveAt, newKey, ...(from === null ? {} : { from }) }
}

/** Moves the transfer within `change`; `detail` is what the entry says besides, `agreed` who had agreed so far, where `transfer` says more. */
export function addTransferMove(
  change: ChangeBuilder,
  transfer: OwnershipTransfer,
  to: keyof typeof ACTIONS,
  actor: AuditEntry['actor'],
  now: UnixSeconds,
  detail: Readonly<Record<string, string>> = {},
  agreed: OwnershipTransfer['agreements'] = transfer.agreements,
): void {
  const { id, state: from, deviceId, agreements } = transfer
  change.write({ kind: 'transfer.state', id, from, to, at: now, agreements, agreed })
  change.record({
    at: now,
    actor,
    action: ACTIONS[to],
    outcome: 'done',
    subject: { deviceId, name: transfer.to },
    detail: { ...transferDetail(transfer), ...detail },
  })
}
