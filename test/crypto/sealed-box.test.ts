// Sealed boxes, keys from passphrases (RFC 9106), and the dates of the crypto policies.
import assert from 'node:assert/strict'
import { argon2Sync, createDecipheriv, hkdfSync } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { toHex } from '../../src/core/bytes/hex.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import {
  CRYPTO_POLICIES,
  judgeAlgorithm,
  NIST_IR_8547_POLICY,
  UNLIMITED_POLICY,
} from '../../src/crypto/crypto-policy.ts'
import { keyFromPassphrase, PASSPHRASE_KEY_PARAMETERS } from '../../src/crypto/passphrase-key.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import { SEAL_NONCE_OCTETS, SEAL_SALT_OCTETS, seal, unseal } from '../../src/crypto/sealed-box.ts'

const hasCode = (code: string) => (error: unknown) => error instanceof TouchmarkError && error.code === code

describe('sealed boxes', () => {
  const key = systemRandom.bytes(32)
  const parameters = {
    salt: systemRandom.bytes(SEAL_SALT_OCTETS),
    nonce: systemRandom.bytes(SEAL_NONCE_OCTETS),
    purpose: 'test',
    additionalData: toUtf8('header'),
  }

  test('are AES-256-GCM with the tag at the end, under a key by HKDF-SHA-256 (RFC 5869)', () => {
    const box = seal(key, toUtf8('secret'), parameters)
    const boxKey = new Uint8Array(hkdfSync('sha256', key, parameters.salt, 'test', 32))
    const decipher = createDecipheriv('aes-256-gcm', boxKey, parameters.nonce)
    decipher.setAAD(toUtf8('header'))
    decipher.setAuthTag(box.subarray(-16))
    assert.equal(decipher.update(box.subarray(0, -16), undefined, 'utf8') + decipher.final('utf8'), 'secret')
  })

  test('open with what they were sealed with', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (secret, additionalData) => {
        const box = seal(key, secret, { ...parameters, additionalData })
        assert.deepEqual([...unseal(key, box, { ...parameters, additionalData })], [...secret])
      }),
    )
  })

  test('stay shut for anything else', () => {
    const box = seal(key, toUtf8('secret'), parameters)
    const attempts: [Uint8Array, Uint8Array, typeof parameters][] = [
      [systemRandom.bytes(32), box, parameters],
      [key, box.subarray(0, -1), parameters],
      [key, box.subarray(0, 15), parameters],
      [key, box.with(0, box[0]! ^ 1) as Uint8Array, parameters],
      [key, box, { ...parameters, salt: systemRandom.bytes(SEAL_SALT_OCTETS) }],
      [key, box, { ...parameters, nonce: systemRandom.bytes(SEAL_NONCE_OCTETS) }],
      [key, box, { ...parameters, purpose: 'other' }],
      [key, box, { ...parameters, additionalData: toUtf8('Header') }],
    ]
    for (const [otherKey, otherBox, otherParameters] of attempts) {
      assert.throws(() => unseal(otherKey, otherBox, otherParameters), hasCode('seal.broken'))
    }
  })
})

describe('keys from passphrases', () => {
  const salt = toUtf8('0123456789abcdef')

  test('are argon2id (RFC 9106 3.2)', async () => {
    const parameters = { memoryKiB: 64, passes: 2, lanes: 2 }
    const judge = argon2Sync('argon2id', {
      message: 'passphrase',
      nonce: salt,
      parallelism: 2,
      tagLength: 32,
      memory: 64,
      passes: 2,
    })
    assert.equal(toHex(await keyFromPassphrase(toUtf8('passphrase'), salt, parameters)), judge.toString('hex'))
  })

  test('need parameters within bounds, and the default is the second recommendation of RFC 9106 4', async () => {
    assert.deepEqual(PASSPHRASE_KEY_PARAMETERS, { memoryKiB: 64 * 1024, passes: 3, lanes: 4 })
    const outside = [
      { memoryKiB: 2 ** 21 },
      { passes: 0 },
      { passes: 33 },
      { lanes: 0 },
      { lanes: 17 },
      { memoryKiB: 31 },
    ]
    for (const change of [...outside, { passes: 1.5 }, { memoryKiB: Number.NaN }]) {
      const parameters = { ...PASSPHRASE_KEY_PARAMETERS, ...change }
      await assert.rejects(keyFromPassphrase(salt, salt, parameters), hasCode('passphrase.parameters_invalid'))
    }
    const short = keyFromPassphrase(salt, salt.subarray(1, 8), PASSPHRASE_KEY_PARAMETERS)
    await assert.rejects(short, hasCode('passphrase.parameters_invalid'))
  })
})

describe('crypto policies', () => {
  test('a certificate may last to the last second of its algorithm, and no longer', () => {
    const last = Date.UTC(2030, 11, 31, 23, 59, 59) / 1000
    assert.deepEqual(judgeAlgorithm(NIST_IR_8547_POLICY, 'RSA-2048', last), { outcome: 'allowed' })
    assert.deepEqual(judgeAlgorithm(NIST_IR_8547_POLICY, 'RSA-2048', last + 1), { outcome: 'outlives', lastUse: last })
    assert.deepEqual(judgeAlgorithm(NIST_IR_8547_POLICY, 'ML-DSA-65', 253402300799), { outcome: 'allowed' })
    assert.deepEqual(judgeAlgorithm(UNLIMITED_POLICY, 'RSA-2048', 253402300799), { outcome: 'allowed' })
  })

  test('names are unique, and what is forbidden has no date', () => {
    assert.equal(new Set(CRYPTO_POLICIES.map(({ name }) => name)).size, CRYPTO_POLICIES.length)
    for (const policy of CRYPTO_POLICIES) {
      for (const name of policy.forbidden) {
        assert.equal(policy.lastUse[name], undefined)
        assert.deepEqual(judgeAlgorithm(policy, name, 0), { outcome: 'forbidden' })
      }
    }
  })
})
