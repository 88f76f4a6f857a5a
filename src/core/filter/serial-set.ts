// A set of serial numbers in typed arrays: a million of them as strings would be a hundred megabytes.
import { halfSipHash, hashed } from './half-sip-hash.ts'
import { compareSerials, SERIAL_OCTETS } from './status-body.ts'

export class SerialSet {
  #octets = new Uint8Array(64 * SERIAL_OCTETS)
  /** One more than the position of a serial number, at the place that its hash names or the next free one; 0: free. */
  #table = new Uint32Array(128)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Adds the serial number of `SERIAL_OCTETS` at `at`. */
  add(octets: Uint8Array, at: number): void {
    if (this.#size * 2 >= this.#table.length) this.#grow()
    const place = this.#place(octets, at)
    if (this.#table[place] !== 0) return
    this.#octets.set(octets.subarray(at, at + SERIAL_OCTETS), this.#size * SERIAL_OCTETS)
    this.#table[place] = ++this.#size
  }

  has(octets: Uint8Array, at: number): boolean {
    return this.#table[this.#place(octets, at)] !== 0
  }

  #place(octets: Uint8Array, at: number): number {
    halfSipHash(0, 0, octets, at, SERIAL_OCTETS)
    const mask = this.#table.length - 1
    let place = hashed.first & mask
    for (;;) {
      const there = this.#table[place]!
      if (there === 0 || compareSerials(this.#octets, (there - 1) * SERIAL_OCTETS, octets, at) === 0) return place
      place = (place + 1) & mask
    }
  }

  #grow(): void {
    const octets = new Uint8Array(this.#octets.length * 2)
    octets.set(this.#octets)
    this.#octets = octets
    this.#table = new Uint32Array(this.#table.length * 2)
    for (let i = 0; i < this.#size; i++) this.#table[this.#place(octets, i * SERIAL_OCTETS)] = i + 1
  }
}
