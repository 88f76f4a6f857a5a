// The key of a request, before anybody looks at policy: that the requester holds its private half (RFC 2986 §4.2, RFC 7030 §3.4), and
// that it is no key that experience forbids.
import { TouchmarkError } from '../../core/errors.ts'
import { type KeyAlgorithmName, keyAlgorithmOfSpki } from '../../crypto/algorithms.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import { checkPublicKey } from '../../crypto/key-check.ts'
import { checkSelfSignature } from '../../crypto/verify.ts'
import { type KeyId, keyId } from '../ids.ts'
import type { EnrolmentRequest } from './enrolment-request.ts'
import { REFUSALS } from './refusal.ts'

export interface RequestedKey {
  readonly id: KeyId
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array
  readonly algorithm: KeyAlgorithmName
  readonly origin: 'device' | 'server'
}

/**
 * The key to be certified. Throws `key.algorithm_unsupported`, what `key-check.ts` finds, `csr.signature_invalid`,
 * `csr.signature_algorithm_unsupported`. RFC 7030 §4.4.1: where the server makes the key, it "MUST ignore the public key values and
 * signature in the CSR".
 */
export function readRequestedKey(request: Pick<EnrolmentRequest, 'csr' | 'generatedKey'>): RequestedKey {
  const { csr, generatedKey } = request
  if (generatedKey) {
    return {
      id: keyId(sha256Hex(generatedKey)),
      spki: generatedKey,
      algorithm: keyAlgorithmOfSpki(generatedKey),
      origin: 'server',
    }
  }
  const spki = csr.subjectPublicKeyInfo.raw
  const [finding] = checkPublicKey(spki)
  if (finding) throw new TouchmarkError(finding.code, 'malformed', finding.message, { next: 'Make a new key.' })
  const algorithm = keyAlgorithmOfSpki(spki)
  verifyProofOfPossession(request)
  return { id: keyId(sha256Hex(spki)), spki, algorithm, origin: 'device' }
}

function verifyProofOfPossession({ csr }: Pick<EnrolmentRequest, 'csr'>): void {
  const verdict = checkSelfSignature(csr.subjectPublicKeyInfo.raw, csr.signatureAlgorithm, csr.tbs, csr.signature)
  switch (verdict) {
    case 'valid':
      return
    case 'algorithm_unsupported':
      throw new TouchmarkError(
        'csr.signature_algorithm_unsupported',
        'malformed',
        'The request is signed with an algorithm that is not supported.',
        { next: 'Sign it with SHA-256 or better.', evidence: { oid: csr.signatureAlgorithm.oid } },
      )
    case 'invalid':
    case 'key_unsupported':
    case 'key_mismatch': {
      const { kind, message, next } = REFUSALS['csr.signature_invalid']
      throw new TouchmarkError('csr.signature_invalid', kind, message, { next, evidence: { verdict } })
    }
    default:
      verdict satisfies never
  }
}
