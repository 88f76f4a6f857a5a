// A fleet in virtual time: years of a million devices in seconds, through the very engine that chooses windows in the server
// (`domain/renewal/window.ts`). Devices come and go, attempts fail, some are away for months. What comes out is what an operator sizes an
// installation with, and what the tests hold the engine to.
import type { RenewalPolicy } from '../domain/renewal/policy.ts'
import { bucketWidth, chooseWindow } from '../domain/renewal/window.ts'
import { type SimulationRandom, simulationRandom } from './random.ts'

/** How devices are connected: spells online and offline follow each other, each drawn with its mean; seconds. */
export interface Connectivity {
  /** Share of devices with this behaviour: 0 to 1. */
  readonly share: number
  readonly onlineMean: number
  readonly onlineAtLeast: number
  readonly offlineMean: number
}

export interface VirtualFleetOptions {
  readonly devices: number
  readonly years: number
  readonly policy: Pick<RenewalPolicy, 'opensAtFraction' | 'earliestFraction' | 'latestFraction'>
  readonly lifetimeSeconds: number
  /** All devices are born within so many seconds of the start. */
  readonly bornWithinSeconds: number
  /** Share of attempts of devices that are online which fail: a lossy network, a server that says come later. */
  readonly faults: number
  readonly connectivity: readonly Connectivity[]
  /** How an agent tries again: doubling from the first to the longest pause. */
  readonly retry: { readonly firstSeconds: number; readonly longestSeconds: number }
  readonly seed: number
  /** Told now and then how far it is, 0 to 1. */
  readonly progress?: (done: number) => void
}

export interface VirtualFleetResult {
  readonly devices: number
  readonly days: number
  readonly births: number
  readonly renewals: number
  readonly failedAttempts: number
  /** Renewals by day, counted from the start; births are not among them. */
  readonly renewalsByDay: Uint32Array
  readonly failuresByDay: Uint32Array
  readonly busiestDay: number
  readonly meanDay: number
  readonly busiestDayOverMean: number
  readonly busiestHour: number
  /**
   * Devices that were without a valid certificate although they were online for two hours between the end of their window and the end of
   * their certificate, and made no attempt in that time.
   */
  readonly devicesWithoutValid: number
  /** Devices that were without one because they were away for all of that time, or every attempt of theirs failed; they enrol again when they are back. */
  readonly devicesAwayTooLong: number
}

const DAY = 86_400
const HOUR = 3600
/** Events are kept in slots of so many seconds: finer than any figure that comes out. */
const SLOT = 600
/** A Thursday at midnight (UTC), so that days of the simulation are days of the plan. */
const START = 1_800_057_600
const NONE = -1
/** Online for so long counts as able to reach the server. */
const REACH = 2 * HOUR

/** A year's certificates, most devices always on, some on the road, a few that wake up rarely. */
export const USUAL_CONNECTIVITY: readonly Connectivity[] = [
  { share: 0.8, onlineMean: 60 * DAY, onlineAtLeast: 6 * HOUR, offlineMean: 6 * HOUR },
  { share: 0.15, onlineMean: 10 * DAY, onlineAtLeast: 2 * HOUR, offlineMean: 5 * DAY },
  { share: 0.05, onlineMean: 8 * HOUR, onlineAtLeast: 2 * HOUR, offlineMean: 20 * DAY },
]

/** Lets the years pass. Memory: some 45 octets a device. */
export function simulateFleet(options: VirtualFleetOptions): VirtualFleetResult {
  return new VirtualFleet(options).run()
}

class VirtualFleet {
  readonly #options: VirtualFleetOptions
  readonly #random: SimulationRandom
  readonly #end: number
  // One element a device, in seconds since 1970.
  readonly #notAfter: Uint32Array
  readonly #windowStart: Uint32Array
  readonly #windowEnd: Uint32Array
  readonly #due: Uint32Array
  readonly #toggle: Uint32Array
  readonly #onlineSince: Uint32Array
  readonly #online: Uint8Array
  readonly #behaviour: Uint8Array
  readonly #attempts: Uint8Array
  readonly #lastAttempt: Uint32Array
  readonly #gap: Uint8Array
  // The calendar: for each slot a chain of devices.
  readonly #head: Int32Array
  readonly #next: Int32Array
  // The plan, as the server keeps it in its store.
  readonly #width: number
  readonly #planned: Uint32Array
  #alive = 0
  #births = 0
  #renewals = 0
  #failedAttempts = 0
  readonly #renewalsByDay: Uint32Array
  readonly #renewalsByHour: Uint32Array
  readonly #failuresByDay: Uint32Array

  constructor(options: VirtualFleetOptions) {
    const { devices, years, lifetimeSeconds, seed } = options
    this.#options = options
    this.#random = simulationRandom(seed)
    const days = Math.round(years * 365)
    this.#end = START + days * DAY
    const each = () => new Uint32Array(devices)
    this.#notAfter = each()
    this.#windowStart = each()
    this.#windowEnd = each()
    this.#due = each()
    this.#toggle = each()
    this.#onlineSince = each()
    this.#online = new Uint8Array(devices)
    this.#behaviour = new Uint8Array(devices)
    this.#attempts = new Uint8Array(devices)
    this.#lastAttempt = each()
    this.#gap = new Uint8Array(devices)
    this.#head = new Int32Array(Math.ceil((days * DAY) / SLOT)).fill(NONE)
    this.#next = new Int32Array(devices).fill(NONE)
    this.#width = bucketWidth(lifetimeSeconds)
    this.#planned = new Uint32Array(Math.ceil((days * DAY + lifetimeSeconds) / this.#width) + 2)
    this.#renewalsByDay = new Uint32Array(days)
    this.#renewalsByHour = new Uint32Array(days * 24)
    this.#failuresByDay = new Uint32Array(days)
  }

  run(): VirtualFleetResult {
    this.#bear()
    for (let slot = 0; slot < this.#head.length; slot++) {
      // What an event schedules into its own slot is met by the same walk.
      for (let device = this.#take(slot); device !== NONE; device = this.#take(slot)) this.#attempt(device)
      if (slot % 1024 === 0) this.#options.progress?.(slot / this.#head.length)
    }
    for (let device = 0; device < this.#options.devices; device++) {
      if (this.#notAfter[device]! < this.#end) this.#judgeGap(device, this.#end)
    }
    return this.#result()
  }

  #bear(): void {
    const { devices, bornWithinSeconds, connectivity } = this.#options
    for (let device = 0; device < devices; device++) {
      let behaviour = 0
      for (let draw = this.#random.next(); behaviour < connectivity.length - 1; behaviour++) {
        draw -= connectivity[behaviour]!.share
        if (draw < 0) break
      }
      this.#behaviour[device] = behaviour
      // In the factory it is online; its life outside begins with its birth.
      const born = START + Math.floor(this.#random.next() * bornWithinSeconds)
      this.#online[device] = 1
      this.#onlineSince[device] = born
      this.#toggle[device] = born + this.#spell(device, true)
      this.#schedule(device, born)
    }
  }

  #spell(device: number, online: boolean): number {
    const { onlineMean, onlineAtLeast, offlineMean } = this.#options.connectivity[this.#behaviour[device]!]!
    if (!online) return 1 + Math.floor(this.#random.exponential(offlineMean))
    return onlineAtLeast + Math.floor(this.#random.exponential(Math.max(0, onlineMean - onlineAtLeast)))
  }

  #schedule(device: number, at: number): void {
    this.#due[device] = at
    const slot = Math.floor((at - START) / SLOT)
    if (slot >= this.#head.length) return
    this.#next[device] = this.#head[slot]!
    this.#head[slot] = device
  }

  #take(slot: number): number {
    const device = this.#head[slot]!
    if (device !== NONE) this.#head[slot] = this.#next[device]!
    return device
  }

  #attempt(device: number): void {
    const now = this.#due[device]!
    const isBirth = this.#notAfter[device] === 0
    if (!this.#isOnline(device, now)) {
      // It goes on trying at its longest pause, and finds the network at the first try after it is back.
      const pause = this.#options.retry.longestSeconds
      const back = this.#toggle[device]!
      this.#schedule(device, now + Math.ceil((back - now) / pause) * pause)
      return
    }
    if (!isBirth && now > this.#notAfter[device]!) this.#judgeGap(device, now)
    this.#lastAttempt[device] = now
    if (!isBirth && this.#random.next() < this.#options.faults) {
      this.#failedAttempts++
      this.#failuresByDay[Math.floor((now - START) / DAY)]!++
      const { firstSeconds, longestSeconds } = this.#options.retry
      const n = this.#attempts[device]!
      if (n < 30) this.#attempts[device] = n + 1
      const pause = Math.min(longestSeconds, firstSeconds * 2 ** n)
      this.#schedule(device, now + Math.ceil(pause * (0.5 + this.#random.next() / 2)))
      return
    }
    this.#issue(device, now, isBirth)
  }

  #issue(device: number, now: number, isBirth: boolean): void {
    const { policy, lifetimeSeconds } = this.#options
    if (isBirth) {
      this.#alive++
      this.#births++
    } else {
      this.#renewals++
      this.#renewalsByDay[Math.floor((now - START) / DAY)]!++
      this.#renewalsByHour[Math.floor((now - START) / HOUR)]!++
      this.#planned[this.#bucketIndex(this.#windowStart[device]!)]!--
    }
    const notAfter = now + lifetimeSeconds - 1
    const { windowStart, windowEnd, bucket } = chooseWindow({
      policy,
      notBefore: now,
      notAfter,
      now,
      plan: { fleet: this.#alive - 1, planned: start => this.#planned[this.#bucketIndex(start)]! },
      draw: this.#random.next(),
    })
    this.#planned[this.#bucketIndex(bucket)]!++
    this.#notAfter[device] = notAfter
    this.#windowStart[device] = windowStart
    this.#windowEnd[device] = windowEnd
    this.#attempts[device] = 0
    this.#gap[device]! &= ~REACHABLE
    // RFC 9773 §4.2: a time that the client draws from the window.
    this.#schedule(device, windowStart + Math.floor(this.#random.next() * (windowEnd - windowStart + 1)))
  }

  #bucketIndex(at: number): number {
    return Math.floor((at - START) / this.#width)
  }

  /** Whether the device is online at `now`; lets its spells pass until then. */
  #isOnline(device: number, now: number): boolean {
    while (this.#toggle[device]! <= now) {
      const turned = this.#toggle[device]!
      const online = this.#online[device] === 1
      if (online) this.#look(device, turned)
      else this.#onlineSince[device] = turned
      this.#online[device] = online ? 0 : 1
      this.#toggle[device] = turned + this.#spell(device, !online)
    }
    return this.#online[device] === 1
  }

  /** A spell online is over: did it overlap the time between window and end, long enough to renew, and brought not one attempt? */
  #look(device: number, until: number): void {
    if (this.#notAfter[device] === 0) return
    const from = Math.max(this.#onlineSince[device]!, this.#windowEnd[device]!)
    const to = Math.min(until, this.#notAfter[device]!)
    if (to - from >= REACH && this.#lastAttempt[device]! < from) this.#gap[device]! |= REACHABLE
  }

  /** The device was without a valid certificate until `now`: could it have renewed before? */
  #judgeGap(device: number, now: number): void {
    if (this.#isOnline(device, now)) this.#look(device, now)
    this.#gap[device]! |= this.#gap[device]! & REACHABLE ? WITHOUT : AWAY
  }

  #result(): VirtualFleetResult {
    const days = this.#renewalsByDay.length
    const busiestDay = this.#renewalsByDay.reduce((a, b) => Math.max(a, b), 0)
    const meanDay = this.#renewals / days
    let without = 0
    let away = 0
    for (const gap of this.#gap) {
      if (gap & WITHOUT) without++
      else if (gap & AWAY) away++
    }
    return {
      devices: this.#options.devices,
      days,
      births: this.#births,
      renewals: this.#renewals,
      failedAttempts: this.#failedAttempts,
      renewalsByDay: this.#renewalsByDay,
      failuresByDay: this.#failuresByDay,
      busiestDay,
      meanDay,
      busiestDayOverMean: meanDay === 0 ? 0 : busiestDay / meanDay,
      busiestHour: this.#renewalsByHour.reduce((a, b) => Math.max(a, b), 0),
      devicesWithoutValid: without,
      devicesAwayTooLong: away,
    }
  }
}

const REACHABLE = 1
const WITHOUT = 2
const AWAY = 4
