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

const querySchema = z.strictObject({
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
  query: querySchema,
})

export type GroupConfig = z.input<typeof groupSchema>

/** A query that means the same on any day. */
export type StandingQuery = z.output<typeof querySchema>

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
