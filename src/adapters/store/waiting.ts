// Change sets that wait to be written, and how each learns what became of it.
import { TouchmarkError } from '../../core/errors.ts'
import type { ChangeSet, Committed } from '../../domain/ports.ts'
import { conflictOf } from './plan.ts'

export interface Waiting {
  readonly change: ChangeSet
  readonly resolve: (committed: Committed) => void
  readonly reject: (error: Error) => void
}

/** What became of a group: where in the log it begins, and which of its change sets failed. */
export interface GroupResult {
  readonly firstAuditIndex: number
  readonly failures: readonly SetFailure[]
}

export interface SetFailure {
  /** Position of the change set in the group. */
  readonly set: number
  /** Position of the write that found something else than it expects. */
  readonly write: number
  /** Where it was no conflict but a statement that the database refused: what it said. */
  readonly refused: string | undefined
}

/** Change sets that may wait; more are refused, because whoever sent them has given up by then. */
export const MAX_WAITING = 65_536

export function overloaded(): TouchmarkError {
  return new TouchmarkError('store.overloaded', 'unavailable', 'Too many changes wait to be written.')
}

export function closed(): TouchmarkError {
  return new TouchmarkError('store.closed', 'unavailable', 'The store is closed.')
}

/** Tells each of the group. */
export function settle(waiting: readonly Waiting[], { firstAuditIndex, failures }: GroupResult): void {
  const failed = new Map(failures.map(failure => [failure.set, failure]))
  let index = firstAuditIndex
  for (const [set, { change, resolve, reject }] of waiting.entries()) {
    const failure = failed.get(set)
    if (failure === undefined) {
      resolve({ firstAuditIndex: index })
      index += change.audit.length
    } else if (failure.refused === undefined) {
      reject(conflictOf(change.writes[failure.write]!))
    } else {
      reject(refused(failure.refused))
    }
  }
}

/** One outcome for each, whatever became of the others. */
export async function outcomes(commits: readonly Promise<Committed>[]): Promise<(Committed | Error)[]> {
  const settled = await Promise.allSettled(commits)
  return settled.map(outcome => {
    if (outcome.status === 'fulfilled') return outcome.value
    return outcome.reason instanceof Error ? outcome.reason : new Error(String(outcome.reason))
  })
}

function refused(cause: string): TouchmarkError {
  return new TouchmarkError('store.failed', 'internal', 'The database refused a statement.', { cause })
}
