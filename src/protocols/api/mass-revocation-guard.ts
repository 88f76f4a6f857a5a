// What ends many certificates is a mass revocation by whichever name it is asked for: of one device that holds many, of devices that retire. Above the
// threshold others have to agree, and approval is asked for at POST /revocations.
import { TouchmarkError } from '../../core/errors.ts'
import { readAccessSettings } from '../../domain/access/access-settings.ts'
import type { FourEyes } from '../../domain/access/four-eyes.ts'
import type { KeyId, UnixSeconds } from '../../domain/ids.ts'
import type { StoreReader } from '../../domain/ports.ts'
import { type CertificateQuery, meetsConditions } from '../../domain/revocation/certificate-query.ts'
import { countSelected } from '../../domain/revocation/preview.ts'
import type { Call } from './endpoint.ts'

/** What would be revoked, apart from its status and time. */
type Meant = Pick<CertificateQuery, 'devices' | 'deviceIds'> & {
  /** Only what is certified over this key. */
  readonly keyId?: KeyId
}

/** Throws `approval.needed` where so many live certificates would end that others have to agree. */
export function massRevocationGuard(fourEyes: FourEyes, read: StoreReader) {
  return async (
    meant: Meant,
    { caller, now }: Pick<Call<unknown, unknown, unknown>, 'caller' | 'now'>,
    next: string,
  ): Promise<void> => {
    const { revokeManyAbove } = (await readAccessSettings(read)).fourEyes
    const certificates = await countLive(meant, now, read)
    if (certificates <= revokeManyAbove || !(await fourEyes.waits('certificate.revoke_many', caller!))) return
    throw new TouchmarkError(
      'approval.needed',
      'conflict',
      `That would revoke ${certificates} certificates: others have to agree to it.`,
      { next, evidence: { certificates, revokeManyAbove } },
    )
  }
}

async function countLive({ keyId, ...meant }: Meant, now: UnixSeconds, read: StoreReader): Promise<number> {
  const query: CertificateQuery = { statuses: ['good', 'held'], expiresFrom: now, ...meant }
  if (keyId === undefined || meant.deviceIds === undefined) return countSelected(query, read)
  const records = await read.certificatesOfDevices(meant.deviceIds)
  return records.filter(each => each.keyId === keyId && meetsConditions(query, each)).length
}

export const REVOKE_BY_QUERY =
  'Ask for it with POST /api/v1/revocations and the id of the device, where approval is asked for.'
export const REVOKE_FIRST =
  'Revoke them first (POST /api/v1/revocations, cessationOfOperation), where approval is asked for; then retire.'
