// What a status artefact says, before it is signed: octets as in docs/formats/status-artefact.md. Strict both ways: what is read is written
// again as the same octets.
import { type Bytes, compareBytes, concat } from '../bytes/bytes.ts'
import type { ErrorDetail } from '../errors.ts'
import { type ExactFilter, MAX_COLUMN_OCTETS, MAX_SIEVES } from './exact-filter.ts'
import { MAX_WIDTH } from './ribbon.ts'
import { statusError } from './status-error.ts'

/** Octets of a serial number that the artefact knows: docs/adr/0004-serial-numbers.md. */
export const SERIAL_OCTETS = 16
export const MAX_SEGMENTS = 8
/** The fixed part. */
export const HEAD_OCTETS = 101
export const SEGMENT_HEAD_OCTETS = 17

/** Times are seconds since 1970. */
export interface StatusHead {
  /** SHA-256 of the authority's SubjectPublicKeyInfo. */
  readonly issuerKeyHash: Uint8Array
  /** Grows with each artefact of the authority. */
  readonly epoch: number
  readonly thisUpdate: number
  /** When a newer one is there at the latest. */
  readonly nextUpdate: number
  /** How long a device that cannot get a newer one may go on with this one. */
  readonly graceUntil: number
  /** Of certificates whose notBefore is earlier the artefact knows nothing. */
  readonly coveredFrom: number
  /** Every certificate that was issued at this second or earlier is in the universe. */
  readonly coveredUntil: number
  /** Certificates whose notAfter is earlier have left the universe. */
  readonly expiredBefore: number
  /** How many certificates are in the universe, and how many of them are revoked or held. */
  readonly universe: number
  readonly revoked: number
}

export interface StatusBody {
  readonly head: StatusHead
  /** A certificate is revoked where an odd number of these and of the exceptions holds it. */
  readonly segments: readonly ExactFilter[]
  /** Serial numbers of `SERIAL_OCTETS` each, end to end in ascending order. */
  readonly exceptions: Uint8Array
}

const MAGIC = Uint8Array.of(0x54, 0x4d, 0x53)
const VERSION = 1

export function encodeStatusBody({ head, segments, exceptions }: StatusBody): Bytes {
  if (segments.length > MAX_SEGMENTS) throw statusError('status.too_large', `More than ${MAX_SEGMENTS} segments.`)
  const fixed = encodeStatusHead(head, segments.length)
  return concat(fixed, ...segments.flatMap(each => [encodeSegmentHead(each), each.columns]), exceptions)
}

/** Errors: `status.malformed`, `status.version_unknown`. Columns and exceptions are views into `octets`. */
export function parseStatusBody(octets: Uint8Array): StatusBody {
  const reader = new StatusReader(octets, malformed)
  const { head, segmentCount } = readStatusHead(reader)
  const segments: ExactFilter[] = []
  for (let i = 0; i < segmentCount; i++) segments.push(readSegment(reader))
  const exceptions = reader.serials(reader.left)
  return { head, segments, exceptions }
}

function malformed(message: string, detail: ErrorDetail): Error {
  return statusError('status.malformed', message, detail)
}

export function encodeStatusHead(head: StatusHead, segmentCount: number): Bytes {
  const out = new Uint8Array(HEAD_OCTETS)
  const view = new DataView(out.buffer)
  out.set(MAGIC)
  out[3] = VERSION
  out.set(head.issuerKeyHash, 4)
  view.setUint32(36, head.epoch)
  const times = [head.thisUpdate, head.nextUpdate, head.graceUntil]
  times.push(head.coveredFrom, head.coveredUntil, head.expiredBefore)
  times.forEach((time, i) => {
    view.setBigUint64(40 + 8 * i, BigInt(time))
  })
  view.setUint32(88, head.universe)
  view.setUint32(92, head.revoked)
  view.setUint32(96, 0)
  out[96] = SERIAL_OCTETS
  out[100] = segmentCount
  return out
}

export function readStatusHead(reader: StatusReader): { head: StatusHead; segmentCount: number } {
  const octets = reader.take(HEAD_OCTETS)
  if (compareBytes(octets.subarray(0, 3), MAGIC) !== 0) throw reader.fault('It does not begin as a status artefact.')
  if (octets[3] !== VERSION) {
    throw statusError('status.version_unknown', 'The artefact is of a version that is not known here.', {
      evidence: { version: octets[3]! },
    })
  }
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length)
  const time = (at: number): number => {
    const value = Number(view.getBigUint64(at))
    if (value > MAX_TIME) throw reader.fault('A time is beyond the year 9999.')
    return value
  }
  const head: StatusHead = {
    issuerKeyHash: octets.subarray(4, 36),
    epoch: view.getUint32(36),
    thisUpdate: time(40),
    nextUpdate: time(48),
    graceUntil: time(56),
    coveredFrom: time(64),
    coveredUntil: time(72),
    expiredBefore: time(80),
    universe: view.getUint32(88),
    revoked: view.getUint32(92),
  }
  const segmentCount = octets[100]!
  if (view.getUint32(96) !== SERIAL_OCTETS * 2 ** 24)
    throw reader.fault('It is about serial numbers of another length.')
  if (segmentCount > MAX_SEGMENTS) throw reader.fault(`It has more than ${MAX_SEGMENTS} segments.`)
  if (head.thisUpdate > head.nextUpdate || head.nextUpdate > head.graceUntil) {
    throw reader.fault('Its times are out of order.')
  }
  return { head, segmentCount }
}

/** 9999-12-31T23:59:59Z, the last time that a certificate can name. */
const MAX_TIME = 253_402_300_799

export function encodeSegmentHead(segment: ExactFilter): Bytes {
  const out = new Uint8Array(SEGMENT_HEAD_OCTETS)
  const view = new DataView(out.buffer)
  out[0] = segment.inverted ? 1 : 0
  out[1] = segment.attempt
  out[2] = segment.sieves
  out[3] = segment.sieve.width
  out[4] = segment.exact.width
  view.setUint32(5, segment.salt)
  view.setUint32(9, segment.sieve.octets)
  view.setUint32(13, segment.exact.octets)
  return out
}

export function readSegment(reader: StatusReader): ExactFilter {
  const octets = reader.take(SEGMENT_HEAD_OCTETS)
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length)
  const sieves = octets[2]!
  const sieve = { octets: view.getUint32(9), width: octets[3]! }
  const exact = { octets: view.getUint32(13), width: octets[4]! }
  if (octets[0]! > 1) throw reader.fault('A segment has flags that are not known.')
  if (sieves > MAX_SIEVES || (sieves === 0) !== (sieve.octets === 0)) throw reader.fault('A sieve has no columns.')
  for (const { octets: length, width } of [sieve, exact]) {
    if (width > MAX_WIDTH || width > length || (width === 0) !== (length === 0) || length > MAX_COLUMN_OCTETS) {
      throw reader.fault('A ribbon has no such shape.')
    }
  }
  return {
    inverted: octets[0] === 1,
    salt: view.getUint32(5),
    attempt: octets[1]!,
    sieves,
    sieve,
    exact,
    columns: reader.take(sieves * sieve.octets + exact.octets),
  }
}

/** Reads forward and never beyond the end. */
export class StatusReader {
  readonly #octets: Uint8Array
  readonly #refuse: (message: string, detail: ErrorDetail) => Error
  #at = 0

  /** `refuse` makes the error of what cannot be read. */
  constructor(octets: Uint8Array, refuse: (message: string, detail: ErrorDetail) => Error) {
    this.#octets = octets
    this.#refuse = refuse
  }

  get left(): number {
    return this.#octets.length - this.#at
  }

  take(length: number): Uint8Array<ArrayBufferLike> {
    if (length > this.left) throw this.fault('It ends too early.')
    this.#at += length
    return this.#octets.subarray(this.#at - length, this.#at)
  }

  uint16(): number {
    const [high, low] = this.take(2)
    return high! * 256 + low!
  }

  uint32(): number {
    return this.uint16() * 0x10000 + this.uint16()
  }

  /** So many octets of serial numbers, each greater than the one before. */
  serials(length: number): Uint8Array<ArrayBufferLike> {
    if (length % SERIAL_OCTETS !== 0) throw this.fault('A serial number is cut off.')
    const list = this.take(length)
    for (let at = SERIAL_OCTETS; at < length; at += SERIAL_OCTETS) {
      if (compareSerials(list, at - SERIAL_OCTETS, list, at) >= 0) throw this.fault('Serial numbers are out of order.')
    }
    return list
  }

  fault(message: string): Error {
    return this.#refuse(message, { evidence: { offset: this.#at } })
  }
}

/** Order of two serial numbers of `SERIAL_OCTETS`. */
export function compareSerials(a: Uint8Array, atA: number, b: Uint8Array, atB: number): number {
  for (let i = 0; i < SERIAL_OCTETS; i++) {
    const difference = a[atA + i]! - b[atB + i]!
    if (difference !== 0) return difference
  }
  return 0
}
