// OBJECT IDENTIFIER content octets (X.690 §8.19) and their dotted form.
import type { Bytes } from '../bytes/bytes.ts'
import { DerError } from './der-error.ts'

/** Content octets of an OID. Longest that we accept; the longest in use (UUID arcs) stay below it. */
const MAX_OID_OCTETS = 64

/**
 * What was decoded last, one OID a slot, found by a hash of the octets: a process meets the same few hundred again and
 * again. A slot is simply taken over, so strangers can neither make this grow nor keep others out for long.
 */
const SLOTS = 1024
const recent: ({ readonly content: Uint8Array; readonly dotted: string } | undefined)[] = new Array(SLOTS).fill(
  undefined,
)

/**
 * Content octets (those of `bytes` between `from` and `to`) to dotted form. Throws `der.oid_invalid` on padding, truncation
 * or more than 64 octets.
 */
export function decodeOid(bytes: Uint8Array, offset = 0, from = 0, to = bytes.length): string {
  if (to - from > MAX_OID_OCTETS || to <= from || bytes[to - 1]! >= 0x80) {
    throw new DerError('der.oid_invalid', offset, 'The OBJECT IDENTIFIER is empty, cut off or too long')
  }
  let hash = 0
  for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0
  const slot = (hash ^ (hash >>> 10)) & (SLOTS - 1)
  const known = recent[slot]
  if (known !== undefined && isSame(known.content, bytes, from, to)) return known.dotted
  const content = Uint8Array.from(bytes.subarray(from, to))
  const dotted = decodeArcs(content, offset)
  recent[slot] = { content, dotted }
  return dotted
}

function isSame(content: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (content.length !== to - from) return false
  for (let i = 0; i < content.length; i++) if (content[i] !== bytes[from + i]) return false
  return true
}

function decodeArcs(content: Uint8Array, offset: number): string {
  const arcs: bigint[] = []
  let arc = 0n
  let first = true
  for (const byte of content) {
    if (first && byte === 0x80) {
      throw new DerError('der.oid_invalid', offset, 'An arc of the OBJECT IDENTIFIER is padded')
    }
    first = byte < 0x80
    arc = (arc << 7n) | BigInt(byte & 0x7f)
    if (first) {
      arcs.push(arc)
      arc = 0n
    }
  }
  const head = arcs[0]!
  const root = head < 40n ? 0n : head < 80n ? 1n : 2n
  return [root, head - root * 40n, ...arcs.slice(1)].join('.')
}

/** Dotted form to content octets. Throws `der.oid_invalid` where the text is no OID. */
export function encodeOid(dotted: string): Bytes {
  const parts = dotted.split('.')
  if (parts.length < 2 || !parts.every(part => /^(0|[1-9][0-9]*)$/.test(part))) {
    throw new DerError('der.oid_invalid', 0, `"${dotted}" is not an OBJECT IDENTIFIER`)
  }
  const arcs = parts.map(BigInt)
  if (arcs[0]! > 2n || (arcs[0]! < 2n && arcs[1]! > 39n)) {
    throw new DerError('der.oid_invalid', 0, `"${dotted}" is not an OBJECT IDENTIFIER`)
  }
  const out: number[] = []
  for (const arc of [arcs[0]! * 40n + arcs[1]!, ...arcs.slice(2)]) {
    const groups = [Number(arc & 0x7fn)]
    for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) groups.push(Number(rest & 0x7fn) | 0x80)
    out.push(...groups.reverse())
  }
  return new Uint8Array(out)
}

const encoded = new Map<string, Bytes>()

/** As `encodeOid`, remembering the first few hundred: the OIDs that one writes are one's own. Not to be changed by the caller. */
export function oidContent(dotted: string): Uint8Array {
  let content = encoded.get(dotted)
  if (content === undefined) {
    content = encodeOid(dotted)
    if (encoded.size < 512) encoded.set(dotted, content)
  }
  return content
}
