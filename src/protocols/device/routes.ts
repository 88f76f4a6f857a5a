// The REST that devices speak (docs/reference/device-api.md): when to renew, how they are, which roots to trust, and that their keys are gone.
// A translation and nothing more; who calls is told by the client certificate, whose status is asked at each request.
import { TouchmarkError } from '../../core/errors.ts'
import { encodeHealthAnswer, MAX_HEALTH_REPORT, parseHealthReport } from '../../core/messages/device-health.ts'
import { encodeRenewalInfo } from '../../core/messages/renewal-info.ts'
import { encodeWipeAnswer, MAX_SIGNED_WIPE_STATEMENT } from '../../core/messages/wipe-statement.ts'
import type { AuthorityDirectory } from '../../domain/ca/authorities.ts'
import { acceptWipe } from '../../domain/device/accept-wipe.ts'
import { askRenewal } from '../../domain/device/ask-renewal.ts'
import { type DeviceContact, deviceContact, maySpeak, silence } from '../../domain/device/device-contact.ts'
import { reportHealth } from '../../domain/device/report-health.ts'
import type { Clock, Store } from '../../domain/ports.ts'
import type { EvidenceReader } from '../../domain/ra/evidence-reader.ts'
import type { Refusal } from '../../domain/ra/refusal.ts'
import type { RefusalLog } from '../../domain/ra/refusal-log.ts'
import type { CurrentTrustBundle } from '../../domain/trust-bundle/trust-bundles.ts'
import type { HttpReply, HttpRequest, Route } from '../http.ts'
import { problemReply } from '../problem.ts'

export interface DevicePorts {
  readonly store: Store
  readonly clock: Clock
  readonly evidence: Pick<EvidenceReader, 'fromCertificates'>
  readonly refusals: RefusalLog
  readonly authorities: Pick<AuthorityDirectory, 'profile'>
  /** `undefined` where there is none yet. */
  readonly trustBundle: () => CurrentTrustBundle | undefined
}

type Operation = (contact: DeviceContact, request: HttpRequest, ports: DevicePorts) => Promise<HttpReply>

const BASE = '/api/v1/device'
const JSON_TYPE = 'application/json'

export function createDeviceRoutes(ports: DevicePorts): Route[] {
  const route = (method: Route['method'], name: string, maxBody: number, operation: Operation): Route => ({
    method,
    pattern: `${BASE}/${name}`,
    door: 'protocol',
    listeners: ['https'],
    maxBody,
    expensive: true,
    handle: request => answer(name, operation, request, ports),
    refusal: error => problemReply(error),
  })
  return [
    route('GET', 'renewal-info', 0, sendRenewalInfo),
    route('POST', 'health', MAX_HEALTH_REPORT, takeHealth),
    route('POST', 'wipe-statement', MAX_SIGNED_WIPE_STATEMENT, takeWipeStatement),
    {
      method: 'GET',
      pattern: `${BASE}/trust-bundle`,
      door: 'public',
      // It is signed, and who lost the trust in our TLS certificate needs it most.
      listeners: ['https', 'http'],
      maxBody: 0,
      handle: async request => sendTrustBundle(request, ports),
      refusal: error => problemReply(error),
    },
  ]
}

/** Every refusal leaves a trace; what is our own fault is thrown on, for the server to log. */
async function answer(
  name: string,
  operation: Operation,
  request: HttpRequest,
  ports: DevicePorts,
): Promise<HttpReply> {
  const { address, certificates } = request.peer
  const refuse = async (
    refused: Pick<Refusal, 'code' | 'kind' | 'message' | 'next'>,
    contact: DeviceContact | null,
    detail: Readonly<Record<string, string>>,
  ) => {
    await ports.refusals.record({
      code: refused.code,
      action: 'access.refused',
      protocol: 'device-api',
      operation: name,
      deviceId: contact?.device.id ?? null,
      address,
      detail,
    })
    return problemReply(refused)
  }
  const { store, evidence, clock } = ports
  const finding = await deviceContact(certificates, clock.now(), { read: store.read, evidence })
  if (finding.kind === 'refused') return refuse(finding.refusal, null, finding.detail)
  const { contact } = finding
  try {
    return await operation(contact, request, ports)
  } catch (thrown) {
    if (!(thrown instanceof TouchmarkError) || thrown.kind === 'internal' || thrown.kind === 'unavailable') throw thrown
    const { authorityId, serialNumber } = contact.record
    return refuse(thrown, contact, { authorityId, serialNumber })
  }
}

async function sendRenewalInfo(
  contact: DeviceContact,
  request: HttpRequest,
  { store, authorities, clock }: DevicePorts,
): Promise<HttpReply> {
  if (!maySpeak(contact)) throw refusalError(silence(contact))
  const profile = request.query.get('profile') ?? contact.record.profile
  const found = await askRenewal(contact, profile, clock.now(), { read: store.read, authorities })
  if (found === null) {
    throw new TouchmarkError(
      'renewal_info.nothing_to_renew',
      'not_found',
      'The device holds nothing under this profile that has an end.',
      { next: 'Name the profile of the certificate in question: ?profile=ldevid' },
    )
  }
  return json(encodeRenewalInfo(found.message), { 'retry-after': String(found.retryAfterSeconds) })
}

async function takeHealth(contact: DeviceContact, request: HttpRequest, ports: DevicePorts): Promise<HttpReply> {
  requireJson(request)
  const trustBundleVersion = () => ports.trustBundle()?.bundle.version ?? 0
  const report = parseHealthReport(request.body)
  const { answer, retryAfterSeconds } = await reportHealth(contact, report, { ...ports, trustBundleVersion })
  return json(encodeHealthAnswer(answer), { 'retry-after': String(retryAfterSeconds) })
}

async function takeWipeStatement(contact: DeviceContact, request: HttpRequest, ports: DevicePorts): Promise<HttpReply> {
  requireJson(request)
  return json(encodeWipeAnswer(await acceptWipe(request.body, contact, ports)))
}

/**
 * The entity tag is the version, and weak: the same version may be signed anew (RFC 9110 §8.8.1), which who has it already need not fetch.
 */
function sendTrustBundle({ headers }: HttpRequest, { trustBundle }: DevicePorts): HttpReply {
  const current = trustBundle()
  if (current === undefined) {
    throw new TouchmarkError('trust_bundle.not_ready', 'not_found', 'There is no signed trust bundle yet.', {
      next: 'Ask again in a minute; the operator finds out why with: touchmark doctor',
    })
  }
  const version = String(current.bundle.version)
  const common = { etag: `W/"${version}"`, 'cache-control': 'public, max-age=300' }
  if (hasTag(headers['if-none-match'], version)) return { status: 304, headers: common, body: '' }
  return { status: 200, headers: { ...common, 'content-type': TRUST_BUNDLE_TYPE }, body: current.bytes }
}

const TRUST_BUNDLE_TYPE = 'application/pkcs7-mime; smime-type=signed-data'

/** Weak comparison (RFC 9110 §13.1.2). */
function hasTag(header: string | undefined, version: string): boolean {
  return (header ?? '').split(',').some(tag => tag.trim().replace(/^W\//, '') === `"${version}"`)
}

function requireJson({ headers }: HttpRequest): void {
  const given = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (given === JSON_TYPE) return
  throw new TouchmarkError('device_api.content_type', 'malformed', `The body must be ${JSON_TYPE}.`, {
    next: `Send the header Content-Type: ${JSON_TYPE}.`,
  })
}

function refusalError({ code, kind, message, next }: Refusal): TouchmarkError {
  return new TouchmarkError(code, kind, message, next === undefined ? {} : { next })
}

function json(body: Uint8Array, headers: Readonly<Record<string, string>> = {}): HttpReply {
  return { status: 200, headers: { 'content-type': JSON_TYPE, 'cache-control': 'no-store', ...headers }, body }
}
