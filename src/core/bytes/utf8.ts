// UTF-8, strict: a lenient decoder would let two byte strings become one name.
import { TouchmarkError } from '../errors.ts'
import type { Bytes } from './bytes.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Names and serial numbers are short and ASCII: then a loop is five times as fast as the call into the encoder. */
const SHORT = 64

export function toUtf8(text: string): Bytes {
  if (text.length > SHORT) return ENCODER.encode(text)
  const out = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) return ENCODER.encode(text)
    out[i] = code
  }
  return out
}

/** Throws `bytes.utf8_invalid` where a lenient decoder would put U+FFFD. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return DECODER.decode(bytes)
  } catch (cause) {
    throw new TouchmarkError('bytes.utf8_invalid', 'malformed', 'The bytes are not UTF-8.', { cause })
  }
}

/** Octets 0x20 to 0x7e and nothing else become text; anything else gives `undefined`. */
export function fromPrintableAscii(bytes: Uint8Array): string | undefined {
  let out = ''
  for (const byte of bytes) {
    if (byte < 0x20 || byte > 0x7e) return undefined
    out += String.fromCharCode(byte)
  }
  return out
}
