// What lives for hours: sessions by the hash of their secret, sign-in links, and proofs that were spent and must not be taken again. Rows go
// when their time is over.
import type { AuthenticationMethod } from '../../../domain/access/principal.ts'
import { SESSION_SECONDS, type Session } from '../../../domain/access/session.ts'
import type { SignInLink } from '../../../domain/access/sign-in-link.ts'
import type { UnixSeconds } from '../../../domain/ids.ts'
import { first, type Queries } from '../engine.ts'
import {
  change,
  hexOf,
  insert,
  integerOf,
  octetsOf,
  query,
  type Row,
  type StepSink,
  storableText,
  textOf,
  wordOf,
} from '../sql.ts'

export const insertSession = insert('session', {
  id: 'text',
  secret_hash: 'bytes',
  operator_id: 'text',
  method: 'text',
  created_at: 'integer',
  seen_at: 'integer',
  address: 'text',
  agent: 'text',
})
export const updateSessionSeen = change('session', 'UPDATE session SET seen_at = ? WHERE id = ? AND seen_at < ?', 'any')
export const deleteSession = change('session', 'DELETE FROM session WHERE id = ?')
export const deleteOldSessions = change('session', 'DELETE FROM session WHERE created_at < ?', 'any')

export function putSession(session: Session, out: StepSink): void {
  out
    .begin(insertSession)
    .text(session.id)
    .hex(session.secretHash)
    .text(session.operatorId)
    .text(session.method)
    .integer(session.createdAt)
    .integer(session.seenAt)
    .text(session.address)
    .text(session.agent)
}

export function seeSession(id: string, at: UnixSeconds, out: StepSink): void {
  out.begin(updateSessionSeen).integer(at).text(id).integer(at)
}

export function removeSession(id: string, out: StepSink): void {
  out.begin(deleteSession).text(id)
}

export const upsertLink = change(
  'sign_in_link',
  `INSERT INTO sign_in_link (name, secret_hash, created_at, expires_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET secret_hash = excluded.secret_hash, created_at = excluded.created_at,
      expires_at = excluded.expires_at`,
)
export const deleteUsedLink = change('sign_in_link', 'DELETE FROM sign_in_link WHERE secret_hash = ?')
export const deleteLink = change('sign_in_link', 'DELETE FROM sign_in_link WHERE name = ?', 'any')
export const deleteOldLinks = change('sign_in_link', 'DELETE FROM sign_in_link WHERE expires_at < ?', 'any')

export function putLink({ name, secretHash, createdAt, expiresAt }: SignInLink, out: StepSink): void {
  out.begin(upsertLink).text(name).hex(secretHash).integer(createdAt).integer(expiresAt)
}

export function spendLink(secretHash: string, out: StepSink): void {
  out.begin(deleteUsedLink).hex(secretHash)
}

export function removeLink(name: string, out: StepSink): void {
  out.begin(deleteLink).text(name)
}

export const insertProof = insert('spent_proof', { digest: 'bytes', expires_at: 'integer' })
export const deleteOldProofs = change('spent_proof', 'DELETE FROM spent_proof WHERE expires_at < ?', 'any')

export function spendProof(digest: string, expiresAt: UnixSeconds, out: StepSink): void {
  out.begin(insertProof).hex(digest).integer(expiresAt)
}

/** Forgets what nobody can use any more. */
export function sweepAccess(now: UnixSeconds, out: StepSink): void {
  out.begin(deleteOldSessions).integer(now - SESSION_SECONDS)
  out.begin(deleteOldLinks).integer(now)
  out.begin(deleteOldProofs).integer(now)
}

const SELECT = 'SELECT id, secret_hash, operator_id, method, created_at, seen_at, address, agent FROM session'
const BY_HASH = query(`${SELECT} WHERE secret_hash = ?`)
const OF_OPERATOR = query(`${SELECT} WHERE operator_id = ? ORDER BY created_at, id`)
const LINK = query('SELECT name, secret_hash, created_at, expires_at FROM sign_in_link WHERE secret_hash = ?')

export async function readSessionByHash(queries: Queries, secretHash: string): Promise<Session | undefined> {
  const octets = octetsOf(secretHash)
  const row = octets && (await first(queries, BY_HASH, [octets]))
  return row && sessionOf(row)
}

export async function readSessionsOfOperator(queries: Queries, operatorId: string): Promise<Session[]> {
  if (storableText(operatorId) === undefined) return []
  return (await queries.all(OF_OPERATOR, [operatorId])).map(sessionOf)
}

export async function readLinkByHash(queries: Queries, secretHash: string): Promise<SignInLink | undefined> {
  const octets = octetsOf(secretHash)
  const row = octets && (await first(queries, LINK, [octets]))
  return (
    row && {
      name: textOf(row, 'name'),
      secretHash: hexOf(row, 'secret_hash'),
      createdAt: integerOf(row, 'created_at'),
      expiresAt: integerOf(row, 'expires_at'),
    }
  )
}

function sessionOf(row: Row): Session {
  return {
    id: textOf(row, 'id'),
    secretHash: hexOf(row, 'secret_hash'),
    operatorId: textOf(row, 'operator_id'),
    method: wordOf<AuthenticationMethod>(row, 'method'),
    createdAt: integerOf(row, 'created_at'),
    seenAt: integerOf(row, 'seen_at'),
    address: textOf(row, 'address'),
    agent: textOf(row, 'agent'),
  }
}
