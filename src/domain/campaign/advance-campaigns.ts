// Moves campaigns on: the job that asks devices, judges who did not follow, and ends what is done. Each step is a few small changes that
// state what they expect, so that two processes at it ask nobody twice; killed between two, it goes on where it was.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { mayEnrol } from '../device/device.ts'
import type { DeviceId, UnixSeconds } from '../ids.ts'
import type { ChangeSet, Write } from '../ports.ts'
import type { Credential, RenewalOrder, StandingOrder } from '../renewal/credential.ts'
import { orderWrites, withdrawCampaignWrites } from '../renewal/order-renewal.ts'
import type { Campaign, CampaignDevice, CampaignDeviceState, CampaignTarget } from './campaign.ts'
import { type ControlPorts, moveCampaign } from './control-campaign.ts'
import { countAsked, MAX_ASKED_AT_ONCE, nextStep, tallyOf } from './next-step.ts'

/** Who acts when a job does. */
const ACTOR: AuditEntry['actor'] = { kind: 'system', id: 'campaigns' }

/** Says of a campaign that rolls back that nobody who comes late is led forward any more: that is looked at once. */
const LATE_ORDERS_WITHDRAWN = 'campaign.late_orders_withdrawn'

/** One round over every campaign at work. A campaign that somebody else is moving is left to them. */
export async function advanceCampaigns(ports: ControlPorts, signal?: AbortSignal): Promise<void> {
  for (const campaign of await ports.store.read.campaignsAtWork()) {
    if (signal?.aborted) return
    await advanceCampaign(campaign, ports)
  }
}

/**
 * Takes one campaign as far as it goes now, in steps of at most `MAX_ASKED_AT_ONCE` devices; answers the campaign as it stands then. At most
 * `maxSteps`, so that one campaign does not hold up the others.
 */
export async function advanceCampaign(campaign: Campaign, ports: ControlPorts, maxSteps = 8): Promise<Campaign> {
  let current = campaign
  for (let step = 0; step < maxSteps; step++) {
    try {
      const next = await advanceOnce(current, ports)
      if (next === undefined) return current
      current = next
    } catch (thrown) {
      if (!(thrown instanceof TouchmarkError && thrown.code === 'campaign.changed')) throw thrown
      return (await ports.store.read.campaign(campaign.id)) ?? current
    }
  }
  return current
}

/** The campaign after one step, or `undefined` where nothing can be done now. */
async function advanceOnce(campaign: Campaign, ports: ControlPorts): Promise<Campaign | undefined> {
  switch (campaign.state) {
    case 'running':
      await judge(campaign, 'asked', ports)
      return run(campaign, ports)
    case 'paused':
      await judge(campaign, 'asked', ports)
      return undefined
    case 'cancelling':
      return withdraw(campaign, ['asked', 'going_back'], 'campaign.cancelled', 'cancelled', ports)
    case 'rolling_back':
      await judge(campaign, 'going_back', ports)
      return rollBack(campaign, ports)
    case 'planned':
    case 'finished':
    case 'cancelled':
    case 'rolled_back':
      return undefined
    default:
      return campaign.state satisfies never
  }
}

async function run(campaign: Campaign, ports: ControlPorts): Promise<Campaign | undefined> {
  const { store, clock } = ports
  const now = clock.now()
  const step = nextStep(campaign, await store.read.campaignCounts(campaign.id), now)
  switch (step.kind) {
    case 'wait':
      return undefined
    case 'pause':
      return moveCampaign(campaign, 'paused', 'campaign.too_many_failed', ACTOR, ports)
    case 'finish':
      return moveCampaign(campaign, 'finished', null, ACTOR, ports, { finishedAt: now })
    case 'next-wave':
      return update(campaign, { wave: step.wave }, ports)
    case 'ask': {
      const { items } = await store.read.campaignDevices(
        campaign.id,
        { state: 'planned', wave: step.wave },
        { limit: step.atMost },
      )
      // The hour's number is taken before the devices are asked: killed in between, the campaign is slower and never faster.
      const counted = await update(campaign, { hour: countAsked(campaign.hour, items.length, now) }, ports)
      await moveEach(items, device => askChange(counted, device, now, ports), ports)
      return counted
    }
    default:
      return step satisfies never
  }
}

async function update(
  campaign: Campaign,
  changes: Partial<Pick<Campaign, 'wave' | 'hour' | 'stateReason'>>,
  { store }: ControlPorts,
): Promise<Campaign> {
  const next = { ...campaign, ...changes, revision: campaign.revision + 1 }
  await store.commit({ writes: [{ kind: 'campaign.update', campaign: next, from: campaign.revision }], audit: [] })
  return next
}

/** Each device by itself: one that changed meanwhile is left for the next round. */
async function moveEach(
  devices: readonly CampaignDevice[],
  changeOf: (device: CampaignDevice) => Promise<ChangeSet>,
  { store }: ControlPorts,
): Promise<void> {
  await commitUnlessMet(await Promise.all(devices.map(changeOf)), { store })
}

/** Answers how many met somebody else's change, and were not written. */
async function commitUnlessMet(changes: readonly ChangeSet[], { store }: Pick<ControlPorts, 'store'>): Promise<number> {
  let met = 0
  for (const outcome of await store.commitEach(changes)) {
    if (!(outcome instanceof Error)) continue
    if (!(outcome instanceof TouchmarkError && outcome.kind === 'conflict')) throw outcome
    met++
  }
  return met
}

/** Fails the change where the campaign has moved on since: what was cancelled asks nobody. Changes nothing. */
function standingCampaign(campaign: Campaign): Write {
  return { kind: 'campaign.update', campaign, from: campaign.revision }
}

async function askChange(
  campaign: Campaign,
  device: CampaignDevice,
  now: UnixSeconds,
  { store }: ControlPorts,
): Promise<ChangeSet> {
  const { target } = campaign
  const [registered, credential, held] = await Promise.all([
    store.read.device(device.deviceId),
    store.read.credential(device.deviceId, target.profile),
    target.newProfile === null ? undefined : store.read.credential(device.deviceId, target.newProfile),
  ])
  const skipped = (reason: string) => moved(device, 'skipped', now, reason)
  if (registered === undefined || !mayEnrol(registered.state)) return skipped('campaign.device_not_active')
  if (credential === undefined) return skipped('campaign.no_credential')
  // What it holds there would end before its successor was seen.
  if (held !== undefined) return skipped('campaign.profile_held')
  if (isAsWanted(credential, target)) return skipped('campaign.already_so')
  if (credential.order !== null) return skipped('campaign.other_order')
  const { profile, authorityId, keyAlgorithm } = credential
  const order = orderOf(campaign, now, {
    newKey: target.newKey,
    keyAlgorithm: target.keyAlgorithm,
    profile: target.newProfile,
    authorityId: target.authorityId,
  })
  const { writes, audit } = orderWrites(credential, order, ACTOR)
  const move = moveWrite(device, 'asked', now, null, { profile, authorityId, keyAlgorithm })
  return { writes: [standingCampaign(campaign), ...writes, move], audit }
}

function isAsWanted(credential: Credential, target: CampaignTarget): boolean {
  // A new key is always something to do; the rest may be true already.
  return (
    !(target.newKey && target.keyAlgorithm === null) &&
    (target.newProfile === null || credential.profile === target.newProfile) &&
    (target.keyAlgorithm === null || credential.keyAlgorithm === target.keyAlgorithm) &&
    (target.authorityId === null || credential.authorityId === target.authorityId)
  )
}

function orderOf(
  { id, pace }: Campaign,
  now: UnixSeconds,
  wishes: Pick<RenewalOrder, 'newKey' | 'keyAlgorithm' | 'profile' | 'authorityId'>,
): RenewalOrder {
  return { reason: 'campaign', at: now, until: now + pace.patienceSeconds, campaignId: id, ...wishes }
}

/** Who was asked longer ago than the campaign's patience counts as failed, with the reason that we know. */
async function judge(campaign: Campaign, state: 'asked' | 'going_back', ports: ControlPorts): Promise<void> {
  const { store, clock } = ports
  const now = clock.now()
  for (;;) {
    const { items } = await store.read.campaignDevices(campaign.id, { state }, { limit: MAX_ASKED_AT_ONCE })
    const late = items.filter(device => device.stateChangedAt + campaign.pace.patienceSeconds <= now)
    if (late.length === 0) return
    await moveEach(late, async device => moved(device, 'failed', now, await whyItHangs(campaign, device, ports)), ports)
    if (late.length < items.length || items.length < MAX_ASKED_AT_ONCE) return
  }
}

export interface WhyPorts {
  readonly store: Pick<ControlPorts['store'], 'read'>
}

/** Why a device that was asked has not followed: a stable code. */
export async function whyItHangs(
  campaign: Pick<Campaign, 'target'>,
  device: Pick<CampaignDevice, 'deviceId' | 'stateChangedAt'>,
  { store }: WhyPorts,
): Promise<string> {
  const { profile, newProfile } = campaign.target
  const [registered, credential, moved, health] = await Promise.all([
    store.read.device(device.deviceId),
    store.read.credential(device.deviceId, profile),
    newProfile === null ? undefined : store.read.credential(device.deviceId, newProfile),
    store.read.health(device.deviceId),
  ])
  if (registered === undefined || !mayEnrol(registered.state)) return 'campaign.device_not_active'
  const failure = (credential ?? moved)?.lastFailure
  if (failure && failure.at >= device.stateChangedAt) return failure.code
  if (health === undefined || health.at < device.stateChangedAt) return 'campaign.no_contact'
  return health.lastError ?? 'campaign.not_renewed'
}

/** Takes back every order of the campaign; moves it on when none is left. */
async function withdraw(
  campaign: Campaign,
  states: readonly CampaignDeviceState[],
  reason: string,
  to: 'cancelled',
  ports: ControlPorts,
): Promise<Campaign | undefined> {
  const { store, clock } = ports
  const now = clock.now()
  for (const state of states) {
    const { items } = await store.read.campaignDevices(campaign.id, { state }, { limit: MAX_ASKED_AT_ONCE })
    if (items.length === 0) continue
    await moveEach(items, device => withdrawChange(campaign, device, now, reason, ports), ports)
    return campaign
  }
  if (!(await withdrawFromFailed(campaign, () => true, ports))) return undefined
  return moveCampaign(campaign, to, null, ACTOR, ports, { finishedAt: now })
}

async function withdrawChange(
  campaign: Campaign,
  device: CampaignDevice,
  now: UnixSeconds,
  reason: string,
  { store }: ControlPorts,
): Promise<ChangeSet> {
  const credential = await credentialUnderOrder(campaign, device.deviceId, { store })
  const change = moved(device, 'skipped', now, reason)
  if (credential === undefined) return change
  const { writes, audit } = withdrawCampaignWrites(credential, campaign.target, ACTOR, now)
  return { writes: [...writes, ...change.writes], audit: [...audit, ...change.audit] }
}

/**
 * Who failed was asked, and would follow late: the order is taken back there too, where `ends` says so, and the device stays failed. Answers
 * whether none of these orders stands any more; where somebody else changed a credential in this moment, the next round finds it.
 */
async function withdrawFromFailed(
  campaign: Campaign,
  ends: (order: StandingOrder) => boolean,
  { store, clock }: ControlPorts,
): Promise<boolean> {
  const now = clock.now()
  let settled = true
  let after: string | undefined
  for (;;) {
    const page = { limit: MAX_ASKED_AT_ONCE, ...(after === undefined ? {} : { after }) }
    const { items, next } = await store.read.campaignDevices(campaign.id, { state: 'failed' }, page)
    const credentials = await Promise.all(
      items.map(({ deviceId }) => credentialUnderOrder(campaign, deviceId, { store })),
    )
    const changes = credentials
      .filter(credential => credential !== undefined && ends(credential.order!))
      .map(credential => withdrawCampaignWrites(credential!, campaign.target, ACTOR, now))
    if (changes.length > 0 && (await commitUnlessMet(changes, { store })) > 0) settled = false
    if (next === null) return settled
    after = next
  }
}

/** Whether an order asks for what the campaign wants, and not for the way back. */
function leadsToTarget(order: StandingOrder, { newProfile, keyAlgorithm, authorityId }: CampaignTarget): boolean {
  return (
    (newProfile === null || order.profile === newProfile) &&
    (keyAlgorithm === null || order.keyAlgorithm === keyAlgorithm) &&
    (authorityId === null || order.authorityId === authorityId)
  )
}

/** The device's credential that still carries an order of this campaign. */
async function credentialUnderOrder(
  campaign: Campaign,
  deviceId: DeviceId,
  { store }: Pick<ControlPorts, 'store'>,
): Promise<Credential | undefined> {
  const credentials = await store.read.credentialsOfDevice(deviceId)
  return credentials.find(credential => credential.order?.campaignId === campaign.id)
}

/** Who followed is asked to go back, who was asked is asked no more; ends when nobody is left on the way. */
async function rollBack(campaign: Campaign, ports: ControlPorts): Promise<Campaign | undefined> {
  const { store, clock } = ports
  const now = clock.now()
  const asked = await store.read.campaignDevices(campaign.id, { state: 'asked' }, { limit: MAX_ASKED_AT_ONCE })
  if (asked.items.length > 0) {
    await moveEach(asked.items, device => withdrawChange(campaign, device, now, 'campaign.rolled_back', ports), ports)
    return campaign
  }
  if (campaign.stateReason !== LATE_ORDERS_WITHDRAWN) {
    const isForward = (order: StandingOrder) => leadsToTarget(order, campaign.target)
    if (!(await withdrawFromFailed(campaign, isForward, ports))) return undefined
    return update(campaign, { stateReason: LATE_ORDERS_WITHDRAWN }, ports)
  }
  const done = await store.read.campaignDevices(campaign.id, { state: 'done' }, { limit: MAX_ASKED_AT_ONCE })
  if (done.items.length > 0) {
    await moveEach(done.items, device => goBackChange(campaign, device, now, ports), ports)
    return campaign
  }
  const { going_back: going } = tallyOf(await store.read.campaignCounts(campaign.id))
  if (going > 0) return undefined
  return moveCampaign(campaign, 'rolled_back', null, ACTOR, ports, { finishedAt: now })
}

async function goBackChange(
  campaign: Campaign,
  device: CampaignDevice,
  now: UnixSeconds,
  { store }: ControlPorts,
): Promise<ChangeSet> {
  const { target } = campaign
  const [registered, credential] = await Promise.all([
    store.read.device(device.deviceId),
    store.read.credential(device.deviceId, target.newProfile ?? target.profile),
  ])
  const stays = (reason: string) => moved(device, 'failed', now, reason)
  if (registered === undefined || !mayEnrol(registered.state)) return stays('campaign.device_not_active')
  if (credential === undefined || device.before === null) return stays('campaign.no_credential')
  if (credential.order !== null) return stays('campaign.other_order')
  const { before } = device
  const leaves = before.profile !== credential.profile
  if (leaves && (await store.read.credential(device.deviceId, before.profile))) return stays('campaign.profile_held')
  const order = orderOf(campaign, now, {
    newKey: before.keyAlgorithm !== credential.keyAlgorithm,
    keyAlgorithm: before.keyAlgorithm === credential.keyAlgorithm ? null : before.keyAlgorithm,
    profile: before.profile === credential.profile ? null : before.profile,
    authorityId: before.authorityId === credential.authorityId ? null : before.authorityId,
  })
  const { writes, audit } = orderWrites(credential, order, ACTOR)
  return { writes: [standingCampaign(campaign), ...writes, moveWrite(device, 'going_back', now, null)], audit }
}

/** A device that moves without an order: the reason is in the log, because nothing else would tell. */
function moved(device: CampaignDevice, to: CampaignDeviceState, at: UnixSeconds, reason: string): ChangeSet {
  return {
    writes: [moveWrite(device, to, at, reason)],
    audit: [
      {
        at,
        actor: ACTOR,
        action: 'campaign.device_settled',
        outcome: 'done',
        subject: { deviceId: device.deviceId },
        detail: { campaign: device.campaignId, state: to, reason },
      },
    ],
  }
}

function moveWrite(
  device: CampaignDevice,
  to: CampaignDeviceState,
  at: UnixSeconds,
  reason: string | null,
  before?: CampaignDevice['before'],
): Extract<Write, { kind: 'campaign.device' }> {
  const { campaignId: id, deviceId, wave, state: from } = device
  return {
    kind: 'campaign.device',
    id,
    deviceId,
    wave,
    from,
    to,
    at,
    reason,
    ...(before === undefined ? {} : { before }),
  }
}
