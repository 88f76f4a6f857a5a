// What is sent to people: a notice holds what changed in one look at the rules, for one channel. It waits in the store until the other side has
// taken it; what nobody takes is kept as a dead letter.
import { type DeliveryId, newAlertId, type UnixSeconds } from '../ids.ts'
import type { Random } from '../ports.ts'
import type { Alert, AlertSeverity, AlertState } from './alert.ts'
import type { AlertChannel } from './alert-rules.ts'

export type NoticeReason =
  /** It fires. */
  | 'firing'
  /** It still fires, and nobody has it in hand. */
  | 'still_firing'
  /** It is worse than it was said to be. */
  | 'worse'
  | 'resolved'
  /** Somebody tries the channel. */
  | 'test'

export interface NoticeItem {
  readonly why: NoticeReason
  readonly alert: string
  readonly rule: string
  readonly subject: string
  readonly severity: AlertSeverity
  readonly state: AlertState
  readonly summary: string
  readonly runbook: string
  readonly startedAt: UnixSeconds
}

export interface Notice {
  readonly version: 1
  /** Which instance speaks: the origin of its log. */
  readonly instance: string
  readonly at: UnixSeconds
  /** The worst first. */
  readonly items: readonly NoticeItem[]
  /** Further ones that are not told one by one. */
  readonly more: number
}

export interface Delivery {
  readonly id: DeliveryId
  /** Name of the channel. */
  readonly channel: string
  readonly notice: Notice
  readonly state: 'waiting' | 'dead'
  /** How often it was begun. */
  readonly attempts: number
  /** Not before then. */
  readonly dueAt: UnixSeconds
  /** Code of the last failure. */
  readonly lastError: string | null
  readonly createdAt: UnixSeconds
  readonly revision: number
}

/** Brings a notice to the other side of a channel. */
export interface Notifier {
  /**
   * Resolves when the other side has taken it. Throws `notify.refused` (kind forbidden) where it never will, and `notify.failed` or
   * `notify.secret_missing` (kind unavailable) where another try may help. The same id is the same notice, however often it comes.
   */
  send(channel: AlertChannel, notice: Notice, id: DeliveryId, signal: AbortSignal): Promise<void>
}

/** Items that one notice tells one by one. */
export const MAX_ITEMS = 40

/** `RUNBOOKS` as an address: in the documentation that comes with the program. */
export function runbookPath(file: string): string {
  return `docs/operate/${file}`
}

const RANK: Readonly<Record<AlertSeverity, number>> = { notice: 0, warning: 1, critical: 2 }

export function isAtLeast(severity: AlertSeverity, least: AlertSeverity): boolean {
  return RANK[severity] >= RANK[least]
}

/** The notice for one channel; `undefined` where nothing of it is for that channel. */
export function noticeFor(
  channel: Pick<AlertChannel, 'name' | 'atLeast'>,
  news: readonly { readonly why: NoticeReason; readonly alert: Alert; readonly runbook: string }[],
  instance: string,
  at: UnixSeconds,
): Notice | undefined {
  const wanted = news
    // That a channel does not work is not told over that channel.
    .filter(({ alert }) => isAtLeast(alert.severity, channel.atLeast) && !isAbout(alert, channel.name))
    .sort((a, b) => RANK[b.alert.severity] - RANK[a.alert.severity])
  if (wanted.length === 0) return undefined
  const items = wanted.slice(0, MAX_ITEMS).map(({ why, alert, runbook }): NoticeItem => {
    const { id, rule, subject, severity, state, summary, startedAt } = alert
    return { why, alert: id, rule, subject, severity, state, summary, runbook: runbookPath(runbook), startedAt }
  })
  return { version: 1, instance, at, items, more: wanted.length - items.length }
}

function isAbout({ kind, subject }: Alert, channel: string): boolean {
  return kind === 'notices_undelivered' && subject === channel
}

/** What a test of a channel sends: marked as one wherever it is read. */
export function testNotice(instance: string, at: UnixSeconds, random: Random): Notice {
  const item: NoticeItem = {
    why: 'test',
    alert: newAlertId(at, random),
    rule: 'test',
    subject: '',
    severity: 'notice',
    state: 'resolved',
    summary: 'Somebody tries whether this channel works.',
    runbook: runbookPath('alerts.md'),
    startedAt: at,
  }
  return { version: 1, instance, at, items: [item], more: 0 }
}
