// `touchmark simulate --virtual`: years of a fleet in seconds, through the engine that the server renews with; to size an installation, and
// to see what a policy does before devices live by it.
import { writeFile } from 'node:fs/promises'
import { FIRST_SECONDS, LONGEST_OFFLINE_SECONDS } from '../agent/back-off.ts'
import type { Profile } from '../domain/ca/profile.ts'
import { DEFAULT_RENEWAL_POLICY } from '../domain/renewal/policy.ts'
import { plotFleet } from '../sim/plot.ts'
import { simulateFleet, USUAL_CONNECTIVITY, type VirtualFleetResult } from '../sim/virtual-fleet.ts'
import { type Context, usageError } from './command.ts'
import { facts } from './output.ts'
import { progressBar } from './progress.ts'
import { withStore } from './store.ts'
import { storedProfile } from './stored-profile.ts'

export interface VirtualOptions {
  readonly devices: number
  readonly years: string
  readonly plot?: string
  readonly faults: string
  readonly lifetime?: number
  readonly bornWithin?: number
  readonly profile?: string
  readonly seed: number
}

const DAY = 86_400
const YEAR = 365 * DAY
/** More devices than this would want more memory than a small machine has. */
const MAX_DEVICES = 20_000_000
const MAX_YEARS = 50
/**
 * What the store and the log grow by with each certificate that a device is given over EST (P-256, SQLite): rows, indexes and log
 * (docs/guides/fleet-simulation.md has what was measured).
 */
const OCTETS_A_CERTIFICATE = 5400
/** What the busiest day is held against. */
const LIMIT = 1.5

export async function simulateVirtually({ out, data, options }: Context<VirtualOptions>): Promise<void> {
  const years = Number(options.years)
  if (!(years > 0 && years <= MAX_YEARS)) throw usageError(`--years is more than 0 and at most ${MAX_YEARS}.`)
  if (options.devices > MAX_DEVICES) throw usageError(`At most ${MAX_DEVICES} devices fit into one simulation.`)
  const faults = Number(options.faults)
  if (!(faults >= 0 && faults < 1)) throw usageError('--faults is a share: 0 or more, and less than 1.')
  const profile =
    options.profile === undefined ? undefined : await withStore(data, s => storedProfile(s.read, options.profile!))
  const lifetimeSeconds = options.lifetime ?? lifetimeOf(profile) ?? YEAR
  const bar = progressBar(out, '‰')
  const started = performance.now()
  const result = simulateFleet({
    devices: options.devices,
    years,
    policy: profile?.renewal ?? DEFAULT_RENEWAL_POLICY,
    lifetimeSeconds,
    bornWithinSeconds: options.bornWithin ?? DAY,
    faults,
    connectivity: USUAL_CONNECTIVITY,
    retry: { firstSeconds: FIRST_SECONDS, longestSeconds: LONGEST_OFFLINE_SECONDS },
    seed: options.seed,
    progress: done => bar.update(Math.round(done * 1000), 1000),
  })
  bar.stop()
  const seconds = (performance.now() - started) / 1000
  if (options.plot !== undefined) {
    const title = `${result.devices.toLocaleString('en')} devices, ${years} ${years === 1 ? 'year' : 'years'}, certificates of ${words(lifetimeSeconds)}`
    const plot = plotFleet({
      title,
      renewals: result.renewalsByDay,
      failures: result.failuresByDay,
      limitOverMean: LIMIT,
    })
    await writeFile(options.plot, plot)
  }
  const view = viewOf(result, lifetimeSeconds, seconds)
  out.result(view, () => textOf(view, options.plot))
}

/** `undefined` for certificates that never end: nothing is renewed then. */
function lifetimeOf(profile: Profile | undefined): number | undefined {
  if (profile === undefined) return undefined
  if (profile.lifetimeSeconds === null)
    throw usageError(`Certificates under ${profile.name} never end: there is nothing to renew.`)
  return profile.lifetimeSeconds
}

function viewOf(result: VirtualFleetResult, lifetimeSeconds: number, seconds: number) {
  const { renewalsByDay, failuresByDay: _failures, ...figures } = result
  const certificates = result.births + result.renewals
  return {
    ...figures,
    busiestDayOverMean: round(figures.busiestDayOverMean, 3),
    meanDay: round(figures.meanDay, 1),
    lifetimeSeconds,
    /** The busiest hour, spread over its seconds. */
    peakPerSecond: round(result.busiestHour / 3600, 3),
    storageOctets: certificates * OCTETS_A_CERTIFICATE,
    quietDays: renewalsByDay.filter(renewals => renewals === 0).length,
    simulatedInSeconds: round(seconds, 2),
  }
}

function textOf(view: ReturnType<typeof viewOf>, plot: string | undefined): string {
  const number = (value: number) => value.toLocaleString('en')
  return facts([
    ['Devices', number(view.devices)],
    ['Renewals', `${number(view.renewals)} in ${number(view.days)} days`],
    [
      'A day',
      `${number(view.meanDay)} on average, ${number(view.busiestDay)} on the busiest (${view.busiestDayOverMean} × the mean)`,
    ],
    ['Busiest hour', `${number(view.busiestHour)}, ${view.peakPerSecond} a second`],
    ['Failed attempts', number(view.failedAttempts)],
    [
      'Without a valid certificate',
      `${number(view.devicesWithoutValid)} that could reach the server, ${number(view.devicesAwayTooLong)} that could not`,
    ],
    ['Storage', `${number(Math.round(view.storageOctets / 1e6))} MB`],
    ['Simulated in', `${view.simulatedInSeconds} s`],
    ...(plot === undefined ? [] : ([['Plot', plot]] as const)),
  ])
}

function words(seconds: number): string {
  if (seconds % DAY === 0) return seconds === DAY ? 'one day' : `${seconds / DAY} days`
  return `${round(seconds / 3600, 1)} hours`
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
