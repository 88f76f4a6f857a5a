// Campaigns: previewed, planned, started, watched, paused, ended and rolled back; and the playbooks that lead to one.
import { z } from 'zod'
import type { AuthorityDirectory } from '../../domain/ca/authorities.ts'
import { type BlastRadius, blastRadius } from '../../domain/campaign/blast-radius.ts'
import type { Campaign } from '../../domain/campaign/campaign.ts'
import {
  cancelCampaign,
  findCampaign,
  pauseCampaign,
  resumeCampaign,
  rollBackCampaign,
  startCampaign,
} from '../../domain/campaign/control-campaign.ts'
import { parseCampaignDefinition } from '../../domain/campaign/definition.ts'
import { planCampaign } from '../../domain/campaign/plan-campaign.ts'
import {
  compromisedBatch,
  compromisedDevice,
  endedAlgorithm,
  type Playbook,
  replacedAuthority,
} from '../../domain/campaign/playbooks.ts'
import { campaignProgress, type HangingDevice, namedDevices } from '../../domain/campaign/progress.ts'
import { queryAt, standingQuerySchema } from '../../domain/device/device-group.ts'
import { authorityId, batchId } from '../../domain/ids.ts'
import type { Clock, Random, Store } from '../../domain/ports.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { documentBody, MAX_DOCUMENT } from './documents.ts'
import { type AnyCall, type Endpoint, endpoint, nameText, timestampText } from './endpoint.ts'
import { keyAlgorithmName, optionalTimestamp } from './views.ts'

export interface CampaignPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly authorities: AuthorityDirectory
}

const DEVICE_STATES = ['planned', 'asked', 'done', 'failed', 'skipped', 'going_back', 'back'] as const
const counts = z.object(Object.fromEntries(DEVICE_STATES.map(state => [state, z.int()])) as Record<string, z.ZodInt>)

const campaignSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    state: z.enum([
      'planned',
      'running',
      'paused',
      'finished',
      'cancelling',
      'cancelled',
      'rolling_back',
      'rolled_back',
    ]),
    stateReason: z.string().nullable(),
    query: z.record(z.string(), z.unknown()),
    target: z.object({
      profile: z.string(),
      newKey: z.boolean(),
      keyAlgorithm: keyAlgorithmName.nullable(),
      newProfile: z.string().nullable(),
      authorityId: z.string().nullable(),
    }),
    pace: z.object({
      canary: z.int(),
      waveSize: z.int(),
      patienceSeconds: z.int(),
      perHour: z.int().nullable(),
      quiet: z.object({ fromMinute: z.int(), untilMinute: z.int() }).nullable(),
      stopAtFailureShare: z.number(),
    }),
    devices: z.int(),
    wave: z.int(),
    waves: z.int(),
    createdAt: timestampText,
    startedAt: timestampText.nullable(),
    finishedAt: timestampText.nullable(),
  })
  .meta({ id: 'Campaign' })

const campaignView = (campaign: Campaign): z.input<typeof campaignSchema> => ({
  id: campaign.id,
  name: campaign.name,
  state: campaign.state,
  stateReason: campaign.stateReason,
  query: { ...campaign.query },
  target: { ...campaign.target },
  pace: { ...campaign.pace, quiet: campaign.pace.quiet && { ...campaign.pace.quiet } },
  devices: campaign.devices,
  wave: campaign.wave,
  waves: campaign.waves,
  createdAt: timestamp(campaign.createdAt),
  startedAt: optionalTimestamp(campaign.startedAt),
  finishedAt: optionalTimestamp(campaign.finishedAt),
})

const hangingSchema = z
  .object({
    deviceId: z.string(),
    serialNumber: z.string(),
    model: z.string(),
    wave: z.int(),
    reason: z.string(),
    since: timestampText,
  })
  .meta({ id: 'HangingDevice' })

const hangingView = ({ deviceId, serialNumber, model, wave, reason, stateChangedAt }: HangingDevice) => ({
  deviceId,
  serialNumber,
  model,
  wave,
  reason,
  since: timestamp(stateChangedAt),
})

const progressSchema = z
  .object({
    campaign: campaignSchema,
    at: timestampText,
    total: counts,
    waves: z.array(z.object({ wave: z.int(), total: counts })),
    next: z.record(z.string(), z.unknown()).nullable().meta({ description: 'What a running campaign does next.' }),
    hanging: z.array(hangingSchema).meta({ description: 'Who was asked longest ago and has not followed.' }),
    failed: z.array(hangingSchema),
  })
  .meta({ id: 'CampaignProgress' })

export const radiusSchema = z
  .object({
    devices: z.int(),
    byState: z.record(z.string(), z.int()),
    byAuthority: z.record(z.string(), z.int()),
    byKeyAlgorithm: z.record(z.string(), z.int()),
    contact: z.object({ recent: z.int(), silent: z.int(), never: z.int() }),
    believedUntil: z.array(z.object({ withinDays: z.int().nullable(), credentials: z.int() })),
    lastExpiry: timestampText.nullable(),
  })
  .meta({ id: 'BlastRadius' })

export const radiusView = ({ lastExpiry, ...radius }: BlastRadius): z.input<typeof radiusSchema> => ({
  ...radius,
  byState: { ...radius.byState },
  byAuthority: { ...radius.byAuthority },
  byKeyAlgorithm: { ...radius.byKeyAlgorithm },
  contact: { ...radius.contact },
  believedUntil: radius.believedUntil.map(each => ({ ...each })),
  lastExpiry: optionalTimestamp(lastExpiry),
})

const name = { name: nameText }

export function campaignEndpoints(ports: CampaignPorts): Endpoint[] {
  const { store } = ports
  const { read } = store

  const control = (
    verb: 'start' | 'pause' | 'cancel' | 'roll-back',
    id: string,
    summary: string,
    move: (of: string, actor: AnyCall['actor'], at: CampaignPorts) => Promise<Campaign>,
  ) =>
    endpoint({
      method: 'POST',
      path: `/campaigns/:name/${verb}`,
      id,
      tag: 'Campaigns',
      summary,
      permission: 'campaign.write',
      params: name,
      answer: campaignSchema,
      async handle({ params, actor }) {
        return { body: campaignView(await move(params.name, actor, ports)) }
      },
    })

  return [
    endpoint({
      method: 'GET',
      path: '/campaigns',
      id: 'listCampaigns',
      tag: 'Campaigns',
      summary: 'Campaigns, newest first',
      permission: 'campaign.read',
      answer: campaignSchema,
      paged: true,
      async handle({ page }) {
        const { items, next } = await read.campaigns(page)
        return { body: { items: items.map(campaignView), next } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/campaigns/:name',
      id: 'showCampaign',
      tag: 'Campaigns',
      summary: 'Where a campaign stands, which devices hang, and why',
      permission: 'campaign.read',
      params: name,
      answer: progressSchema,
      async handle({ params, now }) {
        const found = await findCampaign(params.name, ports)
        const { campaign, at, total, waves, next, hanging, failed } = await campaignProgress(found, now, ports)
        return {
          body: {
            campaign: campaignView(campaign),
            at: timestamp(at),
            total: { ...total },
            waves: waves.map(each => ({ wave: each.wave, total: { ...each.total } })),
            next: next && { ...next },
            hanging: hanging.map(hangingView),
            failed: failed.map(hangingView),
          },
        }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/campaigns/:name/devices',
      id: 'listCampaignDevices',
      tag: 'Campaigns',
      summary: 'Every device of a campaign that is in one state',
      permission: 'campaign.read',
      params: name,
      query: { state: z.enum(DEVICE_STATES).default('failed') },
      answer: hangingSchema,
      paged: true,
      async handle({ params, query, page }) {
        const campaign = await findCampaign(params.name, ports)
        const { items, next } = await read.campaignDevices(campaign.id, { state: query.state }, page)
        return { body: { items: (await namedDevices(campaign, items, ports)).map(hangingView), next } }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/campaigns/preview',
      id: 'previewDevices',
      tag: 'Campaigns',
      summary: 'Count whom a query means: states, authorities, contact, and until when they are believed offline',
      permission: 'campaign.read',
      question: true,
      body: z.strictObject({ devices: standingQuerySchema }),
      answer: radiusSchema,
      async handle({ body, now }) {
        return { body: radiusView(await blastRadius(queryAt(body.devices, now), now, read)) }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/campaigns',
      id: 'createCampaign',
      tag: 'Campaigns',
      summary: 'Write a campaign down, with its devices; nothing is asked until it is started',
      permission: 'campaign.write',
      body: documentBody.meta({ description: 'As `touchmark campaign schema` has it: name, devices, target, pace.' }),
      maxBody: MAX_DOCUMENT,
      answer: campaignSchema,
      async handle({ body, actor }) {
        const campaign = await planCampaign(parseCampaignDefinition(body), actor, ports)
        return { body: campaignView(campaign), status: 201 }
      },
    }),
    control('start', 'startCampaign', 'Begin: the canary is asked', startCampaign),
    control('pause', 'pauseCampaign', 'Ask nobody more for now; who was asked may still renew', pauseCampaign),
    endpoint({
      method: 'POST',
      path: '/campaigns/:name/resume',
      id: 'resumeCampaign',
      tag: 'Campaigns',
      summary: 'Go on after a pause',
      permission: 'campaign.write',
      params: name,
      body: z
        .strictObject({
          stopAtFailureShare: z
            .number()
            .min(0)
            .max(1)
            .optional()
            .meta({ description: 'From now on, pause where a larger share of a wave fails.' }),
        })
        .default({}),
      answer: campaignSchema,
      async handle({ params, body, actor }) {
        return { body: campaignView(await resumeCampaign(params.name, actor, ports, body.stopAtFailureShare)) }
      },
    }),
    control('cancel', 'cancelCampaign', 'End it, and withdraw what was asked and not done yet', cancelCampaign),
    control(
      'roll-back',
      'rollBackCampaign',
      'Ask who followed to go back to the profile, algorithm and authority that it had',
      rollBackCampaign,
    ),
    endpoint({
      method: 'POST',
      path: '/campaigns/playbook',
      id: 'showPlaybook',
      tag: 'Campaigns',
      summary: 'What to do, and whom it meets, when something is no longer to be trusted',
      permission: 'campaign.read',
      question: true,
      body: z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('device'), serialNumber: nameText }),
        z.strictObject({ kind: z.literal('batch'), batch: z.string().regex(/^[0-9a-f]{32}$/), profile: nameText }),
        z.strictObject({
          kind: z.literal('authority'),
          authority: nameText,
          to: nameText,
          profile: nameText,
          compromised: z.boolean().default(false),
        }),
        z.strictObject({
          kind: z.literal('algorithm'),
          algorithm: keyAlgorithmName,
          to: keyAlgorithmName,
          profile: nameText,
        }),
      ]),
      answer: z.object({
        title: z.string(),
        preview: radiusSchema.nullable(),
        definition: z.record(z.string(), z.unknown()).nullable().meta({ description: 'For `POST /campaigns`.' }),
        steps: z.array(z.object({ what: z.string(), command: z.string().nullable() })),
      }),
      async handle({ body, now }) {
        const book = playbookOf(body)
        const definition = book.campaign && parseCampaignDefinition(book.campaign)
        return {
          body: {
            title: book.title,
            preview: definition && radiusView(await blastRadius(definition.query, now, read)),
            definition: book.campaign && { ...book.campaign },
            steps: book.steps.map(step => ({ ...step })),
          },
        }
      },
    }),
  ]
}

type PlaybookQuestion =
  | { readonly kind: 'device'; readonly serialNumber: string }
  | { readonly kind: 'batch'; readonly batch: string; readonly profile: string }
  | {
      readonly kind: 'authority'
      readonly authority: string
      readonly to: string
      readonly profile: string
      readonly compromised: boolean
    }
  | {
      readonly kind: 'algorithm'
      readonly algorithm: z.output<typeof keyAlgorithmName>
      readonly to: z.output<typeof keyAlgorithmName>
      readonly profile: string
    }

function playbookOf(asked: PlaybookQuestion): Playbook {
  switch (asked.kind) {
    case 'device':
      return compromisedDevice(asked.serialNumber)
    case 'batch':
      return compromisedBatch(batchId(asked.batch), campaignName(`batch-${asked.batch}`), asked.profile)
    case 'authority': {
      const from = authorityId(asked.authority)
      const called = campaignName(`authority-${asked.authority}`)
      return replacedAuthority(from, authorityId(asked.to), called, asked.profile, asked.compromised)
    }
    case 'algorithm':
      return endedAlgorithm(asked.algorithm, asked.to, campaignName(`algorithm-${asked.algorithm}`), asked.profile)
    default:
      return asked satisfies never
  }
}

/** As names of campaigns are spelled. */
function campaignName(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-')
    .slice(0, 64)
}
