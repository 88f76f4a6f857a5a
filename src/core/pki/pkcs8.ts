// Private keys on the wire: PrivateKeyInfo (PKCS#8, RFC 5208 §5), its successor OneAsymmetricKey, AsymmetricKeyPackage and
// EncryptedPrivateKeyInfo (RFC 5958 §2, §3). Grammar only; whoever holds the values answers for keeping them secret.
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { contextConstructed, contextPrimitive } from '../asn1/tag.ts'
import { type DerWriter, writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { type AlgorithmIdentifier, parseAlgorithmIdentifier } from './algorithm-identifier.ts'
import { type Attribute, parseAttribute, writeAttribute } from './extensions.ts'

const ATTRIBUTES = contextConstructed(0)
const PUBLIC_KEY = contextPrimitive(1)

const MAX_ATTRIBUTES = 64
const MAX_KEYS = 64

export interface PrivateKeyInfo {
  /** The whole structure as received. */
  readonly raw: Uint8Array
  readonly algorithm: AlgorithmIdentifier
  /** The content of privateKey, in the form of the algorithm (ECPrivateKey, CurvePrivateKey, RSAPrivateKey…). */
  readonly privateKey: Uint8Array
  readonly attributes: readonly Attribute[]
  /** The content of the BIT STRING; only in version 2. */
  readonly publicKey: Uint8Array | undefined
}

/**
 * Reads a PrivateKeyInfo (version 1) or a OneAsymmetricKey (version 2). Throws `DerError`.
 *
 *     OneAsymmetricKey ::= SEQUENCE { version, privateKeyAlgorithm, privateKey OCTET STRING,
 *       attributes [0] IMPLICIT Attributes OPTIONAL, publicKey [1] IMPLICIT BIT STRING OPTIONAL }
 */
export function parsePrivateKeyInfo(der: Uint8Array): PrivateKeyInfo {
  return readDer(der, readPrivateKeyInfo)
}

function readPrivateKeyInfo(reader: DerReader): PrivateKeyInfo {
  const rest = reader.rest
  const before = reader.offset
  const fields = reader.sequence(inner => {
    const versionAt = inner.offset
    const version = inner.smallInteger()
    if (version !== 0 && version !== 1) {
      throw new DerError('der.value_invalid', versionAt, 'The version of the private key is none of RFC 5958')
    }
    const algorithm = parseAlgorithmIdentifier(inner)
    const privateKey = inner.octetString()
    const attributes =
      inner.optional(ATTRIBUTES, self => self.listOf(parseAttribute, { tag: ATTRIBUTES, limit: MAX_ATTRIBUTES })) ?? []
    const publicAt = inner.offset
    const publicKey = inner.optional(PUBLIC_KEY, self => self.bitStringOctets(PUBLIC_KEY))
    if (publicKey && version === 0) {
      throw new DerError('der.value_invalid', publicAt, 'A public key beside the private one needs version 2')
    }
    return { algorithm, privateKey, attributes, publicKey }
  })
  return { raw: rest.subarray(0, reader.offset - before), ...fields }
}

export interface PrivateKeyInfoFields {
  /** A whole AlgorithmIdentifier. */
  readonly algorithm: Uint8Array
  readonly privateKey: Uint8Array
  readonly attributes?: readonly Attribute[] | undefined
  /** Given: version 2. */
  readonly publicKey?: Uint8Array | undefined
}

export function encodePrivateKeyInfo(fields: PrivateKeyInfoFields): Bytes {
  return writeDer(w => writePrivateKeyInfo(w, fields), fields.privateKey.length + 256)
}

function writePrivateKeyInfo(w: DerWriter, fields: PrivateKeyInfoFields): void {
  const { attributes, publicKey } = fields
  w.sequence(() => {
    w.integer(publicKey ? 1 : 0)
    w.raw(fields.algorithm).octetString(fields.privateKey)
    if (attributes?.length) {
      w.setOf(
        attributes.map(attribute => writeDer(inner => writeAttribute(inner, attribute))),
        ATTRIBUTES,
      )
    }
    if (publicKey) w.bitString(publicKey, 0, PUBLIC_KEY)
  })
}

/** `AsymmetricKeyPackage ::= SEQUENCE SIZE (1..MAX) OF OneAsymmetricKey` (RFC 5958 §3): what EST's server key generation sends. */
export function parseAsymmetricKeyPackage(der: Uint8Array): PrivateKeyInfo[] {
  return readDer(der, reader => {
    const at = reader.offset
    const keys = reader.listOf(readPrivateKeyInfo, { limit: MAX_KEYS })
    if (keys.length === 0) throw new DerError('der.value_invalid', at, 'The key package is empty')
    return keys
  })
}

/** `keys` are whole PrivateKeyInfo or OneAsymmetricKey structures. */
export function encodeAsymmetricKeyPackage(keys: readonly Uint8Array[]): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      for (const key of keys) w.raw(key)
    }),
  )
}

export interface EncryptedPrivateKeyInfo {
  readonly encryptionAlgorithm: AlgorithmIdentifier
  readonly encryptedData: Uint8Array
}

/** `EncryptedPrivateKeyInfo ::= SEQUENCE { encryptionAlgorithm AlgorithmIdentifier, encryptedData OCTET STRING }` */
export function parseEncryptedPrivateKeyInfo(der: Uint8Array): EncryptedPrivateKeyInfo {
  return readDer(der, reader =>
    reader.sequence(fields => ({
      encryptionAlgorithm: parseAlgorithmIdentifier(fields),
      encryptedData: fields.octetString(),
    })),
  )
}

/** `encryptionAlgorithm` is a whole AlgorithmIdentifier. */
export function encodeEncryptedPrivateKeyInfo(encryptionAlgorithm: Uint8Array, encryptedData: Uint8Array): Bytes {
  return writeDer(
    w => w.sequence(() => w.raw(encryptionAlgorithm).octetString(encryptedData)),
    encryptedData.length + 128,
  )
}
