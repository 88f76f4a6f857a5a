// Base64 for URLs and file names, without padding (RFC 4648 §5): WebAuthn, cookies, tokens.
import { fromBase64, toBase64 } from './base64.ts'
import type { Bytes } from './bytes.ts'

export function toBase64url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** Throws `bytes.base64_invalid` on any foreign character, padding or non-zero spare bits. */
export function fromBase64url(text: string): Bytes {
  const foreign = /[+/=]/.test(text)
  const plain = text.replaceAll('-', '+').replaceAll('_', '/')
  // One character over a multiple of four is no base64; a foreign one makes the text fail as a whole.
  return fromBase64(foreign ? '=' : plain.padEnd(Math.ceil(plain.length / 4) * 4, '='))
}
