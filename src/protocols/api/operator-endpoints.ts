// Operators, their roles and their tokens, and the acts that wait for a second person.
import { z } from 'zod'
import { TouchmarkError } from '../../core/errors.ts'
import type { Access } from '../../domain/access/access.ts'
import { accessSettingsVersion } from '../../domain/access/access-documents.ts'
import { oidcSchema, parseAccessSettings, readAccessSettings } from '../../domain/access/access-settings.ts'
import { rolesDigest } from '../../domain/access/commitments.ts'
import { mayGive } from '../../domain/access/grants.ts'
import { guardedActNames } from '../../domain/access/guarded-acts.ts'
import { activeOperator, type Operator, type RoleGrant } from '../../domain/access/operator.ts'
import { addOperator, createLink, removeOperator } from '../../domain/access/operators.ts'
import { PERMISSIONS, permissionNames } from '../../domain/access/permissions.ts'
import type { Principal, Scope } from '../../domain/access/principal.ts'
import { roleGrantSchema } from '../../domain/access/role-grant.ts'
import { parseRole, ROLE_NAME, readRole, readRoles } from '../../domain/access/roles.ts'
import { sessionState } from '../../domain/access/session.ts'
import { endOtherSessions } from '../../domain/access/sign-in.ts'
import {
  apiTokenSchema,
  apiTokenView,
  approvalSchema,
  approvalView,
  guardedAnswer,
  guardedSchema,
  operatorId,
  operatorSchema,
  operatorView,
  permissionName,
  roleSchema,
  roleView,
  sessionSchema,
  sessionView,
} from './access-views.ts'
import { assertRecent } from './account-endpoints.ts'
import { assertVersion, type Endpoint, endpoint } from './endpoint.ts'

const text = (max: number) => z.string().min(1).max(max)
const roleName = z.string().regex(ROLE_NAME, 'must be the name of a role')
const roleBody = z.strictObject({
  description: z.string().max(500).default(''),
  permissions: z.array(permissionName).max(permissionNames.length),
  retired: z.boolean().default(false),
})
const settingsBody = z
  .object({
    fourEyes: z.object({
      acts: z.array(z.enum(guardedActNames)),
      quorum: z.int().min(1).max(10),
      when: z.enum(['possible', 'always']),
      expirySeconds: z.int(),
      revokeManyAbove: z.int(),
    }),
    oidc: oidcSchema.nullable(),
  })
  .meta({ id: 'AccessSettings' })

export function operatorEndpoints(access: Access): Endpoint[] {
  const { store, fourEyes } = access
  const { read } = store

  /** Nobody signs in as, or is rid of, who would have to agree with them. Throws `approval.needed`. */
  async function assertNoSecondPair(operator: Operator, next: string): Promise<void> {
    if (!(await fourEyes.isSecondPair(operator))) return
    throw new TouchmarkError('approval.needed', 'conflict', 'The operator agrees to acts of others.', {
      next,
      evidence: { operatorId: operator.id },
    })
  }

  return [
    endpoint({
      method: 'GET',
      path: '/operators',
      id: 'listOperators',
      tag: 'Operators',
      summary: 'Operators, oldest first',
      permission: 'operator.read',
      paged: true,
      answer: operatorSchema,
      async handle({ page }) {
        const { items, next } = await read.operators(page)
        return { body: { items: items.map(operatorView), next } }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/operators',
      id: 'addOperator',
      tag: 'Operators',
      summary: 'Admit an operator, with a link by which they sign in the first time',
      description:
        'Their roles are given as by setting them afterwards: where that takes a second person, they have none until then.',
      permission: 'operator.write',
      body: z.strictObject({ name: text(100), email: text(320), roles: z.array(roleGrantSchema).max(50).default([]) }),
      answer: z.object({
        operator: operatorSchema,
        linkSecret: z.string().meta({ description: 'In this answer only; it signs in once, within a day.' }),
        roles: guardedSchema.nullable(),
      }),
      async handle({ body, caller, actor, may }) {
        const { name, email, roles } = body
        if (roles.length > 0) await assertMayGive(roles, caller!, access, may(undefined, 'role.write'))
        const { operator, secret } = await addOperator({ name, email, roles: [], actor }, access)
        const given =
          roles.length === 0
            ? null
            : await fourEyes.request(
                'operator.roles',
                { operatorId: operator.id, roles, before: rolesDigest(operator.roles) },
                rolesSummary(operator.id, roles),
                caller!,
              )
        const found = (await read.operator(operator.id)) ?? operator
        const outcome = given && guardedAnswer(given).body
        return { status: 201, body: { operator: operatorView(found), linkSecret: secret, roles: outcome } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/operators/:id',
      id: 'showOperator',
      tag: 'Operators',
      summary: 'One operator',
      permission: 'operator.read',
      params: { id: operatorId },
      answer: operatorSchema,
      async handle({ params }) {
        const operator = await read.operator(params.id)
        if (operator === undefined)
          throw new TouchmarkError('operator.not_found', 'not_found', 'There is no such operator.')
        return { body: operatorView(operator), version: operator.revision }
      },
    }),
    endpoint({
      method: 'PUT',
      path: '/operators/:id/roles',
      id: 'setRoles',
      tag: 'Operators',
      summary: 'Give an operator these roles and no others',
      permission: 'role.write',
      edits: true,
      params: { id: operatorId },
      body: z.strictObject({ roles: z.array(roleGrantSchema).max(50) }),
      answer: guardedSchema,
      async handle({ params, body, caller, ifMatch }) {
        const operator = await activeOperator(params.id, read)
        assertVersion(ifMatch, operator.revision)
        await assertMayGive(body.roles, caller!, access, true)
        const parameters = { operatorId: operator.id, roles: body.roles, before: rolesDigest(operator.roles) }
        const summary = rolesSummary(operator.id, body.roles)
        return guardedAnswer(await fourEyes.request('operator.roles', parameters, summary, caller!))
      },
    }),
    endpoint({
      method: 'DELETE',
      path: '/operators/:id',
      id: 'removeOperator',
      tag: 'Operators',
      summary: 'Remove an operator: sessions end, tokens and passkeys go, name and address are erased',
      description:
        'Who agrees to acts of others is removed by nobody else before others agreed to taking their roles away.',
      permission: 'operator.write',
      params: { id: operatorId },
      async handle({ params, actor, caller }) {
        const operator = await activeOperator(params.id, read)
        if (operator.id !== caller!.operatorId) {
          await assertNoSecondPair(
            operator,
            'Take their roles away first; or at the machine: touchmark operator remove',
          )
        }
        await removeOperator({ operatorId: params.id, actor }, access)
        return { status: 204 }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/operators/:id/link',
      id: 'createSignInLink',
      tag: 'Operators',
      summary: 'A link by which the operator signs in once, within a day',
      description:
        'For somebody with no more power than you have yourself, who agrees to no acts of others: such a one gets it at the machine. Takes a sign-in of ' +
        'the last fifteen minutes.',
      permission: 'operator.write',
      params: { id: operatorId },
      answer: z.object({ linkSecret: z.string() }),
      async handle({ params, actor, caller, now }) {
        assertRecent(caller!, now)
        const operator = await activeOperator(params.id, read)
        // Whoever makes a link could use it, and would be the other one.
        await assertMayGive(operator.roles, caller!, access, true)
        await assertNoSecondPair(operator, 'At the machine: touchmark operator link')
        return { status: 201, body: { linkSecret: await createLink({ operatorId: operator.id, actor }, access) } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/operators/:id/sessions',
      id: 'listSessions',
      tag: 'Operators',
      summary: 'Sessions of an operator that are live',
      permission: 'operator.read',
      params: { id: operatorId },
      answer: z.object({ items: z.array(sessionSchema) }),
      async handle({ params, caller, now }) {
        const sessions = (await read.sessionsOfOperator(params.id)).filter(each => sessionState(each, now) === 'live')
        return { body: { items: sessions.map(each => sessionView(each, caller!.sessionId)) } }
      },
    }),
    endpoint({
      method: 'DELETE',
      path: '/operators/:id/sessions',
      id: 'endSessions',
      tag: 'Operators',
      summary: 'End all sessions of an operator',
      permission: 'operator.write',
      params: { id: operatorId },
      answer: z.object({ ended: z.int() }),
      async handle({ params, actor }) {
        return { body: { ended: await endOtherSessions({ operatorId: params.id, keep: undefined, actor }, access) } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/api-tokens',
      id: 'listApiTokens',
      tag: 'Operators',
      summary: 'API tokens of all operators, oldest first',
      permission: 'operator.read',
      paged: true,
      query: { operator: operatorId.optional() },
      answer: apiTokenSchema,
      async handle({ page, query }) {
        const of = query.operator === undefined ? {} : { operatorId: query.operator }
        const { items, next } = await read.apiTokens({ ...page, ...of })
        return { body: { items: items.map(apiTokenView), next } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/permissions',
      id: 'listPermissions',
      tag: 'Operators',
      summary: 'Everything that may be allowed, and what it means',
      permission: 'signed-in',
      answer: z.object({
        items: z.array(z.object({ name: permissionName, may: z.string(), reach: z.enum(['fleet', 'instance']) })),
      }),
      handle: async () => ({ body: { items: permissionNames.map(name => ({ name, ...PERMISSIONS[name] })) } }),
    }),
    endpoint({
      method: 'GET',
      path: '/roles',
      id: 'listRoles',
      tag: 'Operators',
      summary: 'Roles: the built-in ones first',
      permission: 'operator.read',
      answer: z.object({ items: z.array(roleSchema) }),
      handle: async () => ({ body: { items: (await readRoles(read)).map(roleView) } }),
    }),
    endpoint({
      method: 'GET',
      path: '/roles/:name',
      id: 'showRole',
      tag: 'Operators',
      summary: 'One role',
      permission: 'operator.read',
      params: { name: roleName },
      answer: roleSchema,
      async handle({ params }) {
        const role = await readRole(params.name, read)
        if (role === undefined) throw new TouchmarkError('role.not_found', 'not_found', 'There is no such role.')
        return { body: roleView(role), version: (await read.document('role', params.name))?.version ?? 0 }
      },
    }),
    endpoint({
      method: 'PUT',
      path: '/roles/:name',
      id: 'putRole',
      tag: 'Operators',
      summary: 'Make a role, or change one of your own making',
      permission: 'role.write',
      edits: true,
      params: { name: roleName },
      body: roleBody,
      answer: guardedSchema,
      async handle({ params, body, caller, ifMatch }) {
        const config = { schema: 1 as const, name: params.name, ...body }
        const { permissions } = parseRole(config)
        const from = (await read.document('role', params.name))?.version ?? 0
        assertVersion(ifMatch, from)
        assertHas([...permissions], {}, caller!)
        const summary = `Role ${params.name}: ${body.retired ? 'retired' : [...permissions].join(', ') || 'nothing'}`
        return guardedAnswer(await fourEyes.request('role.change', { config, from }, summary, caller!))
      },
    }),
    endpoint({
      method: 'GET',
      path: '/approvals',
      id: 'listApprovals',
      tag: 'Operators',
      summary: 'Acts that wait, or waited, for a second person; newest first',
      permission: 'approval.read',
      paged: true,
      query: { state: approvalSchema.shape.state.optional() },
      answer: approvalSchema,
      async handle({ page, query }) {
        const { items, next } = await read.approvals({ ...page, ...(query.state ? { state: query.state } : {}) })
        return { body: { items: items.map(approvalView), next } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/approvals/:id',
      id: 'showApproval',
      tag: 'Operators',
      summary: 'One act that waits, or waited',
      permission: 'approval.read',
      params: { id: text(64) },
      answer: approvalSchema,
      async handle({ params }) {
        const approval = await read.approval(params.id)
        if (approval === undefined)
          throw new TouchmarkError('approval.not_found', 'not_found', 'There is no such request.')
        return { body: approvalView(approval) }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/approvals/:id/approve',
      id: 'approve',
      tag: 'Operators',
      summary: 'Approve an act that somebody else asked for; the last approval carries it out',
      description: 'Takes the permission of the act itself.',
      permission: 'approval.read',
      params: { id: text(64) },
      answer: guardedSchema,
      handle: async ({ params, caller }) => guardedAnswer(await fourEyes.approve(params.id, caller!)),
    }),
    endpoint({
      method: 'POST',
      path: '/approvals/:id/reject',
      id: 'reject',
      tag: 'Operators',
      summary: 'Say no to an act that somebody else asked for',
      description: 'Takes the permission of the act itself.',
      permission: 'approval.read',
      params: { id: text(64) },
      answer: approvalSchema,
      handle: async ({ params, caller }) => ({ body: approvalView(await fourEyes.reject(params.id, caller!)) }),
    }),
    endpoint({
      method: 'POST',
      path: '/approvals/:id/withdraw',
      id: 'withdraw',
      tag: 'Operators',
      summary: 'Take back what you asked for',
      permission: 'signed-in',
      params: { id: text(64) },
      answer: approvalSchema,
      handle: async ({ params, caller }) => ({ body: approvalView(await fourEyes.withdraw(params.id, caller!)) }),
    }),
    endpoint({
      method: 'GET',
      path: '/access/settings',
      id: 'showAccessSettings',
      tag: 'Operators',
      summary: 'Which acts take a second person',
      permission: 'settings.read',
      answer: settingsBody,
      async handle() {
        const { fourEyes, oidc } = await readAccessSettings(read)
        return { body: { fourEyes, oidc }, version: await accessSettingsVersion(read) }
      },
    }),
    endpoint({
      method: 'PUT',
      path: '/access/settings',
      id: 'setAccessSettings',
      tag: 'Operators',
      summary: 'Change which acts take a second person',
      permission: 'role.write',
      edits: true,
      body: settingsBody,
      answer: guardedSchema,
      async handle({ body, caller, ifMatch }) {
        const config = { schema: 1 as const, ...body }
        parseAccessSettings(config)
        const from = await accessSettingsVersion(read)
        assertVersion(ifMatch, from)
        for (const roles of Object.values(body.oidc?.roles ?? {})) await assertMayGive(roles, caller!, access, true)
        const { acts, quorum, when } = body.fourEyes
        const summary = `Four eyes for ${acts.length} acts, ${quorum} to approve, when ${when}; OpenID provider: ${body.oidc?.issuer ?? 'none'}`
        return guardedAnswer(await fourEyes.request('access.settings', { config, from }, summary, caller!))
      },
    }),
  ]
}

const rolesSummary = (id: string, roles: readonly RoleGrant[]) =>
  `Roles of ${id}: ${roles.map(({ role }) => role).join(', ') || 'none'}`

/** Nobody gives what they do not have. Throws `access.forbidden`, `role.not_found`. */
async function assertMayGive(
  roles: readonly RoleGrant[],
  caller: Principal,
  { store }: Access,
  mayChangeRoles: boolean,
): Promise<void> {
  if (!mayChangeRoles) {
    throw new TouchmarkError('access.forbidden', 'forbidden', 'Giving roles takes the permission role.write.', {
      evidence: { permission: 'role.write' },
    })
  }
  for (const { role, scope } of roles) {
    const known = await readRole(role, store.read)
    if (known === undefined) throw new TouchmarkError('role.not_found', 'not_found', `There is no role ${role}.`)
    assertHas([...known.permissions], scope, caller)
  }
}

function assertHas(permissions: Parameters<typeof mayGive>[1][], scope: Scope, caller: Principal): void {
  const missing = permissions.filter(permission => !mayGive(caller, permission, scope))
  if (missing.length === 0) return
  throw new TouchmarkError(
    'access.forbidden',
    'forbidden',
    `You do not have ${missing.join(', ').slice(0, 200)} yourself.`,
    {
      next: 'Nobody gives more than they have.',
    },
  )
}
