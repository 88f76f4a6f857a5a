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

  /** Reads the header of the next element and steps over it; returns [start, contentStart, contentEnd]. */
  #header(expected: number | undefined): [number, number, number] {
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
    return [start, at, end]
  }

  /** The next element of any tag. */
  any(): Tlv {
    const [start, from, to] = this.#header(undefined)
    return { tag: this.#bytes[start]!, content: this.#bytes.subarray(from, to), raw: this.#bytes.subarray(start, to) }
  }

  /** The content of the next element, which must have this tag. */
  content(tag: number): Uint8Array {
    const [, from, to] = this.#header(tag)
    return this.#bytes.subarray(from, to)
  }

  /** The next element (header and content as received), which must have this tag. */
  raw(tag: number): Uint8Array {
    const [start, , to] = this.#header(tag)
    return this.#bytes.subarray(start, to)
  }

  /** A reader over the content of the next element, which must have this tag. */
  enter(tag: number): DerReader {
    const [, from, to] = this.#header(tag)
    return new DerReader(this.#bytes, {
      base: this.#base,
      depth: this.#depth + 1,
      start: from,
      end: to,
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
    const content = this.content(tag)
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) {
      throw new DerError('der.boolean_invalid', at, 'A DER BOOLEAN is 00 or ff')
    }
    return content[0] === 0xff
  }

  /** The content octets of an INTEGER in two's complement, checked to be the shortest form. */
  integerBytes(tag: number = TAG.INTEGER): Uint8Array {
    const at = this.offset
    const content = this.content(tag)
    if (content.length === 0) throw new DerError('der.integer_invalid', at, 'An INTEGER has no content')
    if (
      content.length > 1 &&
      ((content[0] === 0 && content[1]! < 0x80) || (content[0] === 0xff && content[1]! >= 0x80))
    ) {
      throw new DerError('der.integer_invalid', at, 'The INTEGER is not in its shortest form')
    }
    return content
  }

  /** The magnitude of a non-negative INTEGER without the sign octet (`00` becomes one zero octet). */
  unsignedBytes(tag: number = TAG.INTEGER): Uint8Array {
    const at = this.offset
    const content = this.integerBytes(tag)
    if (content[0]! >= 0x80) throw new DerError('der.integer_invalid', at, 'The INTEGER is negative')
    return content.length > 1 && content[0] === 0 ? content.subarray(1) : content
  }

  /** A small INTEGER (or ENUMERATED) as a number; beyond 48 bits it throws `der.integer_too_large`. */
  smallInteger(tag: number = TAG.INTEGER): number {
    const at = this.offset
    const content = this.integerBytes(tag)
    if (content.length > 6) throw new DerError('der.integer_too_large', at, 'The INTEGER is larger than expected here')
    let value = content[0]! >= 0x80 ? -1 : 0
    for (const byte of content) value = value * 256 + byte
    return value
  }

  /** A BIT STRING whose unused bits are zero, as DER wants (X.690 §11.2.1). */
  bitString(tag: number = TAG.BIT_STRING): { readonly unusedBits: number; readonly bytes: Uint8Array } {
    const at = this.offset
    const content = this.content(tag)
    const unusedBits = content[0]
    if (unusedBits === undefined || unusedBits > 7 || (content.length === 1 && unusedBits !== 0)) {
      throw new DerError('der.bit_string_invalid', at, 'The BIT STRING has a wrong count of unused bits')
    }
    const last = content[content.length - 1]!
    if (unusedBits > 0 && (last & ((1 << unusedBits) - 1)) !== 0) {
      throw new DerError('der.bit_string_invalid', at, 'The unused bits of the BIT STRING are not zero')
    }
    return { unusedBits, bytes: content.subarray(1) }
  }

  /** A BIT STRING of whole octets: keys and signatures. */
  bitStringOctets(tag: number = TAG.BIT_STRING): Uint8Array {
    const at = this.offset
    const { unusedBits, bytes } = this.bitString(tag)
    if (unusedBits !== 0) throw new DerError('der.bit_string_invalid', at, 'The BIT STRING is not whole octets')
    return bytes
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
    return decodeOid(this.content(tag), at)
  }

  /** Time (RFC 5280 §4.1.2.5): UTCTime or GeneralizedTime in their DER forms, as whole seconds since 1970. */
  time(): number {
    const at = this.offset
    const { tag, content } = this.any()
    if (tag === TAG.UTC_TIME) return parseUtcTime(content, at)
    if (tag === TAG.GENERALIZED_TIME) return parseGeneralizedTime(content, at)
    throw new DerError('der.time_invalid', at, 'The element is neither UTCTime nor GeneralizedTime')
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

function hex(tag: number): string {
  return tag.toString(16).padStart(2, '0')
}
