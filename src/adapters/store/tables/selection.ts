// Choosing devices by a query. One condition drives: the one that is likely to mean the fewest devices, walked in the order of its index,
// a stretch at a time; what the query says besides is looked up by primary key for each device of the stretch. So no question
// to the database costs more than a stretch does, however large the store, and however few devices are meant.
import { setImmediate } from 'node:timers/promises'
import type { KeyAlgorithmName } from '../../../crypto/algorithms.ts'
import type { DeviceState } from '../../../domain/device/device.ts'
import type { PropertyName } from '../../../domain/device/device-property.ts'
import type { DeviceQuery, SelectedDevice } from '../../../domain/device/device-query.ts'
import { authorityId, deviceId } from '../../../domain/ids.ts'
import type { Page } from '../../../domain/ports.ts'
import { cursorOf, type PlaceType, placesOf } from '../cursor.ts'
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
import { LABEL } from './device-property.ts'

/** Devices that one question looks at. */
const STRETCH = 2_000

interface Condition {
  readonly text: string
  readonly values: readonly Value[]
}

/** An index to walk along. */
interface Driver {
  /** Names it in cursors. */
  readonly name: string
  readonly table: 'device' | 'device_property' | 'device_health' | 'credential'
  /** What the index begins with, or where the walk ends. */
  readonly conditions: readonly Condition[]
  /** Columns of the table that order it, and tell each row from every other. */
  readonly places: readonly Place[]
  /** Where the walk begins, where that is not the start of the index: a condition would not lead there, only leave out what is before. */
  readonly begin?: readonly Value[]
}

export interface Place {
  readonly column: string
  readonly type: PlaceType
  /** What the column is called in a row of the list. */
  readonly shown: 'device_id' | 'profile' | 'not_after' | 'last_seen_at' | 'serial_number'
}

const ID: Place = { column: 'id', type: 'id', shown: 'device_id' }
const DEVICE_ID: Place = { column: 'device_id', type: 'id', shown: 'device_id' }
const PROFILE: Place = { column: 'profile', type: 'text', shown: 'profile' }
const NOT_AFTER: Place = { column: 'not_after', type: 'integer', shown: 'not_after' }
const SERIAL_NUMBER: Place = { column: 'serial_number', type: 'text', shown: 'serial_number' }
const SEEN_AT: Place = { column: 'at', type: 'integer', shown: 'last_seen_at' }

/** As `selectDevices` of the port promises: pages are full, but for the last. */
export async function readSelectedDevices(
  queries: Queries,
  asked: DeviceQuery,
  page: { after?: string; limit: number },
): Promise<Page<SelectedDevice>> {
  if (!isStorable(asked)) return { items: [], next: null }
  const walk = walkOf(asked)
  const { name, places, width } = walk
  const several = width < places.length
  const items: SelectedDevice[] = []
  const types = places.map(({ type }) => type)
  let start = placesOf(name, types, page.after, walk.begin)
  for (;;) {
    // Where the stretch ends: looked up first, so that it has an end although none of its devices may be meant. Where devices are listed
    // several times, the device of the start is among them once more.
    const from = [...walk.driving, ...start.slice(0, width)]
    const endRow = await first(queries, walk.end, [...from, several ? STRETCH : STRETCH - 1])
    const end = endRow && placesFrom(endRow, places.slice(0, width))
    const limit = page.limit - items.length
    const rows = await queries.all(end === undefined ? walk.last : walk.stretch, [
      ...from,
      ...(end ?? []),
      ...walk.filtering,
      ...(several ? start : []),
      limit,
    ])
    for (const row of rows) items.push(selectedOf(row, walk.named))
    const last = rows.at(-1)
    if (last !== undefined && rows.length === limit) {
      return { items, next: cursorOf(name, placesFrom(last, places)) }
    }
    if (end === undefined) return { items, next: null }
    // Behind every credential of the last device of the stretch.
    start = several ? [...end, BEHIND_EVERY_PROFILE] : end
    await setImmediate()
  }
}

/** Sorts behind the name of every profile. */
const BEHIND_EVERY_PROFILE = '\u{10ffff}'

/** A query of devices as questions to the database. */
interface Walk {
  readonly name: string
  /** Where an item of the list stands: the driver's places, and the profile where a device may be listed several times. */
  readonly places: readonly Place[]
  readonly begin: readonly Value[] | undefined
  /** How many of the places are the driver's. */
  readonly width: number
  /** Whether items name a credential. */
  readonly named: boolean
  /** The last place of a stretch that is followed by others. Values: driving, start, offset. */
  readonly end: Query
  /** Values: driving, start, end, filtering, start with its profile (where there is one), limit. */
  readonly stretch: Query
  /** The last one: without an end. */
  readonly last: Query
  readonly driving: readonly Value[]
  readonly filtering: readonly Value[]
}

function walkOf(asked: DeviceQuery): Walk {
  const [driver, properties] = driverOf(asked)
  const { table, places } = driver
  const named = namesCredential(asked)
  // Places of a credential name it; those of a device do not tell its credentials from each other.
  const several = named && table !== 'credential'

  const columns = places.map(({ column }) => `chosen.${column}`).join(', ')
  const marks = places.map(() => '?').join(', ')
  const conditions = driver.conditions.map(({ text }) => `chosen.${text} AND `).join('')
  const walked = `${conditions}(${columns}) ${several ? '>=' : '>'} (${marks})`
  const filters = filtersOf(asked, properties, driver, false)
  const order = several ? `${columns}, credential.profile` : columns
  const behind = several ? ` AND (${order}) > (${marks}, ?)` : ''
  const shown = [
    '{hex device.id} AS device_id, device.state, health.at AS last_seen_at',
    ...(named ? ['credential.profile, credential.authority_id, credential.key_algorithm, credential.not_after'] : []),
    ...(places.includes(SERIAL_NUMBER) ? ['device.serial_number'] : []),
  ].join(', ')
  const look = (upTo: string) =>
    shape(`SELECT ${shown} FROM ${table} AS chosen ${filters.joins}
      WHERE ${walked}${upTo} AND ${filters.conditions.map(({ text }) => text).join(' AND ')}${behind}
      ORDER BY ${order} LIMIT ?`)
  return {
    name: driver.name,
    places: several ? [...places, PROFILE] : places,
    begin: driver.begin,
    width: places.length,
    named,
    end: shape(
      `SELECT ${places.map(placed).join(', ')} FROM ${table} AS chosen WHERE ${walked} ORDER BY ${columns} LIMIT 1 OFFSET ?`,
    ),
    stretch: look(` AND (${columns}) <= (${marks})`),
    last: look(''),
    driving: driver.conditions.flatMap(({ values }) => values),
    filtering: filters.conditions.flatMap(({ values }) => values),
  }
}

/** A walk that meets each device once, for other tables to be joined to a stretch of it. */
export interface DeviceWalk {
  readonly name: string
  readonly places: readonly Place[]
  readonly begin: readonly Value[] | undefined
  /** What the device is in `from`. */
  readonly id: string
  readonly from: string
  /** Values: driving, start, and where it does not go on to the end, end; then filtering. */
  readonly stretch: string
  readonly last: string
  /** The last place of a stretch that is followed by others. Values: driving, start. */
  readonly end: Query
  readonly driving: readonly Value[]
  readonly filtering: readonly Value[]
}

/** `undefined` where no row can hold what is asked for. */
export function deviceWalk(asked: DeviceQuery): DeviceWalk | undefined {
  if (!isStorable(asked)) return undefined
  const [driver, properties] = driverOf(asked, true)
  const { table, places, name, begin } = driver
  const columns = places.map(({ column }) => `chosen.${column}`).join(', ')
  const marks = places.map(() => '?').join(', ')
  const walked = `${driver.conditions.map(({ text }) => `chosen.${text} AND `).join('')}(${columns}) > (${marks})`
  const filters = filtersOf(asked, properties, driver, true)
  const filtered = filters.conditions.map(({ text }) => ` AND ${text}`).join('')
  return {
    name,
    places,
    begin,
    id: table === 'device' ? 'chosen.id' : 'chosen.device_id',
    from: `${table} AS chosen ${filters.joins}`,
    stretch: `${walked} AND (${columns}) <= (${marks})${filtered}`,
    last: `${walked}${filtered}`,
    end: shape(
      `SELECT ${places.map(placed).join(', ')} FROM ${table} AS chosen WHERE ${walked}
        ORDER BY ${columns} LIMIT 1 OFFSET ${STRETCH - 1}`,
    ),
    driving: driver.conditions.flatMap(({ values }) => values),
    filtering: filters.conditions.flatMap(({ values }) => values),
  }
}

/** As the rows of the list show it: text comes faster than octets, and a place is looked at where a page ends only. */
const placed = ({ column, type, shown }: Place) =>
  type === 'id' ? `{hex chosen.${column}} AS ${shown}` : `chosen.${column} AS ${shown}`

/** The driver, and the properties that it leaves to look up. `once`: one that meets no device twice. */
function driverOf(asked: DeviceQuery, once = false): readonly [Driver, readonly Property[]] {
  const { model, batch, firmware, profile, seenAfter } = asked
  // Of these a device may have several.
  const { expiresBefore, authority, keyAlgorithm } = once ? ({} as DeviceQuery) : asked
  const properties = propertiesOf(asked)
  const on = (
    name: string,
    table: Driver['table'],
    conditions: readonly Condition[],
    places: Driver['places'],
  ): readonly [Driver, readonly Property[]] => [{ name, table, conditions, places }, properties]

  if (batch !== undefined) return on('batch', 'device', [is('batch_id', octetsOf(batch)!)], [ID])
  const [property, ...others] = properties
  if (property !== undefined) {
    const conditions = [is('name', property.name), is('value', property.value)]
    return [{ name: 'property', table: 'device_property', conditions, places: [DEVICE_ID] }, others]
  }
  if (firmware !== undefined) return on('firmware', 'device_health', [is('firmware', firmware)], [DEVICE_ID])
  if (expiresBefore !== undefined) {
    return on(
      'expiry',
      'credential',
      [{ text: 'not_after < ?', values: [expiresBefore] }],
      [NOT_AFTER, DEVICE_ID, PROFILE],
    )
  }
  if (authority !== undefined) {
    return on('authority', 'credential', [is('authority_id', authority)], [DEVICE_ID, PROFILE])
  }
  if (keyAlgorithm !== undefined) {
    return on('algorithm', 'credential', [is('key_algorithm', keyAlgorithm)], [DEVICE_ID, PROFILE])
  }
  if (profile !== undefined) return on('profile', 'credential', [is('profile', profile)], [DEVICE_ID])
  if (model !== undefined) {
    return on('model', 'device', [is('model', model)], [SERIAL_NUMBER])
  }
  if (seenAfter !== undefined) {
    const begin = [seenAfter + 1, new Uint8Array(0)]
    return [{ name: 'seen', table: 'device_health', conditions: [], places: [SEEN_AT, DEVICE_ID], begin }, properties]
  }
  return on('all', 'device', [], [ID])
}

interface Property {
  readonly name: PropertyName
  readonly value: string
}

/** What tells fewer devices from the others first. */
function propertiesOf({ labels = {}, site, owner }: DeviceQuery): Property[] {
  return [
    ...Object.entries(labels).map(([name, value]): Property => ({ name: `${LABEL}${name}` as PropertyName, value })),
    ...(site === undefined ? [] : [{ name: 'site', value: site } as const]),
    ...(owner === undefined ? [] : [{ name: 'owner', value: owner } as const]),
  ]
}

/** CROSS JOIN: SQLite joins in this order, and so by primary key for each device of the stretch. */
function filtersOf(
  asked: DeviceQuery,
  properties: readonly Property[],
  { table: chosen, name: driver }: Driver,
  once: boolean,
): { readonly joins: string; readonly conditions: readonly Condition[] } {
  const id = chosen === 'device' ? 'chosen.id' : 'chosen.device_id'
  const joins: string[] = []
  const conditions: Condition[] = []
  const onDevice =
    asked.states !== undefined ||
    (asked.model !== undefined && driver !== 'model') ||
    (asked.batch !== undefined && driver !== 'batch')
  if (onDevice || !once) {
    joins.push('CROSS JOIN device')
    conditions.push({ text: `device.id = ${id}`, values: [] })
  }
  if (asked.states !== undefined) {
    conditions.push({ text: 'device.state IN {textList}', values: [JSON.stringify(asked.states)] })
  }
  if (onDevice || !once) {
    if (asked.model !== undefined) conditions.push(is('device.model', asked.model))
    if (asked.batch !== undefined) conditions.push(is('device.batch_id', octetsOf(asked.batch)!))
  }

  for (const [i, { name, value }] of properties.entries()) {
    joins.push(`CROSS JOIN device_property AS property${i}`)
    conditions.push(
      { text: `property${i}.device_id = ${id}`, values: [] },
      is(`property${i}.name`, name),
      is(`property${i}.value`, value),
    )
  }

  if (namesCredential(asked)) {
    const own: Condition[] = [{ text: `credential.device_id = ${id}`, values: [] }]
    if (chosen === 'credential') {
      own.push({ text: 'credential.profile = chosen.profile', values: [] })
      // No plain column: SQLite would conclude what chosen.profile is, and walk the index of the profile in place of the driver's.
      if (asked.profile !== undefined) own.push(is("credential.profile || ''", asked.profile))
    } else if (asked.profile !== undefined) own.push(is('credential.profile', asked.profile))
    if (asked.authority !== undefined) own.push(is('credential.authority_id', asked.authority))
    if (asked.keyAlgorithm !== undefined) own.push(is('credential.key_algorithm', asked.keyAlgorithm))
    if (asked.expiresBefore !== undefined) {
      own.push({ text: 'credential.not_after < ?', values: [asked.expiresBefore] })
    }
    if (once) {
      const texts = own.map(({ text }) => text).join(' AND ')
      const values = own.flatMap(each => each.values)
      conditions.push({ text: `EXISTS (SELECT 1 FROM credential WHERE ${texts})`, values })
    } else {
      joins.push('CROSS JOIN credential')
      conditions.push(...own)
    }
  }

  const { firmware, seenAfter, notSeenAfter } = asked
  if (firmware === undefined && seenAfter === undefined) {
    if (!once || notSeenAfter !== undefined) joins.push(`LEFT JOIN device_health AS health ON health.device_id = ${id}`)
  } else {
    joins.push('CROSS JOIN device_health AS health')
    conditions.push({ text: `health.device_id = ${id}`, values: [] })
    if (firmware !== undefined) conditions.push(is('health.firmware', firmware))
    if (seenAfter !== undefined) conditions.push({ text: 'health.at > ?', values: [seenAfter] })
  }
  if (notSeenAfter !== undefined) {
    conditions.push({ text: '(health.at IS NULL OR health.at <= ?)', values: [notSeenAfter] })
  }
  return { joins: joins.join(' '), conditions }
}

function namesCredential({ profile, authority, keyAlgorithm, expiresBefore }: DeviceQuery): boolean {
  return profile !== undefined || authority !== undefined || keyAlgorithm !== undefined || expiresBefore !== undefined
}

const is = (column: string, value: Value): Condition => ({ text: `${column} = ?`, values: [value] })

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

function isStorable({ batch, ...asked }: DeviceQuery): boolean {
  const texts = [
    asked.model,
    asked.owner,
    asked.site,
    asked.profile,
    asked.authority,
    asked.keyAlgorithm,
    asked.firmware,
  ]
  const labels = Object.entries(asked.labels ?? {}).flat()
  return (
    (batch === undefined || octetsOf(batch) !== undefined) &&
    [...texts, ...labels].every(text => text === undefined || storableText(text) !== undefined)
  )
}

export function placesFrom(row: Row, places: readonly Place[]): Value[] {
  return places.map(({ type, shown }) => (type === 'id' ? octetsOf(textOf(row, shown))! : row[shown]!))
}

function selectedOf(row: Row, named: boolean): SelectedDevice {
  return {
    deviceId: deviceId(textOf(row, 'device_id')),
    state: wordOf<DeviceState>(row, 'state'),
    credential: named
      ? {
          profile: textOf(row, 'profile'),
          authorityId: authorityId(textOf(row, 'authority_id')),
          keyAlgorithm: wordOf<KeyAlgorithmName>(row, 'key_algorithm'),
          notAfter: integerOf(row, 'not_after'),
        }
      : null,
    lastSeenAt: nullable(integerOf, row, 'last_seen_at'),
  }
}
