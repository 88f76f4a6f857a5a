// Private keys in the process: made here, or imported from PKCS#8 (RFC 5958) and proven before anyone may use them.
// ML-DSA keys are kept as their 32-octet seed (RFC 9881 §6) wherever one is known.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  generateKeyPair as generateKeyPairWithCallback,
  type KeyObject,
} from 'node:crypto'
import { contextPrimitive } from '../core/asn1/tag.ts'
import { writeDer } from '../core/asn1/writer.ts'
import { fromBase64 } from '../core/bytes/base64.ts'
import { type Bytes, copyBytes, equalBytes } from '../core/bytes/bytes.ts'
import { toUtf8 } from '../core/bytes/utf8.ts'
import { TouchmarkError } from '../core/errors.ts'
import { encodePrivateKeyInfo, parsePrivateKeyInfo } from '../core/pki/pkcs8.ts'
import {
  type KeyAlgorithm,
  type KeyAlgorithmName,
  keyAlgorithm,
  keyAlgorithmOfSpki,
  readSpki,
  signatureAlgorithm,
} from './algorithms.ts'
import { own } from './digest.ts'
import { signWithKey } from './sign-with-key.ts'
import { verifyWithKey } from './verify.ts'

export interface PrivateKey {
  readonly algorithm: KeyAlgorithmName
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes
  /** The open key, for signers in this ring and for TLS. */
  readonly keyObject: KeyObject
  /** PrivateKeyInfo, DER, in the clear: seal it or wipe it. ML-DSA: seed only where the seed is known (54 octets). */
  toPkcs8(): Bytes
}

/** Octets of a PKCS#8 that we read: an RSA-4096 key has 2.4 kB, an expanded ML-DSA-87 key with its seed 5 kB. */
const MAX_PKCS8_OCTETS = 16384

/** Makes a key pair. RSA and ML-DSA run in the thread pool, because a prime search may take a second. */
export async function generateKeyPair(algorithm: KeyAlgorithmName): Promise<PrivateKey> {
  return privateKeyOf(await generateKeyObject(keyAlgorithm(algorithm)))
}

async function generateKeyObject(row: KeyAlgorithm): Promise<KeyObject> {
  switch (row.keyType) {
    case 'ec':
      return generateKeyPairSync('ec', { namedCurve: row.namedCurve! }).privateKey
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey
    case 'rsa':
      return new Promise((resolve, reject) =>
        generateKeyPairWithCallback(
          'rsa',
          { modulusLength: row.modulusBits!, publicExponent: 65537 },
          (error, _, key) => (error ? reject(error) : resolve(key)),
        ),
      )
    case 'ml-dsa-44':
    case 'ml-dsa-65':
    case 'ml-dsa-87':
      return mlDsaKeyPair(row.keyType)
    default:
      return row.keyType satisfies never
  }
}

/** The overloads of node:crypto want one literal each. */
function mlDsaKeyPair(keyType: 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87'): Promise<KeyObject> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, _: KeyObject, key: KeyObject) => (error ? reject(error) : resolve(key))
    if (keyType === 'ml-dsa-44') generateKeyPairWithCallback('ml-dsa-44', {}, done)
    else if (keyType === 'ml-dsa-65') generateKeyPairWithCallback('ml-dsa-65', {}, done)
    else generateKeyPairWithCallback('ml-dsa-87', {}, done)
  })
}

/**
 * Opens a PKCS#8 private key. The DER must be strict, the algorithm in the table, and the key must prove itself: it signs
 * a message that its public half verifies, because OpenSSL takes the public key inside a PKCS#8 on trust. ML-DSA keys come
 * as seed, expanded or both (RFC 9881 §6); where both are there, they must agree.
 *
 * Throws `DerError`, `key.algorithm_unsupported`, or `key.invalid` where the parts do not fit together.
 */
export function importPkcs8(der: Uint8Array): PrivateKey {
  if (der.length > MAX_PKCS8_OCTETS) throw invalidKey('The private key is larger than any that we know.')
  const info = parsePrivateKeyInfo(der)
  let key: PrivateKey
  try {
    key = privateKeyOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  } catch (cause) {
    if (cause instanceof TouchmarkError) throw cause
    throw invalidKey('The private key cannot be opened.', cause)
  }
  const { publicKey } = readSpki(key.publicKey)
  if (!equalBytes(info.algorithm.raw, keyAlgorithm(key.algorithm).algorithmIdentifier)) {
    throw invalidKey('The AlgorithmIdentifier of the private key is not that of its public key.')
  }
  if (info.publicKey !== undefined && !equalBytes(info.publicKey, publicKey)) {
    throw invalidKey('The public key inside the private key is another one.')
  }
  provePair(key)
  return key
}

/** Opens a private key that node:crypto holds already. Throws `key.algorithm_unsupported`. */
export function privateKeyOf(keyObject: KeyObject): PrivateKey {
  const publicKey = own(createPublicKey(keyObject).export({ format: 'der', type: 'spki' }))
  const algorithm = keyAlgorithmOfSpki(publicKey)
  return { algorithm, publicKey, keyObject, toPkcs8: () => encodePkcs8(keyObject, keyAlgorithm(algorithm)) }
}

/** Pairwise consistency (FIPS 140-3 IG 10.3.A): what the private half signs, the public half verifies. Throws `key.invalid`. */
export function provePair(key: PrivateKey): void {
  const row = signatureAlgorithm(keyAlgorithm(key.algorithm).signatureAlgorithms[0])
  const challenge = toUtf8('touchmark pairwise consistency test')
  let proven = false
  try {
    proven = verifyWithKey(createPublicKey(key.keyObject), row, challenge, signWithKey(key.keyObject, row, challenge))
  } catch (cause) {
    throw invalidKey('The private key cannot sign.', cause)
  }
  if (!proven) throw invalidKey('The private key does not belong to the public key that it claims.')
}

function encodePkcs8(keyObject: KeyObject, row: KeyAlgorithm): Bytes {
  if (row.keyType.startsWith('ml-dsa')) {
    const seed = mlDsaSeed(keyObject)
    if (seed !== undefined) {
      // ML-DSA-PrivateKey ::= CHOICE { seed [0] IMPLICIT OCTET STRING (SIZE (32)), expandedKey …, both … } (RFC 9881 §6).
      const privateKey = writeDer(w => w.octetString(seed, contextPrimitive(0)))
      const der = encodePrivateKeyInfo({ algorithm: row.algorithmIdentifier, privateKey })
      wipe(seed, privateKey)
      return der
    }
  }
  const exported = keyObject.export({ format: 'der', type: 'pkcs8' })
  const der = copyBytes(exported)
  wipe(exported)
  return der
}

/** The seed, or `undefined` for a key that was imported in its expanded form: the seed cannot be computed from that. */
function mlDsaSeed(keyObject: KeyObject): Bytes | undefined {
  try {
    // The JWK form (kty AKP) has the seed on every supported Node; the PKCS#8 form differs between 24 and 26.
    const jwk: object = keyObject.export({ format: 'jwk' })
    if (!('priv' in jwk) || typeof jwk.priv !== 'string') return undefined
    return fromBase64(`${jwk.priv.replaceAll('-', '+').replaceAll('_', '/')}=`)
  } catch {
    return undefined
  }
}

/** Overwrites secrets. Best effort: JavaScript may have copies that nobody can reach. */
export function wipe(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0)
}

function invalidKey(message: string, cause?: unknown): TouchmarkError {
  return new TouchmarkError('key.invalid', 'malformed', message, cause === undefined ? {} : { cause })
}
