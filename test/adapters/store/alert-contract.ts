// What `Store` of domain/ports.ts promises about alerts and their notices, as tests that run for every engine.
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { openStore } from '../../../src/adapters/store/open-store.ts'
import { systemRandom } from '../../../src/crypto/random.ts'
import type { Alert } from '../../../src/domain/alerts/alert.ts'
import type { Delivery } from '../../../src/domain/alerts/notice.ts'
import { newAlertId, newDeliveryId } from '../../../src/domain/ids.ts'
import type { Store, Write } from '../../../src/domain/ports.ts'
import type { StoreEngine } from '../../support/store-engines.ts'
import { NOW } from '../../support/store-fixtures.ts'
import { allOf } from './field-contract.ts'

let made = 0

export function anAlert(fields: Partial<Alert> = {}): Alert {
  made++
  return {
    id: newAlertId(NOW + made, systemRandom),
    key: `disk-low/${made}`,
    rule: 'disk-low',
    kind: 'disk_low',
    subject: String(made),
    severity: 'warning',
    summary: 'Little is left: 3 % — “ä”',
    value: 3,
    state: 'firing',
    startedAt: NOW,
    changedAt: NOW,
    acknowledgement: null,
    silencedUntil: null,
    notifiedAt: null,
    occurrences: 1,
    revision: 1,
    ...fields,
  }
}

export function aDelivery(fields: Partial<Delivery> = {}): Delivery {
  made++
  return {
    id: newDeliveryId(NOW + made, systemRandom),
    channel: 'ops-mail',
    notice: { version: 1, instance: 'acme/log', at: NOW, items: [], more: 0 },
    state: 'waiting',
    attempts: 0,
    dueAt: NOW,
    lastError: null,
    createdAt: NOW,
    revision: 1,
    ...fields,
  }
}

export function alertContract(name: string, engine: StoreEngine): void {
  describe(`Alerts on ${name}`, () => {
    const opened: Store[] = []
    afterEach(async () => {
      for (const store of opened.splice(0)) await store[Symbol.asyncDispose]()
    })

    async function newStores(count: number): Promise<Store[]> {
      const location = await engine.emptyStore()
      const stores: Store[] = []
      while (stores.length < count) stores.push(await openStore(location))
      opened.push(...stores)
      return stores
    }
    const newStore = async () => (await newStores(1))[0]!
    const put = (alert: Alert, from: number | null): Write => ({ kind: 'alert.put', alert, from })
    const commit = (store: Store, ...writes: Write[]) => store.commit({ writes, audit: [] })
    const refuses = (store: Store, write: Write, code: string) => assert.rejects(commit(store, write), { code })

    it('alert.put: inserts, replaces, and fails with alert.changed where the revision is another', async () => {
      const store = await newStore()
      const first = anAlert({ value: null })
      await refuses(store, put(first, 1), 'alert.changed')
      await commit(store, put(first, null))
      assert.deepEqual(await store.read.alert(first.id), first)
      await refuses(store, put(first, null), 'alert.changed')
      const second: Alert = {
        ...first,
        severity: 'critical',
        summary: 'Worse',
        value: -4,
        state: 'acknowledged',
        changedAt: NOW + 1,
        acknowledgement: { by: 'op-1', at: NOW + 1, note: 'a\nnote' },
        silencedUntil: NOW + 9,
        notifiedAt: NOW,
        occurrences: 2,
        revision: 2,
      }
      await commit(store, put(second, 1))
      assert.deepEqual(await store.read.alert(first.id), second)
      await refuses(store, put({ ...second, revision: 3 }, 1), 'alert.changed')
    })

    it('alert.put: of one key there is one open alert, whichever process found it', async () => {
      const [one, other] = await newStores(2)
      const key = 'signer-lost/ldevid-1'
      const outcomes = await Promise.allSettled(
        [one!, other!].flatMap(store => Array.from({ length: 5 }, () => commit(store, put(anAlert({ key }), null)))),
      )
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
      const [open] = await one!.read.openAlerts(10)
      await commit(one!, put({ ...open!, state: 'resolved', revision: 2 }, 1))
      await commit(other!, put(anAlert({ key }), null))
      assert.equal((await other!.read.openAlerts(10)).length, 1)
    })

    it('lists the open ones by key, those resolved lately, and all from the newest on', async () => {
      const store = await newStore()
      const alerts = Array.from({ length: 23 }, (_, i) =>
        anAlert({ state: (['firing', 'acknowledged', 'resolved'] as const)[i % 3]!, changedAt: NOW + i }),
      )
      await commit(store, ...alerts.map(alert => put(alert, null)))
      const newest = alerts.toReversed()
      assert.deepEqual(await allOf(5, page => store.read.alerts(page)), newest)
      const firing = newest.filter(({ state }) => state === 'firing')
      assert.deepEqual(await allOf(3, page => store.read.alerts({ ...page, state: 'firing' })), firing)
      const open = alerts.filter(({ state }) => state !== 'resolved')
      assert.deepEqual(
        await store.read.openAlerts(100),
        open.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
      )
      assert.equal((await store.read.openAlerts(4)).length, 4)
      const lately = alerts.filter(({ state, changedAt }) => state === 'resolved' && changedAt >= NOW + 10)
      assert.deepEqual(await store.read.alertsResolvedSince(NOW + 10, 100), lately)
    })

    it('delivery.put and delivery.remove: fail with delivery.changed where the revision is another', async () => {
      const store = await newStore()
      const first = aDelivery()
      const putting = (delivery: Delivery, from: number | null): Write => ({ kind: 'delivery.put', delivery, from })
      await commit(store, putting(first, null))
      await refuses(store, putting(first, null), 'delivery.changed')
      const dead: Delivery = { ...first, state: 'dead', attempts: 3, lastError: 'notify.refused', revision: 2 }
      await refuses(store, putting(dead, 7), 'delivery.changed')
      await commit(store, putting(dead, 1))
      assert.deepEqual(await store.read.delivery(first.id), dead)
      await refuses(store, { kind: 'delivery.remove', id: first.id, from: 1 }, 'delivery.changed')
      await commit(store, { kind: 'delivery.remove', id: first.id, from: 2 })
      assert.equal(await store.read.delivery(first.id), undefined)
    })

    it('lists what is due, the longest due first, and dead letters from the oldest on', async () => {
      const store = await newStore()
      const due = [30, 10, 20, 40].map(after => aDelivery({ dueAt: NOW + after }))
      const dead = Array.from({ length: 7 }, () => aDelivery({ state: 'dead' }))
      await commit(
        store,
        ...[...due, ...dead].map((delivery): Write => ({ kind: 'delivery.put', delivery, from: null })),
      )
      const listed = (await store.read.deliveriesDue(NOW + 30, 10)).map(({ dueAt }) => dueAt - NOW)
      assert.deepEqual(listed, [10, 20, 30])
      assert.equal((await store.read.deliveriesDue(NOW + 99, 2)).length, 2)
      assert.deepEqual(await allOf(3, page => store.read.deadDeliveries(page)), dead)
    })

    it('counts the work that waits, by topic', async () => {
      const store = await newStore()
      assert.deepEqual(await store.read.workWaiting(), [])
      await commit(
        store,
        { kind: 'work.request', topic: 'crl', key: 'a/0', dueAt: NOW + 5 },
        { kind: 'work.request', topic: 'crl', key: 'a/1', dueAt: NOW + 2 },
        { kind: 'work.request', topic: 'crl', key: 'a/1', dueAt: NOW + 9 },
      )
      assert.deepEqual(await store.read.workWaiting(), [{ topic: 'crl', count: 2, dueSince: NOW + 2 }])
      const [work] = await store.lease('crl', NOW + 2, 60, 1)
      await commit(store, { kind: 'work.done', work: work! })
      assert.deepEqual(await store.read.workWaiting(), [{ topic: 'crl', count: 1, dueSince: NOW + 5 }])
    })
  })
}
