// Signature verification: nothing but the right signature, by the right key, under the right algorithm, over the received octets.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readDer } from '../../src/core/asn1/reader.ts'
import { concat } from '../../src/core/bytes/bytes.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { parseAlgorithmIdentifier } from '../../src/core/pki/algorithm-identifier.ts'
import { keyAlgorithm, keyAlgorithms, signatureAlgorithm, signatureAlgorithms } from '../../src/crypto/algorithms.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { signWithKey } from '../../src/crypto/sign-with-key.ts'
import {
  checkSelfSignature,
  checkSignature,
  type SignatureVerdict,
  verifyInBackground,
  verifySignature,
} from '../../src/crypto/verify.ts'

const TBS = toUtf8('what is signed')
const identifierOf = (der: Uint8Array) => readDer(der, parseAlgorithmIdentifier)

/** There are two ways to the answer, with kept keys and without, and it must be the same. */
function verdictOf(...asked: Parameters<typeof checkSignature>): SignatureVerdict {
  const verdict = checkSignature(...asked)
  assert.equal(checkSelfSignature(...asked), verdict)
  assert.equal(verifySignature(...asked), verdict === 'valid')
  return verdict
}
const verifies = (...asked: Parameters<typeof checkSignature>) => verdictOf(...asked) === 'valid'

const samples = await Promise.all(
  keyAlgorithms
    .filter(row => !['RSA-3072', 'RSA-4096'].includes(row.name))
    .map(async row => {
      const key = await generateKeyPair(row.name)
      const algorithm = signatureAlgorithm(row.signatureAlgorithms[0])
      const identifier = identifierOf(algorithm.algorithmIdentifier)
      return { row, key, algorithm, identifier, signature: signWithKey(key.keyObject, algorithm, TBS) }
    }),
)

describe('verifySignature', () => {
  for (const { row, key, identifier, signature } of samples) {
    test(`${row.name}: the signature, and no other octets, message or key`, async () => {
      assert.ok(verifies(key.publicKey, identifier, TBS, signature))
      assert.ok(!verifies(key.publicKey, identifier, concat(TBS, new Uint8Array(1)), signature))
      assert.ok(!verifies(key.publicKey, identifier, TBS, concat(signature, new Uint8Array(1))))
      assert.ok(!verifies(key.publicKey, identifier, TBS, signature.subarray(1)))
      assert.ok(!verifies(key.publicKey, identifier, TBS, new Uint8Array(0)))
      const other = await generateKeyPair(row.name)
      assert.equal(verdictOf(other.publicKey, identifier, TBS, signature), 'invalid')
    })

    test(`${row.name}: no flipped bit of the signature passes`, () => {
      fc.assert(
        fc.property(fc.nat(signature.length * 8 - 1), bit => {
          const forged = signature.slice()
          forged[bit >> 3]! ^= 1 << (bit & 7)
          return !verifies(key.publicKey, identifier, TBS, forged)
        }),
        { numRuns: 40 },
      )
    })
  }

  test('an algorithm that does not belong to the type of the key is no signature of that key', () => {
    for (const { row, key, signature } of samples) {
      for (const foreign of signatureAlgorithms.filter(other => other.keyType !== row.keyType)) {
        const identifier = identifierOf(foreign.algorithmIdentifier)
        assert.equal(verdictOf(key.publicKey, identifier, TBS, signature), 'key_mismatch')
      }
    }
  })

  test('a signature under one hash is none under another', () => {
    const { key, signature } = samples.find(({ row }) => row.name === 'P-256')!
    for (const name of ['ecdsa-with-SHA384', 'ecdsa-with-SHA512'] as const) {
      const identifier = identifierOf(signatureAlgorithm(name).algorithmIdentifier)
      assert.equal(verdictOf(key.publicKey, identifier, TBS, signature), 'invalid')
    }
  })

  test('ECDSA with r = s = 0, and with negative or padded integers, is refused (SEC 1 4.1.4, X.690 8.3.2)', () => {
    const { key, identifier } = samples.find(({ row }) => row.name === 'P-256')!
    for (const hex of ['3006020100020100', '30060201ff0201ff', '300802020001020200ff', '3000', '']) {
      assert.ok(!verifies(key.publicKey, identifier, TBS, new Uint8Array(Buffer.from(hex, 'hex'))))
    }
  })

  test('RSA keys below 2048 and above 8192 bits, or with a huge exponent, verify nothing', () => {
    const identifier = identifierOf(signatureAlgorithm('sha256WithRSAEncryption').algorithmIdentifier)
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))
    const signature = signWithKey(privateKey, signatureAlgorithm('sha256WithRSAEncryption'), TBS)
    assert.equal(verdictOf(spki, identifier, TBS, signature), 'key_unsupported')
  })

  test('never throws, whatever the key, the signature and the message are', () => {
    const bytes = fc.uint8Array({ maxLength: 200 })
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.constantFrom(...samples), (junk, tbs, signature, sample) => {
        assert.equal(verifies(junk, sample.identifier, tbs, signature), false)
        assert.equal(verifies(sample.key.publicKey, sample.identifier, tbs, signature), false)
      }),
      { numRuns: 100 },
    )
  })

  test('gives the same answers when issuers come back and thousands of strangers pass between', async () => {
    const issuer = samples.find(({ row }) => row.name === 'P-256')!
    const strangers = await Promise.all(Array.from({ length: 600 }, () => generateKeyPair('Ed25519')))
    for (let round = 0; round < 3; round++) {
      assert.ok(verifies(issuer.key.publicKey, issuer.identifier, TBS, issuer.signature))
      for (const stranger of strangers) {
        const identifier = identifierOf(keyAlgorithm('Ed25519').algorithmIdentifier)
        assert.ok(!verifies(stranger.publicKey, identifier, TBS, new Uint8Array(64)))
      }
    }
    assert.ok(!verifies(issuer.key.publicKey, issuer.identifier, toUtf8('another'), issuer.signature))
  })

  test('in the background the answers are the same', async () => {
    for (const { key, algorithm, signature } of samples.slice(0, 4)) {
      const publicKey = (await import('node:crypto')).createPublicKey(key.keyObject)
      assert.equal(await verifyInBackground(publicKey, algorithm, TBS, signature), true)
      assert.equal(await verifyInBackground(publicKey, algorithm, toUtf8('another'), signature), false)
      assert.equal(await verifyInBackground(publicKey, algorithm, TBS, new Uint8Array(3)), false)
    }
  })
})
