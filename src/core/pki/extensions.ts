// The meaning of certificate extensions (RFC 5280 §4.2): one parse and one encode function for each, from and to the DER
// inside extnValue. Policies, name constraints and distribution points have files of their own beside this one.
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { contextConstructed, contextPrimitive, TAG } from '../asn1/tag.ts'
import { type DerWriter, writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { fromHex, toHex } from '../bytes/hex.ts'
import type { Extension } from './extension.ts'
import {
  type GeneralName,
  parseGeneralName,
  parseGeneralNames,
  writeGeneralName,
  writeGeneralNames,
} from './general-name.ts'

/** Members of one list in an extension that a stranger may send. */
const MAX_MEMBERS = 256

/** An extension from its DER value. */
export function extension(oid: string, critical: boolean, value: Uint8Array): Extension {
  return { oid, critical, value }
}

export interface AuthorityKeyIdentifier {
  readonly keyIdentifier?: Uint8Array | undefined
  readonly authorityCertIssuer?: readonly GeneralName[] | undefined
  /** Lower-case hexadecimal of the magnitude, as in `Certificate.serialNumber`. */
  readonly authorityCertSerialNumber?: string | undefined
}

/**
 * RFC 5280 §4.2.1.1:
 * `SEQUENCE { keyIdentifier [0] OPTIONAL, authorityCertIssuer [1] GeneralNames OPTIONAL, authorityCertSerialNumber [2] OPTIONAL }`.
 */
export function parseAuthorityKeyIdentifier(value: Uint8Array): AuthorityKeyIdentifier {
  return readDer(value, reader =>
    reader.sequence(fields => ({
      keyIdentifier: fields.optional(contextPrimitive(0), self => self.octetString(contextPrimitive(0))),
      authorityCertIssuer: fields.optional(contextConstructed(1), self =>
        parseGeneralNames(self, contextConstructed(1)),
      ),
      authorityCertSerialNumber: fields.optional(contextPrimitive(2), self =>
        toHex(self.unsignedBytes(contextPrimitive(2))),
      ),
    })),
  )
}

export function encodeAuthorityKeyIdentifier(identifier: AuthorityKeyIdentifier): Bytes {
  const { keyIdentifier, authorityCertIssuer, authorityCertSerialNumber } = identifier
  return writeDer(w =>
    w.sequence(() => {
      if (keyIdentifier) w.octetString(keyIdentifier, contextPrimitive(0))
      if (authorityCertIssuer) writeGeneralNames(w, authorityCertIssuer, contextConstructed(1))
      if (authorityCertSerialNumber !== undefined) w.unsigned(fromHex(authorityCertSerialNumber), contextPrimitive(2))
    }),
  )
}

/** RFC 5280 §4.2.1.2: the octets of the key identifier. */
export function parseSubjectKeyIdentifier(value: Uint8Array): Uint8Array {
  return readDer(value, reader => reader.octetString())
}

export function encodeSubjectKeyIdentifier(keyIdentifier: Uint8Array): Bytes {
  return writeDer(w => w.octetString(keyIdentifier), keyIdentifier.length + 4)
}

/** Bits of KeyUsage in their order (RFC 5280 §4.2.1.3). */
const KEY_USAGE_BITS = [
  'digitalSignature',
  'contentCommitment',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const

export type KeyUsageBit = (typeof KEY_USAGE_BITS)[number]

/** RFC 5280 §4.2.1.3: the bits that are set, in their order. Bits beyond decipherOnly are refused. */
export function parseKeyUsage(value: Uint8Array): KeyUsageBit[] {
  const { bytes } = readDer(value, reader => reader.bitString())
  const bits: KeyUsageBit[] = []
  for (let i = 0; i < bytes.length * 8; i++) {
    if (!(bytes[i >> 3]! & (0x80 >> (i & 7)))) continue
    const bit = KEY_USAGE_BITS[i]
    if (bit === undefined) throw new DerError('der.value_invalid', 0, `KeyUsage has no bit ${i}`)
    bits.push(bit)
  }
  return bits
}

export function encodeKeyUsage(bits: readonly KeyUsageBit[]): Bytes {
  return writeDer(w => w.namedBits(bits.map(bit => KEY_USAGE_BITS.indexOf(bit))), 8)
}

/** RFC 5280 §4.2.1.6. */
export function parseSubjectAltName(value: Uint8Array): GeneralName[] {
  return readDer(value, reader => parseGeneralNames(reader))
}

export function encodeSubjectAltName(names: readonly GeneralName[]): Bytes {
  return writeDer(w => writeGeneralNames(w, names))
}

/** RFC 5280 §4.2.1.7. */
export function parseIssuerAltName(value: Uint8Array): GeneralName[] {
  return parseSubjectAltName(value)
}

export function encodeIssuerAltName(names: readonly GeneralName[]): Bytes {
  return encodeSubjectAltName(names)
}

/** An X.501 Attribute: `values` are whole DER elements. */
export interface Attribute {
  readonly oid: string
  readonly values: readonly Uint8Array[]
}

/** `Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET OF ANY }` (RFC 5280 Appendix A.1). */
export function parseAttribute(reader: DerReader): Attribute {
  return reader.sequence(fields => ({
    oid: fields.oid(),
    values: fields.listOf(member => member.any().raw, { tag: TAG.SET, limit: MAX_MEMBERS }),
  }))
}

export function writeAttribute(w: DerWriter, attribute: Attribute): void {
  w.sequence(() => w.oid(attribute.oid).setOf(attribute.values))
}

/** RFC 5280 §4.2.1.8. */
export function parseSubjectDirectoryAttributes(value: Uint8Array): Attribute[] {
  return readDer(value, reader => atLeastOne(reader, self => self.listOf(parseAttribute, { limit: MAX_MEMBERS })))
}

export function encodeSubjectDirectoryAttributes(attributes: readonly Attribute[]): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      for (const attribute of attributes) writeAttribute(w, attribute)
    }),
  )
}

export interface BasicConstraints {
  readonly cA: boolean
  readonly pathLenConstraint?: number | undefined
}

/** RFC 5280 §4.2.1.9: `SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER (0..MAX) OPTIONAL }`. */
export function parseBasicConstraints(value: Uint8Array): BasicConstraints {
  return readDer(value, reader =>
    reader.sequence(fields => {
      const cA = fields.optional(TAG.BOOLEAN, self => self.boolean()) ?? false
      const pathLenConstraint = fields.optional(TAG.INTEGER, nonNegative)
      return { cA, pathLenConstraint }
    }),
  )
}

export function encodeBasicConstraints(constraints: BasicConstraints): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      if (constraints.cA) w.boolean(true)
      if (constraints.pathLenConstraint !== undefined) w.integer(constraints.pathLenConstraint)
    }),
  )
}

/** RFC 5280 §4.2.1.12: the purposes as OIDs. */
export function parseExtendedKeyUsage(value: Uint8Array): string[] {
  return readDer(value, reader =>
    atLeastOne(reader, self => self.listOf(member => member.oid(), { limit: MAX_MEMBERS })),
  )
}

export function encodeExtendedKeyUsage(purposes: readonly string[]): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      for (const purpose of purposes) w.oid(purpose)
    }),
  )
}

export interface AccessDescription {
  readonly accessMethod: string
  readonly accessLocation: GeneralName
}

/** RFC 5280 §4.2.2.1. */
export function parseAuthorityInfoAccess(value: Uint8Array): AccessDescription[] {
  return readDer(value, reader =>
    atLeastOne(reader, self =>
      self.listOf(
        member => member.sequence(fields => ({ accessMethod: fields.oid(), accessLocation: parseGeneralName(fields) })),
        { limit: MAX_MEMBERS },
      ),
    ),
  )
}

export function encodeAuthorityInfoAccess(descriptions: readonly AccessDescription[]): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      for (const { accessMethod, accessLocation } of descriptions) {
        w.sequence(() => writeGeneralName(w.oid(accessMethod), accessLocation))
      }
    }),
  )
}

/** RFC 5280 §4.2.2.2. */
export function parseSubjectInfoAccess(value: Uint8Array): AccessDescription[] {
  return parseAuthorityInfoAccess(value)
}

export function encodeSubjectInfoAccess(descriptions: readonly AccessDescription[]): Bytes {
  return encodeAuthorityInfoAccess(descriptions)
}

/** RFC 6960 §4.2.2.2.1: id-pkix-ocsp-nocheck is a NULL. */
export function parseOcspNoCheck(value: Uint8Array): true {
  readDer(value, reader => reader.null())
  return true
}

export function encodeOcspNoCheck(): Bytes {
  return writeDer(w => w.null(), 2)
}

/** `SIZE (1..MAX)`: an empty list is an error. */
export function atLeastOne<T>(reader: DerReader, list: (self: DerReader) => T[]): T[] {
  const at = reader.offset
  const members = list(reader)
  if (members.length === 0) throw new DerError('der.value_invalid', at, 'The list is empty')
  return members
}

/** `INTEGER (0..MAX)` of a size that makes sense for a count. */
export function nonNegative(reader: DerReader, tag: number = TAG.INTEGER): number {
  const at = reader.offset
  const value = reader.smallInteger(tag)
  if (value < 0) throw new DerError('der.integer_invalid', at, 'The count is negative')
  return value
}
