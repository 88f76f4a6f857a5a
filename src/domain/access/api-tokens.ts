// Making, finding and revoking API tokens.
import { toHex } from '../../core/bytes/hex.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import type { ApiToken } from './api-token.ts'
import { apiTokenDigest } from './commitments.ts'
import { mayGive, tokenPrincipal } from './grants.ts'
import type { Permission } from './permissions.ts'
import type { AccessPorts } from './ports.ts'
import { actorOf, type Principal, type Scope } from './principal.ts'
import { hashSecret, newSecret } from './session.ts'

/** What every secret begins with, so that scanners of source code find one that was left there. */
export const API_TOKEN_PREFIX = 'tmk_'
const SECRET = /^tmk_[\w-]{43}$/
export const MIN_API_TOKEN_SECONDS = 300
/** A year and a day: what lives longer is forgotten. */
export const MAX_API_TOKEN_SECONDS = 366 * 86_400
/** How exactly the store knows when a token was last used. */
const SEEN_GRAIN_SECONDS = 300
/** Text that a token is called by: one line. */
const NAME = /^[^\s\p{C}](?:[^\p{C}]{0,98}[^\s\p{C}])?$/u

export interface ApiTokenRequest {
  readonly name: string
  readonly permissions: readonly Permission[]
  readonly scope: Scope
  readonly lifetimeSeconds: number
}

export interface ApiTokenPorts extends Pick<AccessPorts, 'store' | 'clock' | 'random'> {
  /** Who acts, where it is not the principal. */
  readonly actor?: AuditEntry['actor']
}

/**
 * A token in the name of the principal, with no permission that it does not have itself. The secret is in the answer only. Throws
 * `api_token.invalid`, `access.forbidden`.
 */
export async function createApiToken(
  { name, permissions, scope, lifetimeSeconds }: ApiTokenRequest,
  principal: Principal,
  { store, clock, random, actor = actorOf(principal) }: ApiTokenPorts,
): Promise<{ readonly token: ApiToken; readonly secret: string }> {
  const invalid = (message: string) => new TouchmarkError('api_token.invalid', 'malformed', message)
  if (!NAME.test(name)) throw invalid('A token has a name: one line of 1 to 100 characters.')
  if (permissions.length === 0) throw invalid('A token has at least one permission.')
  if (!(lifetimeSeconds >= MIN_API_TOKEN_SECONDS && lifetimeSeconds <= MAX_API_TOKEN_SECONDS))
    throw invalid('A token lives between five minutes and a year.')
  if (principal.kind === 'token') {
    throw new TouchmarkError('access.forbidden', 'forbidden', 'A token makes no tokens.', {
      next: 'Sign in as an operator.',
    })
  }
  const missing = permissions.filter(permission => !mayGive(principal, permission, scope))
  if (missing.length > 0) {
    throw new TouchmarkError('access.forbidden', 'forbidden', `You do not have ${missing.join(', ')} yourself.`, {
      next: 'A token has no more power than the operator who makes it.',
    })
  }
  const now = clock.now()
  const secret = `${API_TOKEN_PREFIX}${newSecret(random)}`
  const token: ApiToken = {
    id: `at-${toHex(random.bytes(16))}`,
    secretHash: hashSecret(secret),
    operatorId: principal.operatorId,
    name,
    permissions: [...new Set(permissions)],
    scope,
    createdAt: now,
    expiresAt: now + lifetimeSeconds,
    lastUsedAt: null,
    revokedAt: null,
  }
  await store.commit({
    writes: [{ kind: 'api_token.insert', token }],
    audit: [
      entry('api_token.created', token, actor, now, {
        expiresAt: token.expiresAt,
        tokenSha256: apiTokenDigest(token),
      }),
    ],
  })
  return { token, secret }
}

/** Whom the secret speaks for now; `undefined` where it is none, expired, revoked, or its operator is gone. Notes the use. */
export async function principalOfApiToken(
  secret: string,
  { store, clock }: Pick<AccessPorts, 'store' | 'clock'>,
): Promise<Principal | undefined> {
  if (!SECRET.test(secret)) return undefined
  const { read } = store
  const token = await read.apiTokenByHash(hashSecret(secret))
  const now = clock.now()
  if (token === undefined || token.revokedAt !== null || now > token.expiresAt) return undefined
  const operator = await read.operator(token.operatorId)
  if (operator?.state !== 'active') return undefined
  if (now >= (token.lastUsedAt ?? 0) + SEEN_GRAIN_SECONDS) {
    await store.commit({ writes: [{ kind: 'api_token.seen', id: token.id, at: now }], audit: [] })
  }
  return tokenPrincipal(token, operator, read)
}

/** Throws `api_token.not_found`, `api_token.revoked`. */
export async function revokeApiToken(
  id: string,
  actor: AuditEntry['actor'],
  { store, clock }: Pick<AccessPorts, 'store' | 'clock'>,
): Promise<void> {
  const token = await findApiToken(id, store.read)
  const at = clock.now()
  await store.commit({
    writes: [{ kind: 'api_token.revoke', id, at }],
    audit: [entry('api_token.revoked', token, actor, at)],
  })
}

/** Throws `api_token.not_found`. */
export async function findApiToken(id: string, read: Pick<StoreReader, 'apiToken'>): Promise<ApiToken> {
  const token = await read.apiToken(id)
  if (token !== undefined) return token
  throw new TouchmarkError('api_token.not_found', 'not_found', 'There is no such API token.')
}

function entry(
  action: 'api_token.created' | 'api_token.revoked',
  { id, operatorId }: ApiToken,
  actor: AuditEntry['actor'],
  at: UnixSeconds,
  detail: AuditEntry['detail'] = {},
): AuditEntry {
  return { at, actor, action, outcome: 'done', subject: { tokenId: id, name: operatorId }, detail }
}
