// Known ways for an RSA modulus to be weak, each found from the public key alone: small factors, primes that lie close
// together (Fermat), and the fingerprint of CVE-2017-15361 ("ROCA"). Public values only: nothing hides its timing.
import { bigIntOf } from './curve.ts'

/** Trial division runs over the primes below this: SP 800-89 §5.3.3 asks for 752. */
const SMALL_PRIME_LIMIT = 4096
/** Steps of Fermat's method. Primes that differ by less than 2^(bits/4) fall at the first; these steps widen that tenfold. */
export const FERMAT_ROUNDS = 128

const SMALL_PRIMES = primesBelow(SMALL_PRIME_LIMIT)
const SMALL_PRIME_GROUPS = groupsOf(SMALL_PRIMES)

/** The smallest prime factor below 4096, or `undefined`. */
export function smallFactor(modulus: Uint8Array): number | undefined {
  const n = bigIntOf(modulus)
  for (const { product, primes } of SMALL_PRIME_GROUPS) {
    const rest = Number(n % product)
    for (const prime of primes) if (rest % prime === 0) return prime
  }
  return undefined
}

/**
 * ROCA (Nemec et al., CCS 2017): affected chips made primes k·M + (65537^a mod M), M being the product of the first small
 * primes, so modulo each of those a modulus lies in the group that 65537 generates. Run over the 38 odd primes up to 167,
 * which divide every M in use, a random modulus has all residues inside with probability below 2^-27.
 */
export function hasRocaFingerprint(modulus: Uint8Array): boolean {
  const n = bigIntOf(modulus)
  return ROCA_GROUPS.every(({ product, primes }) => {
    const rest = Number(n % product)
    return primes.every(prime => ROCA_RESIDUES.get(prime)!.has(rest % prime))
  })
}

const ROCA_PRIMES = SMALL_PRIMES.filter(prime => prime > 2 && prime <= 167)
const ROCA_GROUPS = groupsOf(ROCA_PRIMES)
/** For each of the 38 odd primes up to 167, the residues that 65537 generates. */
const ROCA_RESIDUES: ReadonlyMap<number, ReadonlySet<number>> = new Map(
  ROCA_PRIMES.map(prime => {
    const members = new Set<number>()
    for (let value = 1; !members.has(value); value = (value * 65537) % prime) members.add(value)
    return [prime, members]
  }),
)

/** Whether Fermat's method factors the modulus within `rounds` steps: then its primes lie too close together. */
export function hasClosePrimes(modulus: Uint8Array, rounds: number = FERMAT_ROUNDS): boolean {
  const n = bigIntOf(modulus)
  if (n < 16n || (n & 1n) === 0n) return false
  let a = squareRoot(n)
  if (a * a < n) a += 1n
  let rest = a * a - n
  for (let i = 0; i < rounds; i++) {
    if (isSquare(rest)) return true
    rest += 2n * a + 1n
    a += 1n
  }
  return false
}

/** Whether the value is a perfect square. Most are told from their last six bits and small residues, without a root. */
function isSquare(value: bigint): boolean {
  if (!SQUARES_64.has(Number(value & 63n))) return false
  const residue = Number(value % 45045n)
  if (!SQUARES_63.has(residue % 63) || !SQUARES_65.has(residue % 65) || !SQUARES_11.has(residue % 11)) return false
  const root = squareRoot(value)
  return root * root === value
}

const SQUARES_64 = squaresModulo(64)
const SQUARES_63 = squaresModulo(63)
const SQUARES_65 = squaresModulo(65)
const SQUARES_11 = squaresModulo(11)

function squaresModulo(modulus: number): ReadonlySet<number> {
  return new Set(Array.from({ length: modulus }, (_, i) => (i * i) % modulus))
}

/** The largest integer whose square does not exceed `value` (Newton from above). */
function squareRoot(value: bigint): bigint {
  if (value < 2n) return value
  let root = 1n << BigInt((value.toString(16).length * 4 + 1) >> 1)
  for (;;) {
    const next = (root + value / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

/** Primes whose product a double holds exactly: one division of the modulus serves all of them. */
interface PrimeGroup {
  readonly product: bigint
  readonly primes: readonly number[]
}

function groupsOf(primes: readonly number[]): readonly PrimeGroup[] {
  const groups: PrimeGroup[] = []
  let members: number[] = []
  let product = 1
  for (const prime of primes) {
    if (product * prime > Number.MAX_SAFE_INTEGER) {
      groups.push({ product: BigInt(product), primes: members })
      members = []
      product = 1
    }
    members.push(prime)
    product *= prime
  }
  groups.push({ product: BigInt(product), primes: members })
  return groups
}

function primesBelow(limit: number): readonly number[] {
  const composite = new Uint8Array(limit)
  const primes: number[] = []
  for (let candidate = 2; candidate < limit; candidate++) {
    if (composite[candidate]) continue
    primes.push(candidate)
    for (let multiple = candidate * candidate; multiple < limit; multiple += candidate) composite[multiple] = 1
  }
  return primes
}
