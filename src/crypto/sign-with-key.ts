// One signature over a whole TBS with an open private key: the only call of `crypto.sign` on this thread.
import { constants, createSign, type KeyObject, sign } from 'node:crypto'
import type { Bytes } from '../core/bytes/bytes.ts'
import type { SignatureAlgorithm } from './algorithms.ts'
import { own } from './digest.ts'
import { inPieces } from './in-pieces.ts'

/** Signs now, on this thread. ECDSA signatures are DER (RFC 3279 §2.2.3); PSS salts are as long as the hash. */
export function signWithKey(key: KeyObject, algorithm: SignatureAlgorithm, tbs: Uint8Array): Bytes {
  return own(sign(algorithm.hash ?? null, tbs, signingKey(key, algorithm)))
}

/** As `signWithKey`, in the thread pool of the process. */
export function signInBackground(key: KeyObject, algorithm: SignatureAlgorithm, tbs: Uint8Array): Promise<Bytes> {
  return new Promise((resolve, reject) =>
    sign(algorithm.hash ?? null, tbs, signingKey(key, algorithm), (error, signature) =>
      error ? reject(error) : resolve(own(signature)),
    ),
  )
}

/**
 * As `signWithKey` for what is large: hashed a little at a time, and others get their turn between. Where the algorithm has no digest of its
 * own, in the thread pool.
 */
export async function signInPieces(key: KeyObject, algorithm: SignatureAlgorithm, tbs: Uint8Array): Promise<Bytes> {
  if (algorithm.hash === undefined) return signInBackground(key, algorithm, tbs)
  const signing = createSign(algorithm.hash)
  await inPieces(tbs, piece => signing.update(piece))
  return own(signing.sign(signingKey(key, algorithm)))
}

function signingKey(key: KeyObject, algorithm: SignatureAlgorithm) {
  return algorithm.padding === 'pss'
    ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : key
}
