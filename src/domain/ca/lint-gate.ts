// The gate between preparing and signing: the octets that are about to be signed are read again, as a stranger would, and judged against
// RFC 5280, against the profile, against the crypto policy and against the CAs above. What does not pass cannot be signed.
import { NO_EXPIRY } from '../../core/asn1/time.ts'
import { equalBytes } from '../../core/bytes/bytes.ts'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import { type CertificateFields, parseTbsCertificate } from '../../core/pki/certificate.ts'
import { type Extension, findExtension } from '../../core/pki/extension.ts'
import { lintCertificateFields } from '../../core/pki/lint.ts'
import { OID } from '../../core/pki/oids.ts'
import { checkPath, type PathCertificate, readPathCertificate } from '../../core/pki/path-check.ts'
import { type KeyAlgorithmName, keyAlgorithmOfSpki } from '../../crypto/algorithms.ts'
import { judgeAlgorithm } from '../../crypto/crypto-policy.ts'
import { attributeType } from './name-text.ts'
import type { CertificateFacts, IssuanceRequest, SigningAuthority } from './prepare.ts'
import type { Profile } from './profile.ts'
import type { Settings } from './settings.ts'

/** What the gate compares the octets with. */
export interface LintIntent {
  readonly request: IssuanceRequest
  readonly authority: SigningAuthority
  readonly settings: Settings
  readonly facts: CertificateFacts
  /** The extensions that the profile and the authority give to all of their certificates. */
  readonly constantExtensions: readonly Extension[]
  /** The extensions of this certificate alone. */
  readonly variableExtensions: readonly Extension[]
}

/** One objection. Codes: those of `core/pki/lint`, `profile.*` and `crypto_policy.*` from here, `path.*` from the CAs above. */
export interface GateFinding {
  readonly code: string
  readonly message: string
  readonly source: string
}

/** Throws `lint.failed` with every finding, in the message for people and in the evidence by code. */
export function lintGate(tbs: Uint8Array, intent: LintIntent): void {
  const findings = judge(tbs, intent)
  if (findings.length === 0) return
  const sentences = findings.map(({ message, source }) => `${message} [${source}]`)
  throw new TouchmarkError('lint.failed', 'malformed', `The certificate was not signed. ${sentences.join(' ')}`, {
    next: 'Change the profile or what the registry says about the device.',
    evidence: Object.fromEntries(findings.map(({ code, source }) => [code, source])),
  })
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
  const { request, facts, constantExtensions, variableExtensions } = intent
  const { profile, now } = request
  const source = `profile ${profile.name} version ${profile.version}`
  const object = (code: string, message: string) => report(code, message, source)
  if (fields.serialNumber !== facts.serialNumber)
    object('profile.serial_number', 'The serial number is not the one that was drawn.')
  if (!equalBytes(fields.subjectPublicKeyInfo.raw, request.spki))
    object('profile.key', 'The key is not the one that was asked for.')
  if (fields.notBefore > now || fields.notBefore < now - profile.backdateSeconds) {
    object('profile.not_before', 'notBefore is not the time of issue less the backdating.')
  }
  const latest = profile.lifetimeSeconds === null ? NO_EXPIRY : now + profile.lifetimeSeconds - 1
  const cut = profile.lifetimeSeconds === null ? undefined : intent.authority.certificate?.notAfter
  if (fields.notAfter !== Math.min(latest, cut ?? NO_EXPIRY))
    object('profile.not_after', 'notAfter is not what the profile says.')
  if (!subjectTypesAllowed(fields, profile))
    object('profile.subject', 'The subject has an attribute that the profile has not.')
  const expected = constantExtensions.length + variableExtensions.length
  if (fields.extensions.length !== expected)
    object('profile.extensions', 'The number of extensions is not that of the profile.')
  fields.extensions.forEach((given, i) => {
    const wanted =
      i < constantExtensions.length ? constantExtensions[i] : variableExtensions[i - constantExtensions.length]
    if (
      wanted === undefined ||
      given.oid !== wanted.oid ||
      given.critical !== wanted.critical ||
      !equalBytes(given.value, wanted.value)
    ) {
      object('profile.extension', `The extension ${given.oid} is not what the profile says.`)
    }
  })
  if (profile.config.subjectAltName.required && findExtension(fields.extensions, OID.subjectAltName) === undefined) {
    object('profile.subject_alt_name', 'The certificate has no subjectAltName.')
  }
}

/** The attribute types that the profile's subject may have, by profile. */
const subjectTypes = new WeakMap<Profile, ReadonlySet<string>>()

function subjectTypesAllowed(fields: CertificateFields, profile: Profile): boolean {
  let types = subjectTypes.get(profile)
  if (types === undefined) {
    types = new Set(profile.config.subject.flatMap(rdn => Object.keys(rdn).map(attributeType)))
    subjectTypes.set(profile, types)
  }
  for (const rdn of fields.subject.rdns) for (const { type } of rdn) if (!types.has(type)) return false
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
function lintPath(fields: CertificateFields, { authority, facts }: LintIntent, report: ReportFinding): void {
  const above = pathOf(authority)
  if (above.length === 0) return
  const candidate = { ...fields, raw: fields.tbs, signature: new Uint8Array(0) }
  const problem = checkPath([readPathCertificate(candidate), ...above], {
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
