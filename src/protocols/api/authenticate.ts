// Who makes a request: by API token, by the session cookie of the console, or by the client certificate of an operator. What a browser sends of
// itself (cookie, certificate) counts for a change only where the page that asks is ours: see `assertSameSite`.
import { type Bytes, equalBytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { parseCertificate } from '../../core/pki/certificate.ts'
import { ATTRIBUTE, attributeValue } from '../../core/pki/name.ts'
import { API_TOKEN_PREFIX, principalOfApiToken } from '../../domain/access/api-tokens.ts'
import { operatorPrincipal } from '../../domain/access/grants.ts'
import { OPERATOR_PROFILE } from '../../domain/access/operator-certificate.ts'
import type { Principal } from '../../domain/access/principal.ts'
import { hashSecret, isWorthNoting, sessionState } from '../../domain/access/session.ts'
import { isLive } from '../../domain/ca/certificate-record.ts'
import { serialNumber } from '../../domain/ids.ts'
import type { Clock, Store } from '../../domain/ports.ts'
import type { HttpRequest } from '../http.ts'
import { API_BASE, EVENTS_PATH } from './endpoint.ts'

export interface AuthenticationPorts {
  readonly store: Store
  readonly clock: Clock
}

/** The prefix makes browsers insist on Secure, Path=/ and no Domain (RFC 6265bis §4.1.3.2). */
export const SESSION_COOKIE = '__Host-touchmark'
/** Only a page of our own can send it: others would need a preflight, which nobody answers. */
export const CSRF_HEADER = 'x-touchmark-csrf'
/** What a page says that asks by itself, while nobody is at the screen. */
const UNATTENDED_HEADER = 'x-touchmark-unattended'
const UNSAFE: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/**
 * Who asks; `undefined` where nothing was shown, or a session that is over. Throws `access.token_invalid`, `access.csrf`,
 * `access.certificate_refused`.
 */
export async function authenticate(request: HttpRequest, ports: AuthenticationPorts): Promise<Principal | undefined> {
  const { authorization } = request.headers
  if (authorization !== undefined) return byToken(authorization, ports)
  const cookie = sessionSecret(request)
  const principal = cookie === undefined ? undefined : await bySession(cookie, isAttended(request), ports)
  const found = principal ?? (await byCertificate(request, ports))
  if (found !== undefined && UNSAFE.has(request.method)) assertSameSite(request)
  return found
}

async function byToken(authorization: string, ports: AuthenticationPorts): Promise<Principal> {
  const [, secret = ''] = /^Bearer +([^ ]+)$/i.exec(authorization) ?? []
  const principal = secret.startsWith(API_TOKEN_PREFIX) ? await principalOfApiToken(secret, ports) : undefined
  if (principal !== undefined) return principal
  throw new TouchmarkError('access.token_invalid', 'unauthenticated', 'This API token does not work.', {
    next: 'It may be expired or revoked; make another one on the console.',
  })
}

/** A page that stays open listens, and asks anew what changed: that is no use of the session, which idles away however lively the fleet is. */
function isAttended({ path, headers }: HttpRequest): boolean {
  return path !== `${API_BASE}${EVENTS_PATH}` && headers[UNATTENDED_HEADER] === undefined
}

async function bySession(
  secret: string,
  attended: boolean,
  { store, clock }: AuthenticationPorts,
): Promise<Principal | undefined> {
  const session = await store.read.sessionByHash(hashSecret(secret))
  const now = clock.now()
  if (session === undefined || sessionState(session, now) !== 'live') return undefined
  const operator = await store.read.operator(session.operatorId)
  if (operator?.state !== 'active') return undefined
  if (attended && isWorthNoting(session, now)) {
    await store.commit({ writes: [{ kind: 'session.seen', id: session.id, at: now }], audit: [] })
  }
  const of = { authenticatedBy: session.method, authenticatedAt: session.createdAt, sessionId: session.id }
  return operatorPrincipal(operator, of, store.read)
}

/**
 * The certificate stands in our registry under the profile for operators, is good now, and names the operator's opaque id. Certificates of
 * anybody else are not looked at: devices speak to this port, too.
 */
async function byCertificate(
  { peer }: HttpRequest,
  { store, clock }: AuthenticationPorts,
): Promise<Principal | undefined> {
  const [der] = peer.certificates
  if (der === undefined) return undefined
  const certificate = readCertificate(der)
  if (certificate === undefined) return undefined
  const records = await store.read.certificatesBySerial(serialNumber(certificate.serialNumber))
  const record = records.find(each => equalBytes(each.der, der))
  if (record === undefined || record.profile !== OPERATOR_PROFILE || record.deviceId !== null) return undefined
  const now = clock.now()
  const operator = certificate.name === undefined ? undefined : await store.read.operator(certificate.name)
  if (!isLive(record, now) || operator?.state !== 'active') {
    throw new TouchmarkError('access.certificate_refused', 'forbidden', 'This certificate does not sign in any more.', {
      next: 'Ask an administrator for another one.',
    })
  }
  return operatorPrincipal(operator, { authenticatedBy: 'client-certificate', authenticatedAt: now }, store.read)
}

function readCertificate(der: Bytes): { serialNumber: string; name: string | undefined } | undefined {
  try {
    const { serialNumber: serial, subject } = parseCertificate(der)
    return { serialNumber: serial, name: attributeValue(subject, ATTRIBUTE.CN) }
  } catch (cause) {
    if (cause instanceof TouchmarkError) return undefined
    throw cause
  }
}

/** The secret in the session cookie, if there is one. */
export function sessionSecret(request: Pick<HttpRequest, 'headers'>): string | undefined {
  return cookieOf(request, SESSION_COOKIE)
}

/** The value of a cookie (RFC 6265 §4.2), the first of its name. */
export function cookieOf({ headers }: Pick<HttpRequest, 'headers'>, name: string): string | undefined {
  for (const pair of (headers['cookie'] ?? '').split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim() || undefined
  }
  return undefined
}

/**
 * Refuses a change that another site makes a browser ask for. SameSite=Strict keeps the cookie from it already; the header is what a form
 * cannot send; and where the browser says whence the request comes, it must be from here. Throws `access.csrf`.
 */
export function assertSameSite({ headers }: Pick<HttpRequest, 'headers'>): void {
  const { origin, host } = headers
  const site = headers['sec-fetch-site']
  const elsewhere =
    (site !== undefined && site !== 'same-origin' && site !== 'none') ||
    (origin !== undefined && origin !== `https://${host ?? ''}`)
  if (headers[CSRF_HEADER] !== undefined && !elsewhere) return
  throw new TouchmarkError('access.csrf', 'forbidden', 'The request does not come from the console of this instance.', {
    next: 'Programs use API tokens; pages send the header X-Touchmark-CSRF: 1.',
  })
}

/** For `Set-Cookie`. It goes with the browser's session; how long it works, the server knows. */
export function sessionCookie(secret: string): string {
  return `${SESSION_COOKIE}=${secret}; Path=/; Secure; HttpOnly; SameSite=Strict`
}

/** Takes the cookie back. */
export const NO_SESSION_COOKIE = `${SESSION_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0`
