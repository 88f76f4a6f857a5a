// The string types of names (RFC 5280 §4.1.2.4, X.680 §41): octets to text and back, strict, so that the text can be trusted
// and encodes to the same octets again.
import { DerError } from '../asn1/der-error.ts'
import { TAG } from '../asn1/tag.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { fromUtf8, toUtf8 } from '../bytes/utf8.ts'
import { TouchmarkError } from '../errors.ts'

/** One class bit for each character set that an octet below 0x80 belongs to. */
const NUMERIC = 1
const PRINTABLE = 2
const VISIBLE = 4
const IA5 = 8
const CLASSES = new Uint8Array(256)
for (let code = 0; code < 0x80; code++) {
  const char = String.fromCharCode(code)
  CLASSES[code] =
    IA5 |
    (code >= 0x20 && code < 0x7f ? VISIBLE : 0) |
    (/[A-Za-z0-9 '()+,\-./:=?]/.test(char) ? PRINTABLE : 0) |
    (/[0-9 ]/.test(char) ? NUMERIC : 0)
}

/**
 * Characters that manufacturers put into a PrintableString though X.680 §41.4 has them not (`_` in serial numbers, `*` in
 * wildcard names, `@` in addresses, `&` in company names). Accepted in what others signed, never written; lint reports them.
 */
const TOLERATED_IN_PRINTABLE = '_*@&'
const PRINTABLE_READ = 16
for (let code = 0; code < 0x80; code++) {
  if (CLASSES[code]! & PRINTABLE || TOLERATED_IN_PRINTABLE.includes(String.fromCharCode(code)))
    CLASSES[code]! |= PRINTABLE_READ
}

/** Whether this identifier octet is one of the string types whose text we know. */
export function isStringTag(tag: number): boolean {
  switch (tag) {
    case TAG.UTF8_STRING:
    case TAG.PRINTABLE_STRING:
    case TAG.IA5_STRING:
    case TAG.NUMERIC_STRING:
    case TAG.VISIBLE_STRING:
    case TAG.TELETEX_STRING:
    case TAG.BMP_STRING:
    case TAG.UNIVERSAL_STRING:
      return true
    default:
      return false
  }
}

/** The text of a string value. Throws `der.string_invalid` where the octets do not fit the type. */
export function decodeString(tag: number, content: Uint8Array, offset = 0): string {
  return decodeStringAt(tag, content, 0, content.length, offset)
}

/** As `decodeString`, of the octets of `bytes` between `from` and `to`. */
export function decodeStringAt(tag: number, bytes: Uint8Array, from: number, to: number, offset: number): string {
  switch (tag) {
    case TAG.UTF8_STRING:
      return decodeUtf8(bytes, from, to, offset)
    case TAG.PRINTABLE_STRING:
      return decodeOctets(bytes, from, to, PRINTABLE_READ, offset)
    case TAG.IA5_STRING:
      return decodeOctets(bytes, from, to, IA5, offset)
    case TAG.NUMERIC_STRING:
      return decodeOctets(bytes, from, to, NUMERIC, offset)
    case TAG.VISIBLE_STRING:
      return decodeOctets(bytes, from, to, VISIBLE, offset)
    case TAG.TELETEX_STRING:
      // T.61 was never implemented; everybody writes Latin-1 into it, and one octet a character goes back as it came.
      return decodeOctets(bytes, from, to, 0, offset)
    case TAG.BMP_STRING:
      return decodeWide(bytes, from, to, 2, offset)
    case TAG.UNIVERSAL_STRING:
      return decodeWide(bytes, from, to, 4, offset)
    default:
      throw new DerError('der.tag_unexpected', offset, 'The value is no character string')
  }
}

/** The content octets of a text in this string type. Throws `name.value_invalid` where the type cannot say it. */
export function encodeString(tag: number, text: string): Bytes {
  switch (tag) {
    case TAG.UTF8_STRING:
      return encodeUtf8(text)
    case TAG.PRINTABLE_STRING:
      return encodeOctets(text, PRINTABLE)
    case TAG.IA5_STRING:
      return encodeOctets(text, IA5)
    case TAG.NUMERIC_STRING:
      return encodeOctets(text, NUMERIC)
    case TAG.VISIBLE_STRING:
      return encodeOctets(text, VISIBLE)
    case TAG.TELETEX_STRING:
      return encodeOctets(text, 0)
    case TAG.BMP_STRING:
      return encodeWide(text, 2)
    case TAG.UNIVERSAL_STRING:
      return encodeWide(text, 4)
    default:
      throw unencodable(text)
  }
}

/** Whether every character belongs to PrintableString (X.680 §41.4), without what reading tolerates. */
export function isPrintable(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f || !(CLASSES[code]! & PRINTABLE)) return false
  }
  return true
}

/** Most texts are ASCII: building them by hand is several times faster than a decoder call. */
function decodeUtf8(bytes: Uint8Array, from: number, to: number, offset: number): string {
  let out = ''
  for (let i = from; i < to; i++) {
    const code = bytes[i]!
    if (code >= 0x80) {
      try {
        return fromUtf8(bytes.subarray(from, to))
      } catch {
        throw new DerError('der.string_invalid', offset, 'The UTF8String is not UTF-8')
      }
    }
    out += String.fromCharCode(code)
  }
  return out
}

/** ASCII by hand for the same reason. A lone surrogate has no UTF-8. */
function encodeUtf8(text: string): Bytes {
  const out = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x80) {
      if (!text.isWellFormed()) throw unencodable(text)
      return toUtf8(text)
    }
    out[i] = code
  }
  return out
}

/** One octet a character; `wanted` 0 accepts all. */
function decodeOctets(bytes: Uint8Array, from: number, to: number, wanted: number, offset: number): string {
  let out = ''
  for (let i = from; i < to; i++) {
    const code = bytes[i]!
    if (wanted !== 0 && !(CLASSES[code]! & wanted)) {
      throw new DerError('der.string_invalid', offset, 'A character is not in the alphabet of its string type')
    }
    out += String.fromCharCode(code)
  }
  return out
}

function encodeOctets(text: string, wanted: number): Bytes {
  const out = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0xff || (wanted !== 0 && !(CLASSES[code]! & wanted))) throw unencodable(text)
    out[i] = code
  }
  return out
}

/** BMPString (UCS-2, no surrogates) and UniversalString (UCS-4), big-endian. */
function decodeWide(bytes: Uint8Array, from: number, to: number, width: 2 | 4, offset: number): string {
  let out = ''
  for (let i = from; i < to; i += width) {
    let code = 0
    for (let j = i; j < i + width; j++) code = code * 256 + (j < to ? bytes[j]! : Number.NaN)
    if (!(code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff)) {
      throw new DerError('der.string_invalid', offset, 'The string is cut off or holds no Unicode character')
    }
    out += String.fromCodePoint(code)
  }
  return out
}

function encodeWide(text: string, width: 2 | 4): Bytes {
  const characters = [...text]
  const out = new Uint8Array(characters.length * width)
  characters.forEach((character, i) => {
    const code = character.codePointAt(0)!
    if ((width === 2 && code > 0xffff) || (code >= 0xd800 && code <= 0xdfff)) throw unencodable(text)
    for (let j = 0; j < width; j++) out[i * width + j] = (code / 2 ** (8 * (width - 1 - j))) & 255
  })
  return out
}

function unencodable(text: string): TouchmarkError {
  return new TouchmarkError(
    'name.value_invalid',
    'malformed',
    `"${text}" has a character that its string type does not.`,
  )
}
