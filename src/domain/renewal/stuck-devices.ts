// Who should have renewed and has not, in the order in which their windows closed, each with what is known of why: found long before
// anything expires, because a window closes well before the end.
import type { Device } from '../device/device.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Page, StoreReader } from '../ports.ts'
import type { Credential } from './credential.ts'

export type StuckReason =
  /** The device is suspended, retired or destroyed: it may not renew. */
  | 'device_not_active'
  /** Its attempts are refused: `lastFailure` says with which code. */
  | 'refused'
  /** It was ordered to renew, and has not tried. */
  | 'order_not_followed'
  /** It was never seen with the certificate that it should renew: the answer may never have reached it. */
  | 'never_seen'
  /** It was seen, and has not tried to renew. */
  | 'silent'

export interface StuckDevice {
  readonly credential: Credential
  readonly device: Device
  readonly reason: StuckReason
  readonly expired: boolean
  /** Its last report; `null`: it never made one. */
  readonly lastReportAt: UnixSeconds | null
  readonly lastReportedError: string | null
}

/** Rows that one page may have: each costs two look-ups. */
export const MAX_STUCK_PAGE = 500

/** At most `limit` of those whose window closed before `now`, who waits longest first. */
export async function stuckDevices(
  now: UnixSeconds,
  page: { readonly after?: string; readonly limit: number },
  read: Pick<StoreReader, 'credentialsOverdue' | 'device' | 'health'>,
): Promise<Page<StuckDevice>> {
  const { items, next } = await read.credentialsOverdue(now, { ...page, limit: Math.min(page.limit, MAX_STUCK_PAGE) })
  const found = await Promise.all(
    items.map(async (credential): Promise<StuckDevice | undefined> => {
      const [device, health] = await Promise.all([read.device(credential.deviceId), read.health(credential.deviceId)])
      if (device === undefined) return undefined
      return {
        credential,
        device,
        reason: reasonOf(credential, device, now),
        expired: credential.notAfter < now,
        lastReportAt: health?.at ?? null,
        lastReportedError: health?.lastError ?? null,
      }
    }),
  )
  return { items: found.filter(each => each !== undefined), next }
}

function reasonOf({ lastFailure, order, seenAt }: Credential, { state }: Device, now: UnixSeconds): StuckReason {
  if (state === 'suspended' || state === 'retired' || state === 'destroyed') return 'device_not_active'
  if (lastFailure !== null) return 'refused'
  if (order !== null && order.until < now) return 'order_not_followed'
  return seenAt === null ? 'never_seen' : 'silent'
}
