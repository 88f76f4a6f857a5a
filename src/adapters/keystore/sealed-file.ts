// The form of every file in the software key store: JSON with a header in the clear, a sealed box that answers for the
// header, and a digest. The digest tells damage (`keystore.file_damaged`) from forgery (`keystore.file_forged`).
import { z } from 'zod'
import { fromBase64, toBase64 } from '../../core/bytes/base64.ts'
import type { Bytes } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { sha256 } from '../../crypto/digest.ts'
import { systemRandom } from '../../crypto/random.ts'
import { SEAL_NONCE_OCTETS, SEAL_SALT_OCTETS, seal, unseal } from '../../crypto/sealed-box.ts'

/** Base64 of exactly this many octets, or of any number. */
export function base64Field(octets?: number) {
  return z.string().refine(text => {
    try {
      const { length } = fromBase64(text)
      return octets === undefined || length === octets
    } catch {
      return false
    }
  }, 'is not base64 of the right length')
}

/** What the seal of a box needs; part of every header. */
export const sealSchema = z.strictObject({ salt: base64Field(SEAL_SALT_OCTETS), nonce: base64Field(SEAL_NONCE_OCTETS) })
type SealField = z.infer<typeof sealSchema>

interface Header {
  readonly seal: SealField
}

export interface SealedFile<H extends Header> {
  readonly header: H
  readonly box: string
}

const envelopeSchema = z.strictObject({ header: z.unknown(), box: base64Field(), digest: z.string() })

/** Seals `secret` under a header, which gets its salt and nonce here. Returns the text of the file. */
export function sealFile(masterKey: Uint8Array, purpose: string, header: object, secret: Uint8Array): string {
  const [salt, nonce] = [systemRandom.bytes(SEAL_SALT_OCTETS), systemRandom.bytes(SEAL_NONCE_OCTETS)]
  const sealed = { ...header, seal: { salt: toBase64(salt), nonce: toBase64(nonce) } }
  const additionalData = toUtf8(JSON.stringify(sealed))
  return formatFile(sealed, toBase64(seal(masterKey, secret, { salt, nonce, purpose, additionalData })))
}

/**
 * Reads the text of a file without opening its box. Throws `keystore.file_damaged` unless it is, octet for octet, a file
 * that we wrote: any other spelling of the same JSON is refused too, for the box answers for our spelling of the header.
 */
export function readSealedFile<H extends Header>(schema: z.ZodType<H>, text: string, path: string): SealedFile<H> {
  let envelope: z.infer<typeof envelopeSchema>
  let header: H
  try {
    envelope = envelopeSchema.parse(JSON.parse(text))
    header = schema.parse(envelope.header)
  } catch (cause) {
    throw damaged(path, cause)
  }
  if (formatFile(header, envelope.box) !== text) throw damaged(path)
  return { header, box: envelope.box }
}

/** The secret in the box: wipe it. Throws `seal.broken` where key, header or box are not those that were sealed. */
export function unsealFile<H extends Header>(masterKey: Uint8Array, purpose: string, file: SealedFile<H>): Bytes {
  return unseal(masterKey, fromBase64(file.box), {
    salt: fromBase64(file.header.seal.salt),
    nonce: fromBase64(file.header.seal.nonce),
    purpose,
    additionalData: toUtf8(JSON.stringify(file.header)),
  })
}

function formatFile(header: object, box: string): string {
  const digest = toHex(sha256(toUtf8(JSON.stringify({ header, box }))))
  return JSON.stringify({ header, box, digest }, null, 2) + '\n'
}

function damaged(path: string, cause?: unknown): TouchmarkError {
  return new TouchmarkError('keystore.file_damaged', 'unavailable', 'A file of the key store is damaged.', {
    cause,
    next: 'Restore the file from a backup of the key store.',
    evidence: { path },
  })
}
