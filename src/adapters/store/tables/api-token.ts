// API tokens, by id and by the hash of their secret.
import type { ApiToken } from '../../../domain/access/api-token.ts'
import type { UnixSeconds } from '../../../domain/ids.ts'
import type { Page } from '../../../domain/ports.ts'
import { cursorOf, placesOf } from '../cursor.ts'
import { first, type Queries } from '../engine.ts'
import {
  change,
  hexOf,
  insert,
  integerOf,
  nullable,
  octetsOf,
  query,
  type Row,
  type StepSink,
  storableText,
  textOf,
} from '../sql.ts'

export const insertApiToken = insert('api_token', {
  id: 'text',
  secret_hash: 'bytes',
  operator_id: 'text',
  name: 'text',
  permissions: 'text',
  scope: 'text',
  created_at: 'integer',
  expires_at: 'integer',
  last_used_at: 'integer',
  revoked_at: 'integer',
})
export const updateApiTokenSeen = change(
  'api_token',
  'UPDATE api_token SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)',
  'any',
)
export const updateApiTokenRevoked = change(
  'api_token',
  'UPDATE api_token SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL',
)

export function putApiToken(token: ApiToken, out: StepSink): void {
  out
    .begin(insertApiToken)
    .text(token.id)
    .hex(token.secretHash)
    .text(token.operatorId)
    .text(token.name)
    .text(JSON.stringify(token.permissions))
    .text(JSON.stringify(token.scope))
    .integer(token.createdAt)
    .integer(token.expiresAt)
    .integer(token.lastUsedAt)
    .integer(token.revokedAt)
}

export function seeApiToken(id: string, at: UnixSeconds, out: StepSink): void {
  out.begin(updateApiTokenSeen).integer(at).text(id).integer(at)
}

export function revokeApiTokenRow(id: string, at: UnixSeconds, out: StepSink): void {
  out.begin(updateApiTokenRevoked).integer(at).text(id)
}

const SELECT = `SELECT id, secret_hash, operator_id, name, permissions, scope, created_at, expires_at, last_used_at, revoked_at
  FROM api_token`
const BY_ID = query(`${SELECT} WHERE id = ?`)
const BY_HASH = query(`${SELECT} WHERE secret_hash = ?`)
const OF_OPERATOR = query(
  `${SELECT} WHERE operator_id = ? AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?`,
)
const LIST = query(`${SELECT} WHERE (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?`)

export async function readApiToken(queries: Queries, id: string): Promise<ApiToken | undefined> {
  if (storableText(id) === undefined) return undefined
  const row = await first(queries, BY_ID, [id])
  return row && apiTokenOf(row)
}

export async function readApiTokenByHash(queries: Queries, secretHash: string): Promise<ApiToken | undefined> {
  const octets = octetsOf(secretHash)
  const row = octets && (await first(queries, BY_HASH, [octets]))
  return row && apiTokenOf(row)
}

export async function readApiTokens(
  queries: Queries,
  { after, limit, operatorId }: { after?: string; limit: number; operatorId?: string },
): Promise<Page<ApiToken>> {
  if (operatorId !== undefined && storableText(operatorId) === undefined) return { items: [], next: null }
  const values = [...placesOf('api-tokens', ['integer', 'text'], after), limit + 1]
  const rows = await (operatorId === undefined
    ? queries.all(LIST, values)
    : queries.all(OF_OPERATOR, [operatorId, ...values]))
  const items = rows.slice(0, limit).map(apiTokenOf)
  const last = items.at(-1)
  return { items, next: last && rows.length > limit ? cursorOf('api-tokens', [last.createdAt, last.id]) : null }
}

function apiTokenOf(row: Row): ApiToken {
  return {
    id: textOf(row, 'id'),
    secretHash: hexOf(row, 'secret_hash'),
    operatorId: textOf(row, 'operator_id'),
    name: textOf(row, 'name'),
    permissions: JSON.parse(textOf(row, 'permissions')) as ApiToken['permissions'],
    scope: JSON.parse(textOf(row, 'scope')) as ApiToken['scope'],
    createdAt: integerOf(row, 'created_at'),
    expiresAt: integerOf(row, 'expires_at'),
    lastUsedAt: nullable(integerOf, row, 'last_used_at'),
    revokedAt: nullable(integerOf, row, 'revoked_at'),
  }
}
