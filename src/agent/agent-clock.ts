// What an agent believes of the time. Many devices wake with a clock that stands at its factory setting, so the clock is never asked alone:
// a time before anything that the agent has evidence of is wrong, and the newest evidence is taken in its place.
import type { TlsFacts } from './transport.ts'
import { believableTime } from './transport.ts'

/** When this release was made, in whole seconds: no device runs it before. */
export const RELEASED_AT = Date.UTC(2026, 10, 21) / 1000

/** A clock that differs by more than this from a server's is worth a word in the status. */
export const NOTABLE_SKEW_SECONDS = 300

/** 9999-12-31T23:59:59Z. */
const LAST_SECOND = 253_402_300_799

export class AgentClock {
  readonly #device: () => number
  /** Server's time minus device's, since an authenticated server told it in this run of the program. */
  #offset: number | undefined
  #evident = RELEASED_AT

  constructor(device: () => number) {
    this.#device = device
  }

  /** Takes evidence: notBefore of an own certificate, the time that a server told earlier. */
  notBefore(time: number): void {
    this.#evident = Math.max(this.#evident, time)
  }

  /** The newest time that there is evidence of. */
  get evident(): number {
    return this.#evident
  }

  /** The device's own clock as it is, for reports; within what RFC 3339 can say. */
  device(): number {
    return Math.min(Math.max(Math.floor(this.#device()), 0), LAST_SECOND)
  }

  /** The time to judge certificates by, in whole seconds; never before the evidence. */
  now(): number {
    return Math.max(this.#evident, this.device() + (this.#offset ?? 0))
  }

  /** The device's clock minus the time of the server, or `undefined` before the first answer. */
  get skewSeconds(): number | undefined {
    return this.#offset === undefined ? undefined : -this.#offset
  }

  /** Whether TLS cannot judge certificates by the device's clock. */
  get isWrong(): boolean {
    return this.device() < this.#evident
  }

  /**
   * Takes the time of an authenticated server, if its certificate lets it speak of that time. It may correct a clock that is ahead, but the
   * evidence never goes back.
   */
  heard(time: number | undefined, tls: TlsFacts): void {
    const believed = time === undefined ? undefined : believableTime(time, tls)
    if (believed === undefined) return
    this.#offset = believed - this.device()
    this.notBefore(believed)
  }
}
