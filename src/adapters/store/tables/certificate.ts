// Certificates: the octets, whose they are, what they replaced, their status. In the table they lie in the order of issue.
import type { CrlReason } from '../../../core/pki/crl-reason.ts'
import type { CertificateRecord, CertificateStatus } from '../../../domain/ca/certificate-record.ts'
import {
  type AuthorityId,
  authorityId,
  type DeviceId,
  deviceId,
  keyId,
  type SerialNumber,
  serialNumber,
  type UnixSeconds,
} from '../../../domain/ids.ts'
import type { Page, Write } from '../../../domain/ports.ts'
import { cursorOf, placesOf } from '../cursor.ts'
import { first, type Queries } from '../engine.ts'
import {
  bytesOf,
  change,
  hexOf,
  insert,
  integerOf,
  nullable,
  octetsOf,
  query,
  type Row,
  type StepSink,
  storableText,
  textOf,
  wordOf,
} from '../sql.ts'
import { pages } from '../stream.ts'

export const insertCertificate = insert('certificate', {
  audit_index: 'integer',
  authority_id: 'text',
  serial_number: 'bytes',
  device_id: 'bytes',
  key_id: 'bytes',
  profile: 'text',
  profile_version: 'integer',
  not_before: 'integer',
  not_after: 'integer',
  status: 'text',
  status_at: 'integer',
  status_reason: 'text',
  invalidity_date: 'integer',
  hold_ends_at: 'integer',
  crl_shard: 'integer',
  replaces_authority_id: 'text',
  replaces_serial_number: 'bytes',
  der: 'bytes',
})

export function putCertificate(
  certificate: Omit<CertificateRecord, 'auditIndex'>,
  auditEntry: number,
  out: StepSink,
): void {
  out
    .begin(insertCertificate)
    .auditIndex(auditEntry)
    .text(certificate.authorityId)
    .hex(certificate.serialNumber)
    .hex(certificate.deviceId)
    .hex(certificate.keyId)
    .text(certificate.profile)
    .integer(certificate.profileVersion)
    .integer(certificate.notBefore)
    .integer(certificate.notAfter)
  putStatus(certificate.status, out)
  out
    .integer(certificate.crlShard)
    .text(certificate.replaces === null ? null : certificate.replaces.authorityId)
    .hex(certificate.replaces === null ? null : certificate.replaces.serialNumber)
    .bytes(certificate.der)
}

export const updateCertificateStatus = change(
  'certificate',
  `UPDATE certificate SET status = ?, status_at = ?, status_reason = ?, invalidity_date = ?, hold_ends_at = ?
    WHERE serial_number = ? AND authority_id = ? AND status = ? AND COALESCE(hold_ends_at, -1) = ?`,
)

export function moveCertificate(write: Extract<Write, { kind: 'certificate.status' }>, out: StepSink): void {
  out.begin(updateCertificateStatus)
  putStatus(write.to, out)
  out
    .hex(write.serialNumber)
    .text(write.authorityId)
    .text(write.from)
    .integer(write.holdEnds ?? -1)
}

/** Changes nothing: whether the status is of this kind. */
export const expectStatus = change(
  'certificate',
  'UPDATE certificate SET key_id = key_id WHERE serial_number = ? AND authority_id = ? AND status = ?',
)

export function expectCertificate(write: Extract<Write, { kind: 'certificate.standing' }>, out: StepSink): void {
  out.begin(expectStatus).hex(write.serialNumber).text(write.authorityId).text(write.status)
}

/** Changes nothing: whether the device has exactly so many certificates. */
export const expectCertificates = change(
  'device',
  'UPDATE device SET state = state WHERE id = ? AND (SELECT COUNT(*) FROM certificate WHERE device_id = ?) = ?',
  'one',
  ['certificate'],
)

export function countCertificates(id: DeviceId, count: number, out: StepSink): void {
  out.begin(expectCertificates).hex(id).hex(id).integer(count)
}

function putStatus(status: CertificateStatus, out: StepSink): void {
  out.text(status.kind)
  if (status.kind === 'good') out.integer(null).text(null).integer(null).integer(null)
  else {
    // Of a hold, the reason of what it becomes.
    const end = status.kind === 'held' ? status.ends : null
    const reason = status.kind === 'revoked' ? status.reason : (end?.reason ?? null)
    out
      .integer(status.at)
      .text(reason)
      .integer(status.invalidityDate)
      .integer(end?.at ?? null)
  }
}

const COLUMNS = `audit_index, authority_id, serial_number, device_id, key_id, profile, profile_version, not_before, not_after,
  status, status_at, status_reason, invalidity_date, hold_ends_at, crl_shard, replaces_authority_id, replaces_serial_number, der`
const BY_SERIAL_NUMBER = query(`SELECT ${COLUMNS} FROM certificate WHERE serial_number = ? AND authority_id = ?`)
const OF_ANY_AUTHORITY = query(
  `SELECT ${COLUMNS} FROM certificate WHERE serial_number = ? ORDER BY authority_id LIMIT 100`,
)
const OF_DEVICE = query(`SELECT ${COLUMNS} FROM certificate WHERE device_id = ? ORDER BY audit_index DESC`)
const OF_AUTHORITY = query(
  `SELECT ${COLUMNS} FROM certificate WHERE authority_id = ? AND audit_index > ? ORDER BY audit_index LIMIT ?`,
)
const OF_PLATFORM = query(
  `SELECT ${COLUMNS} FROM certificate WHERE device_id IS NULL AND authority_id = ? AND profile = ?
    ORDER BY audit_index DESC LIMIT 100`,
)
const HOLDS_ENDED = query(
  `SELECT ${COLUMNS} FROM certificate WHERE hold_ends_at <= ? ORDER BY hold_ends_at, audit_index LIMIT ?`,
)
const ALL = query(`SELECT ${COLUMNS} FROM certificate WHERE audit_index > ? ORDER BY audit_index LIMIT ?`)

export async function readCertificate(
  queries: Queries,
  authority: AuthorityId,
  serial: SerialNumber,
): Promise<CertificateRecord | undefined> {
  const octets = octetsOf(serial)
  if (octets === undefined || storableText(authority) === undefined) return undefined
  const row = await first(queries, BY_SERIAL_NUMBER, [octets, authority])
  return row && certificateOf(row)
}

export async function readCertificatesBySerial(queries: Queries, serial: SerialNumber): Promise<CertificateRecord[]> {
  const octets = octetsOf(serial)
  return octets === undefined ? [] : (await queries.all(OF_ANY_AUTHORITY, [octets])).map(certificateOf)
}

export async function readCertificatesOfDevice(queries: Queries, id: DeviceId): Promise<CertificateRecord[]> {
  const octets = octetsOf(id)
  return octets === undefined ? [] : (await queries.all(OF_DEVICE, [octets])).map(certificateOf)
}

export async function readCertificatesOfAuthority(
  queries: Queries,
  authority: AuthorityId,
  { after, limit }: { after?: string; limit: number },
): Promise<Page<CertificateRecord>> {
  if (storableText(authority) === undefined) return { items: [], next: null }
  const [behind] = placesOf('authority', ['integer'], after)
  const items = (await queries.all(OF_AUTHORITY, [authority, behind!, limit])).map(certificateOf)
  const last = items.at(-1)
  return { items, next: last === undefined || items.length < limit ? null : cursorOf('authority', [last.auditIndex]) }
}

export async function readPlatformCertificates(
  queries: Queries,
  authority: AuthorityId,
  profile: string,
): Promise<CertificateRecord[]> {
  if (storableText(authority) === undefined || storableText(profile) === undefined) return []
  return (await queries.all(OF_PLATFORM, [authority, profile])).map(certificateOf)
}

export async function readHoldsEnded(queries: Queries, now: UnixSeconds, limit: number): Promise<CertificateRecord[]> {
  return (await queries.all(HOLDS_ENDED, [now, limit])).map(certificateOf)
}

export async function* readAllCertificates(queries: Queries): AsyncGenerator<CertificateRecord> {
  for await (const row of pages(
    queries,
    ALL,
    limit => [-1, limit],
    last => limit => [integerOf(last, 'audit_index'), limit],
  )) {
    yield certificateOf(row)
  }
}

function certificateOf(row: Row): CertificateRecord {
  const replaces = row['replaces_authority_id']
  return {
    authorityId: authorityId(textOf(row, 'authority_id')),
    serialNumber: serialNumber(hexOf(row, 'serial_number')),
    deviceId: nullable((r, c) => deviceId(hexOf(r, c)), row, 'device_id'),
    keyId: keyId(bytesOf(row, 'key_id')),
    profile: textOf(row, 'profile'),
    profileVersion: integerOf(row, 'profile_version'),
    notBefore: integerOf(row, 'not_before'),
    notAfter: integerOf(row, 'not_after'),
    der: bytesOf(row, 'der'),
    status: statusOf(row),
    crlShard: integerOf(row, 'crl_shard'),
    replaces:
      typeof replaces === 'string'
        ? { authorityId: authorityId(replaces), serialNumber: serialNumber(hexOf(row, 'replaces_serial_number')) }
        : null,
    auditIndex: integerOf(row, 'audit_index'),
  }
}

/** From the columns status, status_at, status_reason, invalidity_date and hold_ends_at. */
export function statusOf(row: Row): CertificateStatus {
  const kind = textOf(row, 'status')
  if (kind === 'good') return { kind }
  const at = integerOf(row, 'status_at')
  const invalidityDate = nullable(integerOf, row, 'invalidity_date')
  if (kind !== 'held') return { kind: 'revoked', at, reason: wordOf<CrlReason>(row, 'status_reason'), invalidityDate }
  const endsAt = nullable(integerOf, row, 'hold_ends_at')
  const ends = endsAt === null ? null : { at: endsAt, reason: wordOf<CrlReason>(row, 'status_reason') }
  return { kind, at, invalidityDate, ends }
}
