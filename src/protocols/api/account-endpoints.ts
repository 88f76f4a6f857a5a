// What operators do with their own account: sessions, passkeys, password and codes, API tokens. Programs have no account; and whoever changes
// how one signs in has signed in a short while ago.
import { z } from 'zod'
import { TouchmarkError } from '../../core/errors.ts'
import { createApiToken, findApiToken, MAX_API_TOKEN_SECONDS, revokeApiToken } from '../../domain/access/api-tokens.ts'
import { activeOperator, type Operator } from '../../domain/access/operator.ts'
import { setPassword, setTotp } from '../../domain/access/operators.ts'
import { type AccessPorts, TOTP_KEY } from '../../domain/access/ports.ts'
import { may, type Principal } from '../../domain/access/principal.ts'
import { scopeSchema } from '../../domain/access/role-grant.ts'
import { sessionState } from '../../domain/access/session.ts'
import { endOtherSessions, endSession } from '../../domain/access/sign-in.ts'
import { offerTotp } from '../../domain/access/totp.ts'
import { registerPasskey, registrationOptions, removePasskey } from '../../domain/access/webauthn.ts'
import type { UnixSeconds } from '../../domain/ids.ts'
import {
  apiTokenSchema,
  apiTokenView,
  operatorSchema,
  operatorView,
  passkeySchema,
  passkeyView,
  permissionName,
  sessionSchema,
  sessionView,
} from './access-views.ts'
import { type Endpoint, endpoint } from './endpoint.ts'
import { forbidden } from './gate.ts'
import { challengeOptions, partyOf } from './session-endpoints.ts'

const text = (max: number) => z.string().min(1).max(max)
const base64url = text(128 * 1024).regex(/^[\w-]+$/, 'must be base64url without padding')

/** `RegistrationResponseJSON` of WebAuthn level 3 §5.1.8, the members that count; others are let be. */
const attestation = z.object({
  id: base64url,
  rawId: base64url,
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: base64url,
    attestationObject: base64url,
    transports: z.array(z.string().max(32)).max(16).optional(),
  }),
})

/** How long after signing in one may change how one signs in. */
export const RECENT_SECONDS = 15 * 60

export function accountEndpoints(ports: AccessPorts): Endpoint[] {
  const { store, clock, random, secretFor } = ports
  const { read } = store
  const base = { tag: 'Session', permission: 'signed-in' } as const
  return [
    endpoint({
      ...base,
      method: 'GET',
      path: '/account',
      id: 'showAccount',
      summary: 'Your name, roles and means to sign in',
      answer: operatorSchema,
      async handle({ caller }) {
        const operator = await ownAccount(caller, ports)
        return { body: operatorView(operator), version: operator.revision }
      },
    }),
    endpoint({
      ...base,
      method: 'GET',
      path: '/account/sessions',
      id: 'listOwnSessions',
      summary: 'Your sessions that are live',
      answer: z.object({ items: z.array(sessionSchema) }),
      async handle({ caller, now }) {
        const { id } = await ownAccount(caller, ports)
        const sessions = (await read.sessionsOfOperator(id)).filter(each => sessionState(each, now) === 'live')
        return { body: { items: sessions.map(each => sessionView(each, caller!.sessionId)) } }
      },
    }),
    endpoint({
      ...base,
      method: 'DELETE',
      path: '/account/sessions/:session',
      id: 'endOwnSession',
      summary: 'End one of your sessions',
      params: { session: text(64) },
      async handle({ caller, params, actor }) {
        const { id } = await ownAccount(caller, ports)
        await endSession({ sessionId: params.session, operatorId: id, actor }, ports)
        return { status: 204 }
      },
    }),
    endpoint({
      ...base,
      method: 'DELETE',
      path: '/account/sessions',
      id: 'endOtherSessions',
      summary: 'End all of your sessions but this one',
      answer: z.object({ ended: z.int() }),
      async handle({ caller, actor }) {
        const { id } = await ownAccount(caller, ports)
        return { body: { ended: await endOtherSessions({ operatorId: id, keep: caller!.sessionId, actor }, ports) } }
      },
    }),
    endpoint({
      ...base,
      method: 'GET',
      path: '/account/passkeys',
      id: 'listPasskeys',
      summary: 'Your passkeys',
      answer: z.object({ items: z.array(passkeySchema) }),
      async handle({ caller }) {
        const { id } = await ownAccount(caller, ports)
        return { body: { items: (await read.passkeysOfOperator(id)).map(passkeyView) } }
      },
    }),
    endpoint({
      ...base,
      method: 'POST',
      path: '/account/passkeys/options',
      id: 'passkeyRegistrationOptions',
      summary: 'Options for navigator.credentials.create, as PublicKeyCredentialCreationOptionsJSON',
      question: true,
      answer: challengeOptions,
      async handle({ caller, request, now }) {
        const { id } = await ownAccount(caller, ports, now)
        return { body: await registrationOptions(id, partyOf(request), ports) }
      },
    }),
    endpoint({
      ...base,
      method: 'POST',
      path: '/account/passkeys',
      id: 'registerPasskey',
      summary: 'Add a passkey',
      maxBody: 512 * 1024,
      body: z.strictObject({ name: text(64), answer: attestation }),
      answer: passkeySchema,
      async handle({ caller, body, request, now }) {
        const { id } = await ownAccount(caller, ports, now)
        const passkey = await registerPasskey({ operatorId: id, ...body }, partyOf(request), ports)
        return { status: 201, body: passkeyView(passkey) }
      },
    }),
    endpoint({
      ...base,
      method: 'DELETE',
      path: '/account/passkeys/:passkey',
      id: 'removePasskey',
      summary: 'Remove a passkey',
      params: { passkey: z.string().regex(/^[0-9a-f]{2,2046}$/, 'must be the id of a passkey') },
      async handle({ caller, params, now }) {
        const { id } = await ownAccount(caller, ports, now)
        await removePasskey({ operatorId: id, id: params.passkey }, ports)
        return { status: 204 }
      },
    }),
    endpoint({
      ...base,
      method: 'PUT',
      path: '/account/password',
      id: 'setPassword',
      summary: 'Set your password',
      description: 'A password signs in together with a code only: set up codes, too.',
      body: z.strictObject({ password: text(1024) }),
      async handle({ caller, body, now }) {
        const { id } = await ownAccount(caller, ports, now)
        await setPassword({ operatorId: id, password: body.password }, ports)
        return { status: 204 }
      },
    }),
    endpoint({
      ...base,
      method: 'DELETE',
      path: '/account/password',
      id: 'removePassword',
      summary: 'Sign in without a password from now on',
      async handle({ caller, now }) {
        const { id } = await ownAccount(caller, ports, now)
        await setPassword({ operatorId: id, password: null }, ports)
        return { status: 204 }
      },
    }),
    endpoint({
      ...base,
      method: 'POST',
      path: '/account/totp/offer',
      id: 'offerTotp',
      summary: 'A new secret for an authenticator app; it counts once you send its first code',
      question: true,
      answer: z.object({ uri: z.string(), secret: z.string(), ticket: z.string() }),
      async handle({ caller, now }) {
        const { id, email, name } = await ownAccount(caller, ports, now)
        const whose = { operatorId: id, account: email ?? name, issuer: 'Touchmark' }
        return { body: offerTotp(whose, now, secretFor(TOTP_KEY), random) }
      },
    }),
    endpoint({
      ...base,
      method: 'PUT',
      path: '/account/totp',
      id: 'setTotp',
      summary: 'Use codes of an authenticator app',
      body: z.strictObject({ ticket: text(1024), code: text(16) }),
      async handle({ caller, body, now }) {
        const { id } = await ownAccount(caller, ports, now)
        await setTotp({ operatorId: id, proof: body }, ports)
        return { status: 204 }
      },
    }),
    endpoint({
      ...base,
      method: 'DELETE',
      path: '/account/totp',
      id: 'removeTotp',
      summary: 'Take the codes away, and with them the password sign-in',
      async handle({ caller, now }) {
        const { id } = await ownAccount(caller, ports, now)
        await setTotp({ operatorId: id, proof: null }, ports)
        return { status: 204 }
      },
    }),
    endpoint({
      ...base,
      method: 'GET',
      path: '/account/api-tokens',
      id: 'listOwnApiTokens',
      summary: 'Your API tokens, oldest first',
      paged: true,
      answer: apiTokenSchema,
      async handle({ caller, page }) {
        const { items, next } = await read.apiTokens({ ...page, operatorId: caller!.operatorId })
        return { body: { items: items.map(apiTokenView), next } }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/api-tokens',
      id: 'createApiToken',
      tag: 'Operators',
      summary: 'Make an API token; its secret is in this answer only',
      permission: 'api_token.write',
      body: z.strictObject({
        name: text(100),
        permissions: z.array(permissionName).min(1),
        scope: scopeSchema.default({}),
        lifetimeSeconds: z.int().min(300).max(MAX_API_TOKEN_SECONDS),
      }),
      answer: z.object({ token: apiTokenSchema, secret: z.string() }),
      async handle({ caller, body, now }) {
        await ownAccount(caller, ports, now)
        const { token, secret } = await createApiToken(body, caller!, { store, clock, random })
        return { status: 201, body: { token: apiTokenView(token), secret } }
      },
    }),
    endpoint({
      method: 'DELETE',
      path: '/api-tokens/:token',
      id: 'revokeApiToken',
      tag: 'Operators',
      summary: 'Revoke an API token: one of your own, or with operator.write anybody’s',
      permission: 'signed-in',
      params: { token: text(64) },
      async handle({ caller, params, actor }) {
        const token = await findApiToken(params.token, read)
        if (token.operatorId !== caller!.operatorId && !may(caller!, 'operator.write'))
          throw forbidden('operator.write')
        await revokeApiToken(token.id, actor, ports)
        return { status: 204 }
      },
    }),
  ]
}

/**
 * The account of a person who is signed in; with `now`, one who signed in a short while ago: a screen that was left open must not be enough
 * to take an account over. Throws `access.not_a_person`, `access.sign_in_again`.
 */
async function ownAccount(
  caller: Principal | null,
  { store }: Pick<AccessPorts, 'store'>,
  now?: UnixSeconds,
): Promise<Operator> {
  if (caller?.kind !== 'operator') {
    throw new TouchmarkError('access.not_a_person', 'forbidden', 'A program has no account.', {
      next: 'Sign in as an operator.',
    })
  }
  if (now !== undefined) assertRecent(caller, now)
  return activeOperator(caller.operatorId, store.read)
}

/** Whoever gives away means to sign in has signed in a short while ago; programs do not sign in. Throws `access.sign_in_again`. */
export function assertRecent({ kind, authenticatedAt }: Principal, now: UnixSeconds): void {
  if (kind === 'token' || now - authenticatedAt <= RECENT_SECONDS) return
  throw new TouchmarkError('access.sign_in_again', 'forbidden', 'Sign in again before you change this.', {
    next: 'It is asked of whoever signed in more than a quarter of an hour ago.',
  })
}
