// SignerIdentifier and RecipientIdentifier (RFC 5652 §5.3, §6.2.1): the two ways in which a message names a certificate.
import { DerError } from '../asn1/der-error.ts'
import type { DerReader } from '../asn1/reader.ts'
import { contextPrimitive, TAG } from '../asn1/tag.ts'
import type { DerWriter } from '../asn1/writer.ts'
import { equalBytes } from '../bytes/bytes.ts'
import type { Certificate } from '../pki/certificate.ts'
import { findExtension } from '../pki/extension.ts'
import { parseSubjectKeyIdentifier } from '../pki/extensions.ts'
import { type Name, namesEqual, parseName } from '../pki/name.ts'
import { OID } from '../pki/oids.ts'
import { parseSerialNumber, writeSerialNumber } from '../pki/serial-number.ts'

export type CertificateIdentifier =
  /** `serialNumber` is lower-case hexadecimal as in `Certificate`. */
  | { readonly kind: 'issuerAndSerialNumber'; readonly issuer: Name; readonly serialNumber: string }
  | { readonly kind: 'subjectKeyIdentifier'; readonly keyIdentifier: Uint8Array }

const SUBJECT_KEY_IDENTIFIER = contextPrimitive(0)

/** `CHOICE { issuerAndSerialNumber IssuerAndSerialNumber, subjectKeyIdentifier [0] IMPLICIT OCTET STRING }` */
export function parseCertificateIdentifier(reader: DerReader): CertificateIdentifier {
  const at = reader.offset
  switch (reader.peekTag()) {
    case TAG.SEQUENCE:
      return parseIssuerAndSerialNumber(reader)
    case SUBJECT_KEY_IDENTIFIER:
      return { kind: 'subjectKeyIdentifier', keyIdentifier: reader.octetString(SUBJECT_KEY_IDENTIFIER) }
    default:
      throw new DerError('der.tag_unexpected', at, 'The certificate is named neither by issuer nor by key')
  }
}

/** `IssuerAndSerialNumber ::= SEQUENCE { issuer Name, serialNumber CertificateSerialNumber }` (RFC 5652 §10.2.4) */
export function parseIssuerAndSerialNumber(
  reader: DerReader,
): Extract<CertificateIdentifier, { kind: 'issuerAndSerialNumber' }> {
  return reader.sequence(fields => ({
    kind: 'issuerAndSerialNumber',
    issuer: parseName(fields),
    serialNumber: parseSerialNumber(fields),
  }))
}

export function writeCertificateIdentifier(w: DerWriter, identifier: CertificateIdentifier): void {
  if (identifier.kind === 'subjectKeyIdentifier') w.octetString(identifier.keyIdentifier, SUBJECT_KEY_IDENTIFIER)
  else writeIssuerAndSerialNumber(w, identifier)
}

export function writeIssuerAndSerialNumber(
  w: DerWriter,
  identifier: Extract<CertificateIdentifier, { kind: 'issuerAndSerialNumber' }>,
): void {
  w.sequence(() => {
    w.raw(identifier.issuer.raw)
    writeSerialNumber(w, identifier.serialNumber)
  })
}

/** The identifier of a certificate by issuer and serial number, which every relying party understands. */
export function identifierOf(
  certificate: Pick<Certificate, 'issuer' | 'serialNumber'>,
): Extract<CertificateIdentifier, { kind: 'issuerAndSerialNumber' }> {
  return {
    kind: 'issuerAndSerialNumber',
    issuer: certificate.issuer,
    serialNumber: certificate.serialNumber,
  }
}

/** Whether `identifier` names `certificate`. A certificate without subjectKeyIdentifier is never named by key. */
export function identifies(
  identifier: CertificateIdentifier,
  certificate: Pick<Certificate, 'issuer' | 'serialNumber' | 'extensions'>,
): boolean {
  if (identifier.kind === 'issuerAndSerialNumber') {
    return identifier.serialNumber === certificate.serialNumber && namesEqual(identifier.issuer, certificate.issuer)
  }
  const found = findExtension(certificate.extensions, OID.subjectKeyIdentifier)
  return found !== undefined && equalBytes(parseSubjectKeyIdentifier(found.value), identifier.keyIdentifier)
}
