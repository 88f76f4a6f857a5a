// Private keys on the wire (RFC 5208 §5, RFC 5958 §2, §3), with node:crypto and OpenSSL as judges.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { readDer } from '../../src/core/asn1/reader.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import {
  encodeAsymmetricKeyPackage,
  encodeEncryptedPrivateKeyInfo,
  encodePrivateKeyInfo,
  parseAsymmetricKeyPackage,
  parseEncryptedPrivateKeyInfo,
  parsePrivateKeyInfo,
} from '../../src/core/pki/pkcs8.ts'
import { parseSubjectPublicKeyInfo } from '../../src/core/pki/spki.ts'
import { assertOnlyTypedErrors } from '../support/mutate.ts'
import { requireTool } from '../support/tools.ts'

const made = [
  generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  generateKeyPairSync('ed25519'),
  generateKeyPairSync('rsa', { modulusLength: 2048 }),
]
const pkcs8 = made.map(({ privateKey }) => new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' })))

describe('PrivateKeyInfo (RFC 5958 2)', () => {
  it('reads what node:crypto exports, and writes the same octets', () => {
    for (const der of pkcs8) {
      const key = parsePrivateKeyInfo(der)
      assert.deepEqual(key.raw, der)
      assert.equal(key.publicKey, undefined)
      assert.deepEqual(encodePrivateKeyInfo({ algorithm: key.algorithm.raw, privateKey: key.privateKey }), der)
    }
  })

  it('writes version 2 where the public key goes along, and node:crypto reads it', () => {
    const [{ publicKey, privateKey }] = [made[1]!]
    const spki = readDer(new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })), parseSubjectPublicKeyInfo)
    const { algorithm, privateKey: secret } = parsePrivateKeyInfo(pkcs8[1]!)
    const attributes = [{ oid: '1.2.840.113549.1.9.20', values: [fromHex('1e020041')] }]
    const der = encodePrivateKeyInfo({
      algorithm: algorithm.raw,
      privateKey: secret,
      attributes,
      publicKey: spki.publicKey,
    })
    const read = parsePrivateKeyInfo(der)
    assert.deepEqual(read.publicKey, spki.publicKey)
    assert.deepEqual(read.attributes, attributes)
    const opened = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' })
    assert.ok(opened.equals(privateKey))
  })

  it('refuses unknown versions, and a public key in version 1', () => {
    const der = Uint8Array.from(pkcs8[1]!)
    const at = toHex(der).indexOf('020100') / 2
    der[at + 2] = 2
    assert.throws(() => parsePrivateKeyInfo(der), { code: 'der.value_invalid' })
    const { algorithm, privateKey } = parsePrivateKeyInfo(pkcs8[1]!)
    const v2 = encodePrivateKeyInfo({ algorithm: algorithm.raw, privateKey, publicKey: new Uint8Array(32) })
    v2[toHex(v2).indexOf('020101') / 2 + 2] = 0
    assert.throws(() => parsePrivateKeyInfo(v2), { code: 'der.value_invalid' })
  })
})

describe('AsymmetricKeyPackage (RFC 5958 3)', () => {
  it('holds one or more keys', () => {
    assert.deepEqual(
      parseAsymmetricKeyPackage(encodeAsymmetricKeyPackage(pkcs8)).map(key => key.raw),
      pkcs8,
    )
    assert.throws(() => parseAsymmetricKeyPackage(encodeAsymmetricKeyPackage([])), { code: 'der.value_invalid' })
  })
})

describe('EncryptedPrivateKeyInfo (RFC 5958 3)', () => {
  it('reads what OpenSSL writes, and writes the same octets', t => {
    if (!requireTool(t, 'openssl')) return
    const args = [
      'pkcs8',
      '-topk8',
      '-v2',
      'aes-256-cbc',
      '-iter',
      '1',
      '-passout',
      'pass:x',
      '-inform',
      'DER',
      '-outform',
      'DER',
    ]
    const der = new Uint8Array(execFileSync('openssl', args, { input: pkcs8[0]! }))
    const { encryptionAlgorithm, encryptedData } = parseEncryptedPrivateKeyInfo(der)
    assert.equal(encryptionAlgorithm.oid, '1.2.840.113549.1.5.13')
    assert.deepEqual(encodeEncryptedPrivateKeyInfo(encryptionAlgorithm.raw, encryptedData), der)
  })
})

it('mutated private keys give typed errors only', () => {
  assertOnlyTypedErrors(pkcs8.slice(0, 2), parsePrivateKeyInfo, 2000)
  assertOnlyTypedErrors([encodeAsymmetricKeyPackage(pkcs8.slice(0, 2))], parseAsymmetricKeyPackage, 2000)
})
