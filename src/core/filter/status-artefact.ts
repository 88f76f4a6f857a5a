// The compact status artefact: whether a certificate of an authority is revoked, without a wrong answer for any that the artefact covers, in
// about nine bits for each revoked one of a hundred. Our own format: docs/formats/status-artefact.md; why so: docs/adr/0013-status-artefact.md.
import { type Bytes, equalBytes } from '../bytes/bytes.ts'
import { type CoseSign1, encodeSign1, encodeSign1Head, parseSign1, signatureStructure } from '../cose/sign1.ts'
import { contains, type ExactFilter } from './exact-filter.ts'
import {
  compareSerials,
  encodeStatusBody,
  parseStatusBody,
  SERIAL_OCTETS,
  type StatusBody,
  type StatusHead,
} from './status-body.ts'
import { statusError } from './status-error.ts'

export const STATUS_CONTENT_TYPE = 'application/vnd.touchmark.status'

/** The certificate in question, by what stands in it. Times in seconds since 1970. */
export interface CertificateInQuestion {
  /** SHA-256 of the SubjectPublicKeyInfo of whoever issued it. */
  readonly issuerKeyHash: Uint8Array
  /** The octets of the number, as in the certificate. */
  readonly serialNumber: Uint8Array
  readonly notBefore: number
  readonly notAfter: number
}

export type StatusAnswer =
  | { readonly status: 'good' | 'revoked' }
  /**
   * `newer`: issued after the time until which the artefact covers. `older`: before it begins to. `expired`: it has left the universe.
   * `foreign`: of another authority, or with a serial number that this one does not give.
   */
  | { readonly status: 'unknown'; readonly why: 'newer' | 'older' | 'expired' | 'foreign' }

/** `early`: the clock stands before the artefact's time. `grace`: to be renewed, and good until then. `stale`: good for nothing but revoked. */
export type Freshness = 'early' | 'fresh' | 'grace' | 'stale'

export interface OpenStatusOptions {
  /** Whether the signature is by the authority or by whom it lets speak of status, at the artefact's time. Throws or returns false where not. */
  verify(envelope: CoseSign1, head: StatusHead): boolean
  /** The authority that is asked for; `status.signature_invalid` where the artefact is another's. */
  readonly issuerKeyHash?: Uint8Array
  /** The highest epoch that was seen: one before it is refused with `status.epoch_older`. */
  readonly notBelow?: number
}

export class StatusArtefact {
  readonly envelope: CoseSign1
  readonly body: StatusBody

  constructor(envelope: CoseSign1, body: StatusBody) {
    this.envelope = envelope
    this.body = body
  }

  get head(): StatusHead {
    return this.body.head
  }

  query(certificate: CertificateInQuestion): StatusAnswer {
    const { head } = this.body
    const serial = serialOctets(certificate.serialNumber)
    if (serial === undefined || !equalBytes(certificate.issuerKeyHash, head.issuerKeyHash)) return unknown('foreign')
    if (certificate.notAfter < head.expiredBefore) return unknown('expired')
    if (certificate.notBefore < head.coveredFrom) return unknown('older')
    if (issuedAt(serial, certificate.notBefore) > head.coveredUntil) return unknown('newer')
    return isRevoked(this.body, serial, 0) ? REVOKED : GOOD
  }

  freshness(at: number): Freshness {
    const { thisUpdate, nextUpdate, graceUntil } = this.body.head
    if (at < thisUpdate) return 'early'
    if (at <= nextUpdate) return 'fresh'
    return at <= graceUntil ? 'grace' : 'stale'
  }
}

/**
 * Reads and checks an artefact. Errors: `cose.malformed`, `status.malformed`, `status.version_unknown`, `status.signature_invalid`,
 * `status.epoch_older`, and what `verify` throws. Keeps views into `octets`, which must not change.
 */
export function openStatusArtefact(octets: Uint8Array, options: OpenStatusOptions): StatusArtefact {
  const envelope = parseSign1(octets)
  if (envelope.contentType !== STATUS_CONTENT_TYPE)
    throw statusError('status.malformed', 'It is signed as something else.')
  const body = parseStatusBody(envelope.payload)
  const { issuerKeyHash, notBelow = 0 } = options
  if (issuerKeyHash !== undefined && !equalBytes(issuerKeyHash, body.head.issuerKeyHash)) {
    throw statusError('status.signature_invalid', 'The artefact is about another authority.')
  }
  if (!options.verify(envelope, body.head)) {
    throw statusError('status.signature_invalid', "The signature is not the authority's.")
  }
  if (body.head.epoch < notBelow) {
    throw statusError('status.epoch_older', 'A newer artefact of this authority was seen before.', {
      evidence: { epoch: body.head.epoch, seen: notBelow },
    })
  }
  return new StatusArtefact(envelope, body)
}

/** An artefact to be signed: `toBeSigned` goes to the signer, its signature to `signed`. */
export function encodeStatusArtefact(
  body: StatusBody,
  signer: { readonly algorithm: number; readonly certificate: Uint8Array },
): { readonly toBeSigned: Bytes; signed(signature: Uint8Array): Bytes } {
  const head = encodeSign1Head(signer.algorithm, STATUS_CONTENT_TYPE, signer.certificate)
  const payload = encodeStatusBody(body)
  return {
    toBeSigned: signatureStructure(head, payload),
    signed: signature => encodeSign1(head, payload, signature),
  }
}

/** Whether the body says "revoked" of the serial number of `SERIAL_OCTETS` at `at`; meaningful in the universe only. */
export function isRevoked(body: Pick<StatusBody, 'segments' | 'exceptions'>, octets: Uint8Array, at: number): boolean {
  return heldBySegments(body.segments, octets, at) !== isException(body.exceptions, octets, at)
}

export function heldBySegments(segments: readonly ExactFilter[], octets: Uint8Array, at: number): boolean {
  let revoked = false
  for (const segment of segments) revoked = contains(segment, octets, at, SERIAL_OCTETS) !== revoked
  return revoked
}

function isException(exceptions: Uint8Array, octets: Uint8Array, at: number): boolean {
  let low = 0
  let high = exceptions.length / SERIAL_OCTETS
  while (low < high) {
    const middle = (low + high) >>> 1
    const order = compareSerials(exceptions, middle * SERIAL_OCTETS, octets, at)
    if (order === 0) return true
    if (order < 0) low = middle + 1
    else high = middle
  }
  return false
}

/**
 * The second of issue. A serial number of ours begins with its low 31 bits, and notBefore is at most the backdating of a profile before
 * it: the first such second that is not before notBefore.
 */
export function issuedAt(serial: Uint8Array, notBefore: number): number {
  const low = (serial[0]! & 0x7f) * 0x1000000 + serial[1]! * 0x10000 + serial[2]! * 0x100 + serial[3]!
  return notBefore + ((((low - notBefore) % WRAP) + WRAP) % WRAP)
}

const WRAP = 2 ** 31

/** The number in `SERIAL_OCTETS` octets; `undefined` where it is longer. DER leaves out leading zeros, and puts one before a high bit. */
export function serialOctets(serialNumber: Uint8Array): Uint8Array | undefined {
  if (serialNumber.length === SERIAL_OCTETS) return serialNumber
  let from = 0
  while (serialNumber[from] === 0) from++
  const digits = serialNumber.subarray(from)
  if (digits.length > SERIAL_OCTETS) return undefined
  const out = new Uint8Array(SERIAL_OCTETS)
  out.set(digits, SERIAL_OCTETS - digits.length)
  return out
}

const GOOD: StatusAnswer = Object.freeze({ status: 'good' })
const REVOKED: StatusAnswer = Object.freeze({ status: 'revoked' })

function unknown(why: Extract<StatusAnswer, { status: 'unknown' }>['why']): StatusAnswer {
  return { status: 'unknown', why }
}
