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
  /** What an authority signed: it never goes back. */
  #signed = RELEASED_AT
  /** What an authenticated server told last. */
  #told = 0

  constructor(device: () => number) {
    this.#device = device
  }

  /** Takes evidence: notBefore of an own certificate. */
  notBefore(time: number): void {
    this.#signed = Math.max(this.#signed, time)
  }

  /** Takes the time that a server told in an earlier run; what one told in this run counts more. */
  toldBefore(time: number): void {
    if (this.#offset === undefined) this.#told = Math.max(this.#told, time)
  }

  /** The newest time that there is evidence of. */
  get evident(): number {
    return Math.max(this.#signed, this.#told)
  }

  /** The device's own clock as it is, for reports; within what RFC 3339 can say. */
  device(): number {
    return Math.min(Math.max(Math.floor(this.#device()), 0), LAST_SECOND)
  }

  /** The time to judge certificates by, in whole seconds; never before the evidence. */
  now(): number {
    return Math.max(this.evident, this.device() + (this.#offset ?? 0))
  }

  /** The device's clock minus the time of the server, or `undefined` before the first answer. */
  get skewSeconds(): number | undefined {
    return this.#offset === undefined ? undefined : -this.#offset
  }

  /** Whether TLS cannot judge certificates by the device's clock. */
  get isWrong(): boolean {
    return this.device() < this.evident
  }

  /**
   * Takes the time of an authenticated server, if its certificate lets it speak of that time. It corrects a clock that is ahead, and what a
   * server told before: one whose clock was wrong for an hour must not cost a device its identity. What was signed it does not take back.
   */
  heard(time: number | undefined, tls: TlsFacts): void {
    const believed = time === undefined ? undefined : believableTime(time, tls)
    if (believed === undefined) return
    this.#offset = believed - this.device()
    this.#told = believed
  }
}
