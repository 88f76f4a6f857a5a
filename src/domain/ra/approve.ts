// An operator's word on a request that waits. Approval issues nothing: the device asks again, and the same recipe as ever issues, over
// facts as they are then; so that a device that was suspended in the meantime gets nothing.
import { TouchmarkError } from '../../core/errors.ts'
import type { RequestDigest, UnixSeconds } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'
import type { Enrolment, EnrolmentState } from './enrolment.ts'

export interface ApprovalPorts {
  readonly store: Store
  readonly clock: Clock
}

/** Throws `enrolment.not_found`, `enrolment.not_pending`. `by` is the operator's opaque name. */
export async function approveEnrolment(digest: RequestDigest, by: string, ports: ApprovalPorts): Promise<Enrolment> {
  return settle(digest, by, 'enrolment.approved', at => ({ kind: 'approved', by, at }), ports)
}

/** Throws `enrolment.not_found`, `enrolment.not_pending`. The reason is shown to operators and kept out of the audit log. */
export async function rejectEnrolment(
  digest: RequestDigest,
  by: string,
  reason: string,
  ports: ApprovalPorts,
): Promise<Enrolment> {
  return settle(
    digest,
    by,
    'enrolment.rejected',
    at => ({ kind: 'rejected', by, at, reason: reason.slice(0, 500) }),
    ports,
  )
}

async function settle(
  digest: RequestDigest,
  by: string,
  action: 'enrolment.approved' | 'enrolment.rejected',
  state: (at: UnixSeconds) => EnrolmentState,
  ports: ApprovalPorts,
): Promise<Enrolment> {
  const enrolment = await ports.store.read.enrolment(digest)
  if (enrolment === undefined) {
    throw new TouchmarkError('enrolment.not_found', 'not_found', 'No request has this digest.', {
      next: 'List the requests that wait with: touchmark device pending',
    })
  }
  if (enrolment.state.kind !== 'pending') {
    throw new TouchmarkError('enrolment.not_pending', 'conflict', `The request is ${enrolment.state.kind}.`, {
      next: 'List the requests that wait with: touchmark device pending',
    })
  }
  const at = ports.clock.now()
  const to = state(at)
  await ports.store.commit({
    writes: [{ kind: 'enrolment.state', digest, from: 'pending', to, deviceId: enrolment.deviceId }],
    audit: [
      {
        at,
        actor: { kind: 'operator', id: by },
        action,
        outcome: 'done',
        subject: { requestDigest: digest, ...(enrolment.deviceId === null ? {} : { deviceId: enrolment.deviceId }) },
        detail: { profile: enrolment.profile, rule: enrolment.rule },
      },
    ],
  })
  return { ...enrolment, state: to }
}
