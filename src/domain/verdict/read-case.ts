// One case of `touchmark verify --ndjson`: a line of JSON from outside, read member by member into a question. The form is a contract with
// scripts of others; what is not of that form is refused with a code, and never thrown further than here.

import { encodeOid } from '../../core/asn1/oid.ts'
import { parsePem } from '../../core/asn1/pem.ts'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../../core/pki/certificate.ts'
import { type CertificateList, parseCertificateList } from '../../core/pki/crl.ts'
import { OID } from '../../core/pki/oids.ts'
import type { PathPurpose } from '../../core/pki/path-check.ts'
import type { ReferenceIdentifier } from '../../core/pki/service-identity.ts'
import type { UnixSeconds } from '../ids.ts'
import { parseInstant } from '../parse-instant.ts'
import type { PathQuestion } from './judge-path.ts'

/** What a case is called: whatever its author wrote, as long as it is a text or a number. */
export type CaseId = string | number | null

/** Certificates and lists in one case, of each kind. */
const MAX_ITEMS = 4096
const MAX_POLICIES = 256
const MAX_TEXT = 1024

/** The id alone, also of a line that is refused or was cut off: so that an answer can be matched with its case. */
export function caseId(line: string): CaseId {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? idOf((value as Fields)['id']) : null
  } catch {
    return leadingId(line)
  }
}

function idOf(id: unknown): CaseId {
  return typeof id === 'string' || typeof id === 'number' ? id : null
}

/** From the beginning of an object, where it stands first. */
function leadingId(line: string): CaseId {
  const found = /^\s*\{\s*"id"\s*:\s*("(?:[^"\\]|\\.){0,1024}"|-?[0-9]{1,15})\s*[,}]/.exec(line.slice(0, 4096))
  try {
    return found ? (JSON.parse(found[1]!) as CaseId) : null
  } catch {
    return null
  }
}

/** Throws as `readQuestion`. */
export function readCase(line: string, now: UnixSeconds): { readonly id: CaseId; readonly question: PathQuestion } {
  const fields = parseObject(line)
  return { id: idOf(fields['id']), question: readQuestion(fields, now) }
}

/**
 * The members of a case but for its id; the API has the same. What is absent is asked of nobody, and `at` is `now`. Throws `case.malformed`,
 * `case.certificate_unreadable`, `case.crl_unreadable`.
 */
export function readQuestion(fields: Fields, now: UnixSeconds): PathQuestion {
  const purpose = optional(fields, 'purpose', text)
  const policies = {
    initial: optional(fields, 'initialPolicies', (value, field) => list(value, field, MAX_POLICIES).map(policyOid)),
    explicit: optional(fields, 'explicitPolicy', flag),
    inhibitMapping: optional(fields, 'inhibitMapping', flag),
    inhibitAny: optional(fields, 'inhibitAnyPolicy', flag),
  }
  const at = optional(fields, 'at', time) ?? now
  if (purpose !== undefined && !isPurpose(purpose)) throw malformed('purpose', 'client, server, code or ocsp')
  const name = optional(fields, 'name', referenceOf)
  const maxDepth = optional(fields, 'maxDepth', count)
  const crls = certificateLists(fields['crls'])
  const intermediates = certificates(fields['intermediates'], 'intermediates')
  const anchors = certificates(fields['anchors'], 'anchors')
  const [leaf, ...sentAlong] = leafOf(fields['certificate'])
  return {
    leaf: leaf!,
    intermediates: [...sentAlong, ...intermediates],
    anchors,
    crls,
    at,
    purpose: purpose as PathPurpose | undefined,
    name,
    maxDepth,
    policies,
  }
}

export type Fields = Readonly<Record<string, unknown>>

function parseObject(line: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new TouchmarkError('case.malformed', 'malformed', 'The line is not JSON.', { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TouchmarkError('case.malformed', 'malformed', 'The line is not a JSON object.')
  }
  return value as Fields
}

/** Absent and null are the same. */
function optional<T>(fields: Fields, field: string, read: (value: unknown, field: string) => T): T | undefined {
  const value = fields[field]
  return value === undefined || value === null ? undefined : read(value, field)
}

function malformed(field: string, wanted: string): TouchmarkError {
  return new TouchmarkError('case.malformed', 'malformed', `The member ${field} is not ${wanted}.`, {
    evidence: { member: field },
  })
}

function text(value: unknown, field: string): string {
  if (typeof value !== 'string' || value.length > MAX_TEXT) throw malformed(field, 'a text')
  return value
}

function flag(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') throw malformed(field, 'true or false')
  return value
}

function count(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw malformed(field, 'a whole number from 0')
  return value
}

function list(value: unknown, field: string, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(field, 'a list')
  if (value.length > most) throw malformed(field, `a list of ${most} at most`)
  return value
}

function time(value: unknown, field: string): UnixSeconds {
  const seconds = typeof value === 'string' ? parseInstant(value) : undefined
  if (seconds === undefined) throw malformed(field, 'a time in ISO 8601, as 2026-01-31T12:00:00Z')
  return seconds
}

function isPurpose(value: string): value is PathPurpose {
  return value === 'client' || value === 'server' || value === 'code' || value === 'ocsp'
}

function referenceOf(value: unknown, field: string): ReferenceIdentifier {
  if (typeof value !== 'object' || value === null) throw malformed(field, 'an object with kind and value')
  const { kind, value: wanted } = value as Fields
  if (kind !== 'dns' && kind !== 'ip' && kind !== 'email') throw malformed(`${field}.kind`, 'dns, ip or email')
  return { kind, value: text(wanted, `${field}.value`) }
}

function policyOid(value: unknown): string {
  const oid = text(value, 'initialPolicies')
  if (oid === 'anyPolicy') return OID.anyPolicy
  try {
    encodeOid(oid)
  } catch {
    throw malformed('initialPolicies', 'a list of object identifiers')
  }
  return oid
}

const CERTIFICATE_LABELS = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE']

/** The first block is the certificate in question; others beside it are taken as what its holder sent along. */
function leafOf(value: unknown): Certificate[] {
  const [first, ...others] = blocks(value, 'certificate', CERTIFICATE_LABELS, 'case.certificate_unreadable')
  return [readLeaf(first!), ...others.map(der => unlessUnreadable(der, parseCertificate)).filter(isGiven)]
}

function readLeaf(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der)
  } catch (cause) {
    const { code, message } = asTouchmarkError(cause)
    const text = `The certificate cannot be read: ${message}.`
    throw new TouchmarkError('case.certificate_unreadable', 'malformed', text, { cause, evidence: { reason: code } })
  }
}

/**
 * What cannot be PEM spoils the case. A certificate that is PEM and no certificate that we read (trust stores are full of odd ones) cannot stand
 * in a path, and is left aside.
 */
function certificates(value: unknown, field: string): Certificate[] {
  if (value === undefined || value === null) return []
  return list(value, field, MAX_ITEMS)
    .flatMap(item => blocks(item, field, CERTIFICATE_LABELS, 'case.certificate_unreadable'))
    .map(der => unlessUnreadable(der, parseCertificate))
    .filter(isGiven)
}

/** A list that cannot be read could have named the certificate: the case is refused. */
function certificateLists(value: unknown): CertificateList[] {
  if (value === undefined || value === null) return []
  return list(value, 'crls', MAX_ITEMS)
    .flatMap(item => blocks(item, 'crls', ['X509 CRL', 'CRL'], 'case.crl_unreadable'))
    .map(der => {
      try {
        return parseCertificateList(der)
      } catch (cause) {
        const { code, message } = asTouchmarkError(cause)
        const evidence = { reason: code }
        throw new TouchmarkError('case.crl_unreadable', 'malformed', `A CRL cannot be read: ${message}.`, {
          cause,
          evidence,
        })
      }
    })
}

function blocks(
  value: unknown,
  field: string,
  labels: readonly string[],
  code: 'case.certificate_unreadable' | 'case.crl_unreadable',
): Uint8Array[] {
  if (typeof value !== 'string') throw malformed(field, field === 'certificate' ? 'PEM' : 'a list of PEM texts')
  let found: Uint8Array[]
  try {
    found = parsePem(value).flatMap(block => (labels.includes(block.label) ? [block.der] : []))
  } catch (cause) {
    throw new TouchmarkError(code, 'malformed', `The PEM in ${field} is not base64.`, { cause })
  }
  if (found.length === 0) throw new TouchmarkError(code, 'malformed', `There is no such PEM block in ${field}.`)
  return found
}

function unlessUnreadable<T>(der: Uint8Array, parse: (der: Uint8Array) => T): T | undefined {
  try {
    return parse(der)
  } catch (thrown) {
    if (thrown instanceof TouchmarkError) return undefined
    throw thrown
  }
}

function isGiven<T>(value: T | undefined): value is T {
  return value !== undefined
}
