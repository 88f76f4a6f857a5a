// Who gets what: a pure function of the request, the evidence, what is known of device and key, the rules and the time. It is the same
// for every protocol. `explain` says why, step by step, for dry runs; nothing else in the house decides.
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import type { Profile } from '../ca/profile.ts'
import { type Device, mayEnrol } from '../device/device.ts'
import { type DeviceKey, mayCertify } from '../device/device-key.ts'
import type { KeyId, UnixSeconds } from '../ids.ts'
import type { Credential } from '../renewal/credential.ts'
import { algorithmEnd, type RenewalPolicy } from '../renewal/policy.ts'
import { type Evidence, evidenceReference, type OwnCertificateEvidence } from './evidence.ts'
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

/** What stands written about the certificate that is shown for renewal. */
export interface RenewalFacts {
  /** The credential that it belongs to: as its current certificate, as the one before, or as one that it has left behind. */
  readonly credential: Credential | null
  /** Of the profile that it was issued under. */
  readonly policy: RenewalPolicy
}

export interface DecisionInput {
  readonly operation: Operation
  readonly profile: Pick<Profile, 'name' | 'holder' | 'keyAlgorithms' | 'renewal'>
  readonly evidence: readonly Evidence[]
  readonly key: KeyFacts
  /** Only looked at for renewals. */
  readonly names: RequestedNames
  /** Only looked at for renewals; absent: nothing is known beside the certificate itself. */
  readonly renewal?: RenewalFacts
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
    const flaw = renewalFlaw(renewed, input)
    if (flaw) return deny('renewal', flaw.code, flaw.because)
    if (input.names.changeSubjectName) {
      return deny(
        'renewal',
        'renewal.change_subject_name_unsupported',
        'the request has the attribute ChangeSubjectName',
      )
    }
    pass?.(
      'renewal',
      `${renewed.record.serialNumber} is renewed with ${renewed.record.keyId === input.key.id ? 'the same key' : 'a new key'}`,
    )
  }

  const { key } = input
  if (!input.profile.keyAlgorithms.includes(key.algorithm)) {
    return deny('key', 'key.algorithm_not_allowed', `the profile ${input.profile.name} does not allow ${key.algorithm}`)
  }
  const algorithmEnds = algorithmEnd(input.profile.renewal, key.algorithm)
  if (algorithmEnds !== null && algorithmEnds <= input.now) {
    return deny('key', 'key.algorithm_ended', `${key.algorithm} keys are certified until ${algorithmEnds}`)
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

interface Flaw {
  readonly code: RefusalCode
  readonly because: string
}

/** What makes a piece of evidence useless for this request, whatever the rules say. */
function flawOf(evidence: Evidence, input: DecisionInput): Flaw | undefined {
  if (evidence.kind === 'own-certificate') {
    const { status } = evidence.record
    if (status.kind === 'good' || (input.operation === 'renew' && mayAskAgain(evidence.record, input.renewal))) return
    return { code: 'evidence.certificate_revoked', because: `the certificate is ${status.kind}` }
  }
  if (evidence.kind !== 'token') return undefined
  const { token } = evidence
  if (token.usedAt !== null) return { code: 'token.used', because: `the token was used at ${token.usedAt}` }
  if (token.cancelledAt !== null)
    return { code: 'token.cancelled', because: `the token was withdrawn at ${token.cancelledAt}` }
  if (token.expiresAt < input.now) return { code: 'token.expired', because: `the token expired at ${token.expiresAt}` }
  if (token.profile !== input.profile.name) {
    return { code: 'token.profile_mismatch', because: `the token is for the profile ${token.profile}` }
  }
  return undefined
}

/**
 * A certificate that was superseded at its deadline while nobody had seen its successor: the device may have lost the answer, and this is
 * all that it has. It may ask again over it, for a renewal and for nothing else. What an operator revoked is named by no credential.
 */
export function mayAskAgain({ status, ...record }: CertificateRecord, facts: RenewalFacts | undefined): boolean {
  if (status.kind !== 'revoked' || status.reason !== 'superseded') return false
  const credential = facts?.credential
  return credential?.seenAt === null && credential.retireAt === null && isCertificate(credential.previous, record)
}

/** What speaks against renewing this certificate in this way: what the device was ordered to do, its key, and who else goes by its name. */
function renewalFlaw({ record }: OwnCertificateEvidence, input: DecisionInput): Flaw | undefined {
  const { key, now, profile } = input
  const { credential = null, policy = profile.renewal } = input.renewal ?? {}
  const order = credential?.order ?? null
  const due = order?.profile ?? credential?.profile ?? record.profile
  if (profile.name !== due) {
    return profile.name === record.profile
      ? { code: 'renewal.profile_ordered', because: `the device is to renew under ${due}` }
      : { code: 'renewal.profile_changed', because: `the certificate was issued under ${record.profile}` }
  }
  if (credential && isLeftBehind(record, credential)) {
    return { code: 'renewal.left_behind', because: `the device goes by ${credential.serialNumber}, with another key` }
  }
  if (order?.keyAlgorithm && order.keyAlgorithm !== key.algorithm) {
    return { code: 'renewal.algorithm_ordered', because: `the device is to renew with a ${order.keyAlgorithm} key` }
  }
  // A key of another slot, or of a certificate before, is not new: whoever had the device before may have seen it.
  if (order?.newKey && (record.keyId === key.id || (key.known !== null && key.known.createdAt <= order.at))) {
    return { code: 'renewal.new_key_ordered', because: 'the device is to renew with a new key' }
  }
  if (record.keyId !== key.id) return undefined
  if (!profile.renewal.sameKey) {
    return { code: 'key.reuse_not_allowed', because: 'the key is that of the certificate being renewed' }
  }
  const age = key.known === null ? 0 : now - key.known.createdAt
  const limit = Math.min(...[policy, profile.renewal].map(each => each.sameKeyForSeconds ?? Number.POSITIVE_INFINITY))
  if (age > limit) return { code: 'key.too_old', because: `the key is ${age} s old, and renewed for ${limit} s` }
  return undefined
}

/** The device was seen with a later certificate over another key: whoever shows this one is somebody else, or a copy. */
export function isLeftBehind(record: CertificateRecord, credential: Credential): boolean {
  if (isCertificate(credential, record) || credential.keyId === record.keyId) return false
  return credential.seenAt !== null || !isCertificate(credential.previous, record)
}

type CertificateName = Pick<CertificateRecord, 'authorityId' | 'serialNumber'>

function isCertificate(name: CertificateName | null, record: CertificateName): boolean {
  return name !== null && name.authorityId === record.authorityId && name.serialNumber === record.serialNumber
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
      const reason = evidenceMismatch(rule, evidence, input)
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
function evidenceMismatch(rule: Rule, evidence: Evidence, input: DecisionInput): string | undefined {
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
  if (evidence.kind === 'own-certificate' && evidence.expiredForSeconds > 0) {
    const grace = graceAfterExpiry(rule, input)
    if (evidence.expiredForSeconds > grace) {
      return `the certificate expired ${evidence.expiredForSeconds} s ago, the grace time is ${grace} s`
    }
  }
  return undefined
}

/** The one place that decides how long after its end a certificate still counts: the rule, or at a renewal the certificate's profile. */
function graceAfterExpiry(rule: Rule, { operation, renewal }: DecisionInput): number {
  if (rule.graceAfterExpirySeconds !== undefined) return rule.graceAfterExpirySeconds
  return operation === 'renew' ? (renewal?.policy.graceAfterExpirySeconds ?? 0) : 0
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
