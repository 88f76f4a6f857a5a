// Factory batches. Lists begin with the newest.
import type { Batch } from '../../../domain/batch.ts'
import { type BatchId, batchId, type UnixSeconds } from '../../../domain/ids.ts'
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
  storableText,
  textOf,
  wordOf,
} from '../sql.ts'

export const insertBatch = insert('batch', {
  id: 'bytes',
  input_digest: 'text',
  profile: 'text',
  state: 'text',
  done: 'integer',
  issued: 'integer',
  existing: 'integer',
  rejected: 'integer',
  created_at: 'integer',
  finished_at: 'integer',
})

export function putBatch(batch: Batch, out: StepSink): void {
  out
    .begin(insertBatch)
    .hex(batch.id)
    .text(batch.inputDigest)
    .text(batch.profile)
    .text(batch.state)
    .integer(batch.done)
    .integer(batch.issued)
    .integer(batch.existing)
    .integer(batch.rejected)
    .integer(batch.createdAt)
    .integer(batch.finishedAt)
}

export const updateBatchProgress = change(
  'batch',
  `UPDATE batch SET done = ?, issued = ?, existing = ?, rejected = ?, state = ?, finished_at = ?
    WHERE id = ? AND done = ? AND state = 'running'`,
)

export interface BatchProgress {
  readonly id: BatchId
  readonly from: number
  readonly done: number
  readonly issued: number
  readonly existing: number
  readonly rejected: number
  readonly finishedAt: UnixSeconds | null
}

export function moveBatch(progress: BatchProgress, out: StepSink): void {
  out
    .begin(updateBatchProgress)
    .integer(progress.done)
    .integer(progress.issued)
    .integer(progress.existing)
    .integer(progress.rejected)
    .text(progress.finishedAt === null ? 'running' : 'finished')
    .integer(progress.finishedAt)
    .hex(progress.id)
    .integer(progress.from)
}

const COLUMNS = 'id, input_digest, profile, state, done, issued, existing, rejected, created_at, finished_at'
const BY_ID = query(`SELECT ${COLUMNS} FROM batch WHERE id = ?`)
const BY_INPUT = query(`SELECT ${COLUMNS} FROM batch WHERE input_digest = ?`)
const NEWEST = query(`SELECT ${COLUMNS} FROM batch ORDER BY id DESC LIMIT ?`)
const OLDER = query(`SELECT ${COLUMNS} FROM batch WHERE id < ? ORDER BY id DESC LIMIT ?`)

export async function readBatch(queries: Queries, id: BatchId): Promise<Batch | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, BY_ID, [octets]))
  return row && batchOf(row)
}

export async function readBatchByInput(queries: Queries, inputDigest: string): Promise<Batch | undefined> {
  if (storableText(inputDigest) === undefined) return undefined
  const row = await first(queries, BY_INPUT, [inputDigest])
  return row && batchOf(row)
}

export async function readBatches(queries: Queries, page: { after?: string; limit: number }): Promise<Page<Batch>> {
  const after = page.after === undefined ? undefined : octetsOf(page.after)
  const rows = after ? await queries.all(OLDER, [after, page.limit]) : await queries.all(NEWEST, [page.limit])
  const items = rows.map(batchOf)
  return { items, next: items.length < page.limit ? null : (items.at(-1)?.id ?? null) }
}

function batchOf(row: Row): Batch {
  return {
    id: batchId(hexOf(row, 'id')),
    inputDigest: textOf(row, 'input_digest'),
    profile: textOf(row, 'profile'),
    state: wordOf<Batch['state']>(row, 'state'),
    done: integerOf(row, 'done'),
    issued: integerOf(row, 'issued'),
    existing: integerOf(row, 'existing'),
    rejected: integerOf(row, 'rejected'),
    createdAt: integerOf(row, 'created_at'),
    finishedAt: nullable(integerOf, row, 'finished_at'),
  }
}
