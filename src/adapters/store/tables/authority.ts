// Certification authorities: few rows, read together.

import { DerReader } from '../../../core/asn1/reader.ts'
import { concat } from '../../../core/bytes/bytes.ts'
import type { Authority, AuthorityState } from '../../../domain/ca/authority.ts'
import { type AuthorityId, authorityId } from '../../../domain/ids.ts'
import type { Queries } from '../engine.ts'
import { bytesOf, change, insert, integerOf, nullable, query, type Row, type StepSink, textOf, wordOf } from '../sql.ts'

export const insertAuthority = insert('authority', {
  id: 'text',
  kind: 'text',
  state: 'text',
  certificate: 'bytes',
  issuer: 'text',
  chain_above: 'bytes',
  key_uri: 'text',
  generation: 'integer',
  crl_shards: 'integer',
  created_at: 'integer',
})

export function putAuthority(authority: Authority, out: StepSink): void {
  out
    .begin(insertAuthority)
    .text(authority.id)
    .text(authority.kind)
    .text(authority.state)
    .bytes(authority.certificate)
    .text(authority.issuer)
    .bytes(concat(...authority.chainAbove))
    .text(authority.keyUri)
    .integer(authority.generation)
    .integer(authority.crlShards)
    .integer(authority.createdAt)
}

export const updateAuthority = change(
  'authority',
  'UPDATE authority SET state = ?, certificate = ?, issuer = ?, chain_above = ? WHERE id = ? AND state = ?',
)

export interface AuthorityUpdate {
  readonly id: AuthorityId
  readonly from: AuthorityState
  readonly to: AuthorityState
  readonly certificate: Uint8Array | null
  readonly issuer: AuthorityId | null
  readonly chainAbove: readonly Uint8Array[]
}

export function moveAuthority(update: AuthorityUpdate, out: StepSink): void {
  out
    .begin(updateAuthority)
    .text(update.to)
    .bytes(update.certificate)
    .text(update.issuer)
    .bytes(concat(...update.chainAbove))
    .text(update.id)
    .text(update.from)
}

const ALL = query(
  `SELECT id, kind, state, certificate, issuer, chain_above, key_uri, generation, crl_shards, created_at
    FROM authority ORDER BY created_at, id`,
)

export async function readAuthorities(queries: Queries): Promise<Authority[]> {
  return (await queries.all(ALL, [])).map(authorityOf)
}

function authorityOf(row: Row): Authority {
  return {
    id: authorityId(textOf(row, 'id')),
    kind: wordOf<Authority['kind']>(row, 'kind'),
    state: wordOf<AuthorityState>(row, 'state'),
    certificate: nullable(bytesOf, row, 'certificate'),
    issuer: nullable((r, c) => authorityId(textOf(r, c)), row, 'issuer'),
    chainAbove: certificatesOf(bytesOf(row, 'chain_above')),
    keyUri: textOf(row, 'key_uri'),
    generation: integerOf(row, 'generation'),
    crlShards: integerOf(row, 'crl_shards'),
    createdAt: integerOf(row, 'created_at'),
  }
}

/** The chain is stored as its certificates one behind the other: DER says itself where each ends. */
function certificatesOf(bytes: Uint8Array): Uint8Array[] {
  const chain: Uint8Array[] = []
  for (const reader = new DerReader(bytes); !reader.empty; ) chain.push(reader.any().raw)
  return chain
}
