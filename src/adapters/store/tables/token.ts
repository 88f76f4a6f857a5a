// One-time tokens: by the hash of their secret, and spent at most once.
import { type DeviceId, deviceId, type TokenId, tokenId, type UnixSeconds } from '../../../domain/ids.ts'
import type { Page } from '../../../domain/ports.ts'
import type { Token } from '../../../domain/ra/token.ts'
import { first, type Queries } from '../engine.ts'
import {
  bytesOf,
  change,
  hexOf,
  insert,
  integerOf,
  nullable,
  octetsOf,
  query,
  type Row,
  type StepSink,
  textOf,
} from '../sql.ts'
import { pages } from '../stream.ts'

export const insertToken = insert('token', {
  id: 'bytes',
  secret_hash: 'bytes',
  device_id: 'bytes',
  profile: 'text',
  created_at: 'integer',
  expires_at: 'integer',
  used_at: 'integer',
  cancelled_at: 'integer',
})

export function putToken(token: Token, out: StepSink): void {
  out
    .begin(insertToken)
    .hex(token.id)
    .hex(token.secretHash)
    .hex(token.deviceId)
    .text(token.profile)
    .integer(token.createdAt)
    .integer(token.expiresAt)
    .integer(token.usedAt)
    .integer(token.cancelledAt)
}

const OPEN = 'used_at IS NULL AND cancelled_at IS NULL'
export const updateTokenUsed = change('token', `UPDATE token SET used_at = ? WHERE id = ? AND ${OPEN}`)
export const updateTokenCancelled = change('token', `UPDATE token SET cancelled_at = ? WHERE id = ? AND ${OPEN}`)

export function useToken(id: TokenId, at: UnixSeconds, out: StepSink): void {
  out.begin(updateTokenUsed).integer(at).hex(id)
}

export function cancelToken(id: TokenId, at: UnixSeconds, out: StepSink): void {
  out.begin(updateTokenCancelled).integer(at).hex(id)
}

const COLUMNS = 'id, secret_hash, device_id, profile, created_at, expires_at, used_at, cancelled_at'
const BY_ID = query(`SELECT ${COLUMNS} FROM token WHERE id = ?`)
const BY_HASH = query(`SELECT ${COLUMNS} FROM token WHERE secret_hash = ?`)
const OPEN_OF_DEVICE = query(`SELECT ${COLUMNS} FROM token WHERE device_id = ? AND ${OPEN} ORDER BY id LIMIT 1000`)
const ALL = query(`SELECT ${COLUMNS} FROM token WHERE id > ? ORDER BY id LIMIT ?`)

export async function readToken(queries: Queries, id: TokenId): Promise<Token | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, BY_ID, [octets]))
  return row && tokenOf(row)
}

export async function readTokenByHash(queries: Queries, secretHash: string): Promise<Token | undefined> {
  const octets = octetsOf(secretHash)
  const row = octets && (await first(queries, BY_HASH, [octets]))
  return row && tokenOf(row)
}

export async function readOpenTokensOfDevice(queries: Queries, id: DeviceId): Promise<Token[]> {
  const octets = octetsOf(id)
  return octets === undefined ? [] : (await queries.all(OPEN_OF_DEVICE, [octets])).map(tokenOf)
}

const NEWEST_FIRST = query(`SELECT ${COLUMNS} FROM token WHERE id < ? ORDER BY id DESC LIMIT ?`)
/** Behind every id. */
const LAST_ID = new Uint8Array(17).fill(0xff)

export async function readTokens(
  queries: Queries,
  { after, limit }: { after?: string; limit: number },
): Promise<Page<Token>> {
  const before = after === undefined ? LAST_ID : octetsOf(after)
  if (before === undefined) return { items: [], next: null }
  const items = (await queries.all(NEWEST_FIRST, [before, limit])).map(tokenOf)
  return { items, next: items.length < limit ? null : (items.at(-1)?.id ?? null) }
}

export async function* readAllTokens(queries: Queries): AsyncGenerator<Token> {
  const from = (after: Uint8Array) => (limit: number) => [after, limit]
  for await (const row of pages(queries, ALL, from(new Uint8Array(0)), last => from(bytesOf(last, 'id')))) {
    yield tokenOf(row)
  }
}

function tokenOf(row: Row): Token {
  return {
    id: tokenId(hexOf(row, 'id')),
    secretHash: hexOf(row, 'secret_hash'),
    deviceId: deviceId(hexOf(row, 'device_id')) satisfies DeviceId,
    profile: textOf(row, 'profile'),
    createdAt: integerOf(row, 'created_at'),
    expiresAt: integerOf(row, 'expires_at'),
    usedAt: nullable(integerOf, row, 'used_at'),
    cancelledAt: nullable(integerOf, row, 'cancelled_at'),
  }
}
