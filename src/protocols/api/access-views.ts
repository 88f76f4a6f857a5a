// Operators, sessions, tokens, roles and approvals as the API shows them. Never a hash, never a secret.
import { z } from 'zod'
import type { ApiToken } from '../../domain/access/api-token.ts'
import type { Approval } from '../../domain/access/approval.ts'
import { guardedActNames } from '../../domain/access/guarded-acts.ts'
import type { Operator } from '../../domain/access/operator.ts'
import type { Passkey } from '../../domain/access/passkey.ts'
import { type Permission, permissionNames } from '../../domain/access/permissions.ts'
import { AUTHENTICATION_METHODS, type Principal, type Scope } from '../../domain/access/principal.ts'
import { roleGrantSchema, scopeSchema } from '../../domain/access/role-grant.ts'
import type { Role } from '../../domain/access/roles.ts'
import { SESSION_IDLE_SECONDS, SESSION_SECONDS, type Session } from '../../domain/access/session.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { timestampText } from './endpoint.ts'
import { optionalTimestamp } from './views.ts'

export const permissionName = z.enum(permissionNames)
export const operatorId = z.string().regex(/^op-[0-9a-f]{32}$/, 'must be the id of an operator')

const scopeView = (scope: Scope): z.input<typeof scopeSchema> => ({
  ...(scope.owner === undefined ? {} : { owner: scope.owner }),
  ...(scope.models === undefined ? {} : { models: [...scope.models] }),
  ...(scope.sites === undefined ? {} : { sites: [...scope.sites] }),
})

export const operatorSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    email: z.string().nullable(),
    state: z.enum(['active', 'removed']),
    roles: z.array(roleGrantSchema),
    hasPassword: z.boolean(),
    hasTotp: z.boolean(),
    createdAt: timestampText,
    revision: z.int(),
  })
  .meta({ id: 'Operator' })

export const operatorView = (operator: Operator): z.input<typeof operatorSchema> => ({
  id: operator.id,
  name: operator.name,
  email: operator.email,
  state: operator.state,
  roles: operator.roles.map(({ role, scope }) => ({ role, scope: scopeView(scope) })),
  hasPassword: operator.passwordHash !== null,
  hasTotp: operator.totp !== null,
  createdAt: timestamp(operator.createdAt),
  revision: operator.revision,
})

export const callerSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['operator', 'token']),
    name: z.string(),
    grants: z.array(z.object({ permissions: z.array(permissionName), scope: scopeSchema })),
    authenticatedBy: z.enum(AUTHENTICATION_METHODS),
    authenticatedAt: timestampText,
    sessionId: z.string().nullable(),
  })
  .meta({ id: 'Caller' })

export const callerView = (caller: Principal): z.input<typeof callerSchema> => ({
  id: caller.id,
  kind: caller.kind,
  name: caller.name,
  grants: caller.grants.map(({ permissions, scope }) => ({ permissions: [...permissions], scope: scopeView(scope) })),
  authenticatedBy: caller.authenticatedBy,
  authenticatedAt: timestamp(caller.authenticatedAt),
  sessionId: caller.sessionId ?? null,
})

export const sessionSchema = z
  .object({
    id: z.string(),
    method: z.enum(AUTHENTICATION_METHODS),
    createdAt: timestampText,
    seenAt: timestampText.meta({ description: 'Exact to a minute.' }),
    expiresAt: timestampText.meta({ description: 'When it ends at the latest, as long as it is used.' }),
    address: z.string(),
    agent: z.string(),
    current: z.boolean(),
  })
  .meta({ id: 'Session' })

export const sessionView = (session: Session, current: string | undefined): z.input<typeof sessionSchema> => ({
  id: session.id,
  method: session.method,
  createdAt: timestamp(session.createdAt),
  seenAt: timestamp(session.seenAt),
  expiresAt: timestamp(Math.min(session.seenAt + SESSION_IDLE_SECONDS, session.createdAt + SESSION_SECONDS)),
  address: session.address,
  agent: session.agent,
  current: session.id === current,
})

export const passkeySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    transports: z.array(z.string()),
    createdAt: timestampText,
    lastUsedAt: timestampText.nullable(),
  })
  .meta({ id: 'Passkey' })

export const passkeyView = ({
  id,
  name,
  transports,
  createdAt,
  lastUsedAt,
}: Passkey): z.input<typeof passkeySchema> => ({
  id,
  name,
  transports: [...transports],
  createdAt: timestamp(createdAt),
  lastUsedAt: optionalTimestamp(lastUsedAt),
})

export const apiTokenSchema = z
  .object({
    id: z.string(),
    operatorId: z.string(),
    name: z.string(),
    permissions: z.array(permissionName),
    scope: scopeSchema,
    createdAt: timestampText,
    expiresAt: timestampText,
    lastUsedAt: timestampText.nullable(),
    revokedAt: timestampText.nullable(),
  })
  .meta({ id: 'ApiToken' })

export const apiTokenView = (token: ApiToken): z.input<typeof apiTokenSchema> => ({
  id: token.id,
  operatorId: token.operatorId,
  name: token.name,
  permissions: [...token.permissions],
  scope: scopeView(token.scope),
  createdAt: timestamp(token.createdAt),
  expiresAt: timestamp(token.expiresAt),
  lastUsedAt: optionalTimestamp(token.lastUsedAt),
  revokedAt: optionalTimestamp(token.revokedAt),
})

export const roleSchema = z
  .object({
    name: z.string(),
    description: z.string(),
    permissions: z.array(permissionName),
    builtIn: z.boolean(),
  })
  .meta({ id: 'Role' })

export const roleView = ({ name, description, permissions, builtIn }: Role): z.input<typeof roleSchema> => ({
  name,
  description,
  permissions: permissionNames.filter((each: Permission) => permissions.has(each)),
  builtIn,
})

export const approvalSchema = z
  .object({
    id: z.string(),
    act: z.enum(guardedActNames),
    summary: z.string(),
    parameters: z.unknown(),
    requestedBy: z.string(),
    requestedAt: timestampText,
    expiresAt: timestampText,
    quorum: z.int(),
    approvals: z.array(z.object({ by: z.string(), at: timestampText })),
    state: z.enum(['waiting', 'executing', 'executed', 'failed', 'rejected', 'withdrawn', 'expired']),
    stateChangedAt: timestampText,
    outcome: z.string().nullable(),
  })
  .meta({ id: 'Approval' })

export const approvalView = (approval: Approval): z.input<typeof approvalSchema> => ({
  id: approval.id,
  act: approval.act as z.input<typeof approvalSchema>['act'],
  summary: approval.summary,
  parameters: JSON.parse(approval.parameters) as unknown,
  requestedBy: approval.requestedBy,
  requestedAt: timestamp(approval.requestedAt),
  expiresAt: timestamp(approval.expiresAt),
  quorum: approval.quorum,
  approvals: approval.approvals.map(({ by, at }) => ({ by, at: timestamp(at) })),
  state: approval.state,
  stateChangedAt: timestamp(approval.stateChangedAt),
  outcome: approval.outcome,
})

/** What became of an act that may take a second person. */
export const guardedSchema = z
  .object({
    outcome: z.enum(['done', 'waiting']),
    approval: approvalSchema.nullable().meta({ description: 'Where others have to agree, or had to.' }),
  })
  .meta({ id: 'GuardedOutcome' })

export function guardedAnswer({ kind, approval }: { kind: 'done' | 'waiting'; approval: Approval | null }) {
  const body: z.input<typeof guardedSchema> = { outcome: kind, approval: approval && approvalView(approval) }
  return { status: kind === 'done' ? 200 : 202, body } as const
}
