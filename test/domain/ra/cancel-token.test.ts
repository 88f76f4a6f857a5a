// A token that is withdrawn opens nothing; one that was used cannot be withdrawn; whoever comes first wins.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '../../../src/crypto/keys.ts'
import { newTokenId } from '../../../src/domain/ids.ts'
import { cancelToken } from '../../../src/domain/ra/cancel-token.ts'
import { createToken } from '../../../src/domain/ra/create-token.ts'
import { estDoor } from '../../support/est-door.ts'
import { auditLog, OPERATOR, type TestInstance, testCsrDer, testInstance } from '../../support/instance.ts'
import { assertInvariants } from '../../support/invariants.ts'

const PATH = '/.well-known/est/simpleenroll'

const made = (instance: TestInstance) =>
  createToken({ model: 'm', serialNumber: 'SN-1', profile: 'ldevid', actor: OPERATOR }, instance)

async function redeem(instance: TestInstance, secret: string): Promise<number> {
  const body = testCsrDer(await generateKeyPair('P-256'))
  return (await estDoor(instance)(PATH, { basic: `SN-1:${secret}`, body })).status
}

test('it opens nothing; the others of the device do; twice is once', async t => {
  const instance = await testInstance(t)
  const [first, second] = [await made(instance), await made(instance)]
  const cancelled = await cancelToken(first.token.id, OPERATOR, instance)
  assert.equal(cancelled.cancelledAt, instance.clock.now())
  instance.clock.advance(5)
  assert.deepEqual(await cancelToken(first.token.id, OPERATOR, instance), cancelled)
  assert.deepEqual(await instance.store.read.openTokensOfDevice(first.device.id), [second.token])
  assert.equal(await redeem(instance, first.secret), 401)
  assert.equal(await redeem(instance, second.secret), 200)
  const entries = (await auditLog(instance)).filter(({ action }) => action === 'token.cancelled')
  assert.deepEqual(
    entries.map(({ subject }) => subject),
    [{ tokenId: first.token.id, deviceId: first.device.id }],
  )
  await assertInvariants(instance.store)
})

test('one that was used, and one that there is not', async t => {
  const instance = await testInstance(t)
  const { token, secret } = await made(instance)
  assert.equal(await redeem(instance, secret), 200)
  await assert.rejects(cancelToken(token.id, OPERATOR, instance), { code: 'token.used', kind: 'conflict' })
  const nobody = newTokenId(instance.clock.now(), instance.random)
  await assert.rejects(cancelToken(nobody, OPERATOR, instance), { code: 'token.not_found' })
})

test('withdrawn and used at once: one of the two', async t => {
  const instance = await testInstance(t)
  for (let round = 0; round < 5; round++) {
    const { token, secret } = await made(instance)
    const [cancelled, status] = await Promise.all([
      cancelToken(token.id, OPERATOR, instance).then(
        () => true,
        () => false,
      ),
      redeem(instance, secret),
    ])
    assert.equal(status, cancelled ? 401 : 200)
    const after = (await instance.store.read.token(token.id))!
    assert.deepEqual([after.cancelledAt !== null, after.usedAt !== null], [cancelled, !cancelled])
  }
  await assertInvariants(instance.store)
})
