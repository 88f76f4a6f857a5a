// Whether an OCSP response may be believed for one certificate (RFC 6960 §3.2, §4.2.2.2): who signed it and by what right, whether it is about this
// certificate, and whether it is of today. What it then says about the certificate is its word. Time, hashes and the signature check are arguments.
import { equalBytes } from '../bytes/bytes.ts'
import { type Evidence, TouchmarkError } from '../errors.ts'
import type { AlgorithmIdentifier } from './algorithm-identifier.ts'
import { type Certificate, parseCertificate } from './certificate.ts'
import { type Extension, findExtension } from './extension.ts'
import { parseExtendedKeyUsage, parseKeyUsage } from './extensions.ts'
import { namesEqual } from './name.ts'
import type { BasicOcspResponse, CertId, CertStatus, SingleResponse } from './ocsp.ts'
import { OCSP_OID } from './ocsp-extensions.ts'
import { OID } from './oids.ts'

export type OcspErrorCode =
  | 'ocsp.responder_unknown'
  | 'ocsp.responder_unauthorized'
  | 'ocsp.responder_expired'
  | 'ocsp.signature_invalid'
  | 'ocsp.other_certificate'
  | 'ocsp.not_yet_valid'
  | 'ocsp.stale'
  | 'ocsp.nonce_differs'
  | 'ocsp.extension_unknown'

export interface OcspCheck {
  readonly response: BasicOcspResponse
  /** Of the certificate in question, as in `Certificate`. */
  readonly serialNumber: string
  /** Whose certificate it is in question, and who may answer for it or appoint somebody. Already trusted by the caller. */
  readonly issuer: Certificate
  /** Whole seconds since 1970. */
  readonly at: number
  readonly verify: (spki: Uint8Array, algorithm: AlgorithmIdentifier, tbs: Uint8Array, signature: Uint8Array) => boolean
  /** The hash with this OID, or `undefined` where the caller has none: SHA-1 has to be there (RFC 6960 §4.2.1, KeyHash). */
  readonly hash: (oid: string, octets: Uint8Array) => Uint8Array | undefined
  /** What the request had; absent: nonces are not asked (a stored response has somebody else's, or none). */
  readonly nonce?: Uint8Array | undefined
  /** Seconds by which clocks may differ; by default 300. */
  readonly skew?: number | undefined
  /** Seconds for which a response without nextUpdate is taken; by default 86,400. */
  readonly maxAge?: number | undefined
}

export type OcspVerdict =
  | {
      readonly ok: true
      readonly status: CertStatus
      readonly thisUpdate: number
      readonly nextUpdate: number | undefined
      readonly responder: Certificate
      readonly delegated: boolean
      /** Whether nobody needs to ask for the status of the responder itself: the issuer answered, or said so (§4.2.2.2.1). */
      readonly noCheck: boolean
    }
  | { readonly ok: false; readonly code: OcspErrorCode; readonly message: string; readonly evidence: Evidence }

const DEFAULT_SKEW = 300
const DEFAULT_MAX_AGE = 86_400
const SHA_1 = '1.3.14.3.2.26'

/** Never throws for what the response and its certificates say. */
export function checkOcspResponse(check: OcspCheck): OcspVerdict {
  const { response } = check
  const unknown = unknownCritical(response.extensions, RESPONSE_EXTENSIONS)
  if (unknown) return no('ocsp.extension_unknown', 'A critical extension of the response is not known.', unknown)
  const { nonce } = check
  if (nonce && !(response.nonce && equalBytes(response.nonce, nonce))) {
    return no('ocsp.nonce_differs', 'The response does not repeat the nonce of the request.')
  }
  const single = newest(response.responses.filter(each => isAbout(each.certId, check)))
  if (single === undefined) return no('ocsp.other_certificate', 'The response is about other certificates.')
  const odd = unknownCritical(single.extensions, SINGLE_EXTENSIONS)
  if (odd) return no('ocsp.extension_unknown', 'A critical extension of the answer is not known.', odd)
  const untimely = checkTimes(response, single, check)
  if (untimely) return untimely

  const found = findResponder(check)
  if (!found.ok) return found
  const { responder, delegated } = found
  if (!signedBy(responder, response, check)) {
    return no('ocsp.signature_invalid', 'The signature of the response does not verify with the key of the responder.')
  }
  return {
    ok: true,
    status: single.status,
    thisUpdate: single.thisUpdate,
    nextUpdate: single.nextUpdate,
    responder,
    delegated,
    noCheck: !delegated || findExtension(responder.extensions, OID.ocspNoCheck) !== undefined,
  }
}

function no(code: OcspErrorCode, message: string, evidence: Evidence = {}) {
  return { ok: false as const, code, message, evidence }
}

/** The name and the key of the issuer and the serial number, all three (RFC 6960 §4.1.1). */
function isAbout(certId: CertId, { issuer, serialNumber, hash }: OcspCheck): boolean {
  if (certId.serialNumber !== serialNumber) return false
  const { oid } = certId.hashAlgorithm
  const name = hash(oid, issuer.subject.raw)
  const key = hash(oid, issuer.subjectPublicKeyInfo.publicKey)
  return (
    name !== undefined &&
    key !== undefined &&
    equalBytes(name, certId.issuerNameHash) &&
    equalBytes(key, certId.issuerKeyHash)
  )
}

function newest(singles: readonly SingleResponse[]): SingleResponse | undefined {
  let best: SingleResponse | undefined
  for (const single of singles) if (best === undefined || single.thisUpdate > best.thisUpdate) best = single
  return best
}

/** RFC 6960 §3.2 (5), (6) and §4.2.2.1. */
function checkTimes({ producedAt }: BasicOcspResponse, { thisUpdate, nextUpdate }: SingleResponse, check: OcspCheck) {
  const { at, skew = DEFAULT_SKEW, maxAge = DEFAULT_MAX_AGE } = check
  if (thisUpdate > at + skew || producedAt > at + skew) {
    return no('ocsp.not_yet_valid', 'The response is from the future.', { at, thisUpdate, producedAt })
  }
  const last = nextUpdate ?? thisUpdate + maxAge
  if (at > last + skew) return no('ocsp.stale', 'The response is too old.', { at, thisUpdate, until: last })
  return undefined
}

/** The issuer itself, or somebody whom it appointed by a certificate of its own for this purpose (RFC 6960 §4.2.2.2). */
function findResponder(
  check: OcspCheck,
): { readonly ok: true; readonly responder: Certificate; readonly delegated: boolean } | ReturnType<typeof no> {
  const { issuer, response } = check
  if (isResponder(issuer, check)) return { ok: true, responder: issuer, delegated: false }
  let problem: ReturnType<typeof no> | undefined
  for (const der of response.certificates) {
    const certificate = readCertificate(der)
    if (certificate === undefined || !isResponder(certificate, check)) continue
    problem = checkDelegate(certificate, check)
    if (problem === undefined) return { ok: true, responder: certificate, delegated: true }
  }
  return problem ?? no('ocsp.responder_unknown', 'The response was not signed by the issuer, and names nobody at hand.')
}

function readCertificate(der: Uint8Array): Certificate | undefined {
  try {
    return parseCertificate(der)
  } catch (error) {
    if (error instanceof TouchmarkError) return undefined
    throw error
  }
}

function isResponder(certificate: Certificate, { response: { responderId }, hash }: OcspCheck): boolean {
  if (responderId.kind === 'byName') return namesEqual(certificate.subject, responderId.name)
  const keyHash = hash(SHA_1, certificate.subjectPublicKeyInfo.publicKey)
  return keyHash !== undefined && equalBytes(keyHash, responderId.keyHash)
}

/** Critical extensions of a responder's certificate that are read here, or that say nothing against what it does here. */
const DELEGATE_EXTENSIONS: ReadonlySet<string> = new Set([
  OID.keyUsage,
  OID.extKeyUsage,
  OID.basicConstraints,
  OID.subjectAltName,
  OID.certificatePolicies,
  OID.ocspNoCheck,
])
const RESPONSE_EXTENSIONS: ReadonlySet<string> = new Set([OCSP_OID.nonce, OCSP_OID.extendedRevoke])
const SINGLE_EXTENSIONS: ReadonlySet<string> = new Set([OCSP_OID.archiveCutoff, OCSP_OID.crl])

function checkDelegate(certificate: Certificate, check: OcspCheck) {
  const { issuer, at, skew = DEFAULT_SKEW } = check
  const { serialNumber } = certificate
  const unauthorized = (message: string) => no('ocsp.responder_unauthorized', message, { serialNumber })
  if (!namesEqual(certificate.issuer, issuer.subject) || !signedBy(issuer, certificate, check)) {
    return unauthorized('The certificate of the responder was not issued by the issuer of the certificate in question.')
  }
  const unknown = unknownCritical(certificate.extensions, DELEGATE_EXTENSIONS)
  if (unknown) return unauthorized('The certificate of the responder has a critical extension that is not known.')
  if (!mayAnswer(certificate))
    return unauthorized('The certificate of the responder is not for signing OCSP responses.')
  if (at + skew < certificate.notBefore || at > certificate.notAfter + skew) {
    const { notBefore, notAfter } = certificate
    return no('ocsp.responder_expired', 'The certificate of the responder is not valid at this time.', {
      at,
      notBefore,
      notAfter,
    })
  }
  return undefined
}

/** id-kp-OCSPSigning by name: anyExtendedKeyUsage appoints nobody (RFC 6960 §4.2.2.2). */
function mayAnswer({ extensions }: Certificate): boolean {
  try {
    const purposes = findExtension(extensions, OID.extKeyUsage)
    const usage = findExtension(extensions, OID.keyUsage)
    const bits = usage && parseKeyUsage(usage.value)
    return (
      purposes !== undefined &&
      parseExtendedKeyUsage(purposes.value).includes(OID.ocspSigning) &&
      (bits === undefined || bits.includes('digitalSignature') || bits.includes('contentCommitment'))
    )
  } catch (error) {
    if (error instanceof TouchmarkError) return false
    throw error
  }
}

function signedBy(
  signer: Certificate,
  signed: Pick<Certificate, 'tbs' | 'signature' | 'signatureAlgorithm'>,
  { verify }: OcspCheck,
): boolean {
  return verify(signer.subjectPublicKeyInfo.raw, signed.signatureAlgorithm, signed.tbs, signed.signature)
}

function unknownCritical(extensions: readonly Extension[], known: ReadonlySet<string>): Evidence | undefined {
  const found = extensions.find(({ critical, oid }) => critical && !known.has(oid))
  return found && { extension: found.oid }
}
