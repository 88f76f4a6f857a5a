// Keys for single purposes from one long-lived secret: HKDF with SHA-256 (RFC 5869).
import { hkdfSync } from 'node:crypto'
import type { Bytes } from '../core/bytes/bytes.ts'
import { EMPTY } from '../core/bytes/bytes.ts'
import { toUtf8 } from '../core/bytes/utf8.ts'
import { own } from './digest.ts'

/** 32 octets, always the same for the same secret and purpose, and telling nothing about those of another purpose. */
export function derivedKey(secret: Uint8Array, purpose: string): Bytes {
  return own(new Uint8Array(hkdfSync('sha256', secret, EMPTY, toUtf8(purpose), 32)))
}
