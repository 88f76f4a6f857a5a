// Quotas of registration rules in a batch: counters are read once a chunk, and a chunk takes from each with one write. The store has the
// last word: chunks that are on their way at once may each think that there is room.
import type { UnixSeconds } from '../ids.ts'
import type { StoreReader, Write } from '../ports.ts'
import { type QuotaTake, quotaCounters } from '../ra/decide.ts'
import type { Evidence } from '../ra/evidence.ts'
import type { Rules } from '../ra/rules.ts'

/** What counters stand at for one chunk, with what the chunk itself takes added. */
export class QuotaCounts {
  readonly #rules: Rules
  readonly #now: UnixSeconds
  readonly #read: Pick<StoreReader, 'quotaTaken'>
  readonly #taken: Record<string, number> = {}

  constructor(rules: Rules, now: UnixSeconds, read: Pick<StoreReader, 'quotaTaken'>) {
    this.#rules = rules.filter(rule => rule.quota !== undefined)
    this.#now = now
    this.#read = read
  }

  /** Whether any rule has a quota. */
  get asked(): boolean {
    return this.#rules.length > 0
  }

  /** The counters that the decision over this evidence may look at, among others. */
  async of(evidence: readonly Evidence[]): Promise<Readonly<Record<string, number>>> {
    for (const counter of quotaCounters(this.#rules, evidence, this.#now)) {
      if (!Object.hasOwn(this.#taken, counter)) this.#taken[counter] = await this.#read.quotaTaken(counter)
    }
    return this.#taken
  }

  take(quota: QuotaTake | null): void {
    if (quota) this.#taken[quota.counter] = (this.#taken[quota.counter] ?? 0) + 1
  }
}

/** What these grants take, each counter in one write. */
export function quotaWrites(quotas: readonly (QuotaTake | null)[]): Write[] {
  const takes = new Map<string, Extract<Write, { kind: 'quota.take' }>>()
  for (const quota of quotas) {
    if (quota === null) continue
    const { counter, limit } = quota
    takes.set(counter, { kind: 'quota.take', counter, amount: (takes.get(counter)?.amount ?? 0) + 1, limit })
  }
  return [...takes.values()]
}
