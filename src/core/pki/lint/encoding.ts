// Lint of the frame: what only the octets show, since parsing tolerates or hides it (forms of times, defaults that are
// written out, duplicates, the sign and length of the serial number). RFC 5280 §4.1.2, X.690 §11.
import { DerReader } from '../../asn1/reader.ts'
import { contextConstructed, contextPrimitive, TAG } from '../../asn1/tag.ts'
import { isUtcTime, parseGeneralizedTime, parseUtcTime } from '../../asn1/time.ts'
import type { Report } from './rules.ts'

/** RFC 5280 §4.1.2.2, counted as content octets of the INTEGER. */
const MAX_SERIAL_OCTETS = 20

/** Walks TBSCertificate once. Throws `DerError` where the frame itself cannot be read. */
export function lintEncoding(tbs: Uint8Array, report: Report): void {
  const fields = new DerReader(tbs).enter(TAG.SEQUENCE)
  lintVersion(fields, report)
  const serial = fields.integerBytes()
  if (serial[0]! >= 0x80 || (serial.length === 1 && serial[0] === 0)) report('lint.serial_not_positive')
  if (serial.length > MAX_SERIAL_OCTETS) report('lint.serial_too_long', `${serial.length} octets`)
  fields.content(TAG.SEQUENCE)
  fields.content(TAG.SEQUENCE)
  lintValidity(fields, report)
  fields.content(TAG.SEQUENCE)
  fields.content(TAG.SEQUENCE)
  for (const tag of [contextPrimitive(1), contextPrimitive(2)]) {
    if (fields.peekTag() !== tag) continue
    report('lint.unique_identifier')
    fields.content(tag)
  }
  if (!fields.empty) lintExtensionFrames(fields.enter(contextConstructed(3)).enter(TAG.SEQUENCE), report)
}

function lintVersion(fields: DerReader, report: Report): void {
  if (fields.peekTag() !== contextConstructed(0)) {
    report('lint.version_not_3', 'version 1')
    return
  }
  const version = fields.enter(contextConstructed(0)).smallInteger()
  if (version === 0) report('lint.default_encoded', 'version 1')
  if (version !== 2) report('lint.version_not_3', `version ${version + 1}`)
}

function lintValidity(fields: DerReader, report: Report): void {
  const validity = fields.enter(TAG.SEQUENCE)
  const notBefore = lintTime(validity, report)
  const notAfter = lintTime(validity, report)
  if (notAfter < notBefore) report('lint.validity_order')
}

function lintTime(validity: DerReader, report: Report): number {
  const utc = validity.peekTag() === TAG.UTC_TIME
  const at = validity.offset
  const content = validity.content(utc ? TAG.UTC_TIME : TAG.GENERALIZED_TIME)
  const seconds = utc ? parseUtcTime(content, at) : parseGeneralizedTime(content, at)
  if (!utc && isUtcTime(seconds)) report('lint.validity_time_form', 'GeneralizedTime before 2050')
  return seconds
}

function lintExtensionFrames(list: DerReader, report: Report): void {
  const seen = new Set<string>()
  while (!list.empty) {
    const fields = list.enter(TAG.SEQUENCE)
    const oid = fields.oid()
    if (seen.has(oid)) report('lint.extension_duplicate', oid)
    seen.add(oid)
    if (fields.peekTag() === TAG.BOOLEAN && !fields.boolean())
      report('lint.default_encoded', `critical FALSE in ${oid}`)
  }
}
