// Work that takes longer than a request, with how far it has come.
import type { JobAct, JobState, StoredJob } from '../../../domain/jobs/job.ts'
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

export const insertJob = insert('job', {
  id: 'bytes',
  act: 'text',
  parameters: 'text',
  requested_by: 'text',
  state: 'text',
  done: 'integer',
  changed: 'integer',
  failed: 'integer',
  total: 'integer',
  place: 'text',
  failures: 'text',
  outcome: 'text',
  lease_until: 'integer',
  created_at: 'integer',
  finished_at: 'integer',
  revision: 'integer',
})
export const updateJob = change(
  'job',
  `UPDATE job SET state = ?, done = ?, changed = ?, failed = ?, total = ?, place = ?, failures = ?, outcome = ?,
    lease_until = ?, finished_at = ?, revision = ? WHERE id = ? AND revision = ?`,
)

export function putJob(job: StoredJob, from: number | null, out: StepSink): void {
  const failures = JSON.stringify(job.failures)
  if (from === null) {
    out
      .begin(insertJob)
      .hex(job.id)
      .text(job.act)
      .text(job.parameters)
      .text(job.requestedBy)
      .text(job.state)
      .integer(job.done)
      .integer(job.changed)
      .integer(job.failed)
      .integer(job.total)
      .text(job.place)
      .text(failures)
      .text(job.outcome)
      .integer(job.leaseUntil)
      .integer(job.createdAt)
      .integer(job.finishedAt)
      .integer(job.revision)
    return
  }
  out
    .begin(updateJob)
    .text(job.state)
    .integer(job.done)
    .integer(job.changed)
    .integer(job.failed)
    .integer(job.total)
    .text(job.place)
    .text(failures)
    .text(job.outcome)
    .integer(job.leaseUntil)
    .integer(job.finishedAt)
    .integer(job.revision)
    .hex(job.id)
    .integer(from)
}

const COLUMNS = `id, act, parameters, requested_by, state, done, changed, failed, total, place, failures, outcome, lease_until,
  created_at, finished_at, revision`
const BY_ID = query(`SELECT ${COLUMNS} FROM job WHERE id = ?`)
const NEWEST_FIRST = query(`SELECT ${COLUMNS} FROM job WHERE id < ? ORDER BY id DESC LIMIT ?`)
const AT_WORK = query(`SELECT ${COLUMNS} FROM job WHERE state = 'running' ORDER BY id LIMIT 100`)
/** Behind every id. */
const LAST_ID = new Uint8Array(17).fill(0xff)

export async function readJob(queries: Queries, id: string): Promise<StoredJob | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, BY_ID, [octets]))
  return row && jobOf(row)
}

export async function readJobs(
  queries: Queries,
  { after, limit }: { after?: string; limit: number },
): Promise<Page<StoredJob>> {
  const before = after === undefined ? LAST_ID : octetsOf(after)
  if (before === undefined) return { items: [], next: null }
  const items = (await queries.all(NEWEST_FIRST, [before, limit])).map(jobOf)
  return { items, next: items.length < limit ? null : (items.at(-1)?.id ?? null) }
}

export async function readJobsAtWork(queries: Queries): Promise<StoredJob[]> {
  return (await queries.all(AT_WORK, [])).map(jobOf)
}

function jobOf(row: Row): StoredJob {
  return {
    id: hexOf(row, 'id'),
    act: wordOf<JobAct>(row, 'act'),
    parameters: textOf(row, 'parameters'),
    requestedBy: textOf(row, 'requested_by'),
    state: wordOf<JobState>(row, 'state'),
    done: integerOf(row, 'done'),
    changed: integerOf(row, 'changed'),
    failed: integerOf(row, 'failed'),
    total: nullable(integerOf, row, 'total'),
    place: nullable(textOf, row, 'place'),
    failures: JSON.parse(textOf(row, 'failures')) as StoredJob['failures'],
    outcome: nullable(textOf, row, 'outcome'),
    leaseUntil: integerOf(row, 'lease_until'),
    createdAt: integerOf(row, 'created_at'),
    finishedAt: nullable(integerOf, row, 'finished_at'),
    revision: integerOf(row, 'revision'),
  }
}
