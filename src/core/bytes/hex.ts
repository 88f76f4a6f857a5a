// Hexadecimal, strict: an even number of digits and nothing else.
import { TouchmarkError } from '../errors.ts'
import type { Bytes } from './bytes.ts'

const DIGITS = '0123456789abcdef'
const PAIRS: readonly string[] = Array.from({ length: 256 }, (_, i) => DIGITS[i >> 4]! + DIGITS[i & 15]!)
/** ES2026 has it, and five times as fast; the oldest engine that we run on does not. */
const NATIVE = 'toHex' in Uint8Array.prototype

/** Lower-case hexadecimal, two digits an octet. */
export function toHex(bytes: Uint8Array): string {
  if (NATIVE) return bytes.toHex()
  let out = ''
  for (let i = 0; i < bytes.length; i++) out += PAIRS[bytes[i]!]
  return out
}

/** Reads hexadecimal of either case. Throws `bytes.hex_invalid` on an odd length or a foreign character. */
export function fromHex(text: string): Bytes {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new TouchmarkError('bytes.hex_invalid', 'malformed', 'The text is not an even number of hexadecimal digits.')
  }
  const out = new Uint8Array(text.length / 2)
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return out
}
