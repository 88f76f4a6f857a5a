// What `Store` promises to the REST API, on both engines: counts that follow the changes, the timeline of a device, lists in either direction,
// answers that are kept, jobs.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createStore, type StoreLocation } from '../../../src/adapters/store/open-store.ts'
import type { StoredJob } from '../../../src/domain/jobs/job.ts'
import { movedJob } from '../../../src/domain/jobs/job.ts'
import type { ChangeSet } from '../../../src/domain/ports.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { aDevice, anEntry, aToken, NOW, only } from '../../support/store-fixtures.ts'

const folders: string[] = []
let server: TestPostgres
before(async () => {
  server = await startPostgres()
})
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true })
  await server.stop()
})

async function folder(): Promise<StoreLocation> {
  const path = await mkdtemp(join(tmpdir(), 'touchmark-store-'))
  folders.push(path)
  return { folder: path }
}

const ENGINES: readonly (readonly [string, () => Promise<StoreLocation>])[] = [
  ['SQLite', folder],
  ['PostgreSQL', async () => ({ url: await server.createDatabase() })],
]

const refused = (code: string) => ({ code })
const HOUR = NOW - (NOW % 3600)

for (const [name, location] of ENGINES) {
  describe(`What the REST API asks of the store, on ${name}`, () => {
    it('counts devices by state and acts by the hour, and nothing of a change set that failed', async () => {
      await using store = await createStore(await location())
      const [first, second] = [aDevice(), aDevice({ state: 'active' })]
      const born = (device: typeof first): ChangeSet => ({
        writes: [{ kind: 'device.insert', device }],
        audit: [anEntry({ at: NOW, action: 'device.registered', subject: { deviceId: device.id } })],
      })
      const outcomes = await store.commitEach([born(first), born(second), born(first)])
      assert.deepEqual(
        outcomes.map(outcome => outcome instanceof Error),
        [false, false, true],
      )
      assert.deepEqual(await store.read.deviceCounts(), { manufactured: 1, active: 1 })
      assert.deepEqual(await store.read.activity(HOUR, HOUR + 1), [
        { hour: HOUR, measure: 'registered', code: '', amount: 2 },
      ])
      await store.commit(only({ kind: 'device.state', id: first.id, from: 'manufactured', to: 'active', at: NOW }))
      // Holds a decision to its facts, and moves nothing.
      await store.commit(only({ kind: 'device.state', id: first.id, from: 'active', to: 'active', at: NOW }))
      assert.deepEqual(await store.read.deviceCounts(), { active: 2 })

      const refusal = anEntry({
        at: NOW + 3600,
        action: 'enrolment.refused',
        outcome: 'refused',
        code: 'token.used',
        subject: {},
        detail: { repeated: 41 },
      })
      await store.commit({ writes: [], audit: [refusal, { ...refusal, detail: {} }] })
      assert.deepEqual(await store.read.activity(HOUR + 3600, HOUR + 7200), [
        { hour: HOUR + 3600, measure: 'refused', code: 'token.used', amount: 42 },
      ])
    })

    it('knows which entries of the log are about a device, newest first', async () => {
      await using store = await createStore(await location())
      const [device, other] = [aDevice(), aDevice()]
      const about = (id: string) => anEntry({ action: 'device.erased', subject: { deviceId: id } })
      const audit = [about(device.id), about(other.id), about(device.id), about('no id at all')]
      const { firstAuditIndex: at } = await store.commit({ writes: [], audit })
      assert.deepEqual(await store.read.entriesOfDevice(device.id, { limit: 10 }), [at + 2, at])
      assert.deepEqual(await store.read.entriesOfDevice(device.id, { limit: 1 }), [at + 2])
      assert.deepEqual(await store.read.entriesOfDevice(device.id, { before: at + 2, limit: 10 }), [at])
      assert.deepEqual(await store.read.entriesOfDevice(aDevice().id, { limit: 10 }), [])
    })

    it('lists devices by how their serial number begins, and newest first', async () => {
      await using store = await createStore(await location())
      const devices = [
        aDevice({ model: 'a', serialNumber: 'X-1' }),
        aDevice({ model: 'a', serialNumber: 'X-2' }),
        aDevice({ model: 'b', serialNumber: 'X-1' }),
        aDevice({ model: 'b', serialNumber: 'Y-1' }),
        aDevice({ model: 'c', serialNumber: 'X' }),
      ]
      await store.commit(only(...devices.map(device => ({ kind: 'device.insert', device }) as const)))
      const found: string[] = []
      let after: string | undefined
      do {
        const page = await store.read.devicesBeginning('X', { limit: 2, ...(after ? { after } : {}) })
        found.push(...page.items.map(({ model, serialNumber }) => `${model} ${serialNumber}`))
        after = page.next ?? undefined
      } while (after !== undefined)
      assert.deepEqual(found, ['a X-1', 'a X-2', 'b X-1', 'c X'])
      const ofModel = await store.read.devicesBeginning('X', { limit: 9, model: 'b' })
      assert.deepEqual(
        ofModel.items.map(({ serialNumber }) => serialNumber),
        ['X-1'],
      )
      assert.deepEqual((await store.read.devicesBeginning('\0', { limit: 9 })).items, [])

      const newest: string[] = []
      do {
        const page = await store.read.devices({ newestFirst: true, limit: 2, ...(after ? { after } : {}) })
        newest.push(...page.items.map(({ id }) => id))
        after = page.next ?? undefined
      } while (after !== undefined)
      assert.deepEqual(newest, devices.map(({ id }) => id).toReversed())
    })

    it('lists tokens, newest first', async () => {
      await using store = await createStore(await location())
      const device = aDevice()
      const tokens = [aToken(device), aToken(device), aToken(device)]
      await store.commit(only(...tokens.map(token => ({ kind: 'token.insert', token }) as const)))
      const { items, next } = await store.read.tokens({ limit: 2 })
      const rest = await store.read.tokens({ limit: 2, after: next! })
      const wanted = tokens.map(({ id }) => id).toSorted()
      assert.deepEqual(
        [...items, ...rest.items].map(({ id }) => id),
        wanted.toReversed(),
      )
    })

    it('keeps an answer once, until it expires or is dropped', async () => {
      await using store = await createStore(await location())
      const [id, requestDigest] = ['11'.repeat(32), '22'.repeat(32)]
      const answer = { id, requestDigest, sealed: null, begunAt: NOW, expiresAt: NOW + 60 }
      await store.commit({ writes: [{ kind: 'answer.begin', answer }], audit: [] })
      assert.deepEqual(await store.read.keptAnswer(id), answer)
      await assert.rejects(
        store.commit({ writes: [{ kind: 'answer.begin', answer }], audit: [] }),
        refused('answer.begun'),
      )
      const sealed = new Uint8Array([1, 2, 3])
      await store.commit({ writes: [{ kind: 'answer.finish', id, sealed }], audit: [] })
      assert.deepEqual([...(await store.read.keptAnswer(id))!.sealed!], [1, 2, 3])
      const again = store.commit({ writes: [{ kind: 'answer.finish', id, sealed }], audit: [] })
      await assert.rejects(again, refused('answer.begun'))
      await store.commit({ writes: [{ kind: 'answer.expire', before: NOW + 60 }], audit: [] })
      assert.ok(await store.read.keptAnswer(id))
      await store.commit({ writes: [{ kind: 'answer.expire', before: NOW + 61 }], audit: [] })
      assert.equal(await store.read.keptAnswer(id), undefined)
      await store.commit({ writes: [{ kind: 'answer.drop', id }], audit: [] })
    })

    it('moves a job on where nobody else did, and forgets none that is under way', async () => {
      await using store = await createStore(await location())
      const job: StoredJob = {
        id: 'ab'.repeat(16),
        act: 'devices.ship',
        parameters: '{}',
        requestedBy: 'op-x',
        state: 'running',
        done: 0,
        changed: 0,
        failed: 0,
        total: null,
        place: null,
        failures: [],
        outcome: null,
        leaseUntil: 0,
        createdAt: NOW,
        finishedAt: null,
        revision: 1,
      }
      const put = (next: StoredJob, from: number | null) =>
        store.commit({ writes: [{ kind: 'job.put', job: next, from }], audit: [] })
      await put(job, null)
      await assert.rejects(put(job, null), refused('job.changed'))
      const on = movedJob(job, { done: 5, failed: 1, place: 'x', failures: [{ what: 'd', code: 'c.d' }], total: 9 })
      await put(on, 1)
      assert.deepEqual(await store.read.job(job.id), on)
      await assert.rejects(put(on, 1), refused('job.changed'))
      assert.deepEqual(await store.read.jobsAtWork(), [on])
      const ended = movedJob(on, { state: 'finished', finishedAt: NOW, outcome: 'done' })
      await put(ended, 2)
      assert.deepEqual(await store.read.jobsAtWork(), [])
      assert.deepEqual(await store.read.jobs({ limit: 10 }), { items: [ended], next: null })
    })
  })
}
