// The client certificate of an operator: one of our own, under the profile for people and programs that operate the platform. Its subject
// names the opaque id and nobody: what a certificate says cannot be erased.
import { parseCertificationRequest } from '../../core/pki/csr.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { AuthorityDirectory } from '../ca/authorities.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import { type CertificateIssuer, certificateWrites } from '../ca/issuer.ts'
import type { Clock, Store } from '../ports.ts'
import { readRequestedKey } from '../ra/requested-key.ts'
import { activeOperator } from './operator.ts'

export const OPERATOR_PROFILE = 'operator-client'

/**
 * Certifies the key of a PKCS#10 request (DER) for the operator; nothing else of the request counts. Throws `operator.not_found`, what
 * `readRequestedKey` throws, and as `CertificateIssuer`.
 */
export async function certifyOperator(
  { operatorId, request, actor }: { operatorId: string; request: Uint8Array; actor: AuditEntry['actor'] },
  ports: {
    readonly store: Store
    readonly clock: Clock
    readonly authorities: AuthorityDirectory
    readonly issuer: CertificateIssuer
  },
): Promise<CertificateRecord> {
  const { store, clock, authorities, issuer } = ports
  const operator = await activeOperator(operatorId, store.read)
  const csr = parseCertificationRequest(request)
  const { spki } = readRequestedKey({ csr })
  const prepared = await issuer.prepare({
    profile: await authorities.profile(OPERATOR_PROFILE),
    device: null,
    subjectFields: { commonName: operator.id },
    spki,
    replaces: null,
    now: clock.now(),
  })
  const { write, audit } = certificateWrites(await issuer.sign(prepared), 0, {
    actor,
    subject: { name: operator.id },
  })
  const { firstAuditIndex } = await store.commit({ writes: [write], audit: [audit] })
  return { ...write.certificate, auditIndex: firstAuditIndex }
}
