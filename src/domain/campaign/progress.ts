// Where a campaign stands: counts by wave, what it waits for, which devices hang and why. The counts are kept with each move, so that asking
// costs the same for ten devices and for ten million.
import type { UnixSeconds } from '../ids.ts'
import { type WhyPorts, whyItHangs } from './advance-campaigns.ts'
import {
  type Campaign,
  type CampaignCount,
  type CampaignDevice,
  type CampaignDeviceState,
  isOnTheWay,
} from './campaign.ts'
import { nextStep, type Step, tallyOf } from './next-step.ts'

export interface CampaignProgress {
  readonly campaign: Campaign
  readonly at: UnixSeconds
  readonly total: Readonly<Record<CampaignDeviceState, number>>
  readonly waves: readonly { readonly wave: number; readonly total: Readonly<Record<CampaignDeviceState, number>> }[]
  /** What a running campaign does next; `null` for one that is not running. */
  readonly next: Step | null
  /** Who was asked longest ago and has not followed. */
  readonly hanging: readonly HangingDevice[]
  /** Who failed last, with the reason. */
  readonly failed: readonly HangingDevice[]
}

export interface HangingDevice extends Pick<CampaignDevice, 'deviceId' | 'wave' | 'stateChangedAt'> {
  readonly model: string
  readonly serialNumber: string
  /** A stable code; empty where there is nothing to explain. */
  readonly reason: string
}

/** Devices named in one answer; the rest are counted. */
export const HANGING_SHOWN = 20

/** The campaign as it stands now. */
export async function campaignProgress(
  campaign: Campaign,
  now: UnixSeconds,
  ports: WhyPorts,
): Promise<CampaignProgress> {
  const { read } = ports.store
  const page = { limit: HANGING_SHOWN }
  const [counts, asked, goingBack, failed] = await Promise.all([
    read.campaignCounts(campaign.id),
    read.campaignDevices(campaign.id, { state: 'asked' }, page),
    read.campaignDevices(campaign.id, { state: 'going_back' }, page),
    read.campaignDevices(campaign.id, { state: 'failed' }, page),
  ])
  return {
    campaign,
    at: now,
    total: tallyOf(counts),
    waves: wavesOf(counts).map(wave => ({ wave, total: tallyOf(counts, wave) })),
    next: campaign.state === 'running' ? nextStep(campaign, counts, now) : null,
    hanging: await namedDevices(campaign, [...asked.items, ...goingBack.items].slice(0, HANGING_SHOWN), ports),
    failed: await namedDevices(campaign, failed.items, ports),
  }
}

/** Devices of a campaign with their names, and why they stand where they stand. */
export function namedDevices(
  campaign: Campaign,
  devices: readonly CampaignDevice[],
  ports: WhyPorts,
): Promise<HangingDevice[]> {
  return Promise.all(devices.map(device => named(campaign, device, ports)))
}

async function named(campaign: Campaign, device: CampaignDevice, ports: WhyPorts): Promise<HangingDevice> {
  const registered = await ports.store.read.device(device.deviceId)
  return {
    deviceId: device.deviceId,
    wave: device.wave,
    stateChangedAt: device.stateChangedAt,
    model: registered?.model ?? '',
    serialNumber: registered?.serialNumber ?? '',
    reason: device.reason ?? (isOnTheWay(device.state) ? await whyItHangs(campaign, device, ports) : ''),
  }
}

function wavesOf(counts: readonly CampaignCount[]): number[] {
  return [...new Set(counts.map(count => count.wave))].sort((a, b) => a - b)
}
