// Admission control: how much expensive work may be under way at once, so that what was admitted is finished in good time and the rest is
// told when to come again, before anything suffers. Cheap routes (health, CRLs, OCSP, the log) never pass here and so never starve.
// Two measures: requests at work, and how late the event loop runs its timers, which tells of work that no count sees.
import { TouchmarkError } from '../core/errors.ts'

export interface AdmissionLimits {
  /** Expensive requests at work at once. */
  readonly requests: number
  /** Delay of the event loop, smoothed over a second, above which only an eighth of them is admitted. */
  readonly eventLoopDelayMs: number
  /** The longest time for which somebody is sent away. */
  readonly maxRetryAfterSeconds: number
}

/**
 * 512 at work keep two processors and the group commit of the store busy, and each is done within a second. A quarter of a second of delay is
 * far above what a busy and healthy process shows, and far below where health checks fail.
 */
export const DEFAULT_ADMISSION: AdmissionLimits = { requests: 512, eventLoopDelayMs: 250, maxRetryAfterSeconds: 600 }

export interface AdmissionPorts {
  /** Smoothed delay of the event loop in milliseconds. */
  readonly delayMs: () => number
  /** Milliseconds of a clock that never goes back. */
  readonly elapsed?: () => number
  /** In [0, 1): spreads those who are sent away. */
  readonly random?: () => number
}

/** Gives the place back; calling it again does nothing. */
export type Leave = () => void

/** Over how long arrivals and departures are counted, in seconds. */
const MEMORY_SECONDS = 10
/** Nobody is told to come again sooner than this, and the few are spread over as many seconds more. */
const MIN_RETRY_SECONDS = 2

export class Admission {
  readonly #limits: AdmissionLimits
  readonly #ports: Required<AdmissionPorts>
  readonly #done: DecayingCount
  readonly #refused: DecayingCount
  #atWork = 0
  #refusals = 0

  constructor(limits: AdmissionLimits, ports: AdmissionPorts) {
    const { elapsed = () => performance.now(), random = Math.random, delayMs } = ports
    this.#limits = limits
    this.#ports = { elapsed, random, delayMs }
    this.#done = new DecayingCount(elapsed)
    this.#refused = new DecayingCount(elapsed)
  }

  get atWork(): number {
    return this.#atWork
  }

  /** Requests sent away since the start. */
  get refusals(): number {
    return this.#refusals
  }

  /** Throws `server.overloaded` where no place is free now; takes none. For a first look, before a body is read. */
  assertRoom(): void {
    if (this.#atWork >= this.#room()) throw this.#refuse()
  }

  /** Takes a place. Throws `server.overloaded`, whose evidence says after how many seconds to come again. */
  enter(): Leave {
    this.assertRoom()
    this.#atWork++
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      this.#atWork--
      this.#done.add()
    }
  }

  #room(): number {
    const { requests, eventLoopDelayMs } = this.#limits
    return this.#ports.delayMs() > eventLoopDelayMs ? Math.ceil(requests / 8) : requests
  }

  /**
   * Those who are sent away are spread over the time that serving as many takes at the pace of the last seconds, so that they do not come
   * back as one wave.
   */
  #refuse(): TouchmarkError {
    this.#refusals++
    this.#refused.add()
    const pace = Math.max(this.#done.value / MEMORY_SECONDS, 1)
    const spread = Math.max(this.#refused.value / pace, MIN_RETRY_SECONDS)
    const wanted = Math.ceil(MIN_RETRY_SECONDS + this.#ports.random() * spread)
    const retryAfterSeconds = Math.min(wanted, this.#limits.maxRetryAfterSeconds)
    return new TouchmarkError('server.overloaded', 'unavailable', 'The server has as much to do as it can.', {
      next: 'Come again after the time that Retry-After names.',
      evidence: { retryAfterSeconds },
    })
  }
}

/** A count in which each event fades with a mean life of `MEMORY_SECONDS`. */
class DecayingCount {
  readonly #elapsed: () => number
  #value = 0
  #at: number

  constructor(elapsed: () => number) {
    this.#elapsed = elapsed
    this.#at = elapsed()
  }

  get value(): number {
    const now = this.#elapsed()
    this.#value *= Math.exp((this.#at - now) / (MEMORY_SECONDS * 1000))
    this.#at = now
    return this.#value
  }

  add(): void {
    this.#value = this.value + 1
  }
}

const LOOK_EVERY_MS = 50
/** Share of the newest look: one long pause (a garbage collection) is not yet a busy loop. */
const SHARE = 0.1

/** Looks every 50 ms how late its own timer runs. */
export class EventLoopDelay implements Disposable {
  readonly #timer: NodeJS.Timeout
  #expected = performance.now() + LOOK_EVERY_MS
  #ms = 0

  constructor() {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
  }

  /** In milliseconds, smoothed over half a second. */
  get ms(): number {
    return this.#ms
  }

  #look(): void {
    const now = performance.now()
    const late = Math.max(0, now - this.#expected)
    this.#ms += (late - this.#ms) * SHARE
    this.#expected = now + LOOK_EVERY_MS
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
