// Which points belong to which curve, in plain BigInt: public keys only, so nothing here needs to hide its timing.
// Opening a key in OpenSSL to learn the same costs thirty times as much. Curves: SP 800-186 (P-256, P-384, P-521), RFC 8032 §5.1.

interface WeierstrassCurve {
  /** The field prime; all three curves have a = -3 and cofactor 1. */
  readonly p: bigint
  readonly b: bigint
  readonly octets: number
}

const CURVES: Readonly<Record<'P-256' | 'P-384' | 'P-521', WeierstrassCurve>> = {
  'P-256': {
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    octets: 32,
  },
  'P-384': {
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
    octets: 48,
  },
  'P-521': {
    p: 2n ** 521n - 1n,
    b: 0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
    octets: 66,
  },
}

/**
 * Whether the affine coordinates, as they stand in an uncompressed point after its `04`, are canonical (below p) and
 * satisfy y² = x³ - 3x + b. All three curves have prime order, so such a point generates the whole group (SP 800-56A
 * §5.6.2.3.3).
 */
export function isOnCurve(curve: 'P-256' | 'P-384' | 'P-521', coordinates: Uint8Array): boolean {
  const { p, b, octets } = CURVES[curve]
  if (coordinates.length !== 2 * octets) return false
  const x = bigIntOf(coordinates.subarray(0, octets))
  const y = bigIntOf(coordinates.subarray(octets))
  if (x >= p || y >= p) return false
  return (y * y - (x * x - 3n) * x - b) % p === 0n
}

const P25519 = 2n ** 255n - 19n
/** d = -121665/121666 (RFC 8032 §5.1). */
const D25519 = 37095705934669439343138083508754565189542113879843219016388785533085940283555n
/** The two y of the four points of order 8: they double to y = 0, so x² = -y² and d·y⁴ + 2y² - 1 = 0. */
const ORDER_8 = [
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
]

/**
 * What is wrong with an encoded Ed25519 point: it names no point (RFC 8032 §5.1.3, canonical encodings only), or one of
 * the eight points of small order, under which one signature fits many messages.
 */
export function edwardsPointFault(encoded: Uint8Array): 'not_on_curve' | 'small_order' | undefined {
  if (encoded.length !== 32) return 'not_on_curve'
  const bytes = encoded.toReversed()
  bytes[0]! &= 0x7f
  const y = bigIntOf(bytes)
  // Order 1 and 2: y = 1 and -1; order 4: y = 0; order 8: four points over two y. Non-canonical encodings of them included.
  const reduced = y % P25519
  if (reduced === 0n || reduced === 1n || reduced === P25519 - 1n || ORDER_8.includes(reduced)) return 'small_order'
  if (y >= P25519) return 'not_on_curve'
  const yy = (y * y) % P25519
  // x² = (y² - 1) / (d·y² + 1): the quotient is a square exactly when the product of both is.
  const product = ((yy - 1n + P25519) * ((D25519 * yy + 1n) % P25519)) % P25519
  return jacobi(product, P25519) === 1 ? undefined : 'not_on_curve'
}

/** The Jacobi symbol (a/n) for odd n: with n prime, 1 where `a` is a non-zero square. */
export function jacobi(a: bigint, n: bigint): -1 | 0 | 1 {
  let top = ((a % n) + n) % n
  let bottom = n
  let symbol: -1 | 1 = 1
  while (top !== 0n) {
    let twos = 0n
    while ((top & 1n) === 0n) {
      top >>= 1n
      twos++
    }
    const low = bottom & 7n
    if ((twos & 1n) === 1n && (low === 3n || low === 5n)) symbol = symbol === 1 ? -1 : 1
    if ((top & 3n) === 3n && (bottom & 3n) === 3n) symbol = symbol === 1 ? -1 : 1
    const rest = bottom % top
    bottom = top
    top = rest
  }
  return bottom === 1n ? symbol : 0
}

/** Big-endian octets as a number, eight at a time: octet by octet it takes ten times as long, through hexadecimal five times. */
export function bigIntOf(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const odd = bytes.length % 8
  let value = 0n
  for (let at = 0; at < odd; at++) value = (value << 8n) | BigInt(bytes[at]!)
  for (let at = odd; at < bytes.length; at += 8) value = (value << 64n) | view.getBigUint64(at)
  return value
}
