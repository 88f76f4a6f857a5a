import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBase64Lines } from '../../src/core/bytes/base64.ts'
import { parseCertsOnly } from '../../src/core/cms/certs-only.ts'
import { parseCertificate } from '../../src/core/pki/certificate.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { estDoor } from '../support/est-door.ts'
import { bornDevice, testCsrDer, testInstance } from '../support/instance.ts'
import { assertInvariants } from '../support/invariants.ts'

test('issues an LDevID for a birth certificate (RFC 7030 4.2.1)', async t => {
  const instance = await testInstance(t)
  const est = estDoor(instance)
  const unit = await bornDevice(instance)
  const key = await generateKeyPair('P-256')
  const reply = await est('/.well-known/est/simpleenroll', { certificates: [unit.record.der], body: testCsrDer(key) })
  assert.equal(reply.status, 200, reply.text)
  const [certificate, ...others] = parseCertsOnly(fromBase64Lines(reply.text)).map(parseCertificate)
  assert.equal(others.length, 0)
  assert.deepEqual(certificate!.subjectPublicKeyInfo.raw, key.publicKey)
  await assertInvariants(instance.store)
})
