// What a profile would like to find in a request (RFC 7030 §4.5): the key type that it prefers with its signature algorithm, the channel
// binding where a rule insists on it, and extensionRequest where the profile listens to it. The subject is the registry's.

import { readDer } from '../../core/asn1/reader.ts'
import { writeDer } from '../../core/asn1/writer.ts'
import type { AttrOrOid } from '../../core/messages/csr-attributes.ts'
import { parseAlgorithmIdentifier } from '../../core/pki/algorithm-identifier.ts'
import { OID } from '../../core/pki/oids.ts'
import { type KeyAlgorithm, keyAlgorithm, signatureAlgorithm } from '../../crypto/algorithms.ts'
import type { Profile } from '../../domain/ca/profile.ts'
import type { Rules } from '../../domain/ra/rules.ts'

export function attributesFor(profile: Profile, rules: Rules): AttrOrOid[] {
  const key = keyAlgorithm(profile.keyAlgorithms[0]!)
  const signature = signatureAlgorithm(key.signatureAlgorithms[0])
  const members = keyType(key)
  if (signature.oid !== key.oid) members.push({ kind: 'oid', oid: signature.oid })
  if (wantsChannelBinding(profile, rules)) members.push({ kind: 'oid', oid: OID.challengePassword })
  if (profile.config.requestInfluence.subjectAltName.length > 0)
    members.push({ kind: 'oid', oid: OID.extensionRequest })
  return members
}

/** RFC 7030 §4.5.2, RFC 9908: the algorithm as an attribute whose value is the curve or the size; bare where it has neither. */
function keyType(key: KeyAlgorithm): AttrOrOid[] {
  switch (key.keyType) {
    case 'ec': {
      const { parameters } = readDer(key.algorithmIdentifier, parseAlgorithmIdentifier)
      return [{ kind: 'attribute', attribute: { oid: key.oid, values: [parameters!] } }]
    }
    case 'rsa':
      return [{ kind: 'attribute', attribute: { oid: key.oid, values: [writeDer(w => w.integer(key.modulusBits!))] } }]
    case 'ed25519':
    case 'ml-dsa-44':
    case 'ml-dsa-65':
    case 'ml-dsa-87':
      return [{ kind: 'oid', oid: key.oid }]
    default:
      return key.keyType satisfies never
  }
}

function wantsChannelBinding(profile: Profile, rules: Rules): boolean {
  return rules.some(
    rule =>
      rule.channelBinding === 'required' &&
      (rule.when.profiles === undefined || rule.when.profiles.includes(profile.name)),
  )
}
