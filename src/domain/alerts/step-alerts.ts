// What a look at the rules makes of the alerts that stand: a pure function from what was and what is found to what is now, and to what people
// are told of it. Told once when it fires, again while nobody has it in hand, and when it is over.
import { type AlertId, newAlertId, type UnixSeconds } from '../ids.ts'
import type { Random } from '../ports.ts'
import { type Alert, type AlertFinding, alertKey, isSilenced } from './alert.ts'
import { type AlertRule, type AlertRules, RUNBOOKS } from './alert-rules.ts'
import { isAtLeast, type NoticeReason } from './notice.ts'

export interface RuleFindings {
  readonly rule: AlertRule
  readonly findings: readonly AlertFinding[]
}

export interface AlertsAsTheyStand {
  /** Every alert that is not resolved. */
  readonly open: readonly Alert[]
  /** Resolved within `reopenSeconds`. */
  readonly resolvedLately: readonly Alert[]
}

export interface AlertChange {
  readonly alert: Alert
  /** Revision that is replaced; `null`: it is new. */
  readonly from: number | null
  /** What people are told of it; `null`: nothing. */
  readonly news: NoticeReason | null
  readonly runbook: string
}

type Timing = Pick<AlertRules, 'repeatSeconds' | 'reopenSeconds'>

/** Only what changes, in the order of the rules; what is not found any more comes last. */
export function stepAlerts(
  found: readonly RuleFindings[],
  { open, resolvedLately }: AlertsAsTheyStand,
  timing: Timing,
  now: UnixSeconds,
  random: Random,
): AlertChange[] {
  const standing = new Map(open.map(alert => [alert.key, alert]))
  const over = new Map(resolvedLately.map(alert => [alert.key, alert]))
  const seen = new Set<string>()
  const changes: AlertChange[] = []
  for (const { rule, findings } of found) {
    for (const finding of findings) {
      const key = alertKey(rule.name, finding.subject)
      if (seen.has(key)) continue
      seen.add(key)
      const before = standing.get(key)
      const change = before
        ? stillSo(before, rule, finding, timing, now)
        : firesNow(over.get(key), rule, finding, timing, now, random)
      if (change) changes.push(change)
    }
  }
  for (const alert of open) if (!seen.has(alert.key)) changes.push(resolve(alert, now))
  return changes
}

function firesNow(
  before: Alert | undefined,
  rule: AlertRule,
  finding: AlertFinding,
  { repeatSeconds, reopenSeconds }: Timing,
  now: UnixSeconds,
  random: Random,
): AlertChange {
  const about = { rule: rule.name, kind: rule.kind, severity: rule.severity, ...finding }
  const firing = { ...about, key: alertKey(rule.name, finding.subject), state: 'firing', changedAt: now } as const
  if (before === undefined || before.changedAt < now - reopenSeconds) {
    const id: AlertId = newAlertId(now, random)
    const history = { startedAt: now, acknowledgement: null, silencedUntil: null, occurrences: 1, revision: 1 }
    return told({ id, ...firing, ...history, notifiedAt: null }, null, 'firing', now)
  }
  // What comes and goes is one alert: told again only when the time for that has come.
  const { id, startedAt, silencedUntil, notifiedAt, occurrences, revision } = before
  const alert: Alert = {
    id,
    ...firing,
    startedAt,
    acknowledgement: null,
    silencedUntil,
    notifiedAt,
    occurrences: occurrences + 1,
    revision: revision + 1,
  }
  const due = notifiedAt === null || now - notifiedAt >= repeatSeconds
  return due && !isSilenced(alert, now) ? told(alert, revision, 'firing', now) : untold(alert, revision)
}

function stillSo(
  before: Alert,
  rule: AlertRule,
  finding: AlertFinding,
  { repeatSeconds }: Timing,
  now: UnixSeconds,
): AlertChange | undefined {
  const { severity } = rule
  const worse = severity !== before.severity && isAtLeast(severity, before.severity)
  const alert: Alert = { ...before, ...finding, kind: rule.kind, severity, revision: before.revision + 1 }
  const news = newsOf(before, worse, repeatSeconds, now)
  if (news !== null) return told(alert, before.revision, news, now)
  const same = alert.summary === before.summary && alert.value === before.value && alert.severity === before.severity
  return same ? undefined : untold(alert, before.revision)
}

function newsOf(before: Alert, worse: boolean, repeatSeconds: number, now: UnixSeconds): NoticeReason | null {
  if (isSilenced(before, now)) return null
  if (worse) return 'worse'
  if (before.state !== 'firing') return null
  if (before.notifiedAt === null) return 'firing'
  return now - before.notifiedAt >= repeatSeconds ? 'still_firing' : null
}

function resolve(before: Alert, now: UnixSeconds): AlertChange {
  const alert: Alert = { ...before, state: 'resolved', changedAt: now, revision: before.revision + 1 }
  // Who never heard of it need not hear that it is over.
  const news = before.notifiedAt !== null && !isSilenced(before, now) ? 'resolved' : null
  return { alert, from: before.revision, news, runbook: runbookOf(alert) }
}

function told(alert: Alert, from: number | null, news: NoticeReason, now: UnixSeconds): AlertChange {
  return { alert: { ...alert, notifiedAt: now }, from, news, runbook: runbookOf(alert) }
}

function untold(alert: Alert, from: number): AlertChange {
  return { alert, from, news: null, runbook: runbookOf(alert) }
}

/** An alert of a rule that a newer program had may have a kind that this one does not know. */
export function runbookOf({ kind }: Pick<Alert, 'kind'>): string {
  return Object.hasOwn(RUNBOOKS, kind) ? RUNBOOKS[kind as AlertRule['kind']] : 'alerts.md'
}
