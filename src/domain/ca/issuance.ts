import { TouchmarkError } from '../../core/errors.ts'
import { compileExtensions } from '../../core/pki/certificate.ts'
import { encodeCRLDistributionPoints } from '../../core/pki/distribution-point.ts'
import { type Extension, findExtension } from '../../core/pki/extension.ts'
import {
  type AccessDescription,
  encodeAuthorityInfoAccess,
  encodeAuthorityKeyIdentifier,
  extension,
  parseSubjectKeyIdentifier,
} from '../../core/pki/extensions.ts'
import { OID } from '../../core/pki/oids.ts'
import type { SignatureAlgorithm } from '../../crypto/algorithms.ts'
import { caIssuersUrl, crlUrl, ocspUrl } from './distribution-urls.ts'
import type { SharedParts } from './lint-gate.ts'
import type { Profile } from './profile.ts'
import type { Settings } from './settings.ts'
import type { SigningAuthority } from './signing-authority.ts'

/** What all certificates of a profile under an authority share, made once. */
export interface Issuance {
  readonly settings: Settings
  readonly algorithm: SignatureAlgorithm
  shard(crlShard: number): SharedParts
}

/** Lives as long as the profile and the authority that it was made for. */
const issuances = new WeakMap<Profile, WeakMap<SigningAuthority, Issuance>>()

/** Throws `profile.signature_unavailable`, `authority.no_key_identifier`. */
export function issuanceOf(profile: Profile, authority: SigningAuthority, settings: Settings): Issuance {
  let byAuthority = issuances.get(profile)
  if (byAuthority === undefined) {
    byAuthority = new WeakMap()
    issuances.set(profile, byAuthority)
  }
  const known = byAuthority.get(authority)
  if (known?.settings === settings) return known
  const { signer } = authority
  // `signer.algorithm` is what the authority's key signs with; a profile may insist, it cannot choose.
  if (profile.signatureAlgorithm !== null && profile.signatureAlgorithm !== signer.algorithm.name) {
    throw new TouchmarkError(
      'profile.signature_unavailable',
      'internal',
      `The profile ${profile.name} wants ${profile.signatureAlgorithm}; the authority signs with ${signer.algorithm.name}.`,
      { evidence: { profile: profile.name, authorityId: authority.record.id } },
    )
  }
  const shards = new Map<number, SharedParts>()
  const shard = (crlShard: number): SharedParts => {
    let made = shards.get(crlShard)
    if (made === undefined) {
      const extensions = shardExtensions(profile, authority, settings, crlShard)
      made = {
        signatureAlgorithm: signer.algorithm.algorithmIdentifier,
        extensions,
        compiled: compileExtensions(extensions),
        passed: new Map(),
      }
      shards.set(crlShard, made)
    }
    return made
  }
  const issuance = { settings, algorithm: signer.algorithm, shard }
  byAuthority.set(authority, issuance)
  return issuance
}

function shardExtensions(
  profile: Profile,
  authority: SigningAuthority,
  settings: Settings,
  crlShard: number,
): Extension[] {
  const out: Extension[] = []
  const { certificate, record } = authority
  if (certificate !== null) {
    const identifier = findExtension(certificate.extensions, OID.subjectKeyIdentifier)
    if (identifier === undefined) {
      throw new TouchmarkError(
        'authority.no_key_identifier',
        'internal',
        `The certificate of ${record.id} has no subjectKeyIdentifier.`,
        {
          next: 'Have it certified again with a subjectKeyIdentifier (RFC 5280 §4.2.1.2).',
        },
      )
    }
    const keyIdentifier = parseSubjectKeyIdentifier(identifier.value)
    out.push(extension(OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier({ keyIdentifier })))
  }
  out.push(...profile.constantExtensions)
  const { crlDistributionPoint, authorityInformationAccess: access } = profile.config
  if (crlDistributionPoint) {
    const names = [{ kind: 'uniformResourceIdentifier', value: crlUrl(settings, record.id, crlShard) }] as const
    const points = [{ distributionPoint: { kind: 'fullName', names } }] as const
    out.push(extension(OID.cRLDistributionPoints, false, encodeCRLDistributionPoints(points)))
  }
  const descriptions: AccessDescription[] = []
  const at = (value: string) => ({ kind: 'uniformResourceIdentifier', value }) as const
  if (access.ocsp) descriptions.push({ accessMethod: OID.ocsp, accessLocation: at(ocspUrl(settings)) })
  if (access.caIssuers)
    descriptions.push({ accessMethod: OID.caIssuers, accessLocation: at(caIssuersUrl(settings, record.id)) })
  if (descriptions.length > 0)
    out.push(extension(OID.authorityInfoAccess, false, encodeAuthorityInfoAccess(descriptions)))
  return out
}
