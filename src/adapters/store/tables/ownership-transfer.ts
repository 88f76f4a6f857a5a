// Transfers of ownership. A partial unique index holds each device to one that is under way.
import type { OwnershipTransfer, TransferState } from '../../../domain/device/ownership.ts'
import { type DeviceId, deviceId, type TransferId, transferId, type UnixSeconds } from '../../../domain/ids.ts'
import { first, type Queries } from '../engine.ts'
import {
  bytesOf,
  change,
  hexOf,
  insert,
  integerOf,
  nullable,
  octetsOf,
  query,
  type Row,
  type StepSink,
  textOf,
  wordOf,
} from '../sql.ts'
import { pages } from '../stream.ts'

export const insertTransfer = insert('ownership_transfer', {
  id: 'bytes',
  device_id: 'bytes',
  from_owner: 'text',
  to_owner: 'text',
  effective_at: 'integer',
  new_key: 'integer',
  state: 'text',
  state_changed_at: 'integer',
  agreements: 'text',
  created_at: 'integer',
})

export function putTransfer(transfer: OwnershipTransfer, out: StepSink): void {
  out
    .begin(insertTransfer)
    .hex(transfer.id)
    .hex(transfer.deviceId)
    .text(transfer.from)
    .text(transfer.to)
    .integer(transfer.effectiveAt)
    .integer(Number(transfer.newKey))
    .text(transfer.state)
    .integer(transfer.stateChangedAt)
    .text(JSON.stringify(transfer.agreements))
    .integer(transfer.createdAt)
}

export const updateTransferState = change(
  'ownership_transfer',
  'UPDATE ownership_transfer SET state = ?, state_changed_at = ?, agreements = ? WHERE id = ? AND state = ?',
)

export const updateAgreedTransferState = change(
  'ownership_transfer',
  `UPDATE ownership_transfer SET state = ?, state_changed_at = ?, agreements = ? WHERE id = ? AND state = ?
    AND agreements = ?`,
)

export interface TransferMove {
  readonly id: TransferId
  readonly from: TransferState
  readonly to: TransferState
  readonly at: UnixSeconds
  readonly agreements: OwnershipTransfer['agreements']
  readonly agreed?: OwnershipTransfer['agreements']
}

export function moveTransfer({ id, from, to, at, agreements, agreed }: TransferMove, out: StepSink): void {
  out.begin(agreed ? updateAgreedTransferState : updateTransferState)
  out.text(to).integer(at).text(JSON.stringify(agreements)).hex(id).text(from)
  // What was read is written again letter by letter: both come from the same JSON.stringify.
  if (agreed) out.text(JSON.stringify(agreed))
}

const SELECT = `SELECT id, device_id, from_owner, to_owner, effective_at, new_key, state, state_changed_at, agreements,
  created_at FROM ownership_transfer`
const BY_ID = query(`${SELECT} WHERE id = ?`)
const OF_DEVICE = query(`${SELECT} WHERE device_id = ? ORDER BY created_at DESC, id DESC`)
const DUE = query(`${SELECT} WHERE state = 'accepted' AND effective_at <= ? ORDER BY effective_at, id LIMIT ?`)
const ALL = query(`${SELECT} WHERE id > ? ORDER BY id LIMIT ?`)

export async function readTransfer(queries: Queries, id: TransferId): Promise<OwnershipTransfer | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, BY_ID, [octets]))
  return row && transferOf(row)
}

export async function readTransfersOfDevice(queries: Queries, id: DeviceId): Promise<OwnershipTransfer[]> {
  const octets = octetsOf(id)
  return octets === undefined ? [] : (await queries.all(OF_DEVICE, [octets])).map(transferOf)
}

export async function readTransfersDue(
  queries: Queries,
  now: UnixSeconds,
  limit: number,
): Promise<OwnershipTransfer[]> {
  return (await queries.all(DUE, [now, limit])).map(transferOf)
}

export async function* readAllTransfers(queries: Queries): AsyncGenerator<OwnershipTransfer> {
  const from = (after: Uint8Array) => (limit: number) => [after, limit]
  for await (const row of pages(queries, ALL, from(new Uint8Array(0)), last => from(bytesOf(last, 'id')))) {
    yield transferOf(row)
  }
}

function transferOf(row: Row): OwnershipTransfer {
  return {
    id: transferId(hexOf(row, 'id')),
    deviceId: deviceId(hexOf(row, 'device_id')),
    from: nullable(textOf, row, 'from_owner'),
    to: textOf(row, 'to_owner'),
    effectiveAt: integerOf(row, 'effective_at'),
    newKey: integerOf(row, 'new_key') === 1,
    state: wordOf<TransferState>(row, 'state'),
    stateChangedAt: integerOf(row, 'state_changed_at'),
    agreements: JSON.parse(textOf(row, 'agreements')) as OwnershipTransfer['agreements'],
    createdAt: integerOf(row, 'created_at'),
  }
}
