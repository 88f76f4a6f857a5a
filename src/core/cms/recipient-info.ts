// RecipientInfo (RFC 5652 §6.2): one content key, locked once for each recipient. Key transport (RSA, RFC 3370 §4.2, RFC 3560),
// key agreement (ECDH, RFC 5753) and key encryption keys; the other kinds survive as octets.
import { DerError } from '../asn1/der-error.ts'
import type { DerReader } from '../asn1/reader.ts'
import { contextConstructed, TAG } from '../asn1/tag.ts'
import { type DerWriter, writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { type AlgorithmIdentifier, parseAlgorithmIdentifier } from '../pki/algorithm-identifier.ts'
import {
  type CertificateIdentifier,
  parseCertificateIdentifier,
  parseIssuerAndSerialNumber,
  writeCertificateIdentifier,
  writeIssuerAndSerialNumber,
} from './certificate-identifier.ts'

export interface KeyTransRecipientInfo {
  readonly kind: 'keyTransport'
  readonly rid: CertificateIdentifier
  readonly keyEncryptionAlgorithm: AlgorithmIdentifier
  readonly encryptedKey: Uint8Array
}

export interface RecipientEncryptedKey {
  readonly rid: CertificateIdentifier
  readonly encryptedKey: Uint8Array
}

export interface OriginatorKey {
  readonly kind: 'originatorKey'
  /** For ECDH id-ecPublicKey; its parameters may be absent (or NULL, RFC 3278), since the recipient's key names the curve. */
  readonly algorithm: AlgorithmIdentifier
  readonly publicKey: Uint8Array
}

export interface KeyAgreeRecipientInfo {
  readonly kind: 'keyAgreement'
  /** The sender's key: ephemeral and whole, or named by its certificate. */
  readonly originator: OriginatorKey | CertificateIdentifier
  readonly ukm: Uint8Array | undefined
  readonly keyEncryptionAlgorithm: AlgorithmIdentifier
  readonly recipientEncryptedKeys: readonly RecipientEncryptedKey[]
}

export interface KekRecipientInfo {
  readonly kind: 'keyEncryptionKey'
  readonly keyIdentifier: Uint8Array
  readonly keyEncryptionAlgorithm: AlgorithmIdentifier
  readonly encryptedKey: Uint8Array
}

export type RecipientInfo =
  | KeyTransRecipientInfo
  | KeyAgreeRecipientInfo
  | KekRecipientInfo
  /** PasswordRecipientInfo `[3]` or OtherRecipientInfo `[4]`: the whole element. */
  | { readonly kind: 'other'; readonly tag: number; readonly raw: Uint8Array }

const KEY_AGREE = contextConstructed(1)
const KEK = contextConstructed(2)
const PASSWORD = contextConstructed(3)
const OTHER = contextConstructed(4)
const ORIGINATOR_KEY = contextConstructed(1)
const R_KEY_ID = contextConstructed(0)

/** Recipients that share one agreement, in what a stranger may send. */
const MAX_ENCRYPTED_KEYS = 64

/** `RecipientInfo ::= CHOICE { ktri, kari [1], kekri [2], pwri [3], ori [4] }`. Throws `DerError`. */
export function parseRecipientInfo(reader: DerReader): RecipientInfo {
  const at = reader.offset
  const tag = reader.peekTag()
  switch (tag) {
    case TAG.SEQUENCE:
      return reader.sequence(parseKeyTransport)
    case KEY_AGREE:
      return reader.nested(tag, parseKeyAgreement)
    case KEK:
      return reader.nested(tag, parseKek)
    case PASSWORD:
    case OTHER:
      return { kind: 'other', tag, raw: reader.raw(tag) }
    default:
      throw new DerError('der.tag_unexpected', at, 'The recipient is of no kind that RFC 5652 knows')
  }
}

/** `KeyTransRecipientInfo ::= SEQUENCE { version, rid RecipientIdentifier, keyEncryptionAlgorithm, encryptedKey OCTET STRING }` */
function parseKeyTransport(fields: DerReader): KeyTransRecipientInfo {
  const versionAt = fields.offset
  const version = fields.smallInteger()
  const rid = parseCertificateIdentifier(fields)
  // RFC 5652 §6.2.1: 0 with issuerAndSerialNumber, 2 with subjectKeyIdentifier.
  if (version !== keyTransportVersion(rid)) throw wrongVersion(versionAt)
  return {
    kind: 'keyTransport',
    rid,
    keyEncryptionAlgorithm: parseAlgorithmIdentifier(fields),
    encryptedKey: fields.octetString(),
  }
}

/**
 *     KeyAgreeRecipientInfo ::= SEQUENCE { version (3), originator [0] EXPLICIT OriginatorIdentifierOrKey,
 *       ukm [1] EXPLICIT OCTET STRING OPTIONAL, keyEncryptionAlgorithm, recipientEncryptedKeys SEQUENCE OF RecipientEncryptedKey }
 */
function parseKeyAgreement(fields: DerReader): KeyAgreeRecipientInfo {
  requireVersion(fields, 3)
  return {
    kind: 'keyAgreement',
    originator: fields.nested(contextConstructed(0), parseOriginator),
    ukm: fields.optional(contextConstructed(1), self =>
      self.nested(contextConstructed(1), inner => inner.octetString()),
    ),
    keyEncryptionAlgorithm: parseAlgorithmIdentifier(fields),
    recipientEncryptedKeys: fields.listOf(parseRecipientEncryptedKey, { limit: MAX_ENCRYPTED_KEYS }),
  }
}

/** `CHOICE { issuerAndSerialNumber, subjectKeyIdentifier [0], originatorKey [1] OriginatorPublicKey }` */
function parseOriginator(reader: DerReader): KeyAgreeRecipientInfo['originator'] {
  if (reader.peekTag() !== ORIGINATOR_KEY) return parseCertificateIdentifier(reader)
  return reader.nested(ORIGINATOR_KEY, fields => ({
    kind: 'originatorKey',
    algorithm: parseAlgorithmIdentifier(fields),
    publicKey: fields.bitStringOctets(),
  }))
}

/** `SEQUENCE { rid CHOICE { issuerAndSerialNumber, rKeyId [0] IMPLICIT RecipientKeyIdentifier }, encryptedKey OCTET STRING }` */
function parseRecipientEncryptedKey(reader: DerReader): RecipientEncryptedKey {
  return reader.sequence(fields => ({ rid: parseKeyAgreeIdentifier(fields), encryptedKey: fields.octetString() }))
}

function parseKeyAgreeIdentifier(reader: DerReader): CertificateIdentifier {
  if (reader.peekTag() !== R_KEY_ID) return parseIssuerAndSerialNumber(reader)
  return reader.nested(R_KEY_ID, fields => ({
    kind: 'subjectKeyIdentifier',
    keyIdentifier: parseKeyIdentifierAndRest(fields),
  }))
}

/** `SEQUENCE { version (4), kekid KEKIdentifier, keyEncryptionAlgorithm, encryptedKey OCTET STRING }` */
function parseKek(fields: DerReader): KekRecipientInfo {
  requireVersion(fields, 4)
  return {
    kind: 'keyEncryptionKey',
    keyIdentifier: fields.sequence(parseKeyIdentifierAndRest),
    keyEncryptionAlgorithm: parseAlgorithmIdentifier(fields),
    encryptedKey: fields.octetString(),
  }
}

/** An identifier, then `date GeneralizedTime OPTIONAL, other OtherKeyAttribute OPTIONAL`, which nobody here reads. */
function parseKeyIdentifierAndRest(fields: DerReader): Uint8Array {
  const keyIdentifier = fields.octetString()
  fields.optional(TAG.GENERALIZED_TIME, self => self.generalizedTime())
  fields.optional(TAG.SEQUENCE, self => self.raw(TAG.SEQUENCE))
  return keyIdentifier
}

function requireVersion(reader: DerReader, version: number): void {
  const at = reader.offset
  if (reader.smallInteger() !== version) throw wrongVersion(at)
}

function wrongVersion(offset: number): DerError {
  return new DerError('der.value_invalid', offset, 'The version of the recipient does not fit its kind')
}

function keyTransportVersion(rid: CertificateIdentifier): 0 | 2 {
  return rid.kind === 'issuerAndSerialNumber' ? 0 : 2
}

/** A recipient to write; algorithms are whole AlgorithmIdentifiers, the originator's key is an ephemeral one. */
export type RecipientInfoFields =
  | {
      readonly kind: 'keyTransport'
      readonly rid: CertificateIdentifier
      readonly keyEncryptionAlgorithm: Uint8Array
      readonly encryptedKey: Uint8Array
    }
  | {
      readonly kind: 'keyAgreement'
      readonly originatorKey: { readonly algorithm: Uint8Array; readonly publicKey: Uint8Array }
      readonly ukm?: Uint8Array | undefined
      readonly keyEncryptionAlgorithm: Uint8Array
      readonly recipientEncryptedKeys: readonly RecipientEncryptedKey[]
    }
  | {
      readonly kind: 'keyEncryptionKey'
      readonly keyIdentifier: Uint8Array
      readonly keyEncryptionAlgorithm: Uint8Array
      readonly encryptedKey: Uint8Array
    }

export function encodeRecipientInfo(recipient: RecipientInfoFields): Bytes {
  return writeDer(w => {
    switch (recipient.kind) {
      case 'keyTransport':
        w.sequence(() => {
          w.integer(keyTransportVersion(recipient.rid))
          writeCertificateIdentifier(w, recipient.rid)
          w.raw(recipient.keyEncryptionAlgorithm).octetString(recipient.encryptedKey)
        })
        return
      case 'keyAgreement':
        w.constructed(KEY_AGREE, () => {
          const { originatorKey, ukm } = recipient
          w.integer(3)
          w.constructed(contextConstructed(0), () =>
            w.constructed(ORIGINATOR_KEY, () => w.raw(originatorKey.algorithm).bitString(originatorKey.publicKey)),
          )
          if (ukm) w.constructed(contextConstructed(1), () => w.octetString(ukm))
          w.raw(recipient.keyEncryptionAlgorithm)
          w.sequence(() => {
            for (const key of recipient.recipientEncryptedKeys) writeRecipientEncryptedKey(w, key)
          })
        })
        return
      case 'keyEncryptionKey':
        w.constructed(KEK, () => {
          w.integer(4).sequence(() => w.octetString(recipient.keyIdentifier))
          w.raw(recipient.keyEncryptionAlgorithm).octetString(recipient.encryptedKey)
        })
        return
      default:
        recipient satisfies never
    }
  })
}

function writeRecipientEncryptedKey(w: DerWriter, { rid, encryptedKey }: RecipientEncryptedKey): void {
  w.sequence(() => {
    if (rid.kind === 'issuerAndSerialNumber') writeIssuerAndSerialNumber(w, rid)
    else w.constructed(R_KEY_ID, () => w.octetString(rid.keyIdentifier))
    w.octetString(encryptedKey)
  })
}
