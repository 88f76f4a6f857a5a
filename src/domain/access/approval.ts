// Four eyes: an act that one person asks for and others approve before it happens, once. A machine of states; what the acts are, and what
// carries them out: `four-eyes.ts`.
import type { UnixSeconds } from '../ids.ts'

/**
 * `waiting` for the quorum; `executing` from the moment at which the quorum is reached: whoever moves it there carries it out, and nobody
 * else does. An `executing` one that does not end was cut short: it is never begun again, because nobody knows how far it came.
 */
export type ApprovalState = 'waiting' | 'executing' | 'executed' | 'failed' | 'rejected' | 'withdrawn' | 'expired'

export interface Approval {
  /** `ap-` and 32 hex digits. */
  readonly id: string
  /** The name of the act: a key of `GUARDED_ACTS`. */
  readonly act: string
  /** Its parameters as JSON, as they were asked for and as they will be carried out. */
  readonly parameters: string
  /** One line for the screen. */
  readonly summary: string
  readonly requestedBy: string
  readonly requestedAt: UnixSeconds
  /** From then on nobody can approve it. */
  readonly expiresAt: UnixSeconds
  /** How many others must approve. */
  readonly quorum: number
  readonly approvals: readonly { readonly by: string; readonly at: UnixSeconds }[]
  readonly state: ApprovalState
  readonly stateChangedAt: UnixSeconds
  /** Code of what went wrong, or of what came out. */
  readonly outcome: string | null
  /** Grows by one with each change. */
  readonly revision: number
}
