// Who counts enrolments: told when a request comes, how it ends, and what is refused. It changes nothing, and must not throw.
import type { EnrolmentOutcome, EnrolmentRequest } from './enrolment-request.ts'
import type { RefusalRecord } from './refusal-log.ts'

/** `failed`: this house was at fault. */
export type EnrolmentEnd = EnrolmentOutcome['kind'] | 'failed'

export interface EnrolmentObserver {
  /** Answers what is called when the request ends, with the code where it was denied or failed. */
  begins(
    request: Pick<EnrolmentRequest, 'protocol' | 'operation' | 'profile'>,
  ): (end: EnrolmentEnd, code: string | null) => void
  /** Before it is written down; also what was refused without being an enrolment. */
  refused(record: RefusalRecord): void
}
