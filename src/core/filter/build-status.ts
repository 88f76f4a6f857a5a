// Making what an artefact says from what is known: the whole universe, given in pieces, or the change since the one before. Memory: 17
// octets for each certificate, and what elimination needs for those that are revoked.
import { type Bytes, concat } from '../bytes/bytes.ts'
import { buildExactFilter, type ExactFilter } from './exact-filter.ts'
import { heldBySegments, isRevoked } from './status-artefact.ts'
import { compareSerials, encodeSegmentHead, MAX_SEGMENTS, SERIAL_OCTETS, type StatusBody } from './status-body.ts'

/** What a body says of the certificates, without its head. */
export type StatusSets = Pick<StatusBody, 'segments' | 'exceptions'>

export interface StatusSetsOptions {
  /** Segments to build upon, where a further one is small against all of them made anew. */
  readonly upon?: readonly ExactFilter[]
  /** Upon them even where it does not pay. */
  readonly always?: boolean
}

/** The known certificates of an authority, collected in any order. */
export class StatusUniverse {
  #octets: Bytes
  #revoked: Bytes
  #count = 0

  /** `expected`: how many there will be, about; it grows by itself. */
  constructor(expected = 1024) {
    this.#octets = new Uint8Array(expected * SERIAL_OCTETS)
    this.#revoked = new Uint8Array(expected)
  }

  get count(): number {
    return this.#count
  }

  get revokedCount(): number {
    let count = 0
    for (let i = 0; i < this.#count; i++) count += this.#revoked[i]!
    return count
  }

  /** Serial numbers of `SERIAL_OCTETS` end to end, and for each whether it is revoked or held: 1, else 0. */
  add(serials: Uint8Array, revoked: Uint8Array): void {
    const needed = this.#count + revoked.length
    if (needed > this.#revoked.length) {
      const room = Math.max(needed, Math.ceil(this.#revoked.length * 1.5))
      this.#octets = grown(this.#octets, room * SERIAL_OCTETS)
      this.#revoked = grown(this.#revoked, room)
    }
    this.#octets.set(serials, this.#count * SERIAL_OCTETS)
    this.#revoked.set(revoked, this.#count)
    this.#count = needed
  }

  /**
   * Segments and exceptions that are right about every certificate in here. A pure function of the set and of `upon`: who builds it again
   * gets the same octets. Throws `status.duplicate_key` where a serial number was given twice with different answers.
   */
  build({ upon = [], always = false }: StatusSetsOptions = {}): StatusSets {
    const anew = (): StatusSets => this.#setsFor(this.#revoked, [])
    if (upon.length === 0) return anew()
    const wrong = new Uint8Array(this.#count)
    for (let i = 0; i < this.#count; i++) {
      wrong[i] = heldBySegments(upon, this.#octets, i * SERIAL_OCTETS) === (this.#revoked[i] === 1) ? 0 : 1
    }
    const more = this.#setsFor(wrong, upon)
    if (more.segments.length > MAX_SEGMENTS) return anew()
    if (always) return more
    // What grew by pieces is given up as soon as it is an eighth longer than what is made at once.
    const whole = anew()
    return setsOctets(more) <= setsOctets(whole) * 1.125 ? more : whole
  }

  #setsFor(belongs: Uint8Array, upon: readonly ExactFilter[]): StatusSets {
    const listed: number[] = []
    for (let i = 0; i < this.#count && listed.length <= MAX_LISTED; i++) if (belongs[i] === 1) listed.push(i)
    const list = (): StatusSets => ({
      segments: upon,
      exceptions: sortedSerials(listed.map(i => this.#octets.subarray(i * SERIAL_OCTETS, (i + 1) * SERIAL_OCTETS))),
    })
    if (listed.length === 0) return list()
    const keys = { octets: this.#octets, length: SERIAL_OCTETS, count: this.#count }
    const segment = buildExactFilter(keys, belongs, upon.length)
    const withSegment = { segments: [...upon, segment], exceptions: new Uint8Array(0) }
    return listed.length <= MAX_LISTED && setsOctets(list()) <= setsOctets(withSegment) ? list() : withSegment
  }
}

/** One or a few are shorter as a list than as a filter. */
const MAX_LISTED = 64

/** A certificate whose status is other than before, or that is new: as it is now. */
export interface StatusNow {
  /** `SERIAL_OCTETS` octets. */
  readonly serialNumber: Uint8Array
  readonly revoked: boolean
}

/** The same segments, with exceptions such that the answers for the given certificates are right, and none other changes. */
export function withChanges(sets: StatusSets, changes: Iterable<StatusNow>): StatusSets {
  const toggled = new Map<string, Uint8Array>()
  for (const { serialNumber, revoked } of changes) {
    const key = String.fromCharCode(...serialNumber)
    if (isRevoked(sets, serialNumber, 0) === revoked) toggled.delete(key)
    else toggled.set(key, serialNumber)
  }
  if (toggled.size === 0) return sets
  const toggles = [...toggled.values()].sort((a, b) => compareSerials(a, 0, b, 0))
  return { segments: sets.segments, exceptions: symmetricDifference(sets.exceptions, toggles) }
}

/** Octets of the sets in an artefact. */
export function setsOctets({ segments, exceptions }: StatusSets): number {
  return segments.reduce((sum, each) => sum + encodeSegmentHead(each).length + each.columns.length, exceptions.length)
}

function symmetricDifference(list: Uint8Array, sorted: readonly Uint8Array[]): Bytes {
  const parts: Uint8Array[] = []
  let at = 0
  for (const serial of sorted) {
    const from = at
    while (at < list.length && compareSerials(list, at, serial, 0) < 0) at += SERIAL_OCTETS
    parts.push(list.subarray(from, at))
    if (at < list.length && compareSerials(list, at, serial, 0) === 0) at += SERIAL_OCTETS
    else parts.push(serial)
  }
  return concat(...parts, list.subarray(at))
}

function sortedSerials(serials: readonly Uint8Array[]): Bytes {
  return concat(...serials.toSorted((a, b) => compareSerials(a, 0, b, 0)))
}

function grown(octets: Bytes, length: number): Bytes {
  const out = new Uint8Array(length)
  out.set(octets)
  return out
}
