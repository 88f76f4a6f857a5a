// A manufacturer whose birth certificates we accept: its CA certificates, for which models they speak, and where in a device's
// certificate model and serial number stand. A document of kind `trust-anchors`, one per manufacturer, written as JSON.
import { z } from 'zod'
import { parsePem } from '../../core/asn1/pem.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { fromPrintableAscii } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../../core/pki/certificate.ts'
import { findExtension } from '../../core/pki/extension.ts'
import { parseSubjectAltName } from '../../core/pki/extensions.ts'
import {
  type GeneralName,
  type HardwareModuleName,
  parseHardwareModuleName,
  parsePermanentIdentifier,
} from '../../core/pki/general-name.ts'
import { ATTRIBUTE, attributeValue } from '../../core/pki/name.ts'
import { OID } from '../../core/pki/oids.ts'
import { isDeviceSerialNumber } from '../device/device-name.ts'
import type { DocumentVersion } from '../document.ts'
import type { UnixSeconds } from '../ids.ts'
import { type DocumentProblem, documentError, parseDocument } from '../parse-document.ts'
import { modelPattern } from './model-pattern.ts'

/** CA certificates in one list, and octets of PEM in one entry of it. */
const MAX_CERTIFICATES = 64
const MAX_PEM = 65_536

const SUBJECT_FIELDS = ['CN', 'O', 'OU', 'title', 'description', 'dnQualifier'] as const

const modelSchema = z.union([
  /** Every device of this manufacturer is of one model. */
  z.strictObject({ fixed: z.string().min(1).max(64) }),
  /** The model stands in an attribute of the subject; `allowed` says which models this manufacturer may speak for. */
  z.strictObject({
    subject: z.enum(SUBJECT_FIELDS),
    allowed: z.array(modelPattern).min(1).max(1000),
  }),
  /** hwType of HardwareModuleName (RFC 4108 §5) to model. */
  z.strictObject({ hwType: z.record(z.string().regex(/^[0-2](\.\d+)+$/), z.string().min(1).max(64)) }),
])

const trustAnchorsSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'lower-case letters, digits and . _ - (at most 64)'),
  description: z.string().max(500).default(''),
  /** PEM: each entry one CERTIFICATE block or several. Roots or intermediates: a path may end at any of them. None: nobody is accepted. */
  certificates: z.array(z.string().max(MAX_PEM)).max(MAX_CERTIFICATES),
  model: modelSchema,
  serialNumber: z
    .enum(['subject.serialNumber', 'subject.CN', 'hardwareModuleName', 'permanentIdentifier'])
    .default('subject.serialNumber'),
})

export type TrustAnchorsConfig = z.input<typeof trustAnchorsSchema>

export interface TrustAnchors {
  readonly name: string
  readonly description: string
  readonly certificates: readonly Certificate[]
  readonly model: z.output<typeof modelSchema>
  readonly serialNumber: z.output<typeof trustAnchorsSchema>['serialNumber']
}

/** Throws `trust_anchors.invalid` with every problem. */
export function parseTrustAnchors(json: unknown): TrustAnchors {
  const config = parseDocument(trustAnchorsSchema, json, 'trust_anchors.invalid', 'trust anchor list')
  const certificates: Certificate[] = []
  const problems: DocumentProblem[] = []
  for (const [i, pem] of config.certificates.entries()) {
    const path = `certificates.${i}`
    try {
      const blocks = parsePem(pem).filter(block => block.label === 'CERTIFICATE')
      if (blocks.length === 0) problems.push({ path, message: 'holds no CERTIFICATE block' })
      for (const block of blocks) certificates.push(parseCertificate(block.der))
    } catch (cause) {
      if (!(cause instanceof TouchmarkError)) throw cause
      problems.push({ path, message: cause.message })
    }
  }
  if (certificates.length > MAX_CERTIFICATES) {
    problems.push({ path: 'certificates', message: `has more than ${MAX_CERTIFICATES} certificates` })
  }
  if (problems.length > 0) throw documentError('trust_anchors.invalid', 'trust anchor list', problems)
  return { ...config, certificates }
}

/** The document to store; throws `trust_anchors.invalid` first where it would not be readable again. */
export function trustAnchorsDocument(
  config: TrustAnchorsConfig,
  version: number,
  createdAt: UnixSeconds,
): DocumentVersion {
  const { name } = parseTrustAnchors(config)
  return { kind: 'trust-anchors', name, version, body: JSON.stringify(config, null, 2), createdAt }
}

/** JSON Schema (draft 2020-12) of a trust anchor list, for editors. */
export function trustAnchorsJsonSchema(): unknown {
  return z.toJSONSchema(trustAnchorsSchema, { io: 'input', unrepresentable: 'any' })
}

export interface ClaimedIdentity {
  readonly model: string
  readonly serialNumber: string
}

/**
 * Model and serial number as the certificate names them, read as its trust anchor list says; `undefined` where they are missing, not
 * printable, or of a model that this manufacturer may not speak for.
 */
export function claimedIdentity(anchors: TrustAnchors, certificate: Certificate): ClaimedIdentity | undefined {
  const model = claimedModel(anchors.model, certificate)
  const serialNumber = claimedSerialNumber(anchors.serialNumber, certificate)
  if (model === undefined || serialNumber === undefined || !isDeviceSerialNumber(serialNumber)) return undefined
  return { model, serialNumber }
}

function claimedModel(where: TrustAnchors['model'], certificate: Certificate): string | undefined {
  if ('fixed' in where) return where.fixed
  if ('subject' in where) {
    const model = attributeValue(certificate.subject, ATTRIBUTE[where.subject])
    return model !== undefined && where.allowed.some(pattern => pattern(model)) ? model : undefined
  }
  const hardware = hardwareModuleName(certificate)
  return hardware && Object.hasOwn(where.hwType, hardware.hwType) ? where.hwType[hardware.hwType] : undefined
}

function claimedSerialNumber(where: TrustAnchors['serialNumber'], certificate: Certificate): string | undefined {
  switch (where) {
    case 'subject.serialNumber':
      return attributeValue(certificate.subject, ATTRIBUTE.serialNumber)
    case 'subject.CN':
      return attributeValue(certificate.subject, ATTRIBUTE.CN)
    case 'hardwareModuleName': {
      const octets = hardwareModuleName(certificate)?.hwSerialNum
      return octets && (fromPrintableAscii(octets) ?? toHex(octets))
    }
    case 'permanentIdentifier': {
      for (const name of subjectAltNames(certificate)) {
        const found = parsePermanentIdentifier(name)
        if (found) return found.identifierValue
      }
      return undefined
    }
    default:
      return where satisfies never
  }
}

function hardwareModuleName(certificate: Certificate): HardwareModuleName | undefined {
  for (const name of subjectAltNames(certificate)) {
    const found = parseHardwareModuleName(name)
    if (found) return found
  }
  return undefined
}

function subjectAltNames(certificate: Certificate): GeneralName[] {
  const extension = findExtension(certificate.extensions, OID.subjectAltName)
  return extension ? parseSubjectAltName(extension.value) : []
}
