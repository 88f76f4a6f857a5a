// Where a device's current certificate is revoked there is nothing left to renew: the credential goes with it, and out of the plan. Who still
// has the certificate before is renewed over that one as any other; and where that one is revoked, the credential forgets it.
import type { AuditEntry } from '../audit/entry.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import type { ChangeBuilder } from '../change-builder.ts'
import type { UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import { putCredential, removeCredential } from './credential-writes.ts'
import { orderEnded } from './order-renewal.ts'
import { isCurrent, isPrevious } from './seen-in-use.ts'

/** Adds what becomes of every credential that names one of `records`, which are revoked by the same change. */
export async function addCredentialEnds(
  change: ChangeBuilder,
  records: readonly CertificateRecord[],
  actor: AuditEntry['actor'],
  now: UnixSeconds,
  read: Pick<StoreReader, 'credentialsOfDevice'>,
): Promise<void> {
  const devices = new Set(records.flatMap(({ deviceId }) => deviceId ?? []))
  for (const device of devices) {
    for (const credential of await read.credentialsOfDevice(device)) {
      if (records.some(record => isCurrent(credential, record))) {
        change.write(...removeCredential(credential))
        if (credential.order) change.record(orderEnded(credential, 'ended_with_certificate', actor, now))
      } else if (records.some(record => isPrevious(credential, record))) {
        // Nobody asks again over a certificate that an operator revoked.
        change.write(...putCredential(credential, { ...credential, previous: null, retireAt: null }))
      }
    }
  }
}
