// A strict, bounded DER reader (X.690 §10, §11): a cursor over the received octets that must end empty.
// Values are views into the input, never copies, so what was received can be hashed and verified as it came.
// It does not know BER: indefinite lengths, non-minimal lengths and constructed strings are refused.
import { DerError } from './der-error.ts'
import { decodeOid } from './oid.ts'
import { TAG } from './tag.ts'
import { parseGeneralizedTime, parseUtcTime } from './time.ts'

/** One element: its tag, its content, and the whole encoding (header and content) as received. */
export interface Tlv {
  readonly tag: number
  readonly content: Uint8Array
  readonly raw: Uint8Array
}

/** Nesting that a stranger may ask for. X.509 with policies and name constraints stays below 16. */
export const MAX_DEPTH = 32
/** Octets in one input, unless the reader is given a bound of its own (CRLs are larger). */
export const MAX_INPUT = 16 * 1024 * 1024

export interface DerReaderOptions {
  /** Where `bytes[0]` lies in the outermost input, for error offsets. */
  readonly base?: number
  readonly depth?: number
  readonly start?: number
  readonly end?: number
  /** Octets that `bytes` may have, where MAX_INPUT does not fit: more for CRLs, less for what strangers post. */
  readonly maxInput?: number
}

export class DerReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  readonly #depth: number
  readonly #maxInput: number
  /** Where `#bytes[0]` lies in the outermost input, for error offsets when an OCTET STRING is opened. */
  readonly #base: number
  #at: number

  constructor(bytes: Uint8Array, options: DerReaderOptions = {}) {
    this.#maxInput = options.maxInput ?? MAX_INPUT
    if (bytes.length > this.#maxInput) throw new DerError('der.too_large', 0, 'The input is larger than the limit')
    this.#bytes = bytes
    this.#base = options.base ?? 0
    this.#depth = options.depth ?? 0
    this.#at = options.start ?? 0
    this.#end = options.end ?? bytes.length
    if (this.#depth > MAX_DEPTH) throw new DerError('der.too_deep', this.offset, 'The structure is nested too deeply')
  }

  /** Offset of the next octet from the start of the outermost input. */
  get offset(): number {
    return this.#base + this.#at
  }

  get empty(): boolean {
    return this.#at >= this.#end
  }

  /** What has not been read yet, as received. */
  get rest(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#end)
  }

  /** The tag of the next element, or `undefined` at the end. */
  peekTag(): number | undefined {
    return this.#at < this.#end ? this.#bytes[this.#at] : undefined
  }

  /** Throws `der.trailing_data` unless everything was read. */
  finish(): void {
    if (this.#at < this.#end) throw new DerError('der.trailing_data', this.offset, 'Octets follow the end of the value')
  }

  /** Reads the header of the next element and steps over the element; returns where its content starts. */
  #header(expected: number | undefined): number {
    const start = this.#at
    const bytes = this.#bytes
    if (start >= this.#end) throw new DerError('der.truncated', this.#base + start, 'An element is missing')
    const tag = bytes[start]!
    if (expected !== undefined && tag !== expected) {
      throw new DerError(
        'der.tag_unexpected',
        this.#base + start,
        `Tag ${hex(tag)} stands where ${hex(expected)} should`,
      )
    }
    if ((tag & 0x1f) === 0x1f)
      throw new DerError('der.tag_high_form', this.#base + start, 'High tag numbers are not used here')
    let at = start + 1
    if (at >= this.#end) throw new DerError('der.truncated', this.#base + at, 'The length is missing')
    let length = bytes[at++]!
    if (length === 0x80)
      throw new DerError('der.length_indefinite', this.#base + at - 1, 'Indefinite length is not DER')
    if (length > 0x80) {
      const count = length & 0x7f
      if (count > 4) throw new DerError('der.too_large', this.#base + at - 1, 'The length is larger than the limit')
      if (at + count > this.#end) throw new DerError('der.truncated', this.#base + at, 'The length is cut off')
      length = 0
      for (let i = 0; i < count; i++) length = length * 256 + bytes[at++]!
      if (length < 0x80 || length < 2 ** (8 * (count - 1))) {
        throw new DerError('der.length_not_minimal', this.#base + start + 1, 'The length is not in its shortest form')
      }
    }
    const end = at + length
    if (end > this.#end) throw new DerError('der.truncated', this.#base + at, 'The content is cut off')
    this.#at = end
    return at
  }

  /** The next element of any tag. */
  any(): Tlv {
    const start = this.#at
    const from = this.#header(undefined)
    const bytes = this.#bytes
    return { tag: bytes[start]!, content: bytes.subarray(from, this.#at), raw: bytes.subarray(start, this.#at) }
  }

  /** The content of the next element, which must have this tag. */
  content(tag: number): Uint8Array {
    const from = this.#header(tag)
    return this.#bytes.subarray(from, this.#at)
  }

  /** The next element (header and content as received), which must have this tag. */
  raw(tag: number): Uint8Array {
    const start = this.#at
    this.#header(tag)
    return this.#bytes.subarray(start, this.#at)
  }

  /**
   * Whether the next octets are these, and if so steps over them. For whoever knows which elements should come: `expected` is whole ones,
   * one after the other.
   */
  skipExactly(expected: Uint8Array): boolean {
    const bytes = this.#bytes
    const start = this.#at
    const length = expected.length
    if (this.#end - start < length) return false
    for (let i = 0; i < length; i++) if (bytes[start + i] !== expected[i]) return false
    this.#at = start + length
    return true
  }

  /** What was read since `offset` had this value, as received. */
  since(offset: number): Uint8Array {
    return this.#bytes.subarray(offset - this.#base, this.#at)
  }

  /**
   * The next element of any tag, decoded in place: `decode` gets the tag, all octets and the bounds of the content in them.
   * A view of a few octets costs more than reading them; names and times are many, so they go this way.
   */
  inPlace<T>(decode: (tag: number, bytes: Uint8Array, from: number, to: number, offset: number) => T): T {
    const start = this.#at
    const from = this.#header(undefined)
    return decode(this.#bytes[start]!, this.#bytes, from, this.#at, this.#base + start)
  }

  /** A reader over the content of the next element, which must have this tag. */
  enter(tag: number): DerReader {
    const start = this.#header(tag)
    return new DerReader(this.#bytes, {
      base: this.#base,
      depth: this.#depth + 1,
      start,
      end: this.#at,
      maxInput: this.#maxInput,
    })
  }

  /** Reads a constructed value with `body` and insists that `body` read all of it. */
  nested<T>(tag: number, body: (inner: DerReader) => T): T {
    const inner = this.enter(tag)
    const value = body(inner)
    inner.finish()
    return value
  }

  sequence<T>(body: (inner: DerReader) => T): T {
    return this.nested(TAG.SEQUENCE, body)
  }

  /** SEQUENCE OF (or, with a tag, SET OF or an implicitly tagged list): one call of `element` per member, at most `limit`. */
  listOf<T>(element: (inner: DerReader) => T, options: { tag?: number; limit?: number } = {}): T[] {
    const limit = options.limit ?? 4096
    return this.nested(options.tag ?? TAG.SEQUENCE, inner => {
      const out: T[] = []
      while (!inner.empty) {
        if (out.length >= limit)
          throw new DerError('der.too_large', inner.offset, `The list has more than ${limit} members`)
        out.push(element(inner))
      }
      return out
    })
  }

  /** `body` if the next tag is `tag`, else `undefined`: for OPTIONAL and DEFAULT. */
  optional<T>(tag: number, body: (self: DerReader) => T): T | undefined {
    return this.peekTag() === tag ? body(this) : undefined
  }

  /** A reader over the DER inside the next OCTET STRING; error offsets stay those of the outermost input. */
  octetStringContaining<T>(body: (inner: DerReader) => T): T {
    return this.nested(TAG.OCTET_STRING, body)
  }

  boolean(tag: number = TAG.BOOLEAN): boolean {
    const at = this.offset
    const from = this.#header(tag)
    const octet = this.#bytes[from]
    if (this.#at - from !== 1 || (octet !== 0 && octet !== 0xff)) {
      throw new DerError('der.boolean_invalid', at, 'A DER BOOLEAN is 00 or ff')
    }
    return octet === 0xff
  }

  /** Steps over an INTEGER, checks that it is in its shortest form and returns where its content starts. */
  #integer(tag: number): number {
    const at = this.offset
    const from = this.#header(tag)
    const length = this.#at - from
    if (length === 0) throw new DerError('der.integer_invalid', at, 'An INTEGER has no content')
    const first = this.#bytes[from]!
    const padding = length > 1 && this.#bytes[from + 1]! < 0x80 ? 0 : 0xff
    if (length > 1 && first === padding) {
      throw new DerError('der.integer_invalid', at, 'The INTEGER is not in its shortest form')
    }
    return from
  }

  /** The content octets of an INTEGER in two's complement, checked to be the shortest form. */
  integerBytes(tag: number = TAG.INTEGER): Uint8Array {
    const from = this.#integer(tag)
    return this.#bytes.subarray(from, this.#at)
  }

  /** The magnitude of a non-negative INTEGER without the sign octet (`00` becomes one zero octet). */
  unsignedBytes(tag: number = TAG.INTEGER): Uint8Array {
    const at = this.offset
    const from = this.#integer(tag)
    const first = this.#bytes[from]!
    if (first >= 0x80) throw new DerError('der.integer_invalid', at, 'The INTEGER is negative')
    return this.#bytes.subarray(first === 0 && this.#at - from > 1 ? from + 1 : from, this.#at)
  }

  /** A small INTEGER (or ENUMERATED) as a number; beyond 48 bits it throws `der.integer_too_large`. */
  smallInteger(tag: number = TAG.INTEGER): number {
    const at = this.offset
    const from = this.#integer(tag)
    if (this.#at - from > 6) {
      throw new DerError('der.integer_too_large', at, 'The INTEGER is larger than expected here')
    }
    let value = this.#bytes[from]! >= 0x80 ? -1 : 0
    for (let i = from; i < this.#at; i++) value = value * 256 + this.#bytes[i]!
    return value
  }

  /** Steps over a BIT STRING, checks that its unused bits are zero and returns where its content starts. */
  #bitString(tag: number): number {
    const at = this.offset
    const from = this.#header(tag)
    const length = this.#at - from
    const unusedBits = this.#bytes[from]!
    if (length === 0 || unusedBits > 7 || (length === 1 && unusedBits !== 0)) {
      throw new DerError('der.bit_string_invalid', at, 'The BIT STRING has a wrong count of unused bits')
    }
    if (unusedBits > 0 && (this.#bytes[this.#at - 1]! & ((1 << unusedBits) - 1)) !== 0) {
      throw new DerError('der.bit_string_invalid', at, 'The unused bits of the BIT STRING are not zero')
    }
    return from
  }

  /** A BIT STRING whose unused bits are zero, as DER wants (X.690 §11.2.1). */
  bitString(tag: number = TAG.BIT_STRING): { readonly unusedBits: number; readonly bytes: Uint8Array } {
    const from = this.#bitString(tag)
    return { unusedBits: this.#bytes[from]!, bytes: this.#bytes.subarray(from + 1, this.#at) }
  }

  /** A BIT STRING of whole octets: keys and signatures. */
  bitStringOctets(tag: number = TAG.BIT_STRING): Uint8Array {
    const at = this.offset
    const from = this.#bitString(tag)
    if (this.#bytes[from] !== 0) {
      throw new DerError('der.bit_string_invalid', at, 'The BIT STRING is not whole octets')
    }
    return this.#bytes.subarray(from + 1, this.#at)
  }

  octetString(tag: number = TAG.OCTET_STRING): Uint8Array {
    return this.content(tag)
  }

  null(): void {
    const at = this.offset
    if (this.content(TAG.NULL).length !== 0) throw new DerError('der.null_invalid', at, 'A NULL has content')
  }

  /** An OBJECT IDENTIFIER in dotted form. */
  oid(tag: number = TAG.OBJECT_IDENTIFIER): string {
    const at = this.offset
    const from = this.#header(tag)
    return decodeOid(this.#bytes, at, from, this.#at)
  }

  /** Time (RFC 5280 §4.1.2.5): UTCTime or GeneralizedTime in their DER forms, as whole seconds since 1970. */
  time(): number {
    return this.inPlace(parseTime)
  }

  /** A GeneralizedTime without fractions, as whole seconds since 1970. */
  generalizedTime(tag: number = TAG.GENERALIZED_TIME): number {
    const at = this.offset
    return parseGeneralizedTime(this.content(tag), at)
  }
}

/** Parses all of `bytes` with `body`; octets that follow are an error. */
export function readDer<T>(bytes: Uint8Array, body: (reader: DerReader) => T, options?: DerReaderOptions): T {
  const reader = new DerReader(bytes, options)
  const value = body(reader)
  reader.finish()
  return value
}

function parseTime(tag: number, bytes: Uint8Array, from: number, to: number, offset: number): number {
  if (tag === TAG.UTC_TIME) return parseUtcTime(bytes, offset, from, to)
  if (tag === TAG.GENERALIZED_TIME) return parseGeneralizedTime(bytes, offset, from, to)
  throw new DerError('der.time_invalid', offset, 'The element is neither UTCTime nor GeneralizedTime')
}

function hex(tag: number): string {
  return tag.toString(16).padStart(2, '0')
}
