// Base32 (RFC 4648 §6) without padding: how secrets of one-time passwords are typed by hand.
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

export function toBase32(bytes: Uint8Array): string {
  let out = ''
  let group = 0
  let bits = 0
  for (const octet of bytes) {
    group = ((group << 8) | octet) & 0xfff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      out += ALPHABET[(group >> bits) & 31]!
    }
  }
  return bits === 0 ? out : out + ALPHABET[(group << (5 - bits)) & 31]!
}
