// Keys whose parameters stand in the certificate above (RFC 5280 §6.1.4 (d) to (f)): DSA alone is encoded so (RFC 3279 §2.3.2). For all
// other algorithms absent parameters are parameters.
import { encodeAlgorithmIdentifier } from '../algorithm-identifier.ts'
import { encodeSubjectPublicKeyInfo, type SubjectPublicKeyInfo } from '../spki.ts'

const DSA = '1.2.840.10040.4.1'

/** Whether this key is nothing without the parameters of its issuer's key. */
export function inheritsParameters({ algorithm }: SubjectPublicKeyInfo): boolean {
  return algorithm.oid === DSA && (algorithm.parameters === undefined || algorithm.parameters.length === 2)
}

/** The whole SubjectPublicKeyInfo with parameters from the key above, which must be whole itself; `undefined` where that one has none to give. */
export function withInherited(
  key: SubjectPublicKeyInfo,
  above: SubjectPublicKeyInfo,
): SubjectPublicKeyInfo | undefined {
  if (!inheritsParameters(key)) return key
  if (above.algorithm.oid !== key.algorithm.oid || inheritsParameters(above)) return undefined
  const raw = encodeSubjectPublicKeyInfo(
    encodeAlgorithmIdentifier(key.algorithm.oid, above.algorithm.parameters),
    key.publicKey,
  )
  return { raw, algorithm: above.algorithm, publicKey: key.publicKey }
}
