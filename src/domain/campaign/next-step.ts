// What a campaign does next: a pure function of where it stands and the time. Waves are asked one after the other, each only when the one
// before is judged; the first is the canary. Nothing here reads or writes.
import type { UnixSeconds } from '../ids.ts'
import type { Campaign, CampaignCount, CampaignDeviceState, CampaignPace } from './campaign.ts'

export type Step =
  /** Ask at most so many planned devices of the wave. */
  | { readonly kind: 'ask'; readonly wave: number; readonly atMost: number }
  /** Nothing can be done before then; `null`: until a device answers or its patience ends. */
  | { readonly kind: 'wait'; readonly until: UnixSeconds | null; readonly because: WaitReason }
  | { readonly kind: 'next-wave'; readonly wave: number }
  /** Too many failed. */
  | { readonly kind: 'pause'; readonly failed: number; readonly of: number }
  | { readonly kind: 'finish' }

export type WaitReason = 'quiet_hours' | 'rate' | 'devices'

type Tally = Readonly<Record<CampaignDeviceState, number>>

/** Devices that may be asked by one step, so that a step stays one small change. */
export const MAX_ASKED_AT_ONCE = 500
const HOUR = 3600
const DAY_MINUTES = 1440

/** The next step of a running campaign. */
export function nextStep(campaign: Campaign, counts: readonly CampaignCount[], now: UnixSeconds): Step {
  const { wave, pace } = campaign
  const of = tallyOf(counts, wave)
  const judged = of.done + of.failed
  const size = of.planned + of.asked + judged
  // Of the wave as a whole: as soon as more failed than may fail in it, whoever is still to answer cannot make it good.
  if (of.failed > 0 && of.failed > pace.stopAtFailureShare * size) return { kind: 'pause', failed: of.failed, of: size }
  if (of.planned > 0) {
    const quietUntil = endOfQuiet(pace, now)
    if (quietUntil !== null) return { kind: 'wait', until: quietUntil, because: 'quiet_hours' }
    const room = roomInHour(campaign, now)
    if (room === 0) return { kind: 'wait', until: nextRoom(campaign, now), because: 'rate' }
    return { kind: 'ask', wave, atMost: Math.min(room, of.planned, MAX_ASKED_AT_ONCE) }
  }
  if (of.asked > 0) return { kind: 'wait', until: null, because: 'devices' }
  if (wave + 1 < campaign.waves) return { kind: 'next-wave', wave: wave + 1 }
  return { kind: 'finish' }
}

/** Which wave a device belongs to, by its place in the campaign: the canary first, then waves of one size. */
export function waveOf(place: number, { canary, waveSize }: CampaignPace): number {
  if (place < canary) return 0
  return Math.floor((place - canary) / waveSize) + (canary > 0 ? 1 : 0)
}

/** How many devices a campaign may still ask now. The hour's number is spread over the hour: no burst at its start. */
function roomInHour({ pace, hour }: Campaign, now: UnixSeconds): number {
  if (pace.perHour === null) return MAX_ASKED_AT_ONCE
  if (hour === null || now >= hour.since + HOUR) return Math.ceil(pace.perHour / 60)
  const earned = Math.ceil((pace.perHour * (now - hour.since + 60)) / HOUR)
  return Math.max(0, Math.min(pace.perHour, earned) - hour.asked)
}

function nextRoom({ pace, hour }: Campaign, now: UnixSeconds): UnixSeconds {
  if (pace.perHour === null || hour === null) return now
  if (hour.asked >= pace.perHour) return hour.since + HOUR
  // The second in which one more is earned than was asked.
  return Math.max(now + 1, hour.since - 60 + Math.floor((hour.asked * HOUR) / pace.perHour) + 1)
}

/** The hour's count after `asked` more devices were asked. */
export function countAsked(hour: Campaign['hour'], asked: number, now: UnixSeconds): NonNullable<Campaign['hour']> {
  if (hour === null || now >= hour.since + HOUR) return { since: now, asked }
  return { since: hour.since, asked: hour.asked + asked }
}

/** When the quiet hours that `now` lies in end, or `null` where it lies in none. */
export function endOfQuiet({ quiet }: CampaignPace, now: UnixSeconds): UnixSeconds | null {
  if (quiet === null || quiet.fromMinute === quiet.untilMinute) return null
  const minute = Math.floor(now / 60) % DAY_MINUTES
  const length = (quiet.untilMinute - quiet.fromMinute + DAY_MINUTES) % DAY_MINUTES
  const into = (minute - quiet.fromMinute + DAY_MINUTES) % DAY_MINUTES
  if (into >= length) return null
  return (Math.floor(now / 60) + (length - into)) * 60
}

/** The counts of one wave, or of all of them, by state. */
export function tallyOf(counts: readonly CampaignCount[], wave?: number): Tally {
  const tally: Record<CampaignDeviceState, number> = {
    planned: 0,
    asked: 0,
    done: 0,
    failed: 0,
    skipped: 0,
    going_back: 0,
    back: 0,
  }
  for (const count of counts) if (wave === undefined || count.wave === wave) tally[count.state] += count.devices
  return tally
}
