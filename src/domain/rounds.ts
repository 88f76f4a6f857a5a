// A change that others may get in the way of: read, write, and look again, until there is nothing left to change. Who is in the way meets
// the same expectations, so that two rounds are the rule and more are rare.
import { TouchmarkError } from '../core/errors.ts'

/** The second round looks whether something slipped through, a third needs another one to; eight mean that somebody keeps at it. */
export const MAX_ROUNDS = 8

/**
 * Calls `round` until it answers `null`: nothing was left to change. A conflict means that the facts moved, and the round is taken again.
 * Answers what each round changed. Throws `contended` where it never ends, and whatever else a round throws.
 */
export async function untilNothingIsLeft<T>(
  round: () => Promise<T | null>,
  contended: (changed: readonly T[]) => TouchmarkError,
): Promise<T[]> {
  const changed: T[] = []
  for (let count = 1; ; count++) {
    try {
      const outcome = await round()
      if (outcome === null) return changed
      changed.push(outcome)
    } catch (thrown) {
      if (!hasMoved(thrown)) throw thrown
    }
    if (count === MAX_ROUNDS) throw contended(changed)
  }
}

/** Whether the change found other facts than it was made from: read again, it may be made again. */
export function hasMoved(thrown: unknown): boolean {
  return thrown instanceof TouchmarkError && MOVED.test(thrown.code)
}

/** What a write says that found another state than it expects. */
const MOVED = /^(?:[a-z]+\.[a-z]+_changed|credential\.changed|token\.used)$/
