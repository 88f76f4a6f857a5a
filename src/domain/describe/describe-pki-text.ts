// Whatever somebody pastes, in words: PEM blocks, or one DER in base64 or hexadecimal; certificates, requests (RFC 2986) and CRLs (RFC 5280 §5).
// What cannot be read is named with the reason, and does not hide the others.
import { parsePem, toPem } from '../../core/asn1/pem.ts'
import { fromBase64 } from '../../core/bytes/base64.ts'
import type { Bytes } from '../../core/bytes/bytes.ts'
import { fromHex } from '../../core/bytes/hex.ts'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import { parseCertificateList } from '../../core/pki/crl.ts'
import { parseCrlNumber } from '../../core/pki/crl-extensions.ts'
import { parseCertificationRequest } from '../../core/pki/csr.ts'
import { findExtension } from '../../core/pki/extension.ts'
import { formatName } from '../../core/pki/name.ts'
import { OID } from '../../core/pki/oids.ts'
import { findSignatureAlgorithm } from '../../crypto/algorithms.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import { checkSelfSignature } from '../../crypto/verify.ts'
import { timestamp } from '../timestamp.ts'
import {
  type CertificateDescription,
  describeCertificate,
  describeExtension,
  type ExtensionDescription,
  keyAlgorithmText,
} from './describe-certificate.ts'

/** Characters of a text that is read. */
export const MAX_PASTED = 1024 * 1024
/** Objects in one text. */
const MAX_OBJECTS = 100
/** Entries of a CRL that are spelled out. */
const MAX_ENTRIES = 1000

export type PkiDescription =
  | { readonly kind: 'certificate'; readonly der: Uint8Array; readonly certificate: CertificateDescription }
  | {
      readonly kind: 'request'
      readonly subject: string
      readonly keyAlgorithm: string
      readonly keyId: string
      /** Of the proof of possession. */
      readonly signature: 'valid' | 'invalid' | 'not_checked'
      readonly attributes: string[]
      readonly extensions: ExtensionDescription[]
      readonly pem: string
    }
  | {
      readonly kind: 'crl'
      readonly issuer: string
      readonly number: string | null
      readonly thisUpdate: string
      readonly nextUpdate: string | null
      readonly signatureAlgorithm: string
      readonly entries: number
      readonly revoked: { serialNumber: string; at: string; reason: string | null }[]
      readonly extensions: ExtensionDescription[]
    }
  | { readonly kind: 'unreadable'; readonly label: string; readonly why: string }

/** Throws `decode.nothing_found` where the text holds nothing of that kind, `decode.too_many`. */
export function describePkiText(text: string): PkiDescription[] {
  const blocks = blocksOf(text)
  if (blocks.length === 0) {
    throw new TouchmarkError('decode.nothing_found', 'malformed', 'The text holds neither PEM nor DER.', {
      next: 'Paste PEM with its BEGIN and END lines, or DER in base64 or hexadecimal.',
    })
  }
  if (blocks.length > MAX_OBJECTS) {
    throw new TouchmarkError('decode.too_many', 'malformed', `The text holds more than ${MAX_OBJECTS} objects.`)
  }
  return blocks.map(({ label, der }) => describeBlock(label, der))
}

function blocksOf(text: string): { readonly label: string | undefined; readonly der: Bytes }[] {
  if (text.includes('-----BEGIN')) return parsePem(text)
  const bare = text.replaceAll(/\s+/g, '')
  const octets = /^[0-9a-fA-F:]+$/.test(bare)
    ? attempt(() => fromHex(bare.replaceAll(':', '').toLowerCase()))
    : undefined
  const der = octets ?? attempt(() => fromBase64(bare))
  return der === undefined || der[0] !== 0x30 ? [] : [{ label: undefined, der }]
}

const READERS = { certificate: certificateOf, request: requestOf, crl: crlOf } as const
const LABELS: Readonly<Record<string, keyof typeof READERS>> = {
  CERTIFICATE: 'certificate',
  'X509 CERTIFICATE': 'certificate',
  'TRUSTED CERTIFICATE': 'certificate',
  'CERTIFICATE REQUEST': 'request',
  'NEW CERTIFICATE REQUEST': 'request',
  'X509 CRL': 'crl',
}

function describeBlock(label: string | undefined, der: Bytes): PkiDescription {
  if (label !== undefined) {
    const kind = Object.hasOwn(LABELS, label) ? LABELS[label] : undefined
    if (kind === undefined) return { kind: 'unreadable', label, why: 'We read certificates, requests and CRLs.' }
    try {
      return READERS[kind](der)
    } catch (thrown) {
      return { kind: 'unreadable', label, why: whyOf(thrown) }
    }
  }
  // DER says no kind: what it is read as, it is.
  const [first, ...others] = Object.values(READERS)
  for (const read of others) {
    const found = attempt(() => read(der))
    if (found !== undefined) return found
  }
  try {
    return first!(der)
  } catch (thrown) {
    return { kind: 'unreadable', label: 'DER', why: whyOf(thrown) }
  }
}

function certificateOf(der: Bytes): PkiDescription {
  return { kind: 'certificate', der, certificate: describeCertificate(der) }
}

function requestOf(der: Bytes): PkiDescription {
  const request = parseCertificationRequest(der)
  const spki = request.subjectPublicKeyInfo
  const verdict = checkSelfSignature(spki.raw, request.signatureAlgorithm, request.tbs, request.signature)
  return {
    kind: 'request',
    subject: formatName(request.subject),
    keyAlgorithm: keyAlgorithmText(request),
    keyId: sha256Hex(spki.raw),
    signature: verdict === 'valid' || verdict === 'invalid' ? verdict : 'not_checked',
    attributes: request.attributes.map(({ oid }) => NAMES.get(oid) ?? oid),
    extensions: request.requestedExtensions.map(describeExtension),
    pem: toPem('CERTIFICATE REQUEST', der),
  }
}

function crlOf(der: Bytes): PkiDescription {
  const list = parseCertificateList(der)
  const number = findExtension(list.crlExtensions, OID.cRLNumber)
  const revoked: { serialNumber: string; at: string; reason: string | null }[] = []
  let entries = 0
  for (const { serialNumber, revocationDate, reason } of list.entries()) {
    if (++entries <= MAX_ENTRIES) revoked.push({ serialNumber, at: timestamp(revocationDate), reason })
  }
  return {
    kind: 'crl',
    issuer: formatName(list.issuer),
    number: number ? String(parseCrlNumber(number.value)) : null,
    thisUpdate: timestamp(list.thisUpdate),
    nextUpdate: list.nextUpdate === undefined ? null : timestamp(list.nextUpdate),
    signatureAlgorithm: findSignatureAlgorithm(list.signatureAlgorithm)?.name ?? list.signatureAlgorithm.oid,
    entries,
    revoked,
    extensions: list.crlExtensions.map(describeExtension),
  }
}

const NAMES: ReadonlyMap<string, string> = new Map(Object.entries(OID).map(([name, oid]) => [oid, name]))

function whyOf(thrown: unknown): string {
  const error = asTouchmarkError(thrown)
  return error.kind === 'internal' ? 'It cannot be read.' : `${error.code}: ${error.message}`
}

function attempt<T>(body: () => T): T | undefined {
  try {
    return body()
  } catch {
    return undefined
  }
}
