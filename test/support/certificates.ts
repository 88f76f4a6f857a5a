// Certificates for tests, written with our own encoders and signed with node:crypto: any chain, and any defect, in one call.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import type { Bytes } from '../../src/core/bytes/bytes.ts'
import { fromHex } from '../../src/core/bytes/hex.ts'
import { encodeAlgorithmIdentifier } from '../../src/core/pki/algorithm-identifier.ts'
import { type Certificate, encodeTbsCertificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import type { Extension } from '../../src/core/pki/extension.ts'
import {
  encodeAuthorityKeyIdentifier,
  encodeBasicConstraints,
  encodeKeyUsage,
  encodeSubjectKeyIdentifier,
  extension,
} from '../../src/core/pki/extensions.ts'
import { encodeName, parseNameText } from '../../src/core/pki/name.ts'
import { OID } from '../../src/core/pki/oids.ts'
import type { VerifySignature } from '../../src/core/pki/path.ts'
import { encodeSigned } from '../../src/core/pki/signed.ts'

/** 2026-01-01T00:00:00Z. */
export const TEST_NOW = 1767225600

export const ECDSA_SHA256 = encodeAlgorithmIdentifier('1.2.840.10045.4.3.2')

export interface Key {
  readonly privateKey: KeyObject
  readonly spki: Bytes
  /** Any octets that differ between keys; what hash they come from is nothing to these tests. */
  readonly identifier: Bytes
}

export function p256Key(): Key {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  return { privateKey, spki, identifier: spki.slice(-20) }
}

export interface Made {
  readonly certificate: Certificate
  readonly key: Key
}

export interface CertificateOptions {
  /** RFC 4514 text. */
  readonly subject: string
  /** Absent: self-signed. */
  readonly issuer?: Made
  readonly key?: Key
  readonly serial?: string
  readonly notBefore?: number
  readonly notAfter?: number
  /** With a path length, or `true` for none; absent: an end entity. */
  readonly ca?: boolean | number
  /** Added after the usual ones; one with the OID of a usual one replaces it. */
  readonly extensions?: readonly Extension[]
  /** OIDs of usual extensions to leave out. */
  readonly without?: readonly string[]
}

let serials = 0

/** A certificate with the extensions that RFC 5280 wants for its kind, changed as the options say. */
export function makeCertificate(options: CertificateOptions): Made {
  const key = options.key ?? p256Key()
  const signer = options.issuer ?? { key }
  const isCA = options.ca !== undefined && options.ca !== false
  const pathLenConstraint = typeof options.ca === 'number' ? options.ca : undefined
  const usual = [
    extension(OID.subjectKeyIdentifier, false, encodeSubjectKeyIdentifier(key.identifier)),
    extension(
      OID.authorityKeyIdentifier,
      false,
      encodeAuthorityKeyIdentifier({ keyIdentifier: signer.key.identifier }),
    ),
    extension(OID.basicConstraints, true, encodeBasicConstraints({ cA: isCA, pathLenConstraint })),
    extension(OID.keyUsage, true, encodeKeyUsage(isCA ? ['keyCertSign', 'cRLSign'] : ['digitalSignature'])),
  ]
  const own = options.extensions ?? []
  const left = usual.filter(({ oid }) => !options.without?.includes(oid) && !own.some(other => other.oid === oid))
  const subject = encodeName(parseNameText(options.subject))
  const tbs = encodeTbsCertificate({
    serialNumber: fromHex(options.serial ?? (++serials + 0x1000).toString(16)),
    signatureAlgorithm: ECDSA_SHA256,
    issuer: options.issuer?.certificate.subject.raw ?? subject,
    notBefore: options.notBefore ?? TEST_NOW - 86400,
    notAfter: options.notAfter ?? TEST_NOW + 365 * 86400,
    subject,
    subjectPublicKeyInfo: key.spki,
    extensions: [...left, ...own],
  })
  return { certificate: parseCertificate(signTbs(tbs, signer.key)), key }
}

/** The signed structure around these octets, with ECDSA over SHA-256. */
export function signTbs(tbs: Uint8Array, key: Key): Bytes {
  return encodeSigned(tbs, ECDSA_SHA256, sign('sha256', tbs, key.privateKey))
}

/** Verification with OpenSSL, not with ours: tests of `core/` lean on nothing to the right of it. */
export const verifyWithNode: VerifySignature = (spki, algorithm, tbs, signature) => {
  const hash = HASHES.get(algorithm.oid)
  if (hash === undefined) return false
  try {
    return verify(hash, tbs, createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }), signature)
  } catch {
    return false
  }
}

const HASHES = new Map([
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.5', 'sha1'],
  ['1.2.840.10040.4.3', 'sha1'],
])

/** A private key in PEM, for tests that hand it to the `openssl` command. */
export function privateKeyPem(key: Key): string {
  return createPrivateKey(key.privateKey.export({ type: 'pkcs8', format: 'pem' })).export({
    type: 'pkcs8',
    format: 'pem',
  }) as string
}
