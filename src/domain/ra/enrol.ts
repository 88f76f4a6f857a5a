// The one recipe for enrolment and renewal, whatever the protocol: check the key, load the facts, decide, prepare, sign, and write
// everything in one change set. A request that comes again gets the answer that it got before.
import { asTouchmarkError, type ErrorKind, TouchmarkError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../../core/pki/certificate.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import type { Profile } from '../ca/profile.ts'
import type { SignedCertificate } from '../ca/sign.ts'
import type { Device } from '../device/device.ts'
import { newDeviceId, type RequestDigest, type UnixSeconds } from '../ids.ts'
import { readHoldings } from '../renewal/credential-changes.ts'
import { seenInUse } from '../renewal/seen-in-use.ts'
import { type Decision, decide, quotaCounters, type RequestedNames, type Subject, subjectOf } from './decide.ts'
import { findEarlierEnrolment } from './earlier-enrolment.ts'
import type { Enrolment } from './enrolment.ts'
import { type EnrolmentOutcome, type EnrolmentRequest, requestIdentity } from './enrolment-request.ts'
import { type Evidence, evidenceReference, type OwnCertificateEvidence } from './evidence.ts'
import { type Grant, grantChanges } from './grant-changes.ts'
import { MAX_PENDING_A_DAY, pendingChanges, pendingCounter } from './pending-changes.ts'
import { type Refusal, refusal, refusalOf } from './refusal.ts'
import type { Registration } from './registration.ts'
import { noteRenewalRefusal, readRenewalFacts } from './renewal-evidence.ts'
import { readRequestedKey } from './requested-key.ts'
import { compareNames, NO_NAMES, namesForRenewal, requestBehind } from './requested-names.ts'

/** What a device is told to wait while an operator makes up their mind. */
export const PENDING_RETRY_SECONDS = 60
/** A change that meets another change is decided again over fresh facts: three times are two more than two rivals need. */
const MAX_ATTEMPTS = 4

/**
 * Enrols or renews. Resolves with `denied` for everything that is the requester's or the policy's doing, and the refusal is in the audit
 * log then; rejects where this house is at fault (`unavailable`, `internal`), and nothing has changed then.
 */
export async function enrol(request: EnrolmentRequest, registration: Registration): Promise<EnrolmentOutcome> {
  const outcome = await observed(request, registration)
  // Who signed a handshake with a certificate has it: the one before may go. A renewal over it said so already.
  const own = ownCertificate(request.evidence)
  if (own?.record.status.kind === 'good') await seenInUse(own.record, registration)
  return outcome
}

async function observed(request: EnrolmentRequest, registration: Registration): Promise<EnrolmentOutcome> {
  const end = registration.observer?.begins(request)
  try {
    const outcome = await enrolInRounds(request, registration)
    end?.(outcome.kind, outcome.kind === 'denied' ? outcome.code : null)
    return outcome
  } catch (thrown) {
    end?.('failed', asTouchmarkError(thrown).code)
    throw thrown
  }
}

async function enrolInRounds(request: EnrolmentRequest, registration: Registration): Promise<EnrolmentOutcome> {
  let current = request
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptEnrolment(current, registration)
    } catch (thrown) {
      const error = asTouchmarkError(thrown)
      if (error.kind === 'conflict' && attempt < MAX_ATTEMPTS) {
        const evidence = await registration.evidence.refresh(request.evidence, registration.clock.now())
        if (evidence.kind === 'refused')
          return refuseEnrolment(request, evidence.refusal, evidence.detail, registration)
        current = { ...request, evidence: evidence.evidence }
        continue
      }
      if (isOwnFault(error.kind)) throw thrown
      if (error.kind === 'conflict') {
        throw new TouchmarkError('enrolment.contended', 'unavailable', 'Too many changes meet here; ask again.', {
          cause: thrown,
        })
      }
      return refuseEnrolment(request, refusalOf(error), evidenceOfError(error), registration)
    }
  }
}

/**
 * Says no and writes it down. For protocols too: what they refuse before there is a request goes the same way.
 */
export async function refuseEnrolment(
  request: Pick<EnrolmentRequest, 'protocol' | 'operation' | 'address' | 'evidence'> & { readonly profile?: string },
  reason: Refusal,
  detail: Readonly<Record<string, string>>,
  registration: Pick<Registration, 'refusals' | 'store' | 'clock' | 'authorities'>,
): Promise<Extract<EnrolmentOutcome, { kind: 'denied' }>> {
  const [first] = request.evidence
  const renewed = request.operation === 'renew' ? ownCertificate(request.evidence) : undefined
  if (renewed) {
    const facts = await readRenewalFacts(renewed.record, registration.store.read, registration.authorities)
    await noteRenewalRefusal(renewed.record, reason.code, facts, registration)
  }
  const subject = first && subjectOf(first)
  await registration.refusals.record({
    code: reason.code,
    protocol: request.protocol,
    operation: request.operation,
    deviceId: subject?.kind === 'known' ? subject.device.id : null,
    address: request.address,
    detail: {
      ...detail,
      ...(request.profile === undefined ? {} : { profile: request.profile }),
      ...(first === undefined ? {} : { evidence: request.evidence.map(evidenceReference).join(' ') }),
    },
  })
  return { kind: 'denied', code: reason.code, errorKind: reason.kind, message: reason.message, next: reason.next }
}

async function attemptEnrolment(request: EnrolmentRequest, registration: Registration): Promise<EnrolmentOutcome> {
  const { store, authorities, clock, issuer } = registration
  const now = clock.now()
  // 1. What does not depend on what we know: profile and key.
  const profile = await authorities.profile(request.profile)
  const key = readRequestedKey(request)

  // 2. The same request, asked before.
  const identity = requestIdentity(request)
  const earlier = await findEarlierEnrolment(identity, request, profile, now, registration)
  if (earlier.kind === 'replay') return issued(earlier.record, true, registration)
  const { digest, enrolment } = earlier
  if (enrolment?.state.kind === 'rejected')
    return refuseEnrolment(request, refusal('enrolment.rejected'), {}, registration)

  // 3. Facts and decision.
  const renewed = request.operation === 'renew' ? certificateBeingRenewed(request.evidence) : undefined
  const rules = await registration.rules()
  const [known, quotaTaken, renewal] = await Promise.all([
    store.read.key(key.id),
    readCounters(quotaCounters(rules, request.evidence, now), registration),
    renewed && readRenewalFacts(renewed.record, store.read, authorities),
  ])
  const decision = decide({
    operation: request.operation,
    profile,
    evidence: request.evidence,
    key: { id: key.id, algorithm: key.algorithm, origin: key.origin, known: known ?? null },
    names: renewed ? await renewalNames(request, renewed, registration) : NO_NAMES,
    channelBinding: request.channelBinding,
    approved: enrolment?.state.kind === 'approved',
    quotaTaken,
    ...(renewal ? { renewal } : {}),
    rules,
    now,
  })
  switch (decision.outcome) {
    case 'denied':
      return refuseEnrolment(request, decision.refusal, refusalDetail(decision), registration)
    case 'pending':
      return wait(request, decision, digest, enrolment, now, registration)
    case 'granted':
      break
    default:
      decision satisfies never
  }

  // 4. Prepare, sign, write.
  const device = deviceOf(decision.subject, registration)
  const prepared = await issuer.prepare({
    profile,
    device,
    spki: key.spki,
    ...(renewed ? namesForRenewal(request.csr, renewed.certificate) : wishes(request)),
    replaces: renewed ? { authorityId: renewed.record.authorityId, serialNumber: renewed.record.serialNumber } : null,
    now,
  })
  const signed = await issuer.sign(prepared, request.signal)
  const { changes, certificate, position } = grantChanges({
    request,
    decision,
    device,
    key,
    known: known ?? null,
    digest,
    enrolment,
    signed,
    renewal: await planRenewal(signed, profile, request, registration),
    now,
  })
  const { firstAuditIndex } = await store.commit(changes)
  const record: CertificateRecord = { ...certificate, auditIndex: firstAuditIndex + position }
  return issued(record, false, registration)
}

function issued(record: CertificateRecord, replayed: boolean, { authorities }: Registration): EnrolmentOutcome {
  return { kind: 'issued', record, replayed, chain: () => authorities.chain(record.authorityId) }
}

/** A row, an entry and a count, once; who asks again only hears that it still waits. */
async function wait(
  request: EnrolmentRequest,
  decision: Extract<Decision, { readonly outcome: 'granted' | 'pending' }>,
  digest: RequestDigest,
  enrolment: Enrolment | undefined,
  now: UnixSeconds,
  registration: Registration,
): Promise<EnrolmentOutcome> {
  if (enrolment === undefined) {
    const taken = await registration.store.read.quotaTaken(pendingCounter(decision.subject, now))
    if (taken >= MAX_PENDING_A_DAY) {
      return refuseEnrolment(request, refusal('enrolment.too_many_pending'), {}, registration)
    }
    await registration.store.commit(pendingChanges(request, decision, digest, now))
  }
  return { kind: 'pending', digest, retryAfterSeconds: PENDING_RETRY_SECONDS }
}

function certificateBeingRenewed(
  evidence: readonly Evidence[],
): { readonly record: CertificateRecord; readonly certificate: Certificate } | undefined {
  const own = ownCertificate(evidence)
  return own && { record: own.record, certificate: parseCertificate(own.record.der) }
}

function ownCertificate(evidence: readonly Evidence[]): OwnCertificateEvidence | undefined {
  return evidence.find(piece => piece.kind === 'own-certificate')
}

/** What the device holds that this certificate takes the place of, and when this one is to be renewed. */
async function planRenewal(
  { facts }: SignedCertificate,
  profile: Profile,
  { operation, evidence }: EnrolmentRequest,
  { store, plan, clock }: Registration,
): Promise<Grant['renewal']> {
  if (profile.lifetimeSeconds === null) return null
  const own = ownCertificate(evidence)?.record ?? null
  const shown = operation === 'renew' || own?.profile === profile.name ? own : null
  const holdings = await readHoldings(facts, shown, store.read)
  const planned = { ...facts, isNew: holdings.current === null && holdings.moved === null }
  return { policy: profile.renewal, holdings, window: await plan.choose(planned, profile.renewal, clock.now()) }
}

/** The request behind the certificate is looked up only where the names are not those of the certificate. */
async function renewalNames(
  { csr }: EnrolmentRequest,
  renewed: { readonly record: CertificateRecord; readonly certificate: Certificate },
  { store }: Registration,
): Promise<RequestedNames> {
  const names = compareNames(csr, renewed.certificate)
  if (names.subject !== 'other' && names.subjectAltName !== 'other') return names
  return compareNames(csr, renewed.certificate, await requestBehind(renewed.record, store.read))
}

async function readCounters(counters: readonly string[], registration: Registration): Promise<Record<string, number>> {
  const taken = await Promise.all(counters.map(counter => registration.store.read.quotaTaken(counter)))
  return Object.fromEntries(counters.map((counter, i) => [counter, taken[i]!]))
}

/** The device as it is, or as it enters the registry: it asks for itself, so it is in the field. */
function deviceOf(subject: Subject, { clock, random }: Registration): Device {
  if (subject.kind === 'known') return subject.device
  const now = clock.now()
  const { model, serialNumber } = subject
  return {
    id: newDeviceId(now, random),
    model,
    serialNumber,
    state: 'active',
    batch: null,
    createdAt: now,
    stateChangedAt: now,
    labels: {},
  }
}

function wishes({ csr }: EnrolmentRequest) {
  return { requestedSubject: csr.subject, requestedExtensions: csr.requestedExtensions }
}

function refusalDetail(decision: Extract<Decision, { outcome: 'denied' }>): Record<string, string> {
  return { because: decision.because, ...(decision.rule ? { rule: decision.rule.name } : {}) }
}

/** Offsets and the like: what an error says about a request besides its code. */
function evidenceOfError(error: TouchmarkError): Record<string, string> {
  const entries = Object.entries(error.evidence).filter(([name]) => /^[a-z][A-Za-z0-9]{0,47}$/.test(name))
  return Object.fromEntries(entries.slice(0, 8).map(([name, value]) => [name, String(value)]))
}

function isOwnFault(kind: ErrorKind): boolean {
  return kind === 'internal' || kind === 'unavailable'
}
