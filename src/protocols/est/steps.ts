// The steps of EST, in the order of the pipeline. Each does one thing that RFC 7030 asks for and knows nothing of the others.

import { equalBytes } from '../../core/bytes/bytes.ts'
import { encodeCertsOnly } from '../../core/cms/certs-only.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { encodeCsrAttrs } from '../../core/messages/csr-attributes.ts'
import { parseCertificationRequest } from '../../core/pki/csr.ts'
import { type KeyAlgorithmName, keyAlgorithmOfSpki } from '../../crypto/algorithms.ts'
import type { Profile } from '../../domain/ca/profile.ts'
import type { UnixSeconds } from '../../domain/ids.ts'
import { enrol, refuseEnrolment } from '../../domain/ra/enrol.ts'
import type { Evidence } from '../../domain/ra/evidence.ts'
import { type Refusal, type RefusalCode, refusal } from '../../domain/ra/refusal.ts'
import { evidenceForRenewal } from '../../domain/ra/renewal-evidence.ts'
import type { Operation } from '../../domain/ra/rules.ts'
import type { Token } from '../../domain/ra/token.ts'
import { authenticateDevice } from './authenticate.ts'
import { base64Reply, bodyTooLarge, decodeBody, MAX_BODY, multipartReply, requireContentType } from './body.ts'
import { CHANNEL_BINDING_MISMATCH, checkChannelBinding } from './channel-binding.ts'
import { attributesFor } from './csr-attributes.ts'
import { type EstError, errorReply } from './errors.ts'
import type {
  Arrived,
  Authenticated,
  EstPorts,
  EstServices,
  Halt,
  Issued,
  Labelled,
  Linked,
  Requested,
  WithKey,
} from './exchange.ts'
import { encodeKeyPart, readKeyDelivery } from './key-delivery.ts'
import { deviceProfile, parseLabel } from './label.ts'

/** Where neither label nor evidence says otherwise: the operational identity. */
const DEFAULT_PROFILE = 'ldevid'

const CERTS_ONLY = 'application/pkcs7-mime; smime-type=certs-only'

/** §3.2.2: the label in the path. */
export function readLabel(exchange: Arrived): Labelled {
  return { ...exchange, label: parseLabel(exchange.request.params['label']) }
}

/**
 * §4.1: the authority that issues for the label's profile with those above it, and every trust anchor: a device that replaces its own by
 * these must still know this server (§3.6.1), whose certificate may lead to another root. Anybody may ask. §4.1.3 has no smime-type here,
 * and libest insists on that.
 */
export async function sendCaCerts({ label }: Labelled, ports: EstPorts): Promise<Halt> {
  const { authorities } = ports.registration
  const profile = await deviceProfile(label.profile ?? defaultProfile(ports), authorities)
  const { record } = await authorities.issuing(profile)
  const chain = await authorities.chain(record.id)
  const anchors = (await authorities.trustBundle()).filter(root => !chain.some(known => equalBytes(known, root)))
  const der = encodeCertsOnly([...chain, ...anchors])
  return { halt: base64Reply(der, 'application/pkcs7-mime', label.form, 'public, max-age=300') }
}

/** §4.5: what a request for this profile should contain. Anybody may ask. */
export async function sendCsrAttributes({ label }: Labelled, ports: EstPorts): Promise<Halt> {
  const { authorities } = ports.registration
  const profile = await deviceProfile(label.profile ?? defaultProfile(ports), authorities)
  const der = encodeCsrAttrs(attributesFor(profile, await ports.registration.rules()))
  return { halt: base64Reply(der, 'application/csrattrs', label.form, 'public, max-age=300') }
}

/** §4.3: Full CMC is optional for servers, and this one does not have it. */
export function refuseFullCmc(): never {
  throw new TouchmarkError('est.full_cmc_unsupported', 'malformed', 'This server does not speak Full CMC.', {
    next: 'Use simpleenroll or simplereenroll.',
  })
}

/** §3.2.3, §3.3.2: who asks; and for which profile, where the label left that open. */
export async function authenticate(exchange: Labelled, ports: EstPorts): Promise<Authenticated | Halt> {
  const { label } = exchange
  const { registration } = ports
  const reader = operationOf(exchange) === 'renew' ? evidenceForRenewal(registration) : registration.evidence
  // A path that leads nowhere is anybody's to know (§4.1): said first, it tells nothing of what is shown.
  if (label.profile !== null) await deviceProfile(label.profile, ports.registration.authorities)
  const found = await authenticateDevice(exchange.request, reader, registration.clock.now())
  if (found.kind === 'refused') return refuse(exchange, found.refusal, found.detail, ports)
  const { evidence } = found
  const profile = label.profile ?? profileOf(evidence, operationOf(exchange)) ?? defaultProfile(ports)
  return { ...exchange, evidence, profile }
}

/** §4.2.1: base64 of a PKCS#10 request. */
export function readRequest(exchange: Authenticated): Requested {
  const { request } = exchange
  if (request.body.length > MAX_BODY) throw bodyTooLarge()
  requireContentType(request, 'application/pkcs10')
  return { ...exchange, csr: parseCertificationRequest(decodeBody(request.body)) }
}

/** §3.5: a channel binding that came along must be that of this connection. Whether one must come along is for the rules. */
export function linkToConnection(exchange: Requested, ports: EstPorts): Linked | Promise<Halt> {
  const binding = checkChannelBinding(exchange.csr.challengePassword, exchange.request.peer)
  if (binding === 'mismatched') return refuse(exchange, CHANNEL_BINDING_MISMATCH, {}, ports)
  return { ...exchange, channelBinding: binding === 'matched' }
}

/**
 * §4.4.1: the key is made here, of the kind that the request shows if the profile allows that, and packed as the request wants it. Its
 * own key and signature are not looked at. All that can fail about the package fails before anything is issued.
 */
export async function generateKey(exchange: Requested, ports: EstServices): Promise<WithKey> {
  const { csr, request } = exchange
  const profile = await deviceProfile(exchange.profile, ports.registration.authorities)
  const own = exchange.evidence.flatMap(piece => (piece.kind === 'own-certificate' ? [piece.record.der] : []))
  const delivery = readKeyDelivery(csr, [...request.peer.certificates.slice(0, 1), ...own])
  const key = await ports.makeKey(keyKind(csr.subjectPublicKeyInfo.raw, profile), request.signal)
  const keyPart = await encodeKeyPart(key, delivery, await ports.keyPackageSigner?.())
  return { ...exchange, channelBinding: false, key, keyPart }
}

/** §4.2: the one recipe. Pending is 202 with Retry-After (§4.2.3). */
export async function enrolDevice(exchange: Linked, ports: EstPorts): Promise<Issued<Linked> | Halt> {
  return enrolWith(exchange, {}, ports)
}

export async function enrolGeneratedKey(exchange: WithKey, ports: EstPorts): Promise<Issued<WithKey> | Halt> {
  return enrolWith(exchange, { generatedKey: exchange.key.publicKey }, ports)
}

async function enrolWith<Before extends Linked>(
  exchange: Before,
  more: { readonly generatedKey?: Uint8Array },
  ports: EstPorts,
): Promise<Issued<Before> | Halt> {
  const { request, csr, evidence, profile, channelBinding } = exchange
  const outcome = await enrol(
    {
      protocol: 'est',
      operation: operationOf(exchange),
      profile,
      csr,
      evidence,
      channelBinding,
      address: request.peer.address,
      signal: request.signal,
      ...more,
    },
    ports.registration,
  )
  switch (outcome.kind) {
    case 'issued':
      return { ...exchange, outcome }
    case 'pending':
      return {
        halt: {
          status: 202,
          headers: {
            'Retry-After': String(outcome.retryAfterSeconds),
            'Content-Type': 'text/plain; charset=utf-8',
            'Cache-Control': 'no-store',
          },
          body: `enrolment.pending: The request waits for an operator. Send the same request again.\nRequest ${outcome.digest}\n`,
        },
      }
    case 'denied':
      return refusalReply(evidence, { ...outcome, kind: outcome.errorKind }, ports)
    default:
      return outcome satisfies never
  }
}

/** §4.2.3: certs-only with the issued certificate and nothing else. */
export function sendCertificate({ outcome, label }: Issued<Linked>): Halt {
  return { halt: base64Reply(encodeCertsOnly([outcome.record.der]), CERTS_ONLY, label.form) }
}

/** §4.4.2: the private key, then the certificate. */
export function sendKeyAndCertificate({ outcome, label, keyPart }: Issued<WithKey>): Halt {
  const certificate = { contentType: CERTS_ONLY, der: encodeCertsOnly([outcome.record.der]) }
  return { halt: multipartReply([keyPart, certificate], label.form) }
}

/** Says no, and writes it down. */
export async function refuse(
  exchange: Arrived & { readonly profile?: string },
  reason: Refusal,
  detail: Readonly<Record<string, string>>,
  ports: EstPorts,
): Promise<Halt> {
  const { request, evidence, profile } = exchange
  const denied = await refuseEnrolment(
    {
      protocol: 'est',
      operation: operationOf(exchange),
      address: request.peer.address,
      evidence,
      ...(profile === undefined ? {} : { profile }),
    },
    reason,
    detail,
    ports.registration,
  )
  return refusalReply(evidence, { ...denied, kind: denied.errorKind }, ports)
}

/**
 * RFC 7617 §2: credentials that are not valid are answered with a challenge. Who shows nothing but a token that is spent, withdrawn or has expired is told
 * what anybody with a wrong one is told, whatever else is amiss with the request: else one could try which tokens there were.
 */
function refusalReply(evidence: readonly Evidence[], error: EstError, { registration }: EstPorts): Halt {
  const now = registration.clock.now()
  // It may have become so since it was read: then the code alone says so.
  const hollow =
    HOLLOW.has(error.code) ||
    (evidence.length > 0 && evidence.every(piece => piece.kind === 'token' && isHollow(piece.token, now)))
  return { halt: errorReply(hollow ? refusal('token.invalid') : error) }
}

function operationOf({ operation }: Arrived): Operation {
  return operation === 'simplereenroll' ? 'renew' : 'enrol'
}

const HOLLOW: ReadonlySet<string> = new Set<RefusalCode>(['token.used', 'token.cancelled', 'token.expired'])

function isHollow(token: Token, now: UnixSeconds): boolean {
  return token.usedAt !== null || token.cancelledAt !== null || token.expiresAt < now
}

/** The token says what it is for; a renewal is for the profile of the certificate that is shown. */
function profileOf(evidence: readonly Evidence[], operation: Operation): string | undefined {
  for (const piece of evidence) {
    if (operation === 'enrol' && piece.kind === 'token') return piece.token.profile
    if (operation === 'renew' && piece.kind === 'own-certificate') return piece.record.profile
  }
  return undefined
}

function defaultProfile(ports: EstPorts): string {
  return ports.defaultProfile ?? DEFAULT_PROFILE
}

function keyKind(spki: Uint8Array, profile: Profile): KeyAlgorithmName {
  const preferred = profile.keyAlgorithms[0]!
  try {
    const shown = keyAlgorithmOfSpki(spki)
    return profile.keyAlgorithms.includes(shown) ? shown : preferred
  } catch {
    return preferred
  }
}
