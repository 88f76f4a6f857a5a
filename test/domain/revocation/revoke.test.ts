// Revocation, hold and release (RFC 5280 §5.3.1) in the registry: what changes, what is refused, what the log says.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '../../../src/crypto/keys.ts'
import { authorityId, serialNumber } from '../../../src/domain/ids.ts'
import { releaseCertificate, revokeCertificate, revokeDevice } from '../../../src/domain/revocation/revoke.ts'
import { parseRevocationReason, REVOCATION_REASONS } from '../../../src/domain/revocation/terms.ts'
import { auditLog, bornDevice, certify, countEverything, OPERATOR, testInstance } from '../../support/instance.ts'
import { assertInvariants } from '../../support/invariants.ts'

test('a revocation is one change: status, log entry and a request for the CRL shard', async t => {
  const instance = await testInstance(t)
  const { record } = await bornDevice(instance)
  const before = await instance.store.read.auditHead()
  const outcome = await revokeCertificate(record, 'superseded', OPERATOR, instance)
  assert.deepEqual(
    outcome.changed.map(({ serialNumber }) => serialNumber),
    [record.serialNumber],
  )
  const stored = await instance.store.read.certificate(record.authorityId, record.serialNumber)
  assert.deepEqual(stored?.status, {
    kind: 'revoked',
    at: instance.clock.now(),
    reason: 'superseded',
    invalidityDate: null,
  })
  const [entry, ...others] = (await auditLog(instance)).slice(before.size)
  assert.equal(entry?.action, 'certificate.revoked')
  assert.equal(entry?.subject['serialNumber'], record.serialNumber)
  assert.deepEqual(others, [])
  const work = await instance.store.lease('crl', instance.clock.now(), 30, 10)
  assert.deepEqual(
    work.map(({ key }) => key),
    [`${record.authorityId}/${record.crlShard}`],
  )
  await assertInvariants(instance.store)
})

test('asking again for the same revocation changes nothing and is no error', async t => {
  const instance = await testInstance(t)
  const { record } = await bornDevice(instance)
  await revokeCertificate(record, 'superseded', OPERATOR, instance)
  const size = (await instance.store.read.auditHead()).size
  assert.deepEqual(await revokeCertificate(record, 'superseded', OPERATOR, instance), { changed: [], unchanged: 1 })
  assert.equal((await instance.store.read.auditHead()).size, size)
})

test('a revocation is final: another reason is refused', async t => {
  const instance = await testInstance(t)
  const { record } = await bornDevice(instance)
  await revokeCertificate(record, 'superseded', OPERATOR, instance)
  await assert.rejects(revokeCertificate(record, 'cessationOfOperation', OPERATOR, instance), {
    code: 'certificate.already_revoked',
    kind: 'conflict',
  })
})

test('keyCompromise ends every certificate over the key, and the key itself', async t => {
  const instance = await testInstance(t)
  const { device, key, record } = await bornDevice(instance)
  const sameKey = await certify(instance, device, key, 'ldevid')
  const otherKey = await certify(instance, device, await generateKeyPair('P-256'), 'ldevid')
  const { changed } = await revokeCertificate(sameKey, 'keyCompromise', OPERATOR, instance)
  assert.deepEqual(changed.map(each => each.serialNumber).sort(), [record.serialNumber, sameKey.serialNumber].sort())
  const survivor = await instance.store.read.certificate(otherKey.authorityId, otherKey.serialNumber)
  assert.equal(survivor?.status.kind, 'good')
  assert.equal((await instance.store.read.key(record.keyId))?.state, 'compromised')
  await assert.rejects(certify(instance, device, key, 'ldevid'), /key\.compromised/)
  await assertInvariants(instance.store)
})

test('keyCompromise may follow another reason, for what is still live over the key', async t => {
  const instance = await testInstance(t)
  const { record } = await bornDevice(instance)
  await revokeCertificate(record, 'superseded', OPERATOR, instance)
  const { changed } = await revokeCertificate(record, 'keyCompromise', OPERATOR, instance)
  assert.deepEqual(changed, [])
  assert.equal((await instance.store.read.key(record.keyId))?.state, 'compromised')
})

test('a hold may be released, a revocation not', async t => {
  const instance = await testInstance(t)
  const { record } = await bornDevice(instance)
  await revokeCertificate(record, 'certificateHold', OPERATOR, instance)
  assert.equal((await instance.store.read.certificate(record.authorityId, record.serialNumber))?.status.kind, 'held')
  await releaseCertificate(record, OPERATOR, instance)
  assert.equal((await instance.store.read.certificate(record.authorityId, record.serialNumber))?.status.kind, 'good')
  await assert.rejects(releaseCertificate(record, OPERATOR, instance), { code: 'certificate.not_held' })
  await revokeCertificate(record, 'certificateHold', OPERATOR, instance)
  await revokeCertificate(record, 'privilegeWithdrawn', OPERATOR, instance)
  await assert.rejects(releaseCertificate(record, OPERATOR, instance), { code: 'certificate.not_held' })
  await assertInvariants(instance.store)
})

test('a device loses everything that is live in one transaction, whichever authority issued it', async t => {
  const instance = await testInstance(t)
  const { device, key } = await bornDevice(instance)
  await certify(instance, device, key, 'ldevid')
  await certify(instance, device, await generateKeyPair('P-256'), 'ldevid')
  const { changed } = await revokeDevice(device.id, 'cessationOfOperation', OPERATOR, instance)
  assert.equal(changed.length, 3)
  assert.equal(new Set(changed.map(each => each.authorityId)).size, 2)
  const left = await instance.store.read.certificatesOfDevice(device.id)
  assert.ok(left.every(record => record.status.kind === 'revoked'))
  await assertInvariants(instance.store)
})

test('two revocations that race: one changes it, the other is told', async t => {
  const instance = await testInstance(t)
  const { record } = await bornDevice(instance)
  const outcomes = await Promise.allSettled([
    revokeCertificate(record, 'superseded', OPERATOR, instance),
    revokeCertificate(record, 'superseded', OPERATOR, instance),
  ])
  const won = outcomes.filter(outcome => outcome.status === 'fulfilled' && outcome.value.changed.length === 1)
  assert.equal(won.length, 1)
  const lost = outcomes.find(outcome => outcome.status === 'rejected')
  if (lost) assert.equal((lost.reason as { code?: string }).code, 'certificate.status_changed')
  await assertInvariants(instance.store)
})

test('an unknown serial number is refused and changes nothing', async t => {
  const instance = await testInstance(t)
  await bornDevice(instance)
  const before = await countEverything(instance)
  const unknown = { serialNumber: serialNumber('00ff') }
  await assert.rejects(revokeCertificate(unknown, 'superseded', OPERATOR, instance), { code: 'certificate.not_found' })
  const elsewhere = { serialNumber: serialNumber('00ff'), authorityId: authorityId('nobody-1') }
  await assert.rejects(revokeCertificate(elsewhere, 'superseded', OPERATOR, instance), {
    code: 'certificate.not_found',
  })
  assert.deepEqual(await countEverything(instance), before)
})

test('cACompromise does not fit a device', async t => {
  const instance = await testInstance(t)
  const { record } = await bornDevice(instance)
  await assert.rejects(revokeCertificate(record, 'cACompromise', OPERATOR, instance), {
    code: 'revocation.reason_not_for_this',
  })
})

test('reasons are read in any case; removeFromCRL and others are none', () => {
  for (const reason of REVOCATION_REASONS) assert.equal(parseRevocationReason(reason.toUpperCase()), reason)
  for (const text of ['', 'lost']) {
    assert.throws(() => parseRevocationReason(text), { code: 'revocation.reason_unknown' })
  }
  for (const text of ['removeFromCRL', 'aACompromise']) {
    assert.throws(() => parseRevocationReason(text), { code: 'revocation.reason_not_by_hand' })
  }
})
