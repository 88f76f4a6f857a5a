// Names in a renewal request against those of the certificate being renewed. RFC 7030 §4.2.2: "The Subject field and SubjectAltName
// extension in the CSR MUST be identical to the corresponding fields in the certificate being renewed/rekeyed."
import { toHex } from '../../core/bytes/hex.ts'
import type { Certificate } from '../../core/pki/certificate.ts'
import type { CertificationRequest } from '../../core/pki/csr.ts'
import { type Extension, findExtension } from '../../core/pki/extension.ts'
import { parseSubjectAltName } from '../../core/pki/extensions.ts'
import { encodeGeneralName } from '../../core/pki/general-name.ts'
import { namesEqual } from '../../core/pki/name.ts'
import { OID } from '../../core/pki/oids.ts'
import type { RequestedNames } from './decide.ts'

/** id-cmc-changeSubjectName (RFC 6402 §2.8). */
const CHANGE_SUBJECT_NAME = '1.3.6.1.5.5.7.7.36'

/** What a request asks for where no certificate is renewed: nothing to compare. */
export const NO_NAMES: RequestedNames = { subject: 'empty', subjectAltName: 'absent', changeSubjectName: false }

/**
 * Identical is read as RFC 5280 §7.1 compares names: tools write UTF8String where the certificate has PrintableString. A request that
 * names nothing asks for no change, which several clients do (`openssl x509 -x509toreq` leaves the extension out).
 * Throws `DerError` where the requested extension is malformed.
 */
export function compareNames(csr: CertificationRequest, certificate: Certificate): RequestedNames {
  const asked = findExtension(csr.requestedExtensions, OID.subjectAltName)
  const given = findExtension(certificate.extensions, OID.subjectAltName)
  const isEmpty = csr.subject.rdns.length === 0
  return {
    subject: namesEqual(csr.subject, certificate.subject) ? 'same' : isEmpty ? 'empty' : 'other',
    subjectAltName: asked === undefined ? 'absent' : given && nameSet(asked) === nameSet(given) ? 'same' : 'other',
    changeSubjectName: csr.attributes.some(attribute => attribute.oid === CHANGE_SUBJECT_NAME),
  }
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
