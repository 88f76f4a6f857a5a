// What is wrong with one certificate by itself, whoever issued it: MUSTs of RFC 5280 that it breaks, a key or a signature that nobody should rely on.
// Nothing here depends on the time or on other certificates, so that the answer for an issuer is found once and kept.
import type { Certificate } from '../../core/pki/certificate.ts'
import { type LintCode, lintCertificateFields } from '../../core/pki/lint.ts'
import { bitLength, findSignatureAlgorithm, readSpki } from '../../crypto/algorithms.ts'
import { checkPublicKey, type KeyFindingCode } from '../../crypto/key-check.ts'
import { MAX_VERIFY_MODULUS_BITS, MIN_VERIFY_MODULUS_BITS } from '../../crypto/verify.ts'

export interface Flaw {
  readonly code: string
  readonly message: string
  /**
   * When it makes a certificate one that is not to be relied on: `always`; where it is to be used for something (`in-use`: a purpose is named, and
   * the rules of TLS and of our day apply); or `never`: worth a word.
   */
  readonly counts: 'always' | 'in-use' | 'never'
}

const cache = new WeakMap<Certificate, readonly Flaw[]>()

/** Never throws. Kept as long as the parsed certificate is. */
export function certificateHygiene(certificate: Certificate): readonly Flaw[] {
  let flaws = cache.get(certificate)
  if (flaws === undefined) {
    flaws = [...keyFlaws(certificate), ...lintFlaws(certificate)]
    cache.set(certificate, flaws)
  }
  return flaws
}

/** Of an anchor only its name, its key and its constraints are relied on (RFC 5280 §6.1.1 (d), RFC 5937): nobody looks for its issuer or its serial number. */
export function anchorHygiene(certificate: Certificate): readonly Flaw[] {
  return certificateHygiene(certificate).filter(({ code }) => !NOT_ASKED_OF_ANCHORS.has(code))
}

const NOT_ASKED_OF_ANCHORS: ReadonlySet<string> = new Set<LintCode>([
  'lint.serial_not_positive',
  'lint.serial_too_long',
  'lint.authority_key_identifier_missing',
])

/** A signature by which somebody vouches for the certificate; that of an anchor over itself vouches for nothing, and is not asked. */
export function signatureFlaws({ signatureAlgorithm }: Certificate): readonly Flaw[] {
  if (findSignatureAlgorithm(signatureAlgorithm) !== undefined) return []
  return [
    {
      code: 'signature.algorithm_weak',
      message: `The certificate is signed with an algorithm that is not to be relied on (${signatureAlgorithm.oid}).`,
      counts: 'in-use',
    },
  ]
}

/** What is known to be broken counts always; what is only old, or of a kind that we do not know, where the key is to be used. */
const OLD_KEYS: ReadonlySet<KeyFindingCode> = new Set<KeyFindingCode>([
  'key.algorithm_unsupported',
  'key.rsa_size',
  'key.rsa_exponent',
  'key.point_form_unsupported',
])

function keyFlaws({ subjectPublicKeyInfo: { raw } }: Certificate): Flaw[] {
  return checkPublicKey(raw)
    .filter(({ code }) => code !== 'key.rsa_size' || !isVerifiableRsa(raw))
    .map(({ code, message }) => ({ code, message, counts: OLD_KEYS.has(code) ? 'in-use' : 'always' }))
}

/** Sizes that we do not certify, but verify; no generator that is known makes others than whole octets. */
function isVerifiableRsa(spki: Uint8Array): boolean {
  const bits = bitLength(readSpki(spki).rsa!.modulus)
  return bits >= MIN_VERIFY_MODULUS_BITS && bits <= MAX_VERIFY_MODULUS_BITS && bits % 8 === 0
}

function lintFlaws(certificate: Certificate): Flaw[] {
  return lintCertificateFields(certificate).map(({ code, message, source }) => ({
    code,
    message: `${message.replace(/\.$/, '')} [${source}].`,
    counts: ALWAYS.has(code) ? 'always' : IN_USE.has(code) ? 'in-use' : 'never',
  }))
}

/**
 * What makes a certificate something else than it says it is, or unreadable for others. The rules are the MUSTs of RFC 5280 that its path
 * validation (§6) leaves to whoever issues; NIST's test suite for §6 has valid paths that break none of these.
 */
const ALWAYS: ReadonlySet<LintCode> = new Set<LintCode>([
  'lint.malformed',
  'lint.version_not_3',
  'lint.serial_not_positive',
  'lint.serial_too_long',
  'lint.validity_order',
  'lint.extension_duplicate',
  'lint.extension_malformed',
  'lint.extension_must_not_be_critical',
  'lint.extension_only_in_ca',
  'lint.issuer_empty',
  'lint.subject_empty_ca',
  'lint.subject_empty_without_san',
  'lint.general_name_empty',
  'lint.dns_name_syntax',
  'lint.mailbox_syntax',
  'lint.ip_address_length',
  'lint.authority_key_identifier_missing',
  'lint.authority_cert_incomplete',
  'lint.subject_key_identifier_missing',
  'lint.key_usage_cert_sign_without_ca',
  'lint.policy_duplicate',
  'lint.policy_mapping_any',
  'lint.policy_constraints_empty',
  'lint.name_constraints_empty',
  'lint.name_constraints_range',
  'lint.name_constraints_base',
])

/** What says less than it means to whoever does not know the extension; the older suites hold such certificates valid. */
const IN_USE: ReadonlySet<LintCode> = new Set<LintCode>(['lint.extension_must_be_critical', 'lint.key_usage_empty'])
