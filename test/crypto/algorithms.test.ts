// The table of algorithms: each key algorithm as CA key and as device key, judged by node:crypto's X.509 (OpenSSL 3.5) and, for
// the classical ones, by the system's openssl; identifiers as their RFCs want them.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { toPem } from '../../src/core/asn1/pem.ts'
import { readDer } from '../../src/core/asn1/reader.ts'
import type { Bytes } from '../../src/core/bytes/bytes.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { encodeAlgorithmIdentifier, parseAlgorithmIdentifier } from '../../src/core/pki/algorithm-identifier.ts'
import { encodeTbsCertificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import { encodeCertificationRequestInfo, parseCertificationRequest } from '../../src/core/pki/csr.ts'
import { encodeBasicConstraints, extension } from '../../src/core/pki/extensions.ts'
import { encodeName, parseNameText } from '../../src/core/pki/name.ts'
import { encodeSigned } from '../../src/core/pki/signed.ts'
import { parseSubjectPublicKeyInfo } from '../../src/core/pki/spki.ts'
import {
  type KeyAlgorithm,
  type KeyAlgorithmName,
  keyAlgorithm,
  keyAlgorithmOfSpki,
  keyAlgorithms,
  readSpki,
  type SignatureAlgorithmName,
  signatureAlgorithm,
  signatureAlgorithmOf,
  signatureAlgorithms,
} from '../../src/crypto/algorithms.ts'
import { checkPublicKey } from '../../src/crypto/key-check.ts'
import { generateKeyPair, type PrivateKey } from '../../src/crypto/keys.ts'
import { softwareSigner } from '../../src/crypto/signer.ts'
import { checkSignature, verifySignature } from '../../src/crypto/verify.ts'
import { requireTool } from '../support/tools.ts'

const keys = new Map<KeyAlgorithmName, PrivateKey>()
for (const { name } of keyAlgorithms) keys.set(name, await generateKeyPair(name))

const NOT_BEFORE = Date.UTC(2020, 0, 1) / 1000
const NOT_AFTER = Date.UTC(2049, 0, 1) / 1000
const pairs = keyAlgorithms.flatMap(key => key.signatureAlgorithms.map(signature => [key.name, signature] as const))

async function certificate(
  issuerKey: PrivateKey,
  signature: SignatureAlgorithmName,
  subject: string,
  subjectKey: PrivateKey,
  authority: boolean,
): Promise<Bytes> {
  const { algorithmIdentifier } = signatureAlgorithm(signature)
  const tbs = encodeTbsCertificate({
    serialNumber: fromHex(authority ? '01' : '02'),
    signatureAlgorithm: algorithmIdentifier,
    issuer: encodeName(parseNameText('CN=Authority')),
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
    subject: encodeName(parseNameText(subject)),
    subjectPublicKeyInfo: subjectKey.publicKey,
    extensions: [extension('2.5.29.19', true, encodeBasicConstraints({ cA: authority }))],
  })
  return encodeSigned(tbs, algorithmIdentifier, await softwareSigner(issuerKey, 'test:', signature).sign(tbs))
}

describe('each key as CA key and as device key, with each of its signature algorithms', () => {
  for (const [name, signature] of pairs) {
    test(`${name} with ${signature}: authority and device certificate verify in OpenSSL 3.5`, async () => {
      const key = keys.get(name)!
      const authority = await certificate(key, signature, 'CN=Authority', key, true)
      const device = await certificate(key, signature, 'CN=Device', key, false)
      const judge = new X509Certificate(authority)
      assert.ok(judge.verify(judge.publicKey))
      assert.ok(new X509Certificate(device).verify(judge.publicKey))
      assert.ok(new X509Certificate(device).checkIssued(judge))
      const parsed = parseCertificate(device)
      assert.equal(signatureAlgorithmOf(parsed.signatureAlgorithm).name, signature)
      assert.equal(keyAlgorithmOfSpki(parsed.subjectPublicKeyInfo), name)
      assert.ok(verifySignature(key.publicKey, parsed.signatureAlgorithm, parsed.tbs, parsed.signature))
    })
  }

  test('the classical ones verify in the openssl of the system', async t => {
    if (!requireTool(t, 'openssl')) return
    const folder = mkdtempSync(join(tmpdir(), 'touchmark-algorithms-'))
    try {
      for (const [name, signature] of pairs.filter(([key]) => !key.startsWith('ML-DSA'))) {
        const key = keys.get(name)!
        writeFileSync(
          join(folder, 'ca.pem'),
          toPem('CERTIFICATE', await certificate(key, signature, 'CN=Authority', key, true)),
        )
        writeFileSync(
          join(folder, 'dev.pem'),
          toPem('CERTIFICATE', await certificate(key, signature, 'CN=Device', key, false)),
        )
        const { stdout, stderr } = spawnSync('openssl', ['verify', '-check_ss_sig', '-CAfile', 'ca.pem', 'dev.pem'], {
          cwd: folder,
          encoding: 'utf8',
        })
        assert.equal(stdout.trim(), 'dev.pem: OK', `${name} ${signature}: ${stderr}`)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('requests that openssl makes and signs verify here (RFC 2986 4.2)', t => {
    if (!requireTool(t, 'openssl')) return
    const folder = mkdtempSync(join(tmpdir(), 'touchmark-requests-'))
    const kinds: readonly (readonly [KeyAlgorithmName, SignatureAlgorithmName, readonly string[]])[] = [
      ['P-256', 'ecdsa-with-SHA256', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-sha256']],
      ['P-384', 'ecdsa-with-SHA384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384']],
      ['P-521', 'ecdsa-with-SHA512', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521', '-sha512']],
      ['Ed25519', 'Ed25519', ['-newkey', 'ed25519']],
      ['RSA-2048', 'sha256WithRSAEncryption', ['-newkey', 'rsa:2048', '-sha256']],
      [
        'RSA-2048',
        'RSASSA-PSS-SHA256',
        ['-newkey', 'rsa:2048', '-sha256', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest'],
      ],
      [
        'RSA-2048',
        'RSASSA-PSS-SHA512',
        ['-newkey', 'rsa:2048', '-sha512', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest'],
      ],
    ]
    try {
      for (const [name, signature, options] of kinds) {
        const made = spawnSync(
          'openssl',
          ['req', '-new', '-nodes', '-keyout', 'key.pem', '-subj', '/CN=device', '-outform', 'DER', ...options],
          { cwd: folder },
        )
        assert.equal(made.status, 0, String(made.stderr))
        const csr = parseCertificationRequest(new Uint8Array(made.stdout))
        assert.equal(keyAlgorithmOfSpki(csr.subjectPublicKeyInfo), name)
        assert.equal(signatureAlgorithmOf(csr.signatureAlgorithm).name, signature)
        assert.ok(verifySignature(csr.subjectPublicKeyInfo.raw, csr.signatureAlgorithm, csr.tbs, csr.signature))
        assert.deepEqual(checkPublicKey(csr.subjectPublicKeyInfo.raw), [])
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('requests that we sign carry a signature which openssl accepts (RFC 2986 4.2)', async t => {
    if (!requireTool(t, 'openssl')) return
    for (const name of ['P-256', 'P-384', 'Ed25519', 'RSA-3072'] as const) {
      const key = keys.get(name)!
      const info = encodeCertificationRequestInfo({
        subject: encodeName(parseNameText('CN=device')),
        subjectPublicKeyInfo: key.publicKey,
      })
      const signer = softwareSigner(key, 'test:')
      const csr = encodeSigned(info, signer.algorithm.algorithmIdentifier, await signer.sign(info))
      const judged = spawnSync('openssl', ['req', '-verify', '-noout', '-inform', 'DER'], {
        input: csr,
        encoding: 'utf8',
      })
      assert.equal(judged.status, 0, judged.stderr)
      assert.match(judged.stdout + judged.stderr, /verify OK/)
    }
  })
})

describe('identifiers', () => {
  const parsed = (der: Uint8Array) => readDer(der, parseAlgorithmIdentifier)
  const hasCode = (code: string) => (error: unknown) => error instanceof TouchmarkError && error.code === code

  test('every row is found again from its own AlgorithmIdentifier', () => {
    for (const row of signatureAlgorithms) {
      for (const form of row.accepted) assert.equal(signatureAlgorithmOf(parsed(form)), row)
    }
    for (const row of keyAlgorithms) assert.equal(keyAlgorithmOfSpki(keys.get(row.name)!.publicKey), row.name)
  })

  test('the SubjectPublicKeyInfo of OpenSSL starts with the AlgorithmIdentifier of the table', () => {
    for (const [name, key] of keys) {
      const identifier = toHex(keyAlgorithm(name).algorithmIdentifier)
      assert.ok(
        toHex(key.publicKey)
          .slice(0, 16 + identifier.length)
          .includes(identifier),
        name,
      )
      const octets = keyAlgorithm(name).publicKeyOctets
      if (octets) assert.equal(parsedKeyLength(key.publicKey), octets)
    }
  })

  test('ECDSA, Ed25519 and ML-DSA with NULL parameters are refused (RFC 5758 3.2, RFC 8410 3, RFC 9881 2)', () => {
    const NULL = fromHex('0500')
    for (const row of signatureAlgorithms.filter(candidate => candidate.keyType !== 'rsa')) {
      const withNull = parsed(encodeAlgorithmIdentifier(row.oid, NULL))
      assert.throws(() => signatureAlgorithmOf(withNull), hasCode('signature.parameters_invalid'))
      assert.equal(checkSignature(keys.get('P-256')!.publicKey, withNull, NULL, NULL), 'algorithm_unsupported')
    }
  })

  test('RSA PKCS#1 v1.5 is read with NULL and with absent parameters, and with nothing else (RFC 4055 5)', () => {
    const oid = '1.2.840.113549.1.1.11'
    assert.equal(signatureAlgorithmOf(parsed(encodeAlgorithmIdentifier(oid))).name, 'sha256WithRSAEncryption')
    const other = parsed(encodeAlgorithmIdentifier(oid, fromHex('020100')))
    assert.throws(() => signatureAlgorithmOf(other), hasCode('signature.parameters_invalid'))
  })

  test('PSS with SHA-1 defaults, another salt or a mask of another hash is refused (RFC 4055 3.1)', () => {
    const oid = '1.2.840.113549.1.1.10'
    const good = toHex(signatureAlgorithm('RSASSA-PSS-SHA256').algorithmIdentifier)
    const forms = [
      encodeAlgorithmIdentifier(oid),
      encodeAlgorithmIdentifier(oid, fromHex('3000')),
      fromHex(good.replace(/020120$/, '020114')),
      fromHex(good.replace('608648016503040201', '608648016503040202')),
    ]
    for (const form of forms) {
      assert.notEqual(toHex(form), good)
      assert.throws(() => signatureAlgorithmOf(parsed(form)), hasCode('signature.parameters_invalid'))
    }
  })

  test('SHA-1 and MD5 signatures are not in the table', () => {
    for (const oid of ['1.2.840.113549.1.1.5', '1.2.840.113549.1.1.4', '1.2.840.10045.4.1']) {
      const identifier = parsed(encodeAlgorithmIdentifier(oid, fromHex('0500')))
      assert.throws(() => signatureAlgorithmOf(identifier), hasCode('signature.algorithm_unsupported'))
    }
  })

  test('keys outside the table are refused by name: other curves, explicit curves, other sizes, X25519', () => {
    const foreign = [
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
      generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }),
      generateKeyPairSync('rsa', { modulusLength: 1024 }),
      generateKeyPairSync('rsa', { modulusLength: 2050 }),
      generateKeyPairSync('x25519'),
    ].map(({ publicKey }) => new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })))
    for (const spki of foreign) {
      assert.throws(() => keyAlgorithmOfSpki(spki), hasCode('key.algorithm_unsupported'))
    }
  })
})

function rowOf(spki: Uint8Array): KeyAlgorithm | undefined {
  try {
    return readSpki(spki).algorithm
  } catch (error) {
    assert.ok(error instanceof TouchmarkError)
    return undefined
  }
}

test('a key is read as DER says, whichever octet before the key itself is another', async () => {
  for (const { name } of keyAlgorithms.filter(row => row.publicKeyOctets !== undefined)) {
    const { publicKey: spki } = await generateKeyPair(name)
    const strict = readDer(spki, parseSubjectPublicKeyInfo)
    const { algorithm, keyType, publicKey } = readSpki(spki)
    assert.equal(algorithm, keyAlgorithm(name))
    assert.equal(keyType, keyAlgorithm(name).keyType)
    assert.deepEqual(new Uint8Array(publicKey), new Uint8Array(strict.publicKey))
    for (let at = 0; at < spki.length - publicKey.length; at++) {
      for (const mask of [0x01, 0x80]) {
        const other = new Uint8Array(spki)
        other[at]! ^= mask
        // ML-DSA-65 is one bit away from ML-DSA-87: a key of that kind then, of a wrong length, which is for others to say.
        assert.notEqual(rowOf(other), keyAlgorithm(name), `${name}, octet ${at}`)
      }
    }
    assert.throws(() => readSpki(spki.subarray(0, -1)), TouchmarkError)
    assert.throws(() => readSpki(new Uint8Array([...spki, 0])), TouchmarkError)
  }
})

function parsedKeyLength(spki: Uint8Array): number {
  const jwk = createPublicKey({ key: spki, format: 'der', type: 'spki' }).export({ format: 'jwk' })
  const coordinates = [jwk.x, jwk.y, 'pub' in jwk ? String(jwk.pub) : undefined].filter(part => part !== undefined)
  const octets = coordinates.reduce((sum, part) => sum + Buffer.from(part, 'base64url').length, 0)
  return jwk.kty === 'EC' ? octets + 1 : octets
}
