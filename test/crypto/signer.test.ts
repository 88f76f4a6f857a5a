// Signers and the signing pool: right signatures, refusals, and what happens when a machine starts to make wrong ones.
import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Bytes, concat } from '../../src/core/bytes/bytes.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { keyAlgorithms, signatureAlgorithm } from '../../src/crypto/algorithms.ts'
import { generateKeyPair, type PrivateKey, privateKeyOf } from '../../src/crypto/keys.ts'
import { pack, unpack } from '../../src/crypto/packed-list.ts'
import { assertOwnSignature, SAMPLE_EVERY, type Signer, selfCheckOf, softwareSigner } from '../../src/crypto/signer.ts'
import { createSigningPool } from '../../src/crypto/signing-pool.ts'
import { checkSignatureWith } from '../../src/crypto/verify.ts'

const TBS = toUtf8('what is signed')
const hasCode = (code: string) => (error: unknown) => error instanceof TouchmarkError && error.code === code
const p256 = await generateKeyPair('P-256')
const ed25519 = await generateKeyPair('Ed25519')

/**
 * What a machine that miscalculates looks like: a key whose signatures do not verify. OpenSSL takes the public key inside
 * an ECPrivateKey on trust, so another one is put there.
 */
function faultyKey(namedCurve: 'P-256' | 'P-384', octets: number): PrivateKey {
  const mine = generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'der', type: 'pkcs8' })
  const other = generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'der', type: 'spki' })
  const key = concat(mine.subarray(0, -octets), other.subarray(-octets))
  return privateKeyOf(createPrivateKey({ key, format: 'der', type: 'pkcs8' }))
}

describe('software signers', () => {
  for (const row of keyAlgorithms.filter(({ name }) => !['RSA-3072', 'RSA-4096'].includes(name))) {
    test(`${row.name}: signs with each algorithm of the table, one by one and many at once`, async () => {
      const key = await generateKeyPair(row.name)
      for (const name of row.signatureAlgorithms) {
        const signer = softwareSigner(key, 'software:test', name)
        assert.equal(signer.keyAlgorithm, row.name)
        assert.equal(signer.algorithm, signatureAlgorithm(name))
        assert.deepEqual(signer.publicKey, key.publicKey)
        assert.equal(signer.selfChecked, true)
        assertOwnSignature(signer, TBS, await signer.sign(TBS))
        const list = [TBS, toUtf8('another'), toUtf8('a third')]
        const signatures = await signer.signMany!(list)
        for (const [i, tbs] of list.entries()) assertOwnSignature(signer, tbs, signatures[i]!)
      }
    })
  }

  test('an algorithm of another kind of key is refused when the signer is made', () => {
    for (const name of ['Ed25519', 'sha256WithRSAEncryption', 'ML-DSA-65'] as const) {
      assert.throws(() => softwareSigner(p256, 'software:test', name), hasCode('signer.algorithm_unfit'))
      assert.throws(() => createSigningPool(p256, { algorithm: name }), hasCode('signer.algorithm_unfit'))
    }
  })

  test('an aborted request is not signed', async () => {
    const reason = new Error('too late')
    for (const key of [p256, await generateKeyPair('RSA-2048')]) {
      await assert.rejects(softwareSigner(key, 'software:test').sign(TBS, AbortSignal.abort(reason)), reason)
    }
  })

  test('the octets are taken when sign is called: what the caller does to them later does not matter', async () => {
    const signer = softwareSigner(await generateKeyPair('ML-DSA-44'), 'software:test')
    const tbs = toUtf8('first')
    const signature = signer.sign(tbs)
    tbs.fill(0)
    assertOwnSignature(signer, toUtf8('first'), await signature)
  })

  test('assertOwnSignature refuses the signature of another key, message or algorithm', async () => {
    const signer = softwareSigner(p256, 'software:test')
    const signature = await signer.sign(TBS)
    assert.throws(() => assertOwnSignature(signer, toUtf8('other'), signature), hasCode('signer.signature_wrong'))
    const other: Signer = { ...signerFields(signer), publicKey: ed25519.publicKey }
    assert.throws(() => assertOwnSignature(other, TBS, signature), hasCode('signer.signature_wrong'))
  })

  test('how signatures are checked follows the arithmetic of the key (ADR 0005)', () => {
    const expected = {
      'P-256': 'sampled',
      'RSA-2048': 'by-openssl',
      'RSA-3072': 'by-openssl',
      'RSA-4096': 'by-openssl',
    }
    for (const { name } of keyAlgorithms) {
      assert.equal(selfCheckOf(name), Object.entries(expected).find(([key]) => key === name)?.[1] ?? 'each')
    }
  })

  test('P-256: the first signature is verified, and after a wrong one there is none', async () => {
    const signer = softwareSigner(faultyKey('P-256', 65), 'software:faulty')
    await assert.rejects(signer.sign(TBS), hasCode('signer.signature_wrong'))
    for (let i = 0; i < SAMPLE_EVERY; i++) await assert.rejects(signer.sign(TBS), hasCode('signer.signature_wrong'))
  })

  test('keys whose signatures are checked one by one stop in the same way', async () => {
    const signer = softwareSigner(faultyKey('P-384', 97), 'software:faulty')
    await assert.rejects(signer.sign(TBS), hasCode('signer.signature_wrong'))
    await assert.rejects(signer.signMany!([TBS]), hasCode('signer.signature_wrong'))
  })
})

describe('signing pool', () => {
  test('signs a batch over its threads, in order', async () => {
    await using pool = createSigningPool(p256, { workers: 2 })
    assert.equal(pool.workers, 2)
    const tbs = Array.from({ length: 500 }, (_, i) => toUtf8(`certificate ${i}`))
    const signatures = await pool.signMany(tbs)
    assert.equal(signatures.length, tbs.length)
    for (const i of [0, 1, 249, 250, 251, 499]) {
      assert.equal(
        checkSignatureWith(p256.publicKey, signatureAlgorithm('ecdsa-with-SHA256'), tbs[i]!, signatures[i]!),
        'valid',
      )
    }
    assert.deepEqual(await pool.signMany([]), [])
    assert.equal((await pool.signMany([TBS])).length, 1)
  })

  test('batches in flight at the same time do not mix', async () => {
    await using pool = createSigningPool(ed25519, { workers: 1 })
    const batches = Array.from({ length: 5 }, (_, b) => Array.from({ length: 3 + b }, (_, i) => toUtf8(`${b}/${i}`)))
    const answers = await Promise.all(batches.map(batch => pool.signMany(batch)))
    for (const [b, batch] of batches.entries()) {
      for (const [i, tbs] of batch.entries()) {
        assert.equal(
          checkSignatureWith(ed25519.publicKey, signatureAlgorithm('Ed25519'), tbs, answers[b]![i]!),
          'valid',
        )
      }
    }
  })

  test('ML-DSA and PSS work in threads too', async () => {
    for (const [key, name] of [
      [await generateKeyPair('ML-DSA-44'), 'ML-DSA-44'],
      [await generateKeyPair('RSA-2048'), 'RSASSA-PSS-SHA384'],
    ] as const) {
      await using pool = createSigningPool(key, { workers: 1, algorithm: name })
      const [signature] = await pool.signMany([TBS])
      assert.equal(checkSignatureWith(key.publicKey, signatureAlgorithm(name), TBS, signature!), 'valid')
    }
  })

  test('a thread whose signatures are wrong rejects the batch', async () => {
    await using pool = createSigningPool(faultyKey('P-256', 65), { workers: 1 })
    await assert.rejects(pool.signMany([TBS, TBS]), hasCode('signer.signature_wrong'))
    await assert.rejects(pool.signMany([TBS]), hasCode('signer.signature_wrong'))
  })

  test('after it was disposed of, and while it is, requests are rejected with a typed error', async () => {
    const pool = createSigningPool(p256, { workers: 1 })
    const pending = pool.signMany(Array.from({ length: 20000 }, () => TBS))
    const outcome = assert.rejects(pending, hasCode('signer.failed'))
    await pool[Symbol.asyncDispose]()
    await outcome
    await assert.rejects(pool.signMany([TBS]), hasCode('signer.failed'))
  })
})

describe('signing many at once', () => {
  const many = Array.from({ length: 200 }, (_, i) => toUtf8(`certificate ${i}`))

  test('goes to the threads where there are any, in order; a few do not', async () => {
    await using pool = createSigningPool(p256, { workers: 2 })
    let calls = 0
    const signer = softwareSigner(p256, 'software:test', undefined, () => {
      calls++
      return pool
    })
    const signatures = await signer.signMany!(many)
    for (const [i, tbs] of many.entries()) assertOwnSignature(signer, tbs, signatures[i]!)
    assert.equal((await signer.signMany!(many.slice(0, 3))).length, 3)
    assert.equal(calls, 1)
  })

  test('after a thread made a wrong signature the signer makes none either', async () => {
    const faulty = faultyKey('P-256', 65)
    await using pool = createSigningPool(faulty, { workers: 1 })
    const signer = softwareSigner(faulty, 'software:faulty', undefined, () => pool)
    await assert.rejects(signer.signMany!(many), hasCode('signer.signature_wrong'))
    await assert.rejects(signer.signMany!([TBS]), hasCode('signer.signature_wrong'))
    await assert.rejects(signer.sign(TBS), hasCode('signer.signature_wrong'))
  })
})

test('packed lists come back as they went in', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 }), list => {
      assert.deepEqual(
        unpack(pack(list)).map(one => [...one]),
        list.map(one => [...one]),
      )
    }),
  )
  assert.throws(() => unpack(pack([TBS]).slice(0, -1)), RangeError)
})

function signerFields(signer: Signer): Omit<Signer, 'publicKey'> {
  const { keyUri, keyAlgorithm, algorithm, selfChecked } = signer
  const sign = (tbs: Uint8Array): Promise<Bytes> => signer.sign(tbs)
  return { keyUri, keyAlgorithm, algorithm, selfChecked, sign }
}
