// Renewal over a real store: the window in the row, make before break, lost answers, orders, copies, refusals; and that the plan is the sum
// of the rows after any sequence of what can happen.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { generateKeyPair } from '../../../src/crypto/keys.ts'
import { resumeDevice, suspendDevice } from '../../../src/domain/device/suspend-device.ts'
import type { RenewalOrder } from '../../../src/domain/renewal/credential.ts'
import { orderRenewal, withdrawOrder } from '../../../src/domain/renewal/order-renewal.ts'
import { DEFAULT_RENEWAL_POLICY } from '../../../src/domain/renewal/policy.ts'
import { renewalInfo } from '../../../src/domain/renewal/renewal-info.ts'
import { retireDue, seenInUse } from '../../../src/domain/renewal/seen-in-use.ts'
import { revokeCertificate, revokeDevice } from '../../../src/domain/revocation/revoke.ts'
import { auditLog, certify, OPERATOR, type TestInstance, testInstance, useRules } from '../../support/instance.ts'
import { assertInvariants } from '../../support/invariants.ts'
import { credentialOf, DAY, fieldDevice, goodCertificates, renew, renewed, statusOf, useProfile } from './fixture.ts'

const WISHES: Omit<RenewalOrder, 'at' | 'until'> = {
  reason: 'operator',
  newKey: false,
  keyAlgorithm: null,
  profile: null,
  authorityId: null,
  campaignId: null,
}

function order(instance: TestInstance, wishes: Partial<RenewalOrder> = {}): Omit<RenewalOrder, 'at'> {
  return { ...WISHES, until: instance.clock.now() + 7 * DAY, ...wishes }
}

async function entriesOf(instance: TestInstance, action: string) {
  return (await auditLog(instance)).filter(entry => entry.action === action)
}

describe('a credential', () => {
  test('says from the issue on when its certificate is to be renewed', async t => {
    const instance = await testInstance(t)
    const holder = await fieldDevice(instance)
    const credential = await credentialOf(instance, holder)
    const { record } = holder
    assert.equal(credential.serialNumber, record.serialNumber)
    assert.equal(credential.keyAlgorithm, 'P-256')
    assert.equal(credential.seenAt, null)
    assert.equal(credential.previous, null)
    const life = record.notAfter - record.notBefore
    assert.ok(credential.windowStart >= record.notBefore + life / 4)
    assert.ok(credential.windowEnd <= record.notBefore + life * 0.9)
    await assertInvariants(instance.store)
  })

  test('is not there for a certificate without an end', async t => {
    const instance = await testInstance(t)
    const { device } = await fieldDevice(instance, 'idevid')
    assert.deepEqual(await instance.store.read.credentialsOfDevice(device.id), [])
  })

  test('goes with its certificate when that is revoked, and stays while that is on hold', async t => {
    const instance = await testInstance(t)
    const [a, b] = [await fieldDevice(instance), await fieldDevice(instance)]
    await revokeCertificate(a.record, 'certificateHold', OPERATOR, instance)
    assert.ok(await instance.store.read.credential(a.device.id, 'ldevid'))
    await orderRenewal(b.device.id, 'ldevid', order(instance), OPERATOR, instance)
    await revokeDevice(a.device.id, 'keyCompromise', OPERATOR, instance)
    await revokeCertificate(b.record, 'cessationOfOperation', OPERATOR, instance)
    assert.equal(await instance.store.read.credential(a.device.id, 'ldevid'), undefined)
    assert.equal(await instance.store.read.credential(b.device.id, 'ldevid'), undefined)
    const [ended] = await entriesOf(instance, 'renewal.order_ended')
    assert.equal(ended?.detail?.['outcome'], 'ended_with_certificate')
    await assertInvariants(instance.store)
  })
})

describe('make before break', () => {
  test('the certificate before stays good until its successor is seen in use', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    assert.equal((await goodCertificates(instance, first)).length, 2)
    assert.equal((await credentialOf(instance, first)).previous?.serialNumber, first.record.serialNumber)

    assert.equal(await seenInUse(first.record, instance), false, 'the old one in use says nothing')
    assert.equal(await seenInUse(second.record, instance), true)
    assert.equal(await seenInUse(second.record, instance), false, 'once is enough')
    assert.equal(await statusOf(instance, first), 'revoked: superseded')
    assert.deepEqual(await goodCertificates(instance, first), [second.record.serialNumber])
    const credential = await credentialOf(instance, first)
    assert.deepEqual(
      { seenAt: credential.seenAt, previous: credential.previous, retireAt: credential.retireAt },
      { seenAt: instance.clock.now(), previous: null, retireAt: null },
    )
    const [revoked] = await entriesOf(instance, 'certificate.revoked')
    assert.equal(revoked?.detail?.['successor'], second.record.serialNumber)
    assert.equal((await instance.store.read.key(first.record.keyId))?.state, 'archived')
    assert.equal(await renew(instance, second, { key: first.key }), 'key.archived', 'nobody goes back to an old key')
    await assertInvariants(instance.store)
  })

  test('the key of the certificate before is archived then, unless another certificate is over it', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    await certify(instance, first.device, first.key, 'idevid')
    const second = await renewed(instance, first)
    await seenInUse(second.record, instance)
    assert.equal(await statusOf(instance, first), 'revoked: superseded')
    assert.notEqual((await instance.store.read.key(first.record.keyId))?.state, 'archived')
  })

  test('or until its deadline', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    instance.clock.advance(7 * DAY - 1)
    assert.equal(await retireDue(instance), 0)
    instance.clock.advance(1)
    assert.equal(await retireDue(instance), 1)
    assert.equal(await retireDue(instance), 0)
    assert.deepEqual(await goodCertificates(instance, first), [second.record.serialNumber])
    await assertInvariants(instance.store)
  })

  test('at the deadline the certificate before stays where the successor is on hold', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    await revokeCertificate(second.record, 'certificateHold', OPERATOR, instance)
    instance.clock.advance(7 * DAY)
    await retireDue(instance)
    assert.deepEqual(await goodCertificates(instance, first), [first.record.serialNumber])
    await assertInvariants(instance.store)
  })

  test('and ends after all when the hold is over: a suspension over the deadline leaves no second good certificate', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    await suspendDevice(first.device.id, { actor: OPERATOR }, instance)
    instance.clock.advance(7 * DAY)
    await retireDue(instance)
    assert.equal(await retireDue(instance), 0, 'what waits is not looked at in each round')
    await resumeDevice(first.device.id, { actor: OPERATOR }, instance)
    await seenInUse(second.record, instance)
    assert.deepEqual(await goodCertificates(instance, first), [second.record.serialNumber])
    await assertInvariants(instance.store)
  })

  test('and at the latest a day after the hold is over, where nobody sees the successor', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    await suspendDevice(first.device.id, { actor: OPERATOR }, instance)
    instance.clock.advance(30 * DAY)
    await retireDue(instance)
    await resumeDevice(first.device.id, { actor: OPERATOR }, instance)
    instance.clock.advance(DAY)
    await retireDue(instance)
    assert.deepEqual(await goodCertificates(instance, first), [second.record.serialNumber])
    await assertInvariants(instance.store)
  })

  test('a deadline never lies behind the end of the certificate before', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    instance.clock.advance(88 * DAY)
    await renewed(instance, first)
    assert.equal((await credentialOf(instance, first)).retireAt, first.record.notAfter)
  })

  test('a profile may leave the certificate before to its own end', async t => {
    const instance = await testInstance(t)
    await useProfile(instance, 'ldevid', { renewal: { previous: { retire: 'leave' } } })
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    await seenInUse(second.record, instance)
    instance.clock.advance(8 * DAY)
    await retireDue(instance)
    assert.equal(await statusOf(instance, first), 'good')
    await assertInvariants(instance.store)
  })

  test('a renewal over the new certificate shows that it is in use: no third one stays good', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    const third = await renewed(instance, second)
    assert.deepEqual(
      await goodCertificates(instance, first),
      [third, second].map(({ record }) => record.serialNumber),
    )
    assert.equal(await statusOf(instance, first), 'revoked: superseded')
    await assertInvariants(instance.store)
  })

  test('a device that enrols anew goes on with one certificate, too', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const record = await certify(instance, first.device, await generateKeyPair('P-256'), 'ldevid')
    assert.equal((await credentialOf(instance, first)).previous?.serialNumber, first.record.serialNumber)
    await seenInUse(record, instance)
    assert.deepEqual(await goodCertificates(instance, first), [record.serialNumber])
    await assertInvariants(instance.store)
  })
})

describe('renewals that meet', () => {
  test('leave at most two good certificates, and a plan that is the sum of its rows', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => renew(instance, first)))
    const got = outcomes.filter(outcome => typeof outcome !== 'string')
    assert.ok(got.length >= 1)
    const good = await goodCertificates(instance, first)
    const { serialNumber } = await credentialOf(instance, first)
    assert.deepEqual(good.sort(), [serialNumber, first.record.serialNumber].sort())
    const current = got.find(({ record }) => record.serialNumber === serialNumber)
    await Promise.all([seenInUse(current!.record, instance), seenInUse(current!.record, instance), retireDue(instance)])
    assert.deepEqual(await goodCertificates(instance, first), [serialNumber])
    await assertInvariants(instance.store)
  })

  test('with a revocation leave nothing good that was to end', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    await Promise.all([renew(instance, first), revokeDevice(first.device.id, 'keyCompromise', OPERATOR, instance)])
    assert.deepEqual(await goodCertificates(instance, first), [])
    assert.equal(await instance.store.read.credential(first.device.id, 'ldevid'), undefined)
    await assertInvariants(instance.store)
  })
})

describe('a device that lost the answer', () => {
  test('gets the same certificate for the same request', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const key = await generateKeyPair('P-256')
    const lost = await renewed(instance, first, { key })
    const again = await renewed(instance, first, { key })
    assert.equal(again.record.serialNumber, lost.record.serialNumber)
    assert.equal((await goodCertificates(instance, first)).length, 2)
  })

  test('gets another for another key, and the one that never arrived ends', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const lost = await renewed(instance, first)
    const second = await renewed(instance, first)
    assert.equal(await statusOf(instance, lost), 'revoked: superseded')
    assert.deepEqual(
      await goodCertificates(instance, first),
      [second, first].map(({ record }) => record.serialNumber),
    )
    await assertInvariants(instance.store)
  })

  test('and was away beyond the deadline may ask again over the certificate that was superseded meanwhile, and only for a renewal', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    await renewed(instance, first)
    instance.clock.advance(10 * DAY)
    await retireDue(instance)
    assert.equal(await statusOf(instance, first), 'revoked: superseded')
    const enrolling = await instance.evidence.fromCertificates([first.record.der], instance.clock.now())
    assert.equal(enrolling.kind === 'refused' && enrolling.refusal.code, 'evidence.certificate_revoked')

    const lostAgain = await renewed(instance, first)
    const second = await renewed(instance, first)
    assert.equal(await statusOf(instance, lostAgain), 'revoked: superseded')
    await seenInUse(second.record, instance)
    assert.equal(await renew(instance, first), 'evidence.certificate_revoked', 'the successor was seen')
    assert.deepEqual(await goodCertificates(instance, first), [second.record.serialNumber])
    await assertInvariants(instance.store)
  })
})

describe('a device that repeats its very request', () => {
  test('long after the deadline gets a certificate over the key that it made for it', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const key = await generateKeyPair('P-256')
    const lost = await renewed(instance, first, { key })
    instance.clock.advance(10 * DAY)
    await retireDue(instance)
    const second = await renewed(instance, first, { key })
    assert.notEqual(second.record.serialNumber, lost.record.serialNumber)
    assert.equal(second.record.keyId, lost.record.keyId)
    await seenInUse(second.record, instance)
    assert.deepEqual(await goodCertificates(instance, first), [second.record.serialNumber])
    assert.notEqual((await instance.store.read.key(second.record.keyId))?.state, 'archived')
    await assertInvariants(instance.store)
  })
})

describe('a certificate that an operator revoked as superseded', () => {
  test('is no way back, before the deadline and after it', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    await renewed(instance, first)
    await revokeCertificate(first.record, 'superseded', OPERATOR, instance)
    assert.equal(await renew(instance, first), 'evidence.certificate_revoked')
    instance.clock.advance(10 * DAY)
    await retireDue(instance)
    assert.equal(await renew(instance, first), 'evidence.certificate_revoked')
    await assertInvariants(instance.store)
  })
})

describe('a copy of a device', () => {
  test('that renews over what the device has left behind is refused and written down, once an hour', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    await seenInUse(second.record, instance)
    for (let i = 0; i < 3; i++) {
      assert.equal(await renew(instance, first), 'evidence.certificate_revoked')
      instance.clock.advance(120)
    }
    const suspected = await entriesOf(instance, 'device.clone_suspected')
    assert.equal(suspected.length, 1)
    assert.deepEqual(suspected[0]?.subject, { deviceId: first.device.id })
    assert.equal(suspected[0]?.detail?.['sign'], 'left_behind_certificate')
    assert.equal(suspected[0]?.detail?.['serialNumber'], first.record.serialNumber)
    instance.clock.advance(3600)
    await renew(instance, first)
    assert.equal((await entriesOf(instance, 'device.clone_suspected')).length, 2)
    assert.equal((await instance.store.read.device(first.device.id))?.state, 'active')
    assert.deepEqual(await goodCertificates(instance, first), [second.record.serialNumber])
    await renewed(instance, second)
    await assertInvariants(instance.store)
  })

  test('with a certificate that has long ended stops nobody: it is written down, and no more', async t => {
    const instance = await testInstance(t)
    await useProfile(instance, 'ldevid', { renewal: { clones: 'suspend' } })
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    await seenInUse(second.record, instance)
    instance.clock.advance(91 * DAY)
    assert.equal(await renew(instance, first), 'evidence.certificate_revoked')
    assert.equal((await entriesOf(instance, 'device.clone_suspected')).length, 1)
    assert.equal((await instance.store.read.device(first.device.id))?.state, 'active')
  })

  test('is suspended within the hour, too, where it was written down and the suspension did not come to be', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    await seenInUse(second.record, instance)
    await renew(instance, first)
    await useProfile(instance, 'ldevid', { renewal: { clones: 'suspend' } })
    await renew(instance, first)
    assert.equal((await entriesOf(instance, 'device.clone_suspected')).length, 1)
    assert.equal((await instance.store.read.device(first.device.id))?.state, 'suspended')
  })

  test('fills no log by failing in turns', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    await seenInUse(second.record, instance)
    for (let i = 0; i < 5; i++) {
      await renew(instance, first)
      instance.clock.advance(61)
      await renew(instance, second, { profile: 'gateway-tls-server' })
    }
    assert.equal((await entriesOf(instance, 'device.clone_suspected')).length, 1)
  })

  test('suspends the device where the profile says so', async t => {
    const instance = await testInstance(t)
    await useProfile(instance, 'ldevid', { renewal: { clones: 'suspend' } })
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    await seenInUse(second.record, instance)
    await renew(instance, first)
    assert.equal((await instance.store.read.device(first.device.id))?.state, 'suspended')
    assert.equal(await statusOf(instance, second), 'held')
    assert.equal(typeof (await renew(instance, second)), 'string')
    await assertInvariants(instance.store)
  })

  test('that was faster than the device gives itself away when the device comes', async t => {
    const instance = await testInstance(t)
    const original = await fieldDevice(instance)
    const device = await renewed(instance, original)
    const copy = await renewed(instance, original)
    assert.equal(
      await renew(instance, device),
      'evidence.certificate_revoked',
      'ended when the copy said that it was lost',
    )
    assert.equal((await entriesOf(instance, 'device.clone_suspected')).length, 1)
    assert.equal(await statusOf(instance, copy), 'good')
  })

  test('is told from a device with the same key, which has lost nothing but a file', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first, { key: first.key })
    await seenInUse(second.record, instance)
    assert.equal(await renew(instance, first), 'evidence.certificate_revoked')
    assert.equal((await entriesOf(instance, 'device.clone_suspected')).length, 0)
  })

  test('is found also where certificates are left to their own end', async t => {
    const instance = await testInstance(t)
    await useProfile(instance, 'ldevid', { renewal: { previous: { retire: 'leave' } } })
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    await seenInUse(second.record, instance)
    assert.equal(await renew(instance, first), 'renewal.left_behind')
    assert.equal((await entriesOf(instance, 'device.clone_suspected')).length, 1)
  })
})

describe('an order', () => {
  test('opens the window at once, says why, and ends with the renewal', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const before = await credentialOf(instance, first)
    await orderRenewal(first.device.id, 'ldevid', order(instance, { newKey: true }), OPERATOR, instance)
    const now = instance.clock.now()
    const info = renewalInfo(await credentialOf(instance, first), DEFAULT_RENEWAL_POLICY, now)
    assert.deepEqual(info.suggestedWindow, { start: now, end: now + 7 * DAY })
    assert.equal(info.reason, 'operator')
    assert.deepEqual(info.order, { newKey: true, keyAlgorithm: null, profile: null, until: now + 7 * DAY })

    assert.equal(await renew(instance, first, { key: first.key }), 'renewal.new_key_ordered')
    const { failures, lastFailure } = await credentialOf(instance, first)
    assert.deepEqual(
      { failures, lastFailure },
      { failures: 1, lastFailure: { code: 'renewal.new_key_ordered', at: now } },
    )
    await renewed(instance, first)
    const after = await credentialOf(instance, first)
    assert.equal(after.order, null)
    assert.equal(after.failures, 0)
    assert.ok(after.windowStart >= before.windowStart - DAY)
    const [ordered] = await entriesOf(instance, 'renewal.ordered')
    assert.equal(ordered?.detail?.['newKey'], true)
    const [ended] = await entriesOf(instance, 'renewal.order_ended')
    assert.equal(ended?.detail?.['outcome'], 'fulfilled')
    await assertInvariants(instance.store)
  })

  test('that is withdrawn gives the window back', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const { windowStart, windowEnd } = await credentialOf(instance, first)
    await orderRenewal(first.device.id, 'ldevid', order(instance), OPERATOR, instance)
    await orderRenewal(first.device.id, 'ldevid', order(instance, { newKey: true }), OPERATOR, instance)
    const back = await withdrawOrder(first.device.id, 'ldevid', OPERATOR, instance)
    assert.deepEqual([back.windowStart, back.windowEnd, back.order], [windowStart, windowEnd, null])
    await assert.rejects(withdrawOrder(first.device.id, 'ldevid', OPERATOR, instance), { code: 'renewal.no_order' })
    await assertInvariants(instance.store)
  })

  test('adds to the one that stands, and does not contradict it', async t => {
    const instance = await testInstance(t)
    const { device } = await fieldDevice(instance)
    const give = (wishes: Partial<RenewalOrder>) =>
      orderRenewal(device.id, 'ldevid', order(instance, wishes), OPERATOR, instance)
    await give({ keyAlgorithm: 'P-384', reason: 'operator' })
    const both = await give({ newKey: true, reason: 'ownership_transferred' })
    assert.deepEqual([both.order?.keyAlgorithm, both.order?.newKey], ['P-384', true])
    await assert.rejects(give({ keyAlgorithm: 'P-521' }), { code: 'renewal.order_contradicts' })
    await assert.rejects(give({ until: instance.clock.now() }), { code: 'renewal.order_too_late' })
    await assert.rejects(orderRenewal(device.id, 'idevid', order(instance), OPERATOR, instance), {
      code: 'credential.not_found',
    })
  })

  test('for a new key wants one that nobody saw before, and stands until it comes', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    const second = await renewed(instance, first)
    // Beyond the day for which the same request gets the same answer.
    instance.clock.advance(2 * DAY)
    await orderRenewal(first.device.id, 'ldevid', order(instance, { newKey: true }), OPERATOR, instance)
    assert.equal(
      await renew(instance, first, { key: second.key }),
      'renewal.new_key_ordered',
      'the key of the other one',
    )
    const other = await generateKeyPair('P-256')
    await certify(instance, first.device, other, 'idevid')
    assert.equal(await renew(instance, second, { key: other }), 'renewal.new_key_ordered', 'the key of another slot')
    assert.notEqual((await credentialOf(instance, first)).order, null)
    const third = await renewed(instance, second)
    assert.equal((await credentialOf(instance, first)).order, null)
    assert.notEqual(third.record.keyId, second.record.keyId)
    await assertInvariants(instance.store)
  })

  test('for another algorithm is refused with the old one', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    await orderRenewal(first.device.id, 'ldevid', order(instance, { keyAlgorithm: 'P-384' }), OPERATOR, instance)
    assert.equal(await renew(instance, first), 'renewal.algorithm_ordered')
    await renewed(instance, first, { algorithm: 'P-384' })
    assert.equal((await credentialOf(instance, first)).keyAlgorithm, 'P-384')
  })

  test('does not move a device to a profile under which it holds something: that would end before its successor was seen', async t => {
    const instance = await testInstance(t)
    await useProfile(instance, 'ldevid', { name: 'ldevid-2' })
    const first = await fieldDevice(instance)
    const other = await certify(instance, first.device, await generateKeyPair('P-256'), 'ldevid-2')
    const wish = order(instance, { profile: 'ldevid-2' })
    await assert.rejects(orderRenewal(first.device.id, 'ldevid', wish, OPERATOR, instance), {
      code: 'renewal.profile_held',
    })
    assert.deepEqual(await goodCertificates(instance, first, 'ldevid-2'), [other.serialNumber])
  })

  test('moves the device to another profile, and nothing else does', async t => {
    const instance = await testInstance(t)
    await useProfile(instance, 'ldevid', { name: 'ldevid-2' })
    await useRules(instance, [
      { name: 'renew', outcome: 'grant', when: { operation: ['renew'] } },
      { name: 'operator', outcome: 'grant', when: { evidence: ['operator'] } },
    ])
    const first = await fieldDevice(instance)
    assert.equal(await renew(instance, first, { profile: 'ldevid-2' }), 'renewal.profile_changed')
    await orderRenewal(first.device.id, 'ldevid', order(instance, { profile: 'ldevid-2' }), OPERATOR, instance)
    assert.equal(await renew(instance, first), 'renewal.profile_ordered')
    const lost = await renewed(instance, first, { profile: 'ldevid-2' })
    assert.equal(await instance.store.read.credential(first.device.id, 'ldevid'), undefined)
    assert.equal(await renew(instance, first), 'renewal.profile_ordered', 'it has moved')
    const second = await renewed(instance, first, { profile: 'ldevid-2' })
    assert.equal(await statusOf(instance, lost), 'revoked: superseded')
    assert.equal(await statusOf(instance, first), 'good')
    await seenInUse(second.record, instance)
    assert.equal(await statusOf(instance, first), 'revoked: superseded')
    await assertInvariants(instance.store)
  })
})

describe('a refused renewal', () => {
  test('is counted on the credential, once a minute, and makes no entry beside the refusal', async t => {
    const instance = await testInstance(t)
    const first = await fieldDevice(instance)
    await orderRenewal(first.device.id, 'ldevid', order(instance, { newKey: true }), OPERATOR, instance)
    const entries = (await auditLog(instance)).length
    for (let i = 0; i < 5; i++) await renew(instance, first, { key: first.key })
    assert.equal((await credentialOf(instance, first)).failures, 1)
    instance.clock.advance(60)
    await renew(instance, first, { key: first.key })
    assert.equal((await credentialOf(instance, first)).failures, 2)
    const more = (await auditLog(instance)).slice(entries)
    assert.ok(more.every(({ action }) => action === 'enrolment.refused'))
    await assertInvariants(instance.store)
  })
})

describe('the policy', () => {
  test('lets an expired certificate be renewed for the grace time of its profile, and no longer', async t => {
    const instance = await testInstance(t)
    const [first, late] = [await fieldDevice(instance), await fieldDevice(instance)]
    instance.clock.advance(90 * DAY + 30 * DAY - 1)
    const back = await renewed(instance, first)
    assert.deepEqual(await goodCertificates(instance, back), [back.record.serialNumber])
    instance.clock.advance(1)
    assert.equal(await renew(instance, late), 'evidence.certificate_expired')
    await assertInvariants(instance.store)
  })

  test('gives way to the grace time of the rule', async t => {
    const instance = await testInstance(t)
    await useRules(instance, [
      { name: 'renew', outcome: 'grant', when: { operation: ['renew'] }, graceAfterExpirySeconds: DAY },
      { name: 'operator', outcome: 'grant', when: { evidence: ['operator'] } },
    ])
    const first = await fieldDevice(instance)
    instance.clock.advance(92 * DAY)
    assert.equal(await renew(instance, first), 'evidence.certificate_expired')
  })

  test('lets one key be certified again for so long', async t => {
    const instance = await testInstance(t)
    await useProfile(instance, 'ldevid', { renewal: { sameKeyForSeconds: 100 * DAY } })
    const first = await fieldDevice(instance)
    instance.clock.advance(60 * DAY)
    const second = await renewed(instance, first, { key: first.key })
    instance.clock.advance(60 * DAY)
    assert.equal(await renew(instance, second, { key: first.key }), 'key.too_old')
    await renewed(instance, second)
  })

  test('ends an algorithm at its date: who has one is told to renew with another', async t => {
    const instance = await testInstance(t)
    const at = instance.clock.now() + 10 * DAY
    const ends = [{ algorithm: 'P-256', at: new Date(at * 1000).toISOString() }] as const
    await useProfile(instance, 'ldevid', { renewal: { triggers: { algorithmEnds: [...ends] } } })
    const first = await fieldDevice(instance)
    const { renewal } = await instance.authorities.profile('ldevid')
    const credential = await credentialOf(instance, first)
    assert.equal(renewalInfo(credential, renewal, at - 1).reason, 'scheduled')
    const info = renewalInfo(credential, renewal, at)
    assert.equal(info.reason, 'algorithm_ended')
    assert.equal(info.suggestedWindow.start, at)
    assert.equal(info.order?.newKey, true)
    instance.clock.advance(10 * DAY)
    assert.equal(await renew(instance, first), 'key.algorithm_ended')
    const second = await renewed(instance, first, { algorithm: 'P-384' })
    assert.equal(renewalInfo(await credentialOf(instance, second), renewal, at).reason, 'scheduled')
  })
})
