// BER to DER, for the one family of messages that may come in BER: CMS (RFC 5652 §1: "CMS values are generated using ASN.1,
// using BER-encoding"). Streaming writers send indefinite lengths and strings in segments. What is DER already is untouched,
// so certificates and whatever else was signed inside keep their octets.
import { DerError } from './der-error.ts'
import { MAX_DEPTH, MAX_INPUT } from './reader.ts'
import { TAG } from './tag.ts'
import { DerWriter } from './writer.ts'

const CONSTRUCTED = 0x20
const CONSTRUCTED_OCTET_STRING = TAG.OCTET_STRING | CONSTRUCTED
const INDEFINITE = 0x80
const END_OF_CONTENTS = 0x00

/**
 * The same value with definite lengths in their shortest form and with OCTET STRINGs in one piece. Returns the input itself
 * where it has neither indefinite nor long lengths nor segments. Throws `DerError` where the octets are not BER, nested more
 * than 32 deep, or more than 16 MiB. It judges nothing else: the order of sets, booleans and integers stay as they came.
 */
export function derFromBer(bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_INPUT) throw new DerError('der.too_large', 0, 'The input is larger than the limit')
  if (!hasBer(bytes, 0, bytes.length, 0)) return bytes
  const w = new DerWriter(bytes.length)
  const end = transcode({ bytes, w }, 0, bytes.length, 0)
  if (end !== bytes.length) throw new DerError('der.trailing_data', end, 'Octets follow the end of the value')
  return w.finish()
}

interface Transcoding {
  readonly bytes: Uint8Array
  readonly w: DerWriter
}

interface Header {
  readonly tag: number
  readonly contentAt: number
  /** `undefined`: indefinite. */
  readonly length: number | undefined
  readonly isMinimal: boolean
}

/** Whether something between `at` and `end` is BER and not DER. Broken octets are not: the strict reader says what is wrong. */
function hasBer(bytes: Uint8Array, at: number, end: number, depth: number): boolean {
  let next = at
  while (next < end) {
    const header = readHeader(bytes, next, end)
    if (header === undefined) return false
    const { tag, contentAt, length, isMinimal } = header
    if (length === undefined || !isMinimal || tag === CONSTRUCTED_OCTET_STRING) return true
    if (contentAt + length > end) return false
    if (tag & CONSTRUCTED && depth < MAX_DEPTH && hasBer(bytes, contentAt, contentAt + length, depth + 1)) return true
    next = contentAt + length
  }
  return false
}

/** Writes the element at `at` as DER and returns where the next one starts. */
function transcode(context: Transcoding, at: number, end: number, depth: number): number {
  const { bytes, w } = context
  const { tag, contentAt, length } = requireHeader(bytes, at, end)
  if (depth > MAX_DEPTH) throw new DerError('der.too_deep', at, 'The structure is nested too deeply')
  if (!(tag & CONSTRUCTED)) {
    if (length === undefined) throw new DerError('der.length_indefinite', at, 'A primitive value has no length')
    w.primitive(tag, bytes.subarray(contentAt, contentAt + length))
    return contentAt + length
  }
  let next = contentAt
  if (tag === CONSTRUCTED_OCTET_STRING) {
    w.constructed(TAG.OCTET_STRING, () => {
      next = writeSegments(context, contentAt, end, length, depth + 1)
    })
    return next
  }
  w.constructed(tag, () => {
    next = forEachMember(bytes, contentAt, end, length, (member, memberEnd) =>
      transcode(context, member, memberEnd, depth + 1),
    )
  })
  return next
}

/** The content of a segmented OCTET STRING in one piece (X.690 §8.7.3): segments are OCTET STRINGs, segmented or not. */
function writeSegments(
  context: Transcoding,
  contentAt: number,
  end: number,
  length: number | undefined,
  depth: number,
): number {
  const { bytes, w } = context
  return forEachMember(bytes, contentAt, end, length, (at, memberEnd) => {
    const segment = requireHeader(bytes, at, memberEnd)
    if (depth > MAX_DEPTH) throw new DerError('der.too_deep', at, 'The structure is nested too deeply')
    if (segment.tag === CONSTRUCTED_OCTET_STRING) {
      return writeSegments(context, segment.contentAt, memberEnd, segment.length, depth + 1)
    }
    if (segment.tag !== TAG.OCTET_STRING || segment.length === undefined) {
      throw new DerError('der.tag_unexpected', at, 'A segment of an OCTET STRING is something else')
    }
    w.raw(bytes.subarray(segment.contentAt, segment.contentAt + segment.length))
    return segment.contentAt + segment.length
  })
}

/** Calls `member` for each member of a constructed value; it returns where the next one starts. Returns the end of the value. */
function forEachMember(
  bytes: Uint8Array,
  contentAt: number,
  end: number,
  length: number | undefined,
  member: (at: number, end: number) => number,
): number {
  let next = contentAt
  if (length !== undefined) {
    const last = contentAt + length
    while (next < last) next = member(next, last)
    return last
  }
  for (;;) {
    if (next + 1 >= end) throw new DerError('der.truncated', next, 'The end of an indefinite value is missing')
    if (bytes[next] === END_OF_CONTENTS && bytes[next + 1] === END_OF_CONTENTS) return next + 2
    next = member(next, end)
  }
}

function requireHeader(bytes: Uint8Array, at: number, end: number): Header {
  const header = readHeader(bytes, at, end)
  if (header === undefined) throw new DerError('der.truncated', at, 'An element is cut off')
  if (header.length !== undefined && header.contentAt + header.length > end) {
    throw new DerError('der.truncated', header.contentAt, 'The content is cut off')
  }
  return header
}

/** `undefined` where the header is cut off, has a high tag number or a length of more than six octets. */
function readHeader(bytes: Uint8Array, at: number, end: number): Header | undefined {
  if (at + 2 > end) return undefined
  const tag = bytes[at]!
  if ((tag & 0x1f) === 0x1f || tag === END_OF_CONTENTS) return undefined
  const first = bytes[at + 1]!
  if (first < INDEFINITE) return { tag, contentAt: at + 2, length: first, isMinimal: true }
  if (first === INDEFINITE) return { tag, contentAt: at + 2, length: undefined, isMinimal: false }
  const count = first & 0x7f
  if (count > 6 || at + 2 + count > end) return undefined
  let length = 0
  for (let i = at + 2; i < at + 2 + count; i++) length = length * 256 + bytes[i]!
  const isMinimal = length >= 0x80 && length >= 256 ** (count - 1)
  return { tag, contentAt: at + 2 + count, length, isMinimal }
}
