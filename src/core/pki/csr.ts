// Certification requests: PKCS#10 (RFC 2986) with the attributes of RFC 2985 and RFC 7030 §4.4.
// Attributes that nobody here knows survive as octets; a request that asks for the same attribute twice is refused.
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { contextConstructed, TAG } from '../asn1/tag.ts'
import { writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { decodeString, encodeString } from './directory-string.ts'
import { type Extension, parseExtensions, writeExtensions } from './extension.ts'
import { type Attribute, parseAttribute, writeAttribute } from './extensions.ts'
import { type Name, parseName } from './name.ts'
import { OID } from './oids.ts'
import { parseSigned, type Signed } from './signed.ts'
import { parseSubjectPublicKeyInfo, type SubjectPublicKeyInfo } from './spki.ts'

export interface CertificationRequest extends Signed {
  readonly subject: Name
  readonly subjectPublicKeyInfo: SubjectPublicKeyInfo
  readonly attributes: readonly Attribute[]
  /** What extensionRequest asks for (RFC 2985 §5.4.2); empty without one. */
  readonly requestedExtensions: readonly Extension[]
  /** RFC 2985 §5.4.1; compared in constant time by whoever judges it. */
  readonly challengePassword: string | undefined
}

/** Octets of one request that we read: as for certificates, with room for attestation evidence. */
export const MAX_REQUEST_OCTETS = 256 * 1024
const LIMITS = { maxInput: MAX_REQUEST_OCTETS }

/** Attributes in one request that a stranger may send. */
const MAX_ATTRIBUTES = 64

/**
 * `CertificationRequest` (RFC 2986 §4). Throws `DerError`, also where an attribute stands twice or where a single-valued
 * attribute has not exactly one value. The signature is not verified here.
 */
export function parseCertificationRequest(der: Uint8Array): CertificationRequest {
  const signed = readDer(der, reader => parseSigned(reader), LIMITS)
  const base = signed.tbs.byteOffset - der.byteOffset
  return readDer(signed.tbs, reader => reader.sequence(fields => readInfo(fields, signed)), { ...LIMITS, base })
}

function readInfo(fields: DerReader, signed: Signed): CertificationRequest {
  const versionAt = fields.offset
  if (fields.smallInteger() !== 0)
    throw new DerError('der.value_invalid', versionAt, 'The version of the request is not 0')
  const subject = parseName(fields)
  const subjectPublicKeyInfo = parseSubjectPublicKeyInfo(fields)
  const attributesAt = fields.offset
  const attributes = fields.empty ? [] : parseAttributes(fields)
  const at = (oid: string) => singleValue(attributes, oid, attributesAt)
  const extensionRequest = at(OID.extensionRequest)
  const challenge = at(OID.challengePassword)
  return {
    ...signed,
    subject,
    subjectPublicKeyInfo,
    attributes,
    requestedExtensions: extensionRequest ? parseRequestedExtensions(extensionRequest) : [],
    challengePassword: challenge ? parseChallengePassword(challenge) : undefined,
  }
}

/**
 * `attributes [0] Attributes`. Two things that requests of devices get wrong are let pass, as OpenSSL does: RFC 2986 has the
 * field always, some leave it out where it is empty; and the members of the SET OF are not always in DER order.
 */
function parseAttributes(reader: DerReader): Attribute[] {
  const at = reader.offset
  const attributes = reader.listOf(parseAttribute, { tag: contextConstructed(0), limit: MAX_ATTRIBUTES })
  if (new Set(attributes.map(attribute => attribute.oid)).size !== attributes.length) {
    throw new DerError('der.value_invalid', at, 'An attribute stands twice in the request')
  }
  return attributes
}

function singleValue(attributes: readonly Attribute[], oid: string, at: number): Uint8Array | undefined {
  const attribute = attributes.find(candidate => candidate.oid === oid)
  if (attribute === undefined) return undefined
  if (attribute.values.length !== 1)
    throw new DerError('der.value_invalid', at, `The attribute ${oid} has not exactly one value`)
  return attribute.values[0]!
}

/** `Extensions` may be empty here: a request that asks for nothing is harmless, and some tools write it. */
function parseRequestedExtensions(value: Uint8Array): Extension[] {
  if (value.length === 2 && value[0] === TAG.SEQUENCE && value[1] === 0) return []
  return readDer(value, parseExtensions)
}

/** `DirectoryString {255}`, any of its string types; IA5String too, which several enrolment clients write. */
function parseChallengePassword(value: Uint8Array): string {
  return readDer(value, reader => {
    const { tag, content } = reader.any()
    return decodeString(tag, content)
  })
}

export interface CertificationRequestInfo {
  /** Name DER. */
  readonly subject: Uint8Array
  /** SubjectPublicKeyInfo DER. */
  readonly subjectPublicKeyInfo: Uint8Array
  readonly attributes?: readonly Attribute[] | undefined
}

/** DER of CertificationRequestInfo (RFC 2986 §4.1): what the requester signs. */
export function encodeCertificationRequestInfo(info: CertificationRequestInfo): Bytes {
  const attributes = (info.attributes ?? []).map(attribute => writeDer(w => writeAttribute(w, attribute)))
  return writeDer(w =>
    w.sequence(() =>
      w.integer(0).raw(info.subject).raw(info.subjectPublicKeyInfo).setOf(attributes, contextConstructed(0)),
    ),
  )
}

/** RFC 2985 §5.4.2. */
export function extensionRequestAttribute(extensions: readonly Extension[]): Attribute {
  return { oid: OID.extensionRequest, values: [writeDer(w => writeExtensions(w, extensions))] }
}

/** RFC 2985 §5.4.1: PrintableString where the alphabet allows it, else UTF8String. */
export function challengePasswordAttribute(password: string): Attribute {
  const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(password)
  const tag = printable ? TAG.PRINTABLE_STRING : TAG.UTF8_STRING
  return { oid: OID.challengePassword, values: [writeDer(w => w.primitive(tag, encodeString(tag, password)), 300)] }
}

export interface SmimeCapability {
  readonly capabilityID: string
  /** A whole DER element, where the capability has parameters. */
  readonly parameters?: Uint8Array | undefined
}

/** Capabilities in the order of preference (RFC 8551 §2.5.2): RFC 7030 §4.4.1 wants them beside a key identifier. */
export function smimeCapabilitiesAttribute(capabilities: readonly SmimeCapability[]): Attribute {
  const value = writeDer(w =>
    w.sequence(() => {
      for (const { capabilityID, parameters } of capabilities) {
        w.sequence(() => {
          w.oid(capabilityID)
          if (parameters) w.raw(parameters)
        })
      }
    }),
  )
  return { oid: OID.smimeCapabilities, values: [value] }
}

/** The capabilities, or `undefined` where the request has none. */
export function smimeCapabilities(attributes: readonly Attribute[]): SmimeCapability[] | undefined {
  const value = singleValue(attributes, OID.smimeCapabilities, 0)
  if (value === undefined) return undefined
  return readDer(value, reader =>
    reader.listOf(
      member =>
        member.sequence(fields => ({
          capabilityID: fields.oid(),
          parameters: fields.empty ? undefined : fields.any().raw,
        })),
      { limit: MAX_ATTRIBUTES },
    ),
  )
}

/** RFC 7030 §4.4.1.1: which shared secret the server shall encrypt the private key with. */
export function decryptKeyIdentifierAttribute(identifier: Uint8Array): Attribute {
  return { oid: OID.decryptKeyID, values: [writeDer(w => w.octetString(identifier))] }
}

export function decryptKeyIdentifier(attributes: readonly Attribute[]): Uint8Array | undefined {
  const value = singleValue(attributes, OID.decryptKeyID, 0)
  return value && readDer(value, reader => reader.octetString())
}

/** RFC 7030 §4.4.1.2: which of the client's public keys the server shall encrypt the private key for. */
export function asymmetricDecryptKeyIdentifierAttribute(identifier: Uint8Array): Attribute {
  return { oid: OID.asymmDecryptKeyID, values: [writeDer(w => w.octetString(identifier))] }
}

export function asymmetricDecryptKeyIdentifier(attributes: readonly Attribute[]): Uint8Array | undefined {
  const value = singleValue(attributes, OID.asymmDecryptKeyID, 0)
  return value && readDer(value, reader => reader.octetString())
}
