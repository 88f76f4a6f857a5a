// Change sets that wait to be written, and how each learns what became of it.
import { TouchmarkError } from '../../core/errors.ts'
import type { ChangeSet, Committed } from '../../domain/ports.ts'
import { conflictOf, writeOfStep } from './plan.ts'

export interface Waiting {
  readonly change: ChangeSet
  /** Whoever is to be told what became of the change set, and as which of theirs. */
  readonly asker: Asker
  readonly place: number
}

export interface Asker {
  settle(place: number, outcome: Committed | Error): void
}

/** Waits for one change set. */
export class One implements Asker {
  readonly #resolve: (committed: Committed) => void
  readonly #reject: (error: Error) => void

  constructor(resolve: (committed: Committed) => void, reject: (error: Error) => void) {
    this.#resolve = resolve
    this.#reject = reject
  }

  settle(_place: number, outcome: Committed | Error): void {
    if (outcome instanceof Error) this.#reject(outcome)
    else this.#resolve(outcome)
  }
}

/** Waits for many at the cost of one: a batch commits tens of thousands of change sets a second. */
export class Many implements Asker {
  readonly outcomes: Promise<(Committed | Error)[]>
  readonly #settled: (Committed | Error)[]
  #resolve: (outcomes: (Committed | Error)[]) => void = () => undefined
  #missing: number

  constructor(count: number) {
    this.#settled = new Array<Committed | Error>(count)
    this.#missing = count
    this.outcomes = new Promise(resolve => {
      this.#resolve = resolve
    })
    if (count === 0) this.#resolve(this.#settled)
  }

  settle(place: number, outcome: Committed | Error): void {
    this.#settled[place] = outcome
    if (--this.#missing === 0) this.#resolve(this.#settled)
  }
}

/** What became of a group: where in the log it begins, and which of its change sets failed. */
export interface GroupResult {
  readonly firstAuditIndex: number
  readonly failures: readonly SetFailure[]
}

export interface SetFailure {
  /** Position of the change set in the group. */
  readonly set: number
  /** Which of its statements, in the order of its writes, found something else than it expects. */
  readonly step: number
  /** Where it was no conflict but a statement that the database refused: what it said. */
  readonly refused: string | undefined
}

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
  for (let set = 0; set < waiting.length; set++) {
    const { change, asker, place } = waiting[set]!
    const failure = failed.get(set)
    if (failure === undefined) {
      asker.settle(place, { firstAuditIndex: index })
      index += change.audit.length
    } else {
      const { step, refused: cause } = failure
      asker.settle(place, cause === undefined ? conflictOf(writeOfStep(change, step)) : refused(cause))
    }
  }
}

export function settleAll(waiting: readonly Waiting[], error: Error): void {
  for (const { asker, place } of waiting) asker.settle(place, error)
}

/** As an error, for an outcome. */
export function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

function refused(cause: string): TouchmarkError {
  return new TouchmarkError('store.failed', 'internal', 'The database refused a statement.', { cause })
}
