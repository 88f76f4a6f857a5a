// The horizon and who hangs, over a real store whose clock the test moves.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { suspendDevice } from '../../../src/domain/device/suspend-device.ts'
import { expiryHorizon } from '../../../src/domain/renewal/expiry-horizon.ts'
import { orderRenewal } from '../../../src/domain/renewal/order-renewal.ts'
import { seenInUse } from '../../../src/domain/renewal/seen-in-use.ts'
import { stuckDevices } from '../../../src/domain/renewal/stuck-devices.ts'
import { OPERATOR, testInstance, useRules } from '../../support/instance.ts'
import { DAY, fieldDevice, renew, renewed } from './fixture.ts'

test('the horizon counts each certificate on the day of its end and of its window, and forgets it when it is renewed', async t => {
  const instance = await testInstance(t)
  const { read } = instance.store
  const holders = [await fieldDevice(instance), await fieldDevice(instance), await fieldDevice(instance)]
  const look = async (by: 'day' | 'week') =>
    (await expiryHorizon({ profiles: ['ldevid'], now: instance.clock.now(), seconds: 100 * DAY, by }, read))[0]!
  const first = await look('day')
  assert.deepEqual([first.live, first.expired, first.begun], [3, 0, 0])
  const ends = first.rows.filter(({ expiring }) => expiring > 0)
  assert.deepEqual(
    ends.map(({ start, expiring }) => [start, expiring]),
    [[Math.floor(holders[0]!.record.notAfter / DAY) * DAY, 3]],
  )
  assert.equal(
    (await look('week')).rows.reduce((sum, { renewing }) => sum + renewing, 0),
    3,
  )

  instance.clock.advance(85 * DAY)
  await renewed(instance, holders[0]!)
  instance.clock.advance(6 * DAY)
  const later = await look('day')
  assert.deepEqual([later.live, later.expired, later.begun], [1, 2, 2])
})

test('who hangs is listed in the order in which the windows closed, each with what is known of why', async t => {
  const instance = await testInstance(t)
  const { read } = instance.store
  const [silent, lost, refused, suspended, ordered, busy] = [
    await fieldDevice(instance),
    await fieldDevice(instance),
    await fieldDevice(instance),
    await fieldDevice(instance),
    await fieldDevice(instance),
    await fieldDevice(instance),
  ]
  assert.deepEqual((await stuckDevices(instance.clock.now(), { limit: 10 }, read)).items, [])
  await seenInUse(silent.record, instance)
  await seenInUse(ordered.record, instance)
  const wishes = { newKey: true, keyAlgorithm: null, profile: null, authorityId: null, campaignId: null }
  const until = instance.clock.now() + DAY
  await orderRenewal(ordered.device.id, 'ldevid', { reason: 'operator', until, ...wishes }, OPERATOR, instance)
  instance.clock.advance(85 * DAY)
  await renewed(instance, busy)
  await suspendDevice(suspended.device.id, { actor: OPERATOR }, instance)
  await useRules(instance, [])
  assert.equal(await renew(instance, refused), 'rule.none_matches')

  const now = instance.clock.now()
  const { items, next } = await stuckDevices(now, { limit: 10 }, read)
  assert.equal(next, null)
  assert.equal(items[0]?.device.id, ordered.device.id, 'its window closed first')
  const reasons = new Map(items.map(({ device, reason }) => [device.serialNumber, reason]))
  assert.equal(items.length, 5)
  assert.equal(reasons.get(ordered.device.serialNumber), 'order_not_followed')
  assert.equal(reasons.get(silent.device.serialNumber), 'silent')
  assert.equal(reasons.get(lost.device.serialNumber), 'never_seen')
  assert.equal(reasons.get(refused.device.serialNumber), 'refused')
  assert.equal(reasons.get(suspended.device.serialNumber), 'device_not_active')
  assert.equal(reasons.has(busy.device.serialNumber), false)
  const failure = items.find(({ device }) => device.id === refused.device.id)?.credential.lastFailure
  assert.deepEqual(failure, { code: 'rule.none_matches', at: now })

  const pages: string[] = []
  for (let after: string | undefined; ; ) {
    const page = await stuckDevices(now, { limit: 2, ...(after === undefined ? {} : { after }) }, read)
    pages.push(...page.items.map(({ device }) => device.id))
    if (page.next === null) break
    after = page.next
  }
  assert.deepEqual(
    pages,
    items.map(({ device }) => device.id),
  )
})
