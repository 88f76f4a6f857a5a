// From what is stored to what may be done: the roles of an operator become grants, and the permissions of an API token become those of them
// that its operator still has.
import type { StoreReader } from '../ports.ts'
import type { ApiToken } from './api-token.ts'
import type { Operator, RoleGrant } from './operator.ts'
import type { Permission } from './permissions.ts'
import { encloses, type Grant, may, type Principal, type Scope, scopesOf } from './principal.ts'
import { readRole } from './roles.ts'

/** A role that does not exist any more gives nothing. */
export async function grantsOf(roles: readonly RoleGrant[], read: Pick<StoreReader, 'document'>): Promise<Grant[]> {
  const grants: Grant[] = []
  for (const { role, scope } of roles) {
    const known = await readRole(role, read)
    if (known !== undefined) grants.push({ permissions: known.permissions, scope })
  }
  return grants
}

/** The permissions of the token, within its scope, as far as the grants of its operator enclose them. */
export function narrowedGrants(grants: readonly Grant[], token: Pick<ApiToken, 'permissions' | 'scope'>): Grant[] {
  const enclosing = grants.filter(({ scope }) => encloses(scope, token.scope))
  const permissions = token.permissions.filter(name => enclosing.some(grant => grant.permissions.has(name)))
  return permissions.length === 0 ? [] : [{ permissions: new Set(permissions), scope: token.scope }]
}

/** Whether the principal could give this away: it has the permission itself, in a scope at least as wide. */
export function mayGive(principal: Principal, permission: Permission, scope: Scope): boolean {
  return scopesOf(principal, permission).some(own => encloses(own, scope)) || may(principal, permission)
}

export async function operatorPrincipal(
  operator: Operator,
  of: Pick<Principal, 'authenticatedBy' | 'authenticatedAt'> & { readonly sessionId?: string },
  read: Pick<StoreReader, 'document'>,
): Promise<Principal> {
  const { id, name, roles } = operator
  return { kind: 'operator', id, name, operatorId: id, grants: await grantsOf(roles, read), ...of }
}

export async function tokenPrincipal(
  token: ApiToken,
  operator: Operator,
  read: Pick<StoreReader, 'document'>,
): Promise<Principal> {
  return {
    kind: 'token',
    id: token.id,
    name: token.name,
    operatorId: operator.id,
    grants: narrowedGrants(await grantsOf(operator.roles, read), token),
    authenticatedBy: 'api-token',
    authenticatedAt: token.createdAt,
  }
}
