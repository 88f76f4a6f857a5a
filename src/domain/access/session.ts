// A session: what a browser holds after signing in. The secret is in the cookie only; the store has its hash. It ends when it idles, when
// its time is over whatever happens, when somebody ends it, and with the operator.
import { toBase64url } from '../../core/bytes/base64url.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { Random } from '../../crypto/random.ts'
import type { UnixSeconds } from '../ids.ts'
import type { AuthenticationMethod } from './principal.ts'

export interface Session {
  /** `se-` and 32 hex digits: a public handle. */
  readonly id: string
  /** SHA-256 over the secret, 64 hex digits. The secret has 256 bits of entropy, so a slow hash would add nothing. */
  readonly secretHash: string
  readonly operatorId: string
  readonly method: AuthenticationMethod
  readonly createdAt: UnixSeconds
  /** Written down at most once in `SEEN_GRAIN_SECONDS`. */
  readonly seenAt: UnixSeconds
  /** Where its holder looks for a session that is not theirs: erased with the session. */
  readonly address: string
  readonly agent: string
}

export const SESSION_IDLE_SECONDS = 30 * 60
export const SESSION_SECONDS = 12 * 3600
/** How exactly the store knows when a session was last used: a commit for each request would cost more than it tells. */
export const SEEN_GRAIN_SECONDS = 60
/** Sessions of one operator at a time; the oldest gives way. */
export const MAX_SESSIONS = 20
/** Longest text that is kept of what a browser calls itself. */
const MAX_AGENT = 200

/** What becomes of a session that is shown at this time: `live`, or why it is not. */
export type SessionState = 'live' | 'idle' | 'expired' | 'not-yet'

export function sessionState({ createdAt, seenAt }: Session, now: UnixSeconds): SessionState {
  // A clock that went back must not make a session live longer.
  if (now < createdAt - SEEN_GRAIN_SECONDS) return 'not-yet'
  if (now >= createdAt + SESSION_SECONDS) return 'expired'
  if (now >= seenAt + SESSION_IDLE_SECONDS) return 'idle'
  return 'live'
}

/** Whether the use of a live session is worth writing down. */
export function isWorthNoting({ seenAt }: Session, now: UnixSeconds): boolean {
  return now >= seenAt + SEEN_GRAIN_SECONDS
}

/** A new session and its secret, which exists in the return value only. */
export function newSession(
  of: Pick<Session, 'operatorId' | 'method' | 'address'> & { readonly agent: string | undefined },
  now: UnixSeconds,
  random: Random,
): { readonly session: Session; readonly secret: string } {
  const secret = newSecret(random)
  const agent = (of.agent ?? '')
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, '')
    .slice(0, MAX_AGENT)
    .toWellFormed()
  const session = {
    id: `se-${toHex(random.bytes(16))}`,
    secretHash: hashSecret(secret),
    operatorId: of.operatorId,
    method: of.method,
    createdAt: now,
    seenAt: now,
    address: of.address,
    agent,
  }
  return { session, secret }
}

/** 256 random bits as base64url. */
export function newSecret(random: Random): string {
  return toBase64url(random.bytes(32))
}

/** What the store keeps of a secret, and finds it by. */
export function hashSecret(secret: string): string {
  return sha256Hex(toUtf8(secret))
}
