// X.509 certificates (RFC 5280 §4.1): read as received, written field by field.
// A parsed certificate holds views into the octets that came; what was signed is verified as it came.
import { DerError } from '../asn1/der-error.ts'
import { oidContent } from '../asn1/oid.ts'
import { DerReader, readDer } from '../asn1/reader.ts'
import { contextConstructed, contextPrimitive, TAG } from '../asn1/tag.ts'
import { GENERALIZED_TIME_OCTETS, isUtcTime, putTime, UTC_TIME_OCTETS } from '../asn1/time.ts'
import { putHeader, sizeOf } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { EMPTY, equalBytes } from '../bytes/bytes.ts'
import { toHex } from '../bytes/hex.ts'
import { type Allocate, allocateEach } from '../bytes/slab.ts'
import { type AlgorithmIdentifier, parseAlgorithmIdentifier } from './algorithm-identifier.ts'
import { type Extension, parseExtensions } from './extension.ts'
import { type Name, parseName } from './name.ts'
import { MAX_SERIAL_OCTETS } from './serial-number.ts'
import { parseSigned, type Signed } from './signed.ts'
import { parseSubjectPublicKeyInfo, type SubjectPublicKeyInfo } from './spki.ts'

/** What TBSCertificate says; also what lint looks at before there is a signature. */
export interface CertificateFields {
  /** The whole TBSCertificate as received. */
  readonly tbs: Uint8Array
  readonly version: 1 | 2 | 3
  /** Lower-case hexadecimal of the magnitude without a leading zero octet; `00` for zero. */
  readonly serialNumber: string
  /** `signature` of TBSCertificate; in a certificate the outer one is the same, octet for octet (RFC 5280 §4.1.1.2). */
  readonly signatureAlgorithm: AlgorithmIdentifier
  readonly issuer: Name
  /** Whole seconds since 1970; the first second of the validity period. */
  readonly notBefore: number
  /** Whole seconds since 1970; the last second of the validity period, inclusive. */
  readonly notAfter: number
  readonly subject: Name
  readonly subjectPublicKeyInfo: SubjectPublicKeyInfo
  readonly issuerUniqueId: Uint8Array | undefined
  readonly subjectUniqueId: Uint8Array | undefined
  readonly extensions: readonly Extension[]
}

export interface Certificate extends Signed, CertificateFields {}

/** Octets of one certificate that we read: the largest signatures in use (SLH-DSA) take 50 KB, a thousand names 40 KB. */
export const MAX_CERTIFICATE_OCTETS = 256 * 1024
const LIMITS = { maxInput: MAX_CERTIFICATE_OCTETS }

/** Throws `DerError`, also where the two signature algorithms differ or the serial number is negative. */
export function parseCertificate(der: Uint8Array): Certificate {
  const { raw, tbs, signatureAlgorithm, signature } = readDer(der, reader => parseSigned(reader), LIMITS)
  const fields = parseTbsCertificate(tbs, tbs.byteOffset - der.byteOffset)
  if (!equalBytes(signatureAlgorithm.raw, fields.signatureAlgorithm.raw)) {
    throw new DerError('der.value_invalid', 0, 'The two signature algorithms of the certificate differ')
  }
  // Spelled out: spreading objects of this size takes a tenth of the whole parse.
  return {
    raw,
    tbs,
    signatureAlgorithm,
    signature,
    version: fields.version,
    serialNumber: fields.serialNumber,
    issuer: fields.issuer,
    notBefore: fields.notBefore,
    notAfter: fields.notAfter,
    subject: fields.subject,
    subjectPublicKeyInfo: fields.subjectPublicKeyInfo,
    issuerUniqueId: fields.issuerUniqueId,
    subjectUniqueId: fields.subjectUniqueId,
    extensions: fields.extensions,
  }
}

/** `TBSCertificate` (RFC 5280 §4.1.2). Throws `DerError`; `base` is where `tbs` lies in what the offsets count from. */
export function parseTbsCertificate(tbs: Uint8Array, base = 0): CertificateFields {
  return readDer(tbs, reader => reader.sequence(fields => readFields(fields, tbs)), { ...LIMITS, base })
}

function readFields(fields: DerReader, tbs: Uint8Array): CertificateFields {
  const version = fields.optional(contextConstructed(0), self => self.nested(contextConstructed(0), parseVersion)) ?? 1
  const serialNumber = parseSerial(fields)
  const signatureAlgorithm = parseAlgorithmIdentifier(fields)
  const issuer = parseName(fields)
  const validity = fields.enter(TAG.SEQUENCE)
  const notBefore = validity.time()
  const notAfter = validity.time()
  validity.finish()
  const subject = parseName(fields)
  const subjectPublicKeyInfo = parseSubjectPublicKeyInfo(fields)
  const laterAt = fields.offset
  const issuerUniqueId = fields.optional(contextPrimitive(1), self => self.bitString(contextPrimitive(1)).bytes)
  const subjectUniqueId = fields.optional(contextPrimitive(2), self => self.bitString(contextPrimitive(2)).bytes)
  if (version === 1 && fields.offset !== laterAt) {
    throw new DerError('der.value_invalid', laterAt, 'Unique identifiers need version 2 or 3')
  }
  const extensionsAt = fields.offset
  const extensions =
    fields.optional(contextConstructed(3), self => self.nested(contextConstructed(3), parseExtensions)) ?? []
  if (version !== 3 && extensions.length > 0) {
    throw new DerError('der.value_invalid', extensionsAt, 'Extensions need version 3')
  }
  return {
    tbs,
    version,
    serialNumber,
    signatureAlgorithm,
    issuer,
    notBefore,
    notAfter,
    subject,
    subjectPublicKeyInfo,
    issuerUniqueId,
    subjectUniqueId,
    extensions,
  }
}

/**
 * The serial number alone, without reading what follows it: for looking a certificate up among those that are known octet for octet. Throws
 * `DerError`.
 */
export function readCertificateSerialNumber(der: Uint8Array): string {
  const fields = new DerReader(der, LIMITS).enter(TAG.SEQUENCE).enter(TAG.SEQUENCE)
  fields.optional(contextConstructed(0), self => self.raw(contextConstructed(0)))
  return parseSerial(fields)
}

function parseSerial(fields: DerReader): string {
  const at = fields.offset
  const serial = fields.unsignedBytes()
  if (serial.length > MAX_SERIAL_OCTETS)
    throw new DerError('der.integer_too_large', at, 'The serial number is too long')
  return toHex(serial)
}

function parseVersion(reader: DerReader): 1 | 2 | 3 {
  const at = reader.offset
  const value = reader.smallInteger()
  if (value !== 0 && value !== 1 && value !== 2)
    throw new DerError('der.value_invalid', at, 'The version is not 1, 2 or 3')
  return (value + 1) as 1 | 2 | 3
}

/** The fields of a version 3 certificate to be; names, key and algorithm are whole DER elements. */
export interface TbsCertificate {
  /** The magnitude, big-endian. */
  readonly serialNumber: Uint8Array
  readonly signatureAlgorithm: Uint8Array
  readonly issuer: Uint8Array
  readonly notBefore: number
  readonly notAfter: number
  readonly subject: Uint8Array
  readonly subjectPublicKeyInfo: Uint8Array
  /** Whole Extension elements, one after the other, that a profile compiled once: written before `extensions`. */
  readonly precompiledExtensions?: Uint8Array | undefined
  readonly extensions: readonly Extension[]
}

/**
 * DER of TBSCertificate, version 3. This runs for every certificate of a batch, so lengths are added up first and the octets
 * are written once, in place: half the time of the general writer.
 */
export function encodeTbsCertificate(tbs: TbsCertificate, allocate: Allocate = allocateEach): Bytes {
  const { serialNumber, notBefore, notAfter, precompiledExtensions = EMPTY, extensions } = tbs
  let leading = 0
  while (leading < serialNumber.length - 1 && serialNumber[leading] === 0) leading++
  const serial = leading === 0 ? serialNumber : serialNumber.subarray(leading)
  // A sign octet where the first bit is set; an empty magnitude is zero, whose content is that one octet.
  const sign = serial.length === 0 || serial[0]! >= 0x80 ? 1 : 0
  const beforeOctets = isUtcTime(notBefore) ? UTC_TIME_OCTETS : GENERALIZED_TIME_OCTETS
  const afterOctets = isUtcTime(notAfter) ? UTC_TIME_OCTETS : GENERALIZED_TIME_OCTETS
  let extensionOctets = precompiledExtensions.length
  for (const extension of extensions) extensionOctets += sizeOf(extensionLength(extension))
  const length =
    VERSION_3.length +
    sizeOf(sign + serial.length) +
    tbs.signatureAlgorithm.length +
    tbs.issuer.length +
    sizeOf(4 + beforeOctets + afterOctets) +
    tbs.subject.length +
    tbs.subjectPublicKeyInfo.length +
    (extensionOctets === 0 ? 0 : sizeOf(sizeOf(extensionOctets)))

  const out = allocate(sizeOf(length))
  let at = putHeader(out, 0, TAG.SEQUENCE, length)
  at = put(out, at, VERSION_3)
  at = putHeader(out, at, TAG.INTEGER, sign + serial.length)
  at = put(out, at + sign, serial)
  at = put(out, at, tbs.signatureAlgorithm)
  at = put(out, at, tbs.issuer)
  at = putHeader(out, at, TAG.SEQUENCE, 4 + beforeOctets + afterOctets)
  at = putValidityTime(out, at, notBefore, beforeOctets)
  at = putValidityTime(out, at, notAfter, afterOctets)
  at = put(out, at, tbs.subject)
  at = put(out, at, tbs.subjectPublicKeyInfo)
  if (extensionOctets === 0) return out
  at = putHeader(out, at, contextConstructed(3), sizeOf(extensionOctets))
  at = putHeader(out, at, TAG.SEQUENCE, extensionOctets)
  at = put(out, at, precompiledExtensions)
  for (const extension of extensions) at = putExtension(out, at, extension)
  return out
}

/** `[0] EXPLICIT INTEGER 2`. */
const VERSION_3 = new Uint8Array([0xa0, 0x03, 0x02, 0x01, 0x02])

function putValidityTime(out: Bytes, at: number, seconds: number, octets: 13 | 15): number {
  const from = putHeader(out, at, octets === UTC_TIME_OCTETS ? TAG.UTC_TIME : TAG.GENERALIZED_TIME, octets)
  putTime(out, from, seconds, octets)
  return from + octets
}

/** Content octets of one Extension. */
function extensionLength({ oid, critical, value }: Extension): number {
  return sizeOf(oidContent(oid).length) + (critical ? 3 : 0) + sizeOf(value.length)
}

function putExtension(out: Bytes, at: number, extension: Extension): number {
  const oid = oidContent(extension.oid)
  let next = putHeader(out, at, TAG.SEQUENCE, extensionLength(extension))
  next = putHeader(out, next, TAG.OBJECT_IDENTIFIER, oid.length)
  next = put(out, next, oid)
  if (extension.critical) next = put(out, next, CRITICAL)
  next = putHeader(out, next, TAG.OCTET_STRING, extension.value.length)
  return put(out, next, extension.value)
}

/** `BOOLEAN TRUE`. */
const CRITICAL = new Uint8Array([0x01, 0x01, 0xff])

function put(out: Bytes, at: number, octets: Uint8Array): number {
  out.set(octets, at)
  return at + octets.length
}

/** Extension elements one after the other, for `precompiledExtensions`. */
export function compileExtensions(extensions: readonly Extension[]): Bytes {
  let length = 0
  for (const extension of extensions) length += sizeOf(extensionLength(extension))
  const out = new Uint8Array(length)
  let at = 0
  for (const extension of extensions) at = putExtension(out, at, extension)
  return out
}
