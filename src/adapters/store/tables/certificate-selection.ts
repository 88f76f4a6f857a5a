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
const KEYED = 'LEFT JOIN device_key ON device_key.id = chosen.key_id'

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

/** As `selectCertificates` of the port promises: pages are full, but for the last. */
export async function readSelectedCertificates(
  queries: Queries,
  conditions: CertificateConditions,
  { after, limit }: { after?: string; limit: number },
): Promise<Page<SelectedCertificate>> {
  const { authority, profile, issuedFrom = 0 } = conditions
  if ([authority, profile].some(text => text !== undefined && storableText(text) === undefined)) {
    return { items: [], next: null }
  }
  const { list, keyed, walked, walkedValues, filtered, filteredValues } = walkOf(conditions)
  const end = shape(
    `SELECT chosen.audit_index FROM certificate AS chosen WHERE ${walked} AND chosen.audit_index > ?
      ORDER BY chosen.audit_index LIMIT 1 OFFSET ${STRETCH - 1}`,
  )
  const stretch = shape(
    `SELECT ${SHOWN} FROM certificate AS chosen ${keyed}
      WHERE ${walked} AND chosen.audit_index > ? AND chosen.audit_index <= ? AND ${filtered}
      ORDER BY chosen.audit_index LIMIT ?`,
  )
  const items: SelectedCertificate[] = []
  let [behind] = placesOf(list, ['integer'], after, [issuedFrom - 1]) as [number]
  for (;;) {
    const endRow = await first(queries, end, [...walkedValues, behind])
    const last = endRow === undefined ? Number.MAX_SAFE_INTEGER : integerOf(endRow, 'audit_index')
    const room = limit - items.length
    const rows = await queries.all(stretch, [...walkedValues, behind, last, ...filteredValues, room])
    for (const row of rows) items.push(selectedOf(row))
    if (rows.length === room) return { items, next: cursorOf(list, [items.at(-1)!.auditIndex]) }
    if (endRow === undefined) return { items, next: null }
    behind = last
    await setImmediate()
  }
}

function walkOf(asked: CertificateConditions) {
  const { statuses, authority, profile, keyAlgorithm, issuedBefore, expiresFrom, expiresBefore, holdEndsAt } = asked
  const walked: string[] = []
  const walkedValues: Value[] = []
  const filtered = ['chosen.device_id IS NOT NULL', 'chosen.status IN {textList}']
  const filteredValues: Value[] = [JSON.stringify(statuses)]
  const filter = (text: string, value: Value | undefined) => {
    if (value === undefined) return
    filtered.push(text)
    filteredValues.push(value)
  }
  if (holdEndsAt !== undefined) {
    walked.push('chosen.hold_ends_at = ?')
    walkedValues.push(holdEndsAt)
    filter('chosen.authority_id = ?', authority)
  } else if (authority !== undefined) {
    walked.push('chosen.authority_id = ?')
    walkedValues.push(authority)
  }
  // Where issuing ended is where the walk ends.
  if (issuedBefore !== undefined) {
    walked.push('chosen.audit_index < ?')
    walkedValues.push(issuedBefore)
  }
  filter('chosen.profile = ?', profile)
  if (keyAlgorithm !== undefined) filtered.push('device_key.id = chosen.key_id')
  filter('device_key.algorithm = ?', keyAlgorithm)
  filter('chosen.not_after >= ?', expiresFrom)
  filter('chosen.not_after < ?', expiresBefore)
  return {
    // CROSS JOIN: SQLite joins in this order, and so by primary key for each certificate of the stretch.
    keyed: keyAlgorithm === undefined ? KEYED : 'CROSS JOIN device_key',
    list: holdEndsAt !== undefined ? 'hold' : authority !== undefined ? 'issuer' : 'issued',
    walked: walked.length === 0 ? '1 = 1' : walked.join(' AND '),
    walkedValues,
    filtered: filtered.join(' AND '),
    filteredValues,
  }
}

/** Each shape of a question is one statement, prepared once. */
const shapes = new Map<string, Query>()

function shape(text: string): Query {
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
