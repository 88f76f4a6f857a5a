// HalfSipHash-2-4 with 64 bits of result (Aumasson and Bernstein): a keyed hash of additions, rotations and exclusive-ors on 32-bit words,
// so small that a microcontroller carries it for nothing. It spreads serial numbers here and guards no secret.

/** The result of the last call to `halfSipHash`, as two words: an object for each of a million serial numbers costs more than the hash. */
export const hashed = { first: 0, second: 0 }

/** Hashes `length` octets from `offset` under the key words `k0`, `k1` into `hashed`. */
export function halfSipHash(k0: number, k1: number, octets: Uint8Array, offset: number, length: number): void {
  let v0 = k0
  let v1 = k1 ^ 0xee
  let v2 = 0x6c796765 ^ k0
  let v3 = 0x74656462 ^ k1
  const whole = length & ~3
  // Two rounds for each word, the last of which says the length; four after 0xee, four after 0xdd.
  for (let at = 0, rounds = 0; ; at += 4) {
    let word = 0
    if (at <= whole) {
      const from = offset + at
      if (at < whole) {
        word = octets[from]! | (octets[from + 1]! << 8) | (octets[from + 2]! << 16) | (octets[from + 3]! << 24)
      } else {
        word = length << 24
        for (let i = length - whole - 1; i >= 0; i--) word |= octets[from + i]! << (8 * i)
      }
      v3 ^= word
      rounds = 2
    } else {
      rounds = 4
    }
    for (; rounds > 0; rounds--) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    if (at <= whole) {
      v0 ^= word
      if (at === whole) v2 ^= 0xee
    } else if (at === whole + 4) {
      hashed.first = (v1 ^ v3) >>> 0
      v1 ^= 0xdd
    } else {
      hashed.second = (v1 ^ v3) >>> 0
      return
    }
  }
}
