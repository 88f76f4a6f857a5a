// Who gets what: a pure function of the request, the evidence, what is known of device and key, the rules and the time. It is the same
// for every protocol. `explain` says why, step by step, for dry runs; nothing else in the house decides.
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { Profile } from '../ca/profile.ts'
import { type Device, mayEnrol } from '../device/device.ts'
import { type DeviceKey, mayCertify } from '../device/device-key.ts'
import type { KeyId, UnixSeconds } from '../ids.ts'
import { type Evidence, evidenceReference } from './evidence.ts'
import { type Refusal, type RefusalCode, refusal } from './refusal.ts'
import type { Operation, Rule, Rules } from './rules.ts'

/** How the names in a renewal request relate to those of the certificate being renewed (RFC 7030 §4.2.2). */
export interface RequestedNames {
  /** `empty`: an empty subject, which asks for nothing. `as-before`: what the device asked when the certificate was issued. */
  readonly subject: 'same' | 'empty' | 'as-before' | 'other'
  readonly subjectAltName: 'same' | 'absent' | 'as-before' | 'other'
  /** The attribute ChangeSubjectName (RFC 6402 §2.8) is there. */
  readonly changeSubjectName: boolean
}

export interface KeyFacts {
  readonly id: KeyId
  readonly algorithm: KeyAlgorithmName
  readonly origin: 'device' | 'server'
  /** The record of this very key, under whichever device. */
  readonly known: DeviceKey | null
}

export interface DecisionInput {
  readonly operation: Operation
  readonly profile: Pick<Profile, 'name' | 'holder' | 'keyAlgorithms' | 'sameKeyRenewal'>
  readonly evidence: readonly Evidence[]
  readonly key: KeyFacts
  /** Only looked at for renewals. */
  readonly names: RequestedNames
  /** Whether the request carries a channel binding that was found to be right. */
  readonly channelBinding: boolean
  /** An operator approved this very request. */
  readonly approved: boolean
  /** What counters stand at; see `quotaCounters`. */
  readonly quotaTaken: Readonly<Record<string, number>>
  readonly rules: Rules
  readonly now: UnixSeconds
}

export interface Step {
  readonly check: string
  readonly verdict: 'passed' | 'failed' | 'noted'
  readonly because: string
}

/** The device that the evidence names: known, or to be registered by this request. */
export type Subject =
  | { readonly kind: 'known'; readonly device: Device }
  | { readonly kind: 'unknown'; readonly model: string; readonly serialNumber: string }

export type Decision =
  | {
      readonly outcome: 'granted' | 'pending'
      readonly rule: Rule
      readonly subject: Subject
      /** The piece of evidence that the rule went by. */
      readonly evidence: Evidence
      readonly quota: QuotaTake | null
      readonly because: string
    }
  | {
      readonly outcome: 'denied'
      /** `null` where no rule came to decide. */
      readonly rule: Rule | null
      readonly subject: Subject | null
      readonly refusal: Refusal
      readonly because: string
    }

export interface QuotaTake {
  readonly counter: string
  readonly limit: number
}

/**
 * Decides. Order of the questions: what is shown, for which device, with which key, and only then which rule; so that a rule can never
 * grant what a fact forbids.
 */
export function decide(input: DecisionInput): Decision {
  return follow(input, undefined)
}

/** The decision, and what led to it, step by step. */
export function explain(input: DecisionInput): { readonly decision: Decision; readonly trace: readonly Step[] } {
  const trace: Step[] = []
  return { decision: follow(input, trace), trace }
}

type Say = (check: string, because: string) => void

/** Without a trace nobody reads what passed, and a batch would spend much of its time on wording it: then `pass` and `note` are not there. */
function follow(input: DecisionInput, trace: Step[] | undefined): Decision {
  const pass: Say | undefined = trace && ((check, because) => void trace.push({ check, verdict: 'passed', because }))
  const note: Say | undefined = trace && ((check, because) => void trace.push({ check, verdict: 'noted', because }))
  const deny = (check: string, code: RefusalCode, because: string, rule: Rule | null = null): Decision => {
    trace?.push({ check, verdict: 'failed', because: `${because} (${code})` })
    return { outcome: 'denied', rule, subject, refusal: refusal(code), because }
  }
  let subject: Subject | null = null

  if (input.evidence.length === 0) return deny('evidence', 'evidence.missing', 'nothing is presented')
  const subjects = input.evidence.map(subjectOf)
  if (!subjects.every(other => sameSubject(other, subjects[0]!))) {
    return deny('evidence', 'evidence.conflicting', 'the pieces of evidence name different devices')
  }
  subject = subjects[0]!
  pass?.('evidence', `${input.evidence.map(evidenceReference).join(' and ')} for ${subjectName(subject)}`)

  if (subject.kind === 'known') {
    const { state } = subject.device
    if (!mayEnrol(state)) {
      return deny('device', state === 'suspended' ? 'device.suspended' : 'device.retired', `the device is ${state}`)
    }
    pass?.('device', `the device is registered and ${state}`)
  } else {
    note?.('device', 'the device is not registered')
  }

  const usable: Evidence[] = []
  let unusable: { readonly code: RefusalCode; readonly because: string } | undefined
  for (const evidence of input.evidence) {
    const flaw = flawOf(evidence, input)
    if (flaw === undefined) usable.push(evidence)
    else {
      unusable ??= flaw
      note?.('evidence', flaw.because)
    }
  }
  if (usable.length === 0) return deny('evidence', unusable!.code, unusable!.because)

  if (input.profile.holder !== 'device') {
    return deny(
      'profile',
      'profile.not_for_devices',
      `the profile ${input.profile.name} is for the ${input.profile.holder}`,
    )
  }

  const renewed = usable.find(evidence => evidence.kind === 'own-certificate')
  if (input.operation === 'renew') {
    if (renewed === undefined) {
      return deny('renewal', 'renewal.certificate_required', 'the certificate being renewed is not presented')
    }
    if (renewed.record.profile !== input.profile.name) {
      return deny('renewal', 'renewal.profile_changed', `the certificate was issued under ${renewed.record.profile}`)
    }
    if (input.names.changeSubjectName) {
      return deny(
        'renewal',
        'renewal.change_subject_name_unsupported',
        'the request has the attribute ChangeSubjectName',
      )
    }
    const sameKey = renewed.record.keyId === input.key.id
    if (sameKey && !input.profile.sameKeyRenewal) {
      return deny('renewal', 'key.reuse_not_allowed', 'the key is that of the certificate being renewed')
    }
    pass?.(
      'renewal',
      `${renewed.record.serialNumber} is renewed under its profile with ${sameKey ? 'the same key' : 'a new key'}`,
    )
  }

  const { key } = input
  if (!input.profile.keyAlgorithms.includes(key.algorithm)) {
    return deny('key', 'key.algorithm_not_allowed', `the profile ${input.profile.name} does not allow ${key.algorithm}`)
  }
  if (key.known === null) pass?.('key', `a ${key.algorithm} key that was never seen before`)
  else {
    if (subject.kind === 'unknown' || key.known.deviceId !== subject.device.id) {
      return deny('key', 'key.known_elsewhere', 'the key is recorded under another device')
    }
    if (!mayCertify(key.known.state)) {
      return deny('key', KEY_REFUSALS[key.known.state] ?? 'key.archived', `the key is ${key.known.state}`)
    }
    pass?.('key', `a ${key.algorithm} key of this device, ${key.known.state}`)
  }

  const found = firstMatch(input, subject, usable, note)
  if (found === undefined) {
    const expired = usable.find(evidence => evidence.kind === 'own-certificate' && evidence.expiredForSeconds > 0)
    if (expired)
      return deny('rule', 'evidence.certificate_expired', 'no rule gives the expired certificate a grace time')
    return deny('rule', 'rule.none_matches', 'no rule matches')
  }
  const { rule, evidence } = found
  if (rule.outcome === 'deny') return deny('rule', 'rule.denies', `rule ${rule.name} denies`, rule)
  pass?.('rule', `rule ${rule.name} matches`)

  if (subject.kind === 'unknown' && rule.firstSeen === 'require-known') {
    return deny('device', 'device.unknown', `rule ${rule.name} wants a registered device`, rule)
  }
  if (rule.channelBinding === 'required' && !input.channelBinding) {
    return deny('channel binding', 'channel_binding.required', `rule ${rule.name} wants a channel binding`, rule)
  }
  if (input.operation === 'renew' && rule.renewalNames === 'identical') {
    if (input.names.subject === 'other') {
      return deny('names', 'renewal.subject_changed', 'the subject is not that of the certificate', rule)
    }
    if (input.names.subjectAltName === 'other') {
      return deny(
        'names',
        'renewal.subject_alt_name_changed',
        'the subjectAltName is not that of the certificate',
        rule,
      )
    }
    pass?.('names', `the subject is ${input.names.subject}, the subjectAltName ${input.names.subjectAltName}`)
  }

  const quota = quotaOf(rule, subject, input.now)
  if (quota) {
    const taken = input.quotaTaken[quota.counter] ?? 0
    if (taken >= quota.limit) return deny('quota', 'quota.exceeded', `${taken} of ${quota.limit} are taken`, rule)
    pass?.('quota', `${taken} of ${quota.limit} are taken`)
  }

  if (rule.outcome === 'pending' && !input.approved) {
    const because = `rule ${rule.name} asks an operator`
    note?.('outcome', because)
    return { outcome: 'pending', rule, subject, evidence, quota, because }
  }
  const because =
    rule.outcome === 'pending' ? `rule ${rule.name} asked an operator, who approved` : `rule ${rule.name} grants`
  pass?.('outcome', because)
  return { outcome: 'granted', rule, subject, evidence, quota, because }
}

/** The counters that a decision over these rules may look at, for whoever loads the facts. */
export function quotaCounters(rules: Rules, evidence: readonly Evidence[], now: UnixSeconds): string[] {
  const [first] = evidence
  if (first === undefined) return []
  const subject = subjectOf(first)
  return rules.flatMap(rule => quotaOf(rule, subject, now)?.counter ?? [])
}

/** The device that a piece of evidence speaks for. */
export function subjectOf(evidence: Evidence): Subject {
  if (evidence.kind === 'manufacturer-certificate' && evidence.device === null) {
    return { kind: 'unknown', model: evidence.model, serialNumber: evidence.serialNumber }
  }
  return { kind: 'known', device: evidence.device! }
}

function sameSubject(a: Subject, b: Subject): boolean {
  if (a.kind === 'known' && b.kind === 'known') return a.device.id === b.device.id
  return a.kind === 'unknown' && b.kind === 'unknown' && a.model === b.model && a.serialNumber === b.serialNumber
}

/** Model and serial number as one text: unique, because a model has no white space at its end. */
export function subjectName(subject: Subject): string {
  const { model, serialNumber } = subject.kind === 'known' ? subject.device : subject
  return `${model} ${serialNumber}`
}

const KEY_REFUSALS: Readonly<Partial<Record<DeviceKey['state'], RefusalCode>>> = {
  suspended: 'key.suspended',
  archived: 'key.archived',
  compromised: 'key.compromised',
  destroyed: 'key.destroyed',
}

/** What makes a piece of evidence useless for this request, whatever the rules say. */
function flawOf(
  evidence: Evidence,
  input: DecisionInput,
): { readonly code: RefusalCode; readonly because: string } | undefined {
  if (evidence.kind !== 'token') return undefined
  const { token } = evidence
  if (token.usedAt !== null) return { code: 'token.used', because: `the token was used at ${token.usedAt}` }
  if (token.expiresAt < input.now) return { code: 'token.expired', because: `the token expired at ${token.expiresAt}` }
  if (token.profile !== input.profile.name) {
    return { code: 'token.profile_mismatch', because: `the token is for the profile ${token.profile}` }
  }
  return undefined
}

/** The first rule that holds, with the piece of evidence that it holds for. */
function firstMatch(
  input: DecisionInput,
  subject: Subject,
  usable: readonly Evidence[],
  note: Say | undefined,
): { readonly rule: Rule; readonly evidence: Evidence } | undefined {
  for (const rule of input.rules) {
    const mismatch = requestMismatch(rule, input, subject)
    if (mismatch !== undefined) {
      note?.('rule', `rule ${rule.name} does not match: ${mismatch}`)
      continue
    }
    const reasons: string[] = []
    for (const evidence of usable) {
      const reason = evidenceMismatch(rule, evidence)
      if (reason === undefined) return { rule, evidence }
      if (note) reasons.push(reason)
    }
    note?.('rule', `rule ${rule.name} does not match: ${reasons.join(', ')}`)
  }
  return undefined
}

/** The first condition about the request that does not hold. */
function requestMismatch(rule: Rule, input: DecisionInput, subject: Subject): string | undefined {
  const { when } = rule
  const model = subject.kind === 'known' ? subject.device.model : subject.model
  if (when.operation && !when.operation.includes(input.operation)) return `the operation is ${input.operation}`
  if (when.profiles && !when.profiles.includes(input.profile.name)) return `the profile is ${input.profile.name}`
  if (when.models && !when.models.some(pattern => pattern(model))) return `the model is ${model}`
  if (when.keyAlgorithms && !when.keyAlgorithms.includes(input.key.algorithm))
    return `the key is ${input.key.algorithm}`
  if (when.keyOrigin && !when.keyOrigin.includes(input.key.origin)) return `the key is made by the ${input.key.origin}`
  if (when.window?.from !== undefined && input.now < when.window.from) return 'its time has not come'
  if (when.window?.until !== undefined && input.now > when.window.until) return 'its time is over'
  return undefined
}

/** The first condition about this piece of evidence that does not hold. */
function evidenceMismatch(rule: Rule, evidence: Evidence): string | undefined {
  const { when } = rule
  if (when.evidence && !when.evidence.includes(evidence.kind)) return `the evidence is ${evidence.kind}`
  if (when.presented && !(evidence.kind === 'own-certificate' && when.presented.includes(evidence.record.profile))) {
    return evidence.kind === 'own-certificate'
      ? `the certificate is of ${evidence.record.profile}`
      : 'no certificate of ours'
  }
  if (
    when.trustAnchors &&
    !(evidence.kind === 'manufacturer-certificate' && when.trustAnchors.includes(evidence.anchor))
  ) {
    return evidence.kind === 'manufacturer-certificate'
      ? `the trust anchor is ${evidence.anchor}`
      : 'no manufacturer certificate'
  }
  if (evidence.kind === 'own-certificate' && evidence.expiredForSeconds > rule.graceAfterExpirySeconds) {
    return `the certificate expired ${evidence.expiredForSeconds} s ago, the grace time is ${rule.graceAfterExpirySeconds} s`
  }
  return undefined
}

function quotaOf(rule: Rule, subject: Subject, now: UnixSeconds): QuotaTake | null {
  const { quota } = rule
  if (quota === undefined) return null
  const window = quota.windowSeconds === undefined ? '' : `@${Math.floor(now / quota.windowSeconds)}`
  return { counter: `rule/${rule.name}${quotaScope(quota.per, subject)}${window}`, limit: quota.limit }
}

function quotaScope(per: NonNullable<Rule['quota']>['per'], subject: Subject): string {
  switch (per) {
    case 'rule':
      return ''
    case 'batch':
      return `/batch/${(subject.kind === 'known' ? subject.device.batch : null) ?? 'none'}`
    case 'device':
      // By name and not by id, so that the counter of a device is the same before and after it is registered.
      return `/device/${subjectName(subject)}`
    case 'model':
      return `/model/${subject.kind === 'known' ? subject.device.model : subject.model}`
    default:
      return per satisfies never
  }
}
