// One-time passwords: HOTP (RFC 4226), the function under TOTP (RFC 6238).
import { createHmac } from 'node:crypto'

/** RFC 6238 §1.2 allows the three. Authenticator apps understand SHA-1; its weakness against collisions does not touch HMAC. */
export type HotpHash = 'sha1' | 'sha256' | 'sha512'

/** RFC 4226 §5.3: `digits` decimal digits for this counter. */
export function hotp(key: Uint8Array, counter: number, digits: 6 | 7 | 8, hash: HotpHash = 'sha1'): string {
  const message = new Uint8Array(8)
  new DataView(message.buffer).setBigUint64(0, BigInt(counter))
  const mac = createHmac(hash, key).update(message).digest()
  // Dynamic truncation, §5.3 step 2: the low nibble of the last octet says where to read 31 bits.
  const offset = mac[mac.length - 1]! & 0x0f
  const value = mac.readUInt32BE(offset) & 0x7fff_ffff
  return String(value % 10 ** digits).padStart(digits, '0')
}
