// Judges what a server answered to a certification request, before any of it is kept: it is over our key, it names this device, and it leads
// to a pinned root. A server that errs or lies changes nothing.
import { type Bytes, copyBytes, equalBytes } from '../core/bytes/bytes.ts'
import { fromPrintableAscii } from '../core/bytes/utf8.ts'
import { TouchmarkError } from '../core/errors.ts'
import { type Certificate, parseCertificate } from '../core/pki/certificate.ts'
import { findExtension } from '../core/pki/extension.ts'
import { parseSubjectAltName } from '../core/pki/extensions.ts'
import { parseHardwareModuleName } from '../core/pki/general-name.ts'
import { ATTRIBUTE, attributeValue } from '../core/pki/name.ts'
import { OID } from '../core/pki/oids.ts'
import { validateChain } from '../core/pki/path.ts'
import { verifySignature } from '../crypto/verify.ts'

export interface IssuedChecks {
  /** Whole certificates of the answer, in any order (CMS sets have none). */
  readonly certificates: readonly Uint8Array[]
  /** More that may stand between: /cacerts, the chain before. Trusted for nothing. */
  readonly intermediates: readonly Uint8Array[]
  /** Pinned roots, DER. */
  readonly roots: readonly Uint8Array[]
  /** SubjectPublicKeyInfo of the key that was asked for. */
  readonly publicKey: Uint8Array
  readonly deviceSerialNumber: string
  /** Whole seconds. */
  readonly at: number
  /** No server has told the time yet, and the device's own clock is wrong: how far ahead a certificate begins cannot be judged. */
  readonly clockIsWrong: boolean
}

/** How far apart the clocks of a device and of an authority may be. */
const TOLERATED_SECONDS = 86_400

export interface IssuedChain {
  readonly leaf: Certificate
  /** Leaf first, without the root, as TLS sends it. */
  readonly chain: readonly Bytes[]
}

/** Critical extensions that the agent leaves to others to judge. */
const PROCESSED = [OID.cRLDistributionPoints, OID.authorityInfoAccess]

/**
 * Throws `agent.certificate_missing`, `agent.certificate_for_other_key`, `agent.certificate_for_other_device`,
 * `agent.certificate_untrusted` (evidence `reason`: the code of path validation), `agent.certificate_expired`, `agent.answer_malformed`.
 */
export function checkIssuedChain(checks: IssuedChecks): IssuedChain {
  const answered = checks.certificates.map(parseOrRefuse)
  if (answered.length === 0) {
    throw new TouchmarkError('agent.certificate_missing', 'malformed', 'The answer of the server holds no certificate.')
  }
  const leaf = answered.find(({ subjectPublicKeyInfo }) => equalBytes(subjectPublicKeyInfo.raw, checks.publicKey))
  if (!leaf) {
    throw new TouchmarkError(
      'agent.certificate_for_other_key',
      'malformed',
      'The certificate is for another key than was asked for.',
    )
  }
  if (!namesDevice(leaf, checks.deviceSerialNumber)) {
    throw new TouchmarkError(
      'agent.certificate_for_other_device',
      'malformed',
      'The certificate names another device.',
      {
        evidence: { serialNumber: leaf.serialNumber },
      },
    )
  }
  const others = [...answered.filter(certificate => certificate !== leaf), ...checks.intermediates.map(parseOrRefuse)]
  const result = validateChain({
    leaf,
    intermediates: others,
    anchors: checks.roots.map(parseCertificate),
    at: timeFor(leaf, checks),
    verify: verifySignature,
    processed: PROCESSED,
  })
  if (!result.ok) {
    const evidence = { reason: result.code, serialNumber: leaf.serialNumber }
    if (result.code === 'path.leaf_expired') {
      throw new TouchmarkError('agent.certificate_expired', 'malformed', 'The certificate has ended already.', {
        evidence,
      })
    }
    throw new TouchmarkError(
      'agent.certificate_untrusted',
      'malformed',
      'The certificate does not lead to a root that this device trusts.',
      {
        next: 'See whether the trust anchors of the device are those of the server.',
        evidence,
      },
    )
  }
  return { leaf, chain: result.path.slice(0, -1).map(({ raw }) => copyBytes(raw)) }
}

/** A certificate that an authority under our roots signed is itself evidence that its notBefore has come; within reason. */
function timeFor({ notBefore }: Certificate, { at, clockIsWrong }: IssuedChecks): number {
  return clockIsWrong || notBefore <= at + TOLERATED_SECONDS ? Math.max(at, notBefore) : at
}

/**
 * Whether the certificate is this device's: by serialNumber in the subject, else by hardwareModuleName (RFC 4108 §5), else by the serial
 * number as a part of the common name or of a host name, which is how profiles for TLS servers call a device.
 */
export function namesDevice(certificate: Certificate, serialNumber: string): boolean {
  const inSubject = attributeValue(certificate.subject, ATTRIBUTE.serialNumber)
  if (inSubject !== undefined) return inSubject === serialNumber
  const found = findExtension(certificate.extensions, OID.subjectAltName)
  const names = found ? parseSubjectAltName(found.value) : []
  for (const name of names) {
    const hardware = parseHardwareModuleName(name)
    if (hardware) return fromPrintableAscii(hardware.hwSerialNum) === serialNumber
  }
  const texts = names.flatMap(name => ('value' in name && typeof name.value === 'string' ? [name.value] : []))
  const commonName = attributeValue(certificate.subject, ATTRIBUTE.CN)
  return [...texts, ...(commonName === undefined ? [] : [commonName])].some(text => isPart(text, serialNumber))
}

/** `sn-42` is a part of `sn-42.devices.example`, and not of `sn-421.devices.example`. */
function isPart(text: string, serialNumber: string): boolean {
  return (
    text
      .toLowerCase()
      .split(/[^a-z0-9_-]+/)
      .includes(serialNumber.toLowerCase()) || text === serialNumber
  )
}

function parseOrRefuse(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der)
  } catch (cause) {
    throw new TouchmarkError('agent.answer_malformed', 'malformed', 'A certificate of the answer cannot be read.', {
      cause,
    })
  }
}
