// Which devices, as parameters of a query: the conditions of DeviceQuery, each of which must hold.
import { z } from 'zod'
import { narrowGroup, queryAt, readGroup, type StandingQuery } from '../../domain/device/device-group.ts'
import type { DeviceQuery } from '../../domain/device/device-query.ts'
import { authorityId, batchId, type UnixSeconds } from '../../domain/ids.ts'
import type { StoreReader } from '../../domain/ports.ts'
import { durationSeconds, hexId, nameText } from './endpoint.ts'
import { InvalidRequest } from './read-request.ts'
import { deviceState, keyAlgorithmName } from './views.ts'

export const deviceConditions = {
  group: nameText.optional().meta({ description: 'Of this saved group, and of whatever else is asked.' }),
  state: z.array(deviceState).min(1).max(6).optional().meta({ description: 'In one of these states.' }),
  model: nameText.optional(),
  batch: hexId('a batch').optional(),
  owner: nameText.optional(),
  site: nameText.optional(),
  label: z
    .array(z.string().regex(/^[^=]{1,64}=.{1,256}$/su, 'must be NAME=VALUE'))
    .max(16)
    .optional()
    .meta({ description: 'With this label, as NAME=VALUE; may be given again.' }),
  profile: nameText.optional().meta({ description: 'With a credential of this profile.' }),
  authority: nameText.optional().meta({ description: 'With a credential from this authority.' }),
  keyAlgorithm: keyAlgorithmName.optional(),
  firmware: nameText.optional().meta({ description: 'That reported this firmware.' }),
  expiresWithin: durationSeconds.optional().meta({ description: 'With a credential that ends within these seconds.' }),
  seenWithin: durationSeconds.optional().meta({ description: 'That reported within these seconds.' }),
  notSeenFor: durationSeconds.optional().meta({ description: 'That has not reported for these seconds, or never.' }),
} as const

export type DeviceConditions = z.output<z.ZodObject<typeof deviceConditions>>

/** The query that the conditions mean. Throws `group.not_found`, `group.condition_differs`, `api.request_invalid`. */
export async function deviceQueryOf(
  conditions: DeviceConditions,
  now: UnixSeconds,
  read: Pick<StoreReader, 'document'>,
): Promise<DeviceQuery> {
  const own = standingQueryOf(conditions)
  if (conditions.group === undefined) return queryAt(own, now)
  return queryAt(narrowGroup((await readGroup(conditions.group, read)).query, own), now)
}

function standingQueryOf(asked: DeviceConditions): StandingQuery {
  const query = {
    states: asked.state,
    model: asked.model,
    batch: asked.batch === undefined ? undefined : batchId(asked.batch),
    owner: asked.owner,
    site: asked.site,
    labels: asked.label && labelsOf(asked.label),
    profile: asked.profile,
    authority: asked.authority === undefined ? undefined : authorityId(asked.authority),
    keyAlgorithm: asked.keyAlgorithm,
    firmware: asked.firmware,
    expiresWithinSeconds: asked.expiresWithin,
    seenWithinSeconds: asked.seenWithin,
    notSeenForSeconds: asked.notSeenFor,
  }
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as StandingQuery
}

function labelsOf(texts: readonly string[]): Record<string, string> {
  const labels = new Map<string, string>()
  for (const text of texts) {
    const at = text.indexOf('=')
    const name = text.slice(0, at)
    const value = text.slice(at + 1)
    if (labels.has(name) && labels.get(name) !== value) {
      throw new InvalidRequest([{ in: 'query', path: 'label', message: `cannot have two values of ${name}` }])
    }
    labels.set(name, value)
  }
  return Object.fromEntries(labels)
}
