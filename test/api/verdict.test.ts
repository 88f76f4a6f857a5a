// POST /api/v1/verdict: is this certificate good right now, and why, for certificates of ours and of others.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toPem } from '../../src/core/asn1/pem.ts'
import { toBase64 } from '../../src/core/bytes/base64.ts'
import { copyBytes } from '../../src/core/bytes/bytes.ts'
import { fromHex } from '../../src/core/bytes/hex.ts'
import { encodeTbsCertificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import { encodeExtendedKeyUsage, encodeSubjectAltName, extension } from '../../src/core/pki/extensions.ts'
import { formatName } from '../../src/core/pki/name.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { encodeSigned } from '../../src/core/pki/signed.ts'
import type { CertificateRecord } from '../../src/domain/ca/certificate-record.ts'
import { serialNumber } from '../../src/domain/ids.ts'
import { DEFAULT_CRL_SCHEDULE } from '../../src/domain/revocation/crl-schedule.ts'
import { publishCrl } from '../../src/domain/revocation/publish-crl.ts'
import { revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import {
  DEFAULT_STATUS_SCHEDULE,
  rebuildStatus,
  statusPublicationName,
} from '../../src/domain/revocation/status-artefact.ts'
import { statusIssuer } from '../../src/domain/revocation/status-signers.ts'
import { timestamp } from '../../src/domain/timestamp.ts'
import type { VerdictView } from '../../src/domain/verdict/verdict-view.ts'
import { statusBuilder } from '../../src/server/status-builder.ts'
import { apiDoor, somebody } from '../support/api-door.ts'
import { makeCertificate, p256Key } from '../support/certificates.ts'
import {
  bornDevice,
  OPERATOR,
  TEST_START,
  type TestInstance,
  testInstance,
  trustManufacturer,
} from '../support/instance.ts'

const pem = (der: Uint8Array) => toPem('CERTIFICATE', der)

function asker(instance: TestInstance) {
  const door = apiDoor(instance)
  const as = somebody(['certificate.read'])
  return async (body: Record<string, unknown>): Promise<VerdictView> => {
    const reply = await door('/verdict', { method: 'POST', body, as })
    assert.equal(reply.status, 200, reply.text)
    return reply.json as VerdictView
  }
}

const stepOf = ({ steps }: VerdictView, wanted: string) => steps.find(({ step }) => step === wanted)?.outcome

test('the verdict on a certificate of ours', async t => {
  const instance = await testInstance(t)
  const ask = asker(instance)

  await t.test('follows the certificate through its life', async () => {
    const door = apiDoor(instance)
    const { device, record } = await bornDevice(instance)
    const certificate = pem(record.der)

    const good = await ask({ certificate, purpose: 'client' })
    assert.deepEqual([good.good, good.code, good.reasons], [true, 'good', []])
    assert.deepEqual(
      good.path.map(({ role, status }) => [role, status]),
      [
        ['leaf', 'good'],
        ['intermediate', 'good'],
        ['anchor', 'not_asked'],
      ],
    )
    assert.equal(good.registered?.device?.serialNumber, device.serialNumber)
    assert.ok(
      ['path', 'status', 'device', 'key', 'validity'].every(step => stepOf(good, step) === 'good'),
      JSON.stringify(good.steps),
    )

    const path = `/certificates/${record.authorityId}/${record.serialNumber}`
    instance.clock.advance(60)
    await door(`${path}/revoke`, { method: 'POST', body: { reason: 'certificateHold' } })
    assert.equal((await ask({ certificate })).code, 'path.held')
    await door(`${path}/release`, { method: 'POST' })
    assert.equal((await ask({ certificate })).code, 'good')
    await door(`${path}/revoke`, { method: 'POST', body: { reason: 'keyCompromise' } })
    const revoked = await ask({ certificate })
    assert.deepEqual([revoked.good, revoked.code, stepOf(revoked, 'status')], [false, 'path.revoked', 'bad'])
    assert.ok(revoked.reasons.some(({ code }) => code === 'key.compromised'))
    // What was good before the revocation was good then.
    const before = await ask({ certificate, at: timestamp(TEST_START + 1) })
    assert.equal(stepOf(before, 'status'), 'good')
    assert.equal((await ask({ certificate, at: timestamp(record.notBefore - 1) })).code, 'path.leaf_not_yet_valid')
  })

  await t.test('knows that its device is suspended', async () => {
    const { device, record } = await bornDevice(instance)
    await apiDoor(instance)(`/devices/${device.id}/suspend`, { method: 'POST', body: { because: 'INC-7' } })
    const verdict = await ask({ certificate: pem(record.der) })
    assert.equal(verdict.good, false)
    assert.ok(verdict.reasons.some(({ code }) => code === 'device.suspended'))
    assert.equal(stepOf(verdict, 'device'), 'bad')
  })

  await t.test('knows what our key signed and we never issued', async () => {
    const { record } = await bornDevice(instance)
    const never = await ask({ certificate: pem(await signedByUs(instance, record, '7f01')) })
    assert.deepEqual([never.good, never.code, stepOf(never, 'status')], [false, 'registry.never_issued', 'bad'])
    const other = await ask({ certificate: pem(await signedByUs(instance, record, record.serialNumber)) })
    assert.equal(other.code, 'registry.other_certificate')
  })

  await t.test('knows it also where a list and an artefact say that nothing is revoked', async () => {
    const { record } = await bornDevice(instance)
    const certificate = pem(await signedByUs(instance, record, `${record.serialNumber.slice(0, 8)}${'77'.repeat(12)}`))
    instance.clock.advance(120)
    const ports = { store: instance.store, clock: instance.clock, schedule: DEFAULT_STATUS_SCHEDULE }
    await rebuildStatus((await statusIssuer(record.authorityId, instance))!, statusBuilder, ports)
    const issuer = await instance.authorities.signing(record.authorityId)
    const list = await publishCrl(issuer, record.crlShard, 'http://pki.example/0.crl', DEFAULT_CRL_SCHEDULE, instance)
    const artefact = await instance.store.read.publication(statusPublicationName(record.authorityId))
    const crls = [toPem('X509 CRL', list.bytes)]
    const statusArtefacts = [toBase64(artefact!.bytes)]
    // Both are good evidence about what was issued.
    assert.equal((await ask({ certificate: pem(record.der), statusArtefacts })).code, 'good')
    assert.equal((await ask({ certificate, statusArtefacts })).code, 'registry.never_issued')
    assert.equal(stepOf(await ask({ certificate, crls, statusArtefacts }), 'status'), 'bad')
    assert.ok((await ask({ certificate, crls })).reasons.some(({ code }) => code === 'registry.never_issued'))
  })

  await t.test('looks at the status of what stands above it, whatever else was sent along', async () => {
    const { record } = await bornDevice(instance)
    const [ca, root] = (await instance.authorities.chain(record.authorityId)).map(der =>
      parseCertificate(copyBytes(der)),
    )
    const namesake = { subject: formatName(ca!.subject), issuer: { certificate: root!, key: p256Key() }, ca: 0 }
    const strangers = Array.from({ length: 60 }, () => pem(makeCertificate(namesake).certificate.raw))
    const intermediates = [...strangers, pem(ca!.raw)]
    assert.equal((await ask({ certificate: pem(record.der), intermediates })).code, 'good')
    await revokeCertificate({ serialNumber: serialNumber(ca!.serialNumber) }, 'cACompromise', OPERATOR, instance)
    assert.equal((await ask({ certificate: pem(record.der) })).code, 'path.revoked')
    assert.equal((await ask({ certificate: pem(record.der), intermediates })).code, 'path.revoked')
  })
})

/** Our authority's signature under a certificate that went past the registry. */
async function signedByUs(instance: TestInstance, { authorityId, der }: CertificateRecord, serial: string) {
  const { signer } = await instance.authorities.signing(authorityId)
  const { issuer, notBefore, notAfter, subject, subjectPublicKeyInfo, extensions } = parseCertificate(der)
  const signatureAlgorithm = signer.algorithm.algorithmIdentifier
  const tbs = encodeTbsCertificate({
    serialNumber: fromHex(serial),
    signatureAlgorithm,
    issuer: issuer.raw,
    notBefore,
    notAfter: notAfter - 1,
    subject: subject.raw,
    subjectPublicKeyInfo: subjectPublicKeyInfo.raw,
    extensions,
  })
  return encodeSigned(tbs, signatureAlgorithm, await signer.sign(tbs))
}

test('the verdict on a certificate of others', async t => {
  const instance = await testInstance(t)
  const ask = asker(instance)

  const root = makeCertificate({ subject: 'CN=Globex Root', ca: true, notAfter: TEST_START * 2 })
  const ca = makeCertificate({ subject: 'CN=Globex CA', ca: 0, issuer: root, notAfter: TEST_START * 2 })
  const san = extension(OID.subjectAltName, false, encodeSubjectAltName([{ kind: 'dNSName', value: 'host.example' }]))
  const eku = extension(OID.extKeyUsage, false, encodeExtendedKeyUsage([OID.serverAuth]))
  const leaf = makeCertificate({ subject: 'CN=host', issuer: ca, notAfter: TEST_START * 2, extensions: [san, eku] })
  const certificate = `${pem(leaf.certificate.raw)}${pem(ca.certificate.raw)}`
  const anchors = [pem(root.certificate.raw)]

  await t.test('stands on the anchors that were chosen', async () => {
    assert.equal((await ask({ certificate })).code, 'path.no_issuer')
    const verdict = await ask({
      certificate,
      trust: { anchors },
      purpose: 'server',
      name: { kind: 'dns', value: 'host.example' },
    })
    assert.deepEqual([verdict.good, verdict.registered, stepOf(verdict, 'name')], [true, null, 'good'])
    assert.equal(stepOf(verdict, 'status'), 'unknown')
    assert.equal((await ask({ certificate, trust: { anchors }, purpose: 'client' })).code, 'path.extended_key_usage')
    await trustManufacturer(instance, {
      name: 'globex',
      certificates: anchors,
      model: { fixed: 'globex-1' },
      serialNumber: 'subject.CN',
    })
    assert.equal((await ask({ certificate, trust: { maker: 'globex' } })).code, 'good')
  })

  await t.test('cannot be reached for what is malformed', async () => {
    const door = apiDoor(instance)
    const code = async (body: unknown, as = somebody(['certificate.read'])) =>
      (await door('/verdict', { method: 'POST', body, as })).json.code
    assert.equal(await code({ certificate: 'hello' }), 'case.certificate_unreadable')
    assert.equal(await code({ certificate, crls: ['hello'] }), 'case.crl_unreadable')
    assert.equal(await code({ certificate, ocspResponses: ['MAMKAQE='] }), 'case.ocsp_unreadable')
    assert.equal(await code({ certificate, purpose: 'fun' }), 'api.request_invalid')
    assert.equal(await code({ certificate, trust: { maker: 'nobody' } }), 'trust_anchors.not_found')
    assert.equal(await code({ certificate }, somebody(['device.read'])), 'access.forbidden')
  })
})
