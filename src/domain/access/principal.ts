// Who asks, and what they may do. `may` is the one place that answers whether somebody is allowed to do something; it is pure, and says no
// to whatever it was not told.
import type { AuditEntry } from '../audit/entry.ts'
import type { UnixSeconds } from '../ids.ts'
import { PERMISSIONS, type Permission } from './permissions.ts'

/** Narrows a grant: every field that is there must hold. `{}` is everywhere. */
export interface Scope {
  /** The realm: devices of this owner. */
  readonly owner?: string
  /** Devices of one of these models. */
  readonly models?: readonly string[]
  /** Devices at one of these sites. */
  readonly sites?: readonly string[]
}

export interface Grant {
  readonly permissions: ReadonlySet<Permission>
  readonly scope: Scope
}

export const AUTHENTICATION_METHODS = [
  'passkey',
  'password',
  'oidc',
  'client-certificate',
  'link',
  'api-token',
] as const
export type AuthenticationMethod = (typeof AUTHENTICATION_METHODS)[number]

/** Somebody who proved who they are. */
export interface Principal {
  readonly kind: 'operator' | 'token'
  /** Opaque, as the log names them: `op-…` or `at-…`. */
  readonly id: string
  /** For the screen; personal data, never for the log. */
  readonly name: string
  readonly grants: readonly Grant[]
  readonly authenticatedBy: AuthenticationMethod
  readonly authenticatedAt: UnixSeconds
  /** The operator in whose name it acts: the principal itself, or whoever made the token. Nobody approves what they asked for through a token. */
  readonly operatorId: string
  /** The session that authenticates; absent for tokens and client certificates. */
  readonly sessionId?: string
}

/** All that decides. */
type Granted = Pick<Principal, 'grants'>

/** What is known of the thing that is acted upon. What is absent or `null` is not known, and meets no scope that asks for it. */
export interface Facts {
  readonly owner?: string | null
  readonly model?: string | null
  readonly site?: string | null
}

/**
 * Whether the principal may do this to the thing with these facts. Without facts: to everything. For a list or an endpoint whose things are
 * not known yet, ask `maySomewhere`, and narrow to `scopesOf`.
 */
export function may(principal: Granted, permission: Permission, facts: Facts = {}): boolean {
  return scopesOf(principal, permission).some(scope => covers(scope, facts))
}

/** Whether there is anything to which the principal may do this: what lets a request pass on to where its thing is known. */
export function maySomewhere(principal: Granted, permission: Permission): boolean {
  return scopesOf(principal, permission).length > 0
}

/** The scopes in which the principal has the permission; empty: nowhere. One of them being `{}`: everywhere. */
export function scopesOf(principal: Granted, permission: Permission): readonly Scope[] {
  const fleet = PERMISSIONS[permission].reach === 'fleet'
  return principal.grants
    .filter(grant => grant.permissions.has(permission) && (fleet || isEverywhere(grant.scope)))
    .map(grant => grant.scope)
}

export function isEverywhere(scope: Scope): boolean {
  return scope.owner === undefined && scope.models === undefined && scope.sites === undefined
}

/** Whether a thing with these facts lies within the scope. */
export function covers(scope: Scope, facts: Facts): boolean {
  return (
    (scope.owner === undefined || scope.owner === facts.owner) &&
    (scope.models === undefined || (typeof facts.model === 'string' && scope.models.includes(facts.model))) &&
    (scope.sites === undefined || (typeof facts.site === 'string' && scope.sites.includes(facts.site)))
  )
}

/** Whether everything within `inner` lies within `outer`. */
export function encloses(outer: Scope, inner: Scope): boolean {
  const within = (wide: readonly string[] | undefined, narrow: readonly string[] | undefined) =>
    wide === undefined || narrow?.every(each => wide.includes(each)) === true
  return (
    (outer.owner === undefined || outer.owner === inner.owner) &&
    within(outer.models, inner.models) &&
    within(outer.sites, inner.sites)
  )
}

/** As the log names the principal. */
export function actorOf(principal: Pick<Principal, 'id'>): AuditEntry['actor'] {
  return { kind: 'operator', id: principal.id }
}
