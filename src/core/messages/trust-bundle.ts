// The roots that devices trust, as one signed thing with a version (`GET /api/v1/device/trust-bundle`): CMS SignedData (RFC 5652) around this
// JSON. Grammar only; who may sign is checked in `crypto/trust-bundle.ts`. A device takes a version that is greater than its own and no other.
import { fromBase64, toBase64 } from '../bytes/base64.ts'
import { type Bytes, compareBytes, equalBytes } from '../bytes/bytes.ts'
import { TouchmarkError } from '../errors.ts'
import { formatTime, malformed, readMessage, writeMessage } from './json-message.ts'

export interface TrustBundle {
  /** Grows when the set of roots changes, and never otherwise: 1 at first. */
  readonly version: number
  /** When this version was made, in whole seconds since 1970: not when it was signed. */
  readonly createdAt: number
  /** The roots as DER, in order of their octets. */
  readonly certificates: readonly Uint8Array[]
}

/**
 * The extended key usage of certificates that sign trust bundles: an arc of this platform (ITU-T X.667 §7, a UUID below 2.25), so that nobody
 * else's certificate does, whatever it is good for otherwise.
 */
export const TRUST_BUNDLE_SIGNING = '2.25.321728106026509177709401460519426931641'

/** Roots of one bundle. */
export const MAX_ROOTS = 64
/** Octets of the content: sixty-four roots with ML-DSA-87 in base64 are below it. */
export const MAX_TRUST_BUNDLE = 1_048_576
/** Octets of the whole SignedData. */
export const MAX_SIGNED_TRUST_BUNDLE = MAX_TRUST_BUNDLE + 131_072
const CERTIFICATE = { max: 65_536, pattern: /^[A-Za-z0-9+/]+={0,2}$/ }
const VERSION = { min: 1, max: Number.MAX_SAFE_INTEGER }

export function encodeTrustBundle({ version, createdAt, certificates }: TrustBundle): Bytes {
  return writeMessage({
    version,
    createdAt: formatTime(createdAt),
    certificates: [...certificates].sort(compareBytes).map(der => toBase64(der)),
  })
}

/** Throws `message.malformed`, `message.too_large`. That the certificates are certificates is not asked here. */
export function parseTrustBundle(octets: Uint8Array): TrustBundle {
  const message = readMessage(octets, 'trust-bundle', MAX_TRUST_BUNDLE)
  const certificates = message.texts('certificates', MAX_ROOTS, CERTIFICATE).map(rootOf)
  if (certificates.length === 0) throw malformed('trust-bundle.certificates', 'is empty')
  return { version: message.integer('version', VERSION), createdAt: message.time('createdAt'), certificates }
}

/** Whether two bundles hold the same roots, in whatever order. */
export function sameRoots(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  if (a.length !== b.length) return false
  const sorted = [...b].sort(compareBytes)
  return [...a].sort(compareBytes).every((der, i) => equalBytes(der, sorted[i]!))
}

function rootOf(text: string): Bytes {
  try {
    return fromBase64(text)
  } catch (cause) {
    if (cause instanceof TouchmarkError) throw malformed('trust-bundle.certificates', 'holds what is not base64', cause)
    throw cause
  }
}
