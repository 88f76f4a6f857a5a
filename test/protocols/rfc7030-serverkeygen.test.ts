// RFC 7030 4.4: keys that the server makes: sent in the clear inside TLS, or signed and encrypted to a key that the device has.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { toPem } from '../../src/core/asn1/pem.ts'
import { fromBase64Lines } from '../../src/core/bytes/base64.ts'
import { parseCertsOnly } from '../../src/core/cms/certs-only.ts'
import { CONTENT_TYPE, encodeContentInfo } from '../../src/core/cms/content-info.ts'
import { parseSignedData } from '../../src/core/cms/signed-data.ts'
import { parseCertificate } from '../../src/core/pki/certificate.ts'
import {
  asymmetricDecryptKeyIdentifierAttribute,
  decryptKeyIdentifierAttribute,
  smimeCapabilitiesAttribute,
} from '../../src/core/pki/csr.ts'
import { parseAsymmetricKeyPackage } from '../../src/core/pki/pkcs8.ts'
import { openEnvelope, verifySignedData } from '../../src/crypto/cms.ts'
import { sha1 } from '../../src/crypto/digest.ts'
import { generateKeyPair, importPkcs8 } from '../../src/crypto/keys.ts'
import { softwareSigner } from '../../src/crypto/signer.ts'
import { createToken } from '../../src/domain/ra/create-token.ts'
import type { KeyPackageSigner } from '../../src/protocols/est/key-delivery.ts'
import { estDoor } from '../support/est-door.ts'
import {
  bornDevice,
  countEverything,
  OPERATOR,
  registerDevice,
  type TestInstance,
  testCsrDer,
  testInstance,
} from '../support/instance.ts'
import { assertInvariants } from '../support/invariants.ts'
import { requireTool } from '../support/tools.ts'

const PATH = '/.well-known/est/serverkeygen'

/** The parts of a multipart body, as RFC 2046 5.1 cuts them. */
function partsOf(contentType: string, body: string): { readonly type: string; readonly der: Uint8Array }[] {
  const boundary = /^multipart\/mixed; boundary=([A-Za-z0-9-]+)$/.exec(contentType)![1]!
  const pieces = body.split(`--${boundary}`)
  assert.equal(pieces[0], '')
  assert.equal(pieces.at(-1), '--\r\n')
  return pieces.slice(1, -1).map(piece => {
    const [head, text] = piece.split('\r\n\r\n') as [string, string]
    assert.match(head, /\r\nContent-Transfer-Encoding: base64/)
    return { type: /Content-Type: (.*)/.exec(head)![1]!.trim(), der: fromBase64Lines(text) }
  })
}

describe('4.4.1, 4.4.2 in the clear', () => {
  test('the reply is the key as PKCS#8 and its certificate; the key of the request plays no part', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const shown = await generateKeyPair('P-384')
    // "MUST ignore the public key values and signature in the CSR"
    const body = testCsrDer(shown, { signedBy: await generateKeyPair('P-384') })
    const reply = await est(PATH, { certificates: [unit.record.der], body })
    assert.equal(reply.status, 200, reply.text)
    const [key, certificate, ...others] = partsOf(reply.headers['Content-Type']!, reply.text)
    assert.equal(others.length, 0)
    assert.equal(key!.type, 'application/pkcs8')
    assert.equal(certificate!.type, 'application/pkcs7-mime; smime-type=certs-only')
    const made = importPkcs8(key!.der)
    assert.equal(made.algorithm, 'P-384', 'of the kind that the request shows')
    const issued = parseCertificate(parseCertsOnly(certificate!.der)[0]!)
    assert.deepEqual(issued.subjectPublicKeyInfo.raw, made.publicKey)
    assert.notDeepEqual(made.publicKey, shown.publicKey)
    const keys = await instance.store.read.keysOfDevice(unit.device.id)
    assert.deepEqual(keys.map(({ origin }) => origin).sort(), ['device', 'server'])
    await assertInvariants(instance.store)
  })

  test('asked again there is another key: the first one is nowhere any more', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const body = testCsrDer(await generateKeyPair('P-256'))
    const keys = new Set<string>()
    for (let i = 0; i < 3; i++) {
      const reply = await est(PATH, { certificates: [unit.record.der], body })
      assert.equal(reply.status, 200, reply.text)
      keys.add(Buffer.from(partsOf(reply.headers['Content-Type']!, reply.text)[0]!.der).toString('hex'))
    }
    assert.equal(keys.size, 3)
    await assertInvariants(instance.store)
  })

  test('a token gives one key', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const device = await registerDevice(instance)
    const { secret } = await createToken({ ...device, profile: 'ldevid', actor: OPERATOR }, instance)
    const basic = `${device.serialNumber}:${secret}`
    const body = testCsrDer(await generateKeyPair('P-256'))
    assert.equal((await est(PATH, { basic, body })).status, 200)
    const again = await est(PATH, { basic, body })
    assert.equal(again.status, 401)
    assert.match(again.text, /^token\.invalid: /)
  })

  test('nobody gets a key without evidence', async t => {
    const instance = await testInstance(t)
    const reply = await estDoor(instance)(PATH, { body: testCsrDer(await generateKeyPair('P-256')) })
    assert.equal(reply.status, 401)
  })
})

describe('4.4.1.2 encrypted to a key of the device', () => {
  for (const algorithm of ['P-256', 'RSA-2048'] as const) {
    test(`EnvelopedData around SignedData around the key package, for ${algorithm}`, async t => {
      const instance = await testInstance(t)
      const packageSigner = await keyPackageSigner(instance)
      const est = estDoor(instance, { keyPackageSigner: async () => packageSigner })
      const unit = await bornDevice(instance, {}, algorithm)
      const keyIdentifier = sha1(parseCertificate(unit.record.der).subjectPublicKeyInfo.publicKey)
      const attributes = [
        asymmetricDecryptKeyIdentifierAttribute(keyIdentifier),
        smimeCapabilitiesAttribute([{ capabilityID: '2.16.840.1.101.3.4.1.2' }]),
      ]
      const reply = await est(PATH, {
        certificates: [unit.record.der],
        body: testCsrDer(await generateKeyPair('P-256'), { attributes }),
      })
      assert.equal(reply.status, 200, reply.text)
      const [key, certificate] = partsOf(reply.headers['Content-Type']!, reply.text)
      assert.equal(key!.type, 'application/pkcs7-mime; smime-type=server-generated-key')
      const opened = openEnvelope(key!.der, { kind: 'privateKey', privateKey: unit.key.keyObject, keyIdentifier })
      assert.equal(opened.contentType, CONTENT_TYPE.signedData)
      const signedData = parseSignedData(encodeContentInfo(CONTENT_TYPE.signedData, opened.content))
      assert.equal(signedData.contentType, CONTENT_TYPE.asymmetricKeyPackage)
      const [signer] = verifySignedData(signedData)
      assert.deepEqual(signer.certificate.raw, packageSigner.certificate.raw)
      const [info] = parseAsymmetricKeyPackage(signedData.content!)
      const issued = parseCertificate(parseCertsOnly(certificate!.der)[0]!)
      assert.deepEqual(importPkcs8(info!.raw).publicKey, issued.subjectPublicKeyInfo.raw)
    })
  }

  test('OpenSSL decrypts it', async t => {
    if (!requireTool(t, 'openssl')) return
    const instance = await testInstance(t)
    const packageSigner = await keyPackageSigner(instance)
    const est = estDoor(instance, { keyPackageSigner: async () => packageSigner })
    const unit = await bornDevice(instance, {}, 'RSA-2048')
    const keyIdentifier = sha1(parseCertificate(unit.record.der).subjectPublicKeyInfo.publicKey)
    const attributes = [asymmetricDecryptKeyIdentifierAttribute(keyIdentifier)]
    const reply = await est(PATH, {
      certificates: [unit.record.der],
      body: testCsrDer(await generateKeyPair('P-256'), { attributes }),
    })
    const [key] = partsOf(reply.headers['Content-Type']!, reply.text)
    const folder = mkdtempSync(join(tmpdir(), 'touchmark-est-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'key.p7'), key!.der)
    writeFileSync(join(folder, 'device.pem'), toPem('PRIVATE KEY', unit.key.toPkcs8()))
    const run = spawnSync(
      'openssl',
      ['cms', '-decrypt', '-inform', 'DER', '-in', 'key.p7', '-inkey', 'device.pem', '-binary', '-out', 'signed.der'],
      { cwd: folder, encoding: 'utf8' },
    )
    assert.equal(run.status, 0, run.stderr)
    const signedData = parseSignedData(
      encodeContentInfo(CONTENT_TYPE.signedData, readFileSync(join(folder, 'signed.der'))),
    )
    const [info] = parseAsymmetricKeyPackage(signedData.content!)
    assert.equal(
      createPrivateKey({ key: Buffer.from(info!.raw), format: 'der', type: 'pkcs8' }).asymmetricKeyType,
      'ec',
    )
  })

  const unknown: readonly [string, Parameters<typeof testCsrDer>[1], number, RegExp][] = [
    [
      "a key that is not the device's",
      { attributes: [asymmetricDecryptKeyIdentifierAttribute(new Uint8Array(20))] },
      400,
      /^est\.decrypt_key_unknown: /,
    ],
    [
      'a shared secret (4.4.1.1)',
      { attributes: [decryptKeyIdentifierAttribute(Uint8Array.of(1, 2, 3))] },
      400,
      /^est\.decrypt_key_unknown: /,
    ],
  ]
  test('what cannot be encrypted as asked is not sent at all, and nothing is issued', async t => {
    const instance = await testInstance(t)
    const packageSigner = await keyPackageSigner(instance)
    const est = estDoor(instance, { keyPackageSigner: async () => packageSigner })
    const unit = await bornDevice(instance)
    const edwards = await bornDevice(instance, {}, 'Ed25519')
    const own = (der: Uint8Array) =>
      asymmetricDecryptKeyIdentifierAttribute(sha1(parseCertificate(der).subjectPublicKeyInfo.publicKey))
    const before = await countEverything(instance)
    for (const [name, options, status, text] of unknown) {
      const reply = await est(PATH, {
        certificates: [unit.record.der],
        body: testCsrDer(await generateKeyPair('P-256'), options),
      })
      assert.equal(reply.status, status, `${name}: ${reply.text}`)
      assert.match(reply.text, text, name)
    }
    const cipher = await est(PATH, {
      certificates: [unit.record.der],
      body: testCsrDer(await generateKeyPair('P-256'), {
        attributes: [own(unit.record.der), smimeCapabilitiesAttribute([{ capabilityID: '1.2.840.113549.3.7' }])],
      }),
    })
    assert.match(cipher.text, /^est\.no_common_cipher: /, 'triple DES alone is not enough')
    const signing = await est(PATH, {
      certificates: [edwards.record.der],
      body: testCsrDer(await generateKeyPair('P-256'), { attributes: [own(edwards.record.der)] }),
    })
    assert.equal(signing.status, 400)
    assert.match(signing.text, /^cms\.recipient_unsupported: /)
    const without = await estDoor(instance)(PATH, {
      certificates: [unit.record.der],
      body: testCsrDer(await generateKeyPair('P-256'), { attributes: [own(unit.record.der)] }),
    })
    assert.equal(without.status, 501)
    assert.match(without.text, /^est\.key_encryption_unavailable: /)
    assert.deepEqual(await countEverything(instance), before)
  })
})

/** The server's own certificate and key, as the process that serves TLS has them. */
async function keyPackageSigner(instance: TestInstance): Promise<KeyPackageSigner> {
  const profile = await instance.authorities.profile('server-tls')
  const key = await generateKeyPair('P-256')
  const prepared = await instance.issuer.prepare({
    profile,
    device: null,
    spki: key.publicKey,
    subjectFields: { commonName: 'est.example.test', dnsNames: 'est.example.test' },
    replaces: null,
    now: instance.clock.now(),
  })
  const { der } = await instance.issuer.sign(prepared)
  const issuing = await instance.authorities.issuing(profile)
  return {
    signer: softwareSigner(key, 'memory:server'),
    certificate: parseCertificate(der),
    chain: await instance.authorities.chain(issuing.record.id),
  }
}
