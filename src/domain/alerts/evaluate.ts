// A rule asks the facts: a pure function, so that what a rule would say of tomorrow can be tried today.
import { bucketWidth } from '../renewal/window.ts'
import type { AlertFinding } from './alert.ts'
import type { AlertRule } from './alert-rules.ts'
import { type AlertFacts, MAX_LISTED } from './facts.ts'

/** Findings of one rule; more are left out, and the last one says so. */
const MAX_FINDINGS = 100

/** What is so, one finding for each thing it is so about; a rule that is switched off finds nothing. */
export function evaluate(rule: AlertRule, facts: AlertFacts): readonly AlertFinding[] {
  if (!rule.enabled) return []
  const found = findings(rule, facts)
  if (found.length <= MAX_FINDINGS) return found
  const more = found.length - MAX_FINDINGS + 1
  const rest = { subject: '', summary: `${more} more of ${rule.name}, not told one by one.`, value: more }
  return [...found.slice(0, MAX_FINDINGS - 1), rest]
}

function findings(rule: AlertRule, facts: AlertFacts): AlertFinding[] {
  const { now } = facts
  switch (rule.kind) {
    case 'credentials_overdue': {
      const count = facts.overdue.filter(windowEnd => windowEnd < now - rule.graceSeconds).length
      return count > rule.moreThan
        ? [whole(`${countOf(count)} ${count === 1 ? 'device' : 'devices'} should have renewed and did not.`, count)]
        : []
    }
    case 'credentials_ending':
      return facts.profiles.flatMap(({ profile, lifetimeSeconds, ends }) => {
        const until = now + Math.floor(rule.lastShare * lifetimeSeconds)
        // A bucket counts when its last second is within reach: none of its certificates has longer.
        const width = bucketWidth(lifetimeSeconds)
        const count = sum(ends.filter(({ start }) => start + width > now && start + width <= until))
        const text = `${count} certificates of ${profile} are in the last ${percent(rule.lastShare)} of their life and not renewed.`
        return count > rule.moreThan ? [{ subject: profile, summary: text, value: count }] : []
      })
    case 'credentials_expired':
      return facts.profiles.flatMap(({ profile, lifetimeSeconds, ends }) => {
        const width = bucketWidth(lifetimeSeconds)
        const count = sum(ends.filter(({ start }) => start + width <= now && start + width > now - rule.withinSeconds))
        const text = `${count} certificates of ${profile} ended in the last ${duration(rule.withinSeconds)} without being renewed.`
        return count > rule.moreThan ? [{ subject: profile, summary: text, value: count }] : []
      })
    case 'renewals_refused': {
      const count = facts.recent.count('renewal.refused', rule.windowSeconds, now)
      const text = `${count} renewals were refused within ${duration(rule.windowSeconds)}.`
      return count > rule.moreThan ? [whole(text, count)] : []
    }
    case 'enrolments_refused': {
      const count = facts.recent.count('enrolment.refused', rule.windowSeconds, now)
      const all = count + facts.recent.count('enrolment.issued', rule.windowSeconds, now)
      if (count <= rule.moreThan || count < rule.share * all) return []
      return [whole(`${count} of ${all} enrolments were refused within ${duration(rule.windowSeconds)}.`, count)]
    }
    case 'refusals_unusual':
      return facts.recent
        .refusals(rule.windowSeconds, now)
        .filter(([, count]) => count > rule.moreThan)
        .map(([code, count]) => ({
          subject: code,
          summary: `${count} requests were refused with ${code} within ${duration(rule.windowSeconds)}.`,
          value: count,
        }))
    case 'clones_suspected': {
      const count = facts.recent.count('device.clone_suspected', rule.windowSeconds, now)
      const text = `Two holders acted as the same device ${count} times within ${duration(rule.windowSeconds)}.`
      return count > rule.moreThan ? [whole(text, count)] : []
    }
    case 'authority_ending':
      return facts.authorities.flatMap(({ id, state, notAfter }) => {
        if (state !== 'active' || notAfter === null || notAfter - now > rule.withinSeconds) return []
        return [{ subject: id, summary: `The authority ${id} ${ends(notAfter, now)}.`, value: days(notAfter - now) }]
      })
    case 'crl_ending':
      return facts.authorities.flatMap(authority => crlFinding(rule, authority, now) ?? [])
    case 'ocsp_signer_ending':
      return facts.authorities.flatMap(({ id, state, keyHere, notAfter, ocspNotAfter }) => {
        if (state === 'awaiting_certificate' || !keyHere || notAfter === null || notAfter < now) return []
        if (ocspNotAfter === null)
          return [{ subject: id, summary: `Nobody signs OCSP answers for ${id}.`, value: null }]
        if (ocspNotAfter - now > rule.withinSeconds) return []
        return [{ subject: id, summary: `The OCSP signer of ${id} ${ends(ocspNotAfter, now)}.`, value: null }]
      })
    case 'signer_lost':
      return [
        ...facts.authorities
          .filter(({ state, keyHere, keyExpected }) => state === 'active' && keyExpected && !keyHere)
          .map(({ id }) => ({ subject: id, summary: `The key of ${id} is not here: it signs nothing.`, value: null })),
        ...signerFailures(facts),
      ]
    case 'disk_low': {
      if (facts.disk === null) return []
      const { freeOctets, totalOctets } = facts.disk
      const left = Math.floor((100 * freeOctets) / Math.max(totalOctets, 1))
      if (left >= rule.belowPercent || freeOctets >= rule.belowOctets) return []
      return [whole(`${left} % of the disk is free (${(freeOctets / 1e9).toFixed(1)} GB).`, left)]
    }
    case 'log_unsigned': {
      if (facts.logUnsignedSince === null || now - facts.logUnsignedSince < rule.afterSeconds) return []
      return [whole(`Entries of the log are unsigned since ${minute(facts.logUnsignedSince)}.`, null)]
    }
    case 'campaign_paused':
      return facts.campaigns
        .filter(({ state, stateReason }) => state === 'paused' && stateReason === STOPPED_ITSELF)
        .map(({ name }) => ({
          subject: name,
          summary: `The campaign ${name} stopped itself: too many devices failed.`,
          value: null,
        }))
    case 'jobs_failing':
      return facts.failingJobs
        .filter(({ since }) => now - since >= rule.afterSeconds)
        .map(({ name, since }) => ({
          subject: name,
          summary: `The job "${name}" fails since ${minute(since)}.`,
          value: null,
        }))
    case 'approvals_waiting': {
      const count = facts.waiting.filter(createdAt => createdAt < now - rule.afterSeconds).length
      const text = `${countOf(count)} requests wait for an operator for more than ${duration(rule.afterSeconds)}.`
      return count > rule.moreThan ? [whole(text, count)] : []
    }
    case 'notices_undelivered':
      return Array.from(facts.undelivered, ([channel, count]) => ({
        subject: channel,
        summary: `${countOf(count)} notices could not be delivered to ${channel}.`,
        value: count,
      }))
    default:
      return rule satisfies never
  }
}

/** What advance-campaigns.ts writes when a wave failed. */
const STOPPED_ITSELF = 'campaign.too_many_failed'
const SIGNER_WINDOW = 900

function signerFailures({ recent, now }: AlertFacts): AlertFinding[] {
  const count = recent.count('signer.failed', SIGNER_WINDOW, now)
  return count > 0 ? [whole(`${count} signatures failed within ${duration(SIGNER_WINDOW)}.`, count)] : []
}

/** The list that ends first speaks for the authority. */
function crlFinding(
  rule: Extract<AlertRule, { kind: 'crl_ending' }>,
  { id, state, notAfter, keyHere, crls }: AlertFacts['authorities'][number],
  now: number,
): AlertFinding | undefined {
  if (state === 'awaiting_certificate' || (notAfter !== null && notAfter < now)) return undefined
  const missing = crls.find(({ list }) => list === null)
  if (missing) return { subject: id, summary: `${id} has no CRL for its shard ${missing.shard}.`, value: null }
  const first = Math.min(...crls.map(({ list }) => list!.nextUpdate))
  if (first - now > (keyHere ? rule.withinSeconds : rule.offlineWithinSeconds)) return undefined
  return { subject: id, summary: `A CRL of ${id} ${ends(first, now)}.`, value: days(first - now) }
}

const whole = (summary: string, value: number | null): AlertFinding => ({ subject: '', summary, value })
const sum = (buckets: readonly { readonly planned: number }[]) =>
  buckets.reduce((total, { planned }) => total + planned, 0)
const countOf = (count: number) => (count >= MAX_LISTED ? `At least ${MAX_LISTED}` : String(count))
const percent = (share: number) => `${Math.round(share * 100)} %`
const days = (seconds: number) => Math.floor(seconds / 86_400)

const minute = (at: number) => `${new Date(at * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`

/** What it says stays true for a while: words that change would be written down each time. */
function ends(at: number, now: number): string {
  const date = new Date(at * 1000).toISOString().slice(0, 10)
  return at < now ? `ended on ${date}` : `ends on ${date}`
}

function duration(seconds: number): string {
  for (const [unit, name] of [
    [86_400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ] as const) {
    const count = Math.floor(seconds / unit)
    if (count >= 1) return count === 1 ? `1 ${name}` : `${count} ${name}s`
  }
  return `${seconds} seconds`
}
