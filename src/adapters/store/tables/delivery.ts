// Notices on their way to a channel, and those that nobody took. What was delivered has no row.
import type { Delivery, Notice } from '../../../domain/alerts/notice.ts'
import { type DeliveryId, deliveryId, type UnixSeconds } from '../../../domain/ids.ts'
import type { Page } from '../../../domain/ports.ts'
import { first, type Queries } from '../engine.ts'
import {
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

export const insertDelivery = insert('delivery', {
  id: 'bytes',
  channel: 'text',
  notice: 'text',
  created_at: 'integer',
  state: 'text',
  attempts: 'integer',
  due_at: 'integer',
  last_error: 'text',
  revision: 'integer',
})
export const updateDelivery = change(
  'delivery',
  'UPDATE delivery SET state = ?, attempts = ?, due_at = ?, last_error = ?, revision = ? WHERE id = ? AND revision = ?',
)
export const deleteDelivery = change('delivery', 'DELETE FROM delivery WHERE id = ? AND revision = ?')

export function putDelivery(delivery: Delivery, from: number | null, out: StepSink): void {
  if (from === null) {
    out.begin(insertDelivery).hex(delivery.id).text(delivery.channel).text(JSON.stringify(delivery.notice))
    out.integer(delivery.createdAt)
  } else out.begin(updateDelivery)
  out
    .text(delivery.state)
    .integer(delivery.attempts)
    .integer(delivery.dueAt)
    .text(delivery.lastError)
    .integer(delivery.revision)
  if (from !== null) out.hex(delivery.id).integer(from)
}

export function removeDelivery(id: DeliveryId, from: number, out: StepSink): void {
  out.begin(deleteDelivery).hex(id).integer(from)
}

const SELECT = 'SELECT id, channel, notice, created_at, state, attempts, due_at, last_error, revision FROM delivery'
const BY_ID = query(`${SELECT} WHERE id = ?`)
const DUE = query(`${SELECT} WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at, id LIMIT ?`)
const DEAD = query(`${SELECT} WHERE state = 'dead' AND id > ? ORDER BY id LIMIT ?`)

export async function readDelivery(queries: Queries, id: DeliveryId): Promise<Delivery | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, BY_ID, [octets]))
  return row && deliveryOf(row)
}

export async function readDeliveriesDue(queries: Queries, now: UnixSeconds, limit: number): Promise<Delivery[]> {
  return (await queries.all(DUE, [now, limit])).map(deliveryOf)
}

export async function readDeadDeliveries(
  queries: Queries,
  page: { after?: string; limit: number },
): Promise<Page<Delivery>> {
  const after = (page.after !== undefined && octetsOf(page.after)) || new Uint8Array(0)
  const items = (await queries.all(DEAD, [after, page.limit])).map(deliveryOf)
  return { items, next: items.length < page.limit ? null : (items.at(-1)?.id ?? null) }
}

function deliveryOf(row: Row): Delivery {
  return {
    id: deliveryId(hexOf(row, 'id')),
    channel: textOf(row, 'channel'),
    notice: JSON.parse(textOf(row, 'notice')) as Notice,
    state: wordOf<Delivery['state']>(row, 'state'),
    attempts: integerOf(row, 'attempts'),
    dueAt: integerOf(row, 'due_at'),
    lastError: nullable(textOf, row, 'last_error'),
    createdAt: integerOf(row, 'created_at'),
    revision: integerOf(row, 'revision'),
  }
}
