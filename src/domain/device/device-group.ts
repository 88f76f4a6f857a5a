// A saved query: who is in the group is asked anew each time, so that a device joins and leaves by what is true of it. A document of kind
// `group`, in versions. Times are written as spans before or after now, since a group outlives its day.
import { z } from 'zod'
import { TouchmarkError } from '../../core/errors.ts'
import { type KeyAlgorithmName, keyAlgorithms } from '../../crypto/algorithms.ts'
import type { DocumentVersion } from '../document.ts'
import { authorityId, batchId, type UnixSeconds } from '../ids.ts'
import { parseDocument } from '../parse-document.ts'
import type { StoreReader } from '../ports.ts'
import { DEVICE_STATES } from './device.ts'
import type { DeviceQuery } from './device-query.ts'

const text = z.string().min(1).max(256)
const seconds = z.int().min(0).max(3_155_760_000)

/** A query that means the same on any day, as people write it. */
export const standingQuerySchema = z.strictObject({
  states: z.array(z.enum(DEVICE_STATES)).min(1).optional(),
  model: text.optional(),
  batch: z
    .string()
    .regex(/^[0-9a-f]{32}$/, 'must be the id of a batch, 32 hexadecimal digits')
    .transform(batchId)
    .optional(),
  owner: text.optional(),
  site: text.optional(),
  labels: z.record(z.string().min(1).max(64), text).optional(),
  profile: text.optional(),
  authority: text.transform(authorityId).optional(),
  keyAlgorithm: z.enum(keyAlgorithms.map(({ name }) => name) as [KeyAlgorithmName, ...KeyAlgorithmName[]]).optional(),
  firmware: text.optional(),
  expiresWithinSeconds: seconds.optional(),
  seenWithinSeconds: seconds.optional(),
  notSeenForSeconds: seconds.optional(),
})

const groupSchema = z.strictObject({
  schema: z.literal(1),
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'lower-case letters, digits and . _ - (at most 64)'),
  description: z.string().max(500).default(''),
  query: standingQuerySchema,
})

export type GroupConfig = z.input<typeof groupSchema>

/** A query that means the same on any day. */
export type StandingQuery = z.output<typeof standingQuerySchema>

export interface DeviceGroup {
  readonly name: string
  readonly description: string
  readonly query: StandingQuery
}

/** Throws `group.invalid` with every problem. */
export function parseGroup(json: unknown): DeviceGroup {
  const { name, description, query } = parseDocument(groupSchema, json, 'group.invalid', 'group')
  return { name, description, query }
}

/** The document to store; throws `group.invalid` first where it would not be readable again. */
export function groupDocument(config: GroupConfig, version: number, createdAt: UnixSeconds): DocumentVersion {
  const { name } = parseGroup(config)
  return { kind: 'group', name, version, body: JSON.stringify(config, null, 2), createdAt }
}

/** The group in force. Throws `group.not_found`. */
export async function readGroup(name: string, read: Pick<StoreReader, 'document'>): Promise<DeviceGroup> {
  const document = await read.document('group', name)
  if (document !== undefined) return parseGroup(JSON.parse(document.body))
  throw new TouchmarkError('group.not_found', 'not_found', `There is no group ${name}.`, {
    next: 'List groups with: touchmark group list',
  })
}

/**
 * The devices of the group of which the other query is true as well: labels are put together, and what both speak of has to be the same.
 * Throws `group.condition_differs`.
 */
export function narrowGroup(group: StandingQuery, own: StandingQuery): StandingQuery {
  for (const name of Object.keys(own) as (keyof StandingQuery)[]) {
    if (name === 'labels' || group[name] === undefined || JSON.stringify(group[name]) === JSON.stringify(own[name]))
      continue
    throw conditionDiffers(`The group has a condition of its own on ${name}.`)
  }
  for (const [name, value] of Object.entries(own.labels ?? {})) {
    const before = group.labels?.[name]
    if (before !== undefined && before !== value)
      throw conditionDiffers(`The group wants another value of the label ${name}.`)
  }
  const labels = { ...group.labels, ...own.labels }
  return { ...group, ...own, ...(Object.keys(labels).length > 0 ? { labels } : {}) }
}

function conditionDiffers(message: string): TouchmarkError {
  return new TouchmarkError('group.condition_differs', 'malformed', message, {
    next: 'Leave that condition out, or save another group.',
  })
}

/** What the query means at `now`. */
export function queryAt(
  { expiresWithinSeconds, seenWithinSeconds, notSeenForSeconds, ...conditions }: StandingQuery,
  now: UnixSeconds,
): DeviceQuery {
  const all = {
    ...conditions,
    expiresBefore: expiresWithinSeconds === undefined ? undefined : now + expiresWithinSeconds,
    seenAfter: seenWithinSeconds === undefined ? undefined : now - seenWithinSeconds,
    notSeenAfter: notSeenForSeconds === undefined ? undefined : now - notSeenForSeconds,
  }
  // Without the conditions that are not there: the store looks at what a query has.
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as DeviceQuery
}
