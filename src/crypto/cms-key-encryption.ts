// How the content key of an envelope is locked for a recipient: RSA key transport (RFC 3370 §4.2.1, RFC 3560), ECDH with the
// X9.63 key derivation (RFC 5753 §3.1, §7) and AES key wrap (RFC 3394, RFC 3565 §2.3).
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto'
import { readDer } from '../core/asn1/reader.ts'
import { contextConstructed } from '../core/asn1/tag.ts'
import { writeDer } from '../core/asn1/writer.ts'
import { type Bytes, concat, EMPTY, equalBytes } from '../core/bytes/bytes.ts'
import type { OriginatorKey } from '../core/cms/recipient-info.ts'
import { TouchmarkError } from '../core/errors.ts'
import {
  type AlgorithmIdentifier,
  encodeAlgorithmIdentifier,
  parseAlgorithmIdentifier,
} from '../core/pki/algorithm-identifier.ts'
import { encodeSubjectPublicKeyInfo } from '../core/pki/spki.ts'
import { type KeyAlgorithm, keyAlgorithm, readSpki } from './algorithms.ts'
import { own } from './digest.ts'

const RSA_ENCRYPTION = '1.2.840.113549.1.1.1'
const RSAES_OAEP = '1.2.840.113549.1.1.7'
const MGF1 = '1.2.840.113549.1.1.8'
const EC_PUBLIC_KEY = '1.2.840.10045.2.1'
const NULL = new Uint8Array([0x05, 0x00])

/** Hashes of OAEP by OID. SHA-1 is the default of RFC 8017 §A.2.1: its collisions do not matter there; we never write it. */
const OAEP_HASHES: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}
const SHA256 = '2.16.840.1.101.3.4.2.1'

/** Hashes of dhSinglePass-stdDH by OID (RFC 5753 §7.1.4). SHA-1 is what `openssl cms` writes unless told otherwise; we read it only. */
const ECDH_KDFS: Readonly<Record<string, string>> = {
  '1.3.133.16.840.63.0.2': 'sha1',
  '1.3.132.1.11.1': 'sha256',
  '1.3.132.1.11.2': 'sha384',
  '1.3.132.1.11.3': 'sha512',
}
const ECDH_SHA256_KDF = '1.3.132.1.11.1'

/** AES key wrap by OID (RFC 3565 §2.3.2): the octets of the key that wraps. */
const KEY_WRAPS: Readonly<Record<string, 16 | 24 | 32>> = {
  '2.16.840.1.101.3.4.1.5': 16,
  '2.16.840.1.101.3.4.1.25': 24,
  '2.16.840.1.101.3.4.1.45': 32,
}
/** The initial value of RFC 3394 §2.2.3.1. */
const WRAP_IV = new Uint8Array(8).fill(0xa6)

export type KeyTransport = 'rsaes-oaep' | 'rsaes-pkcs1-v1_5'

export interface LockedKey {
  /** A whole AlgorithmIdentifier. */
  readonly keyEncryptionAlgorithm: Bytes
  readonly encryptedKey: Bytes
}

/** Locks `key` for an RSA key; OAEP is with SHA-256 (RFC 3560). */
export function transportKey(publicKey: KeyObject, scheme: KeyTransport, key: Uint8Array): LockedKey {
  if (scheme === 'rsaes-pkcs1-v1_5') {
    return {
      keyEncryptionAlgorithm: encodeAlgorithmIdentifier(RSA_ENCRYPTION, NULL),
      encryptedKey: own(publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, key)),
    }
  }
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  return {
    keyEncryptionAlgorithm: encodeAlgorithmIdentifier(RSAES_OAEP, oaepParameters(SHA256)),
    encryptedKey: own(publicEncrypt({ key: publicKey, padding, oaepHash: 'sha256' }, key)),
  }
}

/**
 * Unlocks what RSA locked. `fallback` has the length that the key must have; with PKCS#1 v1.5 it is returned where the
 * octets do not decrypt to such a key, so that an attacker cannot tell (RFC 3218 §2.3.2): the content will not decrypt.
 * Throws `cms.algorithm_unsupported`, or what node:crypto throws for OAEP.
 */
export function openTransportedKey(
  privateKey: KeyObject,
  algorithm: AlgorithmIdentifier,
  encryptedKey: Uint8Array,
  fallback: Bytes,
): Bytes {
  if (algorithm.oid === RSA_ENCRYPTION) {
    try {
      const key = own(privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, encryptedKey))
      return key.length === fallback.length ? key : fallback
    } catch {
      return fallback
    }
  }
  const oaepHash = oaepHashOf(algorithm)
  return own(privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, encryptedKey))
}

/** `RSAES-OAEP-params ::= SEQUENCE { hashAlgorithm [0], maskGenAlgorithm [1], pSourceAlgorithm [2] DEFAULT empty }` (RFC 8017 §A.2.1) */
function oaepParameters(hashOid: string): Bytes {
  const hashAlgorithm = encodeAlgorithmIdentifier(hashOid, NULL)
  return writeDer(w =>
    w.sequence(() => {
      w.constructed(contextConstructed(0), () => w.raw(hashAlgorithm))
      w.constructed(contextConstructed(1), () => w.raw(encodeAlgorithmIdentifier(MGF1, hashAlgorithm)))
    }),
  )
}

/** The hash of OAEP, which must be that of its mask as well, with the empty label. Throws `cms.algorithm_unsupported`. */
function oaepHashOf(algorithm: AlgorithmIdentifier): string {
  if (algorithm.oid !== RSAES_OAEP) throw unsupported(algorithm.oid)
  const parts = readDer(algorithm.parameters ?? EMPTY, reader =>
    reader.sequence(fields => ({
      hash: fields.optional(contextConstructed(0), self =>
        self.nested(contextConstructed(0), parseAlgorithmIdentifier),
      ),
      mask: fields.optional(contextConstructed(1), self =>
        self.nested(contextConstructed(1), parseAlgorithmIdentifier),
      ),
      source: fields.optional(contextConstructed(2), self => self.raw(contextConstructed(2))),
    })),
  )
  const hash = parts.hash?.oid ?? '1.3.14.3.2.26'
  const maskHash = parts.mask?.parameters && readDer(parts.mask.parameters, parseAlgorithmIdentifier).oid
  const name = OAEP_HASHES[hash]
  const isPlain = (parts.mask === undefined || parts.mask.oid === MGF1) && (maskHash ?? '1.3.14.3.2.26') === hash
  if (name === undefined || !isPlain || parts.source !== undefined) throw unsupported(algorithm.oid)
  return name
}

/** What a sender of an agreement puts into the message. */
export interface AgreedKey extends LockedKey {
  readonly originatorKey: { readonly algorithm: Bytes; readonly publicKey: Uint8Array }
}

/**
 * Locks `key` for an EC key: a fresh ephemeral key on the same curve, dhSinglePass-stdDH-sha256kdf, AES key wrap with a key
 * as long as the one that it wraps (RFC 5753 §3.1.1, §7.1).
 */
export function agreeKey(publicKey: KeyObject, curve: KeyAlgorithm, key: Uint8Array): AgreedKey {
  const ephemeral = generateKeyPairSync('ec', { namedCurve: curve.namedCurve! })
  const point = readSpki(ephemeral.publicKey.export({ format: 'der', type: 'spki' })).publicKey
  const wrapOid = Object.keys(KEY_WRAPS).find(oid => KEY_WRAPS[oid] === key.length)!
  const wrap = encodeAlgorithmIdentifier(wrapOid)
  const shared = own(diffieHellman({ privateKey: ephemeral.privateKey, publicKey }))
  const kek = deriveKek('sha256', shared, wrap, key.length, undefined)
  try {
    return {
      // RFC 5753 §3.1.1: the parameters may be absent; the recipient's key names the curve.
      originatorKey: { algorithm: encodeAlgorithmIdentifier(EC_PUBLIC_KEY), publicKey: point },
      keyEncryptionAlgorithm: encodeAlgorithmIdentifier(ECDH_SHA256_KDF, wrap),
      encryptedKey: wrapKey(kek, key),
    }
  } finally {
    shared.fill(0)
    kek.fill(0)
  }
}

/** Unlocks what an agreement locked. Throws `cms.algorithm_unsupported`, or what node:crypto throws where it does not open. */
export function openAgreedKey(
  privateKey: KeyObject,
  originator: OriginatorKey,
  algorithm: AlgorithmIdentifier,
  ukm: Uint8Array | undefined,
  encryptedKey: Uint8Array,
): Bytes {
  const hash = ECDH_KDFS[algorithm.oid]
  if (hash === undefined || algorithm.parameters === undefined) throw unsupported(algorithm.oid)
  const wrap = readDer(algorithm.parameters, parseAlgorithmIdentifier)
  const kekOctets = KEY_WRAPS[wrap.oid]
  if (kekOctets === undefined) throw unsupported(wrap.oid)
  const publicKey = ephemeralKey(privateKey, originator)
  const shared = own(diffieHellman({ privateKey, publicKey }))
  const kek = deriveKek(hash, shared, wrap.raw, kekOctets, ukm)
  try {
    return unwrapKey(kek, encryptedKey)
  } finally {
    shared.fill(0)
    kek.fill(0)
  }
}

const CURVES: Readonly<Record<string, KeyAlgorithm>> = {
  prime256v1: keyAlgorithm('P-256'),
  secp384r1: keyAlgorithm('P-384'),
  secp521r1: keyAlgorithm('P-521'),
}

/** The sender's key on our own curve; OpenSSL checks that the point is on it. Where the sender names a curve, it must be ours. */
function ephemeralKey(privateKey: KeyObject, originator: OriginatorKey): KeyObject {
  const curve = CURVES[privateKey.asymmetricKeyDetails?.namedCurve ?? '']
  const { algorithm, publicKey } = originator
  if (curve === undefined || algorithm.oid !== EC_PUBLIC_KEY) throw unsupported(algorithm.oid)
  const named = algorithm.parameters !== undefined && !equalBytes(algorithm.parameters, NULL)
  if (named && !equalBytes(algorithm.raw, curve.algorithmIdentifier)) throw unsupported(algorithm.oid)
  const spki = encodeSubjectPublicKeyInfo(curve.algorithmIdentifier, publicKey)
  return createPublicKey({ key: spki, format: 'der', type: 'spki' })
}

/**
 * The X9.63 key derivation (SEC 1 §3.6.1) over
 * `ECC-CMS-SharedInfo ::= SEQUENCE { keyInfo, entityUInfo [0] OCTET STRING OPTIONAL, suppPubInfo [2] OCTET STRING }` (RFC 5753 §7.2).
 */
function deriveKek(
  hash: string,
  shared: Uint8Array,
  wrap: Uint8Array,
  octets: number,
  ukm: Uint8Array | undefined,
): Bytes {
  const info = writeDer(w =>
    w.sequence(() => {
      w.raw(wrap)
      if (ukm) w.constructed(contextConstructed(0), () => w.octetString(ukm))
      w.constructed(contextConstructed(2), () => w.octetString(bigEndian(octets * 8)))
    }),
  )
  let out: Bytes = EMPTY
  for (let counter = 1; out.length < octets; counter++) {
    out = concat(out, createHash(hash).update(shared).update(bigEndian(counter)).update(info).digest())
  }
  return out.slice(0, octets)
}

function bigEndian(value: number): Bytes {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, value)
  return out
}

/** Locks `key` under a key that both sides already have (RFC 5652 §6.2.3). Throws `cms.recipient_unsupported` for other lengths. */
export function wrapWithKek(kek: Uint8Array, key: Uint8Array): LockedKey {
  const oid = Object.keys(KEY_WRAPS).find(candidate => KEY_WRAPS[candidate] === kek.length)
  if (oid === undefined) {
    throw new TouchmarkError('cms.recipient_unsupported', 'malformed', 'A key encryption key has 16, 24 or 32 octets.')
  }
  return { keyEncryptionAlgorithm: encodeAlgorithmIdentifier(oid), encryptedKey: wrapKey(kek, key) }
}

export function unwrapWithKek(kek: Uint8Array, algorithm: AlgorithmIdentifier, encryptedKey: Uint8Array): Bytes {
  if (KEY_WRAPS[algorithm.oid] !== kek.length) throw unsupported(algorithm.oid)
  return unwrapKey(kek, encryptedKey)
}

function wrapKey(kek: Uint8Array, key: Uint8Array): Bytes {
  const aes = createCipheriv(`id-aes${kek.length * 8}-wrap`, kek, WRAP_IV)
  return concat(aes.update(key), aes.final())
}

function unwrapKey(kek: Uint8Array, wrapped: Uint8Array): Bytes {
  const aes = createDecipheriv(`id-aes${kek.length * 8}-wrap`, kek, WRAP_IV)
  return concat(aes.update(wrapped), aes.final())
}

function unsupported(oid: string): TouchmarkError {
  return new TouchmarkError('cms.algorithm_unsupported', 'malformed', 'The key encryption is not supported.', {
    evidence: { oid },
  })
}
