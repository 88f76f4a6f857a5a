// An alert: something that a rule found to be so, from the moment it was found until it is not so any more. One row for each thing that is
// wrong, however often it is looked at; the key says which thing.
import type { AlertId, UnixSeconds } from '../ids.ts'

export type AlertSeverity = 'notice' | 'warning' | 'critical'

export const ALERT_SEVERITIES = ['notice', 'warning', 'critical'] as const satisfies readonly AlertSeverity[]

export type AlertState =
  | 'firing'
  /** Somebody has it in hand: nobody is told again. */
  | 'acknowledged'
  /** It is not so any more. Found again within a while it fires again, as the same row. */
  | 'resolved'

export interface Alert {
  readonly id: AlertId
  /** `<rule>/<subject>`: of alerts that are not resolved, one for each key. */
  readonly key: string
  /** Name of the rule that found it. */
  readonly rule: string
  /** Kind of that rule. */
  readonly kind: string
  /** What it is about: an authority, a profile, a campaign, a code; empty for the instance as a whole. */
  readonly subject: string
  readonly severity: AlertSeverity
  /** One sentence for people. */
  readonly summary: string
  /** What was measured, in the unit that the summary names; `null` where nothing is counted. */
  readonly value: number | null
  readonly state: AlertState
  readonly startedAt: UnixSeconds
  /** When the state last changed. */
  readonly changedAt: UnixSeconds
  /** Who has it in hand, as the log names actors, and what they wrote; erased when it fires anew. */
  readonly acknowledgement: { readonly by: string; readonly at: UnixSeconds; readonly note: string } | null
  /** Nobody is told before then; it may be over. */
  readonly silencedUntil: UnixSeconds | null
  /** When somebody was told last; `null`: nobody was. */
  readonly notifiedAt: UnixSeconds | null
  /** How often it fired. */
  readonly occurrences: number
  /** Grows with each change; 1 at first. */
  readonly revision: number
}

/** What a rule found, without a history. */
export interface AlertFinding {
  readonly subject: string
  readonly summary: string
  readonly value: number | null
}

export function alertKey(rule: string, subject: string): string {
  return `${rule}/${subject}`
}

/** Whether people are kept from hearing of it at `now`. */
export function isSilenced({ silencedUntil }: Pick<Alert, 'silencedUntil'>, now: UnixSeconds): boolean {
  return silencedUntil !== null && silencedUntil > now
}
