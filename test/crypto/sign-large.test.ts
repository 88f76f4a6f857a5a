// What is large is signed piece by piece: the signatures are those of the whole.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { softwareSigner } from '../../src/crypto/signer.ts'
import { checkSignatureWith } from '../../src/crypto/verify.ts'

test('a megabyte is signed with every kind of key, and one octet more or less is another', async () => {
  for (const algorithm of ['P-256', 'P-384', 'Ed25519', 'RSA-2048', 'ML-DSA-44'] as const) {
    const signer = softwareSigner(await generateKeyPair(algorithm), `software:${algorithm}`)
    const octets = new Uint8Array(randomBytes(1_000_001))
    const signature = await signer.sign(octets)
    assert.equal(checkSignatureWith(signer.publicKey, signer.algorithm, octets, signature), 'valid', algorithm)
    assert.equal(checkSignatureWith(signer.publicKey, signer.algorithm, octets.subarray(1), signature), 'invalid')
  }
})
