// OCSP requests and responses (RFC 6960 §4; profile of RFC 5019; nonce of RFC 9654): bytes to values and back, no answers.
// A CertID is kept as received, because a response must repeat it octet for octet for simple clients to find it.
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { contextConstructed, contextPrimitive, TAG } from '../asn1/tag.ts'
import { type DerWriter, writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import {
  type AlgorithmIdentifier,
  encodeAlgorithmIdentifier,
  parseAlgorithmIdentifier,
} from './algorithm-identifier.ts'
import { parseCrlReason } from './crl-extensions.ts'
import { CRL_REASONS, type CrlReason } from './crl-reason.ts'
import { type Extension, parseExtensions, writeExtensions } from './extension.ts'
import { type GeneralName, parseGeneralName, writeGeneralName } from './general-name.ts'
import { type Name, parseName } from './name.ts'
import { findNonce, OCSP_OID } from './ocsp-extensions.ts'
import { parseSerialNumber, writeSerialNumber } from './serial-number.ts'
import { parseSigned, type Signed } from './signed.ts'

/** Octets of one request: 64 CertIDs with SHA-512 take 13 KiB, a chain of ML-DSA certificates for a signed one 30 KiB. */
export const MAX_OCSP_REQUEST = 64 * 1024
/** Certificates that one request may ask about. */
export const MAX_OCSP_REQUESTS = 64
/** Single responses in a response of others; ours have at most MAX_OCSP_REQUESTS. */
const MAX_SINGLE_RESPONSES = 1024
const MAX_CERTIFICATES = 16

/** `[1] IMPLICIT NULL`-like choices of CertStatus. */
const GOOD = contextPrimitive(0)
const REVOKED = contextConstructed(1)
const UNKNOWN = contextPrimitive(2)

export interface CertId {
  /** The whole SEQUENCE as received: what a response repeats. */
  readonly raw: Uint8Array
  readonly hashAlgorithm: AlgorithmIdentifier
  /** Hash of the DER of the issuer's Name. */
  readonly issuerNameHash: Uint8Array
  /** Hash of the issuer's subjectPublicKey without tag, length and unused bits. */
  readonly issuerKeyHash: Uint8Array
  /** Lower-case hexadecimal. */
  readonly serialNumber: string
}

export interface CertIdFields {
  /** The hash's OID; its parameters are left absent, as RFC 5754 §2 wants, unless `hashAlgorithmParameters` says otherwise. */
  readonly hashAlgorithm: string
  /** A whole DER element: `05 00` for clients and responders that compare octets with what OpenSSL writes. */
  readonly hashAlgorithmParameters?: Uint8Array | undefined
  readonly issuerNameHash: Uint8Array
  readonly issuerKeyHash: Uint8Array
  readonly serialNumber: string
}

/** `CertID ::= SEQUENCE { hashAlgorithm, issuerNameHash OCTET STRING, issuerKeyHash OCTET STRING, serialNumber }` */
export function encodeCertId(fields: CertIdFields): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      w.raw(encodeAlgorithmIdentifier(fields.hashAlgorithm, fields.hashAlgorithmParameters))
      w.octetString(fields.issuerNameHash).octetString(fields.issuerKeyHash)
      writeSerialNumber(w, fields.serialNumber)
    }),
  )
}

export function parseCertId(reader: DerReader): CertId {
  const raw = reader.rest
  const before = reader.offset
  const fields = reader.enter(TAG.SEQUENCE)
  const hashAlgorithm = parseAlgorithmIdentifier(fields)
  const issuerNameHash = fields.octetString()
  const issuerKeyHash = fields.octetString()
  const serialNumber = parseSerialNumber(fields)
  fields.finish()
  return { raw: raw.subarray(0, reader.offset - before), hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber }
}

export interface OcspSingleRequest {
  readonly certId: CertId
  readonly extensions: readonly Extension[]
}

export interface OcspRequestSignature {
  readonly signatureAlgorithm: AlgorithmIdentifier
  readonly signature: Uint8Array
  /** Whole certificates as received. */
  readonly certificates: readonly Uint8Array[]
}

export interface OcspRequest {
  readonly raw: Uint8Array
  /** tbsRequest as received: what a signed request signs. */
  readonly tbs: Uint8Array
  readonly requestorName: GeneralName | undefined
  readonly requests: readonly OcspSingleRequest[]
  readonly extensions: readonly Extension[]
  readonly nonce: Uint8Array | undefined
  readonly signature: OcspRequestSignature | undefined
}

/**
 * Reads a request of at most 64 KiB for 1 to 64 certificates. Throws `DerError`; a responder answers `malformedRequest`.
 *
 *     OCSPRequest ::= SEQUENCE { tbsRequest TBSRequest, optionalSignature [0] EXPLICIT Signature OPTIONAL }
 *     TBSRequest ::= SEQUENCE { version [0] EXPLICIT Version DEFAULT v1, requestorName [1] EXPLICIT GeneralName OPTIONAL,
 *       requestList SEQUENCE OF Request, requestExtensions [2] EXPLICIT Extensions OPTIONAL }
 */
export function parseOcspRequest(der: Uint8Array): OcspRequest {
  return readDer(
    der,
    reader =>
      reader.sequence(outer => {
        const tbs = outer.rest
        const before = outer.offset
        const fields = outer.sequence(parseTbsRequest)
        const signed = tbs.subarray(0, outer.offset - before)
        const signature = explicit(outer, 0, parseRequestSignature)
        return { raw: der, tbs: signed, ...fields, nonce: findNonce(fields.extensions), signature }
      }),
    { maxInput: MAX_OCSP_REQUEST },
  )
}

function parseTbsRequest(tbs: DerReader): Pick<OcspRequest, 'requestorName' | 'requests' | 'extensions'> {
  refuseVersion(tbs)
  const requestorName = explicit(tbs, 1, parseGeneralName)
  const at = tbs.offset
  const requests = tbs.listOf(
    item =>
      item.sequence(fields => ({
        certId: parseCertId(fields),
        extensions: explicit(fields, 0, parseExtensions) ?? [],
      })),
    { limit: MAX_OCSP_REQUESTS },
  )
  if (requests.length === 0) throw new DerError('der.value_invalid', at, 'The request asks about no certificate')
  return { requestorName, requests, extensions: explicit(tbs, 2, parseExtensions) ?? [] }
}

/** `Signature ::= SEQUENCE { signatureAlgorithm, signature BIT STRING, certs [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL }` */
function parseRequestSignature(reader: DerReader): OcspRequestSignature {
  return reader.sequence(fields => ({
    signatureAlgorithm: parseAlgorithmIdentifier(fields),
    signature: fields.bitStringOctets(),
    certificates: parseCertificates(fields),
  }))
}

export interface OcspRequestFields {
  readonly requestorName?: GeneralName | undefined
  /** Whole CertIDs, from `encodeCertId` or as received. */
  readonly requests: readonly { readonly certId: Uint8Array; readonly extensions?: readonly Extension[] | undefined }[]
  readonly extensions?: readonly Extension[] | undefined
}

/** The tbsRequest: what is signed where a request is signed. */
export function encodeTbsRequest(fields: OcspRequestFields): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      const { requestorName } = fields
      if (requestorName) w.constructed(contextConstructed(1), () => writeGeneralName(w, requestorName))
      w.sequence(() => {
        for (const { certId, extensions } of fields.requests) {
          w.sequence(() => {
            w.raw(certId)
            writeExplicitExtensions(w, 0, extensions)
          })
        }
      })
      writeExplicitExtensions(w, 2, fields.extensions)
    }),
  )
}

/** A whole OCSPRequest around a tbsRequest. `signatureAlgorithm` is a whole AlgorithmIdentifier. */
export function encodeOcspRequest(
  tbs: Uint8Array,
  signature?: {
    readonly signatureAlgorithm: Uint8Array
    readonly signature: Uint8Array
    readonly certificates?: readonly Uint8Array[] | undefined
  },
): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      w.raw(tbs)
      if (!signature) return
      w.constructed(contextConstructed(0), () =>
        w.sequence(() => {
          w.raw(signature.signatureAlgorithm).bitString(signature.signature)
          writeCertificates(w, signature.certificates)
        }),
      )
    }),
  )
}

/** Every responseStatus that is an error, with its ENUMERATED value (RFC 6960 §4.2.1); 4 is not used. */
export const OCSP_ERRORS = {
  malformedRequest: 1,
  internalError: 2,
  tryLater: 3,
  sigRequired: 5,
  unauthorized: 6,
} as const

export type OcspError = keyof typeof OCSP_ERRORS

export type CertStatus =
  | { readonly kind: 'good' }
  | { readonly kind: 'revoked'; readonly revocationTime: number; readonly reason?: CrlReason | undefined }
  | { readonly kind: 'unknown' }

export type ResponderId =
  /** The DER of the responder's Name. */
  | { readonly kind: 'byName'; readonly name: Uint8Array }
  /** SHA-1 of the responder's subjectPublicKey (RFC 6960 §4.2.1). */
  | { readonly kind: 'byKey'; readonly keyHash: Uint8Array }

export interface SingleResponse {
  readonly certId: CertId
  readonly status: CertStatus
  readonly thisUpdate: number
  readonly nextUpdate: number | undefined
  readonly extensions: readonly Extension[]
}

export interface BasicOcspResponse extends Signed {
  readonly responderId: { readonly kind: 'byName'; readonly name: Name } | Extract<ResponderId, { kind: 'byKey' }>
  readonly producedAt: number
  readonly responses: readonly SingleResponse[]
  readonly extensions: readonly Extension[]
  readonly nonce: Uint8Array | undefined
  /** Whole certificates as received. */
  readonly certificates: readonly Uint8Array[]
}

export type OcspResponse =
  | { readonly raw: Uint8Array; readonly responseStatus: 'successful'; readonly basic: BasicOcspResponse }
  | { readonly raw: Uint8Array; readonly responseStatus: OcspError; readonly basic: undefined }

/**
 * Reads a response. Throws `DerError`: also for a responseType other than id-pkix-ocsp-basic, the only one in use. The
 * signature, the times and the responder's right to answer are the caller's to check (RFC 6960 §3.2).
 */
export function parseOcspResponse(der: Uint8Array): OcspResponse {
  return readDer(der, reader =>
    reader.sequence(outer => {
      const statusAt = outer.offset
      const value = outer.smallInteger(TAG.ENUMERATED)
      const responseBytes = explicit(outer, 0, parseResponseBytes)
      if (value === 0) {
        if (!responseBytes) throw new DerError('der.value_invalid', statusAt, 'A successful response has no content')
        return { raw: der, responseStatus: 'successful', basic: responseBytes }
      }
      const status = (Object.keys(OCSP_ERRORS) as OcspError[]).find(name => OCSP_ERRORS[name] === value)
      if (!status || responseBytes)
        throw new DerError('der.value_invalid', statusAt, 'The response status is none of RFC 6960')
      return { raw: der, responseStatus: status, basic: undefined }
    }),
  )
}

/** `ResponseBytes ::= SEQUENCE { responseType OBJECT IDENTIFIER, response OCTET STRING }` */
function parseResponseBytes(reader: DerReader): BasicOcspResponse {
  return reader.sequence(fields => {
    const at = fields.offset
    if (fields.oid() !== OCSP_OID.basic) throw new DerError('der.value_invalid', at, 'The response is not a basic one')
    return fields.octetStringContaining(parseBasicResponse)
  })
}

/**
 *     BasicOCSPResponse ::= SEQUENCE { tbsResponseData, signatureAlgorithm, signature, certs [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL }
 *     ResponseData ::= SEQUENCE { version [0] EXPLICIT Version DEFAULT v1, responderID, producedAt GeneralizedTime,
 *       responses SEQUENCE OF SingleResponse, responseExtensions [1] EXPLICIT Extensions OPTIONAL }
 */
function parseBasicResponse(reader: DerReader): BasicOcspResponse {
  const base = reader.offset
  let certificates: Uint8Array[] = []
  const signed = parseSigned(reader, inner => {
    certificates = parseCertificates(inner)
  })
  const data = readDer(signed.tbs, r => r.sequence(parseResponseData), {
    base: base + signed.tbs.byteOffset - signed.raw.byteOffset,
    depth: 5,
  })
  return { ...signed, ...data, nonce: findNonce(data.extensions), certificates }
}

function parseResponseData(
  tbs: DerReader,
): Pick<BasicOcspResponse, 'responderId' | 'producedAt' | 'responses' | 'extensions'> {
  refuseVersion(tbs)
  const responderId = parseResponderId(tbs)
  const producedAt = tbs.generalizedTime()
  const at = tbs.offset
  const responses = tbs.listOf(parseSingleResponse, { limit: MAX_SINGLE_RESPONSES })
  if (responses.length === 0) throw new DerError('der.value_invalid', at, 'The response is about no certificate')
  return { responderId, producedAt, responses, extensions: explicit(tbs, 1, parseExtensions) ?? [] }
}

/** `ResponderID ::= CHOICE { byName [1] Name, byKey [2] KeyHash }`, both EXPLICIT. */
function parseResponderId(reader: DerReader): BasicOcspResponse['responderId'] {
  const at = reader.offset
  const name = explicit(reader, 1, parseName)
  if (name) return { kind: 'byName', name }
  const keyHash = explicit(reader, 2, inner => inner.octetString())
  if (keyHash) return { kind: 'byKey', keyHash }
  throw new DerError('der.tag_unexpected', at, 'The responder is named neither by name nor by key')
}

/**
 *     SingleResponse ::= SEQUENCE { certID, certStatus, thisUpdate GeneralizedTime,
 *       nextUpdate [0] EXPLICIT GeneralizedTime OPTIONAL, singleExtensions [1] EXPLICIT Extensions OPTIONAL }
 */
function parseSingleResponse(reader: DerReader): SingleResponse {
  return reader.sequence(fields => ({
    certId: parseCertId(fields),
    status: parseCertStatus(fields),
    thisUpdate: fields.generalizedTime(),
    nextUpdate: explicit(fields, 0, inner => inner.generalizedTime()),
    extensions: explicit(fields, 1, parseExtensions) ?? [],
  }))
}

/** `CertStatus ::= CHOICE { good [0] IMPLICIT NULL, revoked [1] IMPLICIT RevokedInfo, unknown [2] IMPLICIT NULL }` */
function parseCertStatus(reader: DerReader): CertStatus {
  const at = reader.offset
  const tag = reader.peekTag()
  switch (tag) {
    case GOOD:
    case UNKNOWN:
      if (reader.content(tag).length !== 0) throw new DerError('der.null_invalid', at, 'A NULL has content')
      return { kind: tag === GOOD ? 'good' : 'unknown' }
    case REVOKED:
      return reader.nested(tag, fields => ({
        kind: 'revoked',
        revocationTime: fields.generalizedTime(),
        reason: explicit(fields, 0, parseCrlReason),
      }))
    default:
      throw new DerError('der.tag_unexpected', at, 'The certificate status is none of RFC 6960')
  }
}

export interface ResponseDataFields {
  readonly responderId: ResponderId
  readonly producedAt: number
  readonly responses: readonly {
    /** As received in the request. */
    readonly certId: Uint8Array
    readonly status: CertStatus
    readonly thisUpdate: number
    readonly nextUpdate?: number | undefined
    readonly extensions?: readonly Extension[] | undefined
  }[]
  readonly extensions?: readonly Extension[] | undefined
}

/** The tbsResponseData, to be signed. A reason `unspecified` is left out, as in CRLs (RFC 5280 §5.3.1). */
export function encodeTbsResponseData(fields: ResponseDataFields): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      const { responderId } = fields
      if (responderId.kind === 'byName') w.constructed(contextConstructed(1), () => w.raw(responderId.name))
      else w.constructed(contextConstructed(2), () => w.octetString(responderId.keyHash))
      w.generalizedTime(fields.producedAt)
      w.sequence(() => {
        for (const single of fields.responses) {
          w.sequence(() => {
            w.raw(single.certId)
            writeCertStatus(w, single.status)
            w.generalizedTime(single.thisUpdate)
            const { nextUpdate } = single
            if (nextUpdate !== undefined) w.constructed(contextConstructed(0), () => w.generalizedTime(nextUpdate))
            writeExplicitExtensions(w, 1, single.extensions)
          })
        }
      })
      writeExplicitExtensions(w, 1, fields.extensions)
    }),
  )
}

function writeCertStatus(w: DerWriter, status: CertStatus): void {
  switch (status.kind) {
    case 'good':
      w.primitive(GOOD, new Uint8Array(0))
      return
    case 'unknown':
      w.primitive(UNKNOWN, new Uint8Array(0))
      return
    case 'revoked':
      w.constructed(REVOKED, () => {
        w.generalizedTime(status.revocationTime)
        const { reason } = status
        if (reason === undefined || reason === 'unspecified') return
        w.constructed(contextConstructed(0), () => w.integer(CRL_REASONS[reason], TAG.ENUMERATED))
      })
      return
    default:
      status satisfies never
  }
}

/** A successful OCSPResponse. `signatureAlgorithm` is a whole AlgorithmIdentifier; certificates are whole and in path order. */
export function encodeOcspResponse(response: {
  readonly tbs: Uint8Array
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
  readonly certificates?: readonly Uint8Array[] | undefined
}): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      w.integer(0, TAG.ENUMERATED)
      w.constructed(contextConstructed(0), () =>
        w.sequence(() => {
          w.oid(OCSP_OID.basic)
          w.octetStringContaining(() =>
            w.sequence(() => {
              w.raw(response.tbs).raw(response.signatureAlgorithm).bitString(response.signature)
              writeCertificates(w, response.certificates)
            }),
          )
        }),
      )
    }),
  )
}

/** An unsigned answer that says why there is no other (RFC 6960 §2.3). */
export function encodeOcspError(status: OcspError): Bytes {
  return writeDer(w => w.sequence(() => w.integer(OCSP_ERRORS[status], TAG.ENUMERATED)), 16)
}

/** `[n] EXPLICIT` and OPTIONAL. */
function explicit<T>(reader: DerReader, n: number, body: (inner: DerReader) => T): T | undefined {
  return reader.optional(contextConstructed(n), self => self.nested(contextConstructed(n), body))
}

/** The only version is v1, a DEFAULT, which DER leaves out (X.690 §11.5). */
function refuseVersion(reader: DerReader): void {
  if (reader.peekTag() === contextConstructed(0)) {
    throw new DerError('der.value_invalid', reader.offset, 'Only version 1 is known, and DER leaves it out')
  }
}

/** `certs [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL` */
function parseCertificates(reader: DerReader): Uint8Array[] {
  return explicit(reader, 0, inner => inner.listOf(item => item.raw(TAG.SEQUENCE), { limit: MAX_CERTIFICATES })) ?? []
}

function writeCertificates(w: DerWriter, certificates: readonly Uint8Array[] | undefined): void {
  if (!certificates?.length) return
  w.constructed(contextConstructed(0), () =>
    w.sequence(() => {
      for (const certificate of certificates) w.raw(certificate)
    }),
  )
}

function writeExplicitExtensions(w: DerWriter, n: number, extensions: readonly Extension[] | undefined): void {
  if (extensions?.length) w.constructed(contextConstructed(n), () => writeExtensions(w, extensions))
}
