// Signing in and out. Whatever is wrong with a name, a password or a code, the answer is one and the same, after the same work. Every sign-in
// makes a new session and ends the one that the browser held before; what proves somebody is spent in the change that makes the session.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { ChangeBuilder } from '../change-builder.ts'
import type { UnixSeconds } from '../ids.ts'
import { checkOperatorName, newOperatorId, type Operator, parseEmail } from './operator.ts'
import { addOperatorChange } from './operators.ts'
import type { AccessPorts } from './ports.ts'
import { TOTP_KEY } from './ports.ts'
import type { AuthenticationMethod } from './principal.ts'
import { hashSecret, MAX_SESSIONS, newSession, type Session, sessionState } from './session.ts'
import { FIRST_LINK } from './sign-in-link.ts'
import { spendTotp } from './totp.ts'

/** The browser that signs in. */
export interface SignInFrom {
  readonly address: string
  /** What it calls itself. */
  readonly agent: string | undefined
  /** The secret of the session that it holds, if any. */
  readonly previous: string | undefined
}

export interface SignedIn {
  readonly operator: Operator
  readonly session: Session
  /** For the cookie; exists in this value only. */
  readonly secret: string
}

/** Throws `access.sign_in_failed`, `access.slow_down`, `access.busy`. */
export async function signInWithPassword(
  { email, password, code }: { readonly email: string; readonly password: string; readonly code: string },
  from: SignInFrom,
  ports: AccessPorts,
): Promise<SignedIn> {
  const { store, clock, passwords, slowDown } = ports
  const now = clock.now()
  const attempt = slowDown.attempt(email, from.address, now)
  const operator = await store.read.operatorByEmail(email.toLowerCase())
  const known = operator?.state === 'active' ? operator : undefined
  const right = await passwords.verify(password, known?.passwordHash ?? null)
  // A password alone is no proof: without a second factor nobody signs in with one.
  const totp = known?.totp ? spendTotp(known.totp, known.id, code, now, ports.secretFor(TOTP_KEY)) : undefined
  if (known === undefined || !right || totp === undefined) throw signInFailed()
  const signedIn = await openSession(known, 'password', from, ports, change => {
    change.write({
      kind: 'operator.put',
      operator: { ...known, totp, revision: known.revision + 1 },
      from: known.revision,
    })
  })
  attempt.succeeded()
  return signedIn
}

/** Whom a link lets in; `first` where it makes the first administrator. Throws `access.link_invalid`, `access.slow_down`. */
export async function lookAtLink(
  secret: string,
  address: string,
  ports: AccessPorts,
): Promise<{ readonly first: boolean; readonly name: string }> {
  const attempt = ports.slowDown.attempt(null, address, ports.clock.now())
  const { operator } = await openLink(secret, ports)
  attempt.succeeded()
  return operator === undefined ? { first: true, name: '' } : { first: false, name: operator.name }
}

/**
 * Signs in with a link, once. The first one makes the first administrator, who says who they are. Throws `access.link_invalid`,
 * `access.slow_down`, `access.link_needs_name`, `operator.name_invalid`, `operator.email_invalid`.
 */
export async function signInWithLink(
  { secret, name, email }: { readonly secret: string; readonly name?: string; readonly email?: string },
  from: SignInFrom,
  ports: AccessPorts,
): Promise<SignedIn> {
  const attempt = ports.slowDown.attempt(null, from.address, ports.clock.now())
  const { secretHash, operator: known } = await openLink(secret, ports)
  if (known === undefined && (name === undefined || email === undefined)) {
    attempt.succeeded()
    throw new TouchmarkError(
      'access.link_needs_name',
      'malformed',
      'The first administrator has a name and an address.',
      {
        next: 'Send name and email with the link.',
      },
    )
  }
  const operator = known ?? firstAdministrator(checkOperatorName(name!), parseEmail(email!), ports)
  try {
    const signedIn = await openSession(operator, 'link', from, ports, (change, now) => {
      change.write({ kind: 'link.use', secretHash })
      if (known === undefined) addOperatorChange(change, operator, { kind: 'operator', id: operator.id }, now)
    })
    attempt.succeeded()
    return signedIn
  } catch (cause) {
    if (cause instanceof TouchmarkError && cause.code === 'access.link_used') throw linkInvalid()
    throw cause
  }
}

async function openLink(
  secret: string,
  { store, clock }: AccessPorts,
): Promise<{ readonly secretHash: string; readonly operator: Operator | undefined }> {
  const secretHash = hashSecret(secret)
  const link = await store.read.linkByHash(secretHash)
  if (link === undefined || clock.now() > link.expiresAt) throw linkInvalid()
  if (link.name === FIRST_LINK) {
    // Somebody was admitted at the command line meanwhile: there is nothing first about it any more.
    if ((await store.read.operators({ limit: 1 })).items.length > 0) throw linkInvalid()
    return { secretHash, operator: undefined }
  }
  const operator = await store.read.operator(link.name)
  if (operator?.state !== 'active') throw linkInvalid()
  return { secretHash, operator }
}

function firstAdministrator(name: string, email: string, { clock, random }: AccessPorts): Operator {
  return {
    id: newOperatorId(random),
    name,
    email,
    state: 'active',
    roles: [{ role: 'administrator', scope: {} }],
    passwordHash: null,
    totp: null,
    oidc: null,
    createdAt: clock.now(),
    revision: 1,
  }
}

/**
 * Makes the session of somebody who proved who they are, in one change with what `also` adds: what was proved with is spent there. Throws
 * `access.sign_in_failed` where the proof was spent by another at the same moment.
 */
export async function openSession(
  operator: Operator,
  method: AuthenticationMethod,
  from: SignInFrom,
  { store, clock, random }: AccessPorts,
  also: (change: ChangeBuilder, now: UnixSeconds) => void,
): Promise<SignedIn> {
  const now = clock.now()
  const { session, secret } = newSession({ operatorId: operator.id, method, ...from }, now, random)
  const actor = { kind: 'operator', id: operator.id } as const
  const change = new ChangeBuilder()
  also(change, now)
  change.write({ kind: 'session.insert', session })
  change.record(
    entry(now, actor, 'session.started', { name: operator.id }, { method, secretSha256: session.secretHash }),
  )
  const own = await store.read.sessionsOfOperator(operator.id)
  const live = own.filter(each => sessionState(each, now) === 'live')
  const previous = from.previous === undefined ? undefined : hashSecret(from.previous)
  const held = previous === undefined ? undefined : await store.read.sessionByHash(previous)
  // Also where somebody else was signed in at this browser: nobody can end it from here any more.
  if (held !== undefined && held.operatorId !== operator.id) {
    addSessionEnd(change, held, actor, 'signed_in_again', now)
  }
  for (const each of own) {
    const replaced = each.secretHash === previous
    const crowded = live.indexOf(each) !== -1 && live.indexOf(each) <= live.length - MAX_SESSIONS
    if (replaced || crowded) addSessionEnd(change, each, actor, replaced ? 'signed_in_again' : 'too_many', now)
  }
  try {
    await store.commit(change)
  } catch (cause) {
    if (cause instanceof TouchmarkError && SPENT.has(cause.code)) throw signInFailed(cause)
    throw cause
  }
  return { operator, session, secret }
}

/** What it means that two proofs of one thing came at once. */
const SPENT: ReadonlySet<string> = new Set([
  'operator.changed',
  'access.replayed',
  'passkey.changed',
  'session.not_found',
])

/** Ends a session of the operator. Throws `session.not_found`, also where it is somebody else's. */
export async function endSession(
  { sessionId, operatorId, actor }: { sessionId: string; operatorId: string; actor: AuditEntry['actor'] },
  { store, clock }: Pick<AccessPorts, 'store' | 'clock'>,
): Promise<void> {
  const session = (await store.read.sessionsOfOperator(operatorId)).find(({ id }) => id === sessionId)
  if (session === undefined) throw new TouchmarkError('session.not_found', 'not_found', 'There is no such session.')
  const change = new ChangeBuilder()
  addSessionEnd(change, session, actor, actor.id === operatorId ? 'by_its_holder' : 'by_another', clock.now())
  await store.commit(change)
}

/** Ends every session of the operator but one; answers how many. */
export async function endOtherSessions(
  { operatorId, keep, actor }: { operatorId: string; keep: string | undefined; actor: AuditEntry['actor'] },
  { store, clock }: Pick<AccessPorts, 'store' | 'clock'>,
): Promise<number> {
  const others = (await store.read.sessionsOfOperator(operatorId)).filter(({ id }) => id !== keep)
  if (others.length === 0) return 0
  const change = new ChangeBuilder()
  for (const session of others) addSessionEnd(change, session, actor, 'with_others', clock.now())
  await store.commit(change)
  return others.length
}

export function addSessionEnd(
  change: ChangeBuilder,
  session: Session,
  actor: AuditEntry['actor'],
  because: string,
  now: UnixSeconds,
): void {
  change.write({ kind: 'session.remove', id: session.id })
  change.record(entry(now, actor, 'session.ended', { name: session.operatorId }, { because }))
}

function entry(
  at: UnixSeconds,
  actor: AuditEntry['actor'],
  action: 'session.started' | 'session.ended',
  subject: AuditEntry['subject'],
  detail: NonNullable<AuditEntry['detail']>,
): AuditEntry {
  return { at, actor, action, outcome: 'done', subject, detail }
}

/** One answer for everything that can be wrong. */
export function signInFailed(cause?: unknown): TouchmarkError {
  return new TouchmarkError('access.sign_in_failed', 'unauthenticated', 'This does not sign you in.', {
    cause,
    next: 'Check what you typed. An administrator can send you a sign-in link.',
  })
}

function linkInvalid(): TouchmarkError {
  return new TouchmarkError(
    'access.link_invalid',
    'unauthenticated',
    'The link was used, is too old, or never was one.',
    {
      next: 'Ask for a new one; at the machine: touchmark operator link',
    },
  )
}
