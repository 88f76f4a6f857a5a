// IP addresses as people write them (RFC 4291 §2.2, RFC 4632 §3.1) and as certificates hold them (RFC 5280 §4.2.1.6, §4.2.1.10).
import { type Bytes, concat } from '../bytes/bytes.ts'

/** 4 or 16 octets in network order, or `undefined` where the text is no address. No ports, no zones, no leading zeros. */
export function parseIpAddress(text: string): Bytes | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

export interface IpRange {
  readonly address: Bytes
  readonly mask: Bytes
}

/** `10.0.0.0/8`, `fd00::/8`, or `undefined`. The address must have no bits beyond the prefix. */
export function parseIpRange(text: string): IpRange | undefined {
  const [before, after, ...rest] = text.split('/')
  const address = parseIpAddress(before!)
  if (address === undefined || after === undefined || rest.length > 0 || !/^(0|[1-9][0-9]{0,2})$/.test(after))
    return undefined
  const prefix = Number(after)
  if (prefix > address.length * 8) return undefined
  const mask = address.map((_, i) => (0xff00 >> Math.min(8, Math.max(0, prefix - 8 * i))) & 0xff)
  return address.every((octet, i) => (octet & ~mask[i]! & 0xff) === 0) ? { address, mask } : undefined
}

/** Whether the octets of an address lie in the range; addresses of the other family do not. */
export function ipRangeContains(range: IpRange, address: Uint8Array): boolean {
  return (
    address.length === range.address.length &&
    range.address.every((octet, i) => (address[i]! & range.mask[i]!) === octet)
  )
}

/** The octets of an iPAddress in name constraints: address and mask (RFC 5280 §4.2.1.10). */
export function ipRangeOctets(range: IpRange): Bytes {
  return concat(range.address, range.mask)
}

function parseIpv4(text: string): Bytes | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every(part => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256))
    return undefined
  return new Uint8Array(parts.map(Number))
}

function parseIpv6(text: string): Bytes | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = groups(halves[0]!, halves.length === 1)
  const tail = halves.length === 2 ? groups(halves[1]!, true) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 16 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined
  return new Uint8Array([...head, ...new Array<number>(missing).fill(0), ...tail])
}

/** Octets of colon-separated groups; the last may be an IPv4 address where `mayEndInIpv4`. */
function groups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  const out: number[] = []
  for (const [i, part] of parts.entries()) {
    if (mayEndInIpv4 && i === parts.length - 1 && part.includes('.')) {
      const ipv4 = parseIpv4(part)
      if (ipv4 === undefined) return undefined
      out.push(...ipv4)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      const value = Number.parseInt(part, 16)
      out.push(value >> 8, value & 255)
    } else return undefined
  }
  return out
}
