// X.509 certificates (RFC 5280 §4.1): read as received, written field by field.
// A parsed certificate holds views into the octets that came; what was signed is verified as it came.
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { contextConstructed, contextPrimitive, TAG } from '../asn1/tag.ts'
import { writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { equalBytes } from '../bytes/bytes.ts'
import { toHex } from '../bytes/hex.ts'
import { type AlgorithmIdentifier, parseAlgorithmIdentifier } from './algorithm-identifier.ts'
import { type Extension, parseExtensions } from './extension.ts'
import { type Name, parseName } from './name.ts'
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

/** Octets of a serial number that we read. RFC 5280 §4.1.2.2 allows CAs 20; a few in the field have more. */
const MAX_SERIAL_OCTETS = 64

/** Throws `DerError`, also where the two signature algorithms differ or the serial number is negative. */
export function parseCertificate(der: Uint8Array): Certificate {
  const { raw, tbs, signatureAlgorithm, signature } = readDer(der, reader => parseSigned(reader))
  const fields = parseTbsCertificate(tbs)
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

/** `TBSCertificate` (RFC 5280 §4.1.2). Throws `DerError` with the offset within `tbs`. */
export function parseTbsCertificate(tbs: Uint8Array): CertificateFields {
  return readDer(tbs, reader => reader.sequence(fields => readFields(fields, tbs)))
}

function readFields(fields: DerReader, tbs: Uint8Array): CertificateFields {
  const version = fields.optional(contextConstructed(0), self => self.nested(contextConstructed(0), parseVersion)) ?? 1
  const serialAt = fields.offset
  const serial = fields.unsignedBytes()
  if (serial.length > MAX_SERIAL_OCTETS)
    throw new DerError('der.integer_too_large', serialAt, 'The serial number is too long')
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
    serialNumber: toHex(serial),
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

/** DER of TBSCertificate, version 3. */
export function encodeTbsCertificate(tbs: TbsCertificate): Bytes {
  const { precompiledExtensions, extensions } = tbs
  return writeDer(w =>
    w.sequence(() => {
      w.constructed(contextConstructed(0), () => w.integer(2))
      w.unsigned(tbs.serialNumber)
      w.raw(tbs.signatureAlgorithm)
      w.raw(tbs.issuer)
      w.sequence(() => w.time(tbs.notBefore).time(tbs.notAfter))
      w.raw(tbs.subject)
      w.raw(tbs.subjectPublicKeyInfo)
      if (extensions.length === 0 && !precompiledExtensions?.length) return
      w.constructed(contextConstructed(3), () =>
        w.sequence(() => {
          if (precompiledExtensions) w.raw(precompiledExtensions)
          for (const extension of extensions) {
            w.sequence(() => {
              w.oid(extension.oid)
              if (extension.critical) w.boolean(true)
              w.octetString(extension.value)
            })
          }
        }),
      )
    }),
  )
}

/** Extension elements one after the other, for `precompiledExtensions`. */
export function compileExtensions(extensions: readonly Extension[]): Bytes {
  return writeDer(w => {
    for (const extension of extensions) {
      w.sequence(() => {
        w.oid(extension.oid)
        if (extension.critical) w.boolean(true)
        w.octetString(extension.value)
      })
    }
  })
}
