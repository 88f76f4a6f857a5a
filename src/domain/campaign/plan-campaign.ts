// Writes a campaign down: what it is, and each of its devices with its wave. From then on it does what its preview showed; devices that come
// to fit the query later belong to another campaign.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { Profile } from '../ca/profile.ts'
import { type AuthorityId, type DeviceId, newCampaignId } from '../ids.ts'
import type { Clock, Random, Store } from '../ports.ts'
import { PAGE, selected } from './blast-radius.ts'
import type { Campaign, CampaignTarget } from './campaign.ts'
import type { CampaignDefinition } from './definition.ts'
import { waveOf } from './next-step.ts'

export interface PlanningPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly authorities: {
    /** Throws `profile.not_found`. */
    profile(name: string): Promise<Profile>
    /** The authority that issues under the profile now. Throws `authority.not_found` and the like. */
    issuerOf(profile: Profile): Promise<AuthorityId>
  }
  /** Told the devices written down so far. */
  readonly progress?: (devices: number) => void
}

/**
 * Plans the campaign; it asks nothing of anybody until it is started. Throws `campaign.exists`, `campaign.empty`, what `checkTarget` throws.
 * Killed on the way, it leaves a campaign without devices, which cannot be started and may be cancelled.
 */
export async function planCampaign(
  definition: CampaignDefinition,
  actor: AuditEntry['actor'],
  ports: PlanningPorts,
): Promise<Campaign> {
  const { store, clock, random } = ports
  await checkTarget(definition.target, ports)
  const [first] = (await store.read.selectDevices(definition.query, { limit: 1 })).items
  if (first === undefined) {
    throw new TouchmarkError('campaign.empty', 'conflict', 'No device fits the query.', {
      next: 'Look at what fits with: touchmark campaign preview',
    })
  }
  const now = clock.now()
  const draft: Campaign = {
    id: newCampaignId(now, random),
    name: definition.name,
    query: definition.query,
    target: definition.target,
    pace: definition.pace,
    state: 'planned',
    stateReason: null,
    devices: 0,
    waves: 0,
    wave: 0,
    createdAt: now,
    startedAt: null,
    finishedAt: null,
    hour: null,
    revision: 1,
  }
  const entry = (devices: number): AuditEntry => ({
    at: now,
    actor,
    action: 'campaign.planned',
    outcome: 'done',
    subject: { name: draft.name },
    detail: { campaign: draft.id, devices },
  })
  await store.commit({ writes: [{ kind: 'campaign.insert', campaign: draft }], audit: [entry(0)] })
  const devices = await writeDevices(draft, ports)
  const planned = { ...draft, devices, waves: waveOf(devices - 1, draft.pace) + 1, revision: 2 }
  await store.commit({
    writes: [{ kind: 'campaign.update', campaign: planned, from: draft.revision }],
    audit: [entry(devices)],
  })
  return planned
}

async function writeDevices(campaign: Campaign, { store, progress }: PlanningPorts): Promise<number> {
  let place = 0
  let chunk: DeviceId[] = []
  let wave = 0
  const flush = async () => {
    if (chunk.length === 0) return
    const at = campaign.createdAt
    await store.commit({
      writes: [{ kind: 'campaign.devices', id: campaign.id, wave, deviceIds: chunk, at }],
      audit: [],
    })
    chunk = []
    progress?.(place)
  }
  for await (const { deviceId } of selected(campaign.query, store.read)) {
    const next = waveOf(place, campaign.pace)
    if (next !== wave || chunk.length === PAGE) await flush()
    wave = next
    chunk.push(deviceId)
    place++
  }
  await flush()
  return place
}

/**
 * Whether the target can come true at all. Throws `profile.not_found`, `profile.not_for_devices`, `campaign.algorithm_not_allowed`,
 * `campaign.authority_not_issuing`: a profile chooses its authority, so that has to be changed first.
 */
export async function checkTarget(
  target: Pick<CampaignTarget, 'profile' | 'newProfile' | 'keyAlgorithm' | 'authorityId'>,
  { authorities }: Pick<PlanningPorts, 'authorities'>,
): Promise<void> {
  const profile = await authorities.profile(target.newProfile ?? target.profile)
  if (profile.holder !== 'device') {
    throw new TouchmarkError('profile.not_for_devices', 'forbidden', `The profile ${profile.name} is not for devices.`)
  }
  const { keyAlgorithm, authorityId } = target
  if (keyAlgorithm !== null && !profile.keyAlgorithms.includes(keyAlgorithm)) {
    throw new TouchmarkError(
      'campaign.algorithm_not_allowed',
      'conflict',
      `The profile ${profile.name} does not allow ${keyAlgorithm}.`,
      { next: `Allow it first: touchmark profile show ${profile.name}, then touchmark profile add.` },
    )
  }
  if (authorityId === null) return
  const issuing = await authorities.issuerOf(profile)
  if (issuing === authorityId) return
  throw new TouchmarkError(
    'campaign.authority_not_issuing',
    'conflict',
    `Certificates under ${profile.name} come from ${issuing}, not from ${authorityId}.`,
    { next: 'Change the authority of the profile first, or name a profile whose authority it is.' },
  )
}
