// Base64 (RFC 4648 §4 and §5), strict in alphabet and padding. Callers that must accept line breaks (PEM, EST bodies) say so.
import { TouchmarkError } from '../errors.ts'
import type { Bytes } from './bytes.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const VALUES = new Uint8Array(128).fill(255)
for (let i = 0; i < 64; i++) VALUES[ALPHABET.charCodeAt(i)] = i

/** ES2026 has it; the oldest engine that we run on does not. */
const NATIVE = 'toBase64' in Uint8Array.prototype

/** Base64 with padding, on one line. */
export function toBase64(bytes: Uint8Array): string {
  if (NATIVE) return bytes.toBase64()
  let out = ''
  let i = 0
  for (; i + 2 < bytes.length; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!
    out += ALPHABET[group >> 18]! + ALPHABET[(group >> 12) & 63]! + ALPHABET[(group >> 6) & 63]! + ALPHABET[group & 63]!
  }
  if (i + 1 === bytes.length) {
    const group = bytes[i]! << 16
    out += ALPHABET[group >> 18]! + ALPHABET[(group >> 12) & 63]! + '=='
  } else if (i + 2 === bytes.length) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8)
    out += ALPHABET[group >> 18]! + ALPHABET[(group >> 12) & 63]! + ALPHABET[(group >> 6) & 63]! + '='
  }
  return out
}

/** Base64 broken into lines of `width` characters, each closed by `newline`. */
export function toBase64Lines(bytes: Uint8Array, width: 64 | 76, newline: '\n' | '\r\n'): string {
  const flat = toBase64(bytes)
  let out = ''
  for (let i = 0; i < flat.length; i += width) out += flat.slice(i, i + width) + newline
  return out
}

/** Reads padded base64. Throws `bytes.base64_invalid` on any foreign character, wrong padding or non-zero spare bits. */
export function fromBase64(text: string): Bytes {
  if (text.length % 4 !== 0) throw invalidBase64()
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const out = new Uint8Array((text.length / 4) * 3 - padding)
  const last = text.length - padding
  let at = 0
  let group = 0
  let bits = 0
  for (let i = 0; i < last; i++) {
    const code = text.charCodeAt(i)
    const value = code < 128 ? VALUES[code]! : 255
    if (value === 255) throw invalidBase64()
    group = ((group << 6) | value) & 0xffffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      out[at++] = (group >> bits) & 255
    }
  }
  if ((group & ((1 << bits) - 1)) !== 0) throw invalidBase64()
  return out
}

/** Reads base64 that may be broken by spaces, tabs and line ends (MIME, RFC 2045 §6.8; EST bodies, RFC 8951 §3.1). */
export function fromBase64Lines(text: string): Bytes {
  return fromBase64(text.replace(/[ \t\r\n]+/g, ''))
}

function invalidBase64(): TouchmarkError {
  return new TouchmarkError('bytes.base64_invalid', 'malformed', 'The text is not padded base64.')
}
