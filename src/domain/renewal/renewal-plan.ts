// The renewal plan as the window is chosen by it: read from the store every few seconds, and counted on by what this process chose since,
// so that a thousand certificates a second do not all find the same bucket empty.

import type { UnixSeconds } from '../ids.ts'
import type { Clock, Random, StoreReader } from '../ports.ts'
import type { RenewalPolicy } from './policy.ts'
import { bucketWidth, chooseWindow, lifeOf, type PlanView, type RenewalWindow } from './window.ts'

export interface RenewalPlanPorts {
  readonly store: { readonly read: Pick<StoreReader, 'planned'> }
  readonly clock: Clock
  readonly random: Random
}

/** How old what was read may be. */
const FRESH_SECONDS = 5
/** Profiles and widths kept at once: an instance has some tens. */
const MAX_KEPT = 500

/** What a window is chosen for. */
export interface Planned {
  readonly profile: string
  readonly notBefore: UnixSeconds
  readonly notAfter: UnixSeconds
  /** Whether it adds to the fleet, or takes the place of another. */
  readonly isNew: boolean
}

export class RenewalPlan {
  readonly #ports: RenewalPlanPorts
  readonly #kept = new Map<string, { readonly at: UnixSeconds; readonly plan: Promise<CountedPlan> }>()

  constructor(ports: RenewalPlanPorts) {
    this.#ports = ports
  }

  /** The window of a certificate that is about to be written. */
  async choose(planned: Planned, policy: RenewalPolicy, now: UnixSeconds): Promise<RenewalWindow> {
    const { profile, notBefore, notAfter } = planned
    const plan = await this.#plan(profile, bucketWidth(lifeOf(planned)), now)
    const window = chooseWindow({ policy, notBefore, notAfter, now, plan, draw: this.#draw() })
    plan.add(window.bucket, planned.isNew)
    return window
  }

  #plan(profile: string, width: number, now: UnixSeconds): Promise<CountedPlan> {
    const key = `${profile} ${width}`
    const kept = this.#kept.get(key)
    if (kept && Math.abs(now - kept.at) < FRESH_SECONDS) return kept.plan
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear()
    const plan = this.#read(profile, width, now)
    this.#kept.set(key, { at: now, plan })
    plan.catch(() => this.#kept.delete(key))
    return plan
  }

  async #read(profile: string, width: number, now: UnixSeconds): Promise<CountedPlan> {
    const { read } = this.#ports.store
    const [windows, ends] = await Promise.all([
      read.planned(profile, 'window', now - width, FOREVER),
      // Who expired without renewing is not waited for.
      read.planned(profile, 'expiry', now, FOREVER),
    ])
    const counts = new Map<UnixSeconds, number>()
    // Certificates of another life than these count in buckets of another width.
    for (const { start, planned } of windows) {
      const bucket = Math.floor(start / width) * width
      counts.set(bucket, (counts.get(bucket) ?? 0) + planned)
    }
    return new CountedPlan(
      counts,
      ends.reduce((sum, { planned }) => sum + planned, 0),
    )
  }

  #draw(): number {
    const octets = this.#ports.random.bytes(4)
    return new DataView(octets.buffer, octets.byteOffset).getUint32(0) / 2 ** 32
  }
}

/** 9999-12-31T23:59:59Z. */
const FOREVER = 253_402_300_799

/** A plan that what is chosen by it is added to. */
export class CountedPlan implements PlanView {
  readonly #counts: Map<UnixSeconds, number>
  fleet: number

  constructor(counts: Map<UnixSeconds, number> = new Map(), fleet = 0) {
    this.#counts = counts
    this.fleet = fleet
  }

  planned(bucket: UnixSeconds): number {
    return this.#counts.get(bucket) ?? 0
  }

  add(bucket: UnixSeconds, isNew: boolean): void {
    this.#counts.set(bucket, this.planned(bucket) + 1)
    if (isNew) this.fleet++
  }

  take(bucket: UnixSeconds): void {
    this.#counts.set(bucket, this.planned(bucket) - 1)
  }
}
