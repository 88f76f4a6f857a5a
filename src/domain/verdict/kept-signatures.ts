// Signatures of certificates that stay: those of our hierarchy are parsed once and judged in every handshake, and the signature of an issuer by a
// P-384 root costs more than everything else about a device. What was found out is kept as long as the parsed certificate is.
import { equalBytes } from '../../core/bytes/bytes.ts'
import type { VerifySignature } from '../../core/pki/path.ts'

interface Kept {
  readonly spki: Uint8Array
  readonly algorithm: unknown
  readonly signature: Uint8Array
  readonly valid: boolean
}

/** As `verify`, remembering the last answer for each parsed certificate: the octets are its own views, so that they are told by identity. */
export function keepingSignatures(verify: VerifySignature): VerifySignature {
  const kept = new WeakMap<Uint8Array, Kept>()
  return (spki, algorithm, tbs, signature) => {
    const known = kept.get(tbs)
    if (known?.signature === signature && known.algorithm === algorithm && equalBytes(known.spki, spki))
      return known.valid
    const valid = verify(spki, algorithm, tbs, signature)
    kept.set(tbs, { spki, algorithm, signature, valid })
    return valid
  }
}
