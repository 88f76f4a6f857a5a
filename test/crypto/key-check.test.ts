// Key hygiene: keys that are known to be bad, made here from the published descriptions of their faults.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { checkPrimeSync, createPublicKey, generateKeyPairSync, generatePrimeSync, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { type Bytes, concat } from '../../src/core/bytes/bytes.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { encodeSubjectPublicKeyInfo } from '../../src/core/pki/spki.ts'
import { type KeyAlgorithmName, keyAlgorithm, keyAlgorithms } from '../../src/crypto/algorithms.ts'
import { edwardsPointFault, isOnCurve, jacobi } from '../../src/crypto/curve.ts'
import { checkPublicKey, debianFingerprint, parseDebianBlacklist } from '../../src/crypto/key-check.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { hasClosePrimes, hasRocaFingerprint, smallFactor } from '../../src/crypto/rsa-check.ts'
import { requireTool } from '../support/tools.ts'

const codes = (spki: Uint8Array) => checkPublicKey(spki).map(({ code }) => code)
const spkiOf = (name: KeyAlgorithmName, publicKey: Uint8Array) =>
  encodeSubjectPublicKeyInfo(keyAlgorithm(name).algorithmIdentifier, publicKey)

function magnitude(value: bigint, octets?: number): Bytes {
  const hex = value.toString(16)
  return fromHex(hex.padStart(octets === undefined ? hex.length + (hex.length & 1) : 2 * octets, '0'))
}

function rsaSpki(modulus: bigint, exponent = 65537n): Bytes {
  return spkiOf(
    'RSA-2048',
    writeDer(w => w.sequence(() => w.unsigned(magnitude(modulus)).unsigned(magnitude(exponent)))),
  )
}

function goodModulus(): bigint {
  const { n } = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
  return BigInt(`0x${Buffer.from(n!, 'base64url').toString('hex')}`)
}

test('a fresh key of every algorithm is clean', async () => {
  for (const { name } of keyAlgorithms) {
    const { publicKey } = await generateKeyPair(name)
    assert.deepEqual(codes(publicKey), [], name)
  }
})

describe('the key as a structure', () => {
  test('what is not DER, or goes on after its end, is malformed', () => {
    assert.deepEqual(codes(new Uint8Array(0)), ['key.malformed'])
    assert.deepEqual(codes(fromHex('30820000')), ['key.malformed'])
    assert.deepEqual(codes(concat(rsaSpki(goodModulus()), fromHex('00'))), ['key.malformed'])
  })

  test('other curves and algorithms are unsupported', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
    const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))
    assert.deepEqual(codes(spki), ['key.algorithm_unsupported'])
  })

  test('ML-DSA and Ed25519 keys of another length are refused (FIPS 204 table 2, RFC 8032 5.1.5)', () => {
    for (const name of ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87', 'Ed25519'] as const) {
      const octets = keyAlgorithm(name).publicKeyOctets!
      assert.deepEqual(codes(spkiOf(name, new Uint8Array(octets - 1))), ['key.length'])
      assert.deepEqual(codes(spkiOf(name, new Uint8Array(octets + 1))), ['key.length'])
    }
  })

  test('never throws, whatever is submitted', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...keyAlgorithms), (bytes, { name }) => {
        assert.ok(checkPublicKey(bytes).length > 0)
        assert.ok(checkPublicKey(spkiOf(name, bytes)).length > 0 || bytes.length === 32)
      }),
      { numRuns: 200 },
    )
  })
})

describe('points of P-256, P-384 and P-521 (SP 800-56A 5.6.2.3.3)', () => {
  const curves = ['P-256', 'P-384', 'P-521'] as const

  for (const name of curves) {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: name })
    const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))
    const point = spki.slice(-keyAlgorithm(name).publicKeyOctets!)

    test(`${name}: agrees with OpenSSL on points and on points with a flipped bit`, () => {
      assert.ok(isOnCurve(name, point.subarray(1)))
      fc.assert(
        fc.property(fc.integer({ min: 8, max: point.length * 8 - 1 }), bit => {
          const bent = point.slice()
          bent[bit >> 3]! ^= 0x80 >> (bit & 7)
          const der = spkiOf(name, bent)
          assert.throws(() => createPublicKey({ key: der, format: 'der', type: 'spki' }))
          assert.deepEqual(codes(der), ['key.not_on_curve'])
        }),
        { numRuns: 30 },
      )
    })

    test(`${name}: the point at infinity, the origin, and other forms of a point are refused`, () => {
      const octets = (point.length - 1) / 2
      assert.deepEqual(codes(spkiOf(name, fromHex('00'))), ['key.point_at_infinity'])
      assert.deepEqual(codes(spkiOf(name, concat(fromHex('04'), new Uint8Array(2 * octets)))), ['key.not_on_curve'])
      const compressed = concat(new Uint8Array([2 | (point.at(-1)! & 1)]), point.subarray(1, 1 + octets))
      assert.deepEqual(codes(spkiOf(name, compressed)), ['key.point_form_unsupported'])
      const hybrid = concat(new Uint8Array([6 | (point.at(-1)! & 1)]), point.subarray(1))
      assert.deepEqual(codes(spkiOf(name, hybrid)), ['key.point_form_unsupported'])
      assert.deepEqual(codes(spkiOf(name, point.subarray(0, -1))), ['key.length'])
      assert.deepEqual(codes(spkiOf(name, new Uint8Array(0))), ['key.point_form_unsupported'])
    })
  }

  test('P-256: coordinates that are not reduced are refused, though their residues lie on the curve', () => {
    const p = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n
    const b = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn
    // p = 3 mod 4, so b^((p+1)/4) is a square root of b, and (0, √b) a point; (p, √b) names it a second time.
    const y = modPow(b, (p + 1n) / 4n, p)
    assert.equal((y * y) % p, b)
    assert.ok(isOnCurve('P-256', concat(magnitude(0n, 32), magnitude(y, 32))))
    assert.ok(!isOnCurve('P-256', concat(magnitude(p, 32), magnitude(y, 32))))
  })
})

describe('points of Ed25519 (RFC 8032 5.1.3)', () => {
  const p = 2n ** 255n - 19n
  const encode = (y: bigint, sign: 0 | 1): Bytes => magnitude(y | (BigInt(sign) << 255n), 32).reverse()
  const y8 = 0x5fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n

  test('the points of order 1, 2, 4 and 8 are refused, in canonical and other encodings', () => {
    for (const y of [0n, 1n, p - 1n, y8, p - y8, p, p + 1n]) {
      for (const sign of [0, 1] as const) {
        assert.deepEqual(codes(spkiOf('Ed25519', encode(y, sign))), ['key.ed25519_small_order'])
      }
    }
  })

  test('encodings of no point, and encodings above the prime, are refused; others satisfy the equation of the curve', () => {
    const d = (((-121665n * modPow(121666n, p - 2n, p)) % p) + p) % p
    let accepted = 0
    for (let i = 0; i < 100; i++) {
      const y = BigInt(`0x${randomBytes(32).toString('hex')}`) % p
      const quotient = ((((y * y - 1n) % p) + p) * modPow((d * y * y + 1n) % p, p - 2n, p)) % p
      const isSquare = modPow(quotient, (p - 1n) / 2n, p) === 1n
      assert.equal(edwardsPointFault(encode(y, 1)), isSquare ? undefined : 'not_on_curve')
      assert.equal(jacobi(quotient, p) === 1, isSquare)
      if (isSquare) accepted++
    }
    assert.ok(accepted > 20 && accepted < 80)
    for (let y = p + 2n; y < 2n ** 255n; y++) {
      assert.deepEqual(codes(spkiOf('Ed25519', encode(y, 0))), ['key.not_on_curve'])
    }
  })
})

describe('RSA (SP 800-89 5.3.3, FIPS 186-5 A.1.1)', () => {
  const modulus = goodModulus()

  test('sizes outside the table are refused, and more where the caller welcomes fewer', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    assert.deepEqual(codes(new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))), ['key.rsa_size'])
    const strict = checkPublicKey(rsaSpki(modulus), { rsaBits: [3072, 4096] })
    assert.deepEqual(
      strict.map(({ code }) => code),
      ['key.rsa_size'],
    )
  })

  test('a huge modulus is refused without being analysed', () => {
    const huge = rsaSpki((1n << 100000n) + 1n)
    const started = performance.now()
    assert.deepEqual(codes(huge), ['key.rsa_size'])
    assert.ok(performance.now() - started < 500)
  })

  test('exponents must be odd and lie between 2^16 and 2^256', () => {
    for (const exponent of [0n, 1n, 3n, 17n, 65535n, 65536n, 65538n, 2n ** 256n + 1n]) {
      assert.deepEqual(codes(rsaSpki(modulus, exponent)), ['key.rsa_exponent'], String(exponent))
    }
    for (const exponent of [65537n, 2n ** 32n + 1n, 2n ** 256n - 1n]) {
      assert.deepEqual(codes(rsaSpki(modulus, exponent)), [], String(exponent))
    }
  })

  test('even moduli and moduli with a small factor are refused', () => {
    assert.deepEqual(codes(rsaSpki(modulus - 1n)), ['key.rsa_even_modulus'])
    for (const factor of [3n, 751n, 4093n]) {
      // The cofactor fills up to 2048 bits and is odd.
      const product = factor * ((modulus / factor) | 1n)
      assert.ok(codes(rsaSpki(product)).includes('key.rsa_small_factor'), String(factor))
    }
    assert.equal(smallFactor(magnitude(4093n * 4099n)), 4093)
    assert.equal(smallFactor(magnitude(4099n * 4111n)), undefined)
  })

  test('primes that lie close together are found (Fermat)', () => {
    const first = generatePrimeSync(1024, { bigint: true, safe: false })
    // Twins, and a distance that shares the upper half of the primes.
    for (const distance of [2n, 2n ** 400n, 2n ** 510n]) {
      const product = first * nextPrime(first + distance)
      assert.ok(hasClosePrimes(magnitude(product)), String(distance))
      assert.ok(codes(rsaSpki(product)).includes('key.rsa_close_primes'))
    }
    assert.ok(hasClosePrimes(magnitude(first * first)), 'a square')
    assert.ok(!hasClosePrimes(magnitude(modulus)))
  })

  test('Fermat steps reach as far as they promise: |p - q| up to about sqrt(8 rounds) of the fourth root', () => {
    const first = generatePrimeSync(256, { bigint: true })
    const second = nextPrime(first + 2n ** 132n)
    assert.ok(!hasClosePrimes(magnitude(first * second), 1))
    assert.ok(hasClosePrimes(magnitude(first * second), 128))
  })

  test('primes of the form k*M + (65537^a mod M) have the ROCA fingerprint (CVE-2017-15361)', () => {
    for (let i = 0; i < 3; i++) {
      const product = rocaPrime() * rocaPrime()
      assert.ok(hasRocaFingerprint(magnitude(product)))
      assert.deepEqual(
        codes(rsaSpki(product)).filter(code => code !== 'key.rsa_size'),
        ['key.roca'],
      )
    }
  })

  test('no random modulus has the ROCA fingerprint', () => {
    for (let i = 0; i < 5000; i++) {
      const random = new Uint8Array(randomBytes(256))
      random[255]! |= 1
      assert.ok(!hasRocaFingerprint(random))
    }
  })

  test('keys on a published list of CVE-2008-0166 are found under the fingerprint that openssl gives them', t => {
    const fingerprint = debianFingerprint(magnitude(modulus))
    const list = parseDebianBlacklist(`# a list\n${'0'.repeat(20)}\n${fingerprint}\n`)
    const findings = checkPublicKey(rsaSpki(modulus), { debianBlacklist: list })
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['key.debian_weak'],
    )
    assert.deepEqual(checkPublicKey(rsaSpki(goodModulus()), { debianBlacklist: list }), [])
    assert.throws(
      () => parseDebianBlacklist('not a fingerprint'),
      (error: unknown) => error instanceof TouchmarkError && error.code === 'key.blacklist_invalid',
    )
    if (!requireTool(t, 'openssl')) return
    const printed = spawnSync('openssl', ['rsa', '-pubin', '-inform', 'DER', '-noout', '-modulus'], {
      input: rsaSpki(modulus),
    }).stdout
    const digest = spawnSync('openssl', ['dgst', '-sha1', '-r'], { input: printed, encoding: 'utf8' }).stdout
    assert.equal(digest.slice(20, 40), fingerprint)
  })
})

/** A 1024-bit prime as the affected chips made them: M is the product of the first 126 primes. */
function rocaPrime(): bigint {
  let m = 1n
  for (let candidate = 2n, count = 0; count < 126; candidate++) {
    if (!checkPrimeSync(candidate)) continue
    m *= candidate
    count++
  }
  for (;;) {
    const k = (2n ** 1023n + BigInt(`0x${randomBytes(127).toString('hex')}`)) / m
    const prime = k * m + modPow(65537n, BigInt(`0x${randomBytes(16).toString('hex')}`), m)
    if (checkPrimeSync(prime, { checks: 5 })) return prime
  }
}

function nextPrime(from: bigint): bigint {
  let candidate = from | 1n
  while (smallFactor(magnitude(candidate)) !== undefined || !checkPrimeSync(candidate, { checks: 5 })) candidate += 2n
  return candidate
}

function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  let power = base % modulus
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * power) % modulus
    power = (power * power) % modulus
  }
  return result
}

test('fingerprints are lower-case hexadecimal', () => {
  assert.equal(toHex(fromHex(debianFingerprint(fromHex('c5')))).length, 20)
})
