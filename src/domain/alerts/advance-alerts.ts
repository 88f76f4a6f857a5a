// The job behind the alerts: look at the facts, change what stands, and put what people are to be told into the store in the same change set,
// one notice a channel. Two processes may do it at once: the revisions decide, and the loser looks again next time.
import { asTouchmarkError } from '../../core/errors.ts'
import { newDeliveryId, type UnixSeconds } from '../ids.ts'
import type { Clock, Random, Store, Write } from '../ports.ts'
import type { AlertRules } from './alert-rules.ts'
import { evaluate } from './evaluate.ts'
import type { AlertFacts } from './facts.ts'
import { type Delivery, type NoticeReason, noticeFor } from './notice.ts'
import { type AlertChange, stepAlerts } from './step-alerts.ts'

export interface AlertPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  /** Which instance speaks. */
  readonly instance: string
}

/** Open alerts and lately resolved ones that are looked at: rules find a hundred things each at most. */
export const MAX_ALERTS = 5000

/** What changed; nothing where another process was faster. */
export async function advanceAlerts(
  rules: AlertRules,
  facts: AlertFacts,
  ports: AlertPorts,
): Promise<readonly AlertChange[]> {
  const { store, random } = ports
  const { now } = facts
  const [open, resolvedLately] = await Promise.all([
    store.read.openAlerts(MAX_ALERTS),
    store.read.alertsResolvedSince(now - rules.reopenSeconds, MAX_ALERTS),
  ])
  const found = rules.rules.map(rule => ({ rule, findings: evaluate(rule, facts) }))
  const changes = stepAlerts(found, { open, resolvedLately }, rules, now, random)
  if (changes.length === 0) return []
  const writes: Write[] = [
    ...changes.map(({ alert, from }): Write => ({ kind: 'alert.put', alert, from })),
    ...deliveriesOf(rules, changes, now, ports),
  ]
  try {
    await store.commit({ writes, audit: [] })
    return changes
  } catch (thrown) {
    if (asTouchmarkError(thrown).code === 'alert.changed') return []
    throw thrown
  }
}

function deliveriesOf(
  { channels }: AlertRules,
  changes: readonly AlertChange[],
  now: UnixSeconds,
  { random, instance }: AlertPorts,
): Write[] {
  const news = changes.flatMap(({ news, ...change }) =>
    news === null ? [] : [{ why: news as NoticeReason, ...change }],
  )
  return channels.flatMap((channel): Write[] => {
    const notice = noticeFor(channel, news, instance, now)
    if (notice === undefined) return []
    const delivery: Delivery = {
      id: newDeliveryId(now, random),
      channel: channel.name,
      notice,
      state: 'waiting',
      attempts: 0,
      dueAt: now,
      lastError: null,
      createdAt: now,
      revision: 1,
    }
    return [{ kind: 'delivery.put', delivery, from: null }]
  })
}
