// A device's last word: that it wiped these keys, signed with each of them before (`POST /api/v1/device/wipe-statement`). The signatures are
// over the octets of the statement as they were sent; each is made with the algorithm that the table of algorithms names first for its key,
// ECDSA as DER (RFC 3279 §2.2.3), as in a certificate. Nothing else that a device signs begins with an opening brace.
import { fromBase64, toBase64 } from '../bytes/base64.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { TouchmarkError } from '../errors.ts'
import { KEY_ID } from './device-health.ts'
import { formatTime, malformed, readMessage, writeMessage } from './json-message.ts'

export const WIPE_STATEMENT_TYPE = 'touchmark-wipe-v1'

export interface WipeStatement {
  readonly model: string
  readonly serialNumber: string
  /** SHA-256 over each SubjectPublicKeyInfo, 64 hexadecimal digits; each once. */
  readonly keys: readonly string[]
  /** Whole seconds since 1970, by the device's clock. */
  readonly at: number
}

export interface SignedWipeStatement {
  /** The octets that are signed. */
  readonly statement: Uint8Array
  readonly signatures: readonly { readonly keyId: string; readonly signature: Uint8Array }[]
}

/** Keys of one statement; a device with more sends several. */
export const MAX_WIPED_KEYS = 16
/** Room for sixteen ML-DSA-87 signatures in base64. */
export const MAX_SIGNED_WIPE_STATEMENT = 131_072
const MAX_STATEMENT = 8192
/** An ML-DSA-87 signature has 4627 octets. */
const SIGNATURE = { max: 8192, pattern: /^[A-Za-z0-9+/]+={0,2}$/ }
const STATEMENT = { max: 4 * Math.ceil(MAX_STATEMENT / 3), pattern: SIGNATURE.pattern }
const NAME = { max: 64 }

export function encodeWipeStatement(statement: WipeStatement): Bytes {
  const { model, serialNumber, keys, at } = statement
  return writeMessage({ type: WIPE_STATEMENT_TYPE, model, serialNumber, keys, at: formatTime(at) })
}

/** Throws `message.malformed`, `message.too_large`: also for a member that is not known, since all of it is signed. */
export function parseWipeStatement(octets: Uint8Array): WipeStatement {
  const message = readMessage(octets, 'wipe-statement', MAX_STATEMENT)
  message.onlyKnown('type', 'model', 'serialNumber', 'keys', 'at').oneOf('type', [WIPE_STATEMENT_TYPE])
  const keys = message.texts('keys', MAX_WIPED_KEYS, KEY_ID)
  if (keys.length === 0) throw malformed('wipe-statement.keys', 'is empty')
  if (new Set(keys).size !== keys.length) throw malformed('wipe-statement.keys', 'names a key twice')
  return {
    model: message.text('model', NAME),
    serialNumber: message.text('serialNumber', NAME),
    keys,
    at: message.time('at'),
  }
}

export function encodeSignedWipeStatement({ statement, signatures }: SignedWipeStatement): Bytes {
  return writeMessage({
    statement: toBase64(statement),
    signatures: signatures.map(({ keyId, signature }) => ({ keyId, signature: toBase64(signature) })),
  })
}

/** Throws `message.malformed`, `message.too_large`; nothing of the statement itself is read. */
export function parseSignedWipeStatement(octets: Uint8Array): SignedWipeStatement {
  const message = readMessage(octets, 'signed-wipe-statement', MAX_SIGNED_WIPE_STATEMENT)
  return {
    statement: base64Of(message.text('statement', STATEMENT)),
    signatures: message.objects('signatures', MAX_WIPED_KEYS, member => ({
      keyId: member.text('keyId', KEY_ID),
      signature: base64Of(member.text('signature', SIGNATURE)),
    })),
  }
}

/** `keys`: those that now count as destroyed. */
export function encodeWipeAnswer(keys: readonly string[]): Bytes {
  return writeMessage({ accepted: keys })
}

/** Throws `message.malformed`, `message.too_large`. */
export function parseWipeAnswer(octets: Uint8Array): string[] {
  return readMessage(octets, 'wipe-answer', MAX_STATEMENT).texts('accepted', MAX_WIPED_KEYS, KEY_ID)
}

function base64Of(text: string): Bytes {
  try {
    return fromBase64(text)
  } catch (cause) {
    if (cause instanceof TouchmarkError) throw malformed('signed-wipe-statement', 'holds what is not base64', cause)
    throw cause
  }
}
