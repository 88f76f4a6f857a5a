// What an operator writes into a certificate profile: versioned JSON, checked whole by this schema before it becomes a `Profile`.
// Every field says what the certificate will contain; there is no field whose absence means "as the requester likes".
import { z } from 'zod'
import { TRUST_BUNDLE_SIGNING } from '../../core/messages/trust-bundle.ts'
import {
  type KeyAlgorithmName,
  keyAlgorithms,
  type SignatureAlgorithmName,
  signatureAlgorithms,
} from '../../crypto/algorithms.ts'
import { DEFAULT_RENEWAL_POLICY } from '../renewal/policy.ts'
import { oidSchema } from './settings.ts'
import { MAX_TEMPLATE } from './template.ts'

/** Names for the extended key usages that profiles need; any other is written as its OID. */
export const KEY_PURPOSES = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  emailProtection: '1.3.6.1.5.5.7.3.4',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  OCSPSigning: '1.3.6.1.5.5.7.3.9',
  cmcRA: '1.3.6.1.5.5.7.3.28',
  cmKGA: '1.3.6.1.5.5.7.3.32',
  documentSigning: '1.3.6.1.5.5.7.3.36',
  trustBundleSigning: TRUST_BUNDLE_SIGNING,
} as const satisfies Record<string, string>

const KEY_USAGES = [
  'digitalSignature',
  'contentCommitment',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const

const algorithmNames = keyAlgorithms.map(row => row.name) as [KeyAlgorithmName, ...KeyAlgorithmName[]]
const signatureNames = signatureAlgorithms.map(row => row.name) as [SignatureAlgorithmName, ...SignatureAlgorithmName[]]
const purposeNames = Object.keys(KEY_PURPOSES) as [keyof typeof KEY_PURPOSES, ...(keyof typeof KEY_PURPOSES)[]]

/** A hundred years: longer than any device, short enough that a slip of the keyboard is caught. */
const MAX_DAYS = 36_525

const template = z.string().min(1).max(MAX_TEMPLATE).describe('Text with {placeholders}.')
const hex = z
  .string()
  .regex(/^([0-9a-fA-F]{2})+$/, 'must be hexadecimal octets')
  .max(8192)
const uri = z.string().max(512).refine(isAbsoluteUri, 'must be an absolute URI in ASCII')

const attributeValue = z.union([
  template,
  z.strictObject({
    value: template,
    optional: z.boolean().default(false).describe('Leave the attribute out where a placeholder has no value.'),
    string: z
      .enum(['utf8', 'printable', 'ia5'])
      .optional()
      .describe('String type; absent: the usual one of the attribute.'),
  }),
])

const rdn = z
  .record(z.string().min(1).max(64), attributeValue)
  .refine(value => Object.keys(value).length > 0, 'must have at least one attribute')
  .describe(
    'One RDN: attribute type (CN, O, serialNumber, … or dotted OID) to value. More than one attribute makes a multi-valued RDN.',
  )

const optional = z.boolean().default(false).describe('Leave the name out where a placeholder has no value.')
const list = z
  .boolean()
  .default(false)
  .describe('The value is a list, separated by commas or blanks: one name for each member.')

const alternativeName = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('hardwareModuleName').describe('RFC 4108 §5: the hardware that holds the key.'),
    hwType: template.describe('An OID, usually {settings.hardwareType}.'),
    hwSerialNum: template.describe('Text; its UTF-8 octets become the OCTET STRING.'),
    optional,
  }),
  z.strictObject({
    kind: z.literal('permanentIdentifier').describe('RFC 4043 §2.'),
    identifierValue: template,
    assigner: oidSchema.optional(),
    optional,
  }),
  z.strictObject({
    kind: z.enum(['dNSName', 'iPAddress', 'rfc822Name', 'uniformResourceIdentifier']),
    value: template,
    optional,
    list,
  }),
  z.strictObject({ kind: z.literal('registeredID'), value: template, optional }),
  z.strictObject({
    kind: z.literal('otherName'),
    typeId: oidSchema,
    value: template,
    string: z.enum(['utf8', 'ia5', 'octets']).describe('How the text is encoded; octets: OCTET STRING of its UTF-8.'),
    optional,
  }),
])

const patterns = z
  .array(template)
  .min(1)
  .max(32)
  .describe(
    'The value must match one. `*` stands for one or more characters without . / @ :, `**` for any; {placeholders} are filled in first.',
  )

const requestedName = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.enum(['dNSName', 'rfc822Name', 'uniformResourceIdentifier']),
    patterns,
    maximum: z.int().min(1).max(64).default(8),
  }),
  z.strictObject({
    kind: z.literal('iPAddress'),
    ranges: z.array(z.string().max(64)).min(1).max(32).describe('CIDR: 10.0.0.0/8, fd00::/8.'),
    maximum: z.int().min(1).max(64).default(8),
  }),
])

const subtree = z.strictObject({
  kind: z.enum(['dNSName', 'iPAddress', 'rfc822Name', 'uniformResourceIdentifier', 'directoryName']),
  value: z
    .string()
    .max(512)
    .describe('iPAddress as CIDR, directoryName as RFC 4514 text, the others as RFC 5280 §4.2.1.10 writes them.'),
})

const seconds = z
  .int()
  .min(0)
  .max(MAX_DAYS * 86_400)
const fraction = z.number().min(0.01).max(0.99)

/** What it means: `domain/renewal/policy.ts`. */
const renewalSchema = z
  .strictObject({
    sameKey: z
      .boolean()
      .default(DEFAULT_RENEWAL_POLICY.sameKey)
      .describe('Whether a renewal may certify the same key again.'),
    sameKeyForSeconds: seconds
      .min(1)
      .nullable()
      .default(DEFAULT_RENEWAL_POLICY.sameKeyForSeconds)
      .describe('For how long after it was first seen a key may be certified again; null: without end.'),
    opensAtFraction: fraction
      .default(DEFAULT_RENEWAL_POLICY.opensAtFraction)
      .describe('Where in the life of a certificate its renewal belongs.'),
    earliestFraction: fraction
      .default(DEFAULT_RENEWAL_POLICY.earliestFraction)
      .describe('How far levelling may bring a renewal forward.'),
    latestFraction: fraction
      .default(DEFAULT_RENEWAL_POLICY.latestFraction)
      .describe('How far levelling may put a renewal off.'),
    urgentFraction: fraction
      .default(DEFAULT_RENEWAL_POLICY.urgentFraction)
      .describe('From here on devices ask and try more often.'),
    graceAfterExpirySeconds: seconds
      .default(DEFAULT_RENEWAL_POLICY.graceAfterExpirySeconds)
      .describe(
        'For how long an expired certificate may still be renewed, where the registration rule says nothing else.',
      ),
    triggers: z
      .strictObject({
        firmwareChange: z.boolean().default(DEFAULT_RENEWAL_POLICY.triggers.firmwareChange),
        configurationChange: z.boolean().default(DEFAULT_RENEWAL_POLICY.triggers.configurationChange),
        healthCodes: z
          .array(z.string().min(1).max(64))
          .max(64)
          .default([])
          .describe('Errors that a device reports of itself.'),
        algorithmEnds: z
          .array(z.strictObject({ algorithm: z.enum(algorithmNames), at: z.iso.datetime({ offset: true }) }))
          .max(32)
          .default([])
          .describe('From then on no key of the algorithm is certified, and who has one renews with another.'),
      })
      .prefault({})
      .describe('What asks for a renewal before its time.'),
    previous: z
      .strictObject({
        retire: z.enum(['superseded', 'leave']).default(DEFAULT_RENEWAL_POLICY.previous.retire),
        deadlineSeconds: seconds
          .default(DEFAULT_RENEWAL_POLICY.previous.deadlineSeconds)
          .describe('After this long it ends even if its successor was never seen; never after its own end.'),
      })
      .prefault({})
      .describe('The certificate before: superseded once its successor was seen in use, or left to its own end.'),
    clones: z
      .enum(['record', 'suspend'])
      .default(DEFAULT_RENEWAL_POLICY.clones)
      .describe('What happens where somebody shows a certificate that the device has left behind.'),
  })
  .refine(
    value => value.earliestFraction <= value.opensAtFraction && value.opensAtFraction <= value.latestFraction,
    'must open between the earliest and the latest time',
  )

const fieldsSchema = z.strictObject({
  schema: z.literal(1).describe('Version of this format.'),
  name: z
    .string()
    .regex(/^[a-z][a-z0-9]*([.-][a-z0-9]+)*$/, 'must be words of small letters and digits, joined by - or .')
    .max(64),
  version: z.int().min(1).max(1_000_000),
  description: z.string().min(1).max(500),
  authority: z
    .string()
    .regex(/^(\*|[a-z][a-z0-9]*([.-][a-z0-9]+)*)$/, 'must be the id or the name of an authority, or *')
    .max(64)
    .describe(
      'Which CA issues: an authority id (idevid-1), a name (idevid: its newest active generation), or * where the request names it.',
    ),
  holder: z
    .enum(['device', 'platform', 'authority'])
    .describe(
      'Who holds the key: a device of the registry, this platform and its people, or a certification authority.',
    ),
  validity: z
    .strictObject({
      days: z.int().min(1).max(MAX_DAYS).optional(),
      seconds: z
        .int()
        .min(60)
        .max(MAX_DAYS * 86_400)
        .optional(),
      noExpiry: z.literal(true).optional().describe('notAfter is 99991231235959Z (RFC 5280 §4.1.2.5).'),
      backdateSeconds: z
        .int()
        .min(0)
        .max(86_400)
        .default(0)
        .describe('notBefore lies this long before the time of issue, for clocks that are late.'),
    })
    .refine(
      value => [value.days, value.seconds, value.noExpiry].filter(each => each !== undefined).length === 1,
      'must say exactly one of days, seconds and noExpiry',
    ),
  subject: z
    .array(rdn)
    .max(16)
    .default([])
    .describe('RDNs in encoding order. Empty: the names are in subjectAltName, which is then critical.'),
  subjectAltName: z
    .strictObject({
      names: z.array(alternativeName).max(64).default([]),
      required: z.boolean().default(false).describe('Refuse to issue where no name comes out.'),
    })
    .default({ names: [], required: false }),
  requestInfluence: z
    .strictObject({
      subject: z
        .record(z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,63}$/, 'must be an attribute name'), patterns)
        .default({})
        .describe('Subject attributes of the request that templates may read as {request.NAME}.'),
      subjectAltName: z
        .array(requestedName)
        .max(8)
        .default([])
        .describe('Names that the request may add to subjectAltName.'),
      unlisted: z
        .enum(['ignore', 'refuse'])
        .default('ignore')
        .describe('What happens to names and extensions that the request asks for beyond this list.'),
    })
    .default({ subject: {}, subjectAltName: [], unlisted: 'ignore' })
    .describe(
      'Exactly what the request may influence. Its key is always certified; nothing else of it is used unless it is named here.',
    ),
  keyAlgorithms: z.array(z.enum(algorithmNames)).min(1),
  signatureAlgorithm: z.enum(signatureNames).optional().describe("Absent: the one of the issuing CA's key."),
  subjectKeyIdentifier: z
    .enum(['sha256', 'sha1', 'absent'])
    .default('sha256')
    .describe('sha256: RFC 7093 §2 method 1; sha1: RFC 5280 §4.2.1.2 method 1.'),
  keyUsage: z.array(z.enum(KEY_USAGES)).min(1).describe('Always critical (RFC 5280 §4.2.1.3).'),
  extendedKeyUsage: z
    .strictObject({
      purposes: z
        .array(z.union([z.enum(purposeNames), oidSchema]))
        .min(1)
        .max(32),
      critical: z.boolean().default(false),
    })
    .optional(),
  basicConstraints: z
    .strictObject({
      cA: z.boolean(),
      pathLenConstraint: z.int().min(0).max(16).optional(),
      critical: z.boolean().default(true),
    })
    .optional(),
  nameConstraints: z
    .strictObject({ permitted: z.array(subtree).max(256).default([]), excluded: z.array(subtree).max(256).default([]) })
    .refine(value => value.permitted.length + value.excluded.length > 0, 'must permit or exclude something')
    .optional(),
  certificatePolicies: z
    .array(z.strictObject({ oid: oidSchema, cps: uri.optional() }))
    .min(1)
    .max(32)
    .optional(),
  policyConstraints: z
    .strictObject({
      requireExplicitPolicy: z.int().min(0).max(16).optional(),
      inhibitPolicyMapping: z.int().min(0).max(16).optional(),
    })
    .refine(value => Object.keys(value).length > 0, 'must have a constraint')
    .optional(),
  inhibitAnyPolicy: z.int().min(0).max(16).optional(),
  authorityInformationAccess: z
    .strictObject({ caIssuers: z.boolean().default(false), ocsp: z.boolean().default(false) })
    .default({ caIssuers: false, ocsp: false }),
  crlDistributionPoint: z
    .boolean()
    .default(false)
    .describe('The CRL shard of the issuing CA that the serial number falls into.'),
  ocspNoCheck: z.boolean().default(false).describe('RFC 6960 §4.2.2.2.1: the status of this certificate is not asked.'),
  privateExtensions: z
    .array(
      z.strictObject({
        oid: oidSchema,
        critical: z.boolean().default(false),
        der: hex.optional().describe('The whole value as DER in hexadecimal.'),
        utf8String: template.optional().describe('The value is one UTF8String.'),
      }),
    )
    .max(16)
    .default([]),
  renewal: renewalSchema.prefault({}),
})

/** A profile with every default filled in. */
export type CompleteProfileConfig = z.output<typeof fieldsSchema>

export const profileConfigSchema = fieldsSchema.superRefine(checkSense)

/** A profile as an operator writes it. */
export type ProfileConfig = z.input<typeof profileConfigSchema>

/** JSON Schema (draft 2020-12) of a profile, for editors and for documentation. */
export function profileJsonSchema(): unknown {
  return z.toJSONSchema(profileConfigSchema, { io: 'input', unrepresentable: 'any' })
}

/** What two fields say together must make sense (RFC 5280 §4.2.1). */
function checkSense(profile: CompleteProfileConfig, context: z.RefinementCtx): void {
  const problem = (path: PropertyKey[], message: string) => context.addIssue({ code: 'custom', path, message })
  const isCa = profile.basicConstraints?.cA === true
  if (isCa !== (profile.holder === 'authority')) {
    problem(['basicConstraints', 'cA'], 'must be true where the holder is an authority, and only there')
  }
  if (isCa !== profile.keyUsage.includes('keyCertSign')) {
    problem(['keyUsage'], 'must have keyCertSign where basicConstraints has cA, and only there (RFC 5280 §4.2.1.3)')
  }
  if (profile.basicConstraints?.pathLenConstraint !== undefined && !isCa) {
    problem(['basicConstraints', 'pathLenConstraint'], 'needs cA (RFC 5280 §4.2.1.9)')
  }
  if (isCa && profile.basicConstraints?.critical === false) {
    problem(['basicConstraints', 'critical'], 'must be true in a CA certificate (RFC 5280 §4.2.1.9)')
  }
  if (isCa && profile.subjectKeyIdentifier === 'absent') {
    problem(['subjectKeyIdentifier'], 'must be present in a CA certificate (RFC 5280 §4.2.1.2)')
  }
  for (const field of ['nameConstraints', 'policyConstraints', 'inhibitAnyPolicy'] as const) {
    if (profile[field] !== undefined && !isCa) problem([field], 'belongs into CA certificates only')
  }
  if (profile.subject.length === 0 && profile.subjectAltName.names.length === 0) {
    problem(['subject'], 'may be empty only where subjectAltName has names (RFC 5280 §4.1.2.6)')
  }
  if (isCa && profile.subject.length === 0)
    problem(['subject'], 'must not be empty in a CA certificate (RFC 5280 §4.1.2.6)')
  if (profile.ocspNoCheck && !profile.extendedKeyUsage?.purposes.includes('OCSPSigning')) {
    problem(['ocspNoCheck'], 'belongs to OCSP signers (RFC 6960 §4.2.2.2.1)')
  }
  const purposes: readonly string[] = profile.extendedKeyUsage?.purposes ?? []
  if (profile.holder === 'device' && ['OCSPSigning', KEY_PURPOSES.OCSPSigning].some(each => purposes.includes(each))) {
    problem(
      ['extendedKeyUsage'],
      'must not have OCSPSigning for devices: each could answer for its issuer (RFC 6960 §4.2.2.2)',
    )
  }
  if (
    profile.holder === 'device' &&
    ['trustBundleSigning', TRUST_BUNDLE_SIGNING].some(purpose => purposes.includes(purpose))
  ) {
    problem(
      ['extendedKeyUsage'],
      'must not have trustBundleSigning for devices: each could tell the others what to trust',
    )
  }
  profile.privateExtensions.forEach((each, i) => {
    if ((each.der === undefined) === (each.utf8String === undefined)) {
      problem(['privateExtensions', i], 'must have exactly one of der and utf8String')
    }
    if (isStandardExtension(each.oid))
      problem(['privateExtensions', i, 'oid'], 'is a standard extension; use its own field')
    if (profile.privateExtensions.findIndex(other => other.oid === each.oid) !== i) {
      problem(['privateExtensions', i, 'oid'], 'stands twice')
    }
  })
  const unique = (path: string, values: readonly string[]) => {
    if (new Set(values).size !== values.length) problem([path], 'names the same thing twice')
  }
  unique('keyAlgorithms', profile.keyAlgorithms)
  unique('keyUsage', profile.keyUsage)
  unique('certificatePolicies', profile.certificatePolicies?.map(policy => policy.oid) ?? [])
}

/** id-ce, and the members of id-pe and id-pkix-ocsp that a profile has fields for. */
function isStandardExtension(oid: string): boolean {
  return (
    /^2\.5\.29\.\d+$/.test(oid) || ['1.3.6.1.5.5.7.1.1', '1.3.6.1.5.5.7.1.11', '1.3.6.1.5.5.7.48.1.5'].includes(oid)
  )
}

function isAbsoluteUri(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && URL.canParse(text)
}
