// Lint of names: attributes of distinguished names against their types and upper bounds (RFC 5280 §4.1.2.4, Appendix A.1),
// alternative names against the syntax of their kind (RFC 5280 §4.2.1.6).
import { TAG } from '../../asn1/tag.ts'
import { TouchmarkError } from '../../errors.ts'
import { isPrintable } from '../directory-string.ts'
import { type GeneralName, parseHardwareModuleName, parsePermanentIdentifier } from '../general-name.ts'
import { ATTRIBUTE, type AttributeTypeAndValue, fixedStringTag, formatName, type Name } from '../name.ts'
import type { Report } from './rules.ts'

/** Upper bounds in characters, from the `ub-` values of RFC 5280 Appendix A.1. */
const UPPER_BOUNDS = new Map<string, number>([
  [ATTRIBUTE.CN, 64],
  [ATTRIBUTE.O, 64],
  [ATTRIBUTE.OU, 64],
  [ATTRIBUTE.title, 64],
  [ATTRIBUTE.serialNumber, 64],
  [ATTRIBUTE.L, 128],
  [ATTRIBUTE.ST, 128],
  [ATTRIBUTE.pseudonym, 128],
  [ATTRIBUTE.emailAddress, 255],
  [ATTRIBUTE.name, 32768],
  [ATTRIBUTE.SN, 32768],
  [ATTRIBUTE.GN, 32768],
  [ATTRIBUTE.initials, 32768],
  [ATTRIBUTE.generationQualifier, 32768],
])

/** Attribute types whose syntax is DirectoryString in RFC 5280 Appendix A.1: PrintableString or UTF8String, nothing else. */
const DIRECTORY_STRINGS: ReadonlySet<string> = new Set([
  ATTRIBUTE.CN,
  ATTRIBUTE.O,
  ATTRIBUTE.OU,
  ATTRIBUTE.title,
  ATTRIBUTE.L,
  ATTRIBUTE.ST,
  ATTRIBUTE.pseudonym,
  ATTRIBUTE.name,
  ATTRIBUTE.SN,
  ATTRIBUTE.GN,
  ATTRIBUTE.initials,
  ATTRIBUTE.generationQualifier,
])

/** Every attribute of a name that we write ourselves. */
export function lintName(name: Name, report: Report): void {
  for (const rdn of name.rdns) for (const attribute of rdn) lintAttribute(attribute, report)
}

function lintAttribute(attribute: AttributeTypeAndValue, report: Report): void {
  const { type, value, tag } = attribute
  const fixed = fixedStringTag(type)
  const wrongType =
    fixed !== undefined
      ? tag !== fixed
      : DIRECTORY_STRINGS.has(type) && tag !== TAG.UTF8_STRING && tag !== TAG.PRINTABLE_STRING
  if (wrongType) report('lint.name_string_type', describe(attribute))
  if (tag === TAG.PRINTABLE_STRING && !isPrintable(value)) report('lint.name_string_alphabet', describe(attribute))
  if (value === '') report('lint.name_value_empty', describe(attribute))
  if (type === ATTRIBUTE.C && !/^[A-Za-z]{2}$/.test(value)) report('lint.name_country', describe(attribute))
  const bound = UPPER_BOUNDS.get(type)
  // Bounds count characters; code units are never fewer, so only a long value needs counting.
  if (bound !== undefined && value.length > bound && [...value].length > bound) {
    report('lint.name_value_too_long', `more than ${bound} characters in ${describe({ ...attribute, value: '' })}`)
  }
}

function describe(attribute: AttributeTypeAndValue): string {
  return formatName({ rdns: [[attribute]] }).slice(0, 80)
}

/** A letter or digit at both ends, hyphens inside, at most 63 octets (RFC 1034 §3.5, RFC 1123 §2.1). */
const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/
/** Dot-string local parts (RFC 5321 §4.1.2); quoted ones are legal and not in use. */
const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/

/** One alternative name, or an access location; `source` is the section of the extension that it stands in. */
export function lintGeneralName(name: GeneralName, report: Report, source?: string): void {
  switch (name.kind) {
    case 'dNSName':
      if (name.value === '') report('lint.general_name_empty', name.kind, source)
      else if (!isHostName(name.value.startsWith('*.') ? name.value.slice(2) : name.value)) {
        report('lint.dns_name_syntax', name.value.slice(0, 80), source)
      }
      return
    case 'rfc822Name':
      if (name.value === '') report('lint.general_name_empty', name.kind, source)
      else if (!isMailbox(name.value)) report('lint.mailbox_syntax', undefined, source)
      return
    case 'uniformResourceIdentifier':
      if (name.value === '') report('lint.general_name_empty', name.kind, source)
      else lintUri(name.value, report, source)
      return
    case 'iPAddress':
      if (name.bytes.length !== 4 && name.bytes.length !== 16) {
        report('lint.ip_address_length', `${name.bytes.length} octets`, source)
      }
      return
    case 'directoryName':
      lintName(name.name, report)
      return
    case 'otherName':
      lintOtherName(name, report)
      return
    case 'registeredID':
    case 'other':
      return
    default:
      name satisfies never
  }
}

/** The preferred name syntax without a final dot: labels of letters, digits and hyphens, 253 octets in all. */
export function isHostName(text: string): boolean {
  return text.length <= 253 && text.split('.').every(label => LABEL.test(label))
}

export function isMailbox(text: string): boolean {
  const at = text.lastIndexOf('@')
  if (at < 1 || at > 64 || !LOCAL_PART.test(text.slice(0, at))) return false
  const domain = text.slice(at + 1)
  return domain.startsWith('[') ? /^\[[A-Za-z0-9:.-]+\]$/.test(domain) : isHostName(domain)
}

/** Absolute, and where it has an authority, with a host (RFC 5280 §4.2.1.6). */
function lintUri(uri: string, report: Report, source: string | undefined): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what must not stand in a URI
  if (!SCHEME.test(uri) || /[\u0000-\u0020\u007f]/.test(uri)) {
    report('lint.uri_not_absolute', uri.slice(0, 80), source)
    return
  }
  const authority = /^[^:]*:\/\/([^/?#]*)/.exec(uri)?.[1]
  // `file:///x` and `ldap:///cn=…` have an empty authority, which is none.
  if (authority === undefined || authority === '') return
  const host = authority.slice(authority.lastIndexOf('@') + 1).replace(/:[0-9]*$/, '')
  if (!isHostName(host) && !/^\[[0-9A-Fa-f:.]+\]$/.test(host)) report('lint.uri_host', uri.slice(0, 80), source)
}

function lintOtherName(name: GeneralName, report: Report): void {
  try {
    parseHardwareModuleName(name)
    parsePermanentIdentifier(name)
  } catch (error) {
    if (!(error instanceof TouchmarkError)) throw error
    report('lint.other_name_malformed', error.code)
  }
}
