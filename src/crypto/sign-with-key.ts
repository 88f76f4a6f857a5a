// One signature over a whole TBS with an open private key: the only calls of node:crypto that sign on this thread.
import { constants, createSign, createVerify, type KeyObject, sign } from 'node:crypto'
import type { Bytes } from '../core/bytes/bytes.ts'
import type { SignatureAlgorithm } from './algorithms.ts'
import { own } from './digest.ts'
import { inPieces } from './in-pieces.ts'
import { verifyInBackground } from './verify.ts'

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
 * Signs what is large, and verifies the signature: hashed for both a little at a time, and others get their turn between. Where the algorithm has
 * no digest of its own, in the thread pool. `undefined`: the signature does not verify.
 */
export async function signInPieces(
  key: KeyObject,
  publicKey: KeyObject,
  algorithm: SignatureAlgorithm,
  tbs: Uint8Array,
): Promise<Bytes | undefined> {
  if (algorithm.hash === undefined) {
    const signature = await signInBackground(key, algorithm, tbs)
    return (await verifyInBackground(publicKey, algorithm, tbs, signature)) ? signature : undefined
  }
  const signing = createSign(algorithm.hash)
  const verifying = createVerify(algorithm.hash)
  await inPieces(tbs, piece => {
    signing.update(piece)
    verifying.update(piece)
  })
  const signature = own(signing.sign(signingKey(key, algorithm)))
  return verifying.verify(signingKey(publicKey, algorithm), signature) ? signature : undefined
}

function signingKey(key: KeyObject, algorithm: SignatureAlgorithm) {
  return algorithm.padding === 'pss'
    ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : key
}
