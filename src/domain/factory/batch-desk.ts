// Where factory files come in over the network and results go out: a port, because files are the world's.
import type { UnixSeconds } from '../ids.ts'
import type { BatchCounts } from './run-batch.ts'

export interface Upload {
  /** SHA-256 over the content, 64 hex digits: the same file again is the same upload. */
  readonly id: string
  readonly octets: number
  /** How many units it seems to hold; `null` where that is not known beforehand. */
  readonly expectedUnits: number | null
  readonly at: UnixSeconds
}

/** How a file is to be read, and what for. */
export interface BatchPlan {
  readonly upload: string
  readonly profile: string
  /** Of units that name none. */
  readonly model: string
}

export interface RejectedUnit {
  readonly line: number
  readonly model: string
  readonly serialNumber: string
  readonly code: string
  readonly message: string
}

export interface Trial extends BatchCounts {
  /** Units looked at. */
  readonly units: number
  /** Whether there are more. */
  readonly more: boolean
  readonly rejects: readonly RejectedUnit[]
}

/** What a run leaves: fixed names, so that nobody asks for another file. */
export const RESULT_FILES = ['results.csv', 'rejects.csv', 'manifest.json', 'manifest.json.p7s'] as const
export type ResultFile = (typeof RESULT_FILES)[number]

export interface BatchDesk {
  /** Throws `factory.input_unknown` where it is none of the forms that are read. */
  upload(content: AsyncIterable<Uint8Array>): Promise<Upload>
  /** Decides the first `limit` units and signs nothing. Throws `batch.upload_not_found`, `profile.not_found`. */
  tryOut(plan: BatchPlan, limit: number, operator: string): Promise<Trial>
  /** Throws `batch.upload_not_found`. */
  find(upload: string): Promise<Upload>
  /** A file of the results of a job that came to its end; `undefined` where there is none. */
  result(job: string, file: ResultFile): AsyncIterable<Uint8Array> | undefined
}
