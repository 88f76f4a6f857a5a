// Salted commitments: how an audit entry refers to personal data without holding it. The log keeps HMAC-SHA-256(salt, field and
// value); the salt and the value live in the erasable part of the store. With the salt anybody can check the value against the
// log; once the salt is erased, the commitment says nothing, not even to somebody who guesses the value.
import { toBase64 } from '../../core/bytes/base64.ts'
import { equalBytes } from '../../core/bytes/bytes.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'

/** HMAC-SHA-256 (RFC 2104). */
export type Hmac = (key: Uint8Array, message: Uint8Array) => Uint8Array

/** Octets of a salt: fresh randomness for each value, never shared between two, so that equal values do not show as equal. */
export const SALT_LENGTH = 32

/**
 * The commitment to `value` as the field `field`, 43 characters of base64url: fit for a field of an audit entry. Binding, since the
 * key of the HMAC has a fixed length; hiding, as long as the salt is secret. Errors: `audit.salt_invalid`.
 */
export function commitTo(hmac: Hmac, salt: Uint8Array, field: string, value: string): string {
  if (salt.length !== SALT_LENGTH) {
    throw new TouchmarkError('audit.salt_invalid', 'internal', `A salt has ${SALT_LENGTH} octets, not ${salt.length}.`)
  }
  // No field name holds the octet 0, so field and value cannot run into each other.
  const code = hmac(salt, toUtf8(`touchmark/commitment/v1\0${field}\0${value}`))
  return toBase64(code).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Whether salt and value open the commitment. */
export function opensCommitment(
  hmac: Hmac,
  commitment: string,
  salt: Uint8Array,
  field: string,
  value: string,
): boolean {
  return salt.length === SALT_LENGTH && equalBytes(toUtf8(commitTo(hmac, salt, field, value)), toUtf8(commitment))
}
