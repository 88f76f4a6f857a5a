// What happened in the last hour, by the minute, in memory: enough to say that refusals are many just now. Each process counts its own; a
// restart begins at nothing.
import type { UnixSeconds } from '../ids.ts'

export type RecentEvent =
  | 'enrolment.issued'
  | 'enrolment.refused'
  | 'renewal.issued'
  | 'renewal.refused'
  | 'device.clone_suspected'
  | 'signer.failed'

/** How often things happened within the last seconds, to the minute. */
export interface RecentView {
  count(event: RecentEvent, windowSeconds: number, now: UnixSeconds): number
  /** Codes of refusals with their counts, the most frequent first. */
  refusals(windowSeconds: number, now: UnixSeconds): readonly (readonly [code: string, count: number])[]
}

const MINUTE = 60
const MINUTES = 60
/** Codes told apart; they are a closed list in the sources, and this guards against one that a stranger could shape. */
const MAX_CODES = 500

export class RecentCounts implements RecentView {
  readonly #counts = new Map<string, MinuteRing>()

  add(event: RecentEvent, now: UnixSeconds, amount = 1): void {
    this.#add(event, now, amount)
  }

  refused(code: string, now: UnixSeconds): void {
    this.#add(`${REFUSAL}${code}`, now, 1)
  }

  count(event: RecentEvent, windowSeconds: number, now: UnixSeconds): number {
    return this.#counts.get(event)?.sum(windowSeconds, now) ?? 0
  }

  refusals(windowSeconds: number, now: UnixSeconds): readonly (readonly [string, number])[] {
    const found: [string, number][] = []
    for (const [name, ring] of this.#counts) {
      const count = name.startsWith(REFUSAL) ? ring.sum(windowSeconds, now) : 0
      if (count > 0) found.push([name.slice(REFUSAL.length), count])
    }
    return found.sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1))
  }

  #add(name: string, now: UnixSeconds, amount: number): void {
    let ring = this.#counts.get(name)
    if (ring === undefined) {
      if (this.#counts.size >= MAX_CODES) return
      ring = new MinuteRing()
      this.#counts.set(name, ring)
    }
    ring.add(now, amount)
  }
}

const REFUSAL = 'refusal '

/** Sums of the last sixty minutes; a minute that nobody wrote for an hour is overwritten, and not counted meanwhile. */
class MinuteRing {
  readonly #minutes = new Float64Array(MINUTES)
  readonly #sums = new Float64Array(MINUTES)

  add(now: UnixSeconds, amount: number): void {
    const minute = Math.floor(now / MINUTE)
    const at = minute % MINUTES
    if (this.#minutes[at] !== minute) {
      this.#minutes[at] = minute
      this.#sums[at] = 0
    }
    this.#sums[at]! += amount
  }

  sum(windowSeconds: number, now: UnixSeconds): number {
    const last = Math.floor(now / MINUTE)
    const first = last - Math.min(MINUTES, Math.ceil(windowSeconds / MINUTE)) + 1
    return this.#sums.reduce((sum, of, at) => {
      const minute = this.#minutes[at]!
      return minute >= first && minute <= last ? sum + of : sum
    }, 0)
  }
}
