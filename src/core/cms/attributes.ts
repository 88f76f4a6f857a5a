// Signed and authenticated attributes (RFC 5652 §5.3, §11): SET OF Attribute, each type once, the three that CMS itself reads.
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { TAG } from '../asn1/tag.ts'
import { writeDer } from '../asn1/writer.ts'
import { type Bytes, concat } from '../bytes/bytes.ts'
import { type Attribute, parseAttribute, writeAttribute } from '../pki/extensions.ts'

/** Attribute types (RFC 5652 §11, RFC 2985 §5.3). */
export const CMS_ATTRIBUTE = {
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
} as const

/** Attributes in one SET that a stranger may send. */
const MAX_ATTRIBUTES = 64

export interface AttributeSet {
  /** The SET OF as it is signed: what was received, with the tag of SET in place of the context tag (RFC 5652 §5.4). */
  readonly raw: Uint8Array
  readonly attributes: readonly Attribute[]
}

export interface SignedAttributes extends AttributeSet {
  readonly contentType: string
  readonly messageDigest: Uint8Array
  /** Whole seconds since 1970. What the signer claims, not when it was. */
  readonly signingTime: number | undefined
}

/** `[n] IMPLICIT SET OF Attribute`. Throws `DerError`, also where the set is empty or a type stands twice. */
export function parseAttributeSet(reader: DerReader, tag: number): AttributeSet {
  const at = reader.offset
  const rest = reader.rest
  const attributes = reader.listOf(parseAttribute, { tag, limit: MAX_ATTRIBUTES })
  if (attributes.length === 0) throw new DerError('der.value_invalid', at, 'A set of attributes is empty')
  if (new Set(attributes.map(attribute => attribute.oid)).size !== attributes.length) {
    throw new DerError('der.value_invalid', at, 'An attribute stands twice')
  }
  const received = rest.subarray(0, reader.offset - at)
  return { raw: concat(new Uint8Array([TAG.SET]), received.subarray(1)), attributes }
}

/**
 * `signedAttrs [0]`: contentType and messageDigest must be there (RFC 5652 §5.3), each with one value (§11.1, §11.2).
 * Throws `DerError`.
 */
export function parseSignedAttributes(reader: DerReader, tag: number): SignedAttributes {
  const at = reader.offset
  const set = parseAttributeSet(reader, tag)
  const contentType = singleValue(set.attributes, CMS_ATTRIBUTE.contentType, at)
  const messageDigest = singleValue(set.attributes, CMS_ATTRIBUTE.messageDigest, at)
  if (!contentType || !messageDigest) {
    throw new DerError('der.value_invalid', at, 'Signed attributes must hold the content type and the message digest')
  }
  const signingTime = singleValue(set.attributes, CMS_ATTRIBUTE.signingTime, at)
  return {
    ...set,
    contentType: readDer(contentType, value => value.oid(), { base: at }),
    messageDigest: readDer(messageDigest, value => value.octetString(), { base: at }),
    signingTime: signingTime && readDer(signingTime, value => value.time(), { base: at }),
  }
}

const SIGNED_ONLY: readonly string[] = Object.values(CMS_ATTRIBUTE)

/**
 * `[n] IMPLICIT SET OF Attribute` that nothing protects. Throws `DerError`: also where it holds one of the three above, which
 * would then be anybody's claim (RFC 5652 §11.1 to §11.3: "MUST NOT be an unsigned attribute").
 */
export function parseUnprotectedAttributes(reader: DerReader, tag: number): readonly Attribute[] {
  const at = reader.offset
  const { attributes } = parseAttributeSet(reader, tag)
  if (attributes.some(({ oid }) => SIGNED_ONLY.includes(oid))) {
    throw new DerError('der.value_invalid', at, 'An attribute that must be signed is not')
  }
  return attributes
}

/** The value of an attribute that may have only one; `undefined` where the attribute is absent. Throws `der.value_invalid`. */
export function singleValue(attributes: readonly Attribute[], oid: string, offset = 0): Uint8Array | undefined {
  const attribute = attributes.find(candidate => candidate.oid === oid)
  if (attribute && attribute.values.length !== 1) {
    throw new DerError('der.value_invalid', offset, `The attribute ${oid} has not exactly one value`)
  }
  return attribute?.values[0]
}

/** SET OF Attribute in DER order, with the tag of SET: what is signed or authenticated. */
export function encodeAttributeSet(attributes: readonly Attribute[]): Bytes {
  return writeDer(w => w.setOf(attributes.map(attribute => writeDer(inner => writeAttribute(inner, attribute)))))
}

export interface SignedAttributesFields {
  /** The eContentType, which must be the same (RFC 5652 §11.1). */
  readonly contentType: string
  /** Digest of the content octets alone, without tag and length (RFC 5652 §5.4). */
  readonly messageDigest: Uint8Array
  readonly signingTime?: number | undefined
  readonly others?: readonly Attribute[] | undefined
}

/** The DER SET OF that is signed; `encodeSignerInfo` takes the same octets. */
export function encodeSignedAttributes(fields: SignedAttributesFields): Bytes {
  const { contentType, messageDigest, signingTime, others } = fields
  return encodeAttributeSet([
    { oid: CMS_ATTRIBUTE.contentType, values: [writeDer(w => w.oid(contentType), 32)] },
    { oid: CMS_ATTRIBUTE.messageDigest, values: [writeDer(w => w.octetString(messageDigest), 80)] },
    ...(signingTime === undefined
      ? []
      : [{ oid: CMS_ATTRIBUTE.signingTime, values: [writeDer(w => w.time(signingTime), 32)] }]),
    ...(others ?? []),
  ])
}
