// What can go wrong for an agent, and what it makes of it: whether another server is asked, whether a request is made anew, whether an identity
// is given up for the one before.
import { TouchmarkError } from '../core/errors.ts'

/** Reasons why an identity does not hold although its files are the agent's own. */
const DAMAGE: readonly string[] = ['agent.key_missing', 'agent.key_altered', 'agent.certificate_altered', 'key.invalid']

export function isDamage(thrown: unknown): thrown is TouchmarkError {
  return thrown instanceof TouchmarkError && DAMAGE.includes(thrown.code)
}

/** For `catch`: `undefined` where the files of an identity are damaged; everything else is thrown on. */
export function unlessDamage(thrown: unknown): undefined {
  if (!isDamage(thrown)) throw thrown
}

/** A refusal that will not change by itself. */
export function isFinal(error: TouchmarkError): boolean {
  if (error.code === 'agent.server_refused') return !['unavailable', 'too_many'].includes(error.kind)
  return error.code.startsWith('agent.certificate_')
}

/** Another server may do better: this one is away, busy, broken, or not what it should be. */
export function mayAskAnother(error: TouchmarkError): boolean {
  if (error.code === 'agent.server_refused') return ['unavailable', 'too_many', 'not_found'].includes(error.kind)
  return error.code !== 'agent.storage_failed' && error.code !== 'agent.enrolment_pending'
}

/** The server does not have such a thing. */
export function isUnknownThere(thrown: unknown): boolean {
  return thrown instanceof TouchmarkError && thrown.code === 'agent.server_refused' && thrown.kind === 'not_found'
}

export function enrolledAlready(serialNumber: string): TouchmarkError {
  return new TouchmarkError(
    'agent.enrolled_already',
    'conflict',
    'The device in this folder has an identity already.',
    {
      next: 'Renew it with: touchmark agent renew; or enrol in another folder.',
      evidence: { serialNumber },
    },
  )
}

export function notEnrolled(): TouchmarkError {
  return new TouchmarkError('agent.not_enrolled', 'not_found', 'There is no device in this folder.', {
    next: 'Enrol it with: touchmark agent enroll',
  })
}

export function wiped(): TouchmarkError {
  return new TouchmarkError('agent.wiped', 'forbidden', 'The device was wiped: its keys are gone.', {
    next: 'A wiped device begins anew in an empty folder, as its operator decides.',
  })
}

export function noWay(): TouchmarkError {
  return new TouchmarkError(
    'agent.no_way_to_renew',
    'unavailable',
    'The device has nothing left to show to the server.',
    {
      next: 'Give it a new one-time token: the same touchmark agent enroll, into the same folder.',
    },
  )
}

export function enrolmentPending(retryAfterSeconds: number): TouchmarkError {
  return new TouchmarkError(
    'agent.enrolment_pending',
    'conflict',
    'An operator of the server has to approve the request.',
    {
      next: 'The agent asks again by itself: touchmark agent run.',
      evidence: { retryAfterSeconds },
    },
  )
}
