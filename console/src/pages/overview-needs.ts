// The first question of whoever opens the console: is everything fine, and if not, what has to be done, most urgent first. Decided here from
// the numbers of the overview, so that it can be tried without a browser.
import type { Overview } from '../api/schema.ts'

export type Need =
  | { readonly kind: 'crl_stale'; readonly urgency: 'bad'; readonly authority: string }
  | { readonly kind: 'authority_expired'; readonly urgency: 'bad'; readonly authority: string }
  | { readonly kind: 'expired_not_renewed'; readonly urgency: 'bad'; readonly count: number }
  | { readonly kind: 'log_behind'; readonly urgency: 'bad'; readonly entries: number }
  | { readonly kind: 'requests_waiting'; readonly urgency: 'warn'; readonly count: number; readonly more: boolean }
  | {
      readonly kind: 'authority_ending'
      readonly urgency: 'warn'
      readonly authority: string
      readonly notAfter: string
    }
  | { readonly kind: 'authority_unfinished'; readonly urgency: 'warn'; readonly authority: string }
  | { readonly kind: 'ending_soon'; readonly urgency: 'warn'; readonly count: number; readonly days: number }
  | { readonly kind: 'campaign_paused'; readonly urgency: 'warn'; readonly id: string; readonly name: string }

/** A year's notice for what takes a ceremony; authorities that live shorter than that get a quarter of their life. */
const AUTHORITY_NOTICE_MS = 365 * 86_400_000
/** Entries that wait for their signature in quiet running: the log is signed every few seconds. */
const LOG_GRACE_MS = 15 * 60_000

/** `now` in milliseconds since 1970. */
export function needsOf(overview: Overview, now: number): Need[] {
  const needs: Need[] = []
  for (const { id, state, crl, notBefore, notAfter } of overview.authorities) {
    if (state === 'awaiting_certificate') needs.push({ kind: 'authority_unfinished', urgency: 'warn', authority: id })
    if (state !== 'active') continue
    if (crl && !crl.fresh) needs.push({ kind: 'crl_stale', urgency: 'bad', authority: id })
    if (notAfter === null || notBefore === null) continue
    const life = Date.parse(notAfter) - Date.parse(notBefore)
    const left = Date.parse(notAfter) - now
    if (left <= 0) needs.push({ kind: 'authority_expired', urgency: 'bad', authority: id })
    else if (left < Math.min(AUTHORITY_NOTICE_MS, life / 4)) {
      needs.push({ kind: 'authority_ending', urgency: 'warn', authority: id, notAfter })
    }
  }
  const { expiredNotRenewed, endingWithin } = overview.renewal
  if (expiredNotRenewed > 0) needs.push({ kind: 'expired_not_renewed', urgency: 'bad', count: expiredNotRenewed })
  const { checkpoint, size } = overview.log
  if (checkpoint && checkpoint.entriesBehind > 0 && now - Date.parse(checkpoint.at) > LOG_GRACE_MS) {
    needs.push({ kind: 'log_behind', urgency: 'bad', entries: checkpoint.entriesBehind })
  } else if (!checkpoint && size > 0) needs.push({ kind: 'log_behind', urgency: 'bad', entries: size })
  const { requests, more } = overview.waiting
  if (requests > 0) needs.push({ kind: 'requests_waiting', urgency: 'warn', count: requests, more })
  const day = endingWithin.find(({ days }) => days === 1)
  if (day && day.certificates > 0) {
    needs.push({ kind: 'ending_soon', urgency: 'warn', count: day.certificates, days: day.days })
  }
  for (const { id, name, state } of overview.campaigns) {
    if (state === 'paused') needs.push({ kind: 'campaign_paused', urgency: 'warn', id, name })
  }
  const order = { bad: 0, warn: 1 }
  return needs.sort((a, b) => order[a.urgency] - order[b.urgency])
}
