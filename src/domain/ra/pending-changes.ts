// A request that waits for an operator: one row, one audit entry, and a bound on how many of them one device may leave lying about.
import { copyBytes } from '../../core/bytes/bytes.ts'
import type { RequestDigest, UnixSeconds } from '../ids.ts'
import type { ChangeSet } from '../ports.ts'
import { type Decision, type Subject, subjectName } from './decide.ts'
import type { EnrolmentRequest } from './enrolment-request.ts'
import { evidenceReference } from './evidence.ts'
import { actorOf } from './grant-changes.ts'
import { standingDevice } from './standing-facts.ts'

/** A device that makes a new key at each attempt would fill the operator's list. */
export const MAX_PENDING_A_DAY = 10

/** The counter of requests that this device left waiting today. */
export function pendingCounter(subject: Subject, now: UnixSeconds): string {
  return `pending/${subjectName(subject)}@${Math.floor(now / 86_400)}`
}

export function pendingChanges(
  request: EnrolmentRequest,
  decision: Extract<Decision, { readonly outcome: 'granted' | 'pending' }>,
  digest: RequestDigest,
  now: UnixSeconds,
): ChangeSet {
  const { subject, rule, evidence } = decision
  const deviceId = subject.kind === 'known' ? subject.device.id : null
  return {
    writes: [
      // A device that is retired in this moment leaves nothing waiting.
      ...(subject.kind === 'known' ? [standingDevice(subject.device)] : []),
      {
        kind: 'enrolment.insert',
        enrolment: {
          digest,
          protocol: request.protocol,
          profile: request.profile,
          deviceId,
          serialNumberClaimed: subject.kind === 'known' ? subject.device.serialNumber : subject.serialNumber,
          rule: rule.name,
          csr: copyBytes(request.csr.raw),
          state: { kind: 'pending' },
          createdAt: now,
        },
      },
      { kind: 'quota.take', counter: pendingCounter(subject, now), amount: 1, limit: MAX_PENDING_A_DAY },
    ],
    audit: [
      {
        at: now,
        actor: actorOf(evidence, deviceId),
        action: 'enrolment.pending',
        outcome: 'done',
        subject: { requestDigest: digest, ...(deviceId === null ? {} : { deviceId }) },
        detail: {
          protocol: request.protocol,
          operation: request.operation,
          profile: request.profile,
          rule: rule.name,
          evidence: evidenceReference(evidence),
        },
      },
    ],
  }
}
