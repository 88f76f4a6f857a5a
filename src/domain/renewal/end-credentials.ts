// Where a device's current certificate is revoked there is nothing left to renew: the credential goes with it, and out of the plan. Who still
// has the certificate before is renewed over that one as any other; and where that one is revoked, the credential forgets it.
import type { AuditEntry } from '../audit/entry.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import type { ChangeBuilder } from '../change-builder.ts'
import type { UnixSeconds } from '../ids.ts'
import type { StoreReader, Write } from '../ports.ts'
import { planTogether, putCredential, removeCredential } from './credential-writes.ts'
import { orderEnded } from './order-renewal.ts'

/** Adds what becomes of every credential that names one of `records`, which are revoked by the same change. */
export async function addCredentialEnds(
  change: ChangeBuilder,
  records: readonly Pick<CertificateRecord, 'deviceId' | 'authorityId' | 'serialNumber'>[],
  actor: AuditEntry['actor'],
  now: UnixSeconds,
  read: Pick<StoreReader, 'credentialsOfDevices'>,
): Promise<void> {
  const devices = [...new Set(records.flatMap(({ deviceId }) => deviceId ?? []))]
  if (devices.length === 0) return
  const ended = new Set(records.map(nameOf))
  const writes: Write[] = []
  for (const credential of await read.credentialsOfDevices(devices)) {
    if (ended.has(nameOf(credential))) {
      writes.push(...removeCredential(credential))
      if (credential.order) change.record(orderEnded(credential, 'ended_with_certificate', actor, now))
    } else if (credential.previous !== null && ended.has(nameOf(credential.previous))) {
      // Nobody asks again over a certificate that an operator revoked.
      writes.push(...putCredential(credential, { ...credential, previous: null, retireAt: null }))
    }
  }
  change.write(...planTogether(writes))
}

const nameOf = ({ authorityId, serialNumber }: Pick<CertificateRecord, 'authorityId' | 'serialNumber'>) =>
  `${authorityId}/${serialNumber}`
