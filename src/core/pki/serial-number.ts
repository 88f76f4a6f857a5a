// CertificateSerialNumber (RFC 5280 §4.1.2.2) in the form that the whole house uses: its magnitude in lower-case hexadecimal, two
// digits an octet, without the sign octet. A negative serial number is refused: nothing that we meet has issued one since RFC 2459.
import type { DerReader } from '../asn1/reader.ts'
import type { DerWriter } from '../asn1/writer.ts'
import { fromHex, toHex } from '../bytes/hex.ts'

/** Reads a serial number. Throws `der.integer_invalid` where it is negative or not in its shortest form. */
export function parseSerialNumber(reader: DerReader): string {
  return toHex(reader.unsignedBytes())
}

/** Writes a serial number; leading zero octets in `hex` do not matter. */
export function writeSerialNumber(w: DerWriter, hex: string): void {
  w.unsigned(fromHex(hex))
}
