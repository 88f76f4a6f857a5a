// Asking for a job, and calling one off. Both are in the log; each act of the job on a device has its own entries.
import { toHex } from '../../core/bytes/hex.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { Clock, Random, Store } from '../ports.ts'
import { type JobAct, movedJob, type StoredJob } from './job.ts'

export interface JobPorts {
  readonly store: Store
  readonly clock: Clock
}

export async function startJob(
  {
    act,
    parameters,
    total = null,
  }: { readonly act: JobAct; readonly parameters: unknown; readonly total?: number | null },
  actor: AuditEntry['actor'],
  { store, clock, random }: JobPorts & { readonly random: Random },
): Promise<StoredJob> {
  const now = clock.now()
  const text = JSON.stringify(parameters)
  const job: StoredJob = {
    id: now.toString(16).padStart(8, '0') + toHex(random.bytes(12)),
    act,
    parameters: text,
    requestedBy: actor.id,
    state: 'running',
    done: 0,
    changed: 0,
    failed: 0,
    total,
    place: null,
    failures: [],
    outcome: null,
    leaseUntil: 0,
    createdAt: now,
    finishedAt: null,
    revision: 1,
  }
  await store.commit({
    writes: [{ kind: 'job.put', job, from: null }],
    audit: [
      {
        at: now,
        actor,
        action: 'job.started',
        outcome: 'done',
        subject: { name: job.id },
        detail: { act, parametersSha256: sha256Hex(toUtf8(text)) },
      },
    ],
  })
  return job
}

/** Nothing more is begun; what is done stays done. Throws `job.not_found`, `job.over`. */
export async function cancelJob(id: string, actor: AuditEntry['actor'], ports: JobPorts): Promise<StoredJob> {
  const { store, clock } = ports
  for (;;) {
    const job = await readJob(id, store)
    if (job.state !== 'running') {
      throw new TouchmarkError('job.over', 'conflict', `The job is ${job.state}.`, { evidence: { state: job.state } })
    }
    const now = clock.now()
    const ended = movedJob(job, { state: 'cancelled', finishedAt: now })
    try {
      await store.commit(endOf(ended, job.revision, actor, now))
      return ended
    } catch (thrown) {
      // It came a step further in this moment.
      if (!(thrown instanceof TouchmarkError && thrown.code === 'job.changed')) throw thrown
    }
  }
}

/** Throws `job.not_found`. */
export async function readJob(id: string, { read }: Pick<Store, 'read'>): Promise<StoredJob> {
  const job = await read.job(id)
  if (job !== undefined) return job
  throw new TouchmarkError('job.not_found', 'not_found', `There is no job ${id}.`)
}

/** The change set that ends a job, with its entry. */
export function endOf(job: StoredJob, from: number, actor: AuditEntry['actor'], at: number) {
  const { id, act, state, done, changed, failed } = job
  const entry: AuditEntry = {
    at,
    actor,
    action: 'job.ended',
    outcome: 'done',
    subject: { name: id },
    detail: { act, state, done, changed, failed },
  }
  return { writes: [{ kind: 'job.put', job, from } as const], audit: [entry] }
}
