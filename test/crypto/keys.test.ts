// Private keys: PKCS#8 in and out (RFC 5958), ML-DSA seeds (RFC 9881 6), and keys whose halves do not belong together.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parsePemBlock, toPem } from '../../src/core/asn1/pem.ts'
import { readDer } from '../../src/core/asn1/reader.ts'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { concat, copyBytes } from '../../src/core/bytes/bytes.ts'
import { toHex } from '../../src/core/bytes/hex.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { parseCertificate } from '../../src/core/pki/certificate.ts'
import { encodePrivateKeyInfo, parsePrivateKeyInfo } from '../../src/core/pki/pkcs8.ts'
import { keyAlgorithm, keyAlgorithms, signatureAlgorithm } from '../../src/crypto/algorithms.ts'
import { generateKeyPair, importPkcs8 } from '../../src/crypto/keys.ts'
import { signWithKey } from '../../src/crypto/sign-with-key.ts'
import { checkSignatureWith, verifySignature } from '../../src/crypto/verify.ts'
import { requireConformance } from '../support/conformance.ts'
import { assertOnlyTypedErrors } from '../support/mutate.ts'
import { requireTool } from '../support/tools.ts'

const TBS = toUtf8('what is signed')
const hasCode = (code: string) => (error: unknown) => error instanceof TouchmarkError && error.code === code
const der = (key: KeyObject) => new Uint8Array(key.export({ format: 'der', type: 'pkcs8' }))

describe('PKCS#8', () => {
  for (const { name } of keyAlgorithms) {
    test(`${name}: what is exported is imported again, by us and by OpenSSL 3.5, as the same key`, async () => {
      const key = await generateKeyPair(name)
      const pkcs8 = key.toPkcs8()
      const again = importPkcs8(pkcs8)
      assert.equal(again.algorithm, name)
      assert.deepEqual(again.publicKey, key.publicKey)
      assert.deepEqual(again.toPkcs8(), pkcs8)
      const judge = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
      const row = signatureAlgorithm(keyAlgorithm(name).signatureAlgorithms[0])
      assert.equal(checkSignatureWith(key.publicKey, row, TBS, signWithKey(judge, row, TBS)), 'valid')
    })
  }

  test('the openssl of the system reads our classical keys and finds them consistent', async t => {
    if (!requireTool(t, 'openssl')) return
    for (const name of ['P-256', 'P-384', 'P-521', 'Ed25519', 'RSA-2048'] as const) {
      const key = await generateKeyPair(name)
      const checked = spawnSync('openssl', ['pkey', '-check', '-noout'], {
        input: toPem('PRIVATE KEY', key.toPkcs8()),
        encoding: 'utf8',
      })
      assert.match(checked.stdout + checked.stderr, /Key is valid/, name)
      const exported = spawnSync('openssl', ['pkey', '-pubout', '-outform', 'DER'], {
        input: toPem('PRIVATE KEY', key.toPkcs8()),
      })
      assert.equal(exported.stdout.toString('hex'), toHex(key.publicKey))
    }
  })

  test('a public key that is not that of the private one is refused, though OpenSSL takes it', () => {
    const mine = der(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' })
    const mixed = concat(mine.subarray(0, -65), other.subarray(-65))
    assert.doesNotThrow(() => createPrivateKey({ key: mixed, format: 'der', type: 'pkcs8' }))
    assert.throws(() => importPkcs8(mixed), hasCode('key.invalid'))
  })

  test('a version 2 key with its public key is read; with another public key it is refused (RFC 5958 2)', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const info = parsePrivateKeyInfo(der(privateKey))
    const own = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
    const fields = { algorithm: info.algorithm.raw, privateKey: info.privateKey }
    const key = importPkcs8(encodePrivateKeyInfo({ ...fields, publicKey: own }))
    assert.equal(toHex(key.publicKey).slice(-64), own.toString('hex'))
    const foreign = encodePrivateKeyInfo({ ...fields, publicKey: new Uint8Array(32).fill(9) })
    assert.throws(() => importPkcs8(foreign), hasCode('key.invalid'))
  })

  test('an RSA key that no longer signs is refused; with one wrong part OpenSSL still signs correctly, or not at all', () => {
    const info = parsePrivateKeyInfo(der(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey))
    const parts = readDer(info.privateKey, reader =>
      reader.sequence(fields => Array.from({ length: 9 }, () => copyBytes(fields.unsignedBytes()))),
    )
    const bent = (indices: readonly number[]) => {
      const privateKey = writeDer(w =>
        w.sequence(() => {
          for (const [index, part] of parts.entries()) {
            const value = copyBytes(part)
            if (indices.includes(index)) value[value.length >> 1]! ^= 1
            w.unsigned(value)
          }
        }),
      )
      return encodePrivateKeyInfo({ algorithm: info.algorithm.raw, privateKey })
    }
    // RSAPrivateKey: version, n, e, d, p, q, d mod p-1, d mod q-1, q^-1 mod p (RFC 8017 A.1.2).
    const [MODULUS, D, DP] = [1, 3, 6]
    for (const indices of [[D, DP], [MODULUS]]) {
      assert.throws(() => importPkcs8(bent(indices)), hasCode('key.invalid'), String(indices))
    }
    const row = signatureAlgorithm('sha256WithRSAEncryption')
    for (const indices of [[], [D], [DP]]) {
      const key = importPkcs8(bent(indices))
      assert.equal(checkSignatureWith(key.publicKey, row, TBS, signWithKey(key.keyObject, row, TBS)), 'valid')
    }
  })

  test('trailing octets, an unknown algorithm, an unsupported size and an oversized file are refused', () => {
    const good = der(generateKeyPairSync('ed25519').privateKey)
    assert.throws(() => importPkcs8(concat(good, new Uint8Array(1))), hasCode('der.trailing_data'))
    const x25519 = der(generateKeyPairSync('x25519').privateKey)
    assert.throws(() => importPkcs8(x25519), hasCode('key.algorithm_unsupported'))
    const small = der(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey)
    assert.throws(() => importPkcs8(small), hasCode('key.algorithm_unsupported'))
    assert.throws(() => importPkcs8(new Uint8Array(20000)), hasCode('key.invalid'))
  })

  test('mutated keys raise only typed errors', async () => {
    const names = ['P-256', 'Ed25519', 'RSA-2048', 'ML-DSA-44'] as const
    const originals = await Promise.all(names.map(async name => (await generateKeyPair(name)).toPkcs8()))
    assertOnlyTypedErrors(originals, importPkcs8, 200)
  })
})

describe('ML-DSA private keys (RFC 9881 6)', () => {
  test('are exported as their seed: 54 octets', async () => {
    for (const name of ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const) {
      const key = await generateKeyPair(name)
      const info = parsePrivateKeyInfo(key.toPkcs8())
      assert.equal(key.toPkcs8().length, 54)
      assert.deepEqual([...info.privateKey.subarray(0, 2)], [0x80, 32])
    }
  })

  test('the examples of RFC 9881 appendix C: seed, expanded and both, each with its certificate', t => {
    const suite = requireConformance(t, 'ml-dsa-rfc9881')
    if (!suite) return
    const read = (file: string) => readFileSync(join(suite, 'examples', file), 'utf8')
    for (const name of ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const) {
      const publicKey = parsePemBlock(read(`${name}.pub`), 'PUBLIC KEY')
      const seedOnly = parsePemBlock(read(`${name}-seed.priv`), 'PRIVATE KEY')
      for (const form of ['seed', 'both', 'expanded']) {
        const given = parsePemBlock(read(`${name}-${form}.priv`), 'PRIVATE KEY')
        const key = importPkcs8(given)
        assert.equal(key.algorithm, name)
        assert.deepEqual(key.publicKey, publicKey)
        // The seed wins where it is known; from an expanded key it cannot be computed.
        assert.deepEqual(key.toPkcs8(), form === 'expanded' ? given : seedOnly)
        const row = signatureAlgorithm(name)
        assert.equal(checkSignatureWith(publicKey, row, TBS, signWithKey(key.keyObject, row, TBS)), 'valid')
      }
      const certificate = parseCertificate(parsePemBlock(read(`${name}.crt`), 'CERTIFICATE'))
      assert.deepEqual(new Uint8Array(certificate.subjectPublicKeyInfo.raw), publicKey)
      assert.ok(
        verifySignature(publicKey, certificate.signatureAlgorithm, certificate.tbs, certificate.signature),
        `${name} self-signed`,
      )
    }
  })

  test('the bad examples (seed and expanded key that disagree, wrong hash) are refused', t => {
    const suite = requireConformance(t, 'ml-dsa-rfc9881')
    if (!suite) return
    const bad = readdirSync(join(suite, 'examples')).filter(file => file.startsWith('bad-') && file.endsWith('.priv'))
    assert.equal(bad.length, 3)
    for (const file of bad) {
      const pkcs8 = parsePemBlock(readFileSync(join(suite, 'examples', file), 'utf8'), 'PRIVATE KEY')
      assert.throws(() => importPkcs8(pkcs8), hasCode('key.invalid'), file)
    }
  })
})

test('fresh keys differ', async () => {
  const [one, other] = await Promise.all([generateKeyPair('P-256'), generateKeyPair('P-256')])
  assert.notDeepEqual(one.publicKey, other.publicKey)
  assert.equal(createPublicKey(one.keyObject).asymmetricKeyType, 'ec')
})
