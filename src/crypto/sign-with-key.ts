// One signature over a whole TBS with an open private key: the only call of `crypto.sign` on this thread.
import { constants, type KeyObject, sign } from 'node:crypto'
import type { Bytes } from '../core/bytes/bytes.ts'
import type { SignatureAlgorithm } from './algorithms.ts'
import { own } from './digest.ts'

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

function signingKey(key: KeyObject, algorithm: SignatureAlgorithm) {
  return algorithm.padding === 'pss'
    ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : key
}
