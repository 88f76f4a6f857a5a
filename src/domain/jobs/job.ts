// Work that takes longer than a request: an act on everything that a query finds, a factory batch. It stands in the store with how far it has
// come, so that it goes on after a restart, and whoever asked for it may leave and come back.
import type { UnixSeconds } from '../ids.ts'

export const JOB_ACTS = [
  'certificates.revoke',
  'certificates.release',
  'devices.ship',
  'devices.suspend',
  'devices.resume',
  'devices.retire',
  'devices.properties',
  'devices.renew',
  'batch.run',
] as const
export type JobAct = (typeof JOB_ACTS)[number]

/** `failed`: something stopped the whole; what failed for one device only is counted. */
export type JobState = 'running' | 'finished' | 'failed' | 'cancelled'

export interface JobFailure {
  /** What it failed for: a device's id, a line of a file. */
  readonly what: string
  readonly code: string
}

export interface StoredJob {
  /** 32 hex digits, growing with time. */
  readonly id: string
  readonly act: JobAct
  /** JSON, as the act's schema has it. */
  readonly parameters: string
  /** Who asked for it, as the log names them. */
  readonly requestedBy: string
  readonly state: JobState
  /** Things looked at, those of them that changed, and those that could not. */
  readonly done: number
  readonly changed: number
  readonly failed: number
  /** How many there are to look at; `null` where nobody counted. */
  readonly total: number | null
  /** Where it goes on. */
  readonly place: string | null
  /** The first failures, at most `MAX_FAILURES`. */
  readonly failures: readonly JobFailure[]
  /** What came out, or the code of what stopped it. */
  readonly outcome: string | null
  /** A process works on it until then; after that another one may. */
  readonly leaseUntil: UnixSeconds
  readonly createdAt: UnixSeconds
  readonly finishedAt: UnixSeconds | null
  /** Grows with each change; 1 at first. */
  readonly revision: number
}

export const MAX_FAILURES = 100
/** A step takes seconds; a process that died is noticed after this time. */
export const LEASE_SECONDS = 60

/** The next revision of the job. */
export function movedJob(job: StoredJob, to: Partial<Omit<StoredJob, 'id' | 'act' | 'revision'>>): StoredJob {
  return { ...job, ...to, revision: job.revision + 1 }
}
