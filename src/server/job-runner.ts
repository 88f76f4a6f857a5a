// Takes jobs on, beside the requests: those that stand in the store as running and that no process works on. What one throws it keeps: the job
// stays where it is, and is taken on again when its lease is over.
import { asTouchmarkError, TouchmarkError } from '../core/errors.ts'
import { LEASE_SECONDS, movedJob, type StoredJob } from '../domain/jobs/job.ts'
import type { DeviceJobPorts } from '../domain/jobs/run-device-job.ts'
import { runJob } from '../domain/jobs/run-job.ts'
import { endOf } from '../domain/jobs/start-job.ts'
import { errorFields, type Logger } from './logger.ts'

export interface JobRunnerPorts extends DeviceJobPorts {
  readonly logger: Logger
  /** Runs a factory batch to its end; throws what stops it. */
  runBatch(job: StoredJob, signal: AbortSignal): Promise<void>
  /** Runs the work of a job, for those who watch: it must pass on what it throws. */
  watched?(job: StoredJob, work: () => Promise<void>): Promise<void>
}

/** Jobs at once in one process: one long one does not hold a short one up. */
const MAX_AT_ONCE = 3

export class JobRunner implements AsyncDisposable {
  readonly #ports: JobRunnerPorts
  readonly #running = new Map<string, Promise<void>>()
  readonly #stop = new AbortController()

  constructor(ports: JobRunnerPorts) {
    this.#ports = ports
  }

  /** Begins what there is to begin; does not wait for it. */
  async takeOn(): Promise<void> {
    const { store, clock } = this.#ports
    if (this.#stop.signal.aborted || this.#running.size >= MAX_AT_ONCE) return
    for (const job of await store.read.jobsAtWork()) {
      if (this.#running.size >= MAX_AT_ONCE) return
      const now = clock.now()
      if (this.#running.has(job.id) || job.leaseUntil > now) continue
      const taken = movedJob(job, { leaseUntil: now + LEASE_SECONDS })
      try {
        await store.commit({ writes: [{ kind: 'job.put', job: taken, from: job.revision }], audit: [] })
      } catch (thrown) {
        if (thrown instanceof TouchmarkError && thrown.code === 'job.changed') continue
        throw thrown
      }
      const run = this.#run(taken).finally(() => this.#running.delete(job.id))
      this.#running.set(job.id, run)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running.values())
  }

  async #run(job: StoredJob): Promise<void> {
    const { logger } = this.#ports
    const { signal } = this.#stop
    const work = async () => {
      if (job.act === 'batch.run') await this.#ports.runBatch(job, signal)
      else await runJob(job, this.#ports, signal)
    }
    try {
      await (this.#ports.watched?.(job, work) ?? work())
    } catch (thrown) {
      logger.error('job.stopped', { job: job.id, act: job.act, ...errorFields(thrown) })
      await this.#settle(job, asTouchmarkError(thrown)).catch(cause =>
        logger.error('job.not_settled', { job: job.id, ...errorFields(cause) }),
      )
    }
  }

  /** What comes again whenever it is tried ends the job; what may pass is tried again. */
  async #settle({ id }: StoredJob, error: TouchmarkError): Promise<void> {
    if (error.kind === 'unavailable') return
    const { store, clock } = this.#ports
    const job = await store.read.job(id)
    if (job?.state !== 'running') return
    const now = clock.now()
    const ended = movedJob(job, { state: 'failed', outcome: error.code, finishedAt: now })
    await store.commit(endOf(ended, job.revision, { kind: 'operator', id: job.requestedBy }, now))
  }
}
