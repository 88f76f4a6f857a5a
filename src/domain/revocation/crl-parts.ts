// What full and delta CRLs of a shard have in common: who signs them, and the extensions that must be the same in both (RFC 5280 §5.2.4).
import type { Certificate } from '../../core/pki/certificate.ts'
import type { CrlBuilder } from '../../core/pki/crl-builder.ts'
import { encodeCrlNumber, encodeIssuingDistributionPoint } from '../../core/pki/crl-extensions.ts'
import { type Extension, findExtension } from '../../core/pki/extension.ts'
import { encodeAuthorityKeyIdentifier, extension, parseSubjectKeyIdentifier } from '../../core/pki/extensions.ts'
import { OID } from '../../core/pki/oids.ts'
import { assertOwnSignatureOnce, type Signer } from '../../crypto/signer.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { Authority } from '../ca/authority.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'

export const CRL_CONTENT_TYPE = 'application/pkix-crl'

export interface CrlIssuer {
  readonly record: Authority
  readonly certificate: Certificate
  readonly signer: Signer
}

export interface PublishCrlPorts {
  readonly store: Store
  readonly clock: Clock
}

/**
 * AKI and number always (RFC 5280 §5.2.1, §5.2.3; strongSwan ignores a CRL without AKI). The issuing distribution point only where
 * there are several shards: it is critical, and a relying party that does not know it may then not use the CRL.
 */
export function commonExtensions(issuer: CrlIssuer, number: number, shardUrl: string): Extension[] {
  const subjectKeyIdentifier = findExtension(issuer.certificate.extensions, OID.subjectKeyIdentifier)
  const list: Extension[] = []
  if (subjectKeyIdentifier) {
    const keyIdentifier = parseSubjectKeyIdentifier(subjectKeyIdentifier.value)
    list.push(extension(OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier({ keyIdentifier })))
  }
  list.push(extension(OID.cRLNumber, false, encodeCrlNumber(number)))
  if (issuer.record.crlShards > 1) {
    const point = {
      distributionPoint: { kind: 'fullName', names: [{ kind: 'uniformResourceIdentifier', value: shardUrl }] },
    } as const
    list.push(extension(OID.issuingDistributionPoint, true, encodeIssuingDistributionPoint(point)))
  }
  return list
}

/** Signs what was built, and verifies it whatever the key (docs/adr/0005); returns the whole list. Throws what the signer throws. */
export async function signCrl(
  builder: CrlBuilder,
  issuer: CrlIssuer,
  fields: { readonly thisUpdate: UnixSeconds; readonly nextUpdate: UnixSeconds; readonly extensions: Extension[] },
): Promise<Uint8Array> {
  const { signer, certificate } = issuer
  const signatureAlgorithm = signer.algorithm.algorithmIdentifier
  const tbs = builder.finish({ ...fields, issuer: certificate.subject.raw, signatureAlgorithm })
  const signature = await signer.sign(tbs)
  await assertOwnSignatureOnce(signer, tbs, signature)
  return builder.sign(signatureAlgorithm, signature)
}

/** What the log says of a list that is put out. */
export function publishedEntry(
  issuer: CrlIssuer,
  at: UnixSeconds,
  detail: Readonly<Record<string, string | number>>,
): AuditEntry {
  return {
    at,
    actor: { kind: 'system', id: 'crl' },
    action: 'crl.published',
    outcome: 'done',
    subject: { authorityId: issuer.record.id },
    detail,
  }
}
