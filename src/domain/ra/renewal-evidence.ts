// The certificate that is shown for renewal, and what stands written about it: whether it is the one that the device goes by, the one
// before, or one that it has left behind; and what becomes of a renewal over a certificate that counts no more.
import type { AuthorityDirectory } from '../ca/authorities.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import type { Clock, Store, StoreReader } from '../ports.ts'
import { noteRefusedRenewal, suspectClone } from '../renewal/refused-renewal.ts'
import { isLeftBehind, mayAskAgain, type RenewalFacts } from './decide.ts'
import { type EvidenceFinding, type EvidenceReader, keyMaySpeak, type RefusedEvidence } from './evidence-reader.ts'

export interface RenewalEvidencePorts {
  readonly store: Store
  readonly clock: Clock
  readonly authorities: Pick<AuthorityDirectory, 'profile'>
}

/** Throws `profile.not_found` where the profile of the certificate is gone. */
export async function readRenewalFacts(
  record: Pick<CertificateRecord, 'deviceId' | 'profile' | 'authorityId' | 'serialNumber'>,
  read: Pick<StoreReader, 'credentialsOfDevice'>,
  authorities: Pick<AuthorityDirectory, 'profile'>,
): Promise<RenewalFacts> {
  const credentials = record.deviceId === null ? [] : await read.credentialsOfDevice(record.deviceId)
  const names = (name: Pick<CertificateRecord, 'authorityId' | 'serialNumber'> | null) =>
    name !== null && name.authorityId === record.authorityId && name.serialNumber === record.serialNumber
  const credential =
    credentials.find(names) ??
    credentials.find(({ previous }) => names(previous)) ??
    credentials.find(({ profile }) => profile === record.profile) ??
    null
  const { renewal: policy } = await authorities.profile(record.profile)
  return { credential, policy }
}

/** Reads evidence as the reader does, but for renewals: with a second look at a certificate that counts no more. */
export function evidenceForRenewal(
  registration: RenewalEvidencePorts & { readonly evidence: Pick<EvidenceReader, 'fromCertificates' | 'fromToken'> },
): Pick<EvidenceReader, 'fromCertificates' | 'fromToken'> {
  const { evidence } = registration
  return {
    async fromCertificates(certificates, now) {
      const finding = await evidence.fromCertificates(certificates, now)
      return finding.kind === 'refused' ? refusedAtRenewal(finding, registration) : finding
    },
    fromToken: (userName, secret) => evidence.fromToken(userName, secret),
  }
}

/**
 * A renewal whose certificate was refused: taken all the same where it was superseded before anybody saw its successor, so that a device
 * that lost the answer for long is not locked out. Else the failure is counted, and a certificate that the device has left behind gives a
 * copy away.
 */
async function refusedAtRenewal(finding: RefusedEvidence, ports: RenewalEvidencePorts): Promise<EvidenceFinding> {
  const { shown } = finding
  if (shown === undefined) return finding
  const facts = await readRenewalFacts(shown.record, ports.store.read, ports.authorities)
  if (mayAskAgain(shown.record, facts) && keyMaySpeak(shown)) return { kind: 'evidence', evidence: shown }
  await noteRenewalRefusal(shown.record, finding.refusal.code, facts, ports)
  return finding
}

/** Counts the refusal, or writes down what it gives away. */
export async function noteRenewalRefusal(
  record: CertificateRecord,
  code: string,
  { credential, policy }: RenewalFacts,
  ports: RenewalEvidencePorts,
): Promise<void> {
  if (credential !== null && isReplaced(record) && isLeftBehind(record, credential)) {
    const { serialNumber, authorityId, notAfter } = record
    // Who finds the key of a certificate that ended long ago is worth an entry, and can stop nobody with it.
    const { clones } = notAfter < ports.clock.now() ? NO_SUSPENSION : policy
    await suspectClone(credential, 'left_behind_certificate', { clones }, { serialNumber, authorityId }, ports)
  } else await noteRefusedRenewal(record, code, ports)
}

const NO_SUSPENSION = { clones: 'record' } as const

/** Held or revoked for another reason, a certificate says nothing about who else holds one. */
function isReplaced({ status }: CertificateRecord): boolean {
  return status.kind === 'good' || (status.kind === 'revoked' && status.reason === 'superseded')
}
