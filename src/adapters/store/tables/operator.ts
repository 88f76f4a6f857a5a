// Operators, by id, by what they sign in with, and by whom an OpenID provider says that they are.
import type { Operator } from '../../../domain/access/operator.ts'
import type { Page } from '../../../domain/ports.ts'
import { cursorOf, placesOf } from '../cursor.ts'
import { first, type Queries } from '../engine.ts'
import {
  change,
  insert,
  integerOf,
  nullable,
  query,
  type Row,
  type StepSink,
  storableText,
  textOf,
  type WriteStatement,
  wordOf,
} from '../sql.ts'

export const insertOperator = insert('operator', {
  id: 'text',
  name: 'text',
  email: 'text',
  state: 'text',
  roles: 'text',
  password_hash: 'text',
  totp: 'text',
  oidc: 'text',
  oidc_salt: 'text',
  created_at: 'integer',
  revision: 'integer',
})
/** Values: as of the insert from `name` on, the time of creation left out; then the id and the revision that is expected. */
export const updateOperator = change(
  'operator',
  `UPDATE operator SET name = ?, email = ?, state = ?, roles = ?, password_hash = ?, totp = ?, oidc = ?, oidc_salt = ?, revision = ?
    WHERE id = ? AND revision = ?`,
)

export function putOperator(operator: Operator, from: number | null, out: StepSink): void {
  const { id, createdAt, revision } = operator
  if (from === null) columns(operator, begin(insertOperator, out).text(id)).integer(createdAt).integer(revision)
  else columns(operator, begin(updateOperator, out)).integer(revision).text(id).integer(from)
}

const begin = (statement: WriteStatement, out: StepSink): StepSink => out.begin(statement)

function columns({ name, email, state, roles, passwordHash, totp, oidc }: Operator, out: StepSink): StepSink {
  return out
    .text(name)
    .text(email)
    .text(state)
    .text(JSON.stringify(roles))
    .text(passwordHash)
    .text(totp && JSON.stringify(totp))
    .text(oidc && oidcKey(oidc))
    .text(oidc === null ? null : oidc.salt)
}

/** One text that is unique where issuer and subject together are. */
const oidcKey = ({ issuer, subject }: { readonly issuer: string; readonly subject: string }) =>
  JSON.stringify([issuer, subject])

const SELECT =
  'SELECT id, name, email, state, roles, password_hash, totp, oidc, oidc_salt, created_at, revision FROM operator'
const BY_ID = query(`${SELECT} WHERE id = ?`)
const BY_EMAIL = query(`${SELECT} WHERE email = ?`)
const BY_OIDC = query(`${SELECT} WHERE oidc = ?`)
const LIST = query(`${SELECT} WHERE (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?`)

export async function readOperator(queries: Queries, id: string): Promise<Operator | undefined> {
  return one(queries, BY_ID, id)
}

export async function readOperatorByEmail(queries: Queries, email: string): Promise<Operator | undefined> {
  return one(queries, BY_EMAIL, email)
}

export async function readOperatorByOidc(
  queries: Queries,
  oidc: { readonly issuer: string; readonly subject: string },
): Promise<Operator | undefined> {
  return one(queries, BY_OIDC, oidcKey(oidc))
}

async function one(queries: Queries, asked: typeof BY_ID, value: string): Promise<Operator | undefined> {
  if (storableText(value) === undefined) return undefined
  const row = await first(queries, asked, [value])
  return row && operatorOf(row)
}

export async function readOperators(
  queries: Queries,
  { after, limit }: { after?: string; limit: number },
): Promise<Page<Operator>> {
  const rows = await queries.all(LIST, [...placesOf('operators', ['integer', 'text'], after), limit + 1])
  const items = rows.slice(0, limit).map(operatorOf)
  const last = items.at(-1)
  return { items, next: last && rows.length > limit ? cursorOf('operators', [last.createdAt, last.id]) : null }
}

function operatorOf(row: Row): Operator {
  const totp = nullable(textOf, row, 'totp')
  const oidc = nullable(textOf, row, 'oidc')
  return {
    id: textOf(row, 'id'),
    name: textOf(row, 'name'),
    email: nullable(textOf, row, 'email'),
    state: wordOf<Operator['state']>(row, 'state'),
    roles: JSON.parse(textOf(row, 'roles')) as Operator['roles'],
    passwordHash: nullable(textOf, row, 'password_hash'),
    totp: totp === null ? null : (JSON.parse(totp) as Operator['totp']),
    oidc: oidc === null ? null : oidcOf(oidc, nullable(textOf, row, 'oidc_salt') ?? ''),
    createdAt: integerOf(row, 'created_at'),
    revision: integerOf(row, 'revision'),
  }
}

function oidcOf(key: string, salt: string): Operator['oidc'] {
  const [issuer, subject] = JSON.parse(key) as [string, string]
  return { issuer, subject, salt }
}
