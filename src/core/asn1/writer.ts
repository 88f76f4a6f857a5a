// A DER writer with the shape of the ASN.1 that it writes: nested closures, fields in order, one growing buffer.
// A constructed value is written with a one-octet length; where the content turns out longer, it is moved by the octets that
// the length needs. Certificates move a few hundred octets that way, far less than any second pass would cost.
import type { Bytes } from '../bytes/bytes.ts'
import { compareBytes } from '../bytes/bytes.ts'
import { toUtf8 } from '../bytes/utf8.ts'
import { DerError } from './der-error.ts'
import { oidContent } from './oid.ts'
import { TAG } from './tag.ts'
import { GENERALIZED_TIME_OCTETS, isUtcTime, putTime, UTC_TIME_OCTETS } from './time.ts'

export class DerWriter {
  #buffer: Bytes
  #at = 0

  constructor(capacity = 1024) {
    this.#buffer = new Uint8Array(capacity)
  }

  /** A copy of what was written. */
  finish(): Bytes {
    // Not `buffer.slice`: most of what is written is short, and a short array needs no buffer of its own outside the heap. Preparing a
    // certificate takes a third less time this way.
    return this.#buffer.slice(0, this.#at)
  }

  /** Forgets what was written and keeps the buffer: for writers that live as long as a loop. */
  reset(): this {
    this.#at = 0
    return this
  }

  get length(): number {
    return this.#at
  }

  /** As `reset`, and overwrites what was written; returns the capacity. */
  wipe(): number {
    this.#buffer.fill(0, 0, this.#at)
    this.#at = 0
    return this.#buffer.length
  }

  #reserve(count: number): void {
    const needed = this.#at + count
    if (needed <= this.#buffer.length) return
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2))
    grown.set(this.#buffer.subarray(0, this.#at))
    this.#buffer = grown
  }

  /** Octets that already are DER (or that the caller answers for). */
  raw(der: Uint8Array): this {
    this.#reserve(der.length)
    this.#buffer.set(der, this.#at)
    this.#at += der.length
    return this
  }

  /** One primitive element with this tag and content. */
  primitive(tag: number, content: Uint8Array): this {
    this.#header(tag, content.length)
    return this.raw(content)
  }

  #header(tag: number, length: number): void {
    this.#reserve(6)
    this.#buffer[this.#at++] = tag
    if (length < 0x80) {
      this.#buffer[this.#at++] = length
      return
    }
    const count = lengthOctets(length)
    this.#buffer[this.#at++] = 0x80 | count
    for (let shift = count - 1; shift >= 0; shift--)
      this.#buffer[this.#at++] = Math.floor(length / 2 ** (8 * shift)) & 255
  }

  /** A constructed element whose content `body` writes. */
  constructed(tag: number, body: (self: this) => void): this {
    this.#reserve(6)
    this.#buffer[this.#at] = tag
    this.#at += 2
    const start = this.#at
    body(this)
    this.#close(start)
    return this
  }

  /** Patches the length of the element whose content began at `start`. */
  #close(start: number): void {
    const length = this.#at - start
    if (length < 0x80) {
      this.#buffer[start - 1] = length
      return
    }
    const count = lengthOctets(length)
    this.#reserve(count)
    this.#buffer.copyWithin(start + count, start, this.#at)
    this.#buffer[start - 1] = 0x80 | count
    for (let i = 0; i < count; i++) this.#buffer[start + i] = Math.floor(length / 2 ** (8 * (count - 1 - i))) & 255
    this.#at += count
  }

  sequence(body: (self: this) => void): this {
    return this.constructed(TAG.SEQUENCE, body)
  }

  set(body: (self: this) => void): this {
    return this.constructed(TAG.SET, body)
  }

  /** SET OF: members are whole DER elements, written in the order that DER wants (X.690 §11.6). */
  setOf(members: readonly Uint8Array[], tag: number = TAG.SET): this {
    return this.constructed(tag, () => {
      for (const member of [...members].sort(compareBytes)) this.raw(member)
    })
  }

  /** An OCTET STRING around the DER that `body` writes: extension values, PKCS#8. */
  octetStringContaining(body: (self: this) => void): this {
    return this.constructed(TAG.OCTET_STRING, body)
  }

  /** A BIT STRING around the DER that `body` writes. */
  bitStringContaining(body: (self: this) => void): this {
    return this.constructed(TAG.BIT_STRING, () => {
      this.raw(ZERO)
      body(this)
    })
  }

  boolean(value: boolean, tag: number = TAG.BOOLEAN): this {
    return this.primitive(tag, value ? TRUE : ZERO)
  }

  /** A number of up to 48 bits as INTEGER (or ENUMERATED). */
  integer(value: number, tag: number = TAG.INTEGER): this {
    if (!Number.isSafeInteger(value) || Math.abs(value) >= 2 ** 47) {
      throw new DerError('der.value_invalid', 0, `${value} is not a small integer`)
    }
    if (value >= 0 && value < 0x80) {
      this.#header(tag, 1)
      this.#buffer[this.#at++] = value
      return this
    }
    const octets: number[] = []
    let rest = value
    do {
      octets.unshift(((rest % 256) + 256) % 256)
      rest = Math.floor(rest / 256)
    } while (!((rest === 0 && octets[0]! < 0x80) || (rest === -1 && octets[0]! >= 0x80)))
    return this.primitive(tag, new Uint8Array(octets))
  }

  /** A non-negative INTEGER from its magnitude, big-endian, leading zeros allowed: serial numbers, moduli. */
  unsigned(magnitude: Uint8Array, tag: number = TAG.INTEGER): this {
    let from = 0
    while (from < magnitude.length - 1 && magnitude[from] === 0) from++
    const trimmed = magnitude.subarray(from)
    if (trimmed.length === 0) return this.primitive(tag, ZERO)
    const pad = trimmed[0]! >= 0x80 ? 1 : 0
    this.#header(tag, trimmed.length + pad)
    if (pad) this.raw(ZERO)
    return this.raw(trimmed)
  }

  /** A BIT STRING of whole octets. */
  bitString(bytes: Uint8Array, unusedBits = 0, tag: number = TAG.BIT_STRING): this {
    this.#header(tag, bytes.length + 1)
    this.#reserve(1)
    this.#buffer[this.#at++] = unusedBits
    return this.raw(bytes)
  }

  /** A named-bit list (KeyUsage, ReasonFlags): bit 0 first, trailing zeros cut (X.690 §11.2.2). */
  namedBits(bits: readonly number[], tag: number = TAG.BIT_STRING): this {
    if (bits.length === 0) return this.bitString(new Uint8Array(0), 0, tag)
    const highest = Math.max(...bits)
    const octets = new Uint8Array((highest >> 3) + 1)
    for (const bit of bits) octets[bit >> 3]! |= 0x80 >> (bit & 7)
    return this.bitString(octets, 7 - (highest & 7), tag)
  }

  octetString(bytes: Uint8Array, tag: number = TAG.OCTET_STRING): this {
    return this.primitive(tag, bytes)
  }

  null(): this {
    return this.primitive(TAG.NULL, new Uint8Array(0))
  }

  oid(dotted: string, tag: number = TAG.OBJECT_IDENTIFIER): this {
    return this.primitive(tag, oidContent(dotted))
  }

  /** Text as UTF8String, PrintableString, IA5String…; the caller answers for the alphabet. */
  text(value: string, tag: number = TAG.UTF8_STRING): this {
    return this.primitive(tag, toUtf8(value))
  }

  /** Time (RFC 5280 §4.1.2.5) from whole seconds since 1970: UTCTime from 1950 through 2049, GeneralizedTime otherwise. */
  time(seconds: number): this {
    return isUtcTime(seconds)
      ? this.#time(seconds, TAG.UTC_TIME, UTC_TIME_OCTETS)
      : this.#time(seconds, TAG.GENERALIZED_TIME, GENERALIZED_TIME_OCTETS)
  }

  generalizedTime(seconds: number, tag: number = TAG.GENERALIZED_TIME): this {
    return this.#time(seconds, tag, GENERALIZED_TIME_OCTETS)
  }

  #time(seconds: number, tag: number, octets: 13 | 15): this {
    this.#reserve(octets + 2)
    putTime(this.#buffer, this.#at + 2, seconds, octets)
    this.#buffer[this.#at] = tag
    this.#buffer[this.#at + 1] = octets
    this.#at += octets + 2
    return this
  }
}

/** Writes one DER value. `capacity` is a hint for values of more than 1 KiB. */
export function writeDer(body: (writer: DerWriter) => void, capacity = 0): Bytes {
  const writer = capacity <= IDLE_CAPACITY ? (idle.pop() ?? new DerWriter(IDLE_CAPACITY)) : new DerWriter(capacity)
  body(writer)
  const der = writer.finish()
  if (writer.wipe() <= IDLE_CAPACITY && idle.length < IDLE_WRITERS) idle.push(writer)
  return der
}

/**
 * Buffers between two uses: allocating one costs more than writing a certificate into it. They are wiped, since some of
 * what is written is a private key; a writer whose `body` threw, or that grew, is left to the collector.
 */
const idle: DerWriter[] = []
const IDLE_CAPACITY = 4096
/** As deep as calls of `writeDer` within each other go. */
const IDLE_WRITERS = 8

/** The identifier and length octets of an element whose `length` content octets are written elsewhere: streamed CRLs. */
export function encodeHeader(tag: number, length: number): Bytes {
  const out = new Uint8Array(sizeOf(length) - length)
  putHeader(out, 0, tag, length)
  return out
}

/** Octets of an element with this many octets of content. */
export function sizeOf(length: number): number {
  return length < 0x80 ? length + 2 : length + 2 + lengthOctets(length)
}

/** Writes identifier and length octets at `at`; returns where the content goes. For writers that add up lengths first. */
export function putHeader(out: Bytes, at: number, tag: number, length: number): number {
  out[at] = tag
  if (length < 0x80) {
    out[at + 1] = length
    return at + 2
  }
  const count = lengthOctets(length)
  out[at + 1] = 0x80 | count
  for (let i = 0; i < count; i++) out[at + 2 + i] = Math.floor(length / 2 ** (8 * (count - 1 - i))) & 255
  return at + 2 + count
}

const TRUE = new Uint8Array([0xff])
const ZERO = new Uint8Array([0])

function lengthOctets(length: number): number {
  let count = 1
  for (let rest = Math.floor(length / 256); rest > 0; rest = Math.floor(rest / 256)) count++
  return count
}
