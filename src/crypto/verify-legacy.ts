// Signatures that nobody should make any more and that path validation as such (RFC 5280 §6) still has to be able to check: DSA (RFC 3279 §2.2.2),
// SHA-1 and SHA-224, RSA keys from 1024 bits, curves that we do not issue on. For judging what others made, never for letting anybody in.
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { Bytes } from '../core/bytes/bytes.ts'
import type { AlgorithmIdentifier } from '../core/pki/algorithm-identifier.ts'
import { MAX_VERIFY_MODULUS_BITS, verifySignature } from './verify.ts'

interface LegacyAlgorithm {
  readonly keyType: 'rsa' | 'dsa' | 'ec' | 'ed448'
  readonly hash: 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512' | null
}

/** RFC 3279, RFC 4055, RFC 5758, RFC 8410. MD2 and MD5 are not among them: there a signature proves nothing at all. */
const ALGORITHMS: Readonly<Record<string, LegacyAlgorithm>> = {
  '1.2.840.113549.1.1.5': { keyType: 'rsa', hash: 'sha1' },
  '1.2.840.113549.1.1.14': { keyType: 'rsa', hash: 'sha224' },
  '1.2.840.113549.1.1.11': { keyType: 'rsa', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { keyType: 'rsa', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { keyType: 'rsa', hash: 'sha512' },
  '1.2.840.10040.4.3': { keyType: 'dsa', hash: 'sha1' },
  '2.16.840.1.101.3.4.3.1': { keyType: 'dsa', hash: 'sha224' },
  '2.16.840.1.101.3.4.3.2': { keyType: 'dsa', hash: 'sha256' },
  '1.2.840.10045.4.1': { keyType: 'ec', hash: 'sha1' },
  '1.2.840.10045.4.3.1': { keyType: 'ec', hash: 'sha224' },
  '1.2.840.10045.4.3.2': { keyType: 'ec', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { keyType: 'ec', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { keyType: 'ec', hash: 'sha512' },
  '1.3.101.113': { keyType: 'ed448', hash: null },
}

const MIN_LEGACY_BITS = 1024
const MAX_EXPONENT = 1n << 33n
/** An SPKI of an RSA key with 8192 bits has 1.1 kB; DSA with its parameters stays below. */
const MAX_SPKI = 4096

/** As `verifySignature`, and what it refuses for its age. Never throws. */
export function verifyLegacySignature(
  spki: Uint8Array,
  algorithm: AlgorithmIdentifier,
  tbs: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (verifySignature(spki, algorithm, tbs, signature)) return true
  const row = Object.hasOwn(ALGORITHMS, algorithm.oid) ? ALGORITHMS[algorithm.oid] : undefined
  if (row === undefined || spki.length > MAX_SPKI) return false
  try {
    const key = createPublicKey({ key: spki as Bytes, format: 'der', type: 'spki' })
    return key.asymmetricKeyType === row.keyType && isBounded(key) && verify(row.hash, tbs, key, signature)
  } catch {
    return false
  }
}

/** Sizes below are within reach of many; above, a stranger would choose how long we compute. */
function isBounded({ asymmetricKeyType, asymmetricKeyDetails: details }: KeyObject): boolean {
  if (asymmetricKeyType !== 'rsa' && asymmetricKeyType !== 'dsa') return true
  const bits = details?.modulusLength ?? 0
  const exponent = details?.publicExponent ?? 0n
  return bits >= MIN_LEGACY_BITS && bits <= MAX_VERIFY_MODULUS_BITS && exponent <= MAX_EXPONENT
}
