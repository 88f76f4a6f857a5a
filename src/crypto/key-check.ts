// Key hygiene: what is wrong with a public key that somebody submits, found before anything is signed over it
// (SP 800-89 §5.3.3 for RSA, SP 800-56A §5.6.2.3 for curves, RFC 8032, FIPS 204). Findings are values: policy decides.
// Whether another device already has the key is not seen here: that is a question for the registry.
import { DerError } from '../core/asn1/der-error.ts'
import { toHex } from '../core/bytes/hex.ts'
import { toUtf8 } from '../core/bytes/utf8.ts'
import { TouchmarkError } from '../core/errors.ts'
import { bitLength, keyAlgorithms, readSpki, type SpkiParts } from './algorithms.ts'
import { edwardsPointFault, isOnCurve } from './curve.ts'
import { sha1 } from './digest.ts'
import { hasClosePrimes, hasRocaFingerprint, smallFactor } from './rsa-check.ts'

export type KeyFindingCode =
  | 'key.malformed'
  | 'key.algorithm_unsupported'
  | 'key.length'
  | 'key.not_on_curve'
  | 'key.point_at_infinity'
  | 'key.point_form_unsupported'
  | 'key.ed25519_small_order'
  | 'key.rsa_size'
  | 'key.rsa_exponent'
  | 'key.rsa_even_modulus'
  | 'key.rsa_small_factor'
  | 'key.rsa_close_primes'
  | 'key.roca'
  | 'key.debian_weak'

export interface KeyFinding {
  readonly code: KeyFindingCode
  /** One plain sentence for the operator. */
  readonly message: string
}

export interface KeyCheckOptions {
  /** Bits of an RSA modulus that are welcome; by default those of the table. */
  readonly rsaBits?: readonly number[]
  /**
   * RSA keys that the predictable generator of CVE-2008-0166 made, as `debianFingerprint` names them. The lists are
   * published per size and architecture (`openssl-blacklist`) and are not shipped here; `parseDebianBlacklist` reads them.
   */
  readonly debianBlacklist?: ReadonlySet<string>
}

const TABLE_RSA_BITS = keyAlgorithms.flatMap(row => row.modulusBits ?? [])

/** Everything wrong with the key; an empty list is a clean bill. Never throws. */
export function checkPublicKey(spki: Uint8Array, options: KeyCheckOptions = {}): KeyFinding[] {
  let parts: SpkiParts
  try {
    parts = readSpki(spki)
  } catch (error) {
    if (error instanceof DerError) return [finding('key.malformed', `The key is not DER: ${error.message}.`)]
    if (error instanceof TouchmarkError) return [finding('key.algorithm_unsupported', error.message)]
    throw error
  }
  switch (parts.keyType) {
    case 'ec':
      return checkEc(parts)
    case 'ed25519':
      return checkEd25519(parts.publicKey)
    case 'rsa':
      return checkRsa(parts.rsa!.modulus, parts.rsa!.exponent, options)
    case 'ml-dsa-44':
    case 'ml-dsa-65':
    case 'ml-dsa-87':
      return checkLength(parts)
    default:
      return parts.keyType satisfies never
  }
}

/**
 * Uncompressed points only. RFC 5480 §2.2 lets a CA take compressed ones too; taking them would give one key two
 * encodings, and a device whose key is known could come back under the other.
 */
function checkEc({ algorithm, publicKey }: SpkiParts): KeyFinding[] {
  const form = publicKey[0]
  if (form === 0x00) return [finding('key.point_at_infinity', 'The key is the point at infinity.')]
  if (form !== 0x04) {
    return [finding('key.point_form_unsupported', 'The point is not in uncompressed form (RFC 5480 2.2).')]
  }
  if (publicKey.length !== algorithm!.publicKeyOctets) {
    return [finding('key.length', `The point has ${publicKey.length} octets, not ${algorithm!.publicKeyOctets}.`)]
  }
  return isOnCurve(algorithm!.namedCurve!, publicKey.subarray(1))
    ? []
    : [finding('key.not_on_curve', 'The point does not lie on the curve.')]
}

function checkEd25519(publicKey: Uint8Array): KeyFinding[] {
  if (publicKey.length !== 32) return [finding('key.length', `The key has ${publicKey.length} octets, not 32.`)]
  const fault = edwardsPointFault(publicKey)
  if (fault === 'small_order') return [finding('key.ed25519_small_order', 'The key is a point of small order.')]
  return fault === undefined ? [] : [finding('key.not_on_curve', 'The key encodes no point of the curve.')]
}

/** An ML-DSA public key is a seed and packed 10-bit coefficients: every string of the right length is one (FIPS 204 §7.2). */
function checkLength({ algorithm, publicKey }: SpkiParts): KeyFinding[] {
  const expected = algorithm!.publicKeyOctets
  return publicKey.length === expected
    ? []
    : [finding('key.length', `The key has ${publicKey.length} octets, not ${expected}.`)]
}

/** A modulus that nobody should take is not analysed: a stranger would choose how long that lasts. */
const MAX_ANALYSED_BITS = 8192

function checkRsa(modulus: Uint8Array, exponent: Uint8Array, options: KeyCheckOptions): KeyFinding[] {
  const findings: KeyFinding[] = []
  const bits = bitLength(modulus)
  const welcome = options.rsaBits ?? TABLE_RSA_BITS
  if (!welcome.includes(bits)) {
    findings.push(finding('key.rsa_size', `The modulus has ${bits} bits; accepted are ${welcome.join(', ')}.`))
  }
  // FIPS 186-5 §A.1.1: odd, and 2^16 < e < 2^256.
  const exponentBits = bitLength(exponent)
  if ((exponent.at(-1)! & 1) === 0 || exponentBits < 17 || exponentBits > 256) {
    findings.push(finding('key.rsa_exponent', 'The exponent is not an odd number from 65537 to 2^256.'))
  }
  if (bits > MAX_ANALYSED_BITS) return findings
  if ((modulus.at(-1)! & 1) === 0) {
    findings.push(finding('key.rsa_even_modulus', 'The modulus is even.'))
    return findings
  }
  const factor = smallFactor(modulus)
  if (factor !== undefined) findings.push(finding('key.rsa_small_factor', `The modulus is divisible by ${factor}.`))
  if (hasClosePrimes(modulus)) {
    findings.push(finding('key.rsa_close_primes', 'The primes lie close together (Fermat factors the modulus).'))
  }
  if (hasRocaFingerprint(modulus)) {
    findings.push(finding('key.roca', 'The modulus has the ROCA fingerprint (CVE-2017-15361).'))
  }
  if (options.debianBlacklist?.has(debianFingerprint(modulus))) {
    findings.push(finding('key.debian_weak', 'The key comes from the predictable generator of CVE-2008-0166.'))
  }
  return findings
}

/** The last 20 hexadecimal digits of SHA-1 over `Modulus=<HEX>` and a line end: how the published lists name a key. */
export function debianFingerprint(modulus: Uint8Array): string {
  return toHex(sha1(toUtf8(`Modulus=${toHex(modulus).toUpperCase()}\n`))).slice(20)
}

/** Reads a published list: one fingerprint of 20 hexadecimal digits a line, `#` opens a comment. Other lines are refused. */
export function parseDebianBlacklist(text: string): ReadonlySet<string> {
  const fingerprints = new Set<string>()
  for (const [index, line] of text.split('\n').entries()) {
    const entry = line.trim().toLowerCase()
    if (entry === '' || entry.startsWith('#')) continue
    if (!/^[0-9a-f]{20}$/.test(entry)) {
      throw new TouchmarkError('key.blacklist_invalid', 'malformed', `Line ${index + 1} is not a key fingerprint.`)
    }
    fingerprints.add(entry)
  }
  return fingerprints
}

function finding(code: KeyFindingCode, message: string): KeyFinding {
  return { code, message }
}
