// GeneralName (RFC 5280 §4.2.1.6) with the two other names that devices carry: HardwareModuleName (RFC 4108 §5) and
// PermanentIdentifier (RFC 4043 §2). Choices that nobody here interprets (x400Address, ediPartyName) survive as octets.
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { contextConstructed, contextPrimitive, TAG } from '../asn1/tag.ts'
import { type DerWriter, writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { decodeStringAt, encodeString } from './directory-string.ts'
import { type Name, parseName } from './name.ts'
import { OID } from './oids.ts'

export type GeneralName =
  | { readonly kind: 'rfc822Name' | 'dNSName' | 'uniformResourceIdentifier'; readonly value: string }
  | { readonly kind: 'directoryName'; readonly name: Name }
  | { readonly kind: 'iPAddress'; readonly bytes: Uint8Array }
  | { readonly kind: 'registeredID'; readonly oid: string }
  /** `value` is the DER inside `[0] EXPLICIT`. */
  | { readonly kind: 'otherName'; readonly typeId: string; readonly value: Uint8Array }
  /** `raw` is the whole element, tag included. */
  | { readonly kind: 'other'; readonly tag: number; readonly raw: Uint8Array }

/** Names in one GeneralNames that a stranger may send. */
const MAX_NAMES = 1024

const OTHER_NAME = contextConstructed(0)
const RFC822_NAME = contextPrimitive(1)
const DNS_NAME = contextPrimitive(2)
const X400_ADDRESS = contextConstructed(3)
const DIRECTORY_NAME = contextConstructed(4)
const EDI_PARTY_NAME = contextConstructed(5)
const URI = contextPrimitive(6)
const IP_ADDRESS = contextPrimitive(7)
const REGISTERED_ID = contextPrimitive(8)

/** One member of the CHOICE. Throws `DerError`; the three texts must be IA5. */
export function parseGeneralName(reader: DerReader): GeneralName {
  const at = reader.offset
  const tag = reader.peekTag()
  switch (tag) {
    case RFC822_NAME:
      return { kind: 'rfc822Name', value: reader.inPlace(decodeIa5) }
    case DNS_NAME:
      return { kind: 'dNSName', value: reader.inPlace(decodeIa5) }
    case URI:
      return { kind: 'uniformResourceIdentifier', value: reader.inPlace(decodeIa5) }
    case DIRECTORY_NAME:
      // EXPLICIT, because Name is a CHOICE (X.680 §31.2.7).
      return { kind: 'directoryName', name: reader.nested(tag, parseName) }
    case IP_ADDRESS:
      return { kind: 'iPAddress', bytes: reader.content(tag) }
    case REGISTERED_ID:
      return { kind: 'registeredID', oid: reader.oid(tag) }
    case OTHER_NAME:
      return reader.nested(tag, inner => {
        const typeId = inner.oid()
        return { kind: 'otherName', typeId, value: inner.nested(contextConstructed(0), value => value.any().raw) }
      })
    case X400_ADDRESS:
    case EDI_PARTY_NAME:
      return { kind: 'other', tag, raw: reader.raw(tag) }
    default:
      throw new DerError('der.tag_unexpected', at, 'The element is no GeneralName')
  }
}

/** The three texts have implicit tags; what they are is IA5String. */
function decodeIa5(_tag: number, bytes: Uint8Array, from: number, to: number, offset: number): string {
  return decodeStringAt(TAG.IA5_STRING, bytes, from, to, offset)
}

/** `GeneralNames ::= SEQUENCE SIZE (1..MAX) OF GeneralName`, or with an implicit tag in place of SEQUENCE. */
export function parseGeneralNames(reader: DerReader, tag: number = TAG.SEQUENCE): GeneralName[] {
  const at = reader.offset
  const names = reader.listOf(parseGeneralName, { tag, limit: MAX_NAMES })
  if (names.length === 0) throw new DerError('der.value_invalid', at, 'A list of names is empty')
  return names
}

/** Throws `name.value_invalid` where a text is not IA5. */
export function writeGeneralName(w: DerWriter, name: GeneralName): void {
  switch (name.kind) {
    case 'rfc822Name':
      w.primitive(RFC822_NAME, encodeString(TAG.IA5_STRING, name.value))
      return
    case 'dNSName':
      w.primitive(DNS_NAME, encodeString(TAG.IA5_STRING, name.value))
      return
    case 'uniformResourceIdentifier':
      w.primitive(URI, encodeString(TAG.IA5_STRING, name.value))
      return
    case 'directoryName':
      w.constructed(DIRECTORY_NAME, () => w.raw(name.name.raw))
      return
    case 'iPAddress':
      w.primitive(IP_ADDRESS, name.bytes)
      return
    case 'registeredID':
      w.oid(name.oid, REGISTERED_ID)
      return
    case 'otherName':
      w.constructed(OTHER_NAME, () => w.oid(name.typeId).constructed(contextConstructed(0), () => w.raw(name.value)))
      return
    case 'other':
      w.raw(name.raw)
      return
    default:
      name satisfies never
  }
}

export function writeGeneralNames(w: DerWriter, names: readonly GeneralName[], tag: number = TAG.SEQUENCE): void {
  w.constructed(tag, () => {
    for (const name of names) writeGeneralName(w, name)
  })
}

export interface HardwareModuleName {
  /** The OID that the manufacturer gave this hardware type. */
  readonly hwType: string
  readonly hwSerialNum: Uint8Array
}

/** `HardwareModuleName ::= SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }` as otherName (RFC 4108 §5). */
export function encodeHardwareModuleName(hwType: string, hwSerialNum: Uint8Array): GeneralName {
  return {
    kind: 'otherName',
    typeId: OID.hardwareModuleName,
    value: writeDer(w => w.sequence(() => w.oid(hwType).octetString(hwSerialNum)), 64),
  }
}

/** `undefined` where the name is of another kind; throws `DerError` where it claims to be one and is not. */
export function parseHardwareModuleName(name: GeneralName): HardwareModuleName | undefined {
  if (name.kind !== 'otherName' || name.typeId !== OID.hardwareModuleName) return undefined
  return readDer(name.value, reader =>
    reader.sequence(fields => ({ hwType: fields.oid(), hwSerialNum: fields.octetString() })),
  )
}

export interface PermanentIdentifier {
  /** Unique for the subject within the assigner (RFC 4043 §2). */
  readonly identifierValue: string | undefined
  /** Who assigned it; absent: the certificate's issuer. */
  readonly assigner: string | undefined
}

/** `PermanentIdentifier ::= SEQUENCE { identifierValue UTF8String OPTIONAL, assigner OBJECT IDENTIFIER OPTIONAL }`. */
export function encodePermanentIdentifier(identifierValue: string | undefined, assigner?: string): GeneralName {
  const value = writeDer(w =>
    w.sequence(() => {
      if (identifierValue !== undefined) w.primitive(TAG.UTF8_STRING, encodeString(TAG.UTF8_STRING, identifierValue))
      if (assigner !== undefined) w.oid(assigner)
    }),
  )
  return { kind: 'otherName', typeId: OID.permanentIdentifier, value }
}

/** `undefined` where the name is of another kind; throws `DerError` where it claims to be one and is not. */
export function parsePermanentIdentifier(name: GeneralName): PermanentIdentifier | undefined {
  if (name.kind !== 'otherName' || name.typeId !== OID.permanentIdentifier) return undefined
  return readDer(name.value, reader =>
    reader.sequence(fields => {
      const text = fields.optional(TAG.UTF8_STRING, self => self.inPlace(decodeStringAt))
      return { identifierValue: text, assigner: fields.optional(TAG.OBJECT_IDENTIFIER, self => self.oid()) }
    }),
  )
}

/** A GeneralName alone, for places that take one (access locations, subtree bases). */
export function encodeGeneralName(name: GeneralName): Bytes {
  return writeDer(w => writeGeneralName(w, name), 128)
}
