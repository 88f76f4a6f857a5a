// The OCSP responder (RFC 6960, RFC 9654): what it says about whom, and how it refuses. `openssl ocsp` and `ocsptool` ask the real
// server in test/interop.
import assert from 'node:assert/strict'
import { before, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { writeDer } from '../../../src/core/asn1/writer.ts'
import { TouchmarkError } from '../../../src/core/errors.ts'
import { encodeAlgorithmIdentifier } from '../../../src/core/pki/algorithm-identifier.ts'
import { parseCertificate } from '../../../src/core/pki/certificate.ts'
import { findExtension } from '../../../src/core/pki/extension.ts'
import { extension, parseExtendedKeyUsage } from '../../../src/core/pki/extensions.ts'
import {
  encodeCertId,
  encodeOcspRequest,
  encodeTbsRequest,
  MAX_OCSP_REQUESTS,
  parseOcspResponse,
} from '../../../src/core/pki/ocsp.ts'
import { encodeAcceptableResponses, findArchiveCutoff, OCSP_OID } from '../../../src/core/pki/ocsp-extensions.ts'
import { OID } from '../../../src/core/pki/oids.ts'
import { signatureAlgorithm } from '../../../src/crypto/algorithms.ts'
import { verifySignature } from '../../../src/crypto/verify.ts'
import type { CertificateRecord } from '../../../src/domain/ca/certificate-record.ts'
import { authorityId } from '../../../src/domain/ids.ts'
import {
  MAX_WAITING_QUESTIONS,
  OCSP_UNKNOWN_SECONDS,
  OCSP_VALIDITY_SECONDS,
} from '../../../src/domain/revocation/live-ocsp.ts'
import { OcspResponders } from '../../../src/domain/revocation/ocsp-responders.ts'
import { revokeCertificate } from '../../../src/domain/revocation/revoke.ts'
import { bornDevice, certify, OPERATOR, type TestInstance, testInstance } from '../../support/instance.ts'
import { ask, basicOf, CERT_ID_HASHES, certId, testResponder } from '../../support/ocsp.ts'

const EC_PUBLIC_KEY = '1.2.840.10045.2.1'
const NEVER_ISSUED = '7f00000000000000000000000000ff' as CertificateRecord['serialNumber']

/** For all tests that leave it as it was. */
let instance: TestInstance
before(async context => {
  instance = await testInstance(context as TestContext)
})

test('says good, revoked with time and reason, on hold, and unknown for what was never issued', async () => {
  const { service } = await testResponder(instance)
  const [good, revoked, held] = [await bornDevice(instance), await bornDevice(instance), await bornDevice(instance)]
  await revokeCertificate(revoked.record, 'keyCompromise', OPERATOR, instance)
  await revokeCertificate(held.record, 'certificateHold', OPERATOR, instance)
  const records = [good.record, revoked.record, held.record, { ...good.record, serialNumber: NEVER_ISSUED }]
  for (const hash of ['sha1', 'sha256', 'sha384'] as const) {
    const ids = await Promise.all(records.map(record => certId(instance, record, hash)))
    const { responses, extensions } = basicOf((await service.answer(ask(ids))).der)
    assert.deepEqual(
      responses.map(single => single.status.kind),
      ['good', 'revoked', 'revoked', 'unknown'],
    )
    const [, second, third] = responses
    assert.deepEqual(second?.status, {
      kind: 'revoked',
      revocationTime: instance.clock.now(),
      reason: 'keyCompromise',
    })
    assert.equal(third?.status.kind === 'revoked' && third.status.reason, 'certificateHold')
    // 4.4.8: who says extended revoke would call what was never issued revoked.
    assert.deepEqual(extensions, [])
  }
})

test('what is unknown may be issued the next second: caches keep that for a minute only', async () => {
  const { service } = await testResponder(instance)
  const { record } = await bornDevice(instance)
  const id = await certId(instance, { ...record, serialNumber: NEVER_ISSUED })
  const now = instance.clock.now()
  const { cacheable } = await service.answer(ask([id]))
  assert.deepEqual(cacheable, { thisUpdate: now, nextUpdate: now + OCSP_UNKNOWN_SECONDS })
})

test('signs with a delegated certificate of the same authority, with ocsp-nocheck (RFC 6960 4.2.2.2)', async () => {
  const { service } = await testResponder(instance)
  const { record } = await bornDevice(instance)
  const basic = basicOf((await service.answer(ask([await certId(instance, record, 'sha256')]))).der)
  const signer = parseCertificate(basic.certificates[0]!)
  assert.ok(verifySignature(signer.subjectPublicKeyInfo.raw, basic.signatureAlgorithm, basic.tbs, basic.signature))
  const issuer = await instance.authorities.certificate(record.authorityId)
  assert.ok(verifySignature(issuer.subjectPublicKeyInfo.raw, signer.signatureAlgorithm, signer.tbs, signer.signature))
  assert.deepEqual(parseExtendedKeyUsage(findExtension(signer.extensions, OID.extKeyUsage)!.value), [OID.ocspSigning])
  assert.ok(findExtension(signer.extensions, OID.ocspNoCheck))
  assert.equal(basic.responses[0]!.nextUpdate, instance.clock.now() + OCSP_VALIDITY_SECONDS)
  const keyHash = CERT_ID_HASHES.sha1.hash(signer.subjectPublicKeyInfo.publicKey)
  assert.deepEqual(basic.responderId, { kind: 'byKey', keyHash })
})

test('repeats a nonce of 1 to 128 octets; what is longer is malformed (RFC 9654 2.1), and nothing of it is for caches', async () => {
  const { service } = await testResponder(instance)
  const id = await certId(instance, (await bornDevice(instance)).record)
  for (const length of [1, 16, 32, 128]) {
    const nonce = new Uint8Array(length).fill(7)
    const withNonce = await service.answer(ask([id], { nonce }))
    assert.deepEqual(basicOf(withNonce.der).nonce, nonce)
    assert.equal(withNonce.cacheable, undefined)
  }
  for (const length of [0, 129]) {
    const value = writeDer(w => w.octetString(new Uint8Array(length)))
    const request = ask([id], { extensions: [extension(OCSP_OID.nonce, false, value)] })
    assert.equal((await service.answer(request)).outcome, 'malformedRequest')
  }
  const without = await service.answer(ask([id]))
  assert.equal(basicOf(without.der).nonce, undefined)
  assert.deepEqual(without.cacheable, {
    thisUpdate: instance.clock.now(),
    nextUpdate: instance.clock.now() + OCSP_VALIDITY_SECONDS,
  })
})

test('of a certificate that has expired the status is kept, and the answer says since when (4.4.4 archive cutoff)', async t => {
  const instance = await testInstance(t)
  const { service, responders } = await testResponder(instance)
  const { device, key } = await bornDevice(instance)
  const record = await certify(instance, device, key, 'ldevid')
  const id = await certId(instance, record)
  await revokeCertificate(record, 'keyCompromise', OPERATOR, instance)
  const [before] = basicOf((await service.answer(ask([id]))).der).responses
  assert.deepEqual(before!.extensions, [])
  instance.clock.advance(record.notAfter + 1 - instance.clock.now())
  await responders.refresh()
  const [expired] = basicOf((await service.answer(ask([id]))).der).responses
  assert.equal(expired!.status.kind, 'revoked')
  const { notBefore } = await instance.authorities.certificate(record.authorityId)
  assert.equal(findArchiveCutoff(expired!.extensions), notBefore)
})

test('4.4.7 signs as the client prefers where the key can, and with its default otherwise', async () => {
  const { service } = await testResponder(instance)
  const id = await certId(instance, (await bornDevice(instance)).record)
  const { algorithmIdentifier: sha384 } = signatureAlgorithm('ecdsa-with-SHA384')
  const { algorithmIdentifier: rsa } = signatureAlgorithm('sha256WithRSAEncryption')
  const ecPublicKey = encodeAlgorithmIdentifier(EC_PUBLIC_KEY)
  const p384 = encodeAlgorithmIdentifier(
    EC_PUBLIC_KEY,
    writeDer(w => w.oid('1.3.132.0.34')),
  )
  const preferring = (...wanted: readonly (readonly [Uint8Array, Uint8Array?])[]) => {
    const value = writeDer(w =>
      w.sequence(() => {
        for (const [signature, publicKey] of wanted) {
          w.sequence(() => {
            w.raw(signature)
            if (publicKey) w.raw(publicKey)
          })
        }
      }),
    )
    return ask([id], { extensions: [extension(OCSP_OID.preferredSignatureAlgorithms, false, value)] })
  }
  const used = async (request: Uint8Array) => {
    const { certificates, signatureAlgorithm: used, tbs, signature } = basicOf((await service.answer(request)).der)
    const signer = parseCertificate(certificates[0]!)
    assert.ok(verifySignature(signer.subjectPublicKeyInfo.raw, used, tbs, signature))
    return used.oid
  }
  assert.equal(await used(preferring([rsa], [sha384])), '1.2.840.10045.4.3.3')
  assert.equal(await used(preferring([sha384, ecPublicKey])), '1.2.840.10045.4.3.3')
  assert.equal(await used(preferring([sha384, p384])), '1.2.840.10045.4.3.2')
  assert.equal(await used(preferring([rsa])), '1.2.840.10045.4.3.2')
})

test('4.4 ignores what it does not know, and refuses it where it is critical', async () => {
  const { service } = await testResponder(instance)
  const id = await certId(instance, (await bornDevice(instance)).record)
  const outcome = async (...[options]: Parameters<typeof ask> extends [unknown, ...infer Rest] ? Rest : never) =>
    (await service.answer(ask([id], options))).outcome
  const foreign = (critical: boolean) => [extension('1.2.3.4', critical, new Uint8Array([5, 0]))]
  assert.equal(await outcome({ extensions: foreign(false) }), 'successful')
  assert.equal(await outcome({ extensions: foreign(true) }), 'malformedRequest')
  assert.equal(await outcome({ single: foreign(false) }), 'successful')
  assert.equal(await outcome({ single: foreign(true) }), 'malformedRequest')
  // 4.4.3: basic responses are the only ones that there are.
  const basic = extension(OCSP_OID.response, true, encodeAcceptableResponses())
  const other = (critical: boolean) =>
    extension(
      OCSP_OID.response,
      critical,
      writeDer(w => w.sequence(() => w.oid('1.2.3.4'))),
    )
  assert.equal(await outcome({ extensions: [basic] }), 'successful')
  assert.equal(await outcome({ extensions: [other(false)] }), 'successful')
  assert.equal(await outcome({ extensions: [other(true)] }), 'malformedRequest')
})

test('refuses a foreign issuer, and a question about two authorities at once, as unauthorized', async () => {
  const { service } = await testResponder(instance)
  const { device, key, record } = await bornDevice(instance)
  const operational = await certify(instance, device, key, 'ldevid')
  const foreign = encodeCertId({
    hashAlgorithm: CERT_ID_HASHES.sha256.oid,
    issuerNameHash: new Uint8Array(32),
    issuerKeyHash: new Uint8Array(32),
    serialNumber: record.serialNumber,
  })
  const mixed = [await certId(instance, record), await certId(instance, operational)]
  for (const ids of [[foreign], mixed, [mixed[0]!, foreign]]) {
    const { der, outcome } = await service.answer(ask(ids))
    assert.equal(outcome, 'unauthorized')
    assert.equal(parseOcspResponse(der).responseStatus, 'unauthorized')
  }
})

test('foreign issuers cost neither a look into the store nor a signature', async () => {
  const { record } = await bornDevice(instance)
  const foreign = encodeCertId({
    hashAlgorithm: CERT_ID_HASHES.sha1.oid,
    issuerNameHash: new Uint8Array(20),
    issuerKeyHash: new Uint8Array(20),
    serialNumber: record.serialNumber,
  })
  let looks = 0
  const { service } = await testResponder(instance, {
    read: read => ({
      ...read,
      certificateStandings: (...asked) => {
        looks++
        return read.certificateStandings(...asked)
      },
    }),
  })
  const many = Array.from({ length: MAX_OCSP_REQUESTS }, () => foreign)
  assert.equal((await service.answer(ask(many))).outcome, 'unauthorized')
  assert.equal(looks, 0)
  assert.equal((await service.answer(ask([...many, foreign]))).outcome, 'malformedRequest')
  const own = await certId(instance, record)
  assert.equal((await service.answer(ask(many.map(() => own)))).outcome, 'successful')
  assert.equal(looks, 1)
})

test('questions that come together share a look into the store; a full queue says try later', async () => {
  const { record } = await bornDevice(instance)
  let looks = 0
  const { service } = await testResponder(instance, {
    read: read => ({
      ...read,
      certificateStandings: (...asked) => {
        looks++
        return read.certificateStandings(...asked)
      },
    }),
  })
  const id = await certId(instance, record)
  const asked = Array.from({ length: MAX_WAITING_QUESTIONS + 10 }, (_, i) =>
    service.answer(ask([id], { nonce: new Uint8Array(16).fill(i) })),
  )
  const outcomes = Map.groupBy(await Promise.all(asked), ({ outcome }) => outcome)
  assert.equal(outcomes.get('successful')?.length, MAX_WAITING_QUESTIONS)
  assert.equal(outcomes.get('tryLater')?.length, 10)
  assert.equal(looks, MAX_WAITING_QUESTIONS / 64)
  assert.equal(service.waiting, 0)
})

test('answers any octets: what is no request is malformedRequest', async () => {
  const { service } = await testResponder(instance)
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async octets => {
      assert.equal((await service.answer(octets)).outcome, 'malformedRequest')
    }),
    { numRuns: 100 },
  )
})

test('answers every request that has an octet changed, and never with a fault of its own', async () => {
  const { service, failures } = await testResponder(instance)
  const { record } = await bornDevice(instance)
  const genuine = ask([await certId(instance, record), await certId(instance, record, 'sha256')], {
    nonce: new Uint8Array(32).fill(1),
  })
  await fc.assert(
    fc.asyncProperty(fc.nat(genuine.length - 1), fc.nat(255), async (at, value) => {
      const changed = genuine.slice()
      changed[at] = value
      const { outcome } = await service.answer(changed)
      assert.ok(['successful', 'malformedRequest', 'unauthorized'].includes(outcome), outcome)
    }),
    { numRuns: 300 },
  )
  assert.deepEqual(failures, [])
})

test('a signed request is answered like any other: who asks is no secret (4.1.1)', async () => {
  const { service } = await testResponder(instance)
  const tbs = encodeTbsRequest({
    requestorName: { kind: 'dNSName', value: 'gateway.example' },
    requests: [{ certId: await certId(instance, (await bornDevice(instance)).record) }],
  })
  const { algorithmIdentifier } = signatureAlgorithm('ecdsa-with-SHA256')
  const signed = encodeOcspRequest(tbs, { signatureAlgorithm: algorithmIdentifier, signature: new Uint8Array(70) })
  assert.equal((await service.answer(signed)).outcome, 'successful')
})

test('2.3 tryLater where the signer fails, with the reason for the operator', async t => {
  const instance = await testInstance(t)
  const { service, responders, failures } = await testResponder(instance)
  const { record } = await bornDevice(instance)
  const broken = new TouchmarkError('signer.failed', 'unavailable', 'The token is gone.')
  for (const { signer } of await responders.current()) {
    signer.sign = () => Promise.reject(broken)
    if (signer.signMany) signer.signMany = () => Promise.reject(broken)
  }
  const id = await certId(instance, record)
  const { outcome, cacheable } = await service.answer(ask([id]))
  assert.deepEqual([outcome, cacheable], ['tryLater', undefined])
  assert.deepEqual(
    failures.map(({ thrown, question }) => [thrown, question.responder.authorityId]),
    [[broken, record.authorityId]],
  )
})

test('an authority whose keys are lost is told of as try later, and its living signer works to its end', async t => {
  const instance = await testInstance(t)
  const { responders } = await testResponder(instance)
  const { record } = await bornDevice(instance)
  const id = await certId(instance, record)
  const authority = (await instance.authorities.byId(record.authorityId))!
  await instance.keyStore.destroy(authority.keyUri)
  const { service, responders: restarted } = await testResponder(instance)
  assert.ok((await restarted.current()).some(each => each.authorityId === record.authorityId))
  assert.equal((await service.answer(ask([id]))).outcome, 'successful')
  const signer = (await responders.current()).find(each => each.authorityId === record.authorityId)!.signer
  await instance.keyStore.destroy(signer.keyUri)
  const { service: without, responders: none } = await testResponder(instance)
  assert.deepEqual(
    none.lost.map(each => each.authorityId),
    [record.authorityId],
  )
  assert.equal((await without.answer(ask([id]))).outcome, 'tryLater')
})

test('the offline root has no responder; each online authority has one', async t => {
  const instance = await testInstance(t)
  const { responders, service } = await testResponder(instance)
  const answered = (await responders.current()).map(each => each.authorityId).sort()
  const all = await instance.authorities.all()
  assert.deepEqual(answered, all.flatMap(({ kind, id }) => (kind === 'root' ? [] : [id])).sort())
  assert.deepEqual(responders.lost, [])
  const root = all.find(({ kind }) => kind === 'root')!
  const { outcome } = await service.answer(
    ask([await certId(instance, { authorityId: root.id, serialNumber: NEVER_ISSUED })]),
  )
  assert.equal(outcome, 'unauthorized')
})

test('a signer is found again, and renewed when half of its life is left', async t => {
  const instance = await testInstance(t)
  const { responders } = await testResponder(instance)
  const list = await responders.current()
  const first = list[0]!
  assert.equal(await new OcspResponders(instance).refresh(), 0)
  await responders.refresh()
  assert.equal(await responders.current(), list, 'nothing changed, nothing is opened anew')
  instance.clock.advance(8 * 86_400)
  assert.ok((await responders.refresh()) > 0)
  const second = (await responders.current()).find(each => each.authorityId === first.authorityId)!
  assert.notEqual(second.certificate.serialNumber, first.certificate.serialNumber)
  const ofIdevid = await instance.store.read.platformCertificates(authorityId('idevid-1'), 'ocsp-signer')
  assert.equal(ofIdevid.length, 2)
})
