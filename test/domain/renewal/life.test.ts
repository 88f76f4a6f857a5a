// Lives of devices as fast-check draws them: renewals with and without the answer, orders, use, refusals, months that pass, on both stores.
// After every step the plan is the sum of the credentials, nobody has more than two good certificates, and nobody lost the last one to us.
import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { generateKeyPair } from '../../../src/crypto/keys.ts'
import { orderRenewal, withdrawOrder } from '../../../src/domain/renewal/order-renewal.ts'
import { retireDue, seenInUse } from '../../../src/domain/renewal/seen-in-use.ts'
import { revokeDevice } from '../../../src/domain/revocation/revoke.ts'
import { auditLog, certify, OPERATOR, type TestInstance, testInstance } from '../../support/instance.ts'
import { assertInvariants, assertRenewals } from '../../support/invariants.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { DAY, fieldDevice, goodCertificates, type Holder, renew } from './fixture.ts'

type Step =
  | { readonly kind: 'renew'; readonly answer: 'arrives' | 'is lost' }
  | { readonly kind: 'use' }
  | { readonly kind: 'order'; readonly newKey: boolean }
  | { readonly kind: 'withdraw' }
  | { readonly kind: 'same key' }
  | { readonly kind: 'enrol anew' }
  | { readonly kind: 'revoke' }
  | { readonly kind: 'wait'; readonly days: number }

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom<Step>({ kind: 'renew', answer: 'arrives' }, { kind: 'renew', answer: 'is lost' }),
  },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'use' }) },
  { weight: 3, arbitrary: fc.boolean().map((newKey): Step => ({ kind: 'order', newKey })) },
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 40 }).map((days): Step => ({ kind: 'wait', days })) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Step>(
      { kind: 'withdraw' },
      { kind: 'same key' },
      { kind: 'enrol anew' },
      { kind: 'revoke' },
    ),
  },
)

const GRACE = 30 * DAY

/** What the device itself knows and has. */
interface Life {
  holder: Holder
  /** An operator ended what it had: then it has nothing, until it enrols anew. */
  revoked: boolean
}

async function take(instance: TestInstance, life: Life, { kind, ...step }: Step): Promise<void> {
  const { holder } = life
  const { device, record } = holder
  const credential = await instance.store.read.credential(device.id, 'ldevid')
  const now = instance.clock.now()
  switch (kind) {
    case 'renew': {
      const outcome = await renew(instance, holder)
      if (typeof outcome !== 'string') {
        assert.equal(life.revoked, false, 'nothing comes of a certificate that an operator revoked')
        if ((step as { answer: string }).answer === 'arrives') life.holder = outcome
      } else assert.ok(life.revoked || now > record.notAfter + GRACE, `renews whoever can reach us in time: ${outcome}`)
      return
    }
    case 'use':
      await seenInUse((await instance.store.read.certificate(record.authorityId, record.serialNumber))!, instance)
      return
    case 'order': {
      if (credential === undefined) return
      const { newKey } = step as { newKey: boolean }
      const wishes = { newKey, keyAlgorithm: null, profile: null, authorityId: null, campaignId: null }
      const until = now + 5 * DAY
      await orderRenewal(device.id, 'ldevid', { reason: 'operator', until, ...wishes }, OPERATOR, instance)
      return
    }
    case 'withdraw':
      if (credential?.order) await withdrawOrder(device.id, 'ldevid', OPERATOR, instance)
      return
    case 'same key': {
      const outcome = await renew(instance, holder, { key: holder.key })
      if (typeof outcome !== 'string') life.holder = outcome
      else if (!life.revoked && now <= record.notAfter + GRACE) assert.equal(outcome, 'renewal.new_key_ordered')
      return
    }
    case 'enrol anew': {
      const key = await generateKeyPair('P-256')
      life.holder = { device, key, record: await certify(instance, device, key, 'ldevid') }
      life.revoked = false
      return
    }
    case 'revoke': {
      if (credential === undefined || now > credential.notAfter) return
      await revokeDevice(device.id, 'cessationOfOperation', OPERATOR, instance)
      life.revoked = true
      return
    }
    case 'wait':
      instance.clock.advance((step as { days: number }).days * DAY)
      await retireDue(instance)
      return
    default:
      kind satisfies never
  }
}

async function judge(instance: TestInstance, { holder, revoked }: Life): Promise<void> {
  const credentials = await assertRenewals(instance.store.read)
  const good = await goodCertificates(instance, holder)
  assert.ok(good.length <= 2, 'at most two good certificates')
  const credential = credentials.find(({ deviceId }) => deviceId === holder.device.id)
  if (revoked) {
    assert.deepEqual(good, [])
    assert.equal(credential, undefined)
    return
  }
  const now = instance.clock.now()
  assert.ok(credential, 'who has a certificate has a credential')
  if (now <= credential.notAfter)
    assert.ok(good.includes(credential.serialNumber), 'the current one is good to its end')
  if (credential.seenAt !== null) assert.ok(good.length <= 1, 'one, once it was seen')
}

async function liveSomeLives(instance: TestInstance, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async steps => {
      const life: Life = { holder: await fieldDevice(instance), revoked: false }
      for (const each of steps) {
        await take(instance, life, each)
        await judge(instance, life)
      }
      // So that the next life is judged by itself.
      await take(instance, life, { kind: 'revoke' })
    }),
    { numRuns },
  )
  await assertInvariants(instance.store)
  const suspected = (await auditLog(instance)).filter(({ action }) => action === 'device.clone_suspected')
  assert.deepEqual(suspected, [], 'an honest device is never taken for two')
}

describe('a life of renewals', () => {
  let postgres: Promise<TestPostgres> | undefined
  after(async () => (await postgres)?.stop())

  test('on SQLite', async (t: TestContext) => {
    await liveSomeLives(await testInstance(t), 25)
  })

  test('on PostgreSQL', async (t: TestContext) => {
    postgres = startPostgres()
    await liveSomeLives(await testInstance(t, await postgres), 8)
  })
})
