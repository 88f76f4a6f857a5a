// Hash functions in one shot (FIPS 180-4). `crypto.hash` skips the stream object that `createHash` builds, which for the
// few hundred octets of a certificate costs more than the hash; and it gives the digest as text, one character an octet,
// because an ArrayBuffer for each would cost more than the hash, too.
import { createHash, createHmac, hash } from 'node:crypto'
import type { Bytes } from '../core/bytes/bytes.ts'

/** SHA-1, for identifiers that a standard fixes to it (RFC 5280 §4.2.1.2, OCSP CertID). Never under a signature. */
export function sha1(bytes: Uint8Array): Bytes {
  return octets(hash('sha1', bytes, 'latin1'))
}

export function sha256(bytes: Uint8Array): Bytes {
  return octets(hash('sha256', bytes, 'latin1'))
}

/** As `sha256`, in lower-case hexadecimal. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex')
}

export function sha384(bytes: Uint8Array): Bytes {
  return octets(hash('sha384', bytes, 'latin1'))
}

export function sha512(bytes: Uint8Array): Bytes {
  return octets(hash('sha512', bytes, 'latin1'))
}

/** SHA-256 over octets that come one after the other. */
export function sha256Stream(): { update(bytes: Uint8Array): void; hex(): string } {
  const running = createHash('sha256')
  return { update: bytes => void running.update(bytes), hex: () => running.digest('hex') }
}

/** RFC 2104. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Bytes {
  return own(createHmac('sha256', key).update(message).digest())
}

function octets(latin1: string): Bytes {
  const out = new Uint8Array(latin1.length)
  for (let i = 0; i < out.length; i++) out[i] = latin1.charCodeAt(i)
  return out
}

/** A plain array over the octets that node:crypto gave us: no caller meets a Buffer and its aliasing `slice`. */
export function own(buffer: Uint8Array): Bytes {
  return buffer.buffer instanceof ArrayBuffer && buffer.byteLength === buffer.buffer.byteLength
    ? new Uint8Array(buffer.buffer)
    : new Uint8Array(buffer)
}
