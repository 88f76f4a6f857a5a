// Against guessing: after some failures an account, and an address, has to wait, twice as long each time. Every attempt counts as a failure
// until it succeeds, so that a hundred at once count as a hundred. An account that does not exist waits like one that does.
// Kept in memory, by process: a restart forgives, and an attacker cannot restart us.
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { UnixSeconds } from '../ids.ts'
import { addressGroup } from '../ra/refusal-log.ts'

interface Patience {
  /** Failures that cost nothing: people mistype. */
  readonly free: number
  /** The longest wait in seconds. */
  readonly longest: number
}

/**
 * An account waits a minute at most: whoever knows the name could otherwise keep its owner out. 1,440 guesses a day are nothing against a
 * password of twelve characters with a code. An address waits longer.
 */
const ACCOUNT: Patience = { free: 5, longest: 60 }
const ADDRESS: Patience = { free: 20, longest: 900 }

const FORGOTTEN_AFTER_SECONDS = 24 * 3600
/** Accounts and addresses that are remembered together; the one that was quiet longest gives way. */
export const MAX_REMEMBERED = 20_000

interface Memory {
  failures: number
  at: UnixSeconds
}

export class SlowDown {
  /** In the order of the last failure. */
  readonly #memories = new Map<string, Memory>()

  /**
   * Counts an attempt. Throws `access.slow_down` with the seconds to wait where its time has not come: such an attempt is not looked at and
   * does not count. `account`: what somebody says that they are, `null` where they say nothing.
   */
  attempt(account: string | null, address: string, now: UnixSeconds): { succeeded(): void } {
    const keys = [
      ...(account === null ? [] : [[accountKey(account), ACCOUNT] as const]),
      [`address ${addressGroup(address)}`, ADDRESS] as const,
    ]
    const wait = Math.max(...keys.map(([key, patience]) => this.#wait(key, patience, now)))
    if (wait > 0) {
      throw new TouchmarkError('access.slow_down', 'too_many', 'Too many attempts failed.', {
        evidence: { retryAfterSeconds: wait },
        next: `Wait ${wait} seconds, or use a passkey.`,
      })
    }
    for (const [key] of keys) this.#fail(key, now)
    return {
      succeeded: () => {
        for (const [key] of keys) {
          // The address stays under suspicion for what it did to other accounts.
          const memory = this.#memories.get(key)
          if (memory === undefined) continue
          if (key.startsWith('account') || memory.failures <= 1) this.#memories.delete(key)
          else memory.failures--
        }
      },
    }
  }

  #wait(key: string, { free, longest }: Patience, now: UnixSeconds): number {
    const memory = this.#memories.get(key)
    if (memory === undefined || memory.failures < free) return 0
    const wait = Math.min(longest, 2 ** Math.min(30, memory.failures - free))
    // A clock that goes back makes nobody wait longer than they would have to.
    return Math.min(wait, memory.at + wait - now)
  }

  #fail(key: string, now: UnixSeconds): void {
    const memory = this.#memories.get(key)
    const forgotten = memory !== undefined && now - memory.at > FORGOTTEN_AFTER_SECONDS
    this.#memories.delete(key)
    this.#memories.set(key, { failures: memory === undefined || forgotten ? 1 : memory.failures + 1, at: now })
    if (this.#memories.size > MAX_REMEMBERED) this.#memories.delete(this.#memories.keys().next().value!)
  }
}

/** Of one length, whatever a stranger sends. */
function accountKey(account: string): string {
  return `account ${sha256Hex(toUtf8(account.toLowerCase()))}`
}
