// CertificateSerialNumber (RFC 5280 §4.1.2.2) in the form that the whole house uses: its magnitude in lower-case hexadecimal, two
// digits an octet, without the sign octet. Others have issued negative ones, and users "SHOULD be prepared to gracefully handle
// such certificates": they read as `-` and the magnitude, so that one odd entry does not make a CRL unreadable.
import { DerError } from '../asn1/der-error.ts'
import type { DerReader } from '../asn1/reader.ts'
import { TAG } from '../asn1/tag.ts'
import type { DerWriter } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { fromHex, toHex } from '../bytes/hex.ts'

/** Octets of a serial number that we read. RFC 5280 §4.1.2.2 allows CAs 20; a few in the field have more. */
export const MAX_SERIAL_OCTETS = 64

/** Reads a serial number. Throws `DerError`: also `der.integer_too_large` beyond 64 octets. */
export function parseSerialNumber(reader: DerReader): string {
  const at = reader.offset
  const content = reader.integerBytes()
  if (content.length > MAX_SERIAL_OCTETS) {
    throw new DerError('der.integer_too_large', at, 'The serial number is too long')
  }
  if (content[0]! >= 0x80) {
    const magnitude = negate(content)
    return `-${toHex(magnitude[0] === 0 && magnitude.length > 1 ? magnitude.subarray(1) : magnitude)}`
  }
  return toHex(content[0] === 0 && content.length > 1 ? content.subarray(1) : content)
}

/** Writes a serial number as `parseSerialNumber` gives it; leading zero octets in the hexadecimal do not matter. */
export function writeSerialNumber(w: DerWriter, serialNumber: string): void {
  if (!serialNumber.startsWith('-')) {
    w.unsigned(fromHex(serialNumber))
    return
  }
  const content = negate(fromHex(`00${serialNumber.slice(1)}`))
  let from = 0
  while (from < content.length - 1 && content[from] === 0xff && content[from + 1]! >= 0x80) from++
  w.primitive(TAG.INTEGER, content.subarray(from))
}

/** Two's complement of as many octets as the input has. */
function negate(octets: Uint8Array): Bytes {
  const out = new Uint8Array(octets.length)
  let carry = 1
  for (let i = octets.length - 1; i >= 0; i--) {
    const sum = (~octets[i]! & 0xff) + carry
    out[i] = sum & 0xff
    carry = sum >> 8
  }
  return out
}
