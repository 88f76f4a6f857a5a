// Certificates of devices as lists of many need them: without their octets, with what is known of their keys. Chosen by conditions, walked along an
// index a stretch at a time, so that no question costs more than a stretch does, however few of its certificates are meant.
import { setImmediate } from 'node:timers/promises'
import type { KeyAlgorithmName } from '../../../crypto/algorithms.ts'
import type { KeyState } from '../../../domain/device/device-key.ts'
import { authorityId, type DeviceId, deviceId, keyId, serialNumber } from '../../../domain/ids.ts'
import type { Page } from '../../../domain/ports.ts'
import type { CertificateConditions, SelectedCertificate } from '../../../domain/revocation/certificate-query.ts'
import { cursorOf, placesOf } from '../cursor.ts'
import { first, type Queries } from '../engine.ts'
import {
  integerOf,
  nullable,
  octetsOf,
  type Query,
  query,
  type Row,
  storableText,
  textOf,
  type Value,
  wordOf,
} from '../sql.ts'
import { statusOf } from './certificate.ts'

/** Certificates that one question looks at. */
const STRETCH = 4_000

const SHOWN = `chosen.audit_index, chosen.authority_id, {hex chosen.serial_number} AS serial_number,
  {hex chosen.device_id} AS device_id, {hex chosen.key_id} AS key_id, chosen.profile, chosen.not_after, chosen.status,
  chosen.status_at, chosen.status_reason, chosen.invalidity_date, chosen.hold_ends_at, chosen.crl_shard,
  device_key.algorithm AS key_algorithm, device_key.state AS key_state`
/** By primary key, where the keys of a stretch lie beside each other; the index over key identifiers leads anywhere. */
const THE_KEY = 'device_key.device_id = chosen.device_id AND device_key.id = chosen.key_id'
const KEYED = `LEFT JOIN device_key ON ${THE_KEY}`

const OF_DEVICES = query(
  `SELECT ${SHOWN} FROM {bytesList} AS asked
    CROSS JOIN certificate AS chosen ${KEYED} WHERE chosen.device_id = asked.item`,
)

export async function readCertificatesOfDevices(
  queries: Queries,
  ids: readonly DeviceId[],
): Promise<SelectedCertificate[]> {
  const asked = ids.filter(id => octetsOf(id) !== undefined)
  return asked.length === 0 ? [] : (await queries.all(OF_DEVICES, [JSON.stringify(asked)])).map(selectedOf)
}

const AT = query(
  `SELECT ${SHOWN} FROM {textList} AS asked
    CROSS JOIN certificate AS chosen ${KEYED}
    WHERE chosen.audit_index = CAST(asked.value AS BIGINT) AND chosen.device_id IS NOT NULL`,
)

export async function readCertificatesAt(queries: Queries, indexes: readonly number[]): Promise<SelectedCertificate[]> {
  return indexes.length === 0 ? [] : (await queries.all(AT, [JSON.stringify(indexes)])).map(selectedOf)
}

/** As `selectCertificates` of the port promises: pages are full, but for the last. */
export async function readSelectedCertificates(
  queries: Queries,
  conditions: CertificateConditions,
  { after, limit }: { after?: string; limit: number },
): Promise<Page<SelectedCertificate>> {
  if (!areStorable(conditions)) return { items: [], next: null }
  const { list, walked, walkedValues, end, begin, before } = certificateWalk(conditions)
  const { text: filtered, values: filteredValues } = certificateFilter(conditions, 'chosen')
  const stretch = shape(
    `SELECT ${SHOWN} FROM certificate AS chosen ${KEYED}
      WHERE ${walked} AND chosen.audit_index > ? AND chosen.audit_index <= ? AND ${filtered}
      ORDER BY chosen.audit_index LIMIT ?`,
  )
  const items: SelectedCertificate[] = []
  let [behind] = placesOf(list, ['integer'], after, begin) as [number]
  for (;;) {
    const endRow = await first(queries, end, [...walkedValues, behind, before])
    const last = endRow === undefined ? before - 1 : integerOf(endRow, 'audit_index')
    const room = limit - items.length
    const rows = await queries.all(stretch, [...walkedValues, behind, last, ...filteredValues, room])
    for (const row of rows) items.push(selectedOf(row))
    if (rows.length === room) return { items, next: cursorOf(list, [items.at(-1)!.auditIndex]) }
    if (endRow === undefined) return { items, next: null }
    behind = last
    await setImmediate()
  }
}

/** Whether a row can hold what the conditions name. */
export function areStorable({ authority, profile }: CertificateConditions): boolean {
  return [authority, profile].every(text => text === undefined || storableText(text) !== undefined)
}

/** The index that leads to certificates which meet the conditions, where no devices are named. */
export interface CertificateWalk {
  /** Names it in cursors. */
  readonly list: string
  readonly walked: string
  readonly walkedValues: readonly Value[]
  /** Where it begins: behind this position of the log. */
  readonly begin: readonly [number]
  /** Where it ends: before this one. */
  readonly before: number
  /** The last position of a stretch that is followed by others. Values: walked, start, before. */
  readonly end: Query
}

export function certificateWalk({
  authority,
  holdEndsAt,
  issuedBefore,
  issuedFrom = 0,
}: CertificateConditions): CertificateWalk {
  const walked: string[] = []
  const walkedValues: Value[] = []
  const walk = (text: string, value: Value) => {
    walked.push(text)
    walkedValues.push(value)
  }
  if (holdEndsAt !== undefined) walk('chosen.hold_ends_at = ?', holdEndsAt)
  else if (authority !== undefined) walk('chosen.authority_id = ?', authority)
  // Where issuing ended is where the walk ends.
  const before = issuedBefore ?? Number.MAX_SAFE_INTEGER
  const along = walked.length === 0 ? '1 = 1' : walked.join(' AND ')
  return {
    list: holdEndsAt !== undefined ? 'hold' : authority !== undefined ? 'issuer' : 'issued',
    walked: along,
    walkedValues,
    begin: [issuedFrom - 1],
    before,
    end: shape(
      `SELECT chosen.audit_index FROM certificate AS chosen
        WHERE ${along} AND chosen.audit_index > ? AND chosen.audit_index < ? ORDER BY chosen.audit_index LIMIT 1 OFFSET ${STRETCH - 1}`,
    ),
  }
}

/** All the conditions, as a filter on certificates of devices that something else leads to. */
export function certificateFilter(
  asked: CertificateConditions,
  alias: string,
): { readonly text: string; readonly values: readonly Value[] } {
  const { statuses, authority, profile, keyAlgorithm, issuedFrom, issuedBefore, expiresFrom, expiresBefore } = asked
  const filtered = [`${alias}.device_id IS NOT NULL`]
  const values: Value[] = []
  const filter = (text: string, value: Value | undefined) => {
    if (value === undefined) return
    filtered.push(text)
    values.push(value)
  }
  filter(`${alias}.status IN {textList}`, JSON.stringify(statuses))
  // No plain columns: SQLite would take these for the way in place of what leads here.
  filter(`${alias}.authority_id || '' = ?`, authority)
  filter(`${alias}.profile || '' = ?`, profile)
  filter(`${alias}.audit_index + 0 >= ?`, issuedFrom)
  filter(`${alias}.audit_index + 0 < ?`, issuedBefore)
  filter(`${alias}.not_after >= ?`, expiresFrom)
  filter(`${alias}.not_after < ?`, expiresBefore)
  filter(`${alias}.hold_ends_at + 0 = ?`, asked.holdEndsAt)
  filter(
    `EXISTS (SELECT 1 FROM device_key WHERE device_key.device_id = ${alias}.device_id
      AND device_key.id = ${alias}.key_id AND device_key.algorithm = ?)`,
    keyAlgorithm,
  )
  return { text: filtered.join(' AND '), values }
}

/** Each shape of a question is one statement, prepared once. */
const shapes = new Map<string, Query>()

export function shape(text: string): Query {
  let known = shapes.get(text)
  if (known === undefined) {
    known = query(text)
    shapes.set(text, known)
  }
  return known
}

function selectedOf(row: Row): SelectedCertificate {
  return {
    authorityId: authorityId(textOf(row, 'authority_id')),
    serialNumber: serialNumber(textOf(row, 'serial_number')),
    deviceId: deviceId(textOf(row, 'device_id')),
    keyId: keyId(textOf(row, 'key_id')),
    keyAlgorithm: nullable(wordOf<KeyAlgorithmName>, row, 'key_algorithm'),
    keyState: nullable(wordOf<KeyState>, row, 'key_state'),
    profile: textOf(row, 'profile'),
    notAfter: integerOf(row, 'not_after'),
    status: statusOf(row),
    crlShard: integerOf(row, 'crl_shard'),
    auditIndex: integerOf(row, 'audit_index'),
  }
}
