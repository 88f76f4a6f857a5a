// What happened, counted by the hour as it is logged: certificates issued, renewed and ended, and requests refused, by code. The counts are
// rows of their own, so that a rate over the whole fleet costs a few of them.
import type { AuditAction } from '../audit/actions.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { UnixSeconds } from '../ids.ts'

export const HOUR = 3600

export const ACTIVITY_MEASURES = ['enrolled', 'renewed', 'refused', 'revoked', 'held', 'registered'] as const
export type ActivityMeasure = (typeof ACTIVITY_MEASURES)[number]

export interface Activity {
  /** First second of the hour. */
  readonly hour: UnixSeconds
  readonly measure: ActivityMeasure
  /** Why, where something was refused; empty otherwise. */
  readonly code: string
  readonly amount: number
}

const DONE: Partial<Readonly<Record<AuditAction, ActivityMeasure>>> = {
  'certificate.issued': 'enrolled',
  'certificate.revoked': 'revoked',
  'certificate.held': 'held',
  'device.registered': 'registered',
}

/** The counts that these entries add to, each once. A batch logs thousands alike: that costs no more than a look at each. */
export function activityOf(entries: readonly AuditEntry[]): Activity[] {
  const found: { hour: UnixSeconds; measure: ActivityMeasure; code: string; amount: number }[] = []
  let last: (typeof found)[number] | undefined
  for (const entry of entries) {
    const measure = measureOf(entry)
    if (measure === undefined) continue
    const hour = entry.at - (entry.at % HOUR)
    const code = measure === 'refused' ? (entry.code ?? '') : ''
    if (last?.measure !== measure || last.hour !== hour || last.code !== code) {
      last = found.find(each => each.measure === measure && each.hour === hour && each.code === code)
      if (last === undefined) {
        last = { hour, measure, code, amount: 0 }
        found.push(last)
      }
    }
    last.amount += repeated(entry)
  }
  return found
}

function measureOf({ action, outcome, subject, detail }: AuditEntry): ActivityMeasure | undefined {
  if (outcome === 'refused') return action === 'enrolment.refused' ? 'refused' : undefined
  const measure = DONE[action]
  if (measure !== 'enrolled') return measure
  // The platform's own certificates are nobody's enrolment.
  if (subject['deviceId'] === undefined) return undefined
  return detail?.['replaces'] === undefined ? 'enrolled' : 'renewed'
}

/** An entry of the refusal log may stand for many. */
function repeated({ outcome, detail }: AuditEntry): number {
  const count = outcome === 'refused' ? detail?.['repeated'] : undefined
  return typeof count === 'number' ? count : 1
}
