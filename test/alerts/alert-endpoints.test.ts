// The alerts of the REST API: what the command line does, over HTTP, by the same recipes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defaultAlertRules } from '../../src/domain/alerts/alert-rules.ts'
import type { Notice } from '../../src/domain/alerts/notice.ts'
import { aDelivery, anAlert } from '../adapters/store/alert-contract.ts'
import { apiDoor, somebody } from '../support/api-door.ts'
import { auditLog, testInstance } from '../support/instance.ts'

describe('alerts over HTTP', () => {
  it('are listed, shown, acknowledged and silenced, by whoever may', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const alerts = [anAlert(), anAlert({ state: 'resolved' }), anAlert({ severity: 'critical' })]
    await instance.store.commit({ writes: alerts.map(alert => ({ kind: 'alert.put', alert, from: null })), audit: [] })
    const { json } = await door('/alerts?state=firing&limit=1')
    assert.deepEqual([json.items[0].id, json.items[0].runbook], [alerts[2]!.id, 'docs/operate/disk-low.md'])
    assert.equal((await door(`/alerts?state=firing&limit=1&after=${json.next}`)).json.items[0].id, alerts[0]!.id)
    const path = `/alerts/${alerts[0]!.id}`
    const reader = somebody(['alert.read'])
    assert.equal(
      (await door(`${path}/acknowledge`, { method: 'POST', body: {}, as: reader })).json.code,
      'access.forbidden',
    )
    const taken = await door(`${path}/acknowledge`, { method: 'POST', body: { note: 'disk ordered' } })
    assert.deepEqual([taken.json.state, taken.json.acknowledgement.note], ['acknowledged', 'disk ordered'])
    const silent = await door(`${path}/silence`, { method: 'POST', body: { seconds: 3600 } })
    assert.ok(silent.json.silencedUntil)
    assert.equal((await door(`${path}/silence`, { method: 'POST', body: { seconds: null } })).json.silencedUntil, null)
    assert.equal((await door(path, { as: reader })).json.state, 'acknowledged')
    assert.equal((await door(`/alerts/${'0'.repeat(32)}`)).json.code, 'alert.not_found')
    const acts = (await auditLog(instance)).filter(({ action }) => action.startsWith('alert.'))
    assert.deepEqual(
      acts.map(({ action, actor }) => [action, actor.id]),
      ['alert.acknowledged', 'alert.silenced', 'alert.silenced'].map(action => [action, 'op-tester']),
    )
  })

  it('have rules that are edited by version, and channels that are tried', async t => {
    const instance = await testInstance(t)
    const sent: Notice[] = []
    const notifier = { send: async (_: unknown, notice: Notice) => void sent.push(notice) }
    const door = apiDoor(instance, { notifier })
    const shown = await door('/alert-rules')
    assert.equal(shown.json.version, 0)
    const channel = { kind: 'webhook', name: 'ops', url: 'https://ops.example/', secret: 'key' }
    const body = { ...defaultAlertRules, channels: [channel] }
    const put = (version: string, document: unknown) =>
      door('/alert-rules', { method: 'PUT', body: document, headers: { 'if-match': version } })
    const bad = await put('"0"', { ...body, channels: [{ ...channel, secret: '../x' }] })
    assert.equal(bad.json.code, 'alert_rules.invalid')
    assert.equal((await put('"7"', body)).json.code, 'api.precondition_failed')
    assert.equal((await put('"0"', body)).json.version, 1)
    assert.deepEqual((await door('/alert-channels/ops/test', { method: 'POST' })).json, {
      taken: true,
      code: null,
      message: null,
    })
    assert.equal(sent[0]?.items[0]?.why, 'test')
    assert.equal((await door('/alert-channels/none/test', { method: 'POST' })).json.code, 'alert.channel_not_found')
    const silent = apiDoor(instance)
    assert.equal((await silent('/alert-channels/ops/test', { method: 'POST' })).json.code, 'notify.failed')
  })

  it('have notices that no channel took', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const dead = [aDelivery({ state: 'dead', lastError: 'notify.refused' }), aDelivery({ state: 'dead' })]
    await instance.store.commit({
      writes: dead.map(delivery => ({ kind: 'delivery.put', delivery, from: null })),
      audit: [],
    })
    assert.equal((await door('/undelivered-notices')).json.items.length, 2)
    await door(`/undelivered-notices/${dead[0]!.id}/redeliver`, { method: 'POST' })
    assert.equal((await door(`/undelivered-notices/${dead[1]!.id}`, { method: 'DELETE' })).status, 204)
    assert.deepEqual((await door('/undelivered-notices')).json.items, [])
    const due = await instance.store.read.deliveriesDue(instance.clock.now(), 10)
    assert.deepEqual(
      due.map(({ id, attempts }) => [id, attempts]),
      [[dead[0]!.id, 0]],
    )
  })
})
