// Revocation of many: which certificates a query means, what the preview says, the job that does it, and that nothing is done twice wherever it
// stops. On both engines.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { sha256 } from '../../../src/crypto/digest.ts'
import { generateKeyPair } from '../../../src/crypto/keys.ts'
import { verifyStore } from '../../../src/domain/audit/verify-store.ts'
import type { Device } from '../../../src/domain/device/device.ts'
import { resumeDevice, suspendDevice } from '../../../src/domain/device/suspend-device.ts'
import type { StoredJob } from '../../../src/domain/jobs/job.ts'
import { runRevocationJob } from '../../../src/domain/jobs/run-revocation-job.ts'
import { cancelJob } from '../../../src/domain/jobs/start-job.ts'
import type { ChangeSet, Store } from '../../../src/domain/ports.ts'
import { type AskedSelection, selectionAt } from '../../../src/domain/revocation/asked-certificates.ts'
import { logPositionAt } from '../../../src/domain/revocation/certificate-query.ts'
import { endDueHolds } from '../../../src/domain/revocation/end-holds.ts'
import {
  type AskedTerms,
  startRelease,
  startRevocation,
  statusesFor,
  undoSelection,
} from '../../../src/domain/revocation/mass-revocation.ts'
import { previewRevocation } from '../../../src/domain/revocation/preview.ts'
import { releaseCertificate, revokeCertificate } from '../../../src/domain/revocation/revoke.ts'
import { timestamp } from '../../../src/domain/timestamp.ts'
import { auditLog, bornDevice, certify, OPERATOR, type TestInstance, testInstance } from '../../support/instance.ts'
import { assertInvariants } from '../../support/invariants.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'

const NEVER = new AbortController().signal
const BY = { actor: OPERATOR }

for (const engine of ['SQLite', 'PostgreSQL'] as const) {
  describe(`Mass revocation on ${engine}`, () => {
    let postgres: TestPostgres | undefined
    after(() => postgres?.stop())

    async function instanceOf(t: Parameters<typeof testInstance>[0]): Promise<TestInstance> {
      if (engine === 'SQLite') return testInstance(t)
      postgres ??= await startPostgres()
      return testInstance(t, { url: await postgres.createDatabase() })
    }

    test('a query means certificates by issuer, profile, key, time of issue and expiry, and by their devices', async t => {
      const instance = await instanceOf(t)
      const old = await bornDevice(instance, { model: 'old' })
      instance.clock.advance(1_000)
      const between = instance.clock.now()
      const young = await bornDevice(instance, { model: 'young' }, 'P-384')
      const field = await certify(instance, young.device, young.key, 'ldevid')
      instance.clock.advance(1_000)
      const late = await bornDevice(instance, { model: 'young' })
      const found = async (asked: AskedSelection) => {
        const { query } = await selectionAt(asked, ['good', 'held'], instance.clock.now(), instance.store.read)
        const { sample, certificates } = await previewRevocation(query, instance.clock.now(), instance.store.read)
        assert.equal(sample.length, certificates)
        return sample.map(({ serialNumber }) => serialNumber).sort()
      }
      const serials = (...records: readonly { serialNumber: string }[]) =>
        records.map(({ serialNumber }) => serialNumber).sort()
      const all = [old.record, young.record, field, late.record]
      const { authorityId: authority } = field
      assert.deepEqual(await found({ certificates: { authority } }), serials(field))
      assert.deepEqual(
        await found({ certificates: { profile: 'idevid' } }),
        serials(old.record, young.record, late.record),
      )
      assert.deepEqual(await found({ certificates: { keyAlgorithm: 'P-384' } }), serials(young.record, field))
      assert.deepEqual(await found({ certificates: { issuedBefore: timestamp(between) } }), serials(old.record))
      const then = { issuedFrom: timestamp(between), issuedBefore: timestamp(instance.clock.now()) }
      assert.deepEqual(await found({ certificates: then }), serials(young.record, field))
      assert.deepEqual(await found({ certificates: { expiresBefore: timestamp(field.notAfter + 1) } }), serials(field))
      assert.deepEqual(
        await found({ certificates: { expiresFrom: timestamp(field.notAfter + 1) } }),
        serials(old.record, young.record, late.record),
      )
      assert.deepEqual(await found({ devices: { model: 'young' } }), serials(young.record, field, late.record))
      assert.deepEqual(
        await found({ devices: { model: 'young' }, certificates: { profile: 'ldevid' } }),
        serials(field),
      )
      assert.deepEqual(await found({ ids: [old.device.id, late.device.id] }), serials(old.record, late.record))
      assert.deepEqual(await found({ certificates: { profile: 'nobody' } }), [])
      assert.equal(all.length, 4)
      await assert.rejects(found({}), { code: 'revocation.query_empty' })
      await assert.rejects(found({ devices: {} }), { code: 'revocation.query_empty' })
      await assert.rejects(found({ ids: [old.device.id], devices: { model: 'old' } }), {
        code: 'revocation.query_invalid',
      })
      const both = {
        certificates: { batch: '0'.repeat(32) },
        devices: { batch: '1'.repeat(32) },
      } as unknown as AskedSelection
      await assert.rejects(found(both), { code: 'revocation.query_invalid' })

      const { size } = await instance.store.read.auditHead()
      assert.equal(await logPositionAt(0, instance.store.read), 0)
      assert.equal(await logPositionAt(instance.clock.now() + 1, instance.store.read), size)
    })

    test('a preview says what stops working: of whom another live certificate is left, of whom none', async t => {
      const instance = await instanceOf(t)
      const { device, key } = await bornDevice(instance, { model: 'gate' })
      await certify(instance, device, key, 'ldevid')
      const bare = await bornDevice(instance, { model: 'lamp' })
      const preview = async (asked: AskedSelection) =>
        previewRevocation(
          (await selectionAt(asked, ['good', 'held'], instance.clock.now(), instance.store.read)).query,
          instance.clock.now(),
          instance.store.read,
        )
      const born = await preview({ certificates: { profile: 'idevid' } })
      assert.deepEqual([born.certificates, born.devices, born.left], [2, 2, { some: 1, none: 1 }])
      assert.deepEqual(born.byModel, [
        { name: 'gate', count: 1 },
        { name: 'lamp', count: 1 },
      ])
      assert.deepEqual(born.others, { models: 0, owners: 0, withoutOwner: 2 })
      assert.deepEqual(born.byProfile, { idevid: 2 })
      const whole = await preview({ devices: { model: 'gate' } })
      assert.deepEqual([whole.certificates, whole.devices, whole.left], [2, 1, { some: 0, none: 1 }])
      await revokeCertificate(bare.record, 'superseded', OPERATOR, instance)
      assert.equal((await preview({ certificates: { profile: 'idevid' } })).certificates, 1)
    })

    test('of very many a preview counts each, tells the rest from a share of them, and says so', async t => {
      const instance = await instanceOf(t)
      await several(instance, 6, 'gate')
      const now = instance.clock.now()
      const { query } = await selectionAt({ devices: { model: 'gate' } }, ['good'], now, instance.store.read)
      const all = await previewRevocation(query, now, instance.store.read)
      assert.deepEqual([all.certificates, all.sampled, all.devices], [12, null, 6])
      const told: number[] = []
      const progress = (count: number) => void told.push(count)
      const some = await previewRevocation(query, now, instance.store.read, { lookedAt: 5, progress })
      assert.ok(some.sampled !== null && some.sampled > 0 && some.sampled <= 5, `${some.sampled}`)
      assert.equal(some.sample.length, some.sampled)
      // Each device has two that are meant: what is told of devices stands in that proportion, whichever are in the share.
      assert.deepEqual([some.certificates, some.devices, some.left], [12, 6, { some: 0, none: 6 }])
      assert.deepEqual(some.byModel, [{ name: 'gate', count: 6 }])
      assert.equal(some.lastExpiry, all.lastExpiry)
      assert.deepEqual(told, [12])
    })

    test('the job revokes each once, with its reason and since when the key is suspect, and ends keys and credentials', async t => {
      const instance = await instanceOf(t)
      const devices = await several(instance, 5, 'bad')
      const [spared] = await several(instance, 1, 'good')
      const suspectSince = instance.clock.now() - 500
      const job = await ask(
        instance,
        { devices: { model: 'bad' } },
        { reason: 'keyCompromise', suspectSince, because: 'CVE-1' },
      )
      const ended = await runRevocationJob(job, instance, NEVER)
      assert.deepEqual([ended.state, ended.done, ended.changed, ended.failed], ['finished', 10, 10, 0])
      const at = instance.clock.now()
      for (const { id } of devices) {
        const status = { kind: 'revoked', at, reason: 'keyCompromise', invalidityDate: suspectSince } as const
        assert.deepEqual(await statuses(instance, id), [status, status])
        assert.deepEqual(
          (await instance.store.read.keysOfDevice(id)).map(({ state }) => state),
          ['compromised', 'compromised'],
        )
        assert.deepEqual(await instance.store.read.credentialsOfDevice(id), [])
      }
      assert.deepEqual(
        (await statuses(instance, spared!.id)).map(({ kind }) => kind),
        ['good', 'good'],
      )
      const entries = (await auditLog(instance)).filter(({ action }) => action === 'certificate.revoked')
      assert.equal(entries.length, 10, 'the log has one entry for each')
      for (const { detail } of entries) {
        assert.deepEqual(detail, { because: 'CVE-1', invalidityDate: suspectSince, reason: 'keyCompromise' })
      }
      await assertSound(instance)
    })

    test('a process that dies between two change sets loses nothing, and the next does nothing twice', async t => {
      const instance = await instanceOf(t)
      await several(instance, 6, 'bad')
      const job = await ask(
        instance,
        { ids: (await instance.store.read.devices({ limit: 9 })).items.map(({ id }) => id) },
        { reason: 'superseded' },
      )
      for (const dies of ['before', 'after'] as const) {
        const dying = { ...instance, store: dyingStore(instance.store, dies) }
        await assert.rejects(runRevocationJob((await instance.store.read.job(job.id))!, dying, NEVER), /died/)
      }
      const left = (await instance.store.read.job(job.id))!
      const ended = left.state === 'running' ? await runRevocationJob(left, instance, NEVER) : left
      assert.deepEqual([ended.state, ended.changed, ended.failed], ['finished', 12, 0])
      const entries = (await auditLog(instance)).filter(({ action }) => action === 'certificate.revoked')
      assert.equal(entries.length, 12)
      await assertSound(instance)
    })

    test('who is changed at the same moment is looked at again; the others are not held up', async t => {
      const instance = await instanceOf(t)
      const [first, ...others] = await several(instance, 4, 'bad')
      const job = await ask(instance, { devices: { model: 'bad' } }, { reason: 'superseded' })
      let rivals = 1
      const store = withRival(instance.store, async () => {
        if (rivals-- > 0) await suspendDevice(first!.id, BY, instance)
      })
      const ended = await runRevocationJob(job, { ...instance, store }, NEVER)
      assert.deepEqual([ended.state, ended.changed, ended.failed], ['finished', 8, 0])
      for (const { id } of [first!, ...others]) {
        assert.deepEqual(new Set((await statuses(instance, id)).map(({ kind }) => kind)), new Set(['revoked']))
      }
      await assertSound(instance)
    })

    test('a job that is called off changes nothing more', async t => {
      const instance = await instanceOf(t)
      await several(instance, 2, 'bad')
      const job = await ask(instance, { devices: { model: 'bad' } }, { reason: 'superseded' })
      await cancelJob(job.id, OPERATOR, instance)
      const ended = await runRevocationJob(job, instance, NEVER)
      assert.deepEqual([ended.state, ended.changed], ['cancelled', 0])
      const again = await ask(instance, { devices: { model: 'bad' } }, { reason: 'superseded' })
      assert.equal((await runRevocationJob(again, instance, AbortSignal.abort())).changed, 0)
    })

    test('with a time to undo it, everything is on hold first: undone it is good again, left alone it is revoked', async t => {
      const instance = await instanceOf(t)
      const devices = await several(instance, 3, 'bad')
      const held = await ask(
        instance,
        { devices: { model: 'bad' } },
        { reason: 'keyCompromise', undoWithinSeconds: 3_600 },
      )
      await assert.rejects(undoSelection(held.id, instance.clock.now(), instance), { code: 'revocation.not_to_undo' })
      const taken = await runRevocationJob(held, instance, NEVER)
      assert.equal(taken.changed, 6)
      const heldAt = instance.clock.now()
      const ends = { at: heldAt + 3_600, reason: 'keyCompromise' } as const
      const onHold = { kind: 'held', at: heldAt, invalidityDate: null, ends } as const
      assert.deepEqual(await statuses(instance, devices[0]!.id), [onHold, onHold])
      assert.deepEqual(
        (await instance.store.read.keysOfDevice(devices[0]!.id)).map(({ state }) => state),
        ['established', 'established'],
      )

      instance.clock.advance(3_599)
      await endDueHolds(instance, NEVER)
      const undone = await undoSelection(held.id, instance.clock.now(), instance)
      const release = await startRelease({ ...undone, total: 6 }, OPERATOR, instance)
      assert.equal((await runRevocationJob(release, instance, NEVER)).changed, 6)
      for (const { id } of devices) assert.deepEqual(await statuses(instance, id), [{ kind: 'good' }, { kind: 'good' }])

      const again = await ask(
        instance,
        { devices: { model: 'bad' } },
        { reason: 'keyCompromise', undoWithinSeconds: 60 },
      )
      await runRevocationJob(again, instance, NEVER)
      const since = instance.clock.now()
      instance.clock.advance(60)
      await assert.rejects(undoSelection(again.id, instance.clock.now(), instance), { code: 'revocation.undo_over' })
      await endDueHolds(instance, NEVER)
      const revoked = { kind: 'revoked', at: since, reason: 'keyCompromise', invalidityDate: null } as const
      for (const { id } of devices) {
        assert.deepEqual(await statuses(instance, id), [revoked, revoked], 'the revocation has the date of the hold')
        assert.deepEqual(
          (await instance.store.read.keysOfDevice(id)).map(({ state }) => state),
          ['compromised', 'compromised'],
        )
      }
      await assertSound(instance)
    })

    test('what somebody else put on hold is not what an undone revocation releases', async t => {
      const instance = await instanceOf(t)
      const [device, other] = await several(instance, 2, 'bad')
      const [record] = await instance.store.read.certificatesOfDevice(other!.id)
      await revokeCertificate(record!, 'certificateHold', OPERATOR, instance)
      const first = await ask(instance, { ids: [device!.id] }, { reason: 'superseded', undoWithinSeconds: 600 })
      await runRevocationJob(first, instance, NEVER)
      const second = await ask(instance, { ids: [other!.id] }, { reason: 'superseded', undoWithinSeconds: 600 })
      await runRevocationJob(second, instance, NEVER)
      const undone = await undoSelection(first.id, instance.clock.now(), instance)
      const release = await startRelease({ ...undone, total: 2 }, OPERATOR, instance)
      assert.equal((await runRevocationJob(release, instance, NEVER)).changed, 2)
      assert.deepEqual(
        (await statuses(instance, device!.id)).map(({ kind }) => kind),
        ['good', 'good'],
      )
      assert.deepEqual(
        (await statuses(instance, other!.id)).map(({ kind }) => kind),
        ['held', 'held'],
      )
    })

    test('an undone revocation gives back what was on hold before as it was: on hold', async t => {
      const instance = await instanceOf(t)
      const [device] = await several(instance, 1, 'bad')
      const [first] = await instance.store.read.certificatesOfDevice(device!.id)
      await revokeCertificate(first!, 'certificateHold', OPERATOR, instance)
      const since = instance.clock.now()
      instance.clock.advance(60)
      const job = await ask(instance, { ids: [device!.id] }, { reason: 'superseded', undoWithinSeconds: 600 })
      assert.equal((await runRevocationJob(job, instance, NEVER)).changed, 2)
      await undo(instance, job)
      const held = { kind: 'held', at: since, invalidityDate: null, ends: null }
      assert.deepEqual(new Set(await statuses(instance, device!.id)), new Set([{ kind: 'good' }, held]))
      await assertSound(instance)
    })

    test('of two revocations with a time to undo the later decides, and undoing the first takes nothing from it', async t => {
      const instance = await instanceOf(t)
      const [device, other] = await several(instance, 2, 'bad')
      const wide = await ask(
        instance,
        { devices: { model: 'bad' } },
        { reason: 'keyCompromise', undoWithinSeconds: 86_400 },
      )
      await runRevocationJob(wide, instance, NEVER)
      instance.clock.advance(60)
      const stolen = await ask(instance, { ids: [device!.id] }, { reason: 'superseded', undoWithinSeconds: 600 })
      assert.equal((await runRevocationJob(stolen, instance, NEVER)).changed, 2)
      await undo(instance, wide)
      const kinds = async (id: Device['id']) => (await statuses(instance, id)).map(({ kind }) => kind)
      assert.deepEqual(
        [await kinds(other!.id), await kinds(device!.id)],
        [
          ['good', 'good'],
          ['held', 'held'],
        ],
      )
      instance.clock.advance(600)
      await endDueHolds(instance, NEVER)
      const reasons = (await statuses(instance, device!.id)).map(each => each.kind === 'revoked' && each.reason)
      assert.deepEqual(reasons, ['keyCompromise', 'keyCompromise'], 'what was once said of the keys is not taken back')
      await assertSound(instance)
    })

    test('a release leaves on hold what a suspension holds, and says so', async t => {
      const instance = await instanceOf(t)
      const [suspended, free] = await several(instance, 2, 'bad')
      await suspendDevice(suspended!.id, BY, instance)
      const hold = await ask(instance, { ids: [free!.id] }, { reason: 'certificateHold' })
      await runRevocationJob(hold, instance, NEVER)
      const { query } = await selectionAt(
        { devices: { model: 'bad' } },
        ['held'],
        instance.clock.now(),
        instance.store.read,
      )
      const release = await startRelease({ query, total: 4 }, OPERATOR, instance)
      const ended = await runRevocationJob(release, instance, NEVER)
      assert.deepEqual([ended.done, ended.changed, ended.failed], [4, 2, 2])
      assert.deepEqual(new Set(ended.failures.map(({ code }) => code)), new Set(['certificate.device_suspended']))
      assert.deepEqual(
        (await statuses(instance, free!.id)).map(({ kind }) => kind),
        ['good', 'good'],
      )
      assert.deepEqual(
        (await statuses(instance, suspended!.id)).map(({ kind }) => kind),
        ['held', 'held'],
      )
    })
  })
}

test('an undone revocation of a suspended device leaves the hold of the suspension, which its end takes away', async t => {
  const instance = await testInstance(t)
  const [device] = await several(instance, 1, 'bad')
  await suspendDevice(device!.id, BY, instance)
  const job = await ask(instance, { ids: [device!.id] }, { reason: 'superseded', undoWithinSeconds: 600 })
  await runRevocationJob(job, instance, NEVER)
  for (const record of await instance.store.read.certificatesOfDevice(device!.id)) {
    await releaseCertificate(record, OPERATOR, instance)
  }
  assert.deepEqual(
    (await statuses(instance, device!.id)).map(({ kind }) => kind),
    ['held', 'held'],
  )
  await resumeDevice(device!.id, BY, instance)
  assert.deepEqual(await statuses(instance, device!.id), [{ kind: 'good' }, { kind: 'good' }])
  await assertSound(instance)
})

async function undo(instance: TestInstance, { id }: StoredJob): Promise<void> {
  const undone = await undoSelection(id, instance.clock.now(), instance)
  const release = await startRelease({ ...undone, total: 0 }, OPERATOR, instance)
  assert.equal((await runRevocationJob(release, instance, NEVER)).state, 'finished')
}

test('when the time to undo it is over nobody releases, also where the job that ends holds is late', async t => {
  const instance = await testInstance(t)
  const { record } = await bornDevice(instance)
  const undoUntil = instance.clock.now() + 600
  await revokeCertificate(record, { reason: 'superseded', undoUntil }, OPERATOR, instance)
  instance.clock.advance(600)
  await assert.rejects(releaseCertificate(record, OPERATOR, instance), { code: 'revocation.undo_over' })
  const asked = { certificates: { authority: record.authorityId } }
  const { query } = await selectionAt(asked, ['held'], instance.clock.now(), instance.store.read)
  const ended = await runRevocationJob(await startRelease({ query, total: 1 }, OPERATOR, instance), instance, NEVER)
  assert.deepEqual([ended.changed, ended.failures.map(({ code }) => code)], [0, ['revocation.undo_over']])
  await endDueHolds(instance, NEVER)
  assert.equal((await instance.store.read.certificate(record.authorityId, record.serialNumber))?.status.kind, 'revoked')
})

test('what makes no sense is refused before a job begins', async t => {
  const instance = await testInstance(t)
  await several(instance, 1, 'bad')
  const refused = (terms: AskedTerms, code: string) =>
    assert.rejects(ask(instance, { devices: { model: 'bad' } }, terms), { code })
  await refused({ reason: 'cACompromise' }, 'revocation.reason_not_for_this')
  await refused({ reason: 'superseded', suspectSince: instance.clock.now() + 1 }, 'revocation.suspect_since_ahead')
  await refused({ reason: 'certificateHold', undoWithinSeconds: 600 }, 'revocation.undo_invalid')
  await refused({ reason: 'superseded', undoWithinSeconds: 32 * 86_400 }, 'revocation.undo_invalid')
  await refused({ reason: 'superseded', undoWithinSeconds: 0 }, 'revocation.undo_invalid')
  await refused({ reason: 'superseded', because: 'a sentence about somebody' }, 'device.because_invalid')
})

/** Devices of the model, each with a birth certificate and one of the field over another key. */
async function several(instance: TestInstance, count: number, model: string): Promise<Device[]> {
  const made: Device[] = []
  for (let i = 0; i < count; i++) {
    const { device } = await bornDevice(instance, { model })
    await certify(instance, device, await generateKeyPair('P-256'), 'ldevid')
    made.push(device)
  }
  return made
}

async function ask(instance: TestInstance, asked: AskedSelection, terms: AskedTerms): Promise<StoredJob> {
  const selection = await selectionAt(asked, statusesFor(terms.reason), instance.clock.now(), instance.store.read)
  return startRevocation({ selection, terms, total: 0 }, OPERATOR, instance)
}

async function statuses({ store }: TestInstance, id: Device['id']) {
  return (await store.read.certificatesOfDevice(id)).map(({ status }) => status)
}

async function assertSound({ store }: TestInstance): Promise<void> {
  await assertInvariants(store)
  const { findings } = await verifyStore(store.read, { hash: sha256, origin: 'test', logKeys: [] })
  assert.deepEqual(
    findings.filter(({ code }) => code !== 'audit.checkpoint_missing'),
    [],
  )
}

const revokes = ({ writes }: ChangeSet) => writes.some(({ kind }) => kind === 'certificate.status')

/** The process ends at the first change set that revokes: before it is durable, or before its caller hears of it. */
function dyingStore(store: Store, dies: 'before' | 'after'): Store {
  return proxied(store, async change => {
    if (!revokes(change)) return store.commit(change)
    if (dies === 'after') await store.commit(change)
    throw new Error('died')
  })
}

/** Somebody else is faster. */
function withRival(store: Store, rival: () => Promise<void>): Store {
  return proxied(store, async change => {
    if (revokes(change)) await rival()
    return store.commit(change)
  })
}

function proxied(store: Store, commit: Store['commit']): Store {
  return new Proxy(store, {
    get: (target, name) => (name === 'commit' ? commit : Reflect.get(target, name, target)),
  })
}
