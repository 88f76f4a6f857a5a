// Which certificates are meant: every condition that is there must hold. Of devices only: what the platform issued to itself (authorities,
// servers, OCSP signers) ends one by one, by name.
import { TouchmarkError } from '../../core/errors.ts'
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import { parseAuditEntry } from '../audit/entry.ts'
import type { CertificateRecord, CertificateStatus } from '../ca/certificate-record.ts'
import type { DeviceKey } from '../device/device-key.ts'
import type { DeviceQuery } from '../device/device-query.ts'
import type { AuthorityId, DeviceId, UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'

/** Conditions on a certificate itself. */
export interface CertificateConditions {
  readonly statuses: readonly CertificateStatus['kind'][]
  readonly authority?: AuthorityId
  readonly profile?: string
  readonly keyAlgorithm?: KeyAlgorithmName
  /** Positions of the log: issued by an entry from the first on, and before the second. */
  readonly issuedFrom?: number
  readonly issuedBefore?: number
  /** Its last second, from here on. */
  readonly expiresFrom?: UnixSeconds
  readonly expiresBefore?: UnixSeconds
  /** On a hold that becomes a revocation at this very second. */
  readonly holdEndsAt?: UnixSeconds
}

/** What a mass revocation, or a release, is about. With `devices` or `deviceIds`, certificates of those devices. */
export interface CertificateQuery extends CertificateConditions {
  readonly devices?: DeviceQuery
  readonly deviceIds?: readonly DeviceId[]
}

/** A certificate of a device as lists of many have it: without its octets, with what is known of its key. */
export type SelectedCertificate = Pick<
  CertificateRecord,
  'authorityId' | 'serialNumber' | 'keyId' | 'profile' | 'notAfter' | 'status' | 'crlShard' | 'auditIndex'
> & {
  readonly deviceId: DeviceId
  /** `null` where the key is not in the registry. */
  readonly keyAlgorithm: DeviceKey['algorithm'] | null
  readonly keyState: DeviceKey['state'] | null
}

/** Whether the conditions hold for the certificate: as the store finds those that are asked for without devices. */
export function meetsConditions(
  {
    statuses,
    authority,
    profile,
    keyAlgorithm,
    issuedFrom,
    issuedBefore,
    expiresFrom,
    expiresBefore,
    holdEndsAt,
  }: CertificateConditions,
  certificate: SelectedCertificate,
): boolean {
  const { status, notAfter, auditIndex } = certificate
  return (
    statuses.includes(status.kind) &&
    (authority === undefined || certificate.authorityId === authority) &&
    (profile === undefined || certificate.profile === profile) &&
    (keyAlgorithm === undefined || certificate.keyAlgorithm === keyAlgorithm) &&
    (issuedFrom === undefined || auditIndex >= issuedFrom) &&
    (issuedBefore === undefined || auditIndex < issuedBefore) &&
    (expiresFrom === undefined || notAfter >= expiresFrom) &&
    (expiresBefore === undefined || notAfter < expiresBefore) &&
    (holdEndsAt === undefined || (status.kind === 'held' && status.ends?.at === holdEndsAt))
  )
}

/** A page of what is selected, with the devices that were looked at where the query begins with devices. */
export interface CertificatePage {
  readonly items: readonly SelectedCertificate[]
  /** In order, each once; `undefined` where the query names no devices. */
  readonly devices: readonly DeviceId[] | undefined
  readonly next: string | null
}

type SelectionReader = Pick<StoreReader, 'selectCertificates' | 'selectDevices' | 'certificatesOfDevices'>

/** Devices of a page: what they have comes with them, and is more than one certificate each. */
const DEVICES = 500

/** What the query means, in an order of the store's own; pass `next` as `after`. Pages may be empty before the last. */
export async function selectCertificatePage(
  { devices, deviceIds, ...conditions }: CertificateQuery,
  { after, limit }: { readonly after?: string | undefined; readonly limit: number },
  read: SelectionReader,
): Promise<CertificatePage> {
  const page = { limit, ...(after === undefined ? {} : { after }) }
  if (devices === undefined && deviceIds === undefined) {
    return { ...(await read.selectCertificates(conditions, page)), devices: undefined }
  }
  const chosen = deviceIds === undefined ? await devicesOf(devices!, page, read) : namedDevices(deviceIds, page)
  const items = chosen.ids.length === 0 ? [] : await read.certificatesOfDevices(chosen.ids)
  return { items: items.filter(each => meetsConditions(conditions, each)), devices: chosen.ids, next: chosen.next }
}

interface DevicePage {
  readonly ids: readonly DeviceId[]
  readonly next: string | null
}

async function devicesOf(
  query: DeviceQuery,
  { limit, ...page }: { readonly after?: string; readonly limit: number },
  read: SelectionReader,
): Promise<DevicePage> {
  const { items, next } = await read.selectDevices(query, { limit: Math.min(limit, DEVICES), ...page })
  // Who holds several credentials that the query means stands there for each of them, one behind the other.
  return { ids: [...new Set(items.map(({ deviceId }) => deviceId))], next }
}

function namedDevices(all: readonly DeviceId[], { after }: { readonly after?: string }): DevicePage {
  const from = after === undefined ? 0 : Number(after)
  const to = from + DEVICES
  return { ids: [...new Set(all.slice(from, to))], next: to < all.length ? String(to) : null }
}

/** Everything that the query means, page by page. */
export async function* selectedCertificates(
  query: CertificateQuery,
  limit: number,
  read: SelectionReader,
): AsyncGenerator<CertificatePage, void, undefined> {
  for (let after: string | undefined; ; ) {
    const page = await selectCertificatePage(query, { limit, after }, read)
    yield page
    if (page.next === null) return
    after = page.next
  }
}

/**
 * The position of the first log entry that was made at `time` or later; the size of the log where there is none. By halves: entries stand in
 * the order of their time, to within what the clocks of two processes differ by.
 */
export async function logPositionAt(
  time: UnixSeconds,
  read: Pick<StoreReader, 'auditHead' | 'auditEntry'>,
): Promise<number> {
  let low = 0
  let high = (await read.auditHead()).size
  while (low < high) {
    const middle = (low + high) >>> 1
    const entry = await read.auditEntry(middle)
    if (entry === undefined) throw logUnreadable(middle)
    if (parseAuditEntry(entry).at < time) low = middle + 1
    else high = middle
  }
  return low
}

function logUnreadable(index: number): TouchmarkError {
  return new TouchmarkError('revocation.log_unreadable', 'internal', `Entry ${index} of the log cannot be read.`, {
    next: 'Verify the log: touchmark audit verify.',
    evidence: { index },
  })
}
