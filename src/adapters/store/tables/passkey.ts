// Passkeys of operators, by credential id.
import type { Passkey } from '../../../domain/access/passkey.ts'
import type { UnixSeconds } from '../../../domain/ids.ts'
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
  storableText,
  textOf,
} from '../sql.ts'

export const insertPasskey = insert('passkey', {
  id: 'bytes',
  operator_id: 'text',
  public_key: 'bytes',
  sign_count: 'integer',
  name: 'text',
  transports: 'text',
  created_at: 'integer',
  last_used_at: 'integer',
})
export const updatePasskeyUsed = change(
  'passkey',
  'UPDATE passkey SET sign_count = ?, last_used_at = ? WHERE id = ? AND sign_count = ?',
)
export const deletePasskey = change('passkey', 'DELETE FROM passkey WHERE id = ? AND operator_id = ?')

export function putPasskey(passkey: Passkey, out: StepSink): void {
  out
    .begin(insertPasskey)
    .hex(passkey.id)
    .text(passkey.operatorId)
    .bytes(passkey.publicKey)
    .integer(passkey.signCount)
    .text(passkey.name)
    .text(JSON.stringify(passkey.transports))
    .integer(passkey.createdAt)
    .integer(passkey.lastUsedAt)
}

export interface PasskeyUse {
  readonly id: string
  readonly from: number
  readonly to: number
  readonly at: UnixSeconds
}

export function spendPasskey({ id, from, to, at }: PasskeyUse, out: StepSink): void {
  out.begin(updatePasskeyUsed).integer(to).integer(at).hex(id).integer(from)
}

export function removePasskey(id: string, operatorId: string, out: StepSink): void {
  out.begin(deletePasskey).hex(id).text(operatorId)
}

const SELECT = 'SELECT id, operator_id, public_key, sign_count, name, transports, created_at, last_used_at FROM passkey'
const BY_ID = query(`${SELECT} WHERE id = ?`)
const OF_OPERATOR = query(`${SELECT} WHERE operator_id = ? ORDER BY created_at, id`)

export async function readPasskey(queries: Queries, id: string): Promise<Passkey | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, BY_ID, [octets]))
  return row && passkeyOf(row)
}

export async function readPasskeysOfOperator(queries: Queries, operatorId: string): Promise<Passkey[]> {
  if (storableText(operatorId) === undefined) return []
  return (await queries.all(OF_OPERATOR, [operatorId])).map(passkeyOf)
}

function passkeyOf(row: Row): Passkey {
  return {
    id: hexOf(row, 'id'),
    operatorId: textOf(row, 'operator_id'),
    publicKey: bytesOf(row, 'public_key'),
    signCount: integerOf(row, 'sign_count'),
    name: textOf(row, 'name'),
    transports: JSON.parse(textOf(row, 'transports')) as string[],
    createdAt: integerOf(row, 'created_at'),
    lastUsedAt: nullable(integerOf, row, 'last_used_at'),
  }
}
