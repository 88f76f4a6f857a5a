// How a private key that this server made travels to its device (RFC 7030 §4.4): as PKCS#8 inside TLS, or, where the request names a key
// to encrypt to, as a CMS EnvelopedData around a SignedData around the key package (§4.4.2).

import { equalBytes } from '../../core/bytes/bytes.ts'
import { CONTENT_TYPE, parseContentOf } from '../../core/cms/content-info.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../../core/pki/certificate.ts'
import {
  asymmetricDecryptKeyIdentifier,
  type CertificationRequest,
  decryptKeyIdentifier,
  smimeCapabilities,
} from '../../core/pki/csr.ts'
import { findExtension } from '../../core/pki/extension.ts'
import { parseSubjectKeyIdentifier } from '../../core/pki/extensions.ts'
import { OID } from '../../core/pki/oids.ts'
import { encodeAsymmetricKeyPackage } from '../../core/pki/pkcs8.ts'
import { sealForRecipient, signData } from '../../crypto/cms.ts'
import { type ContentCipherName, contentCipher } from '../../crypto/cms-content-encryption.ts'
import { sha1, sha256 } from '../../crypto/digest.ts'
import type { PrivateKey } from '../../crypto/keys.ts'
import type { Signer } from '../../crypto/signer.ts'

/** Who vouches for a key package: "signed by the party that generated the private key" (§4.4.2). */
export interface KeyPackageSigner {
  readonly signer: Signer
  readonly certificate: Certificate
  /** Certificates above, whole. */
  readonly chain: readonly Uint8Array[]
}

export type KeyDelivery =
  | { readonly kind: 'clear' }
  | {
      readonly kind: 'encrypted'
      readonly keyIdentifier: Uint8Array
      readonly recipient: Certificate
      readonly cipher: ContentCipherName
    }

/** In the order that we prefer. GCM is the better choice; EST asks for EnvelopedData, which is CBC. */
const CIPHERS = ['aes256-CBC', 'aes192-CBC', 'aes128-CBC'] as const satisfies readonly ContentCipherName[]

/**
 * What the request asks for. `candidates` are certificates of the device whose keys may be named. Throws `est.decrypt_key_unknown` where
 * the named key is none of them or is a shared secret (§4.4.1.1), which this server has with nobody; `est.no_common_cipher`.
 */
export function readKeyDelivery(csr: CertificationRequest, candidates: readonly Uint8Array[]): KeyDelivery {
  if (decryptKeyIdentifier(csr.attributes) !== undefined) {
    throw new TouchmarkError(
      'est.decrypt_key_unknown',
      'malformed',
      'DecryptKeyIdentifier names a shared secret; there is none.',
      {
        next: 'Name a public key of the device with AsymmetricDecryptKeyIdentifier (RFC 7030 §4.4.1.2).',
      },
    )
  }
  const keyIdentifier = asymmetricDecryptKeyIdentifier(csr.attributes)
  if (keyIdentifier === undefined) return { kind: 'clear' }
  const recipient = candidates.map(parseCertificate).find(certificate => isNamed(certificate, keyIdentifier))
  if (recipient === undefined) {
    throw new TouchmarkError(
      'est.decrypt_key_unknown',
      'malformed',
      'AsymmetricDecryptKeyIdentifier names no key of this device.',
      {
        next: 'Name the subject key identifier of the certificate that the device presents.',
      },
    )
  }
  return { kind: 'encrypted', keyIdentifier, recipient, cipher: chooseCipher(csr) }
}

/** By extension, or by one of the hashes that such identifiers are made of (RFC 5280 §4.2.1.2, RFC 7093 §2). */
function isNamed(certificate: Certificate, keyIdentifier: Uint8Array): boolean {
  const found = findExtension(certificate.extensions, OID.subjectKeyIdentifier)
  if (found) return equalBytes(parseSubjectKeyIdentifier(found.value), keyIdentifier)
  const { publicKey } = certificate.subjectPublicKeyInfo
  return [sha1(publicKey), sha256(publicKey).subarray(0, 20)].some(hash => equalBytes(hash, keyIdentifier))
}

/** §4.4.1: the request also says what the device can decrypt; without a word we take what every CMS library has. */
function chooseCipher(csr: CertificationRequest): ContentCipherName {
  const capabilities = smimeCapabilities(csr.attributes)
  if (capabilities === undefined) return CIPHERS[0]
  const common = CIPHERS.find(name => capabilities.some(({ capabilityID }) => capabilityID === contentCipher(name).oid))
  if (common) return common
  throw new TouchmarkError(
    'est.no_common_cipher',
    'malformed',
    'SMIMECapabilities has no content encryption that we know.',
    {
      next: `Offer one of ${CIPHERS.join(', ')}.`,
    },
  )
}

/** The part of the reply that carries the key. Throws `cms.recipient_unsupported` where nothing can be encrypted to the named key. */
export async function encodeKeyPart(
  key: PrivateKey,
  delivery: KeyDelivery,
  packageSigner: KeyPackageSigner | undefined,
): Promise<{ readonly contentType: string; readonly der: Uint8Array }> {
  if (delivery.kind === 'clear') return { contentType: 'application/pkcs8', der: key.toPkcs8() }
  if (packageSigner === undefined) {
    throw new TouchmarkError(
      'est.key_encryption_unavailable',
      'malformed',
      'This server has no key to sign key packages with.',
      {
        next: 'Ask for the key without AsymmetricDecryptKeyIdentifier, or send a request for a key that the device made.',
      },
    )
  }
  const pkcs8 = key.toPkcs8()
  const keyPackage = encodeAsymmetricKeyPackage([pkcs8])
  const signed = await signData({
    content: keyPackage,
    contentType: CONTENT_TYPE.asymmetricKeyPackage,
    signer: packageSigner.signer,
    certificate: packageSigner.certificate,
    certificates: packageSigner.chain,
  })
  const der = sealForRecipient({
    // RFC 5652 §6.1: what is encrypted is the content itself, without the ContentInfo around it.
    content: parseContentOf(signed, CONTENT_TYPE.signedData),
    contentType: CONTENT_TYPE.signedData,
    recipient: {
      kind: 'publicKey',
      identifier: { kind: 'subjectKeyIdentifier', keyIdentifier: delivery.keyIdentifier },
      subjectPublicKeyInfo: delivery.recipient.subjectPublicKeyInfo.raw,
    },
    cipher: delivery.cipher,
  })
  pkcs8.fill(0)
  keyPackage.fill(0)
  signed.fill(0)
  return { contentType: 'application/pkcs7-mime; smime-type=server-generated-key', der }
}
