// A factory batch: one input file, each unit exactly once, resumable at the unit where it stopped.
import type { BatchId, UnixSeconds } from './ids.ts'

export interface Batch {
  readonly id: BatchId
  /** SHA-256 over input file, profile and model: the same file again is the same batch, and is resumed. */
  readonly inputDigest: string
  readonly profile: string
  readonly state: 'running' | 'finished'
  /** Units done so far, in input order: where a resumed run goes on. */
  readonly done: number
  readonly issued: number
  readonly existing: number
  readonly rejected: number
  readonly createdAt: UnixSeconds
  readonly finishedAt: UnixSeconds | null
}
