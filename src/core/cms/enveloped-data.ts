// EnvelopedData (RFC 5652 §6) and AuthEnvelopedData (RFC 5083): content that only its recipients can read. Grammar only: keys
// are locked and unlocked in `crypto/cms.ts`.
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { contextConstructed, contextPrimitive, TAG } from '../asn1/tag.ts'
import { type DerWriter, writeDer } from '../asn1/writer.ts'
import { type Bytes, concat } from '../bytes/bytes.ts'
import { type AlgorithmIdentifier, parseAlgorithmIdentifier } from '../pki/algorithm-identifier.ts'
import type { Attribute } from '../pki/extensions.ts'
import { type AttributeSet, parseAttributeSet, parseUnprotectedAttributes } from './attributes.ts'
import { CONTENT_TYPE, encodeContentInfo, parseContentInfo, wrongContentType } from './content-info.ts'
import {
  encodeRecipientInfo,
  parseRecipientInfo,
  type RecipientInfo,
  type RecipientInfoFields,
} from './recipient-info.ts'

const ORIGINATOR_INFO = contextConstructed(0)
const ENCRYPTED_CONTENT = contextPrimitive(0)
/** BER: the ciphertext in segments, which are OCTET STRINGs. Go's PKCS#7 packages write one segment, streaming writers many. */
const SEGMENTED_CONTENT = contextConstructed(0)
const MAX_SEGMENTS = 65_536
const FIRST_ATTRIBUTES = contextConstructed(1)
const SECOND_ATTRIBUTES = contextConstructed(2)

/** Recipients of one message that a stranger may send. */
const MAX_RECIPIENTS = 64

export interface EncryptedContentInfo {
  readonly contentType: string
  readonly contentEncryptionAlgorithm: AlgorithmIdentifier
  /** `undefined` where the ciphertext is elsewhere. */
  readonly encryptedContent: Uint8Array | undefined
}

export interface EnvelopedData extends EncryptedContentInfo {
  readonly kind: 'envelopedData'
  readonly recipientInfos: readonly RecipientInfo[]
  readonly unprotectedAttributes: readonly Attribute[]
}

export interface AuthEnvelopedData extends EncryptedContentInfo {
  readonly kind: 'authEnvelopedData'
  readonly recipientInfos: readonly RecipientInfo[]
  /** `raw` is the additional authenticated data (RFC 5083 §2.2). */
  readonly authenticatedAttributes: AttributeSet | undefined
  readonly mac: Uint8Array
  readonly unauthenticatedAttributes: readonly Attribute[]
}

/** Reads a ContentInfo that holds either kind. Throws `DerError`, or `cms.content_type` where it holds something else. */
export function parseEnvelope(ber: Uint8Array): EnvelopedData | AuthEnvelopedData {
  const { contentType, content } = parseContentInfo(ber)
  if (contentType === CONTENT_TYPE.envelopedData) return readDer(content, readEnvelopedData)
  if (contentType === CONTENT_TYPE.authEnvelopedData) return readDer(content, readAuthEnvelopedData)
  throw wrongContentType(CONTENT_TYPE.envelopedData, contentType)
}

/**
 *     EnvelopedData ::= SEQUENCE { version, originatorInfo [0] IMPLICIT OriginatorInfo OPTIONAL, recipientInfos SET SIZE (1..MAX) OF
 *       RecipientInfo, encryptedContentInfo, unprotectedAttrs [1] IMPLICIT SET OF Attribute OPTIONAL }
 */
function readEnvelopedData(reader: DerReader): EnvelopedData {
  return reader.sequence(fields => {
    requireVersion(fields, [0, 2, 3, 4])
    const recipientInfos = parseRecipients(fields)
    const content = parseEncryptedContentInfo(fields)
    const unprotected = fields.optional(FIRST_ATTRIBUTES, self => parseUnprotectedAttributes(self, FIRST_ATTRIBUTES))
    return {
      kind: 'envelopedData',
      recipientInfos,
      ...content,
      unprotectedAttributes: unprotected ?? [],
    }
  })
}

/**
 *     AuthEnvelopedData ::= SEQUENCE { version (0), originatorInfo [0] IMPLICIT OriginatorInfo OPTIONAL, recipientInfos,
 *       authEncryptedContentInfo EncryptedContentInfo, authAttrs [1] IMPLICIT SET OF Attribute OPTIONAL,
 *       mac OCTET STRING, unauthAttrs [2] IMPLICIT SET OF Attribute OPTIONAL }
 */
function readAuthEnvelopedData(reader: DerReader): AuthEnvelopedData {
  return reader.sequence(fields => {
    requireVersion(fields, [0])
    const recipientInfos = parseRecipients(fields)
    const content = parseEncryptedContentInfo(fields)
    const attributesAt = fields.offset
    const authenticatedAttributes = fields.optional(FIRST_ATTRIBUTES, self => parseAttributeSet(self, FIRST_ATTRIBUTES))
    // RFC 5083 §2.1: the content type of anything but plain data must be authenticated.
    if (!authenticatedAttributes && content.contentType !== CONTENT_TYPE.data) {
      throw new DerError('der.value_invalid', attributesAt, 'The authenticated attributes are missing')
    }
    const mac = fields.octetString()
    const unauthenticated = fields.optional(SECOND_ATTRIBUTES, self =>
      parseUnprotectedAttributes(self, SECOND_ATTRIBUTES),
    )
    return {
      kind: 'authEnvelopedData',
      recipientInfos,
      ...content,
      authenticatedAttributes,
      mac,
      unauthenticatedAttributes: unauthenticated ?? [],
    }
  })
}

function requireVersion(reader: DerReader, versions: readonly number[]): void {
  const at = reader.offset
  if (!versions.includes(reader.smallInteger())) {
    throw new DerError('der.value_invalid', at, 'The version of the envelope is none that we know')
  }
}

/** The originator's certificates and CRLs are stepped over: ephemeral keys need none. */
function parseRecipients(fields: DerReader): RecipientInfo[] {
  fields.optional(ORIGINATOR_INFO, self => self.raw(ORIGINATOR_INFO))
  const at = fields.offset
  const recipients = fields.listOf(parseRecipientInfo, { tag: TAG.SET, limit: MAX_RECIPIENTS })
  if (recipients.length === 0) throw new DerError('der.value_invalid', at, 'The envelope has no recipient')
  return recipients
}

/** `SEQUENCE { contentType, contentEncryptionAlgorithm, encryptedContent [0] IMPLICIT OCTET STRING OPTIONAL }` */
function parseEncryptedContentInfo(reader: DerReader): EncryptedContentInfo {
  return reader.sequence(fields => ({
    contentType: fields.oid(),
    contentEncryptionAlgorithm: parseAlgorithmIdentifier(fields),
    encryptedContent: parseEncryptedContent(fields),
  }))
}

function parseEncryptedContent(fields: DerReader): Uint8Array | undefined {
  if (fields.peekTag() !== SEGMENTED_CONTENT) {
    return fields.optional(ENCRYPTED_CONTENT, self => self.octetString(ENCRYPTED_CONTENT))
  }
  const segments = fields.listOf(segment => segment.octetString(), { tag: SEGMENTED_CONTENT, limit: MAX_SEGMENTS })
  return concat(...segments)
}

export interface EnvelopeFields {
  readonly recipientInfos: readonly RecipientInfoFields[]
  readonly contentType: string
  /** A whole AlgorithmIdentifier. */
  readonly contentEncryptionAlgorithm: Uint8Array
  readonly encryptedContent: Uint8Array
}

/** A ContentInfo that holds an EnvelopedData, with the version that RFC 5652 §6.1 wants. */
export function encodeEnvelopedData(fields: EnvelopeFields): Bytes {
  const { recipientInfos } = fields
  // Version 0 where every recipient is of version 0, else 2: there is never an originator or an attribute.
  const plain = recipientInfos.every(
    recipient => recipient.kind === 'keyTransport' && recipient.rid.kind === 'issuerAndSerialNumber',
  )
  const der = writeDer(
    w =>
      w.sequence(() => {
        w.integer(plain ? 0 : 2)
        writeRecipientsAndContent(w, fields)
      }),
    fields.encryptedContent.length + 2048,
  )
  return encodeContentInfo(CONTENT_TYPE.envelopedData, der)
}

/**
 * A ContentInfo that holds an AuthEnvelopedData. `authenticatedAttributes` is the SET OF from `encodeAttributeSet`, needed
 * unless the content is plain data (RFC 5083 §2.1).
 */
export function encodeAuthEnvelopedData(
  fields: EnvelopeFields & { readonly authenticatedAttributes?: Uint8Array | undefined; readonly mac: Uint8Array },
): Bytes {
  const { authenticatedAttributes, mac } = fields
  const der = writeDer(
    w =>
      w.sequence(() => {
        w.integer(0)
        writeRecipientsAndContent(w, fields)
        if (authenticatedAttributes) {
          w.raw(concat(new Uint8Array([FIRST_ATTRIBUTES]), authenticatedAttributes.subarray(1)))
        }
        w.octetString(mac)
      }),
    fields.encryptedContent.length + 2048,
  )
  return encodeContentInfo(CONTENT_TYPE.authEnvelopedData, der)
}

function writeRecipientsAndContent(w: DerWriter, fields: EnvelopeFields): void {
  w.setOf(fields.recipientInfos.map(encodeRecipientInfo))
  w.sequence(() => {
    w.oid(fields.contentType).raw(fields.contentEncryptionAlgorithm)
    w.octetString(fields.encryptedContent, ENCRYPTED_CONTENT)
  })
}
