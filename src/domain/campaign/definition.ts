// What a person writes to make a campaign: JSON, checked whole. Playbooks and the command line write the same.
import { z } from 'zod'
import { type KeyAlgorithmName, keyAlgorithms } from '../../crypto/algorithms.ts'
import type { DeviceQuery } from '../device/device-query.ts'
import { authorityId, batchId } from '../ids.ts'
import { parseDocument } from '../parse-document.ts'
import type { CampaignPace, CampaignTarget } from './campaign.ts'

const algorithm = z.enum(keyAlgorithms.map(row => row.name) as [KeyAlgorithmName, ...KeyAlgorithmName[]])
const name = z.string().min(1).max(128)
const seconds = z.int().min(0).max(253_402_300_799)

const querySchema = z.strictObject({
  states: z
    .array(z.enum(['manufactured', 'shipped', 'active', 'suspended']))
    .min(1)
    .optional(),
  model: name.optional(),
  batch: z
    .string()
    .regex(/^[0-9a-f]{32}$/, 'must be the id of a batch, 32 hexadecimal digits')
    .transform(batchId)
    .optional(),
  owner: name.optional(),
  site: name.optional(),
  labels: z.record(z.string().min(1).max(64), z.string().max(256)).optional(),
  authority: name.transform(authorityId).optional(),
  keyAlgorithm: algorithm.optional(),
  expiresBefore: seconds.optional(),
  firmware: name.optional(),
  seenAfter: seconds.optional(),
  notSeenAfter: seconds.optional(),
})

const minute = z.int().min(0).max(1439)

const definitionSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/, 'must be small letters, digits, - and ., at most 64'),
    devices: querySchema.default({}).describe('Which devices: every condition must hold.'),
    target: z
      .strictObject({
        profile: name.default('ldevid').describe('The credentials that are renewed.'),
        newKey: z.boolean().default(false),
        keyAlgorithm: algorithm.nullable().default(null),
        newProfile: name.nullable().default(null),
        authority: name.transform(authorityId).nullable().default(null),
      })
      .describe('What shall be true of them afterwards.'),
    pace: z
      .strictObject({
        canary: z.int().min(0).max(1_000_000).default(10),
        waveSize: z.int().min(1).max(10_000_000).default(1000),
        patienceSeconds: z
          .int()
          .min(1)
          .max(366 * 86_400)
          .default(86_400),
        perHour: z.int().min(1).max(100_000_000).nullable().default(null),
        quiet: z.strictObject({ fromMinute: minute, untilMinute: minute }).nullable().default(null),
        stopAtFailureShare: z.number().min(0).max(1).default(0.05),
      })
      .default({
        canary: 10,
        waveSize: 1000,
        patienceSeconds: 86_400,
        perHour: null,
        quiet: null,
        stopAtFailureShare: 0.05,
      }),
  })
  .superRefine(({ target }, context) => {
    if (!target.newKey && target.keyAlgorithm === null && target.newProfile === null && target.authority === null) {
      context.addIssue({
        code: 'custom',
        path: ['target'],
        message: 'must ask for at least one of newKey, keyAlgorithm, newProfile and authority',
      })
    }
    if (target.newProfile === target.profile) {
      context.addIssue({ code: 'custom', path: ['target', 'newProfile'], message: 'is the profile that they have' })
    }
  })

/** A campaign as a person writes it. */
export type CampaignDefinitionInput = z.input<typeof definitionSchema>

export interface CampaignDefinition {
  readonly name: string
  /** Names the profile of `target` too: a campaign is about credentials. */
  readonly query: DeviceQuery & { readonly profile: string }
  readonly target: CampaignTarget
  readonly pace: CampaignPace
}

/** Throws `campaign.definition_invalid` with every problem and its path. */
export function parseCampaignDefinition(json: unknown): CampaignDefinition {
  const { name, devices, target, pace } = parseDocument(
    definitionSchema,
    json,
    'campaign.definition_invalid',
    'campaign',
  )
  const { authority, ...wishes } = target
  return {
    name,
    query: { ...compact(devices), profile: target.profile },
    // An algorithm is changed with the key, always.
    target: { ...wishes, newKey: target.newKey || target.keyAlgorithm !== null, authorityId: authority },
    pace,
  }
}

/** JSON Schema (draft 2020-12) of a campaign, for editors and for documentation. */
export function campaignJsonSchema(): unknown {
  return z.toJSONSchema(definitionSchema, { io: 'input', unrepresentable: 'any' })
}

/** Without the conditions that are not there: the store looks at what a query has. */
function compact(query: z.output<typeof querySchema>): DeviceQuery {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as DeviceQuery
}
