// Signing in by an OpenID provider: authorization code with PKCE (RFC 9700 §2.1.1), state and nonce. What the browser carries between the two
// steps is sealed; the state is spent in the change that makes the session. The groups that the provider names give the roles, at every
// sign-in; who is in none of them is not let in. Nobody is joined to an account that exists because an address is the same.
import { fromBase64url, toBase64url } from '../../core/bytes/base64url.ts'
import { concat } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { fromUtf8, toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import { SEAL_NONCE_OCTETS, SEAL_SALT_OCTETS, seal, unseal } from '../../crypto/sealed-box.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { ChangeBuilder } from '../change-builder.ts'
import type { OidcSettings } from './access-settings.ts'
import { oidcDigest, rolesDigest } from './commitments.ts'
import { checkOperatorName, newOperatorId, type Operator, parseEmail, type RoleGrant } from './operator.ts'
import { addOperatorChange, credentialEntry } from './operators.ts'
import type { AccessPorts } from './ports.ts'
import { newSecret } from './session.ts'
import { addSessionEnd, openSession, type SignedIn, type SignInFrom, signInFailed } from './sign-in.ts'

/** What the sign-in is about, in both of its steps. */
export interface OidcAttempt {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
  readonly redirectUri: string
  readonly expiresAt: number
}

/** Whom the provider says it is, after signature, issuer, audience, nonce and times were checked. */
export interface OidcIdentity {
  readonly issuer: string
  readonly subject: string
  readonly name: string | undefined
  /** Only where the provider says that it verified it. */
  readonly email: string | undefined
  readonly groups: readonly string[]
}

/** The provider, over the network. */
export interface OpenIdProvider {
  /** Where the browser is sent. Throws `oidc.unavailable`. */
  authorizationUrl(settings: OidcSettings, attempt: OidcAttempt): Promise<string>
  /** Exchanges the code in the address to which the browser came back. Throws `oidc.refused`, `oidc.unavailable`. */
  identity(settings: OidcSettings, attempt: OidcAttempt, currentUrl: string): Promise<OidcIdentity>
}

export const OIDC_ATTEMPT_SECONDS = 600
const PURPOSE = 'touchmark oidc attempt'

/** Where to send the browser, and what it carries: sealed, for a cookie. */
export async function beginOidc(
  settings: OidcSettings,
  redirectUri: string,
  provider: OpenIdProvider,
  { clock, random, secretFor }: AccessPorts,
): Promise<{ readonly url: string; readonly sealed: string }> {
  const attempt: OidcAttempt = {
    state: newSecret(random),
    nonce: newSecret(random),
    codeVerifier: newSecret(random),
    redirectUri,
    expiresAt: clock.now() + OIDC_ATTEMPT_SECONDS,
  }
  const url = await provider.authorizationUrl(settings, attempt)
  const [salt, nonce] = [random.bytes(SEAL_SALT_OCTETS), random.bytes(SEAL_NONCE_OCTETS)]
  const parameters = { salt, nonce, purpose: PURPOSE, additionalData: new Uint8Array(0) }
  const box = seal(secretFor(PURPOSE), toUtf8(JSON.stringify(attempt)), parameters)
  return { url, sealed: toBase64url(concat(salt, nonce, box)) }
}

/** Throws `access.sign_in_failed`, `access.slow_down`, `oidc.refused`, `oidc.unavailable`, `oidc.address_taken`. */
export async function finishOidc(
  { sealed, currentUrl }: { readonly sealed: string | undefined; readonly currentUrl: URL },
  settings: OidcSettings,
  provider: OpenIdProvider,
  from: SignInFrom,
  ports: AccessPorts,
): Promise<SignedIn> {
  const { store, clock, slowDown } = ports
  const now = clock.now()
  const counted = slowDown.attempt(null, from.address, now)
  const attempt = opened(sealed, ports)
  // Whoever sends a browser here with a code of their own would sign it in as themselves: the state is only in its own cookie.
  if (attempt === undefined || now > attempt.expiresAt || currentUrl.searchParams.get('state') !== attempt.state) {
    throw signInFailed()
  }
  const identity = await provider.identity(settings, attempt, `${attempt.redirectUri}${currentUrl.search}`)
  const roles = rolesOf(identity.groups, settings)
  const known = await store.read.operatorByOidc(identity)
  if (known?.state === 'removed') throw signInFailed()
  if (roles.length === 0) {
    if (known !== undefined) await takeEverything(known, ports)
    throw signInFailed()
  }
  const operator = known ?? (await newcomer(identity, roles, ports))
  const signedIn = await openSession({ ...operator, roles }, 'oidc', from, ports, change => {
    const actor = { kind: 'operator', id: operator.id } as const
    change.write({ kind: 'proof.spend', digest: sha256Hex(toUtf8(attempt.state)), expiresAt: attempt.expiresAt })
    if (known === undefined) {
      addOperatorChange(change, operator, PROVIDER, now)
      const joined = { operatorId: operator.id, credential: 'oidc', sha256: oidcDigest(operator) } as const
      change.record(credentialEntry(joined, actor, now))
    } else if (rolesDigest(roles) !== rolesDigest(known.roles)) {
      const changed = { ...known, roles, revision: known.revision + 1 }
      change.write({ kind: 'operator.put', operator: changed, from: known.revision })
      change.record(rolesGiven(known.id, roles, now))
    }
  })
  counted.succeeded()
  return signedIn
}

/** Who is in no group any more has no roles and no sessions any more, and with the roles the API tokens lose their power. */
async function takeEverything(operator: Operator, { store, clock }: AccessPorts): Promise<void> {
  const now = clock.now()
  const change = new ChangeBuilder()
  if (operator.roles.length > 0) {
    change.write({
      kind: 'operator.put',
      operator: { ...operator, roles: [], revision: operator.revision + 1 },
      from: operator.revision,
    })
    change.record(rolesGiven(operator.id, [], now))
  }
  for (const session of await store.read.sessionsOfOperator(operator.id)) {
    addSessionEnd(change, session, PROVIDER, 'in_no_group', now)
  }
  if (change.writes.length > 0) await store.commit(change)
}

const PROVIDER = { kind: 'system', id: 'openid-provider' } as const

const rolesGiven = (operatorId: string, roles: readonly RoleGrant[], at: number): AuditEntry => ({
  at,
  actor: PROVIDER,
  action: 'operator.changed',
  outcome: 'done',
  subject: { name: operatorId },
  detail: { rolesSha256: rolesDigest(roles) },
})

/** The roles of every group that the settings know, in their order. */
function rolesOf(groups: readonly string[], { roles }: OidcSettings): RoleGrant[] {
  return Object.entries(roles).flatMap(([group, grants]) => (groups.includes(group) ? grants : []))
}

async function newcomer(
  { issuer, subject, name, email }: OidcIdentity,
  roles: readonly RoleGrant[],
  { store, clock, random }: AccessPorts,
): Promise<Operator> {
  const address = email === undefined ? null : orNull(() => parseEmail(email))
  // One person with two accounts would be both pairs of eyes; and to join them because an address is the same would let the provider sign in as us.
  if (address !== null && (await store.read.operatorByEmail(address)) !== undefined) {
    throw new TouchmarkError('oidc.address_taken', 'forbidden', 'Somebody has an account with this address already.', {
      next: 'Sign in to it as before; or have an administrator remove it, and come again.',
    })
  }
  return {
    id: newOperatorId(random),
    name: orNull(() => checkOperatorName(name ?? '')) ?? 'Operator',
    email: address,
    state: 'active',
    roles,
    passwordHash: null,
    totp: null,
    oidc: { issuer, subject, salt: toHex(random.bytes(16)) },
    createdAt: clock.now(),
    revision: 1,
  }
}

/** What a provider says of a person may be anything: what does not fit is left out. */
function orNull<T>(parse: () => T): T | null {
  try {
    return parse()
  } catch (cause) {
    if (cause instanceof TouchmarkError) return null
    throw cause
  }
}

function opened(sealed: string | undefined, { secretFor }: AccessPorts): OidcAttempt | undefined {
  if (sealed === undefined) return undefined
  try {
    const octets = fromBase64url(sealed)
    const salt = octets.slice(0, SEAL_SALT_OCTETS)
    const nonce = octets.slice(SEAL_SALT_OCTETS, SEAL_SALT_OCTETS + SEAL_NONCE_OCTETS)
    const box = octets.slice(SEAL_SALT_OCTETS + SEAL_NONCE_OCTETS)
    const parameters = { salt, nonce, purpose: PURPOSE, additionalData: new Uint8Array(0) }
    return JSON.parse(fromUtf8(unseal(secretFor(PURPOSE), box, parameters))) as OidcAttempt
  } catch (cause) {
    if (cause instanceof TouchmarkError) return undefined
    throw cause
  }
}
