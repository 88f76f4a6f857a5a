// Signing in and out. These are the endpoints that strangers may call, so that each of them makes sure that the page that asks is ours, and
// none tells who exists.
import { z } from 'zod'
import { readAccessSettings } from '../../domain/access/access-settings.ts'
import type { AccessPorts } from '../../domain/access/ports.ts'
import {
  endSession,
  lookAtLink,
  type SignedIn,
  type SignInFrom,
  signInWithLink,
  signInWithPassword,
} from '../../domain/access/sign-in.ts'
import { authenticationOptions, type RelyingParty, signInWithPasskey } from '../../domain/access/webauthn.ts'
import type { HttpRequest } from '../http.ts'
import { callerSchema, callerView, operatorSchema, operatorView } from './access-views.ts'
import { assertSameSite, NO_SESSION_COOKIE, sessionCookie, sessionSecret } from './authenticate.ts'
import { type Endpoint, endpoint } from './endpoint.ts'

const text = (max: number) => z.string().min(1).max(max)
const base64url = text(64 * 1024).regex(/^[\w-]+$/, 'must be base64url without padding')

export const challengeOptions = z.looseObject({ challenge: z.string() })

/** `AuthenticationResponseJSON` of WebAuthn level 3 §5.1.9, the members that count; others are let be. */
const assertion = z.object({
  id: base64url,
  rawId: base64url,
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: base64url,
    authenticatorData: base64url,
    signature: base64url,
    userHandle: base64url.nullish().transform(handle => handle ?? undefined),
  }),
})

/** What the page is told after signing in; the session itself is in the cookie. */
const welcome = z.object({ operator: operatorSchema }).meta({ id: 'Welcome' })

/** Where it says what the page is called: `Touchmark`. */
const PARTY_NAME = 'Touchmark'

export function sessionEndpoints(ports: AccessPorts): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/session',
      id: 'showSession',
      tag: 'Session',
      summary: 'Who am I, and what may I do',
      permission: 'signed-in',
      answer: callerSchema,
      handle: async ({ caller }) => ({ body: callerView(caller!) }),
    }),
    endpoint({
      method: 'DELETE',
      path: '/session',
      id: 'signOut',
      tag: 'Session',
      summary: 'Sign out',
      permission: 'signed-in',
      async handle({ caller, actor }) {
        const { sessionId, operatorId } = caller!
        if (sessionId !== undefined) await endSession({ sessionId, operatorId, actor }, ports)
        return { status: 204, headers: { 'set-cookie': NO_SESSION_COOKIE } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/session/ways',
      id: 'showWaysToSignIn',
      tag: 'Session',
      summary: 'How one may sign in here, for the page that asks',
      description: 'Where an OpenID provider is named, browsers go to /api/v1/session/oidc/start.',
      permission: 'public',
      answer: z.object({ oidc: z.object({ name: z.string() }).nullable() }),
      async handle() {
        const { oidc } = await readAccessSettings(ports.store.read)
        return { body: { oidc: oidc && { name: oidc.name } } }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/session/password',
      id: 'signInWithPassword',
      tag: 'Session',
      summary: 'Sign in with password and code',
      description:
        'The answer is the same whatever is wrong. After some failures, an account and an address have to wait.',
      permission: 'public',
      body: z.strictObject({ email: text(320), password: text(1024), code: text(16) }),
      answer: welcome,
      async handle({ body, request }) {
        assertSameSite(request)
        return welcomed(await signInWithPassword(body, fromOf(request), ports))
      },
    }),
    endpoint({
      method: 'POST',
      path: '/session/link/look',
      id: 'lookAtLink',
      tag: 'Session',
      summary: 'Whom a sign-in link is for',
      permission: 'public',
      question: true,
      body: z.strictObject({ secret: text(128) }),
      answer: z.object({ first: z.boolean(), name: z.string() }),
      async handle({ body, request }) {
        assertSameSite(request)
        return { body: await lookAtLink(body.secret, request.peer.address, ports) }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/session/link',
      id: 'signInWithLink',
      tag: 'Session',
      summary: 'Sign in with a link, once',
      description:
        'The link that the server prints at its first start makes the first administrator: send name and email.',
      permission: 'public',
      body: z.strictObject({
        secret: text(128),
        name: text(100).exactOptional(),
        email: text(320).exactOptional(),
      }),
      answer: welcome,
      async handle({ body, request }) {
        assertSameSite(request)
        return welcomed(await signInWithLink(body, fromOf(request), ports))
      },
    }),
    endpoint({
      method: 'POST',
      path: '/session/passkey/options',
      id: 'passkeySignInOptions',
      tag: 'Session',
      summary: 'Options for navigator.credentials.get, as PublicKeyCredentialRequestOptionsJSON',
      permission: 'public',
      question: true,
      answer: challengeOptions,
      handle: async ({ request }) => ({ body: authenticationOptions(partyOf(request), ports) }),
    }),
    endpoint({
      method: 'POST',
      path: '/session/passkey',
      id: 'signInWithPasskey',
      tag: 'Session',
      summary: 'Sign in with a passkey',
      permission: 'public',
      maxBody: 256 * 1024,
      body: z.strictObject({ answer: assertion }),
      answer: welcome,
      async handle({ body, request }) {
        return welcomed(await signInWithPasskey(body.answer, partyOf(request), fromOf(request), ports))
      },
    }),
  ]
}

/**
 * The page that asks, which must be ours. Its host is that of the request: a passkey signs for the host at which it was made, so that an
 * assertion for any other one does not verify, whatever a stranger writes into the header. Throws `access.csrf`.
 */
export function partyOf(request: HttpRequest): RelyingParty {
  assertSameSite(request)
  return { origin: `https://${request.headers['host'] ?? ''}`, name: PARTY_NAME }
}

function fromOf(request: HttpRequest): SignInFrom {
  const { peer, headers } = request
  return { address: peer.address, agent: headers['user-agent'], previous: sessionSecret(request) }
}

function welcomed({ operator, secret }: SignedIn) {
  return { body: { operator: operatorView(operator) }, headers: { 'set-cookie': sessionCookie(secret) } }
}
