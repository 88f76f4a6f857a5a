// The gate between preparing and signing: the octets that are about to be signed are read again, as a stranger would, and judged against
// RFC 5280, against the profile, against the crypto policy and against the CAs above. What does not pass cannot be signed.
import { DerReader } from '../../core/asn1/reader.ts'
import { contextConstructed, TAG } from '../../core/asn1/tag.ts'
import { NO_EXPIRY } from '../../core/asn1/time.ts'
import { writeDer } from '../../core/asn1/writer.ts'
import { copyBytes, equalBytes } from '../../core/bytes/bytes.ts'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import { type CertificateFields, parseTbsCertificate } from '../../core/pki/certificate.ts'
import { type Extension, findExtension } from '../../core/pki/extension.ts'
import { lintExtensions } from '../../core/pki/lint/extensions.ts'
import { lintName } from '../../core/pki/lint/names.ts'
import { lintCertificateFields } from '../../core/pki/lint.ts'
import { type Name, parseName } from '../../core/pki/name.ts'
import { OID } from '../../core/pki/oids.ts'
import { checkPath, type PathCertificate, readPathCertificate } from '../../core/pki/path-check.ts'
import { type KeyAlgorithmName, keyAlgorithmOfSpki } from '../../crypto/algorithms.ts'
import { judgeAlgorithm } from '../../crypto/crypto-policy.ts'
import type { CertificateFacts, IssuanceRequest } from './issuance-request.ts'
import { attributeType } from './name-text.ts'
import type { Profile } from './profile.ts'
import type { Settings } from './settings.ts'
import type { SigningAuthority } from './signing-authority.ts'

/** What the gate compares the octets with. */
export interface LintIntent {
  readonly request: IssuanceRequest
  readonly authority: SigningAuthority
  readonly settings: Settings
  readonly facts: CertificateFacts
  /** What all certificates of the profile, the authority and the shard share. */
  readonly shared: SharedParts
  /** Magnitude of the serial number. */
  readonly serialNumber: Uint8Array
  /** Name DER. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  /** The extensions of this certificate alone; they follow the shared ones. */
  readonly variableExtensions: readonly Extension[]
}

/** The parts that are encoded once, and which shapes of certificates around them passed the whole lint. */
export interface SharedParts {
  /** AlgorithmIdentifier DER. */
  readonly signatureAlgorithm: Uint8Array
  readonly extensions: readonly Extension[]
  /** The same as Extension elements, one after the other. */
  readonly compiled: Uint8Array
  /** The newest certificate of each shape that passed as a whole. See `shapeOf`. */
  readonly passed: Map<string, PassedCertificate>
}

/** What the next certificate of the same shape is compared with. */
export interface PassedCertificate {
  readonly notBefore: number
  readonly notAfter: number
  /** The Validity as encoded. */
  readonly validity: Uint8Array
}

/** One objection. Codes: those of `core/pki/lint`, `profile.*` and `crypto_policy.*` from here, `path.*` from the CAs above. */
export interface GateFinding {
  readonly code: string
  readonly message: string
  readonly source: string
}

/**
 * Throws `lint.failed` with every finding, in the message for people and in the evidence by code.
 *
 * The first certificate of a shape is judged as a whole. After that, what the shape fixes is compared octet for octet with what passed then, and
 * what belongs to the unit (serial number, validity, subject, key, its own extensions, dates of the policy, names under
 * constraints) is judged every time by the same rules. `test/domain/ca/lint-gate.test.ts` holds both ways against each other.
 */
export function lintGate(tbs: Uint8Array, intent: LintIntent): void {
  const { request, authority, shared } = intent
  // CA certificates are rare, and names under constraints are a question about the unit and the whole chain.
  const wholly = request.profile.holder === 'authority' || constrainsNames(authority)
  const shape = wholly ? '' : shapeOf(intent)
  const passed = shared.passed.get(shape)
  if (passed !== undefined && passesAsUnit(tbs, intent, passed)) return
  const findings = judge(tbs, intent)
  if (findings.length > 0) throw lintFailed(findings)
  if (wholly) return
  const { notBefore, notAfter } = intent.facts
  // Bounded: algorithms times the few combinations of optional parts that a profile has.
  shared.passed.set(shape, { notBefore, notAfter, validity: validityOf(tbs) })
}

function lintFailed(findings: readonly GateFinding[]): TouchmarkError {
  const sentences = findings.map(({ message, source }) => `${message} [${source}]`)
  return new TouchmarkError('lint.failed', 'malformed', `The certificate was not signed. ${sentences.join(' ')}`, {
    next: 'Change the profile or what the registry says about the device.',
    evidence: Object.fromEntries(findings.map(({ code, source }) => [code, source])),
  })
}

/** Everything that the rules across fields look at, beside the shared octets: equal shapes get equal answers from them. */
function shapeOf({ facts, subject, issuer, variableExtensions }: LintIntent): string {
  let shape =
    facts.keyAlgorithm + (subject.length === 2 ? ' nameless' : '') + (equalBytes(subject, issuer) ? ' self-issued' : '')
  for (const { oid, critical } of variableExtensions) shape += critical ? ` ${oid}!` : ` ${oid}`
  return shape
}

/**
 * Whether nothing is to be said against the certificate. Where something might be, or is only unusual, the answer is no and the whole lint
 * decides: a validity that was not seen yet (once a second), a serial number of a strange length, a default that is written out.
 */
function passesAsUnit(tbs: Uint8Array, intent: LintIntent, passed: PassedCertificate): boolean {
  const { request, shared, facts, variableExtensions } = intent
  let objections = 0
  const object = (): void => {
    objections++
  }
  try {
    const outer = new DerReader(tbs)
    const fields = outer.enter(TAG.SEQUENCE)
    outer.finish()
    if (facts.notBefore !== passed.notBefore || facts.notAfter !== passed.notAfter) return false
    if (!fields.skipExactly(VERSION_3)) return false
    const serial = fields.unsignedBytes()
    if (serial.length < MIN_USUAL_SERIAL_OCTETS || serial.length > MAX_USUAL_SERIAL_OCTETS) return false
    if (!equalBytes(serial, intent.serialNumber)) return false
    if (!fields.skipExactly(shared.signatureAlgorithm)) return false
    if (!fields.skipExactly(intent.issuer)) return false
    if (!fields.skipExactly(passed.validity)) return false
    const subject = parseName(fields)
    if (!equalBytes(subject.raw, intent.subject)) return false
    if (!fields.skipExactly(request.spki)) return false
    const list = fields.enter(EXTENSIONS_TAG)
    fields.finish()
    const extensions = list.enter(TAG.SEQUENCE)
    list.finish()
    if (!extensions.skipExactly(shared.compiled)) return false
    const own = readOwnExtensions(extensions)
    if (own === undefined || !sameExtensions(own, variableExtensions)) return false
    if (!datesAllowed(facts, intent) || !subjectTypesAllowed(subject, request.profile)) return false
    lintName(subject, object)
    lintExtensions(own, false, object)
    lintCryptoPolicy(intent, object)
  } catch (error) {
    if (error instanceof TouchmarkError) return false
    throw error
  }
  return objections === 0
}

const VERSION_TAG = contextConstructed(0)
const EXTENSIONS_TAG = contextConstructed(3)
const VERSION_3 = writeDer(w => w.constructed(VERSION_TAG, () => w.integer(2)))
/** Not zero and, with a sign octet, not beyond the 20 of RFC 5280 §4.1.2.2. */
const MIN_USUAL_SERIAL_OCTETS = 8
const MAX_USUAL_SERIAL_OCTETS = 19

/** The rest of the list; `undefined` where `critical` is written out as FALSE. */
function readOwnExtensions(reader: DerReader): Extension[] | undefined {
  const out: Extension[] = []
  while (!reader.empty) {
    const fields = reader.enter(TAG.SEQUENCE)
    const oid = fields.oid()
    const critical = fields.peekTag() === TAG.BOOLEAN
    if (critical && !fields.boolean()) return undefined
    const value = fields.octetString()
    fields.finish()
    out.push({ oid, critical, value })
  }
  return out
}

/** Validity DER of a TBSCertificate that was parsed before. */
function validityOf(tbs: Uint8Array): Uint8Array {
  const fields = new DerReader(tbs).enter(TAG.SEQUENCE)
  fields.raw(VERSION_TAG)
  fields.raw(TAG.INTEGER)
  fields.raw(TAG.SEQUENCE)
  fields.raw(TAG.SEQUENCE)
  return copyBytes(fields.raw(TAG.SEQUENCE))
}

function sameExtensions(given: readonly Extension[], wanted: readonly Extension[]): boolean {
  return (
    given.length === wanted.length &&
    given.every(({ oid, critical, value }, i) => {
      const other = wanted[i]!
      return oid === other.oid && critical === other.critical && equalBytes(value, other.value)
    })
  )
}

function judge(tbs: Uint8Array, intent: LintIntent): GateFinding[] {
  let fields: CertificateFields
  try {
    fields = parseTbsCertificate(tbs)
  } catch (error) {
    return [{ code: 'lint.malformed', message: asTouchmarkError(error).message, source: 'RFC 5280 4.1' }]
  }
  const { authority, request } = intent
  const kind = request.profile.holder === 'authority' ? 'ca' : 'end-entity'
  const findings: GateFinding[] = lintCertificateFields(fields, { issuer: authority.certificate ?? undefined, kind })
  const report: ReportFinding = (code, message, source) => findings.push({ code, message, source })
  lintProfile(fields, intent, report)
  lintCryptoPolicy(intent, report)
  if (kind === 'ca' || constrainsNames(authority)) lintPath(fields, intent, report)
  return findings
}

type ReportFinding = (code: string, message: string, source: string) => void

/** Whether the octets say what the profile, the request and the authority say, and nothing beyond. */
function lintProfile(fields: CertificateFields, intent: LintIntent, report: ReportFinding): void {
  const { request, facts, shared, variableExtensions } = intent
  const { profile } = request
  const source = `profile ${profile.name} version ${profile.version}`
  const object = (code: string, message: string) => report(code, message, source)
  if (fields.serialNumber !== facts.serialNumber)
    object('profile.serial_number', 'The serial number is not the one that was drawn.')
  if (!equalBytes(fields.signatureAlgorithm.raw, shared.signatureAlgorithm)) {
    object('profile.signature_algorithm', 'The signature algorithm is not that of the authority.')
  }
  if (!equalBytes(fields.issuer.raw, intent.issuer)) object('profile.issuer', 'The issuer is not the authority.')
  if (!equalBytes(fields.subject.raw, intent.subject))
    object('profile.subject', 'The subject is not what the profile makes.')
  if (!equalBytes(fields.subjectPublicKeyInfo.raw, request.spki))
    object('profile.key', 'The key is not the one that was asked for.')
  if (fields.notBefore !== facts.notBefore || fields.notAfter !== facts.notAfter || !datesAllowed(facts, intent)) {
    object('profile.validity', 'The validity is not what the profile says.')
  }
  if (!subjectTypesAllowed(fields.subject, profile))
    object('profile.subject', 'The subject has an attribute that the profile has not.')
  if (!sameExtensions(fields.extensions, [...shared.extensions, ...variableExtensions])) {
    object('profile.extensions', 'The extensions are not what the profile says.')
  }
  if (profile.config.subjectAltName.required && findExtension(fields.extensions, OID.subjectAltName) === undefined) {
    object('profile.subject_alt_name', 'The certificate has no subjectAltName.')
  }
}

/** The validity by the profile's numbers and the issuer's dates, worked out a second time (see `validity` in `prepare.ts`). */
function datesAllowed({ notBefore, notAfter }: CertificateFacts, { request, authority }: LintIntent): boolean {
  const { profile, now } = request
  if (notBefore > now || notBefore < now - profile.backdateSeconds) return false
  if (authority.certificate !== null && notBefore < authority.certificate.notBefore) return false
  if (profile.lifetimeSeconds === null) return notAfter === NO_EXPIRY
  const last = now + profile.lifetimeSeconds - 1
  return notAfter === Math.min(last, authority.certificate?.notAfter ?? NO_EXPIRY)
}

/** The attribute types that the profile's subject may have, by profile. */
const subjectTypes = new WeakMap<Profile, ReadonlySet<string>>()

function subjectTypesAllowed(subject: Name, profile: Profile): boolean {
  let types = subjectTypes.get(profile)
  if (types === undefined) {
    types = new Set(profile.config.subject.flatMap(rdn => Object.keys(rdn).map(attributeType)))
    subjectTypes.set(profile, types)
  }
  for (const rdn of subject.rdns) for (const { type } of rdn) if (!types.has(type)) return false
  return true
}

/** The device's key, and the CA's key under it, against the dates of the policy in force. */
function lintCryptoPolicy({ settings, facts, authority }: LintIntent, report: ReportFinding): void {
  const { cryptoPolicy, cryptoPolicyEnforcement } = settings
  const source = `crypto policy ${cryptoPolicy.name}`
  const ask = (whose: string, algorithm: KeyAlgorithmName) => {
    // Until when the certificate is to be relied on; whether that is too long is asked only where it is to be refused.
    const until = cryptoPolicyEnforcement === 'refuse' ? facts.notAfter : facts.issuedAt
    const verdict = judgeAlgorithm(cryptoPolicy, algorithm, until)
    switch (verdict.outcome) {
      case 'allowed':
        return
      case 'forbidden':
        report('crypto_policy.forbidden', `${whose} key is ${algorithm}, which may not be used.`, source)
        return
      case 'outlives':
        report(
          'crypto_policy.outlives',
          `The certificate would outlive ${algorithm}, the algorithm of ${whose} key.`,
          source,
        )
        return
      default:
        verdict satisfies never
    }
  }
  ask("the holder's", facts.keyAlgorithm)
  if (authority.certificate !== null) ask("the authority's", authorityKeyAlgorithm(authority))
}

const authorityAlgorithms = new WeakMap<SigningAuthority, KeyAlgorithmName>()

function authorityKeyAlgorithm(authority: SigningAuthority): KeyAlgorithmName {
  const known = authorityAlgorithms.get(authority)
  if (known !== undefined) return known
  const algorithm = keyAlgorithmOfSpki(authority.signer.publicKey)
  authorityAlgorithms.set(authority, algorithm)
  return algorithm
}

/** The CAs above, read once for each authority. */
const paths = new WeakMap<SigningAuthority, readonly PathCertificate[]>()

function pathOf(authority: SigningAuthority): readonly PathCertificate[] {
  let path = paths.get(authority)
  if (path === undefined) {
    path = authority.certificate === null ? [] : [authority.certificate, ...authority.chain].map(readPathCertificate)
    paths.set(authority, path)
  }
  return path
}

function constrainsNames(authority: SigningAuthority): boolean {
  return pathOf(authority).some(member => member.nameConstraints !== undefined)
}

/** Path length and name constraints of every CA above (RFC 5280 §6.1): what would not validate is not signed. */
function lintPath(fields: CertificateFields, { authority, facts, request }: LintIntent, report: ReportFinding): void {
  const above = pathOf(authority)
  if (above.length === 0) return
  const candidate = readPathCertificate({ ...fields, raw: fields.tbs, signature: new Uint8Array(0) })
  // A CA is judged as what it is for: an issuer in the path of a certificate below it (§4.2.1.9 counts it then). It stands for that one too.
  const below = request.profile.holder === 'authority' ? [candidate, candidate] : [candidate]
  const problem = checkPath([...below, ...above], {
    at: facts.notBefore,
    purpose: undefined,
    processed: POLICY_EXTENSIONS,
  })
  if (problem) report(problem.code, problem.message, 'RFC 5280 6.1')
}

/** What path checking here leaves alone: policies do not forbid issuing, they say what it is good for. */
const POLICY_EXTENSIONS: ReadonlySet<string> = new Set([
  OID.policyConstraints,
  OID.policyMappings,
  OID.inhibitAnyPolicy,
])
