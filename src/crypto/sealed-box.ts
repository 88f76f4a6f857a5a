// Sealed boxes: AES-256-GCM (SP 800-38D) with additional data, each box under its own key by HKDF-SHA-256 (RFC 5869) from a
// long-lived one and a random salt, so that random nonces never meet under one key. For what we keep on disk.
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { type Bytes, concat } from '../core/bytes/bytes.ts'
import { toUtf8 } from '../core/bytes/utf8.ts'
import { TouchmarkError } from '../core/errors.ts'
import { own } from './digest.ts'
import { wipe } from './keys.ts'

export const SEAL_SALT_OCTETS = 32
export const SEAL_NONCE_OCTETS = 12
const TAG_OCTETS = 16

export interface Seal {
  /** Random, `SEAL_SALT_OCTETS` long, fresh for every box. */
  readonly salt: Uint8Array
  /** Random, `SEAL_NONCE_OCTETS` long, fresh for every box. */
  readonly nonce: Uint8Array
  /** What the box is for: separates uses of one long-lived key. */
  readonly purpose: string
  /** Octets in the clear that the box answers for. */
  readonly additionalData: Uint8Array
}

/** Ciphertext and tag. `masterKey` has 32 octets. */
export function seal(masterKey: Uint8Array, plaintext: Uint8Array, parameters: Seal): Bytes {
  const key = boxKey(masterKey, parameters)
  const cipher = createCipheriv('aes-256-gcm', key, parameters.nonce, { authTagLength: TAG_OCTETS })
  cipher.setAAD(parameters.additionalData)
  const box = concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag())
  wipe(key)
  return box
}

/** The plaintext. Throws `seal.broken` where key, parameters, additional data or box are not those of `seal`. */
export function unseal(masterKey: Uint8Array, box: Uint8Array, parameters: Seal): Bytes {
  if (box.length < TAG_OCTETS) throw broken()
  const key = boxKey(masterKey, parameters)
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, parameters.nonce, { authTagLength: TAG_OCTETS })
    decipher.setAAD(parameters.additionalData)
    decipher.setAuthTag(box.subarray(box.length - TAG_OCTETS))
    const head = decipher.update(box.subarray(0, box.length - TAG_OCTETS))
    try {
      return concat(head, decipher.final())
    } finally {
      wipe(head)
    }
  } catch (cause) {
    throw broken(cause)
  } finally {
    wipe(key)
  }
}

function boxKey(masterKey: Uint8Array, { salt, purpose }: Seal): Bytes {
  return own(new Uint8Array(hkdfSync('sha256', masterKey, salt, toUtf8(purpose), 32)))
}

function broken(cause?: unknown): TouchmarkError {
  return new TouchmarkError('seal.broken', 'forbidden', 'The sealed box does not open with this key.', { cause })
}
