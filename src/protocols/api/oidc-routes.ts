// Signing in by an OpenID provider: two addresses that browsers are sent to and from. They answer with redirections, so that they are no
// endpoints of the API.
import { TouchmarkError } from '../../core/errors.ts'
import { type OidcSettings, readAccessSettings } from '../../domain/access/access-settings.ts'
import { beginOidc, finishOidc, OIDC_ATTEMPT_SECONDS, type OpenIdProvider } from '../../domain/access/oidc.ts'
import type { AccessPorts } from '../../domain/access/ports.ts'
import type { RefusalLog } from '../../domain/ra/refusal-log.ts'
import type { HttpReply, HttpRequest, Route } from '../http.ts'
import { problemReply } from '../problem.ts'
import { cookieOf, sessionCookie, sessionSecret } from './authenticate.ts'
import { API_BASE } from './endpoint.ts'

export interface OidcPorts {
  readonly access: AccessPorts
  readonly provider: OpenIdProvider
  readonly refusals: RefusalLog
}

/** `Lax`: the provider sends the browser back from another site. It says nothing about who is signed in. */
const ATTEMPT_COOKIE = '__Host-touchmark-oidc'
const CALLBACK = `${API_BASE}/session/oidc/callback`

export function createOidcRoutes(ports: OidcPorts): Route[] {
  const base = {
    method: 'GET',
    door: 'public',
    listeners: ['https'],
    maxBody: 0,
    expensive: true,
    refusal: (error: TouchmarkError) => problemReply(error, { challenge: 'Bearer realm="touchmark"' }),
  } as const
  return [
    {
      ...base,
      pattern: `${API_BASE}/session/oidc/start`,
      handle: request => refusing(request, ports, () => start(request, ports)),
    },
    { ...base, pattern: CALLBACK, handle: request => refusing(request, ports, () => callback(request, ports)) },
  ]
}

async function start(request: HttpRequest, { access, provider }: OidcPorts): Promise<HttpReply> {
  const redirectUri = `https://${request.headers['host'] ?? ''}${CALLBACK}`
  const { url, sealed } = await beginOidc(await settingsOf(access), redirectUri, provider, access)
  const cookie = `${ATTEMPT_COOKIE}=${sealed}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${OIDC_ATTEMPT_SECONDS}`
  return redirection(url, cookie)
}

async function callback(request: HttpRequest, { access, provider }: OidcPorts): Promise<HttpReply> {
  const { peer, headers, query } = request
  const from = { address: peer.address, agent: headers['user-agent'], previous: sessionSecret(request) }
  const currentUrl = new URL(`https://localhost${CALLBACK}?${query}`)
  const attempt = { sealed: cookieOf(request, ATTEMPT_COOKIE), currentUrl }
  const { secret } = await finishOidc(attempt, await settingsOf(access), provider, from, access)
  return redirection('/', sessionCookie(secret))
}

async function settingsOf({ store }: AccessPorts): Promise<OidcSettings> {
  const { oidc } = await readAccessSettings(store.read)
  if (oidc !== null) return oidc
  throw new TouchmarkError('oidc.not_configured', 'not_found', 'This instance knows no OpenID provider.', {
    next: 'An administrator names one in the settings of access.',
  })
}

/** Refusals are evidence here as behind the gate. */
async function refusing(
  request: HttpRequest,
  { refusals }: OidcPorts,
  act: () => Promise<HttpReply>,
): Promise<HttpReply> {
  try {
    return await act()
  } catch (thrown) {
    if (thrown instanceof TouchmarkError && thrown.kind === 'unauthenticated') {
      const { code } = thrown
      const { address } = request.peer
      const operation = 'signInWithOidc'
      await refusals.record({
        code,
        action: 'access.refused',
        protocol: 'api',
        operation,
        deviceId: null,
        address,
        detail: {},
      })
    }
    throw thrown
  }
}

function redirection(location: string, cookie: string): HttpReply {
  const headers = {
    location,
    'set-cookie': cookie,
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  }
  return { status: 302, headers, body: '' }
}
