// Admitting operators, changing what they may do and how they sign in, and removing them. A removed operator is erased: what remains is the
// opaque id that the log knows.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { ChangeBuilder } from '../change-builder.ts'
import type { UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import { passwordDigest, rolesDigest, totpDigest } from './commitments.ts'
import {
  activeOperator,
  assertSignsInHere,
  checkOperatorName,
  newOperatorId,
  type Operator,
  parseEmail,
  type RoleGrant,
} from './operator.ts'
import { type AccessPorts, TOTP_KEY } from './ports.ts'
import { readRole } from './roles.ts'
import { hashSecret, newSecret } from './session.ts'
import { FIRST_LINK, LINK_SECONDS } from './sign-in-link.ts'
import { acceptTotp } from './totp.ts'

type OperatorPorts = Pick<AccessPorts, 'store' | 'clock' | 'random'>
type Actor = AuditEntry['actor']

/** Roles that one operator may have. */
const MAX_ROLES = 50

/**
 * Admits somebody, with a link by which they sign in the first time. Throws `operator.exists`, `operator.name_invalid`,
 * `operator.email_invalid`, `role.not_found`, `operator.too_many_roles`.
 */
export async function addOperator(
  { name, email, roles, actor }: { name: string; email: string; roles: readonly RoleGrant[]; actor: Actor },
  { store, clock, random }: OperatorPorts,
): Promise<{ readonly operator: Operator; readonly secret: string }> {
  await checkRoles(roles, store.read)
  const now = clock.now()
  const operator: Operator = {
    id: newOperatorId(random),
    name: checkOperatorName(name),
    email: parseEmail(email),
    state: 'active',
    roles,
    passwordHash: null,
    totp: null,
    oidc: null,
    createdAt: now,
    revision: 1,
  }
  const change = new ChangeBuilder()
  addOperatorChange(change, operator, actor, now)
  const secret = addLink(change, operator.id, actor, now, random)
  await store.commit(change)
  return { operator, secret }
}

/** The change that admits an operator; the link for a first administrator opens nothing from then on. */
export function addOperatorChange(change: ChangeBuilder, operator: Operator, actor: Actor, at: UnixSeconds): void {
  change.write({ kind: 'operator.put', operator, from: null }, { kind: 'link.remove', name: FIRST_LINK })
  change.record({
    at,
    actor,
    action: 'operator.added',
    outcome: 'done',
    subject: { name: operator.id },
    detail: { rolesSha256: rolesDigest(operator.roles) },
  })
}

export interface RolesChange {
  readonly operatorId: string
  readonly roles: readonly RoleGrant[]
  readonly actor: Actor
  /**
   * Digest of the roles on which the change builds, where they must be the same still. Not the revision: that moves with every code that the
   * operator signs in with, and an approval takes days.
   */
  readonly before?: string
}

/** Throws `operator.not_found`, `operator.changed`, `operator.last_administrator`, `role.not_found`, `operator.too_many_roles`. */
export async function changeRoles(
  { operatorId, roles, actor, before }: RolesChange,
  { store, clock }: OperatorPorts,
): Promise<Operator> {
  const operator = await activeOperator(operatorId, store.read)
  if (before !== undefined && rolesDigest(operator.roles) !== before) {
    throw new TouchmarkError('operator.changed', 'conflict', 'Somebody else changed the operator meanwhile.', {
      evidence: { operatorId },
      next: 'Read it again, and try again.',
    })
  }
  await checkRoles(roles, store.read)
  if (isAdministrator(operator) && !isAdministrator({ roles })) await assertAnotherAdministrator(operator, store.read)
  const changed = { ...operator, roles, revision: operator.revision + 1 }
  await store.commit({
    writes: [{ kind: 'operator.put', operator: changed, from: operator.revision }],
    audit: [
      {
        at: clock.now(),
        actor,
        action: 'operator.changed',
        outcome: 'done',
        subject: { name: operator.id },
        detail: { rolesSha256: rolesDigest(roles) },
      },
    ],
  })
  return changed
}

/** Throws `operator.not_found`, `operator.last_administrator`. Sessions end, passkeys and tokens go, name and address are erased. */
export async function removeOperator(
  { operatorId, actor }: { operatorId: string; actor: Actor },
  { store, clock }: OperatorPorts,
): Promise<void> {
  const { read } = store
  const operator = await activeOperator(operatorId, read)
  if (isAdministrator(operator)) await assertAnotherAdministrator(operator, read)
  const now = clock.now()
  const change = new ChangeBuilder()
  const erased: Operator = {
    ...operator,
    name: '',
    email: null,
    state: 'removed',
    roles: [],
    passwordHash: null,
    totp: null,
    oidc: null,
    revision: operator.revision + 1,
  }
  change.write({ kind: 'operator.put', operator: erased, from: operator.revision })
  change.write({ kind: 'link.remove', name: operator.id })
  for (const { id } of await read.passkeysOfOperator(operator.id)) {
    change.write({ kind: 'passkey.remove', id, operatorId: operator.id })
  }
  for (const { id } of await read.sessionsOfOperator(operator.id)) change.write({ kind: 'session.remove', id })
  // Tokens that are left after a page stop working too: their operator is gone.
  for (const token of (await read.apiTokens({ limit: 500, operatorId: operator.id })).items) {
    if (token.revokedAt === null) change.write({ kind: 'api_token.revoke', id: token.id, at: now })
  }
  change.record({ at: now, actor, action: 'operator.removed', outcome: 'done', subject: { name: operator.id } })
  await store.commit(change)
}

/** A link by which the operator signs in once, in place of the one before. Throws `operator.not_found`. */
export async function createLink(
  { operatorId, actor }: { operatorId: string; actor: Actor },
  { store, clock, random }: OperatorPorts,
): Promise<string> {
  const operator = await activeOperator(operatorId, store.read)
  const change = new ChangeBuilder()
  const secret = addLink(change, operator.id, actor, clock.now(), random)
  await store.commit(change)
  return secret
}

/** The link that makes the first administrator; `undefined` where there ever was an operator. The one before opens nothing any more. */
export async function createFirstLink({ store, clock, random }: OperatorPorts): Promise<string | undefined> {
  if ((await store.read.operators({ limit: 1 })).items.length > 0) return undefined
  const change = new ChangeBuilder()
  const secret = addLink(change, FIRST_LINK, { kind: 'system', id: 'server' }, clock.now(), random)
  await store.commit(change)
  return secret
}

function addLink(
  change: ChangeBuilder,
  name: string,
  actor: Actor,
  now: UnixSeconds,
  random: AccessPorts['random'],
): string {
  const secret = newSecret(random)
  const link = { name, secretHash: hashSecret(secret), createdAt: now, expiresAt: now + LINK_SECONDS }
  change.write({ kind: 'link.put', link })
  change.record(credentialEntry({ operatorId: name, credential: 'link', sha256: link.secretHash }, actor, now))
  return secret
}

/** Throws `operator.not_found`, `password.weak`, `access.busy`, `operator.changed`. `null` takes the password away. */
export async function setPassword(
  { operatorId, password }: { operatorId: string; password: string | null },
  { store, clock, passwords }: AccessPorts,
): Promise<void> {
  const operator = await activeOperator(operatorId, store.read)
  if (password !== null) assertSignsInHere(operator)
  const about = [operator.name, operator.email ?? '']
  const passwordHash = password === null ? null : await passwords.hash(password, about)
  const changed = { ...operator, passwordHash }
  await changeCredential(changed, 'password', password === null ? null : passwordDigest(changed), { store, clock })
}

/** Throws `operator.not_found`, `totp.offer_invalid`, `totp.code_wrong`, `operator.changed`. `null` takes the second factor away. */
export async function setTotp(
  { operatorId, proof }: { operatorId: string; proof: { readonly ticket: string; readonly code: string } | null },
  { store, clock, random, secretFor }: AccessPorts,
): Promise<void> {
  const operator = await activeOperator(operatorId, store.read)
  if (proof !== null) assertSignsInHere(operator)
  const totp = proof && acceptTotp({ operatorId, ...proof }, clock.now(), secretFor(TOTP_KEY), random)
  const changed = { ...operator, totp }
  await changeCredential(changed, 'totp', proof === null ? null : totpDigest(changed), { store, clock })
}

async function changeCredential(
  changed: Operator,
  credential: 'password' | 'totp',
  sha256: string | null,
  { store, clock }: Pick<AccessPorts, 'store' | 'clock'>,
): Promise<void> {
  const { id, revision } = changed
  await store.commit({
    writes: [{ kind: 'operator.put', operator: { ...changed, revision: revision + 1 }, from: revision }],
    audit: [credentialEntry({ operatorId: id, credential, sha256 }, { kind: 'operator', id }, clock.now())],
  })
}

/** What the log says where somebody gets a means to sign in, or loses one; `sha256` of `commitments.ts` where it is set. */
export function credentialEntry(
  of: {
    readonly operatorId: string
    readonly credential: 'link' | 'passkey' | 'password' | 'totp' | 'oidc'
    readonly sha256: string | null
    readonly change?: 'removed'
  },
  actor: Actor,
  at: UnixSeconds,
): AuditEntry {
  const { operatorId, credential, sha256, change = sha256 === null ? 'removed' : 'set' } = of
  return {
    at,
    actor,
    action: 'operator.credential_changed',
    outcome: 'done',
    subject: { name: operatorId },
    detail: { credential, change, ...(sha256 === null ? {} : { credentialSha256: sha256 }) },
  }
}

/** Somebody who can admit others and give them roles, everywhere. */
export function isAdministrator({ roles }: Pick<Operator, 'roles'>): boolean {
  return roles.some(({ role, scope }) => role === 'administrator' && Object.keys(scope).length === 0)
}

async function assertAnotherAdministrator(operator: Operator, read: StoreReader): Promise<void> {
  for await (const other of activeOperators(read)) {
    if (other.id !== operator.id && isAdministrator(other)) return
  }
  throw new TouchmarkError('operator.last_administrator', 'conflict', 'Nobody would be administrator any more.', {
    next: 'Make somebody else administrator first.',
  })
}

export async function* activeOperators(read: Pick<StoreReader, 'operators'>): AsyncGenerator<Operator> {
  for (let after: string | null | undefined; after !== null; ) {
    const page: Awaited<ReturnType<StoreReader['operators']>> = await read.operators({
      limit: 200,
      ...(after === undefined ? {} : { after }),
    })
    yield* page.items.filter(({ state }) => state === 'active')
    after = page.next
  }
}

async function checkRoles(roles: readonly RoleGrant[], read: StoreReader): Promise<void> {
  if (roles.length > MAX_ROLES) {
    throw new TouchmarkError('operator.too_many_roles', 'malformed', `An operator has at most ${MAX_ROLES} roles.`)
  }
  for (const { role } of roles) {
    if ((await readRole(role, read)) !== undefined) continue
    throw new TouchmarkError('role.not_found', 'not_found', `There is no role ${role.slice(0, 64)}.`, {
      next: 'List them with: touchmark operator roles',
    })
  }
}
