// What devices hold under their profiles. Each list has its index: what expires, what is overdue, what is to retire; and for choosing
// devices the profile, the authority and the algorithm, each in order of the device.
import type { KeyAlgorithmName } from '../../../crypto/algorithms.ts'
import { authorityId, type DeviceId, deviceId, keyId, serialNumber, type UnixSeconds } from '../../../domain/ids.ts'
import type { Page } from '../../../domain/ports.ts'
import type { Credential, StandingOrder } from '../../../domain/renewal/credential.ts'
import { cursorOf, type PlaceType, placesOf } from '../cursor.ts'
import { first, type Queries } from '../engine.ts'
import {
  change,
  hexOf,
  insert,
  integerOf,
  nullable,
  octetsOf,
  type Query,
  query,
  type Row,
  type StepSink,
  storableText,
  textOf,
  wordOf,
} from '../sql.ts'

const COLUMNS = {
  authority_id: 'text',
  serial_number: 'bytes',
  key_id: 'bytes',
  key_algorithm: 'text',
  not_before: 'integer',
  not_after: 'integer',
  window_start: 'integer',
  window_end: 'integer',
  seen_at: 'integer',
  previous_authority_id: 'text',
  previous_serial_number: 'bytes',
  retire_at: 'integer',
  renewal_order: 'text',
  failures: 'integer',
  last_failure_code: 'text',
  last_failure_at: 'integer',
  revision: 'integer',
} as const
const NAMES = Object.keys(COLUMNS)

export const insertCredential = insert('credential', { device_id: 'bytes', profile: 'text', ...COLUMNS })
export const updateCredential = change(
  'credential',
  `UPDATE credential SET ${NAMES.map(name => `${name} = ?`).join(', ')}
    WHERE device_id = ? AND profile = ? AND revision = ?`,
)
export const deleteCredential = change(
  'credential',
  'DELETE FROM credential WHERE device_id = ? AND profile = ? AND revision = ?',
)

export function putCredential(credential: Credential, from: number | null, out: StepSink): void {
  if (from === null) {
    out.begin(insertCredential).hex(credential.deviceId).text(credential.profile)
    putColumns(credential, out)
  } else {
    out.begin(updateCredential)
    putColumns(credential, out)
    out.hex(credential.deviceId).text(credential.profile).integer(from)
  }
}

/** As `COLUMNS` has them. */
function putColumns(credential: Credential, out: StepSink): void {
  const { previous, order, lastFailure } = credential
  out
    .text(credential.authorityId)
    .hex(credential.serialNumber)
    .hex(credential.keyId)
    .text(credential.keyAlgorithm)
    .integer(credential.notBefore)
    .integer(credential.notAfter)
    .integer(credential.windowStart)
    .integer(credential.windowEnd)
    .integer(credential.seenAt)
    .text(previous === null ? null : previous.authorityId)
    .hex(previous === null ? null : previous.serialNumber)
    .integer(credential.retireAt)
    .text(order === null ? null : JSON.stringify(order))
    .integer(credential.failures)
    .text(lastFailure === null ? null : lastFailure.code)
    .integer(lastFailure === null ? null : lastFailure.at)
    .integer(credential.revision)
}

export function removeCredential(device: DeviceId, profile: string, from: number, out: StepSink): void {
  out.begin(deleteCredential).hex(device).text(profile).integer(from)
}

const SELECT = `SELECT device_id, profile, ${NAMES.join(', ')} FROM credential`
const OF_PROFILE = query(`${SELECT} WHERE device_id = ? AND profile = ?`)
const OF_DEVICE = query(`${SELECT} WHERE device_id = ? ORDER BY profile`)
const OF_DEVICES = query(`${SELECT} WHERE device_id IN {bytesList}`)
const TO_RETIRE = query(
  `${SELECT} WHERE previous_serial_number IS NOT NULL AND retire_at <= ? ORDER BY retire_at, device_id, profile LIMIT ?`,
)
const EXPIRING = query(
  `${SELECT} WHERE not_after < ? AND (not_after, device_id, profile) > (?, ?, ?)
    ORDER BY not_after, device_id, profile LIMIT ?`,
)
const OVERDUE = query(
  `${SELECT} WHERE window_end < ? AND (window_end, device_id, profile) > (?, ?, ?)
    ORDER BY window_end, device_id, profile LIMIT ?`,
)

export async function readCredential(
  queries: Queries,
  device: DeviceId,
  profile: string,
): Promise<Credential | undefined> {
  const octets = octetsOf(device)
  if (octets === undefined || storableText(profile) === undefined) return undefined
  const row = await first(queries, OF_PROFILE, [octets, profile])
  return row && credentialOf(row)
}

export async function readCredentialsOfDevice(queries: Queries, device: DeviceId): Promise<Credential[]> {
  const octets = octetsOf(device)
  return octets === undefined ? [] : (await queries.all(OF_DEVICE, [octets])).map(credentialOf)
}

export async function readCredentialsOfDevices(queries: Queries, ids: readonly DeviceId[]): Promise<Credential[]> {
  const asked = ids.filter(id => octetsOf(id) !== undefined)
  return asked.length === 0 ? [] : (await queries.all(OF_DEVICES, [JSON.stringify(asked)])).map(credentialOf)
}

export async function readCredentialsToRetire(
  queries: Queries,
  now: UnixSeconds,
  limit: number,
): Promise<Credential[]> {
  return (await queries.all(TO_RETIRE, [now, limit])).map(credentialOf)
}

export function readCredentialsExpiring(
  queries: Queries,
  range: { from: UnixSeconds; until: UnixSeconds },
  page: { after?: string; limit: number },
): Promise<Page<Credential>> {
  return pageInTime(queries, EXPIRING, 'expiring', range, page, row => integerOf(row, 'not_after'))
}

export function readCredentialsOverdue(
  queries: Queries,
  at: UnixSeconds,
  page: { after?: string; limit: number },
): Promise<Page<Credential>> {
  return pageInTime(queries, OVERDUE, 'overdue', { from: 0, until: at }, page, row => integerOf(row, 'window_end'))
}

const PLACES: readonly PlaceType[] = ['integer', 'id', 'text']

/** In order of a time, and of the primary key within the same second. */
async function pageInTime(
  queries: Queries,
  question: Query,
  list: string,
  range: { readonly from: UnixSeconds; readonly until: UnixSeconds },
  { after, limit }: { after?: string; limit: number },
  timeOf: (row: Row) => number,
): Promise<Page<Credential>> {
  // No id is as short as this one: who stands at the very second `from` comes behind it.
  const start = [range.from, new Uint8Array(0), '']
  const places = placesOf(list, PLACES, after, start)
  const rows = await queries.all(question, [range.until, ...places, limit])
  const last = rows.at(-1)
  return {
    items: rows.map(credentialOf),
    next:
      last === undefined || rows.length < limit
        ? null
        : cursorOf(list, [timeOf(last), last['device_id']!, last['profile']!]),
  }
}

function credentialOf(row: Row): Credential {
  const order = nullable(textOf, row, 'renewal_order')
  return {
    deviceId: deviceId(hexOf(row, 'device_id')),
    profile: textOf(row, 'profile'),
    authorityId: authorityId(textOf(row, 'authority_id')),
    serialNumber: serialNumber(hexOf(row, 'serial_number')),
    keyId: keyId(hexOf(row, 'key_id')),
    keyAlgorithm: wordOf<KeyAlgorithmName>(row, 'key_algorithm'),
    notBefore: integerOf(row, 'not_before'),
    notAfter: integerOf(row, 'not_after'),
    windowStart: integerOf(row, 'window_start'),
    windowEnd: integerOf(row, 'window_end'),
    seenAt: nullable(integerOf, row, 'seen_at'),
    previous:
      row['previous_serial_number'] === null
        ? null
        : {
            authorityId: authorityId(textOf(row, 'previous_authority_id')),
            serialNumber: serialNumber(hexOf(row, 'previous_serial_number')),
          },
    retireAt: nullable(integerOf, row, 'retire_at'),
    order: order === null ? null : (JSON.parse(order) as StandingOrder),
    failures: integerOf(row, 'failures'),
    lastFailure:
      row['last_failure_code'] === null
        ? null
        : { code: textOf(row, 'last_failure_code'), at: integerOf(row, 'last_failure_at') },
    revision: integerOf(row, 'revision'),
  }
}
