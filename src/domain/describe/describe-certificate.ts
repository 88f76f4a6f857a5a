// A certificate in words: every field of RFC 5280, every extension that we know by its name, the others by their octets.

import { toPem } from '../../core/asn1/pem.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../../core/pki/certificate.ts'
import { parseCRLDistributionPoints } from '../../core/pki/distribution-point.ts'
import type { Extension } from '../../core/pki/extension.ts'
import {
  parseAuthorityInfoAccess,
  parseAuthorityKeyIdentifier,
  parseBasicConstraints,
  parseExtendedKeyUsage,
  parseKeyUsage,
  parseSubjectAltName,
  parseSubjectKeyIdentifier,
} from '../../core/pki/extensions.ts'
import { type GeneralName, parseHardwareModuleName, parsePermanentIdentifier } from '../../core/pki/general-name.ts'
import { formatName } from '../../core/pki/name.ts'
import { parseNameConstraints } from '../../core/pki/name-constraints.ts'
import { OID } from '../../core/pki/oids.ts'
import { parseCertificatePolicies } from '../../core/pki/policies.ts'
import { findSignatureAlgorithm, keyAlgorithmOfSpki } from '../../crypto/algorithms.ts'
import { sha256 } from '../../crypto/digest.ts'
import { timestamp } from '../timestamp.ts'

export interface ExtensionDescription {
  readonly oid: string
  readonly name: string | null
  readonly critical: boolean
  /** In words; hexadecimal where we do not know the extension or cannot read it. */
  readonly value: string
}

export interface CertificateDescription {
  readonly serialNumber: string
  readonly subject: string
  readonly issuer: string
  readonly notBefore: string
  readonly notAfter: string
  readonly keyAlgorithm: string
  readonly signatureAlgorithm: string
  readonly sha256: string
  /** SHA-256 over the SubjectPublicKeyInfo: the key's id in the registry. */
  readonly keyId: string
  readonly extensions: readonly ExtensionDescription[]
  readonly pem: string
}

/** Throws `DerError` where the octets are no certificate. */
export function describeCertificate(der: Uint8Array): CertificateDescription {
  const certificate = parseCertificate(der)
  return {
    serialNumber: certificate.serialNumber,
    subject: formatName(certificate.subject),
    issuer: formatName(certificate.issuer),
    notBefore: timestamp(certificate.notBefore),
    notAfter: timestamp(certificate.notAfter),
    keyAlgorithm: keyAlgorithmText(certificate),
    signatureAlgorithm:
      findSignatureAlgorithm(certificate.signatureAlgorithm)?.name ?? certificate.signatureAlgorithm.oid,
    sha256: toHex(sha256(der)),
    keyId: toHex(sha256(certificate.subjectPublicKeyInfo.raw)),
    extensions: certificate.extensions.map(describeExtension),
    pem: toPem('CERTIFICATE', der),
  }
}

export function keyAlgorithmText({ subjectPublicKeyInfo }: Pick<Certificate, 'subjectPublicKeyInfo'>): string {
  try {
    return keyAlgorithmOfSpki(subjectPublicKeyInfo)
  } catch (thrown) {
    if (thrown instanceof TouchmarkError) return subjectPublicKeyInfo.algorithm.oid
    throw thrown
  }
}

export function describeExtension(extension: Extension): ExtensionDescription {
  const { oid, critical, value } = extension
  const describe = DESCRIBERS[oid]
  const name = NAMES.get(oid) ?? null
  try {
    return { oid, name, critical, value: describe ? describe(value) : toHex(value) }
  } catch {
    // A malformed value is shown as it is: this command looks at what others made.
    return { oid, name, critical, value: `(malformed) ${toHex(value)}` }
  }
}

const NAMES: ReadonlyMap<string, string> = new Map(Object.entries(OID).map(([name, oid]) => [oid, name]))

const DESCRIBERS: Readonly<Record<string, (value: Uint8Array) => string>> = {
  [OID.subjectKeyIdentifier]: value => toHex(parseSubjectKeyIdentifier(value)),
  [OID.authorityKeyIdentifier]: value => {
    const { keyIdentifier, authorityCertSerialNumber } = parseAuthorityKeyIdentifier(value)
    return keyIdentifier ? toHex(keyIdentifier) : `serial number ${authorityCertSerialNumber ?? '(none)'}`
  },
  [OID.keyUsage]: value => parseKeyUsage(value).join(', '),
  [OID.extKeyUsage]: value =>
    parseExtendedKeyUsage(value)
      .map(oid => NAMES.get(oid) ?? oid)
      .join(', '),
  [OID.basicConstraints]: value => {
    const { cA, pathLenConstraint } = parseBasicConstraints(value)
    return `cA ${cA}${pathLenConstraint === undefined ? '' : `, pathLenConstraint ${pathLenConstraint}`}`
  },
  [OID.subjectAltName]: value => parseSubjectAltName(value).map(generalName).join('\n'),
  [OID.issuerAltName]: value => parseSubjectAltName(value).map(generalName).join('\n'),
  [OID.cRLDistributionPoints]: value =>
    parseCRLDistributionPoints(value)
      .map(({ distributionPoint: point }) =>
        point?.kind === 'fullName' ? point.names.map(generalName).join(', ') : '(relative to the CRL issuer)',
      )
      .join('\n'),
  [OID.authorityInfoAccess]: value =>
    parseAuthorityInfoAccess(value)
      .map(
        ({ accessMethod, accessLocation }) =>
          `${NAMES.get(accessMethod) ?? accessMethod} ${generalName(accessLocation)}`,
      )
      .join('\n'),
  [OID.certificatePolicies]: value =>
    parseCertificatePolicies(value)
      .map(({ policyIdentifier, policyQualifiers }) => {
        const cps = policyQualifiers.flatMap(qualifier => (qualifier.kind === 'cps' ? [qualifier.uri] : []))
        return [NAMES.get(policyIdentifier) ?? policyIdentifier, ...cps].join(' ')
      })
      .join('\n'),
  [OID.nameConstraints]: value => {
    const { permittedSubtrees = [], excludedSubtrees = [] } = parseNameConstraints(value)
    return [
      ...permittedSubtrees.map(({ base }) => `permitted ${generalName(base)}`),
      ...excludedSubtrees.map(({ base }) => `excluded ${generalName(base)}`),
    ].join('\n')
  },
  [OID.ocspNoCheck]: () => 'the status of this certificate is not asked',
}

function generalName(name: GeneralName): string {
  switch (name.kind) {
    case 'rfc822Name':
    case 'dNSName':
    case 'uniformResourceIdentifier':
      return `${name.kind} ${name.value}`
    case 'directoryName':
      return `directoryName ${formatName(name.name)}`
    case 'iPAddress':
      return `iPAddress ${ipAddress(name.bytes)}`
    case 'registeredID':
      return `registeredID ${name.oid}`
    case 'otherName': {
      const hardware = parseHardwareModuleName(name)
      if (hardware)
        return `hardwareModuleName hwType ${hardware.hwType}, hwSerialNum ${printable(hardware.hwSerialNum)}`
      const permanent = parsePermanentIdentifier(name)
      if (permanent)
        return `permanentIdentifier ${permanent.identifierValue ?? ''}${permanent.assigner ? ` (${permanent.assigner})` : ''}`
      return `otherName ${name.typeId} ${toHex(name.value)}`
    }
    case 'other':
      return `other ${toHex(name.raw)}`
    default:
      return name satisfies never
  }
}

function ipAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) return toHex(bytes)
  return Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16)).join(':')
}

function printable(bytes: Uint8Array): string {
  return bytes.every(byte => byte >= 0x20 && byte < 0x7f) ? String.fromCharCode(...bytes) : toHex(bytes)
}
