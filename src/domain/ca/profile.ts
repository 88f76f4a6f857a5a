// A certificate profile as the engine trusts it: parsed once from what an operator wrote, with templates compiled and every extension
// that does not depend on the unit encoded. RFC 5280 §4.1.2, §4.2.

import { readDer } from '../../core/asn1/reader.ts'
import { TAG } from '../../core/asn1/tag.ts'
import { type DerWriter, writeDer } from '../../core/asn1/writer.ts'
import type { Bytes } from '../../core/bytes/bytes.ts'
import { fromHex } from '../../core/bytes/hex.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { encodeString } from '../../core/pki/directory-string.ts'
import type { Extension } from '../../core/pki/extension.ts'
import {
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  encodeOcspNoCheck,
  extension,
} from '../../core/pki/extensions.ts'
import { encodeHardwareModuleName, encodePermanentIdentifier, type GeneralName } from '../../core/pki/general-name.ts'
import { ipRangeOctets, parseIpRange } from '../../core/pki/ip-address.ts'
import { type AttributeInput, fixedStringTag, writeRdn } from '../../core/pki/name.ts'
import { encodeNameConstraints, type GeneralSubtree } from '../../core/pki/name-constraints.ts'
import { OID } from '../../core/pki/oids.ts'
import { encodeCertificatePolicies, encodeInhibitAnyPolicy, encodePolicyConstraints } from '../../core/pki/policies.ts'
import type { KeyAlgorithmName, SignatureAlgorithmName } from '../../crypto/algorithms.ts'
import type { UnixSeconds } from '../ids.ts'
import { type DocumentProblem, documentError, parseDocument } from '../parse-document.ts'
import type { RenewalPolicy } from '../renewal/policy.ts'
import { attributeType, nameFromText, textName } from './name-text.ts'
import { type CompleteProfileConfig, KEY_PURPOSES, profileConfigSchema } from './profile-config.ts'
import { compileInfluence, type RequestInfluence } from './request-influence.ts'
import { parseTemplate, type Template, type TemplateValues } from './template.ts'

export interface Profile {
  /** What the operator wrote, with every default filled in. */
  readonly config: CompleteProfileConfig
  readonly name: string
  readonly version: number
  /** Authority id or name, or `*` where the request names the authority. */
  readonly authority: string
  readonly holder: 'device' | 'platform' | 'authority'
  readonly keyAlgorithms: readonly KeyAlgorithmName[]
  /** `null`: the one of the issuing CA's key. */
  readonly signatureAlgorithm: SignatureAlgorithmName | null
  /** Seconds from the time of issue to notAfter, that second included; `null`: no well-defined end. */
  readonly lifetimeSeconds: number | null
  readonly backdateSeconds: UnixSeconds
  readonly renewal: RenewalPolicy
  readonly influence: RequestInfluence
  /** The extensions that are the same for every certificate of the profile, in the order of the certificate. */
  readonly constantExtensions: readonly Extension[]
  /** Subject Name DER. Throws `profile.value_missing`, `name.value_invalid`. */
  subject(values: TemplateValues): Bytes
  /** Names from the profile's templates, in order. Throws `profile.value_missing`, `profile.name_invalid`. */
  subjectAltName(values: TemplateValues): GeneralName[]
  /** Private extensions whose value is a template with placeholders. */
  variableExtensions(values: TemplateValues): Extension[]
}

/** Reads a profile. Throws `profile.invalid` with every problem and its path. */
export function parseProfile(json: unknown): Profile {
  const config = parseDocument(profileConfigSchema, json, 'profile.invalid', 'profile')
  const problems: DocumentProblem[] = []
  /** A part that is compiled on its own, so that its problem stands beside the others'. */
  const compile = <T>(path: string, fallback: T, body: () => T): T => {
    try {
      return body()
    } catch (error) {
      if (!(error instanceof TouchmarkError)) throw error
      problems.push({ path, message: error.message })
      return fallback
    }
  }
  const nothing = () => []
  const influence = compile('requestInfluence', undefined, () => compileInfluence(config.requestInfluence))
  const subject = compile(
    'subject',
    () => new Uint8Array(0),
    () => compileSubject(config.subject),
  )
  const names = config.subjectAltName.names.map((name, i) =>
    compile(`subjectAltName.names.${i}`, nothing, () => compileName(name)),
  )
  const constantExtensions = compile('nameConstraints', [], () => compileConstantExtensions(config))
  const variableExtensions = config.privateExtensions.map((each, i) =>
    compile(`privateExtensions.${i}`, undefined, () => compileVariableExtension(each)),
  )
  for (const name of placeholdersOf(config)) {
    const attribute = name.startsWith('request.') ? name.slice('request.'.length) : undefined
    if (attribute !== undefined && !Object.hasOwn(config.requestInfluence.subject, attribute)) {
      problems.push({
        path: `requestInfluence.subject.${attribute}`,
        message: `is missing, but a template reads {${name}}`,
      })
    }
    if (name.startsWith('device.') && config.holder !== 'device') {
      problems.push({ path: 'holder', message: `must be device, because a template reads {${name}}` })
    }
  }
  const { signatureAlgorithm } = config
  if (problems.length > 0 || influence === undefined) throw documentError('profile.invalid', 'profile', problems)
  return {
    config,
    name: config.name,
    version: config.version,
    authority: config.authority,
    holder: config.holder,
    keyAlgorithms: config.keyAlgorithms,
    signatureAlgorithm: signatureAlgorithm ?? null,
    lifetimeSeconds: config.validity.noExpiry ? null : (config.validity.seconds ?? config.validity.days! * 86_400),
    backdateSeconds: config.validity.backdateSeconds,
    renewal: compileRenewal(config.renewal),
    influence,
    constantExtensions,
    subject,
    subjectAltName: values => names.flatMap(compiled => compiled(values)),
    variableExtensions: values => variableExtensions.flatMap(compiled => (compiled ? [compiled(values)] : [])),
  }
}

function compileRenewal({ triggers, ...policy }: CompleteProfileConfig['renewal']): RenewalPolicy {
  const algorithmEnds = triggers.algorithmEnds.map(({ algorithm, at }) => ({
    algorithm,
    at: Math.floor(Date.parse(at) / 1000),
  }))
  return { ...policy, triggers: { ...triggers, algorithmEnds } }
}

const STRING_TAGS = { utf8: TAG.UTF8_STRING, printable: TAG.PRINTABLE_STRING, ia5: TAG.IA5_STRING } as const

/** Writes one RDN; leaves it out where nothing optional has a value. */
type RdnWriter = (w: DerWriter, values: TemplateValues) => void

function compileSubject(rdns: CompleteProfileConfig['subject']): (values: TemplateValues) => Bytes {
  const writers = rdns.map(rdn => compileRdn(Object.entries(rdn)))
  return values =>
    writeDer(w =>
      w.sequence(() => {
        for (const write of writers) write(w, values)
      }),
    )
}

interface CompiledAttribute extends Omit<AttributeInput, 'value'> {
  readonly tag: number
  readonly template: Template
  readonly optional: boolean
}

function compileRdn(
  entries: readonly (readonly [string, CompleteProfileConfig['subject'][number][string]])[],
): RdnWriter {
  const attributes = entries.map(([label, value]): CompiledAttribute => {
    const type = attributeType(label)
    const {
      optional,
      string,
      value: source,
    } = typeof value === 'string' ? { value, optional: false, string: undefined } : value
    const tag = string === undefined ? (fixedStringTag(type) ?? TAG.UTF8_STRING) : STRING_TAGS[string]
    return { type, tag, template: parseTemplate(source), optional }
  })
  const [only] = attributes
  // One attribute is the rule, and then the SET has nothing to sort.
  if (attributes.length === 1 && only !== undefined) {
    return (w, values) => {
      const text = fill(only.template, values, only.optional)
      if (text === undefined) return
      w.set(() => w.sequence(() => w.oid(only.type).primitive(only.tag, encodeString(only.tag, text))))
    }
  }
  return (w, values) => {
    const filled: AttributeInput[] = []
    for (const { type, tag, template, optional } of attributes) {
      const value = fill(template, values, optional)
      if (value !== undefined) filled.push({ type, tag, value })
    }
    if (filled.length > 0) writeRdn(w, filled)
  }
}

/** The text, or `undefined` where a placeholder has no value and that is allowed. Throws `profile.value_missing`. */
function fill(template: Template, values: TemplateValues, optional: boolean): string | undefined {
  const expansion = template.expand(values)
  if ('text' in expansion) return expansion.text
  if (optional) return undefined
  throw new TouchmarkError(
    'profile.value_missing',
    'malformed',
    `The profile needs a value for {${expansion.missing}}.`,
    {
      next: `Give the device or the request a value for ${expansion.missing}, or make the field optional in the profile.`,
      evidence: { placeholder: expansion.missing },
    },
  )
}

type NameConfig = CompleteProfileConfig['subjectAltName']['names'][number]

function compileName(config: NameConfig): (values: TemplateValues) => GeneralName[] {
  const { optional } = config
  /** One name from one text. */
  const single = (source: string, build: (text: string) => GeneralName) => {
    const template = parseTemplate(source)
    return (values: TemplateValues) => {
      const text = fill(template, values, optional)
      return text === undefined ? [] : [build(text)]
    }
  }
  switch (config.kind) {
    case 'hardwareModuleName': {
      const hwType = parseTemplate(config.hwType)
      const hwSerialNum = parseTemplate(config.hwSerialNum)
      return values => {
        const type = fill(hwType, values, optional)
        const serial = fill(hwSerialNum, values, optional)
        if (type === undefined || serial === undefined) return []
        return [encodeHardwareModuleName(type, toUtf8(serial))]
      }
    }
    case 'permanentIdentifier':
      return single(config.identifierValue, text => encodePermanentIdentifier(text, config.assigner))
    case 'registeredID':
      return single(config.value, text => ({ kind: 'registeredID', oid: text }))
    case 'otherName': {
      const { typeId, string } = config
      return single(config.value, text => ({ kind: 'otherName', typeId, value: encodeOtherValue(string, text) }))
    }
    case 'dNSName':
    case 'iPAddress':
    case 'rfc822Name':
    case 'uniformResourceIdentifier': {
      const { kind } = config
      if (!config.list) return single(config.value, text => textName(kind, text))
      const template = parseTemplate(config.value)
      return values => {
        const text = fill(template, values, optional)
        const members = text?.split(/[\s,]+/).filter(member => member !== '') ?? []
        return members.map(member => textName(kind, member))
      }
    }
    default:
      return config satisfies never
  }
}

function encodeOtherValue(string: 'utf8' | 'ia5' | 'octets', text: string): Bytes {
  if (string === 'octets') return writeDer(w => w.octetString(toUtf8(text)))
  const tag = string === 'utf8' ? TAG.UTF8_STRING : TAG.IA5_STRING
  return writeDer(w => w.primitive(tag, encodeString(tag, text)))
}

/** keyUsage, extendedKeyUsage, basicConstraints, constraints, policies and the private ones without placeholders. */
function compileConstantExtensions(config: CompleteProfileConfig): Extension[] {
  const out: Extension[] = []
  const { basicConstraints, extendedKeyUsage, nameConstraints, certificatePolicies, policyConstraints } = config
  if (basicConstraints) {
    const { cA, pathLenConstraint, critical } = basicConstraints
    out.push(extension(OID.basicConstraints, critical, encodeBasicConstraints({ cA, pathLenConstraint })))
  }
  out.push(extension(OID.keyUsage, true, encodeKeyUsage(config.keyUsage)))
  if (extendedKeyUsage) {
    const purposes = extendedKeyUsage.purposes.map(purpose =>
      Object.hasOwn(KEY_PURPOSES, purpose) ? KEY_PURPOSES[purpose as keyof typeof KEY_PURPOSES] : purpose,
    )
    out.push(extension(OID.extKeyUsage, extendedKeyUsage.critical, encodeExtendedKeyUsage(purposes)))
  }
  if (certificatePolicies) {
    const policies = certificatePolicies.map(({ oid, cps }) => ({
      policyIdentifier: oid,
      policyQualifiers: cps === undefined ? [] : [{ kind: 'cps' as const, uri: cps }],
    }))
    out.push(extension(OID.certificatePolicies, false, encodeCertificatePolicies(policies)))
  }
  if (nameConstraints) {
    const permittedSubtrees = nameConstraints.permitted.map(compileSubtree)
    const excludedSubtrees = nameConstraints.excluded.map(compileSubtree)
    const value = encodeNameConstraints({
      ...(permittedSubtrees.length > 0 && { permittedSubtrees }),
      ...(excludedSubtrees.length > 0 && { excludedSubtrees }),
    })
    // RFC 5280 §4.2.1.10: conforming CAs MUST mark this extension as critical.
    out.push(extension(OID.nameConstraints, true, value))
  }
  // RFC 5280 §4.2.1.11, §4.2.1.14: MUST be critical.
  if (policyConstraints) out.push(extension(OID.policyConstraints, true, encodePolicyConstraints(policyConstraints)))
  if (config.inhibitAnyPolicy !== undefined) {
    out.push(extension(OID.inhibitAnyPolicy, true, encodeInhibitAnyPolicy(config.inhibitAnyPolicy)))
  }
  if (config.ocspNoCheck) out.push(extension(OID.ocspNoCheck, false, encodeOcspNoCheck()))
  for (const { oid, critical, der } of config.privateExtensions) {
    if (der !== undefined) out.push(extension(oid, critical, checkedDer(fromHex(der))))
  }
  return out
}

function compileSubtree(subtree: { kind: GeneralSubtreeKind; value: string }): GeneralSubtree {
  const { kind, value } = subtree
  switch (kind) {
    case 'iPAddress': {
      const range = parseIpRange(value)
      if (range === undefined)
        throw new TouchmarkError(
          'profile.name_invalid',
          'malformed',
          `"${value}" is no address range such as 10.0.0.0/8.`,
          { next: 'Write address and prefix length: 10.0.0.0/8, 2001:db8::/32.' },
        )
      return { base: { kind, bytes: ipRangeOctets(range) } }
    }
    case 'directoryName':
      return { base: { kind, name: nameFromText(value) } }
    case 'dNSName':
    case 'rfc822Name':
    case 'uniformResourceIdentifier':
      if (!/^[\x21-\x7e]*$/.test(value))
        throw new TouchmarkError('profile.name_invalid', 'malformed', `"${value}" is not ASCII.`, {
          next: 'Write names of other scripts as DNS does (RFC 5890): xn--….',
        })
      return { base: { kind, value } }
    default:
      return kind satisfies never
  }
}

type GeneralSubtreeKind = 'dNSName' | 'iPAddress' | 'rfc822Name' | 'uniformResourceIdentifier' | 'directoryName'

/** One DER element and nothing else. */
function checkedDer(der: Bytes): Bytes {
  readDer(der, reader => reader.any())
  return der
}

function compileVariableExtension(
  config: CompleteProfileConfig['privateExtensions'][number],
): ((values: TemplateValues) => Extension) | undefined {
  const { oid, critical, utf8String } = config
  if (utf8String === undefined) return undefined
  const template = parseTemplate(utf8String)
  return values =>
    extension(
      oid,
      critical,
      writeDer(w => w.text(fill(template, values, false)!)),
    )
}

/** Every placeholder of every template; templates that do not parse are reported elsewhere. */
function placeholdersOf(config: CompleteProfileConfig): Set<string> {
  const sources = [
    ...config.subject.flatMap(rdn =>
      Object.values(rdn).map(value => (typeof value === 'string' ? value : value.value)),
    ),
    ...config.subjectAltName.names.flatMap(name => {
      switch (name.kind) {
        case 'hardwareModuleName':
          return [name.hwType, name.hwSerialNum]
        case 'permanentIdentifier':
          return [name.identifierValue]
        default:
          return [name.value]
      }
    }),
    ...config.privateExtensions.flatMap(each => each.utf8String ?? []),
  ]
  const found = new Set<string>()
  for (const source of sources) {
    try {
      for (const name of parseTemplate(source).placeholders) found.add(name)
    } catch (error) {
      if (!(error instanceof TouchmarkError)) throw error
    }
  }
  return found
}
