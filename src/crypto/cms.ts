// CMS with keys: sign and verify SignedData (RFC 5652 §5.4 to §5.6), seal and open EnvelopedData and AuthEnvelopedData
// (RFC 5652 §6, RFC 5083). The grammar is in `core/cms/`; whether a signer is trusted is the caller's question.
import { createPublicKey, type KeyObject } from 'node:crypto'
import { readDer } from '../core/asn1/reader.ts'
import { writeDer } from '../core/asn1/writer.ts'
import { type Bytes, EMPTY, equalBytes } from '../core/bytes/bytes.ts'
import { CMS_ATTRIBUTE, encodeAttributeSet, encodeSignedAttributes, singleValue } from '../core/cms/attributes.ts'
import { type CertificateIdentifier, identifierOf, identifies } from '../core/cms/certificate-identifier.ts'
import { CONTENT_TYPE } from '../core/cms/content-info.ts'
import {
  type AuthEnvelopedData,
  type EnvelopedData,
  encodeAuthEnvelopedData,
  encodeEnvelopedData,
  parseEnvelope,
} from '../core/cms/enveloped-data.ts'
import type { RecipientInfo, RecipientInfoFields } from '../core/cms/recipient-info.ts'
import { encodeSignedData, type SignedData, type SignerInfo } from '../core/cms/signed-data.ts'
import { TouchmarkError } from '../core/errors.ts'
import { type Certificate, parseCertificate } from '../core/pki/certificate.ts'
import type { Attribute } from '../core/pki/extensions.ts'
import { bitLength, readSpki } from './algorithms.ts'
import {
  type ContentCipherName,
  contentCipher,
  contentCipherOf,
  decryptContent,
  encryptContent,
} from './cms-content-encryption.ts'
import {
  digest,
  digestFor,
  digestIdentifier,
  digestNameOf,
  signerAlgorithmIdentifier,
  signerAlgorithmOf,
} from './cms-digest.ts'
import {
  agreeKey,
  type KeyTransport,
  openAgreedKey,
  openTransportedKey,
  transportKey,
  unwrapWithKek,
  wrapWithKek,
} from './cms-key-encryption.ts'
import { type Random, systemRandom } from './random.ts'
import { assertOwnSignature, type Signer } from './signer.ts'
import { checkSignatureWith, MAX_VERIFY_MODULUS_BITS, MIN_VERIFY_MODULUS_BITS } from './verify.ts'

/** Who signs a message: any signer, in software or in a token. */
export type CmsSigner = Signer

export interface SignFields {
  readonly content: Uint8Array
  /** The type of the content; `data` where it is left out. */
  readonly contentType?: string | undefined
  readonly signer: CmsSigner
  /** The signer's certificate, which goes along; its key must be the signer's. */
  readonly certificate: Certificate
  /** Further certificates to send along, whole. */
  readonly certificates?: readonly Uint8Array[] | undefined
  /** Whole seconds since 1970. */
  readonly signingTime?: number | undefined
  readonly attributes?: readonly Attribute[] | undefined
  /** Leaves the content out of the message. */
  readonly detached?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * A ContentInfo with SignedData by one signer, always with signed attributes. Throws `cms.signer_mismatch` where the certificate is
 * of another key, and what the signer throws.
 */
export async function signData(fields: SignFields): Promise<Bytes> {
  const { content, signer, certificate } = fields
  if (!equalBytes(signer.publicKey, certificate.subjectPublicKeyInfo.raw)) {
    throw new TouchmarkError(
      'cms.signer_mismatch',
      'internal',
      'The certificate does not belong to the key that signs.',
      {
        evidence: { keyUri: signer.keyUri, serialNumber: certificate.serialNumber },
      },
    )
  }
  const contentType = fields.contentType ?? CONTENT_TYPE.data
  const digestName = digestFor(signer.algorithm)
  const signedAttributes = encodeSignedAttributes({
    contentType,
    messageDigest: digest(digestName, content),
    signingTime: fields.signingTime,
    others: fields.attributes,
  })
  const signature = await signer.sign(signedAttributes, fields.signal)
  if (!signer.selfChecked) assertOwnSignature(signer, signedAttributes, signature)
  return encodeSignedData({
    contentType,
    content: fields.detached ? undefined : content,
    certificates: [certificate.raw, ...(fields.certificates ?? [])],
    signers: [
      {
        sid: identifierOf(certificate),
        digestAlgorithm: digestIdentifier(digestName),
        signedAttributes,
        signatureAlgorithm: signerAlgorithmIdentifier(signer.algorithm),
        signature,
      },
    ],
  })
}

export interface VerifiedSigner {
  readonly signerInfo: SignerInfo
  /** The certificate whose key made the signature. It is not validated. */
  readonly certificate: Certificate
}

/**
 * Verifies every signature of the message (RFC 5652 §5.6) and says whose they are. `content` is needed where it is detached;
 * `certificates` are candidates beside those in the message. Throws `cms.not_signed`, `cms.content_missing`,
 * `cms.signer_unknown`, `cms.algorithm_unsupported`, `cms.content_type_mismatch`, `cms.digest_mismatch`,
 * `cms.signature_invalid`, or `DerError` for a malformed certificate in the message.
 */
export function verifySignedData(
  signedData: SignedData,
  options: {
    readonly content?: Uint8Array | undefined
    readonly certificates?: readonly Certificate[] | undefined
  } = {},
): [VerifiedSigner, ...VerifiedSigner[]] {
  const content = signedData.content ?? options.content
  if (content === undefined) {
    throw new TouchmarkError(
      'cms.content_missing',
      'malformed',
      'The signed content is neither in the message nor beside it.',
    )
  }
  const candidates = [...signedData.certificates.map(parseCertificate), ...(options.certificates ?? [])]
  const [first, ...others] = signedData.signerInfos
  if (first === undefined) throw refused('cms.not_signed', 'The message has no signature.')
  const check = (signerInfo: SignerInfo) => verifySigner(signerInfo, signedData.contentType, content, candidates)
  return [check(first), ...others.map(check)]
}

function verifySigner(
  signerInfo: SignerInfo,
  contentType: string,
  content: Uint8Array,
  candidates: readonly Certificate[],
): VerifiedSigner {
  const { signedAttributes, digestAlgorithm, signatureAlgorithm } = signerInfo
  const certificate = candidates.find(candidate => identifies(signerInfo.sid, candidate))
  if (certificate === undefined) throw refused('cms.signer_unknown', 'The certificate of the signer is not known.')
  const digestName = digestNameOf(digestAlgorithm)
  const algorithm = digestName && signerAlgorithmOf(signatureAlgorithm, digestName)
  if (digestName === undefined || algorithm === undefined) {
    throw new TouchmarkError(
      'cms.algorithm_unsupported',
      'malformed',
      'The algorithms of the signature are not supported.',
      {
        evidence: { digest: digestAlgorithm.oid, signature: signatureAlgorithm.oid },
      },
    )
  }
  if (signedAttributes) {
    if (signedAttributes.contentType !== contentType) {
      throw refused('cms.content_type_mismatch', 'The signature is over another type of content.')
    }
    if (!equalBytes(signedAttributes.messageDigest, digest(digestName, content))) {
      throw refused('cms.digest_mismatch', 'The signature is over other content.')
    }
  } else if (contentType !== CONTENT_TYPE.data) {
    // RFC 5652 §5.3: signed attributes "MUST be present if the content type of the EncapsulatedContentInfo is not id-data".
    throw refused('cms.content_type_mismatch', 'The type of the content is not signed.')
  }
  const signed = signedAttributes?.raw ?? content
  const verdict = checkSignatureWith(certificate.subjectPublicKeyInfo.raw, algorithm, signed, signerInfo.signature)
  if (verdict !== 'valid')
    throw refused('cms.signature_invalid', 'The signature of the message does not verify.', verdict)
  return { signerInfo, certificate }
}

function refused(code: string, message: string, verdict?: string): TouchmarkError {
  return new TouchmarkError(code, 'unauthenticated', message, verdict === undefined ? {} : { evidence: { verdict } })
}

/** For whom an envelope is: a public key with the name that the recipient knows it by, or a key that both sides have. */
export type SealRecipient =
  | {
      readonly kind: 'publicKey'
      readonly identifier: CertificateIdentifier
      readonly subjectPublicKeyInfo: Uint8Array
    }
  | { readonly kind: 'keyEncryptionKey'; readonly keyIdentifier: Uint8Array; readonly key: Uint8Array }

/** The owner of a certificate as recipient, named by issuer and serial number. */
export function recipientOf(certificate: Certificate): SealRecipient {
  return {
    kind: 'publicKey',
    identifier: identifierOf(certificate),
    subjectPublicKeyInfo: certificate.subjectPublicKeyInfo.raw,
  }
}

export interface SealFields {
  readonly recipient: SealRecipient
  readonly content: Uint8Array
  /** `data` where it is left out. */
  readonly contentType?: string | undefined
  /** CBC gives EnvelopedData (the default, aes256-CBC: what EST asks for), GCM gives AuthEnvelopedData. */
  readonly cipher?: ContentCipherName | undefined
  /** For RSA keys: OAEP with SHA-256 unless the other side knows only PKCS#1 v1.5 (SCEP). */
  readonly keyTransport?: KeyTransport | undefined
  /** Source of the content key and of the IV. */
  readonly random?: Random | undefined
}

/**
 * Encrypts content so that only the recipient reads it: a ContentInfo. Throws `cms.recipient_unsupported` where the key cannot
 * receive (Ed25519, ML-DSA, RSA below 2048 or above 8192 bits).
 */
export function sealForRecipient(fields: SealFields): Bytes {
  const random = fields.random ?? systemRandom
  const cipher = contentCipher(fields.cipher ?? 'aes256-CBC')
  const contentType = fields.contentType ?? CONTENT_TYPE.data
  const authenticatedAttributes =
    cipher.mode === 'gcm' && contentType !== CONTENT_TYPE.data
      ? encodeAttributeSet([{ oid: CMS_ATTRIBUTE.contentType, values: [writeDer(w => w.oid(contentType), 32)] }])
      : undefined
  const key = random.bytes(cipher.keyOctets)
  try {
    const recipientInfos = [lockFor(fields.recipient, fields.keyTransport ?? 'rsaes-oaep', key)]
    const additionalData = authenticatedAttributes ?? EMPTY
    const { algorithm, encryptedContent, mac } = encryptContent(cipher, key, fields.content, additionalData, random)
    const envelope = { recipientInfos, contentType, contentEncryptionAlgorithm: algorithm, encryptedContent }
    return cipher.mode === 'gcm'
      ? encodeAuthEnvelopedData({ ...envelope, authenticatedAttributes, mac })
      : encodeEnvelopedData(envelope)
  } finally {
    key.fill(0)
  }
}

function lockFor(recipient: SealRecipient, keyTransport: KeyTransport, key: Uint8Array): RecipientInfoFields {
  if (recipient.kind === 'keyEncryptionKey') {
    return {
      kind: 'keyEncryptionKey',
      keyIdentifier: recipient.keyIdentifier,
      ...wrapWithKek(recipient.key, key),
    }
  }
  const { identifier: rid, subjectPublicKeyInfo } = recipient
  const { keyType, algorithm, rsa } = readSpki(subjectPublicKeyInfo)
  if (rsa !== undefined && isAcceptable(rsa.modulus)) {
    return { kind: 'keyTransport', rid, ...transportKey(open(subjectPublicKeyInfo), keyTransport, key) }
  }
  if (keyType === 'ec' && algorithm !== undefined) {
    const { encryptedKey, ...agreed } = agreeKey(open(subjectPublicKeyInfo), algorithm, key)
    return { kind: 'keyAgreement', ...agreed, recipientEncryptedKeys: [{ rid, encryptedKey }] }
  }
  throw new TouchmarkError(
    'cms.recipient_unsupported',
    'malformed',
    'Nothing can be encrypted to a key of this kind.',
    {
      next: 'Use a P-256, P-384, P-521 or RSA key (2048 to 8192 bits) to receive encrypted messages.',
      evidence: { keyType },
    },
  )
}

function isAcceptable(modulus: Uint8Array): boolean {
  const bits = bitLength(modulus)
  return bits >= MIN_VERIFY_MODULUS_BITS && bits <= MAX_VERIFY_MODULUS_BITS
}

/** Throws `cms.recipient_unsupported` where the octets are no key (a point that is not on its curve). */
function open(spki: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch (cause) {
    throw new TouchmarkError('cms.recipient_unsupported', 'malformed', 'The public key of the recipient is invalid.', {
      cause,
    })
  }
}

/** Whose envelope is opened. Without `certificate` and `keyIdentifier` the first recipient of a fitting kind is taken. */
export type OpenRecipient =
  | {
      readonly kind: 'privateKey'
      readonly privateKey: KeyObject
      readonly certificate?: Certificate | undefined
      /** What the sender was told to call the key (RFC 7030 §4.4.1.2). */
      readonly keyIdentifier?: Uint8Array | undefined
    }
  | { readonly kind: 'keyEncryptionKey'; readonly keyIdentifier: Uint8Array; readonly key: Uint8Array }

export interface OpenedContent {
  readonly contentType: string
  readonly content: Bytes
}

/**
 * Decrypts an envelope. Throws `DerError`, `cms.content_type`, `cms.recipient_missing` where it is for others,
 * `cms.algorithm_unsupported`, `cms.parameters_invalid`, and `cms.decrypt_failed` for everything that goes wrong with keys
 * and ciphertext, without saying what: an attacker who may try often must not learn it. CBC authenticates nothing, so one
 * wrong message in 256 decrypts to garbage: what must be genuine is signed inside.
 */
export function openEnvelope(
  message: Uint8Array | EnvelopedData | AuthEnvelopedData,
  recipient: OpenRecipient,
  random: Random = systemRandom,
): OpenedContent {
  const envelope = message instanceof Uint8Array ? parseEnvelope(message) : message
  const { contentType, encryptedContent, contentEncryptionAlgorithm } = envelope
  const cipher = contentCipherOf(contentEncryptionAlgorithm)
  if ((cipher.mode === 'gcm') !== (envelope.kind === 'authEnvelopedData')) {
    throw new TouchmarkError(
      'cms.algorithm_unsupported',
      'malformed',
      'The content encryption does not fit the envelope.',
    )
  }
  if (encryptedContent === undefined) {
    throw new TouchmarkError('cms.content_missing', 'malformed', 'The encrypted content is not in the message.')
  }
  const isAuthenticated = envelope.kind === 'authEnvelopedData'
  const additionalData = (isAuthenticated ? envelope.authenticatedAttributes?.raw : undefined) ?? EMPTY
  const mac = isAuthenticated ? envelope.mac : EMPTY
  const fallback = random.bytes(cipher.keyOctets)
  let key: Bytes = fallback
  try {
    key = unlock(envelope.recipientInfos, recipient, fallback)
    if (key.length !== cipher.keyOctets) throw decryptFailed()
    const content = decryptContent(cipher, contentEncryptionAlgorithm, key, encryptedContent, mac, additionalData)
    if (isAuthenticated) checkContentType(envelope)
    return { contentType, content }
  } catch (thrown) {
    throw thrown instanceof TouchmarkError ? thrown : decryptFailed()
  } finally {
    key.fill(0)
    fallback.fill(0)
  }
}

/** RFC 5083 §2.1: where attributes are authenticated, the content type is among them and must be that of the content. */
function checkContentType({ authenticatedAttributes, contentType }: AuthEnvelopedData): void {
  if (authenticatedAttributes === undefined) return
  const value = singleValue(authenticatedAttributes.attributes, CMS_ATTRIBUTE.contentType)
  const named = value && readDer(value, reader => reader.oid())
  if (named === undefined ? contentType !== CONTENT_TYPE.data : named !== contentType) throw decryptFailed()
}

function unlock(recipientInfos: readonly RecipientInfo[], recipient: OpenRecipient, fallback: Bytes): Bytes {
  for (const info of recipientInfos) {
    if (recipient.kind === 'keyEncryptionKey') {
      if (info.kind !== 'keyEncryptionKey' || !equalBytes(info.keyIdentifier, recipient.keyIdentifier)) continue
      return unwrapWithKek(recipient.key, info.keyEncryptionAlgorithm, info.encryptedKey)
    }
    const { privateKey } = recipient
    if (info.kind === 'keyTransport' && privateKey.asymmetricKeyType === 'rsa' && isFor(info.rid, recipient)) {
      return openTransportedKey(privateKey, info.keyEncryptionAlgorithm, info.encryptedKey, fallback)
    }
    if (info.kind !== 'keyAgreement' || privateKey.asymmetricKeyType !== 'ec') continue
    const { originator } = info
    const ours = info.recipientEncryptedKeys.find(({ rid }) => isFor(rid, recipient))
    if (ours === undefined || originator.kind !== 'originatorKey') continue
    return openAgreedKey(privateKey, originator, info.keyEncryptionAlgorithm, info.ukm, ours.encryptedKey)
  }
  throw new TouchmarkError('cms.recipient_missing', 'malformed', 'The message is encrypted for others.')
}

function isFor(rid: CertificateIdentifier, recipient: Extract<OpenRecipient, { kind: 'privateKey' }>): boolean {
  const { certificate, keyIdentifier } = recipient
  if (certificate === undefined && keyIdentifier === undefined) return true
  if (certificate !== undefined && identifies(rid, certificate)) return true
  return (
    keyIdentifier !== undefined && rid.kind === 'subjectKeyIdentifier' && equalBytes(rid.keyIdentifier, keyIdentifier)
  )
}

function decryptFailed(): TouchmarkError {
  return new TouchmarkError('cms.decrypt_failed', 'malformed', 'The message does not decrypt.')
}
