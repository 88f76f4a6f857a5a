// Names in a renewal request against those of the certificate being renewed. RFC 7030 §4.2.2: "The Subject field and SubjectAltName
// extension in the CSR MUST be identical to the corresponding fields in the certificate being renewed/rekeyed."
import { fromHex, toHex } from '../../core/bytes/hex.ts'
import type { Certificate } from '../../core/pki/certificate.ts'
import { type CertificationRequest, parseCertificationRequest } from '../../core/pki/csr.ts'
import { type Extension, findExtension } from '../../core/pki/extension.ts'
import { parseSubjectAltName } from '../../core/pki/extensions.ts'
import { encodeGeneralName } from '../../core/pki/general-name.ts'
import { namesEqual } from '../../core/pki/name.ts'
import { OID } from '../../core/pki/oids.ts'
import { parseAuditEntry } from '../audit/entry.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import { requestDigest } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import type { RequestedNames } from './decide.ts'

/** id-cmc-changeSubjectName (RFC 6402 §2.8). */
const CHANGE_SUBJECT_NAME = '1.3.6.1.5.5.7.7.36'

/** What a request asks for where no certificate is renewed: nothing to compare. */
export const NO_NAMES: RequestedNames = { subject: 'empty', subjectAltName: 'absent', changeSubjectName: false }

/**
 * Identical is read as RFC 5280 §7.1 compares names: tools write UTF8String where the certificate has PrintableString. A request that
 * names nothing asks for no change, which several clients do (`openssl x509 -x509toreq` leaves the extension out). Neither does one
 * that repeats what the device asked when the certificate was issued (`before`): `pki --est` of strongSwan is given one request file for
 * life, and the profile gave other names then as it does now.
 * Throws `DerError` where the requested extension is malformed.
 */
export function compareNames(
  csr: CertificationRequest,
  certificate: Certificate,
  before?: CertificationRequest,
): RequestedNames {
  const asked = findExtension(csr.requestedExtensions, OID.subjectAltName)
  if (
    before &&
    namesEqual(csr.subject, before.subject) &&
    sameNames(asked, findExtension(before.requestedExtensions, OID.subjectAltName))
  ) {
    return { ...compareNames(csr, certificate), ...AS_BEFORE }
  }
  const given = findExtension(certificate.extensions, OID.subjectAltName)
  const isEmpty = csr.subject.rdns.length === 0
  return {
    subject: namesEqual(csr.subject, certificate.subject) ? 'same' : isEmpty ? 'empty' : 'other',
    subjectAltName: asked === undefined ? 'absent' : sameNames(asked, given) ? 'same' : 'other',
    changeSubjectName: csr.attributes.some(attribute => attribute.oid === CHANGE_SUBJECT_NAME),
  }
}

const AS_BEFORE = { subject: 'as-before', subjectAltName: 'as-before' } as const

function sameNames(a: Extension | undefined, b: Extension | undefined): boolean {
  return a === undefined || b === undefined ? a === b : nameSet(a) === nameSet(b)
}

/**
 * The request that a certificate was issued for. Its audit entry names the request; certificates from a batch have none.
 */
export async function requestBehind(
  record: CertificateRecord,
  read: Pick<StoreReader, 'auditEntry' | 'enrolment'>,
): Promise<CertificationRequest | undefined> {
  const entry = await read.auditEntry(record.auditIndex)
  const digest = entry && parseAuditEntry(entry).subject['requestDigest']
  const enrolment = digest === undefined ? undefined : await read.enrolment(requestDigest(fromHex(digest)))
  return enrolment && parseCertificationRequest(enrolment.csr)
}

/** The names in one order; DNS names are the same in any case. */
function nameSet(extension: Extension): string {
  return parseSubjectAltName(extension.value)
    .map(name =>
      toHex(encodeGeneralName(name.kind === 'dNSName' ? { ...name, value: name.value.toLowerCase() } : name)),
    )
    .sort()
    .join()
}

/** The request as if it had repeated the names of the certificate being renewed, so that a profile which reads them finds them. */
export function namesForRenewal(
  csr: CertificationRequest,
  certificate: Certificate,
): { readonly requestedSubject: Certificate['subject']; readonly requestedExtensions: readonly Extension[] } {
  const given = findExtension(certificate.extensions, OID.subjectAltName)
  const others = csr.requestedExtensions.filter(extension => extension.oid !== OID.subjectAltName)
  return { requestedSubject: certificate.subject, requestedExtensions: given ? [...others, given] : others }
}
