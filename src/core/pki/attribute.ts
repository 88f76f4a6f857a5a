// Attribute (X.501; RFC 2986 §4.1, RFC 5652 §5.3, RFC 5958 §2): a type and a SET OF values, the values kept as received.
import { DerError } from '../asn1/der-error.ts'
import type { DerReader } from '../asn1/reader.ts'
import { TAG } from '../asn1/tag.ts'
import { type DerWriter, writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'

export interface Attribute {
  readonly type: string
  /** Whole DER elements. */
  readonly values: readonly Uint8Array[]
}

/** Attributes and values that one structure may carry. */
const MAX_ATTRIBUTES = 64

/** `Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET OF AttributeValue }` */
export function parseAttribute(reader: DerReader): Attribute {
  return reader.sequence(fields => ({
    type: fields.oid(),
    values: fields.listOf(value => value.any().raw, { tag: TAG.SET, limit: MAX_ATTRIBUTES }),
  }))
}

/** A SET OF Attribute under this tag (SET or an implicit context tag). */
export function parseAttributes(reader: DerReader, tag: number): Attribute[] {
  return reader.listOf(parseAttribute, { tag, limit: MAX_ATTRIBUTES })
}

export function encodeAttribute(attribute: Attribute): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      w.oid(attribute.type)
      w.setOf(attribute.values)
    }),
  )
}

export function writeAttributes(w: DerWriter, attributes: readonly Attribute[], tag: number = TAG.SET): void {
  w.setOf(attributes.map(encodeAttribute), tag)
}

/**
 * The one value of the attribute of this type, or `undefined` where the attribute is absent. Throws `der.value_invalid` where
 * the attribute stands twice or has not exactly one value (RFC 5652 §11).
 */
export function singleAttributeValue(attributes: readonly Attribute[], type: string): Uint8Array | undefined {
  const found = attributes.filter(attribute => attribute.type === type)
  if (found.length === 0) return undefined
  if (found.length > 1 || found[0]!.values.length !== 1) {
    throw new DerError('der.value_invalid', 0, `The attribute ${type} must stand once and have one value`)
  }
  return found[0]!.values[0]
}
