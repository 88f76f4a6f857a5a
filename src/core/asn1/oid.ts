// OBJECT IDENTIFIER content octets (X.690 §8.19) and their dotted form.
import type { Bytes } from '../bytes/bytes.ts'
import { DerError } from './der-error.ts'

/** Content octets of an OID. Longest that we accept; the longest in use (UUID arcs) stay below it. */
const MAX_OID_OCTETS = 64

const decoded = new Map<string, string>()

/** Content octets to dotted form. Throws `der.oid_invalid` on padding, truncation or more than 64 octets. */
export function decodeOid(content: Uint8Array, offset = 0): string {
  if (content.length === 0 || content.length > MAX_OID_OCTETS || content[content.length - 1]! >= 0x80) {
    throw new DerError('der.oid_invalid', offset, 'The OBJECT IDENTIFIER is empty, cut off or too long')
  }
  const key = String.fromCharCode(...content)
  const known = decoded.get(key)
  if (known !== undefined) return known
  const arcs: bigint[] = []
  let arc = 0n
  let first = true
  for (const byte of content) {
    if (first && byte === 0x80) throw new DerError('der.oid_invalid', offset, 'An arc of the OBJECT IDENTIFIER is padded')
    first = byte < 0x80
    arc = (arc << 7n) | BigInt(byte & 0x7f)
    if (first) {
      arcs.push(arc)
      arc = 0n
    }
  }
  const head = arcs[0]!
  const root = head < 40n ? 0n : head < 80n ? 1n : 2n
  const dotted = [root, head - root * 40n, ...arcs.slice(1)].join('.')
  // A memo for the few hundred OIDs that a process meets; strangers cannot make it grow without bound.
  if (decoded.size < 512) decoded.set(key, dotted)
  return dotted
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
