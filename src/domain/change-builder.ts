// A change set while it is put together from several parts: writes refer to audit entries by position, so the positions are given out here.
import type { AuditEntry } from './audit/entry.ts'
import type { ChangeSet, Write } from './ports.ts'

export class ChangeBuilder implements ChangeSet {
  readonly writes: Write[] = []
  readonly audit: AuditEntry[] = []
  readonly #first: number

  /** `first`: where its first entry will stand in the change set that it becomes a part of. */
  constructor(first = 0) {
    this.#first = first
  }

  write(...writes: readonly Write[]): this {
    this.writes.push(...writes)
    return this
  }

  /** Adds the entry and returns its position. */
  record(entry: AuditEntry): number {
    return this.#first + this.audit.push(entry) - 1
  }

  /** Where the next entry will stand. */
  get position(): number {
    return this.#first + this.audit.length
  }
}
