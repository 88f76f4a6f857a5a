// The OCSP responder (RFC 6960, RFC 9654): what it says about whom, and how it refuses. `openssl ocsp` and `ocsptool` ask the real
// server in test/interop.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromBase64 } from '../../../src/core/bytes/base64.ts'
import { parseCertificate } from '../../../src/core/pki/certificate.ts'
import { findExtension } from '../../../src/core/pki/extension.ts'
import { extension, parseExtendedKeyUsage } from '../../../src/core/pki/extensions.ts'
import { encodeCertId, encodeOcspRequest, encodeTbsRequest, parseOcspResponse } from '../../../src/core/pki/ocsp.ts'
import { encodeNonce, OCSP_OID } from '../../../src/core/pki/ocsp-extensions.ts'
import { OID } from '../../../src/core/pki/oids.ts'
import { sha1, sha256 } from '../../../src/crypto/digest.ts'
import { verifySignature } from '../../../src/crypto/verify.ts'
import type { CertificateRecord } from '../../../src/domain/ca/certificate-record.ts'
import { authorityId } from '../../../src/domain/ids.ts'
import { answerOcsp, OCSP_VALIDITY_SECONDS, type OcspPorts } from '../../../src/domain/revocation/answer-ocsp.ts'
import { OcspResponders } from '../../../src/domain/revocation/ocsp-responders.ts'
import { revokeCertificate } from '../../../src/domain/revocation/revoke.ts'
import { createOcspRoutes } from '../../../src/protocols/ocsp/routes.ts'
import { bornDevice, certify, OPERATOR, type TestInstance, testInstance } from '../../support/instance.ts'

const HASHES = { sha1: { oid: '1.3.14.3.2.26', hash: sha1 }, sha256: { oid: '2.16.840.1.101.3.4.2.1', hash: sha256 } }

async function responder(instance: TestInstance): Promise<{ ports: OcspPorts; responders: OcspResponders }> {
  const responders = new OcspResponders(instance)
  await responders.refresh()
  const ports = { read: instance.store.read, clock: instance.clock, responders: () => responders.current() }
  return { ports, responders }
}

async function certId(
  instance: TestInstance,
  record: CertificateRecord,
  name: keyof typeof HASHES,
): Promise<Uint8Array> {
  const issuer = await instance.authorities.certificate(record.authorityId)
  const { oid, hash } = HASHES[name]
  return encodeCertId({
    hashAlgorithm: oid,
    issuerNameHash: hash(issuer.subject.raw),
    issuerKeyHash: hash(issuer.subjectPublicKeyInfo.publicKey),
    serialNumber: record.serialNumber,
  })
}

function ask(certIds: readonly Uint8Array[], nonce?: Uint8Array): Uint8Array {
  const extensions = nonce ? [extension(OCSP_OID.nonce, false, encodeNonce(nonce))] : []
  return encodeOcspRequest(encodeTbsRequest({ requests: certIds.map(certId => ({ certId })), extensions }))
}

test('says good, revoked with time and reason, on hold, and unknown for what was never issued', async t => {
  const instance = await testInstance(t)
  const { ports } = await responder(instance)
  const [good, revoked, held] = [await bornDevice(instance), await bornDevice(instance), await bornDevice(instance)]
  await revokeCertificate(revoked.record, 'keyCompromise', OPERATOR, instance)
  await revokeCertificate(held.record, 'certificateHold', OPERATOR, instance)
  const never = { ...good.record, serialNumber: '7f00000000000000000000000000ff' as CertificateRecord['serialNumber'] }
  const records = [good.record, revoked.record, held.record, never]
  for (const hash of ['sha1', 'sha256'] as const) {
    const ids = await Promise.all(records.map(record => certId(instance, record, hash)))
    const { basic } = parseOcspResponse((await answerOcsp(ask(ids), ports)).der)
    assert.deepEqual(
      basic?.responses.map(single => single.status.kind),
      ['good', 'revoked', 'revoked', 'unknown'],
    )
    const [, second, third] = basic!.responses
    assert.deepEqual(second?.status, {
      kind: 'revoked',
      revocationTime: instance.clock.now(),
      reason: 'keyCompromise',
    })
    assert.equal(third?.status.kind === 'revoked' && third.status.reason, 'certificateHold')
  }
})

test('signs with a delegated certificate of the same authority, with ocsp-nocheck (RFC 6960 4.2.2.2)', async t => {
  const instance = await testInstance(t)
  const { ports } = await responder(instance)
  const { record } = await bornDevice(instance)
  const { basic } = parseOcspResponse((await answerOcsp(ask([await certId(instance, record, 'sha256')]), ports)).der)
  const signer = parseCertificate(basic!.certificates[0]!)
  assert.ok(verifySignature(signer.subjectPublicKeyInfo.raw, basic!.signatureAlgorithm, basic!.tbs, basic!.signature))
  const issuer = await instance.authorities.certificate(record.authorityId)
  assert.ok(verifySignature(issuer.subjectPublicKeyInfo.raw, signer.signatureAlgorithm, signer.tbs, signer.signature))
  assert.deepEqual(parseExtendedKeyUsage(findExtension(signer.extensions, OID.extKeyUsage)!.value), [OID.ocspSigning])
  assert.ok(findExtension(signer.extensions, OID.ocspNoCheck))
  assert.equal(basic!.responses[0]!.nextUpdate, instance.clock.now() + OCSP_VALIDITY_SECONDS)
})

test('repeats the nonce, and an answer with a nonce is not for caches (RFC 9654, RFC 5019 6.2)', async t => {
  const instance = await testInstance(t)
  const { ports } = await responder(instance)
  const { record } = await bornDevice(instance)
  const id = await certId(instance, record, 'sha1')
  const nonce = new Uint8Array(32).fill(7)
  const withNonce = await answerOcsp(ask([id], nonce), ports)
  assert.deepEqual(parseOcspResponse(withNonce.der).basic?.nonce, nonce)
  assert.equal(withNonce.cacheable, undefined)
  const without = await answerOcsp(ask([id]), ports)
  assert.equal(parseOcspResponse(without.der).basic?.nonce, undefined)
  assert.deepEqual(without.cacheable, {
    thisUpdate: instance.clock.now(),
    nextUpdate: instance.clock.now() + OCSP_VALIDITY_SECONDS,
  })
})

test('refuses a foreign issuer, and a question about two authorities at once, as unauthorized', async t => {
  const instance = await testInstance(t)
  const { ports } = await responder(instance)
  const { device, key, record } = await bornDevice(instance)
  const operational = await certify(instance, device, key, 'ldevid')
  const foreign = encodeCertId({
    hashAlgorithm: HASHES.sha256.oid,
    issuerNameHash: new Uint8Array(32),
    issuerKeyHash: new Uint8Array(32),
    serialNumber: record.serialNumber,
  })
  const mixed = [await certId(instance, record, 'sha1'), await certId(instance, operational, 'sha1')]
  for (const ids of [[foreign], mixed, [mixed[0]!, foreign]]) {
    const { der, outcome } = await answerOcsp(ask(ids), ports)
    assert.equal(outcome, 'unauthorized')
    assert.equal(parseOcspResponse(der).responseStatus, 'unauthorized')
  }
})

test('answers any octets: what is no request is malformedRequest', async t => {
  const instance = await testInstance(t)
  const { ports } = await responder(instance)
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async octets => {
      assert.equal((await answerOcsp(octets, ports)).outcome, 'malformedRequest')
    }),
    { numRuns: 100 },
  )
})

test('the offline root has no responder; each online authority has one', async t => {
  const instance = await testInstance(t)
  const { responders } = await responder(instance)
  const answered = (await responders.current()).map(each => each.authorityId).sort()
  const online = (await instance.authorities.all()).filter(authority => authority.kind !== 'root')
  assert.deepEqual(answered, online.map(authority => authority.id).sort())
})

test('a signer is found again, and renewed when half of its life is left', async t => {
  const instance = await testInstance(t)
  const { responders } = await responder(instance)
  const first = (await responders.current())[0]!
  assert.equal(await new OcspResponders(instance).refresh(), 0)
  instance.clock.advance(8 * 86_400)
  assert.ok((await responders.refresh()) > 0)
  const second = (await responders.current()).find(each => each.authorityId === first.authorityId)!
  assert.notEqual(second.certificate.serialNumber, first.certificate.serialNumber)
  const ofIdevid = await instance.store.read.platformCertificates(authorityId('idevid-1'), 'ocsp-signer')
  assert.equal(ofIdevid.length, 2)
})

test('over HTTP: GET and POST, caching headers, wrong media type (RFC 6960 Appendix A, RFC 5019 6.2)', async t => {
  const instance = await testInstance(t)
  const { ports } = await responder(instance)
  const { record } = await bornDevice(instance)
  const request = ask([await certId(instance, record, 'sha1')])
  const [post, get] = createOcspRoutes(ports)
  const common = {
    query: new URLSearchParams(),
    peer: { certificates: [], tlsUnique: null, tlsExporter: null, address: '127.0.0.1' },
    signal: new AbortController().signal,
    id: 'test',
  }
  const base64 = Buffer.from(request).toString('base64')
  const got = await get!.handle({
    ...common,
    method: 'GET',
    path: `/ocsp/${base64}`,
    headers: {},
    body: new Uint8Array(0),
    params: { '*': base64 },
  })
  assert.equal(got.status, 200)
  assert.equal(got.headers['content-type'], 'application/ocsp-response')
  assert.match(got.headers['cache-control']!, /^max-age=\d+, public/)
  assert.deepEqual(fromBase64(base64), request)
  const posting = { ...common, method: 'POST', path: '/ocsp', body: new Uint8Array(request), params: {} }
  const posted = await post!.handle({ ...posting, headers: { 'content-type': 'application/ocsp-request' } })
  assert.equal(parseOcspResponse(posted.body as Uint8Array).responseStatus, 'successful')
  const wrong = await post!.handle({ ...posting, headers: { 'content-type': 'text/plain' } })
  assert.equal(wrong.status, 415)
  const broken = await get!.handle({
    ...common,
    method: 'GET',
    path: '/ocsp/%%',
    headers: {},
    body: new Uint8Array(0),
    params: { '*': '%%' },
  })
  assert.equal(parseOcspResponse(broken.body as Uint8Array).responseStatus, 'malformedRequest')
})
