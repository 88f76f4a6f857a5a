// Content encryption of CMS: AES-CBC (RFC 3565) and AES-GCM (RFC 5084), one table from OID to what node:crypto calls it.
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { readDer } from '../core/asn1/reader.ts'
import { TAG } from '../core/asn1/tag.ts'
import { writeDer } from '../core/asn1/writer.ts'
import { type Bytes, concat, EMPTY } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import { type AlgorithmIdentifier, encodeAlgorithmIdentifier } from '../core/pki/algorithm-identifier.ts'
import { own } from './digest.ts'
import type { Random } from './random.ts'

export type ContentCipherName = 'aes128-CBC' | 'aes192-CBC' | 'aes256-CBC' | 'aes128-GCM' | 'aes192-GCM' | 'aes256-GCM'

export interface ContentCipher {
  readonly name: ContentCipherName
  readonly oid: string
  readonly mode: 'cbc' | 'gcm'
  readonly keyOctets: 16 | 24 | 32
}

const CIPHERS: Readonly<Record<ContentCipherName, ContentCipher>> = {
  'aes128-CBC': { name: 'aes128-CBC', oid: '2.16.840.1.101.3.4.1.2', mode: 'cbc', keyOctets: 16 },
  'aes192-CBC': { name: 'aes192-CBC', oid: '2.16.840.1.101.3.4.1.22', mode: 'cbc', keyOctets: 24 },
  'aes256-CBC': { name: 'aes256-CBC', oid: '2.16.840.1.101.3.4.1.42', mode: 'cbc', keyOctets: 32 },
  'aes128-GCM': { name: 'aes128-GCM', oid: '2.16.840.1.101.3.4.1.6', mode: 'gcm', keyOctets: 16 },
  'aes192-GCM': { name: 'aes192-GCM', oid: '2.16.840.1.101.3.4.1.26', mode: 'gcm', keyOctets: 24 },
  'aes256-GCM': { name: 'aes256-GCM', oid: '2.16.840.1.101.3.4.1.46', mode: 'gcm', keyOctets: 32 },
}

const IV_OCTETS = 16
const NONCE_OCTETS = 12
/** Octets of the tag that we write. RFC 5084 §3.2 has 12 as its default, 16 as the most. */
const TAG_OCTETS = 16
const DEFAULT_TAG_OCTETS = 12

export function contentCipher(name: ContentCipherName): ContentCipher {
  return CIPHERS[name]
}

/** The row that an identifier names. Throws `cms.algorithm_unsupported`. */
export function contentCipherOf(identifier: AlgorithmIdentifier): ContentCipher {
  const found = Object.values(CIPHERS).find(row => row.oid === identifier.oid)
  if (found !== undefined) return found
  throw new TouchmarkError('cms.algorithm_unsupported', 'malformed', 'The content encryption is not supported.', {
    next: 'Encrypt the content with AES in CBC or GCM mode.',
    evidence: { oid: identifier.oid },
  })
}

export interface EncryptedContent {
  /** A whole AlgorithmIdentifier with the fresh IV or nonce. */
  readonly algorithm: Bytes
  readonly encryptedContent: Bytes
  /** The tag of GCM; empty for CBC. */
  readonly mac: Bytes
}

/** `additionalData` is authenticated with GCM; CBC authenticates nothing and takes none. */
export function encryptContent(
  cipher: ContentCipher,
  key: Uint8Array,
  content: Uint8Array,
  additionalData: Uint8Array,
  random: Random,
): EncryptedContent {
  const bits = cipher.keyOctets * 8
  if (cipher.mode === 'cbc') {
    const iv = random.bytes(IV_OCTETS)
    const aes = createCipheriv(`aes-${bits}-cbc`, key, iv)
    return {
      algorithm: encodeAlgorithmIdentifier(
        cipher.oid,
        writeDer(w => w.octetString(iv), 32),
      ),
      encryptedContent: concat(aes.update(content), aes.final()),
      mac: EMPTY,
    }
  }
  const nonce = random.bytes(NONCE_OCTETS)
  const aes = createCipheriv(`aes-${bits as 128 | 192 | 256}-gcm`, key, nonce, { authTagLength: TAG_OCTETS })
  aes.setAAD(additionalData)
  const encryptedContent = concat(aes.update(content), aes.final())
  const parameters = writeDer(w => w.sequence(() => w.octetString(nonce).integer(TAG_OCTETS)), 32)
  return { algorithm: encodeAlgorithmIdentifier(cipher.oid, parameters), encryptedContent, mac: own(aes.getAuthTag()) }
}

/**
 * Decrypts. Throws `DerError` where the parameters are malformed, and whatever node:crypto throws where the octets do not
 * decrypt: the caller turns that into one error that says nothing about the reason (CBC: RFC 5652 §14, GCM: a wrong tag).
 */
export function decryptContent(
  cipher: ContentCipher,
  identifier: AlgorithmIdentifier,
  key: Uint8Array,
  encryptedContent: Uint8Array,
  mac: Uint8Array,
  additionalData: Uint8Array,
): Bytes {
  const bits = cipher.keyOctets * 8
  if (cipher.mode === 'cbc') {
    const iv = readDer(identifier.parameters ?? EMPTY, reader => reader.octetString())
    if (iv.length !== IV_OCTETS) throw badParameters('The IV has not 16 octets.')
    const aes = createDecipheriv(`aes-${bits}-cbc`, key, iv)
    return concat(aes.update(encryptedContent), aes.final())
  }
  const { nonce, tagOctets } = readDer(identifier.parameters ?? EMPTY, reader =>
    reader.sequence(fields => ({
      nonce: fields.octetString(),
      tagOctets: fields.optional(TAG.INTEGER, self => self.smallInteger()) ?? DEFAULT_TAG_OCTETS,
    })),
  )
  if (nonce.length !== NONCE_OCTETS) throw badParameters('The nonce has not 12 octets.')
  if (tagOctets < DEFAULT_TAG_OCTETS || tagOctets > TAG_OCTETS || mac.length !== tagOctets) {
    throw badParameters('The authentication tag has not the length that the parameters say.')
  }
  const aes = createDecipheriv(`aes-${bits as 128 | 192 | 256}-gcm`, key, nonce, { authTagLength: tagOctets })
  aes.setAAD(additionalData)
  aes.setAuthTag(mac)
  return concat(aes.update(encryptedContent), aes.final())
}

function badParameters(message: string): TouchmarkError {
  return new TouchmarkError('cms.parameters_invalid', 'malformed', message)
}
