// Bytes: the one representation of octets in this code base, with the few operations that every ring needs.
// `Buffer` stays in server/ and adapters/: its `slice` aliases where `Uint8Array.slice` copies.

/** Octets that own an ordinary (not shared) buffer. Functions return this; they accept any `Uint8Array`. */
export type Bytes = Uint8Array<ArrayBuffer>

export const EMPTY: Bytes = new Uint8Array(0)

/** Joins the parts into one new array. */
export function concat(...parts: readonly Uint8Array[]): Bytes {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Equality of public values. Not constant time: secrets are compared with `crypto/constant-time.ts`. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Lexicographic order of octets, as DER wants for SET OF (X.690 §11.6): negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

/** A copy that shares nothing with the input: take one before the first `await` over bytes that somebody else owns. */
export function copyBytes(bytes: Uint8Array): Bytes {
  return new Uint8Array(bytes)
}

/** Reads an unsigned big-endian integer of any length. */
export function toBigInt(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return value
}
