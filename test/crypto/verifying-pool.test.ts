// Verification in bulk: the same answers as one by one, in order, whatever stands between.
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import type { AlgorithmIdentifier } from '../../src/core/pki/algorithm-identifier.ts'
import { signatureAlgorithm } from '../../src/crypto/algorithms.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import { createVerifyingPool, type SelfSigned } from '../../src/crypto/verifying-pool.ts'

const ECDSA = signatureAlgorithm('ecdsa-with-SHA256')
const ED25519 = signatureAlgorithm('Ed25519')
const identifier = ({ oid, algorithmIdentifier: raw }: typeof ECDSA): AlgorithmIdentifier => ({
  oid,
  parameters: undefined,
  raw,
})

function signed(): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const tbs = systemRandom.bytes(100)
  const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))
  return { spki, algorithm: identifier(ECDSA), tbs, signature: new Uint8Array(sign('sha256', tbs, privateKey)) }
}

test('each gets its own verdict, over several messages and threads', async () => {
  await using pool = createVerifyingPool(2)
  const all = Array.from({ length: 300 }, (_, i) => {
    const good = signed()
    return i % 7 === 3 ? { ...good, tbs: systemRandom.bytes(100) } : good
  })
  const verdicts = await pool.verifyMany(all)
  assert.deepEqual(
    verdicts,
    all.map((_, i) => i % 7 !== 3),
  )
  assert.deepEqual(await pool.verifyMany([]), [])
})

test('what cannot be checked is false: no key, another algorithm than the key has, an algorithm that nobody knows', async () => {
  await using pool = createVerifyingPool(1)
  const good = signed()
  const unknown = { oid: '1.2.3', parameters: undefined, raw: new Uint8Array([0x30, 4, 6, 2, 0x2a, 3]) }
  const verdicts = await pool.verifyMany([
    { ...good, spki: new Uint8Array([0x30, 0]) },
    { ...good, algorithm: identifier(ED25519) },
    { ...good, algorithm: unknown },
    { ...good, signature: new Uint8Array(0) },
    good,
  ])
  assert.deepEqual(verdicts, [false, false, false, false, true])
})

test('a pool that was ended says so', async () => {
  const pool = createVerifyingPool(1)
  await pool[Symbol.asyncDispose]()
  await assert.rejects(pool.verifyMany([signed()]), { code: 'verifier.failed', kind: 'unavailable' })
})
