// COSE_Sign1 (RFC 9052 §4.2, RFC 9053, RFC 9360) as the status artefact uses it: the example of the RFC, every algorithm that we sign with, OpenSSL as
// judge, and whom an authority appointed.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPublicKey, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { concat } from '../../src/core/bytes/bytes.ts'
import { fromHex } from '../../src/core/bytes/hex.ts'
import { encodeSign1, encodeSign1Head, parseSign1, signatureStructure } from '../../src/core/cose/sign1.ts'
import { keyAlgorithm, keyAlgorithms } from '../../src/crypto/algorithms.ts'
import {
  coseAlgorithm,
  fromCoseSignature,
  signatureAlgorithmOf,
  toCoseSignature,
} from '../../src/crypto/cose-signature.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { softwareSigner } from '../../src/crypto/signer.ts'
import { checkSignatureWith } from '../../src/crypto/verify.ts'
import { assertOnlyTypedErrors } from '../support/mutate.ts'
import { requireTool } from '../support/tools.ts'

const CONTENT = new TextEncoder().encode('This is the content.')

test('the Sig_structure and the signature of RFC 9052, appendix C.2.1', () => {
  const key = createPublicKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-256',
      x: Buffer.from('bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff', 'hex').toString('base64url'),
      y: Buffer.from('20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e', 'hex').toString('base64url'),
    },
  })
  const signature = fromHex(
    '8eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36',
  )
  const toBeSigned = signatureStructure(fromHex('d28443a10126'), CONTENT)
  assert.ok(verify('sha256', toBeSigned, { key, dsaEncoding: 'ieee-p1363' }, signature))
  assert.ok(verify('sha256', toBeSigned, key, fromCoseSignature(keyAlgorithm('P-256'), signature)))
})

for (const { name } of keyAlgorithms.filter(({ name }) => name !== 'RSA-4096' && name !== 'RSA-3072')) {
  test(`what ${name} signs is read again, in the form of COSE`, async () => {
    const signer = softwareSigner(await generateKeyPair(name), 'software:test')
    const head = encodeSign1Head(coseAlgorithm(signer.algorithm.name), 'text/plain', Uint8Array.of(1, 2, 3))
    const signature = toCoseSignature(keyAlgorithm(name), await signer.sign(signatureStructure(head, CONTENT)))
    const read = parseSign1(encodeSign1(head, CONTENT, signature))
    assert.deepEqual([read.contentType, read.signer, read.payload], ['text/plain', Uint8Array.of(1, 2, 3), CONTENT])
    const algorithm = signatureAlgorithmOf(read.algorithm)!
    assert.equal(algorithm.name, signer.algorithm.name)
    const again = fromCoseSignature(keyAlgorithm(name), read.signature)
    assert.equal(checkSignatureWith(signer.publicKey, algorithm, read.toBeSigned, again), 'valid')
  })
}

test('OpenSSL verifies what was signed', async t => {
  if (!requireTool(t, 'openssl')) return
  const folder = mkdtempSync(join(tmpdir(), 'touchmark-cose-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const signer = softwareSigner(await generateKeyPair('P-384'), 'software:test')
  const toBeSigned = signatureStructure(encodeSign1Head(-35, 'text/plain', Uint8Array.of(1)), CONTENT)
  const signature = await signer.sign(toBeSigned)
  const p384 = keyAlgorithm('P-384')
  writeFileSync(join(folder, 'key.der'), signer.publicKey)
  writeFileSync(join(folder, 'signed'), toBeSigned)
  writeFileSync(join(folder, 'signature'), fromCoseSignature(p384, toCoseSignature(p384, signature)))
  const options = ['-sha384', '-verify', 'key.der', '-keyform', 'DER', '-signature', 'signature', 'signed']
  const { stdout } = spawnSync('openssl', ['dgst', ...options], { cwd: folder, encoding: 'utf8' })
  assert.equal(stdout.trim(), 'Verified OK')
})

test('numbers of every length keep their length', () => {
  const p256 = keyAlgorithm('P-256')
  const small = concat(new Uint8Array(31), Uint8Array.of(5), Uint8Array.of(0x80), new Uint8Array(31))
  assert.deepEqual(toCoseSignature(p256, fromCoseSignature(p256, small)), small)
  assert.throws(() => fromCoseSignature(p256, small.subarray(1)), { code: 'cose.signature_malformed' })
})

test('other shapes of COSE_Sign1 are refused (RFC 9052 allows them, the status artefact does not)', () => {
  const good = encodeSign1(encodeSign1Head(-7, 'text/plain', Uint8Array.of(9)), CONTENT, new Uint8Array(64))
  assert.equal(parseSign1(good).algorithm, -7)
  const refused = [
    good.subarray(1),
    concat(good, Uint8Array.of(0)),
    good.subarray(0, -1),
    fromHex('d28443a10126a10442313154546869732069732074686520636f6e74656e742e4100'),
    // A length of one octet in two.
    concat(good.subarray(0, 2), Uint8Array.of(0x59, 0), good.subarray(2)),
  ]
  for (const octets of refused) assert.throws(() => parseSign1(octets), { code: 'cose.malformed' })
  assertOnlyTypedErrors([good], octets => parseSign1(octets), 1_000)
})
