// Counting the certificates that a query means, a stretch of an index at a time, by the engine itself: a million are a few hundred rows. And a share
// of them by name, chosen by where they stand in the log.
import { setImmediate } from 'node:timers/promises'
import type { CertificateQuery } from '../../../domain/revocation/certificate-query.ts'
import {
  type CertificateTally,
  SHARE_MULTIPLIER,
  SHARE_OF_ALL,
  type TallyOptions,
} from '../../../domain/revocation/certificate-tally.ts'
import { cursorOf, placesOf } from '../cursor.ts'
import { first, type Queries } from '../engine.ts'
import { integerOf, nullable, type Row, textOf, type Value } from '../sql.ts'
import { areStorable, certificateFilter, certificateWalk, shape } from './certificate-selection.ts'
import { deviceWalk, placesFrom } from './selection.ts'

const NOTHING: CertificateTally = { certificates: 0, devices: 0, lastExpiry: null, sampled: [], next: null }

/** As `tallyCertificates` of the port promises. */
export async function readCertificateTally(
  queries: Queries,
  { devices, deviceIds: _, ...conditions }: CertificateQuery,
  { after, share, countDevices }: TallyOptions,
): Promise<CertificateTally> {
  if (!areStorable(conditions)) return NOTHING
  // A long count stands in nobody's way.
  if (after !== undefined) await setImmediate()
  const tallied = (alias: string, from: string, filter: string, more: readonly Value[]) => {
    const isFirst = countDevices ? firstOfDevice(conditions, alias) : NO_DEVICES
    return {
      query: shape(
        `SELECT COUNT(*) AS certificates, SUM(meant.first) AS devices, MAX(meant.not_after) AS last_expiry,
            {joined meant.sampled} AS sampled
          FROM (SELECT ${alias}.not_after, ${isFirst.text} AS first,
              CASE WHEN ${hashed(alias)} < ? THEN ${alias}.audit_index END AS sampled
            FROM ${from} WHERE ${filter}) AS meant`,
      ),
      values: [...isFirst.values, share, ...more],
    }
  }
  if (devices === undefined) {
    const walk = certificateWalk(conditions)
    const filter = certificateFilter(conditions, 'chosen')
    const [behind] = placesOf(walk.list, ['integer'], after, walk.begin) as [number]
    const endRow = await first(queries, walk.end, [...walk.walkedValues, behind, walk.before])
    const last = endRow === undefined ? walk.before - 1 : integerOf(endRow, 'audit_index')
    const { query, values } = tallied(
      'chosen',
      'certificate AS chosen',
      `${walk.walked} AND chosen.audit_index > ? AND chosen.audit_index <= ? AND ${filter.text}`,
      [...walk.walkedValues, behind, last, ...filter.values],
    )
    return tallyOf(await first(queries, query, values), endRow === undefined ? null : cursorOf(walk.list, [last]))
  }
  const walk = deviceWalk(devices)
  if (walk === undefined) return NOTHING
  const filter = certificateFilter(conditions, 'held')
  const start = placesOf(
    walk.name,
    walk.places.map(({ type }) => type),
    after,
    walk.begin,
  )
  const endRow = await first(queries, walk.end, [...walk.driving, ...start])
  const end = endRow && placesFrom(endRow, walk.places)
  const { query, values } = tallied(
    'held',
    `${walk.from} CROSS JOIN certificate AS held`,
    `${end === undefined ? walk.last : walk.stretch} AND held.device_id = ${walk.id} AND ${filter.text}`,
    [...walk.driving, ...start, ...(end ?? []), ...walk.filtering, ...filter.values],
  )
  return tallyOf(await first(queries, query, values), end === undefined ? null : cursorOf(walk.name, end))
}

const NO_DEVICES = { text: '0', values: [] } as const

/** Counts each device at the first of its certificates that is meant. */
function firstOfDevice(conditions: Parameters<typeof certificateFilter>[0], alias: string) {
  const earlier = certificateFilter(conditions, 'earlier')
  return {
    text: `CASE WHEN EXISTS (SELECT 1 FROM certificate AS earlier WHERE earlier.device_id = ${alias}.device_id
      AND earlier.audit_index < ${alias}.audit_index AND ${earlier.text}) THEN 0 ELSE 1 END`,
    values: earlier.values,
  }
}

/** As `isInShare` has it. */
const hashed = (alias: string) => `((${alias}.audit_index % ${SHARE_OF_ALL}) * ${SHARE_MULTIPLIER}) % ${SHARE_OF_ALL}`

function tallyOf(row: Row | undefined, next: string | null): CertificateTally {
  const sampled = row === undefined ? null : nullable(textOf, row, 'sampled')
  return {
    certificates: row === undefined ? 0 : integerOf(row, 'certificates'),
    devices: Number(row?.['devices'] ?? 0),
    lastExpiry: row === undefined ? null : nullable(integerOf, row, 'last_expiry'),
    sampled: sampled === null ? [] : sampled.split(',').map(Number),
    next,
  }
}
