// Work that nobody waits for: a loop that looks ten times a second whether the store has changed, by whichever process, and runs what
// is due. Each job is idempotent, so that being interrupted or running in two processes costs time and nothing else.
import { setTimeout as sleep } from 'node:timers/promises'
import { errorFields, type Logger } from './logger.ts'

export interface Job {
  readonly name: string
  /** Runs at once when the store has changed, and not more often than every so many seconds. */
  readonly onChange?: {
    readonly atMostEverySeconds: number
    /** Grows with the changes that matter to this job; every change of the store where it is left out. */
    readonly marker?: () => Promise<number>
  }
  /** Runs after so many seconds even if nothing changed. */
  readonly everySeconds: number
  run(signal: AbortSignal): Promise<void>
}

export interface JobPorts {
  /** `StoreReader.changeMarker`. */
  changeMarker(): Promise<number>
  readonly logger: Logger
  /** Milliseconds of a clock that never goes back. */
  readonly elapsed?: () => number
  /** Told of each run, for those who count: how long it took, how late it began, and whether it did its work. It must not throw. */
  readonly onRun?: (run: {
    readonly job: string
    readonly seconds: number
    readonly late: number
    readonly failed: boolean
  }) => void
}

interface JobState {
  readonly job: Job
  lastStart: number
  /** The marker that the last run saw; a later one is a change. */
  seen: number | undefined
  failures: number
  /** Milliseconds of the clock that never goes back; `undefined` where the last run did its work. */
  failingSince: number | undefined
}

/** One point read, where nothing is due: how long a revocation waits before lists of it are begun. */
const LOOK_EVERY_MS = 100
/** A job that fails comes again after 1, 2, 4 … seconds, at most this many. */
const MAX_BACKOFF_SECONDS = 60

export class JobLoop {
  readonly #states: JobState[]
  readonly #ports: JobPorts
  readonly #elapsed: () => number
  readonly #stop = new AbortController()
  #loop: Promise<void> | undefined

  constructor(jobs: readonly Job[], ports: JobPorts) {
    this.#states = jobs.map(job => ({
      job,
      lastStart: Number.NEGATIVE_INFINITY,
      seen: undefined,
      failures: 0,
      failingSince: undefined,
    }))
    this.#ports = ports
    this.#elapsed = ports.elapsed ?? (() => performance.now())
  }

  get names(): readonly string[] {
    return this.#states.map(({ job }) => job.name)
  }

  /** Names of jobs whose last run failed. */
  get failing(): readonly string[] {
    return this.#states.filter(state => state.failures > 0).map(state => state.job.name)
  }

  /** Jobs whose last run failed, with for how many seconds it has been so. */
  get failingFor(): readonly { readonly name: string; readonly seconds: number }[] {
    const now = this.#elapsed()
    return this.#states.flatMap(({ job, failingSince }) =>
      failingSince === undefined ? [] : [{ name: job.name, seconds: (now - failingSince) / 1000 }],
    )
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  /** Runs everything that is due now, once. Job errors are logged and answered with a later try, never thrown. */
  async runDue(): Promise<void> {
    const changed = await this.#ports.changeMarker()
    for (const state of this.#states) {
      if (this.#stop.signal.aborted) return
      const marker = (await state.job.onChange?.marker?.()) ?? changed
      if (isDue(state, marker, this.#elapsed())) await this.#runJob(state, marker)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#loop
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    let storeFailing = false
    while (!signal.aborted) {
      try {
        await this.runDue()
        storeFailing = false
      } catch (thrown) {
        if (!storeFailing) this.#ports.logger.error('jobs.store_unavailable', errorFields(thrown))
        storeFailing = true
      }
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  async #runJob(state: JobState, marker: number): Promise<void> {
    const begun = this.#elapsed()
    const late = state.failures > 0 ? 0 : Math.max(0, (begun - state.lastStart) / 1000 - state.job.everySeconds)
    state.lastStart = begun
    state.seen = marker
    try {
      await state.job.run(this.#stop.signal)
      state.failures = 0
      state.failingSince = undefined
    } catch (thrown) {
      if (this.#stop.signal.aborted) return
      state.failures++
      state.failingSince ??= begun
      this.#ports.logger.error('job.failed', { job: state.job.name, failures: state.failures, ...errorFields(thrown) })
    } finally {
      const seconds = (this.#elapsed() - begun) / 1000
      const { failures, job } = state
      if (!this.#stop.signal.aborted)
        this.#ports.onRun?.({ job: job.name, seconds, late: Number.isFinite(late) ? late : 0, failed: failures > 0 })
    }
  }
}

function isDue({ job, lastStart, seen, failures }: JobState, marker: number, now: number): boolean {
  const seconds = (now - lastStart) / 1000
  if (failures > 0) return seconds >= Math.min(2 ** (failures - 1), MAX_BACKOFF_SECONDS)
  if (seconds >= job.everySeconds) return true
  return job.onChange !== undefined && marker !== seen && seconds >= job.onChange.atMostEverySeconds
}
