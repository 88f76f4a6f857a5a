// The statements of a change set with their values, as the writer for PostgreSQL keeps them until they are sent.
import { Buffer } from 'node:buffer'
import { encodeAuditEntries } from '../../../domain/audit/entry.ts'
import type { ChangeSet } from '../../../domain/ports.ts'
import { checkChangeSet, planChange } from '../plan.ts'
import { checkInteger, checkText, type StepSink, type Value, valueInvalid, type WriteStatement } from '../sql.ts'

export interface Step {
  readonly statement: WriteStatement
  readonly values: Value[]
  /** Which value is an index into the log, counted from the first entry of the change set; -1 for none. */
  relative: number
}

export interface PlannedSet {
  /** In the order of the writes, one or more for each. */
  readonly steps: readonly Step[]
  readonly entries: readonly Uint8Array[]
}

/** Errors: what planning and encoding refuse. */
export function planChangeSet(change: ChangeSet): PlannedSet {
  checkChangeSet(change)
  const sink = new StepList()
  planChange(change, sink)
  return { steps: sink.steps, entries: encodeAuditEntries(change.audit) }
}

class StepList implements StepSink {
  readonly steps: Step[] = []
  #values: Value[] = []

  begin(statement: WriteStatement): this {
    this.#values = []
    this.steps.push({ statement, values: this.#values, relative: -1 })
    return this
  }

  text(value: string | null): this {
    this.#values.push(value === null ? null : checkText(value))
    return this
  }

  integer(value: number | null): this {
    if (value !== null) checkInteger(value)
    this.#values.push(value)
    return this
  }

  bytes(value: Uint8Array | null): this {
    this.#values.push(value)
    return this
  }

  hex(value: string | null): this {
    const octets = value === null ? null : Buffer.from(value, 'hex')
    if (octets !== null && (octets.length === 0 || octets.length * 2 !== value?.length)) {
      throw valueInvalid()
    }
    this.#values.push(octets)
    return this
  }

  auditIndex(position: number): this {
    this.steps.at(-1)!.relative = this.#values.length
    this.#values.push(position)
    return this
  }
}
