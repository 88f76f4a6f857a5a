// A campaign: which devices, what shall become true of them, and how fast. Its devices are written down when it is planned, so that what
// it does is what its preview showed.
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { DeviceQuery } from '../device/device-query.ts'
import type { AuthorityId, CampaignId, DeviceId, UnixSeconds } from '../ids.ts'

export type CampaignState =
  | 'planned'
  | 'running'
  /** By an operator, or by a stop condition: `stateReason` says which. */
  | 'paused'
  | 'finished'
  /** Withdraws the orders that stand. */
  | 'cancelling'
  | 'cancelled'
  /** Asks the devices that are done to go back. */
  | 'rolling_back'
  | 'rolled_back'

/** What shall become true of the credential under `profile`. */
export interface CampaignTarget {
  /** The credentials that the campaign renews. */
  readonly profile: string
  readonly newKey: boolean
  readonly keyAlgorithm: KeyAlgorithmName | null
  readonly newProfile: string | null
  readonly authorityId: AuthorityId | null
}

export interface CampaignPace {
  /** Devices of the first wave, 0 for none; every other wave waits until it is judged. */
  readonly canary: number
  /** Devices of each later wave. */
  readonly waveSize: number
  /** A device that has not followed so long after it was asked counts as failed; it may still follow later. */
  readonly patienceSeconds: number
  /** Devices asked in an hour, at most; `null`: as the waves go. */
  readonly perHour: number | null
  /** Nothing is asked between these minutes of the day (UTC); `null`: at any time. From may be later than until. */
  readonly quiet: { readonly fromMinute: number; readonly untilMinute: number } | null
  /** The campaign pauses where more than this share of a wave's judged devices failed: 0 to 1. */
  readonly stopAtFailureShare: number
}

export interface Campaign {
  readonly id: CampaignId
  /** As people call it; unique. */
  readonly name: string
  readonly query: DeviceQuery
  readonly target: CampaignTarget
  readonly pace: CampaignPace
  readonly state: CampaignState
  readonly stateReason: string | null
  readonly devices: number
  readonly waves: number
  /** The wave that is being asked; 0 is the first. */
  readonly wave: number
  readonly createdAt: UnixSeconds
  readonly startedAt: UnixSeconds | null
  readonly finishedAt: UnixSeconds | null
  /** Devices asked in the hour that began at `since`: what `perHour` is held against. */
  readonly hour: { readonly since: UnixSeconds; readonly asked: number } | null
  /** Grows with each change; 1 at first. */
  readonly revision: number
}

export type CampaignDeviceState =
  | 'planned'
  | 'asked'
  | 'done'
  | 'failed'
  /** Not asked in the end: it was suspended or retired, or was as it shall be already. */
  | 'skipped'
  | 'going_back'
  | 'back'

export interface CampaignDevice {
  readonly campaignId: CampaignId
  readonly deviceId: DeviceId
  readonly wave: number
  readonly state: CampaignDeviceState
  readonly stateChangedAt: UnixSeconds
  /** A stable code: why it failed or was skipped. */
  readonly reason: string | null
  /** What it had when it was asked: where a roll-back leads. */
  readonly before: {
    readonly profile: string
    readonly authorityId: AuthorityId
    readonly keyAlgorithm: KeyAlgorithmName
  } | null
}

export interface CampaignCount {
  readonly wave: number
  readonly state: CampaignDeviceState
  readonly devices: number
}

const MOVES: Readonly<Record<CampaignState, readonly CampaignState[]>> = {
  planned: ['running', 'cancelling'],
  running: ['paused', 'finished', 'cancelling', 'rolling_back'],
  paused: ['running', 'cancelling', 'rolling_back'],
  // Who failed may still be under an order: it can be taken back when everything else is over.
  finished: ['rolling_back', 'cancelling'],
  cancelling: ['cancelled'],
  cancelled: ['rolling_back'],
  rolling_back: ['rolled_back', 'cancelling'],
  rolled_back: [],
}

/** Whether the campaign may move from one state to the other. */
export function mayCampaignMove(from: CampaignState, to: CampaignState): boolean {
  return MOVES[from].includes(to)
}

/** The device was asked, and has not answered by what it does. */
export function isOnTheWay(state: CampaignDeviceState): boolean {
  return state === 'asked' || state === 'going_back'
}
