// Rows that differ from the log, before anybody is accused. Two things excuse a row. It may be newer than the last entry that was read: each
// row is written in one transaction with its entry, so there is an entry by now that names what the row is about. And where entries
// cannot be read, which is reported already, one of them may have said what the others do not.
import type { StoreReader } from '../ports.ts'
import { parseAuditEntry } from './entry.ts'
import type { AuditFinding, Report } from './finding.ts'

/** Suspects that are kept to be looked at again; more are reported at once: nobody changes so many rows in a moment. */
const MAX_SUSPECTS = 10_000

export interface Suspect {
  /** The id or name by which an entry would name it. */
  readonly about: string
  readonly finding: AuditFinding
  /** `silence`: no entry says what the row says, or a last word is missing. `word`: an entry says something else. */
  readonly against: 'word' | 'silence'
}

export class Suspects {
  readonly #report: Report
  readonly #kept: Suspect[] = []
  #unreadable = false

  constructor(report: Report) {
    this.#report = report
  }

  add(suspect: Suspect): void {
    if (this.#kept.length < MAX_SUSPECTS) this.#kept.push(suspect)
    else if (!this.#excused(suspect)) this.#report(suspect.finding)
  }

  /** An entry of the log cannot be relied on. */
  unreadable(): void {
    this.#unreadable = true
  }

  /** Reports those that nothing excuses. `size` entries were read; call it after the last row was read. */
  async settle(read: Pick<StoreReader, 'auditEntries'>, size: number): Promise<void> {
    if (this.#kept.length === 0) return
    const spoken = new Set<string>()
    for await (const { bytes } of read.auditEntries(size)) {
      try {
        for (const name of Object.values(parseAuditEntry(bytes).subject)) spoken.add(name)
      } catch {
        // An entry that cannot be read excuses nobody in particular.
      }
    }
    for (const suspect of this.#kept) {
      if (!spoken.has(suspect.about) && !this.#excused(suspect)) this.#report(suspect.finding)
    }
  }

  #excused({ against }: Suspect): boolean {
    return against === 'silence' && this.#unreadable
  }
}

/** A row that its table cannot hold was not written by the store. */
export const UNREADABLE = Symbol('unreadable')

export async function readable<T>(row: Promise<T>): Promise<T | typeof UNREADABLE> {
  try {
    return await row
  } catch {
    return UNREADABLE
  }
}
