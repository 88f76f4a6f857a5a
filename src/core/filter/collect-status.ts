// The universe of an authority from two streams: what is revoked or held, then everything that was issued, each as it comes out of the store.
import { type StatusSets, type StatusSetsOptions, StatusUniverse } from './build-status.ts'
import { SerialSet } from './serial-set.ts'
import { SERIAL_OCTETS } from './status-body.ts'

export interface CollectedStatus {
  readonly sets: StatusSets
  readonly universe: number
  readonly revoked: number
}

/** Serial numbers are given as octets of `SERIAL_OCTETS` each, end to end. */
export class StatusCollector {
  readonly #revoked = new SerialSet()
  readonly #universe = new StatusUniverse()

  /** All of them before the first `issued`; those that were not issued do not matter. */
  revoked(serials: Uint8Array): void {
    for (let at = 0; at < serials.length; at += SERIAL_OCTETS) this.#revoked.add(serials, at)
  }

  issued(serials: Uint8Array): void {
    const revoked = new Uint8Array(serials.length / SERIAL_OCTETS)
    for (let i = 0; i < revoked.length; i++) revoked[i] = this.#revoked.has(serials, i * SERIAL_OCTETS) ? 1 : 0
    this.#universe.add(serials, revoked)
  }

  build(options?: StatusSetsOptions): CollectedStatus {
    const { count: universe, revokedCount: revoked } = this.#universe
    return { sets: this.#universe.build(options), universe, revoked }
  }
}
