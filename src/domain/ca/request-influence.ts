// What of a certification request may reach the certificate, and what happens to the rest. The key always does; everything else only
// where the profile names it (RFC 2986 §2: the CA decides; RFC 5280 §4 for what the names must be).

import { readDer } from '../../core/asn1/reader.ts'
import { equalBytes } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { type Extension, findExtension } from '../../core/pki/extension.ts'
import { parseSubjectAltName } from '../../core/pki/extensions.ts'
import { encodeGeneralName, type GeneralName } from '../../core/pki/general-name.ts'
import { type IpRange, ipRangeContains, parseIpRange } from '../../core/pki/ip-address.ts'
import { attributeValue, type Name, parseName } from '../../core/pki/name.ts'
import { OID } from '../../core/pki/oids.ts'
import { attributeType, isDnsName } from './name-text.ts'
import { type Pattern, parsePattern } from './pattern.ts'
import type { CompleteProfileConfig } from './profile-config.ts'
import type { TemplateValues } from './template.ts'

export interface RequestInfluence {
  /** Attributes that templates may read, by the name that the profile gives them. Throws `profile.request_not_allowed`. */
  readSubject(requested: Name | undefined, values: TemplateValues): Record<string, string>
  /**
   * Names that the request adds to those of the profile; names that are there already are passed over.
   * Throws `profile.request_not_allowed`, and `DerError` where the requested extension is malformed.
   */
  addNames(own: readonly GeneralName[], requested: readonly Extension[], values: TemplateValues): GeneralName[]
  /** Whether wishes that the certificate does not fulfil are refused, and not passed over. */
  readonly strict: boolean
  /** Where `strict`: throws `profile.request_not_allowed` for a wish that is not fulfilled. */
  checkRest(requested: RequestedFields, issued: IssuedFields): void
}

export interface RequestedFields {
  readonly subject: Name | undefined
  readonly extensions: readonly Extension[]
}

export interface IssuedFields {
  /** Name DER. */
  readonly subject: Uint8Array
  readonly extensions: readonly Extension[]
}

interface NameRule {
  readonly kind: GeneralName['kind']
  readonly maximum: number
  allows(name: GeneralName, values: TemplateValues): boolean
}

/** Throws `profile.template_invalid`, `name.text_invalid`, `profile.name_invalid`. */
export function compileInfluence(config: CompleteProfileConfig['requestInfluence']): RequestInfluence {
  const attributes = Object.entries(config.subject).map(([name, patterns]) => ({
    name,
    type: attributeType(name),
    patterns: patterns.map(source => parsePattern(source)),
  }))
  const rules = config.subjectAltName.map(compileNameRule)
  const strict = config.unlisted === 'refuse'
  return {
    strict,
    readSubject(requested, values) {
      const out: Record<string, string> = {}
      if (requested === undefined) return out
      for (const { name, type, patterns } of attributes) {
        const value = attributeValue(requested, type)
        if (value === undefined || value === '') continue
        if (!matchesAny(patterns, value, values)) throw notAllowed(`subject attribute ${name}`)
        out[name] = value
      }
      return out
    },
    addNames(own, requested, values) {
      const wanted = findExtension(requested, OID.subjectAltName)
      if (wanted === undefined) return []
      const present = new Set(own.map(nameKey))
      const added: GeneralName[] = []
      for (const name of parseSubjectAltName(wanted.value)) {
        const key = nameKey(name)
        if (present.has(key)) continue
        const rule = rules.find(candidate => candidate.kind === name.kind)
        if (rule === undefined) {
          if (strict) throw notAllowed(`a subjectAltName of kind ${name.kind}`)
          continue
        }
        if (!rule.allows(name, values)) throw notAllowed(`this subjectAltName of kind ${name.kind}`)
        if (added.filter(other => other.kind === name.kind).length >= rule.maximum) {
          throw notAllowed(`more than ${rule.maximum} subjectAltNames of kind ${name.kind}`)
        }
        present.add(key)
        added.push(name)
      }
      return added
    },
    checkRest(requested, issued) {
      if (!strict) return
      for (const wanted of requested.extensions) {
        // subjectAltName was judged name by name.
        if (wanted.oid === OID.subjectAltName) continue
        const given = findExtension(issued.extensions, wanted.oid)
        if (given === undefined || !equalBytes(given.value, wanted.value))
          throw notAllowed(`the extension ${wanted.oid}`)
      }
      const subject = readDer(issued.subject, parseName).rdns.flat()
      for (const { type, value } of requested.subject?.rdns.flat() ?? []) {
        const fulfilled = subject.some(given => given.type === type && given.value === value)
        if (!fulfilled && !attributes.some(listed => listed.type === type))
          throw notAllowed(`the subject attribute ${type}`)
      }
    },
  }
}

function compileNameRule(config: CompleteProfileConfig['requestInfluence']['subjectAltName'][number]): NameRule {
  if (config.kind === 'iPAddress') {
    const ranges = config.ranges.map(parseRange)
    return {
      kind: config.kind,
      maximum: config.maximum,
      allows: name => name.kind === 'iPAddress' && ranges.some(range => ipRangeContains(range, name.bytes)),
    }
  }
  const patterns = config.patterns.map(source => parsePattern(source, { ignoreCase: config.kind === 'dNSName' }))
  return {
    kind: config.kind,
    maximum: config.maximum,
    allows: (name, values) =>
      // A wildcard speaks for hosts that the pattern is not asked about: no request gets one, whatever the pattern matches.
      (name.kind === 'dNSName' ? isDnsName(name.value) && !name.value.includes('*') : name.kind !== 'otherName') &&
      name.kind === config.kind &&
      matchesAny(patterns, name.value, values),
  }
}

function parseRange(text: string): IpRange {
  const range = parseIpRange(text)
  if (range) return range
  throw new TouchmarkError('profile.name_invalid', 'malformed', `"${text}" is no address range such as 10.0.0.0/8.`)
}

function matchesAny(patterns: readonly Pattern[], text: string, values: TemplateValues): boolean {
  return patterns.some(pattern => pattern.matches(text, values))
}

/** DNS names are the same in any case. */
function nameKey(name: GeneralName): string {
  return name.kind === 'dNSName' ? `dns:${name.value.toLowerCase()}` : toHex(encodeGeneralName(name))
}

function notAllowed(what: string): TouchmarkError {
  return new TouchmarkError(
    'profile.request_not_allowed',
    'forbidden',
    `The request asks for ${what}, which the profile does not allow.`,
    {
      next: 'Ask for less, or let the profile allow it under requestInfluence.',
      evidence: { asked: what },
    },
  )
}
