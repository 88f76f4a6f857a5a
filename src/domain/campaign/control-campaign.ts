// An operator's word on a campaign: start, pause, resume, cancel, roll back. Each is one move with its audit entry; what the devices are
// told follows from the state (`advance-campaigns.ts`).
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { Clock, Store } from '../ports.ts'
import { type Campaign, type CampaignState, mayCampaignMove } from './campaign.ts'
import { checkTarget, type PlanningPorts } from './plan-campaign.ts'

export interface ControlPorts {
  readonly store: Store
  readonly clock: Clock
}

/** Throws `campaign.not_found`. */
export async function findCampaign(name: string, { store }: Pick<ControlPorts, 'store'>): Promise<Campaign> {
  const campaign = await store.read.campaignByName(name)
  if (campaign) return campaign
  throw new TouchmarkError('campaign.not_found', 'not_found', `There is no campaign ${name}.`, {
    next: 'List them with: touchmark campaign list',
  })
}

/** Throws `campaign.not_found`, `campaign.move_not_allowed`, `campaign.not_planned` (its planning was interrupted). */
export async function startCampaign(name: string, actor: AuditEntry['actor'], ports: ControlPorts): Promise<Campaign> {
  const campaign = await findCampaign(name, ports)
  if (campaign.state === 'planned' && campaign.devices === 0) {
    throw new TouchmarkError('campaign.not_planned', 'conflict', 'The planning of the campaign was interrupted.', {
      next: `Cancel it and create it again under another name: touchmark campaign cancel ${name}`,
    })
  }
  const startedAt = ports.clock.now()
  return moveCampaign(campaign, 'running', null, actor, ports, { startedAt: campaign.startedAt ?? startedAt })
}

/** Nothing more is asked of anybody; who was asked may still renew. */
export async function pauseCampaign(name: string, actor: AuditEntry['actor'], ports: ControlPorts): Promise<Campaign> {
  return moveCampaign(await findCampaign(name, ports), 'paused', 'campaign.paused_by_operator', actor, ports)
}

/**
 * Goes on after a pause. Where too many of the current wave failed, it would pause again at once: `toleratedShare` is the new share.
 */
export async function resumeCampaign(
  name: string,
  actor: AuditEntry['actor'],
  ports: ControlPorts,
  toleratedShare?: number,
): Promise<Campaign> {
  const campaign = await findCampaign(name, ports)
  const pace = toleratedShare === undefined ? campaign.pace : { ...campaign.pace, stopAtFailureShare: toleratedShare }
  return moveCampaign(campaign, 'running', null, actor, ports, { pace })
}

/** Ends it: asks nobody more, and withdraws the orders that stand. */
export async function cancelCampaign(name: string, actor: AuditEntry['actor'], ports: ControlPorts): Promise<Campaign> {
  return moveCampaign(await findCampaign(name, ports), 'cancelling', null, actor, ports)
}

/**
 * Asks who followed to go back to the profile and algorithm that it had. Throws `campaign.nothing_to_roll_back` where the campaign only made
 * new keys: an old key is not brought back; and what `checkTarget` throws where the way back is barred.
 */
export async function rollBackCampaign(
  name: string,
  actor: AuditEntry['actor'],
  ports: ControlPorts & Pick<PlanningPorts, 'authorities'>,
): Promise<Campaign> {
  const campaign = await findCampaign(name, ports)
  const { newProfile, keyAlgorithm, authorityId, profile } = campaign.target
  if (newProfile === null && keyAlgorithm === null && authorityId === null) {
    throw new TouchmarkError(
      'campaign.nothing_to_roll_back',
      'conflict',
      'The campaign only made new keys, and an old key is not brought back.',
    )
  }
  if (authorityId !== null && newProfile === null) {
    const issuing = await ports.authorities.issuerOf(await ports.authorities.profile(profile))
    if (issuing === authorityId) {
      throw new TouchmarkError(
        'campaign.authority_not_issuing',
        'conflict',
        `Certificates under ${profile} still come from ${authorityId}.`,
        { next: 'Set the authority of the profile back first; then roll back.' },
      )
    }
  }
  await checkTarget({ profile, newProfile: null, keyAlgorithm: null, authorityId: null }, ports)
  return moveCampaign(campaign, 'rolling_back', null, actor, ports, { finishedAt: null })
}

/** Moves the campaign, with its entry. Throws `campaign.move_not_allowed`; `campaign.changed` where somebody was faster. */
export async function moveCampaign(
  campaign: Campaign,
  to: CampaignState,
  stateReason: string | null,
  actor: AuditEntry['actor'],
  { store, clock }: ControlPorts,
  changes: Partial<Pick<Campaign, 'startedAt' | 'finishedAt' | 'pace'>> = {},
): Promise<Campaign> {
  const { state: from, name, revision } = campaign
  if (!mayCampaignMove(from, to)) {
    throw new TouchmarkError(
      'campaign.move_not_allowed',
      'conflict',
      `A campaign that is ${words(from)} cannot become ${words(to)}.`,
      { evidence: { name, from, to } },
    )
  }
  const moved: Campaign = { ...campaign, ...changes, state: to, stateReason, revision: revision + 1 }
  await store.commit({
    writes: [{ kind: 'campaign.update', campaign: moved, from: revision }],
    audit: [
      {
        at: clock.now(),
        actor,
        action: 'campaign.state_changed',
        outcome: 'done',
        subject: { name },
        detail: { campaign: campaign.id, from, to, ...(stateReason === null ? {} : { because: stateReason }) },
      },
    ],
  })
  return moved
}

function words(state: CampaignState): string {
  return state.replaceAll('_', ' ')
}
