// Brings due notices to their channels. A try is written down before it is made, with the time of the next: a process that dies in the middle
// costs a repetition, and two processes do not try at once. What is refused, or not taken for too long, stays as a dead letter.
import { asTouchmarkError } from '../../core/errors.ts'
import type { Clock, Store, Write } from '../ports.ts'
import type { AlertRules } from './alert-rules.ts'
import type { Delivery, Notifier } from './notice.ts'

export interface DeliveryPorts {
  readonly store: Store
  readonly clock: Clock
  readonly notifier: Notifier
  /** How a try ended: for those who count. */
  onAttempt?(delivery: Delivery, outcome: 'delivered' | 'later' | 'dead', code: string | null): void
}

/** With the waits below a notice is tried for some ten hours. */
export const MAX_ATTEMPTS = 12
const FIRST_WAIT_SECONDS = 15
const MAX_WAIT_SECONDS = 2 * 3600
/** Longer than any sender takes. */
const LEASE_SECONDS = 120
const AT_ONCE = 100

/** 15 s, 30 s, 1 min … 2 h. */
export function waitAfter(attempts: number): number {
  return Math.min(FIRST_WAIT_SECONDS * 2 ** Math.max(0, attempts - 1), MAX_WAIT_SECONDS)
}

/** Tries what is due, the channels beside each other and the notices of one in their order; answers how many were taken. */
export async function deliverNotices(
  { channels }: Pick<AlertRules, 'channels'>,
  ports: DeliveryPorts,
  signal: AbortSignal,
): Promise<number> {
  const { store, clock } = ports
  const due = Map.groupBy(await store.read.deliveriesDue(clock.now(), AT_ONCE), ({ channel }) => channel)
  const counts = await Promise.all(
    Array.from(due, async ([name, deliveries]) => {
      const channel = channels.find(each => each.name === name)
      let taken = 0
      for (const delivery of deliveries) {
        if (signal.aborted) break
        if (channel === undefined)
          await commit({ kind: 'delivery.remove', id: delivery.id, from: delivery.revision }, store)
        else if (await attempt(delivery, channel, ports, signal)) taken++
      }
      return taken
    }),
  )
  return counts.reduce((sum, taken) => sum + taken, 0)
}

async function attempt(
  waiting: Delivery,
  channel: AlertRules['channels'][number],
  ports: DeliveryPorts,
  signal: AbortSignal,
): Promise<boolean> {
  const { store, clock, notifier } = ports
  const begun: Delivery = {
    ...waiting,
    attempts: waiting.attempts + 1,
    dueAt: clock.now() + LEASE_SECONDS,
    revision: waiting.revision + 1,
  }
  if (!(await commit({ kind: 'delivery.put', delivery: begun, from: waiting.revision }, store))) return false
  try {
    await notifier.send(channel, begun.notice, begun.id, signal)
  } catch (thrown) {
    if (signal.aborted) return false
    const { code, kind } = asTouchmarkError(thrown)
    const dead = kind === 'forbidden' || kind === 'malformed' || begun.attempts >= MAX_ATTEMPTS
    const next: Delivery = {
      ...begun,
      state: dead ? 'dead' : 'waiting',
      dueAt: clock.now() + waitAfter(begun.attempts),
      lastError: code,
      revision: begun.revision + 1,
    }
    await commit({ kind: 'delivery.put', delivery: next, from: begun.revision }, store)
    ports.onAttempt?.(begun, dead ? 'dead' : 'later', code)
    return false
  }
  await commit({ kind: 'delivery.remove', id: begun.id, from: begun.revision }, store)
  ports.onAttempt?.(begun, 'delivered', null)
  return true
}

/** Whether it happened: another process may have been faster. */
async function commit(write: Write, store: Store): Promise<boolean> {
  try {
    await store.commit({ writes: [write], audit: [] })
    return true
  } catch (thrown) {
    if (asTouchmarkError(thrown).code === 'delivery.changed') return false
    throw thrown
  }
}
