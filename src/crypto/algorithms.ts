// The one table of algorithms: what a key or signature algorithm is called, how it is identified on the wire, and what
// node:crypto needs to know to run it. Everything else receives a row, never a name; a new algorithm is one row plus vectors.
// Identifiers: RFC 5480 (EC), RFC 8410 (Ed25519), RFC 4055 (RSA, PSS), RFC 5758 (ECDSA), RFC 9881 (ML-DSA).
import { readDer } from '../core/asn1/reader.ts'
import { TAG } from '../core/asn1/tag.ts'
import { writeDer } from '../core/asn1/writer.ts'
import { type Bytes, equalBytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import { type AlgorithmIdentifier, encodeAlgorithmIdentifier } from '../core/pki/algorithm-identifier.ts'
import { encodeSubjectPublicKeyInfo, parseSubjectPublicKeyInfo, type SubjectPublicKeyInfo } from '../core/pki/spki.ts'

export type KeyAlgorithmName =
  | 'P-256'
  | 'P-384'
  | 'P-521'
  | 'Ed25519'
  | 'RSA-2048'
  | 'RSA-3072'
  | 'RSA-4096'
  | 'ML-DSA-44'
  | 'ML-DSA-65'
  | 'ML-DSA-87'

export type SignatureAlgorithmName =
  | 'ecdsa-with-SHA256'
  | 'ecdsa-with-SHA384'
  | 'ecdsa-with-SHA512'
  | 'Ed25519'
  | 'sha256WithRSAEncryption'
  | 'sha384WithRSAEncryption'
  | 'sha512WithRSAEncryption'
  | 'RSASSA-PSS-SHA256'
  | 'RSASSA-PSS-SHA384'
  | 'RSASSA-PSS-SHA512'
  | 'ML-DSA-44'
  | 'ML-DSA-65'
  | 'ML-DSA-87'

/** What node:crypto calls the key (`KeyObject.asymmetricKeyType`). */
export type KeyType = 'ec' | 'ed25519' | 'rsa' | 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87'

export type HashName = 'sha256' | 'sha384' | 'sha512'

/** What a key may be used for here: to sign certificates and status, or to be certified. */
export type KeyUse = 'issuer' | 'device'

export interface KeyAlgorithm {
  readonly name: KeyAlgorithmName
  readonly keyType: KeyType
  /** The OID in the SubjectPublicKeyInfo's AlgorithmIdentifier. */
  readonly oid: string
  /** The whole AlgorithmIdentifier of the SubjectPublicKeyInfo, and the only form of it that we accept. */
  readonly algorithmIdentifier: Bytes
  /** What node:crypto calls the curve; EC only. */
  readonly namedCurve: 'P-256' | 'P-384' | 'P-521' | undefined
  /** Bits of the modulus; RSA only. */
  readonly modulusBits: number | undefined
  /** Octets in subjectPublicKey where the algorithm fixes them (EC: the uncompressed point); RSA has no fixed length. */
  readonly publicKeyOctets: number | undefined
  /** Signature algorithms that a key of this kind may use, the default first. */
  readonly signatureAlgorithms: readonly [SignatureAlgorithmName, ...SignatureAlgorithmName[]]
  /** Security against classical attack, in bits (SP 800-57 part 1, table 2; FIPS 204, table 1). */
  readonly classicalBits: number
  /** Security against a quantum computer, in bits; 0 where Shor's algorithm breaks it. */
  readonly postQuantumBits: number
  readonly uses: readonly KeyUse[]
}

export interface SignatureAlgorithm {
  readonly name: SignatureAlgorithmName
  readonly oid: string
  /** The whole AlgorithmIdentifier that we write. */
  readonly algorithmIdentifier: Bytes
  /** Every AlgorithmIdentifier that we read as this algorithm: ours first, then what its RFC obliges us to accept. */
  readonly accepted: readonly [Bytes, ...Bytes[]]
  readonly keyType: KeyType
  /** The hash that runs over the TBS; `undefined` where the algorithm takes the message whole (Ed25519, ML-DSA). */
  readonly hash: HashName | undefined
  readonly padding: 'pkcs1' | 'pss' | undefined
}

const EC_PUBLIC_KEY = '1.2.840.10045.2.1'
const RSA_ENCRYPTION = '1.2.840.113549.1.1.1'
const NULL = new Uint8Array([0x05, 0x00])

const BOTH: readonly KeyUse[] = ['issuer', 'device']

const KEYS: Readonly<Record<KeyAlgorithmName, KeyAlgorithm>> = {
  'P-256': ec('P-256', '1.2.840.10045.3.1.7', 65, 128, ['ecdsa-with-SHA256', 'ecdsa-with-SHA384', 'ecdsa-with-SHA512']),
  'P-384': ec('P-384', '1.3.132.0.34', 97, 192, ['ecdsa-with-SHA384', 'ecdsa-with-SHA512', 'ecdsa-with-SHA256']),
  'P-521': ec('P-521', '1.3.132.0.35', 133, 256, ['ecdsa-with-SHA512', 'ecdsa-with-SHA384', 'ecdsa-with-SHA256']),
  Ed25519: bare('Ed25519', 'ed25519', '1.3.101.112', 32, 128, 0),
  'RSA-2048': rsa('RSA-2048', 2048, 112),
  'RSA-3072': rsa('RSA-3072', 3072, 128),
  'RSA-4096': rsa('RSA-4096', 4096, 152),
  'ML-DSA-44': bare('ML-DSA-44', 'ml-dsa-44', '2.16.840.1.101.3.4.3.17', 1312, 128, 128),
  'ML-DSA-65': bare('ML-DSA-65', 'ml-dsa-65', '2.16.840.1.101.3.4.3.18', 1952, 192, 192),
  'ML-DSA-87': bare('ML-DSA-87', 'ml-dsa-87', '2.16.840.1.101.3.4.3.19', 2592, 256, 256),
}

const SIGNATURES: Readonly<Record<SignatureAlgorithmName, SignatureAlgorithm>> = {
  'ecdsa-with-SHA256': ecdsa('ecdsa-with-SHA256', '1.2.840.10045.4.3.2', 'sha256'),
  'ecdsa-with-SHA384': ecdsa('ecdsa-with-SHA384', '1.2.840.10045.4.3.3', 'sha384'),
  'ecdsa-with-SHA512': ecdsa('ecdsa-with-SHA512', '1.2.840.10045.4.3.4', 'sha512'),
  Ed25519: whole('Ed25519', 'ed25519'),
  sha256WithRSAEncryption: pkcs1('sha256WithRSAEncryption', '1.2.840.113549.1.1.11', 'sha256'),
  sha384WithRSAEncryption: pkcs1('sha384WithRSAEncryption', '1.2.840.113549.1.1.12', 'sha384'),
  sha512WithRSAEncryption: pkcs1('sha512WithRSAEncryption', '1.2.840.113549.1.1.13', 'sha512'),
  'RSASSA-PSS-SHA256': pss('RSASSA-PSS-SHA256', '2.16.840.1.101.3.4.2.1', 'sha256', 32),
  'RSASSA-PSS-SHA384': pss('RSASSA-PSS-SHA384', '2.16.840.1.101.3.4.2.2', 'sha384', 48),
  'RSASSA-PSS-SHA512': pss('RSASSA-PSS-SHA512', '2.16.840.1.101.3.4.2.3', 'sha512', 64),
  'ML-DSA-44': whole('ML-DSA-44', 'ml-dsa-44'),
  'ML-DSA-65': whole('ML-DSA-65', 'ml-dsa-65'),
  'ML-DSA-87': whole('ML-DSA-87', 'ml-dsa-87'),
}

/** Every key algorithm, in the order of the table. */
export const keyAlgorithms: readonly KeyAlgorithm[] = Object.values(KEYS)

/** Every signature algorithm, in the order of the table. */
export const signatureAlgorithms: readonly SignatureAlgorithm[] = Object.values(SIGNATURES)

export function keyAlgorithm(name: KeyAlgorithmName): KeyAlgorithm {
  return KEYS[name]
}

export function signatureAlgorithm(name: SignatureAlgorithmName): SignatureAlgorithm {
  return SIGNATURES[name]
}

/** Whether the text (from configuration, from a file) names a key algorithm. */
export function isKeyAlgorithmName(text: string): text is KeyAlgorithmName {
  return Object.hasOwn(KEYS, text)
}

export function isSignatureAlgorithmName(text: string): text is SignatureAlgorithmName {
  return Object.hasOwn(SIGNATURES, text)
}

/** A SubjectPublicKeyInfo: its DER, or a parsed one (which keeps its DER). */
export type SpkiLike = Uint8Array | Pick<SubjectPublicKeyInfo, 'raw'>

/** The parts of a SubjectPublicKeyInfo that tell the algorithms apart (RFC 5280 §4.1.2.7). */
export interface SpkiParts {
  readonly keyType: KeyType
  /** The row of the table; `undefined` for an RSA modulus of a size that the table does not name. */
  readonly algorithm: KeyAlgorithm | undefined
  /** The content of subjectPublicKey. */
  readonly publicKey: Uint8Array
  /** RSA only: modulus and exponent without sign octets. */
  readonly rsa: { readonly modulus: Uint8Array; readonly exponent: Uint8Array } | undefined
}

/**
 * Takes a SubjectPublicKeyInfo apart. Throws `DerError` where it is not DER, and `key.algorithm_unsupported` where the
 * AlgorithmIdentifier is none of the table's, parameters included. It does not judge the key itself: see `key-check.ts`.
 */
export function readSpki(spki: SpkiLike): SpkiParts {
  const known = ofKnownForm(spki instanceof Uint8Array ? spki : spki.raw)
  if (known !== undefined) return known
  const { algorithm: identifier, publicKey } = readDer(
    spki instanceof Uint8Array ? spki : spki.raw,
    parseSubjectPublicKeyInfo,
  )
  const row = keyAlgorithms.find(candidate => equalBytes(candidate.algorithmIdentifier, identifier.raw))
  if (row === undefined) {
    throw new TouchmarkError('key.algorithm_unsupported', 'malformed', 'The public key is of an unknown algorithm.', {
      evidence: { oid: identifier.oid },
    })
  }
  if (row.keyType !== 'rsa') return { keyType: row.keyType, algorithm: row, publicKey, rsa: undefined }
  const rsaKey = readDer(publicKey, reader =>
    reader.sequence(fields => ({
      modulus: fields.unsignedBytes(TAG.INTEGER),
      exponent: fields.unsignedBytes(TAG.INTEGER),
    })),
  )
  const bits = bitLength(rsaKey.modulus)
  const sized = keyAlgorithms.find(candidate => candidate.modulusBits === bits)
  return { keyType: 'rsa', algorithm: sized, publicKey, rsa: rsaKey }
}

/**
 * A key of fixed length has one encoding, whose octets differ from those of every other such key in the key itself only: comparing what stands
 * before it is reading it. Every certificate of a batch has its key read three times.
 */
function ofKnownForm(spki: Uint8Array): SpkiParts | undefined {
  for (const { row, prefix, length } of FORMS) {
    if (spki.length !== length || !startsWith(spki, prefix)) continue
    return { keyType: row.keyType, algorithm: row, publicKey: spki.subarray(prefix.length), rsa: undefined }
  }
  return undefined
}

function startsWith(octets: Uint8Array, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (octets[i] !== prefix[i]) return false
  return true
}

/** SubjectPublicKeyInfo up to the key, for the rows that fix its length. */
const FORMS = keyAlgorithms.flatMap(row => {
  if (row.publicKeyOctets === undefined) return []
  const whole = encodeSubjectPublicKeyInfo(row.algorithmIdentifier, new Uint8Array(row.publicKeyOctets))
  return [{ row, prefix: whole.subarray(0, -row.publicKeyOctets), length: whole.length }]
})

/**
 * Which row of the table a SubjectPublicKeyInfo belongs to. Throws `key.algorithm_unsupported` (RSA: also for a modulus
 * that is not 2048, 3072 or 4096 bits), or `DerError` where it is not DER.
 */
export function keyAlgorithmOfSpki(spki: SpkiLike): KeyAlgorithmName {
  const { algorithm, rsa: rsaKey } = readSpki(spki)
  if (algorithm === undefined) {
    throw new TouchmarkError('key.algorithm_unsupported', 'malformed', 'The RSA modulus is of an unsupported size.', {
      next: 'Use an RSA key of 2048, 3072 or 4096 bits.',
      evidence: { bits: rsaKey === undefined ? 0 : bitLength(rsaKey.modulus) },
    })
  }
  return algorithm.name
}

/**
 * The signature algorithm that an AlgorithmIdentifier names. Parameters must be exactly what the RFC of the algorithm
 * asks for: absent for ECDSA, Ed25519 and ML-DSA; NULL (or absent, RFC 4055 §5) for RSA PKCS#1 v1.5; and for PSS one hash
 * for message and mask with a salt as long as the hash. Throws `signature.algorithm_unsupported` for an unknown OID and
 * `signature.parameters_invalid` for other parameters.
 */
export function signatureAlgorithmOf(identifier: AlgorithmIdentifier): SignatureAlgorithm {
  const found = findSignatureAlgorithm(identifier)
  if (found !== undefined) return found
  if (signatureAlgorithms.some(row => row.oid === identifier.oid)) {
    throw new TouchmarkError(
      'signature.parameters_invalid',
      'malformed',
      'The parameters of the signature algorithm are not those that its RFC asks for.',
      { evidence: { oid: identifier.oid } },
    )
  }
  throw new TouchmarkError(
    'signature.algorithm_unsupported',
    'malformed',
    'The signature algorithm is not supported.',
    {
      evidence: { oid: identifier.oid },
    },
  )
}

/** As `signatureAlgorithmOf`, with `undefined` in place of the error. */
export function findSignatureAlgorithm(identifier: AlgorithmIdentifier): SignatureAlgorithm | undefined {
  const rows = BY_OID.get(identifier.oid)
  return rows?.find(row => row.accepted.some(form => equalBytes(form, identifier.raw)))
}

/** Bits of an unsigned big-endian integer, leading zeros not counted. */
export function bitLength(magnitude: Uint8Array): number {
  let from = 0
  while (from < magnitude.length && magnitude[from] === 0) from++
  return from === magnitude.length ? 0 : (magnitude.length - from) * 8 - (Math.clz32(magnitude[from]!) - 24)
}

const BY_OID: ReadonlyMap<string, readonly SignatureAlgorithm[]> = Map.groupBy(signatureAlgorithms, row => row.oid)

function ec(
  name: 'P-256' | 'P-384' | 'P-521',
  curve: string,
  publicKeyOctets: number,
  classicalBits: number,
  algorithms: readonly [SignatureAlgorithmName, ...SignatureAlgorithmName[]],
): KeyAlgorithm {
  return {
    name,
    keyType: 'ec',
    oid: EC_PUBLIC_KEY,
    // RFC 5480 §2.1.1: namedCurve; implicitCurve and specifiedCurve MUST NOT be used.
    algorithmIdentifier: encodeAlgorithmIdentifier(
      EC_PUBLIC_KEY,
      writeDer(w => w.oid(curve)),
    ),
    namedCurve: name,
    modulusBits: undefined,
    publicKeyOctets,
    signatureAlgorithms: algorithms,
    classicalBits,
    postQuantumBits: 0,
    uses: BOTH,
  }
}

function rsa(name: 'RSA-2048' | 'RSA-3072' | 'RSA-4096', modulusBits: number, classicalBits: number): KeyAlgorithm {
  return {
    name,
    keyType: 'rsa',
    oid: RSA_ENCRYPTION,
    // RFC 4055 §1.2: the parameters field MUST be NULL.
    algorithmIdentifier: encodeAlgorithmIdentifier(RSA_ENCRYPTION, NULL),
    namedCurve: undefined,
    modulusBits,
    publicKeyOctets: undefined,
    signatureAlgorithms: [
      'sha256WithRSAEncryption',
      'sha384WithRSAEncryption',
      'sha512WithRSAEncryption',
      'RSASSA-PSS-SHA256',
      'RSASSA-PSS-SHA384',
      'RSASSA-PSS-SHA512',
    ],
    classicalBits,
    postQuantumBits: 0,
    uses: BOTH,
  }
}

/** Algorithms whose key and signature share one OID without parameters (RFC 8410 §3, RFC 9881 §2). */
function bare(
  name: 'Ed25519' | 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87',
  keyType: KeyType,
  oid: string,
  publicKeyOctets: number,
  classicalBits: number,
  postQuantumBits: number,
): KeyAlgorithm {
  return {
    name,
    keyType,
    oid,
    algorithmIdentifier: encodeAlgorithmIdentifier(oid),
    namedCurve: undefined,
    modulusBits: undefined,
    publicKeyOctets,
    signatureAlgorithms: [name],
    classicalBits,
    postQuantumBits,
    uses: BOTH,
  }
}

function whole(name: 'Ed25519' | 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87', keyType: KeyType): SignatureAlgorithm {
  const { oid, algorithmIdentifier } = KEYS[name]
  return {
    name,
    oid,
    algorithmIdentifier,
    accepted: [algorithmIdentifier],
    keyType,
    hash: undefined,
    padding: undefined,
  }
}

function ecdsa(name: SignatureAlgorithmName, oid: string, hash: HashName): SignatureAlgorithm {
  // RFC 5758 §3.2: the encoding MUST omit the parameters field.
  const algorithmIdentifier = encodeAlgorithmIdentifier(oid)
  return { name, oid, algorithmIdentifier, accepted: [algorithmIdentifier], keyType: 'ec', hash, padding: undefined }
}

function pkcs1(name: SignatureAlgorithmName, oid: string, hash: HashName): SignatureAlgorithm {
  const algorithmIdentifier = encodeAlgorithmIdentifier(oid, NULL)
  // RFC 4055 §5: the parameters MUST be NULL, and "implementations MUST accept the parameters being absent as well".
  const accepted = [algorithmIdentifier, encodeAlgorithmIdentifier(oid)] as const
  return { name, oid, algorithmIdentifier, accepted, keyType: 'rsa', hash, padding: 'pkcs1' }
}

function pss(name: SignatureAlgorithmName, hashOid: string, hash: HashName, saltLength: number): SignatureAlgorithm {
  const oid = '1.2.840.113549.1.1.10'
  const withNull = encodeAlgorithmIdentifier(hashOid, NULL)
  const withoutNull = encodeAlgorithmIdentifier(hashOid)
  const form = (digest: Bytes, maskDigest: Bytes) =>
    encodeAlgorithmIdentifier(oid, pssParameters(digest, maskDigest, saltLength))
  // RFC 4055 §2.1: "Implementations MUST accept both" hash identifiers, with NULL and without parameters.
  const accepted = [
    form(withNull, withNull),
    form(withoutNull, withoutNull),
    form(withNull, withoutNull),
    form(withoutNull, withNull),
  ] as const
  return { name, oid, algorithmIdentifier: accepted[0], accepted, keyType: 'rsa', hash, padding: 'pss' }
}

/**
 * `RSASSA-PSS-params ::= SEQUENCE { [0] hashAlgorithm, [1] maskGenAlgorithm, [2] saltLength, [3] trailerField DEFAULT 1 }`
 * (RFC 4055 §3.1). The trailer is the default, so DER leaves it out.
 */
function pssParameters(digest: Bytes, maskDigest: Bytes, saltLength: number): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      w.constructed(0xa0, () => w.raw(digest))
      w.constructed(0xa1, () => w.raw(encodeAlgorithmIdentifier('1.2.840.113549.1.1.8', maskDigest)))
      w.constructed(0xa2, () => w.integer(saltLength))
    }),
  )
}
