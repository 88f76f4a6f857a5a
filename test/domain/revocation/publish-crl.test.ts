// CRLs as this platform publishes them (RFC 5280 §5): judged by OpenSSL, and against the registry.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { toPem } from '../../../src/core/asn1/pem.ts'
import { parseCertificateList } from '../../../src/core/pki/crl.ts'
import { parseCrlNumber } from '../../../src/core/pki/crl-extensions.ts'
import { findExtension } from '../../../src/core/pki/extension.ts'
import { OID } from '../../../src/core/pki/oids.ts'
import { verifySignature } from '../../../src/crypto/verify.ts'
import { authorityId } from '../../../src/domain/ids.ts'
import { DEFAULT_CRL_SCHEDULE } from '../../../src/domain/revocation/crl-schedule.ts'
import { crlPublicationName } from '../../../src/domain/revocation/crl-series.ts'
import { type CrlWorkPorts, publishDueCrls, publishRequestedCrls } from '../../../src/domain/revocation/crl-work.ts'
import { isCrlDue, publishCrl } from '../../../src/domain/revocation/publish-crl.ts'
import { releaseCertificate, revokeCertificate } from '../../../src/domain/revocation/revoke.ts'
import { bornDevice, OPERATOR, type TestInstance, testInstance } from '../../support/instance.ts'
import { assertInvariants } from '../../support/invariants.ts'
import { requireTool } from '../../support/tools.ts'

const IDEVID = authorityId('idevid-1')
const URL = 'http://pki.example.test/crl/idevid-1/0.crl'

async function publish(instance: TestInstance) {
  return publishCrl(await instance.authorities.signing(IDEVID), 0, URL, DEFAULT_CRL_SCHEDULE, instance)
}

const work = (instance: TestInstance, issuerOf: CrlWorkPorts['issuerOf']) => ({
  store: instance.store,
  clock: instance.clock,
  issuerOf,
  shardUrl: () => URL,
  schedule: DEFAULT_CRL_SCHEDULE,
})

test('the first CRL is empty, has number 1, AKI, and an end within the schedule', async t => {
  const instance = await testInstance(t)
  const publication = await publish(instance)
  const crl = parseCertificateList(publication.bytes)
  const { certificate } = await instance.authorities.signing(IDEVID)
  assert.ok(verifySignature(certificate.subjectPublicKeyInfo.raw, crl.signatureAlgorithm, crl.tbs, crl.signature))
  assert.deepEqual([...crl.entries()], [])
  assert.equal(crl.thisUpdate, instance.clock.now())
  assert.equal(crl.nextUpdate, instance.clock.now() + DEFAULT_CRL_SCHEDULE.lifetimeSeconds)
  assert.ok(findExtension(crl.crlExtensions, OID.authorityKeyIdentifier))
  assert.equal(parseCrlNumber(findExtension(crl.crlExtensions, OID.cRLNumber)!.value), 1n)
  assert.equal(findExtension(crl.crlExtensions, OID.issuingDistributionPoint), undefined)
})

test('a revoked and a held certificate are listed with reason and time; a released one is not', async t => {
  const instance = await testInstance(t)
  const [revoked, held, released] = [await bornDevice(instance), await bornDevice(instance), await bornDevice(instance)]
  await revokeCertificate(revoked.record, 'keyCompromise', OPERATOR, instance)
  instance.clock.advance(5)
  await revokeCertificate(held.record, 'certificateHold', OPERATOR, instance)
  await revokeCertificate(released.record, 'certificateHold', OPERATOR, instance)
  await releaseCertificate(released.record, OPERATOR, instance)
  const entries = [...parseCertificateList((await publish(instance)).bytes).entries()]
  const listed = new Map(entries.map(entry => [entry.serialNumber, entry]))
  assert.equal(listed.size, 2)
  assert.equal(listed.get(revoked.record.serialNumber)?.reason, 'keyCompromise')
  assert.equal(listed.get(revoked.record.serialNumber)?.revocationDate, instance.clock.now() - 5)
  assert.equal(listed.get(held.record.serialNumber)?.reason, 'certificateHold')
})

test('numbers only grow, and two publishers never share one', async t => {
  const instance = await testInstance(t)
  await publish(instance)
  const outcomes = await Promise.allSettled([publish(instance), publish(instance)])
  assert.equal(outcomes.filter(outcome => outcome.status === 'fulfilled').length, 1)
  const lost = outcomes.find(outcome => outcome.status === 'rejected')
  assert.ok(lost)
  assert.equal((lost.reason as { code?: string }).code, 'publication.outdated')
  const placed = await instance.store.read.publication(crlPublicationName(IDEVID, 0))
  const numbers = outcomes.flatMap(outcome => (outcome.status === 'fulfilled' ? [outcome.value.number] : []))
  assert.deepEqual(numbers, [placed?.number])
  assert.ok((await publish(instance)).number > 3)
  await assertInvariants(instance.store)
})

test('a revocation asks for its shard, and the request ends with the publication', async t => {
  const instance = await testInstance(t)
  const { record } = await bornDevice(instance)
  await revokeCertificate(record, 'superseded', OPERATOR, instance)
  const issuerOf = (id: string) => instance.authorities.signing(authorityId(id))
  const run = () => publishRequestedCrls(work(instance, issuerOf))
  assert.equal(await run(), 1)
  assert.equal(await run(), 0)
  const publication = await instance.store.read.publication(crlPublicationName(record.authorityId, 0))
  const serials = [...parseCertificateList(publication!.bytes).entries()].map(entry => entry.serialNumber)
  assert.deepEqual(serials, [record.serialNumber])
})

test('a publication that fails stays requested', async t => {
  const instance = await testInstance(t)
  const { record } = await bornDevice(instance)
  await revokeCertificate(record, 'superseded', OPERATOR, instance)
  const broken = () => Promise.reject(new Error('no key'))
  await assert.rejects(publishRequestedCrls(work(instance, broken)))
  instance.clock.advance(31)
  const issuerOf = (id: string) => instance.authorities.signing(authorityId(id))
  assert.equal(await publishRequestedCrls(work(instance, issuerOf)), 1)
})

test('the next CRL is due well before the end of the current one, or when the clock went back before its beginning', async t => {
  const instance = await testInstance(t)
  const issuer = await instance.authorities.signing(IDEVID)
  const run = () => publishDueCrls(issuer, () => URL, DEFAULT_CRL_SCHEDULE, instance)
  assert.equal(await run(), 1)
  assert.equal(await run(), 0)
  const current = (await instance.store.read.publication(crlPublicationName(IDEVID, 0)))!
  assert.ok(isCrlDue(current, DEFAULT_CRL_SCHEDULE, current.thisUpdate - 1, Number.MAX_SAFE_INTEGER))
  instance.clock.advance(DEFAULT_CRL_SCHEDULE.lifetimeSeconds - DEFAULT_CRL_SCHEDULE.renewBeforeSeconds)
  assert.equal(await run(), 1)
})

test('OpenSSL takes the CRL and refuses what it lists', async t => {
  if (!requireTool(t, 'openssl')) return
  const instance = await testInstance(t)
  const [good, bad] = [await bornDevice(instance), await bornDevice(instance)]
  await revokeCertificate(bad.record, 'superseded', OPERATOR, instance)
  const folder = mkdtempSync(join(tmpdir(), 'touchmark-crl-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const pem = (name: string, label: string, ...ders: readonly Uint8Array[]) => {
    writeFileSync(join(folder, name), ders.map(der => toPem(label, der)).join(''))
    return join(folder, name)
  }
  const chain = pem('chain.pem', 'CERTIFICATE', ...(await instance.authorities.chain(IDEVID)))
  const crl = pem('crl.pem', 'X509 CRL', (await publish(instance)).bytes)
  const verify = (name: string, der: Uint8Array) => {
    const leaf = pem(name, 'CERTIFICATE', der)
    const at = String(instance.clock.now())
    const args = ['verify', '-x509_strict', '-crl_check', '-attime', at, '-CAfile', chain, '-CRLfile', crl, leaf]
    return spawnSync('openssl', args, { encoding: 'utf8' })
  }
  assert.match(verify('good.pem', good.record.der).stdout, /good\.pem: OK/)
  assert.match(verify('bad.pem', bad.record.der).stderr, /certificate revoked/)
})
