// A CertificateList of any size in one growing buffer (RFC 5280 §5.1): entries go in as they are read, what stands before them is put in front
// when their length is known, and nothing is copied on the way to the signer and from there to whoever stores it.
import { DerError } from '../asn1/der-error.ts'
import { TAG } from '../asn1/tag.ts'
import {
  GENERALIZED_TIME_OCTETS,
  isUtcTime,
  putTime,
  putTimeOfDay,
  SECONDS_A_DAY,
  UTC_TIME_OCTETS,
} from '../asn1/time.ts'
import { encodeHeader, writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { encodeCrlEntry, frameTbsCertList, MAX_CRL, type TbsCertListFields } from './crl.ts'
import { crlReasonOf } from './crl-reason.ts'

/** Entries as columns; numbers may stand in any array of numbers. */
export interface CrlEntryColumns {
  readonly count: number
  /** Magnitudes, big-endian, one behind the other, and where in `bytes` each ends. */
  readonly serialNumbers: { readonly bytes: Uint8Array; readonly ends: ArrayLike<number> }
  /** Whole seconds since 1970. */
  readonly revokedAt: ArrayLike<number>
  /** CRLReason as RFC 5280 §5.3.1 numbers it. */
  readonly reasons: ArrayLike<number>
  /** NaN where there is none. */
  readonly invalidityDates: ArrayLike<number>
}

/** Octets in front of the entries for all that comes before them: headers, version, algorithm, issuer, times. */
const HEAD_ROOM = 64 * 1024
/** Octets behind them for extensions, algorithm and signature. */
const TAIL_ROOM = 128 * 1024
const GROWTH = 1024 * 1024
/** Octets of the longest entry that is written here, with room to spare. */
const LONGEST_ENTRY = 128
/** Entries that are put together before they go to the others. */
const AT_ONCE = 512
/** `YYYYMMDD`, and `HHMMSSZ`. */
const DATE_DIGITS = 8
const TIME_OF_DAY_OCTETS = GENERALIZED_TIME_OCTETS - DATE_DIGITS

export class CrlBuilder {
  readonly #buffer: ArrayBuffer
  #bytes: Bytes
  #end = HEAD_ROOM
  #count = 0
  #tbs: Bytes | undefined
  /** By reason. */
  readonly #extensions: (Bytes | undefined)[] = []
  readonly #datedExtensions: (Bytes | undefined)[] = []
  readonly #scratch = new Uint8Array(AT_ONCE * LONGEST_ENTRY)
  /** The day of the last entry, and how it is written: entries of one day are many. */
  #day = Number.NaN
  #dateOctets: 13 | 15 = UTC_TIME_OCTETS
  readonly #digits = new Uint8Array(GENERALIZED_TIME_OCTETS)

  /** `maxOctets`: what the entries may have together; more is `der.value_invalid`. */
  constructor(maxOctets = MAX_CRL) {
    this.#buffer = new ArrayBuffer(GROWTH, { maxByteLength: HEAD_ROOM + maxOctets + TAIL_ROOM })
    this.#bytes = new Uint8Array(this.#buffer)
  }

  /** Entries so far. */
  get count(): number {
    return this.#count
  }

  /** Appends entries in the order given. A serial number of no octets, of zero or of more than 20 octets is `der.value_invalid`. */
  add(entries: CrlEntryColumns): void {
    for (let from = 0; from < entries.count; from += AT_ONCE) this.#add(entries, from)
  }

  #add({ count, serialNumbers, revokedAt, reasons, invalidityDates }: CrlEntryColumns, first: number): void {
    // Put together in a buffer of fixed size: octet by octet into one that grows takes three times as long.
    const out = this.#scratch
    const { bytes, ends } = serialNumbers
    const last = Math.min(count, first + AT_ONCE)
    let at = 0
    let from = first === 0 ? 0 : ends[first - 1]!
    for (let i = first; i < last; i++) {
      const to = ends[i]!
      while (from < to && bytes[from] === 0) from++
      const magnitude = to - from
      if (magnitude === 0 || magnitude > 20) {
        throw new DerError('der.value_invalid', 0, 'The serial number of an entry is zero or longer than 20 octets')
      }
      const padding = bytes[from]! >= 0x80 ? 1 : 0
      const date = revokedAt[i]!
      const day = Math.floor(date / SECONDS_A_DAY)
      // Also where the date is none: then it throws.
      if (day !== this.#day || !Number.isInteger(date)) this.#begin(day, date)
      const dateOctets = this.#dateOctets
      const invalidityDate = invalidityDates[i]!
      const isDated = !Number.isNaN(invalidityDate)
      const extensions =
        (isDated ? this.#datedExtensions : this.#extensions)[reasons[i]!] ?? this.#make(reasons[i]!, isDated)
      out[at++] = TAG.SEQUENCE
      // Always below 128: a serial number of 23, a time of 17, extensions of 42 octets.
      out[at++] = 4 + padding + magnitude + dateOctets + extensions.length
      out[at++] = TAG.INTEGER
      out[at++] = padding + magnitude
      if (padding === 1) out[at++] = 0
      while (from < to) out[at++] = bytes[from++]!
      out[at++] = dateOctets === UTC_TIME_OCTETS ? TAG.UTC_TIME : TAG.GENERALIZED_TIME
      out[at++] = dateOctets
      for (let j = GENERALIZED_TIME_OCTETS - dateOctets; j < DATE_DIGITS; j++) out[at++] = this.#digits[j]!
      putTimeOfDay(out, at, date - day * SECONDS_A_DAY)
      at += TIME_OF_DAY_OCTETS
      for (let j = 0; j < extensions.length; j++) out[at++] = extensions[j]!
      // The last thing in the extensions is the date.
      if (isDated) putTime(out, at - GENERALIZED_TIME_OCTETS, invalidityDate, GENERALIZED_TIME_OCTETS)
    }
    this.#reserve(at)
    this.#bytes.set(out.subarray(0, at), this.#end)
    this.#end += at
    this.#count += last - first
  }

  /** The tbsCertList, as it is to be signed: a view of the buffer, to which nothing can be added any more. */
  finish(fields: TbsCertListFields): Bytes {
    const entries = this.#end - HEAD_ROOM
    const { head, tail } = frameTbsCertList(fields, entries)
    if (head.length > HEAD_ROOM - 16 || tail.length > TAIL_ROOM / 2) {
      throw new DerError('der.value_invalid', 0, 'The issuer or the extensions of the CRL are too long')
    }
    this.#reserve(TAIL_ROOM)
    this.#bytes.set(head, HEAD_ROOM - head.length)
    this.#bytes.set(tail, this.#end)
    this.#tbs = this.#bytes.subarray(HEAD_ROOM - head.length, this.#end + tail.length)
    return this.#tbs
  }

  /** The whole CertificateList: a view of the same buffer, around the tbsCertList that `finish` gave. */
  sign(signatureAlgorithm: Uint8Array, signature: Uint8Array): Bytes {
    const tbs = this.#tbs
    if (tbs === undefined) throw new TypeError('The list is not finished')
    const tail = writeDer(w => w.raw(signatureAlgorithm).bitString(signature), signature.length + 64)
    if (tail.length > TAIL_ROOM / 2) throw new DerError('der.value_invalid', 0, 'The signature is too long')
    const header = encodeHeader(TAG.SEQUENCE, tbs.length + tail.length)
    const from = tbs.byteOffset - header.length
    const to = tbs.byteOffset + tbs.length
    this.#bytes.set(header, from)
    this.#bytes.set(tail, to)
    return this.#bytes.subarray(from, to + tail.length)
  }

  #begin(day: number, date: number): void {
    putTime(this.#digits, 0, date, GENERALIZED_TIME_OCTETS)
    this.#dateOctets = isUtcTime(date) ? UTC_TIME_OCTETS : GENERALIZED_TIME_OCTETS
    this.#day = day
  }

  /** The extensions of entries with this reason; with an invalidity date, those of one from which only the date differs. */
  #make(reason: number, isDated: boolean): Bytes {
    const word = crlReasonOf(reason)
    if (word === undefined) throw new DerError('der.value_invalid', 0, 'The reason of an entry is none of RFC 5280')
    const entry = { serialNumber: ONE, revocationDate: 0, reason: word, ...(isDated ? { invalidityDate: 0 } : {}) }
    const made = encodeCrlEntry(entry).subarray(HEADER_ONE_AND_TIME)
    const kept = isDated ? this.#datedExtensions : this.#extensions
    kept[reason] = made
    return made
  }

  #reserve(octets: number): void {
    const needed = this.#end + octets
    if (needed <= this.#bytes.length) return
    if (needed > this.#buffer.maxByteLength) {
      throw new DerError('der.value_invalid', 0, 'The CRL is longer than its reader would take')
    }
    this.#buffer.resize(Math.min(this.#buffer.maxByteLength, Math.ceil(needed / GROWTH) * GROWTH))
    this.#bytes = new Uint8Array(this.#buffer)
  }
}

const ONE = Uint8Array.of(1)
/** SEQUENCE and its length, INTEGER 1, and a UTCTime. */
const HEADER_ONE_AND_TIME = 2 + 3 + 2 + UTC_TIME_OCTETS
