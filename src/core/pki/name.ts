// Distinguished names (RFC 5280 §4.1.2.4): their DER, their text form (RFC 4514) and their comparison (RFC 5280 §7.1).
// A parsed name keeps the octets it came in; the text of a value is decoded once, strictly, and its string type is remembered.
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { TAG } from '../asn1/tag.ts'
import { type DerWriter, writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { compareBytes, equalBytes } from '../bytes/bytes.ts'
import { fromHex, toHex } from '../bytes/hex.ts'
import { fromUtf8, toUtf8 } from '../bytes/utf8.ts'
import { TouchmarkError } from '../errors.ts'
import { decodeStringAt, encodeString, isStringTag } from './directory-string.ts'

export interface AttributeTypeAndValue {
  /** The attribute type as a dotted OID. */
  readonly type: string
  /** The text. Where `tag` is no string type: `#` and the hexadecimal DER of the whole value, as RFC 4514 §2.4 writes it. */
  readonly value: string
  /** The identifier octet of the value: which string type it is. */
  readonly tag: number
}

/** What `encodeName` takes: `tag` may be left to the attribute's usual string type. */
export interface AttributeInput {
  readonly type: string
  readonly value: string
  readonly tag?: number
}

export interface Name {
  /** The whole RDNSequence as received. */
  readonly raw: Uint8Array
  /** In encoding order: the most significant RDN (country, organisation) usually first. */
  readonly rdns: readonly (readonly AttributeTypeAndValue[])[]
}

/** Relative names in one name, and attributes in one relative name, that a stranger may send. */
const MAX_RDNS = 64
const MAX_ATTRIBUTES = 16

/** Short names of attribute types: those of RFC 4514 §3 first, then what RFC 5280 §4.1.2.4, RFC 4519 and PKCS#9 call them. */
export const ATTRIBUTE = {
  CN: '2.5.4.3',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  C: '2.5.4.6',
  STREET: '2.5.4.9',
  DC: '0.9.2342.19200300.100.1.25',
  UID: '0.9.2342.19200300.100.1.1',
  serialNumber: '2.5.4.5',
  emailAddress: '1.2.840.113549.1.9.1',
  unstructuredName: '1.2.840.113549.1.9.2',
  unstructuredAddress: '1.2.840.113549.1.9.8',
  title: '2.5.4.12',
  SN: '2.5.4.4',
  GN: '2.5.4.42',
  initials: '2.5.4.43',
  name: '2.5.4.41',
  generationQualifier: '2.5.4.44',
  dnQualifier: '2.5.4.46',
  pseudonym: '2.5.4.65',
  postalCode: '2.5.4.17',
  businessCategory: '2.5.4.15',
  description: '2.5.4.13',
  organizationIdentifier: '2.5.4.97',
} as const

const SHORT_NAMES = new Map<string, string>(Object.entries(ATTRIBUTE).map(([name, oid]) => [oid, name]))

/** Other spellings that people write in configuration and on command lines. */
const ALIASES: Readonly<Record<string, string>> = {
  commonname: ATTRIBUTE.CN,
  localityname: ATTRIBUTE.L,
  stateorprovincename: ATTRIBUTE.ST,
  s: ATTRIBUTE.ST,
  organizationname: ATTRIBUTE.O,
  organizationalunitname: ATTRIBUTE.OU,
  countryname: ATTRIBUTE.C,
  streetaddress: ATTRIBUTE.STREET,
  domaincomponent: ATTRIBUTE.DC,
  userid: ATTRIBUTE.UID,
  email: ATTRIBUTE.emailAddress,
  e: ATTRIBUTE.emailAddress,
  surname: ATTRIBUTE.SN,
  givenname: ATTRIBUTE.GN,
}
const BY_NAME = new Map<string, string>([
  ...Object.entries(ALIASES),
  ...Object.entries(ATTRIBUTE).map(([name, oid]): [string, string] => [name.toLowerCase(), oid]),
])

/** String types that RFC 5280 Appendix A.1 fixes for an attribute; all others are DirectoryString and written as UTF8String. */
const FIXED_TAGS = new Map<string, number>([
  [ATTRIBUTE.C, TAG.PRINTABLE_STRING],
  [ATTRIBUTE.serialNumber, TAG.PRINTABLE_STRING],
  [ATTRIBUTE.dnQualifier, TAG.PRINTABLE_STRING],
  [ATTRIBUTE.emailAddress, TAG.IA5_STRING],
  [ATTRIBUTE.DC, TAG.IA5_STRING],
])

/** The string type that RFC 5280 Appendix A.1 fixes for this attribute type, or `undefined` where it is a DirectoryString. */
export function fixedStringTag(type: string): number | undefined {
  return FIXED_TAGS.get(type)
}

/**
 * `RDNSequence ::= SEQUENCE OF SET SIZE (1..MAX) OF AttributeTypeAndValue`. Throws `DerError`: also where a text does not
 * fit its string type, or a SET is not in DER order.
 */
export function parseName(reader: DerReader): Name {
  const start = reader.offset
  const sequence = reader.enter(TAG.SEQUENCE)
  const rdns: AttributeTypeAndValue[][] = []
  while (!sequence.empty) {
    if (rdns.length >= MAX_RDNS) {
      throw new DerError('der.too_large', sequence.offset, `A name has more than ${MAX_RDNS} RDNs`)
    }
    rdns.push(parseRdn(sequence))
  }
  return { raw: reader.since(start), rdns }
}

/** `RelativeDistinguishedName`, also where it stands alone (nameRelativeToCRLIssuer, with its own tag). */
export function parseRdn(reader: DerReader, tag: number = TAG.SET): AttributeTypeAndValue[] {
  const set = reader.enter(tag)
  if (set.empty) throw new DerError('der.value_invalid', set.offset, 'An RDN is empty')
  const attributes: AttributeTypeAndValue[] = []
  let previous: Uint8Array | undefined
  for (;;) {
    if (attributes.length >= MAX_ATTRIBUTES) {
      throw new DerError('der.too_large', set.offset, 'An RDN has too many attributes')
    }
    const start = set.offset
    attributes.push(parseAttributeTypeAndValue(set))
    // Nearly every RDN has one attribute, and no order to check.
    if (previous === undefined && set.empty) return attributes
    const member = set.since(start)
    if (previous !== undefined && compareBytes(previous, member) > 0) {
      throw new DerError('der.set_order', start, 'The attributes of an RDN are not in DER order')
    }
    if (set.empty) return attributes
    previous = member
  }
}

function parseAttributeTypeAndValue(set: DerReader): AttributeTypeAndValue {
  const fields = set.enter(TAG.SEQUENCE)
  const type = fields.oid()
  const tag = fields.peekTag() ?? 0
  const value = isStringTag(tag) ? fields.inPlace(decodeStringAt) : `#${toHex(fields.any().raw)}`
  fields.finish()
  return { type, value, tag }
}

/** Throws `name.value_invalid` where a value does not fit its string type, `name.rdn_empty` where an RDN has no attribute. */
export function encodeName(rdns: readonly (readonly AttributeInput[])[]): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      for (const rdn of rdns) writeRdn(w, rdn)
    }),
  )
}

/** One relative name, with its own tag where it is implicitly tagged. */
export function writeRdn(w: DerWriter, rdn: readonly AttributeInput[], tag: number = TAG.SET): void {
  if (rdn.length === 0) throw new TouchmarkError('name.rdn_empty', 'malformed', 'A relative name has no attribute.')
  if (rdn.length === 1) w.constructed(tag, self => writeAttribute(self, rdn[0]!))
  else {
    const members = rdn.map(attribute => writeDer(member => writeAttribute(member, attribute)))
    w.setOf(members, tag)
  }
}

function writeAttribute(w: DerWriter, attribute: AttributeInput): void {
  w.sequence(self => writeValue(self.oid(attribute.type), attribute))
}

function writeValue(
  w: DerWriter,
  { type, value, tag = FIXED_TAGS.get(type) ?? TAG.UTF8_STRING }: AttributeInput,
): void {
  if (isStringTag(tag)) w.primitive(tag, encodeString(tag, value))
  else w.raw(hexValue(value, tag))
}

/** The DER behind `#…`, which must be one element of this tag. */
function hexValue(value: string, tag: number): Bytes {
  const der = value.startsWith('#') ? fromHex(value.slice(1)) : undefined
  if (der === undefined || readDer(der, reader => reader.any().tag) !== tag) {
    throw new TouchmarkError(
      'name.value_invalid',
      'malformed',
      'A value that is no string must be # and its DER in hexadecimal.',
    )
  }
  return der
}

/** The value of the last (most specific) attribute of this type, or `undefined`. */
export function attributeValue(name: Name, oid: string): string | undefined {
  for (let i = name.rdns.length - 1; i >= 0; i--) {
    for (const attribute of name.rdns[i]!) if (attribute.type === oid) return attribute.value
  }
  return undefined
}

/**
 * The string form of RFC 4514: last RDN first. Types without a short name here are written as OID and `#` DER; the others
 * keep their text, so the string type (PrintableString or UTF8String) is not in it.
 */
export function formatName(name: Pick<Name, 'rdns'>): string {
  return [...name.rdns]
    .reverse()
    .map(rdn => rdn.map(formatAttribute).join('+'))
    .join(',')
}

function formatAttribute(attribute: AttributeTypeAndValue): string {
  const short = SHORT_NAMES.get(attribute.type)
  if (!isStringTag(attribute.tag)) return `${short ?? attribute.type}=${attribute.value}`
  if (short === undefined) return `${attribute.type}=#${toHex(writeDer(w => writeValue(w, attribute), 64))}`
  return `${short}=${escapeText(attribute.value)}`
}

/** RFC 4514 §2.4. Control characters go out as hexadecimal pairs, so that the text is one line. */
function escapeText(value: string): string {
  let out = ''
  for (let i = 0; i < value.length; i++) {
    const char = value[i]!
    const code = value.charCodeAt(i)
    const edge = (i === 0 && (char === ' ' || char === '#')) || (i === value.length - 1 && char === ' ')
    if (edge || '"+,;<>\\'.includes(char)) out += `\\${char}`
    else if (code < 0x20 || code === 0x7f) out += `\\${code.toString(16).padStart(2, '0')}`
    else out += char
  }
  return out
}

/**
 * Reads the text of RFC 4514 (`CN=unit 7,O=Example`) into RDNs in encoding order, ready for `encodeName`. Spaces around
 * `,`, `+` and `=` are allowed. Throws `name.text_invalid`.
 */
export function parseNameText(text: string): AttributeInput[][] {
  if (text.trim() === '') return []
  return splitUnescaped(text, ',')
    .map(rdn => splitUnescaped(rdn, '+').map(parseAttributeText))
    .reverse()
}

/** Splits at a separator that no backslash precedes. */
function splitUnescaped(text: string, separator: string): string[] {
  const parts: string[] = []
  let from = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === separator) {
      parts.push(text.slice(from, i))
      from = i + 1
    }
  }
  parts.push(text.slice(from))
  return parts
}

function parseAttributeText(text: string): AttributeInput {
  const equals = text.indexOf('=')
  const label = equals < 0 ? '' : text.slice(0, equals).trim()
  const type = /^[0-2](\.(0|[1-9][0-9]*))+$/.test(label) ? label : BY_NAME.get(label.toLowerCase())
  if (type === undefined) {
    throw new TouchmarkError(
      'name.text_invalid',
      'malformed',
      `"${label || text.trim()}" is no attribute type of a name.`,
      {
        next: `Write TYPE=value with a type such as ${Object.keys(ATTRIBUTE).slice(0, 6).join(', ')} or a dotted OID.`,
      },
    )
  }
  const written = trimUnescaped(text.slice(equals + 1))
  try {
    return written.startsWith('#') ? { type, ...hexText(written) } : { type, value: unescapeText(written) }
  } catch (cause) {
    if (!(cause instanceof TouchmarkError) || cause.code === 'name.text_invalid') throw cause
    throw new TouchmarkError('name.text_invalid', 'malformed', `"${written}" is not written as RFC 4514 wants.`, {
      cause,
    })
  }
}

/** `#` and the DER of a value. */
function hexText(text: string): { readonly value: string; readonly tag: number } {
  return readDer(fromHex(text.slice(1)), reader => {
    const tag = reader.peekTag() ?? 0
    return { tag, value: isStringTag(tag) ? reader.inPlace(decodeStringAt) : `#${toHex(reader.any().raw)}` }
  })
}

/** Without spaces at both ends; an escaped last space (an odd number of backslashes before it) stays. */
function trimUnescaped(text: string): string {
  const start = text.trimStart()
  const end = start.trimEnd()
  const backslashes = /\\*$/.exec(end)![0].length
  return backslashes % 2 === 1 && end.length < start.length ? `${end} ` : end
}

function unescapeText(text: string): string {
  const out: number[] = []
  for (let i = 0; i < text.length; ) {
    const char = String.fromCodePoint(text.codePointAt(i)!)
    if (char !== '\\') {
      if ('"+,;<>\0'.includes(char)) throw invalidText(text)
      out.push(...toUtf8(char))
      i += char.length
      continue
    }
    const pair = text.slice(i + 1, i + 3)
    if (/^[0-9a-fA-F]{2}$/.test(pair)) {
      out.push(Number.parseInt(pair, 16))
      i += 3
    } else if (pair !== '' && ' "#+,;<=>\\'.includes(pair[0]!)) {
      out.push(pair.charCodeAt(0))
      i += 2
    } else throw invalidText(text)
  }
  return fromUtf8(new Uint8Array(out))
}

function invalidText(text: string): TouchmarkError {
  return new TouchmarkError('name.text_invalid', 'malformed', `"${text}" is not escaped as RFC 4514 wants.`)
}

/**
 * RFC 5280 §7.1: the same RDNs in the same order; within an RDN the same attributes in any order; texts compared without
 * regard to case, string type and the amount of white space. Values that are no strings must be the same octets.
 */
export function namesEqual(a: Name, b: Name): boolean {
  if (equalBytes(a.raw, b.raw)) return true
  return a.rdns.length === b.rdns.length && a.rdns.every((rdn, i) => rdnsEqual(rdn, b.rdns[i]!))
}

/** A text that is the same for two names where `namesEqual` says so, and only there: for looking names up. Kept for each name. */
export function nameKey(name: Name): string {
  let key = keys.get(name)
  if (key === undefined) {
    key = name.rdns.map(rdn => rdn.map(attributeKey).sort().join('')).join('/')
    keys.set(name, key)
  }
  return key
}

const keys = new WeakMap<Name, string>()

/** With its length before the text, so that no text can look like two. */
function attributeKey({ type, tag, value }: AttributeTypeAndValue): string {
  const text = isStringTag(tag) ? foldText(value) : `${tag}${value}`
  return `${isStringTag(tag) ? '' : '#'}${type}:${text.length}:${text};`
}

/** Whether `name` lies in the subtree of `base`: its first RDNs are those of `base` (RFC 5280 §4.2.1.10, directoryName). */
export function nameIsWithin(name: Name, base: Name): boolean {
  return base.rdns.length <= name.rdns.length && base.rdns.every((rdn, i) => rdnsEqual(rdn, name.rdns[i]!))
}

function rdnsEqual(a: readonly AttributeTypeAndValue[], b: readonly AttributeTypeAndValue[]): boolean {
  if (a.length !== b.length) return false
  if (a.length === 1) return attributesEqual(a[0]!, b[0]!)
  const left = [...b]
  return a.every(attribute => {
    const at = left.findIndex(candidate => attributesEqual(attribute, candidate))
    if (at < 0) return false
    left.splice(at, 1)
    return true
  })
}

function attributesEqual(a: AttributeTypeAndValue, b: AttributeTypeAndValue): boolean {
  if (a.type !== b.type) return false
  if (!isStringTag(a.tag) || !isStringTag(b.tag)) return a.tag === b.tag && a.value === b.value
  return a.value === b.value || foldText(a.value) === foldText(b.value)
}

/** What RFC 4518 §2.2 maps to nothing: soft hyphens, joiners, variation selectors, directional marks, the byte order mark. */
const INVISIBLE =
  /\u00ad|\u1806|\u034f|[\u180b-\u180d]|[\ufe00-\ufe0f]|\ufffc|[\u200b-\u200f]|[\u202a-\u202e]|[\u2060-\u206f]|\ufeff/gu

/** Printable ASCII with single spaces inside: nearly every name, and nothing to prepare but the case. */
const PLAIN = /^[!-~]+(?: [!-~]+)*$/

/**
 * The prepared form of RFC 4518 as far as names need it: compatibility composition, case folding, invisible characters
 * dropped, white space folded to single spaces and cut at both ends.
 */
function foldText(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase()
  return text
    .normalize('NFKC')
    .replace(INVISIBLE, '')
    .toLowerCase()
    .replace(/ß/g, 'ss')
    .replace(/ς/g, 'σ')
    .normalize('NFKC')
    .replace(/[\s\u0085]+/gu, ' ')
    .trim()
}
