// What `Store` of domain/ports.ts promises, as tests that run for every engine.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, afterEach, describe, it } from 'node:test'
import { createStore, openStore } from '../../../src/adapters/store/open-store.ts'
import { TouchmarkError } from '../../../src/core/errors.ts'
import { encodeAuditEntry } from '../../../src/domain/audit/entry.ts'
import { authorityId, deviceId, keyId, type requestDigest, serialNumber } from '../../../src/domain/ids.ts'
import type { ChangeSet, Store, Write } from '../../../src/domain/ports.ts'
import { hexColumn } from '../../support/hex-column.ts'
import { assertInvariants } from '../../support/invariants.ts'
import type { StoreEngine } from '../../support/store-engines.ts'
import {
  aBatch,
  aCertificate,
  aDevice,
  aDocument,
  aKey,
  anAuthority,
  anEnrolment,
  anEntry,
  aPublication,
  aToken,
  aUnit,
  NOW,
  only,
} from '../../support/store-fixtures.ts'
import { commitInChild, raceInChildren } from './children.ts'
import { behavesLikeTheModel } from './model.ts'

export type { StoreEngine }

export function storeContract(name: string, engine: StoreEngine): void {
  describe(`Store on ${name}`, () => {
    const opened: Store[] = []
    afterEach(async () => {
      // Whatever a test did, the store holds together afterwards.
      const stores = opened.splice(0)
      try {
        for (const store of stores.slice(0, 1)) await assertInvariants(store)
      } finally {
        for (const store of stores) await store[Symbol.asyncDispose]()
      }
    })

    async function newStore(): Promise<Store> {
      return (await newStores(1))[0]!
    }

    let common: Promise<Store> | undefined
    after(async () => {
      if (common === undefined) return
      await using store = await common
      await assertInvariants(store)
    })

    /** One for all tests that look at nothing but what they made: making a database is most of what a test costs. */
    function commonStore(): Promise<Store> {
      common ??= engine.emptyStore().then(location => openStore(location))
      return common
    }

    /** Several stores on one new database, as several processes have them. */
    async function newStores(count: number): Promise<Store[]> {
      const location = await engine.emptyStore()
      const stores: Store[] = []
      while (stores.length < count) stores.push(await openStore(location))
      opened.push(...stores)
      return stores
    }

    describe('every write', () => {
      it('device.insert: fails with device.exists where model and serial number are taken', async () => {
        const store = await commonStore()
        const device = aDevice({ labels: { line: 'ä7', 'x-y': '€"\\' }, batch: aBatch().id })
        await store.commit(only({ kind: 'device.insert', device }))
        assert.deepEqual(await store.read.device(device.id), device)
        assert.deepEqual(await store.read.deviceBySerial(device.model, device.serialNumber), device)
        const { model, serialNumber: serial } = device
        await refuses(
          store,
          { kind: 'device.insert', device: aDevice({ model, serialNumber: serial }) },
          'device.exists',
        )
        await refuses(store, { kind: 'device.insert', device: aDevice({ id: device.id }) }, 'device.exists')
        await store.commit(only({ kind: 'device.insert', device: aDevice({ model: 'other', serialNumber: serial }) }))
      })

      it('device.state: fails with device.state_changed where the device is not in the state', async () => {
        const store = await commonStore()
        const device = aDevice()
        const move = { kind: 'device.state', id: device.id, from: 'manufactured', to: 'shipped', at: NOW + 5 } as const
        await refuses(store, move, 'device.state_changed')
        await store.commit(only({ kind: 'device.insert', device }))
        await store.commit(only(move))
        assert.deepEqual(await store.read.device(device.id), { ...device, state: 'shipped', stateChangedAt: NOW + 5 })
        await refuses(store, move, 'device.state_changed')
      })

      it('key.insert: fails with key.already_known, whichever device has it', async () => {
        const store = await commonStore()
        const [one, other] = [aDevice(), aDevice()]
        const key = aKey(one)
        await store.commit(only({ kind: 'device.insert', device: one }, { kind: 'device.insert', device: other }))
        await store.commit(only({ kind: 'key.insert', key }))
        assert.deepEqual(await store.read.key(key.id), key)
        assert.deepEqual(await store.read.keysOfDevice(one.id), [key])
        await refuses(store, { kind: 'key.insert', key }, 'key.already_known')
        await refuses(store, { kind: 'key.insert', key: aKey(other, { id: key.id }) }, 'key.already_known')
      })

      it('key.state: fails with key.state_changed where the key is not in the state', async () => {
        const store = await commonStore()
        const { change, key } = aUnit()
        const move = { kind: 'key.state', id: key.id, from: 'in_use', to: 'compromised', at: NOW + 9 } as const
        await refuses(store, move, 'key.state_changed')
        await store.commit(change)
        await store.commit(only(move))
        assert.deepEqual(await store.read.key(key.id), { ...key, state: 'compromised', stateChangedAt: NOW + 9 })
        await refuses(store, move, 'key.state_changed')
      })

      it('certificate.insert: fails with certificate.serial_number_used within the authority', async () => {
        const store = await commonStore()
        const { device, key, certificate, change } = aUnit()
        const { firstAuditIndex } = await store.commit(change)
        const stored = { ...certificate, auditIndex: firstAuditIndex + 1 }
        assert.deepEqual(await store.read.certificate(certificate.authorityId, certificate.serialNumber), stored)
        assert.deepEqual(await store.read.certificatesOfDevice(device.id), [stored])
        const insert = (authority: string): Write => ({
          kind: 'certificate.insert',
          certificate: aCertificate(device, key, {
            authorityId: authorityId(authority),
            serialNumber: certificate.serialNumber,
            replaces: { authorityId: certificate.authorityId, serialNumber: certificate.serialNumber },
          }),
          auditEntry: 0,
        })
        await refuses(store, insert(certificate.authorityId), 'certificate.serial_number_used')
        await store.commit(only(insert('ldevid-1')))
        const both = await store.read.certificatesBySerial(certificate.serialNumber)
        assert.deepEqual(
          both.map(found => [found.authorityId, found.replaces?.serialNumber]),
          [
            ['idevid-1', undefined],
            ['ldevid-1', certificate.serialNumber],
          ],
        )
      })

      it('certificate.status: good, held, good again, revoked; fails with certificate.status_changed otherwise', async () => {
        const store = await commonStore()
        const { certificate, change } = aUnit()
        await store.commit(change)
        const { authorityId: authority, serialNumber: serial } = certificate
        const names = {
          kind: 'certificate.status',
          authorityId: authority,
          serialNumber: serial,
          crlShard: 0,
          auditEntry: 0,
        } as const
        const status = async () => (await store.read.certificate(authority, serial))?.status
        const held = { kind: 'held', at: NOW + 1, invalidityDate: null, ends: null } as const
        const revoked = { kind: 'revoked', at: NOW + 2, reason: 'keyCompromise', invalidityDate: null } as const
        await store.commit(only({ ...names, from: 'good', to: held }))
        assert.deepEqual(await status(), held)
        await refuses(store, { ...names, from: 'good', to: revoked }, 'certificate.status_changed')
        await store.commit(only({ ...names, from: 'held', to: { kind: 'good' } }))
        assert.deepEqual(await status(), { kind: 'good' })
        await store.commit(only({ ...names, from: 'good', to: revoked }))
        assert.deepEqual(await status(), revoked)
        await refuses(store, { ...names, from: 'good', to: revoked }, 'certificate.status_changed')
        const nobody = { ...names, serialNumber: serialNumber('0badcafe') }
        await refuses(store, { ...nobody, from: 'good', to: revoked }, 'certificate.status_changed')
      })

      it('certificate.status: a hold that ends is found when its time has come, and is another one than a hold that nothing ends', async () => {
        const store = await newStore()
        const units = [aUnit(), aUnit(), aUnit()]
        for (const { change } of units) await store.commit(change)
        const until = (at: number) => ({ at, reason: 'keyCompromise' }) as const
        const hold = (ends: { at: number; reason: 'keyCompromise' } | null) =>
          ({ kind: 'held', at: NOW, invalidityDate: NOW - 9, ends }) as const
        const [first, second, third] = units.map(({ certificate }) => ({
          kind: 'certificate.status' as const,
          crlShard: 0,
          auditEntry: 0,
          authorityId: certificate.authorityId,
          serialNumber: certificate.serialNumber,
        }))
        await store.commit(only({ ...first!, from: 'good', to: hold(until(NOW + 20)) }))
        await store.commit(only({ ...second!, from: 'good', to: hold(until(NOW + 10)) }))
        await store.commit(only({ ...third!, from: 'good', to: hold(null) }))
        const found = async (now: number, limit = 9) =>
          (await store.read.holdsEnded(now, limit)).map(each => each.serialNumber)
        assert.deepEqual(await found(NOW + 9), [])
        assert.deepEqual(await found(NOW + 10), [second!.serialNumber])
        assert.deepEqual(await found(NOW + 20), [second!.serialNumber, first!.serialNumber])
        assert.deepEqual(await found(NOW + 20, 1), [second!.serialNumber])
        const [record] = await store.read.holdsEnded(NOW + 10, 1)
        assert.deepEqual(record?.status, hold(until(NOW + 10)))

        const revoked = { kind: 'revoked', at: NOW, reason: 'keyCompromise', invalidityDate: NOW - 9 } as const
        await refuses(store, { ...first!, from: 'held', to: revoked }, 'certificate.status_changed')
        await refuses(store, { ...first!, from: 'held', holdEnds: NOW + 10, to: revoked }, 'certificate.status_changed')
        await refuses(store, { ...third!, from: 'held', holdEnds: NOW + 20, to: revoked }, 'certificate.status_changed')
        await store.commit(only({ ...first!, from: 'held', holdEnds: NOW + 20, to: revoked }))
        assert.deepEqual(await found(NOW + 20), [second!.serialNumber])
        const status = async ({ authorityId, serialNumber }: NonNullable<typeof first>) =>
          (await store.read.certificate(authorityId, serialNumber))?.status
        assert.deepEqual(await status(first!), revoked)
        await store.commit(only({ ...second!, from: 'held', holdEnds: NOW + 10, to: { kind: 'good' } }))
        assert.deepEqual(await status(second!), { kind: 'good' })
        assert.deepEqual(await found(NOW + 20), [])
      })

      it('token.use: fails with token.used where it was used before, or is not known', async () => {
        const store = await commonStore()
        const device = aDevice()
        const token = aToken(device)
        await refuses(store, { kind: 'token.use', id: token.id, at: NOW }, 'token.used')
        await store.commit(only({ kind: 'device.insert', device }, { kind: 'token.insert', token }))
        assert.deepEqual(await store.read.tokenByHash(token.secretHash), token)
        await refuses(store, { kind: 'token.insert', token }, 'token.exists')
        await store.commit(only({ kind: 'token.use', id: token.id, at: NOW + 3 }))
        assert.deepEqual(await store.read.tokenByHash(token.secretHash), { ...token, usedAt: NOW + 3 })
        await refuses(store, { kind: 'token.use', id: token.id, at: NOW + 4 }, 'token.used')
      })

      it('token.cancel: ends a token once; fails with token.used where it was used or cancelled, or is not known', async () => {
        const store = await commonStore()
        const device = aDevice()
        const [token, spent] = [aToken(device), aToken(device)]
        await refuses(store, { kind: 'token.cancel', id: token.id, at: NOW }, 'token.used')
        assert.equal(await store.read.token(token.id), undefined)
        const made = [token, spent].map(each => ({ kind: 'token.insert', token: each }) as const)
        await store.commit(only({ kind: 'device.insert', device }, ...made))
        assert.deepEqual(await store.read.token(token.id), token)
        assert.deepEqual(await store.read.openTokensOfDevice(device.id), [token, spent])
        await store.commit(only({ kind: 'token.use', id: spent.id, at: NOW + 1 }))
        await refuses(store, { kind: 'token.cancel', id: spent.id, at: NOW + 2 }, 'token.used')
        await store.commit(only({ kind: 'token.cancel', id: token.id, at: NOW + 2 }))
        assert.deepEqual(await store.read.token(token.id), { ...token, cancelledAt: NOW + 2 })
        assert.deepEqual(await store.read.openTokensOfDevice(device.id), [])
        await refuses(store, { kind: 'token.cancel', id: token.id, at: NOW + 3 }, 'token.used')
        await refuses(store, { kind: 'token.use', id: token.id, at: NOW + 3 }, 'token.used')
      })

      it('token.insert: all of them are streamed in order of id', async () => {
        const store = await newStore()
        const device = aDevice()
        const tokens = Array.from({ length: 1100 }, () => aToken(device))
        await store.commit(only({ kind: 'device.insert', device }))
        await store.commit(only(...tokens.map((token): Write => ({ kind: 'token.insert', token }))))
        assert.deepEqual(await Array.fromAsync(store.read.allTokens()), tokens)
      })

      it('enrolment.insert and enrolment.state: every state is given back as it was put in', async () => {
        const store = await commonStore()
        const device = aDevice()
        const enrolment = anEnrolment()
        const { digest } = enrolment
        const approved = { kind: 'approved', by: 'ops', at: NOW + 1 } as const
        const issued = {
          kind: 'issued',
          authorityId: authorityId('ldevid-1'),
          serialNumber: serialNumber('4f00aa'),
          at: NOW + 2,
        } as const
        const rejected = { kind: 'rejected', by: 'ops', at: NOW + 1, reason: 'not ours' } as const
        await store.commit(only({ kind: 'device.insert', device }, { kind: 'enrolment.insert', enrolment }))
        assert.deepEqual(await store.read.enrolment(digest), enrolment)
        await refuses(store, { kind: 'enrolment.insert', enrolment }, 'enrolment.exists')
        const move = { kind: 'enrolment.state', digest, from: 'pending', to: approved, deviceId: device.id } as const
        await store.commit(only(move))
        assert.deepEqual(await store.read.enrolment(digest), { ...enrolment, state: approved, deviceId: device.id })
        await refuses(store, move, 'enrolment.state_changed')
        await store.commit(only({ ...move, from: 'approved', to: issued }))
        assert.deepEqual((await store.read.enrolment(digest))?.state, issued)
        const other = anEnrolment({ state: rejected })
        await store.commit(only({ kind: 'enrolment.insert', enrolment: other }))
        assert.deepEqual(await store.read.enrolment(other.digest), other)
      })

      it('quota.take: fails with quota.exceeded where the counter would pass the limit', async () => {
        const store = await commonStore()
        const take = (amount: number, limit: number): Write => ({
          kind: 'quota.take',
          counter: 'rule/x',
          amount,
          limit,
        })
        assert.equal(await store.read.quotaTaken('rule/x'), 0)
        await refuses(store, take(6, 5), 'quota.exceeded')
        await store.commit(only(take(3, 5)))
        await store.commit(only(take(2, 5)))
        assert.equal(await store.read.quotaTaken('rule/x'), 5)
        await refuses(store, take(1, 5), 'quota.exceeded')
        await store.commit(only(take(1, 6)))
        assert.equal(await store.read.quotaTaken('rule/x'), 6)
      })

      it('batch.insert and batch.progress: fail with batch.exists and batch.state_changed', async () => {
        const store = await commonStore()
        const batch = aBatch()
        const step = { kind: 'batch.progress', id: batch.id, issued: 8, existing: 1, rejected: 1 } as const
        await store.commit(only({ kind: 'batch.insert', batch }))
        await refuses(
          store,
          { kind: 'batch.insert', batch: aBatch({ inputDigest: batch.inputDigest }) },
          'batch.exists',
        )
        await store.commit(only({ ...step, from: 0, done: 10, finishedAt: null }))
        assert.deepEqual(await store.read.batch(batch.id), { ...batch, done: 10, issued: 8, existing: 1, rejected: 1 })
        await refuses(store, { ...step, from: 0, done: 10, finishedAt: null }, 'batch.state_changed')
        await store.commit(only({ ...step, from: 10, done: 10, finishedAt: NOW + 1 }))
        const finished = await store.read.batchByInput(batch.inputDigest)
        assert.deepEqual([finished?.state, finished?.finishedAt], ['finished', NOW + 1])
        await refuses(store, { ...step, from: 10, done: 11, finishedAt: null }, 'batch.state_changed')
      })

      it('authority.insert and authority.update: fail with authority.exists and authority.state_changed', async () => {
        const store = await commonStore()
        const authority = anAuthority({ state: 'awaiting_certificate', certificate: null })
        await store.commit(only({ kind: 'authority.insert', authority }))
        assert.deepEqual(await store.read.authorities(), [authority])
        await refuses(store, { kind: 'authority.insert', authority }, 'authority.exists')
        const above = [der(300), der(256)]
        const update = {
          kind: 'authority.update',
          id: authority.id,
          from: 'awaiting_certificate',
          to: 'active',
          certificate: der(300),
          issuer: null,
          chainAbove: above,
        } as const
        await store.commit(only(update))
        assert.deepEqual(await store.read.authorities(), [
          { ...authority, state: 'active', certificate: update.certificate, chainAbove: above },
        ])
        await refuses(store, update, 'authority.state_changed')
      })

      it('document.insert: fails with document.version_exists; the highest version is in force', async () => {
        const store = await commonStore()
        const first = aDocument({ name: 'b' })
        const second = { ...first, version: 2, body: '{}' }
        const other = aDocument({ name: 'a' })
        for (const document of [first, second, other]) await store.commit(only({ kind: 'document.insert', document }))
        await refuses(store, { kind: 'document.insert', document: second }, 'document.version_exists')
        assert.deepEqual(await store.read.document('profile', 'b'), second)
        assert.deepEqual(await store.read.document('profile', 'b', 1), first)
        assert.equal(await store.read.document('profile', 'b', 3), undefined)
        assert.equal(await store.read.document('rules', 'b'), undefined)
        assert.deepEqual(await store.read.documents('profile'), [other, second])
      })

      it('publication.put: fails with publication.outdated where the stored number is not below', async () => {
        const store = await commonStore()
        const publication = aPublication({ number: 7, bytes: new Uint8Array(randomBytes(1_500_000)) })
        await store.commit(only({ kind: 'publication.put', publication }))
        assert.deepEqual(await store.read.publication(publication.name), publication)
        await refuses(store, { kind: 'publication.put', publication }, 'publication.outdated')
        await refuses(
          store,
          { kind: 'publication.put', publication: { ...publication, number: 6 } },
          'publication.outdated',
        )
        const next = { ...publication, number: 8, bytes: new Uint8Array(randomBytes(10)) }
        await store.commit(only({ kind: 'publication.put', publication: next }))
        assert.deepEqual(await store.read.publication(publication.name), next)
      })
    })

    describe('a change set', () => {
      it('happens whole or not at all: one write that fails leaves no row, no entry and no trace in the head', async () => {
        const store = await newStore()
        const known = aUnit()
        await store.commit(known.change)
        const before = await snapshotOf(store)
        const { change, device, key, certificate } = aUnit()
        const token = aToken(device)
        const writes: Write[] = [
          ...change.writes,
          { kind: 'token.insert', token },
          { kind: 'quota.take', counter: 'c', amount: 1, limit: 9 },
          { kind: 'work.request', topic: 'crl', key: 'a/0', dueAt: NOW },
          { kind: 'publication.put', publication: aPublication({ name: 'p' }) },
          { kind: 'document.insert', document: aDocument() },
          { kind: 'device.state', id: known.device.id, from: 'manufactured', to: 'shipped', at: NOW },
          { kind: 'key.insert', key: aKey(device, { id: known.key.id }) },
        ]
        await rejectsWith(store.commit({ writes, audit: change.audit }), 'key.already_known')
        assert.deepEqual(await snapshotOf(store), before)
        assert.equal(await store.read.device(device.id), undefined)
        assert.equal(await store.read.key(key.id), undefined)
        assert.equal(await store.read.certificate(certificate.authorityId, certificate.serialNumber), undefined)
        assert.equal(await store.read.tokenByHash(token.secretHash), undefined)
        assert.equal(await store.read.quotaTaken('c'), 0)
        assert.equal(await store.read.publication('p'), undefined)
        assert.equal((await store.read.device(known.device.id))?.state, 'manufactured')
        assert.deepEqual(await store.lease('crl', NOW, 60, 10), [])
      })

      it('may say the same thing twice only where the contract allows it', async () => {
        const store = await newStore()
        const device = aDevice()
        await rejectsWith(
          store.commit(only({ kind: 'device.insert', device }, { kind: 'device.insert', device })),
          'device.exists',
        )
        assert.equal((await store.read.counts()).devices, 0)
      })

      it('sees its own earlier writes', async () => {
        const store = await newStore()
        const device = aDevice()
        const { id } = device
        await store.commit(
          only(
            { kind: 'device.insert', device },
            { kind: 'device.state', id, from: 'manufactured', to: 'shipped', at: NOW },
            { kind: 'device.state', id, from: 'shipped', to: 'active', at: NOW + 1 },
            { kind: 'device.insert', device: aDevice() },
          ),
        )
        assert.equal((await store.read.device(id))?.state, 'active')
      })

      it('is told where its first entry stands, and finds its entries there', async () => {
        const store = await newStore()
        const entries = [anEntry(), anEntry(), anEntry()]
        await store.commit({ writes: [], audit: [anEntry(), anEntry()] })
        const { firstAuditIndex } = await store.commit({ writes: [], audit: entries })
        assert.equal(firstAuditIndex, 2)
        for (const [i, entry] of entries.entries()) {
          assert.deepEqual(await store.read.auditEntry(firstAuditIndex + i), encodeAuditEntry(entry))
        }
        assert.equal(await store.read.auditEntry(5), undefined)
      })

      it('is refused before anything happens where no store could apply it', async () => {
        const store = await newStore()
        const { change, certificate } = aUnit()
        const write = (auditEntry: number): Write => ({ kind: 'certificate.insert', certificate, auditEntry })
        await rejectsWith(store.commit({ writes: [write(2)], audit: change.audit }), 'store.change_invalid')
        await rejectsWith(store.commit({ writes: [write(-1)], audit: change.audit }), 'store.change_invalid')
        await rejectsWith(store.commit({ writes: [write(1), write(1)], audit: change.audit }), 'store.change_invalid')
        await refuses(store, { kind: 'quota.take', counter: 'c', amount: -1, limit: 9 }, 'store.change_invalid')
        await refuses(store, { kind: 'device.insert', device: aDevice({ model: 'a\0b' }) }, 'store.text_invalid')
        await refuses(
          store,
          { kind: 'device.insert', device: aDevice({ serialNumber: '\ud800' }) },
          'store.text_invalid',
        )
        await refuses(store, { kind: 'device.insert', device: aDevice({ id: deviceId('xyz') }) }, 'store.value_invalid')
        await refuses(store, { kind: 'device.insert', device: aDevice({ id: deviceId('') }) }, 'store.value_invalid')
        await refuses(store, { kind: 'device.insert', device: aDevice({ createdAt: 1.5 }) }, 'store.value_invalid')
        await rejectsWith(store.commit({ writes: [], audit: [anEntry({ at: -1 })] }), 'audit.entry_invalid')
        assert.equal((await store.read.auditHead()).size, 0)
      })
    })

    describe('change sets that are written together', () => {
      it('fail alone, wherever in the group they stand', async () => {
        const store = await newStore()
        const known = aUnit()
        await store.commit(known.change)
        for (const bad of [[0], [4], [8], [0, 1, 2], [3, 4, 8], [0, 1, 2, 3, 4, 5, 6, 7, 8]]) {
          const units = Array.from({ length: 9 }, () => aUnit())
          const changes = units.map(({ change }, i) => {
            const duplicate: Write = { kind: 'key.insert', key: known.key }
            return bad.includes(i) ? { ...change, writes: [...change.writes, duplicate] } : change
          })
          const { size } = await store.read.auditHead()
          const outcomes = await store.commitEach(changes)
          let next = size
          for (const [i, outcome] of outcomes.entries()) {
            const stored = await store.read.device(units[i]!.device.id)
            if (bad.includes(i)) {
              assert.ok(outcome instanceof TouchmarkError)
              assert.equal(outcome.code, 'key.already_known')
              assert.equal(stored, undefined)
            } else {
              assert.deepEqual(outcome, { firstAuditIndex: next })
              assert.deepEqual(stored, units[i]!.device)
              next += 2
            }
          }
        }
      })

      it('are applied in order: the first that asks for something gets it', async () => {
        const store = await newStore()
        const devices = Array.from({ length: 20 }, (_, i) => aDevice({ serialNumber: `S${i % 4}` }))
        const outcomes = await store.commitEach(devices.map(device => only({ kind: 'device.insert', device })))
        assert.deepEqual(
          outcomes.map(outcome => (outcome instanceof TouchmarkError ? outcome.code : 'done')),
          devices.map((_, i) => (i < 4 ? 'done' : 'device.exists')),
        )
        for (const device of devices.slice(0, 4)) assert.deepEqual(await store.read.device(device.id), device)
      })

      it('take nothing from the others where the database itself refuses a statement', async () => {
        const store = await newStore()
        const broken = aDevice({ state: null as never })
        const outcomes = await store.commitEach([
          aUnit().change,
          only({ kind: 'device.insert', device: broken }),
          aUnit().change,
        ])
        assert.deepEqual(
          outcomes.map(outcome => (outcome instanceof TouchmarkError ? outcome.code : outcome)),
          [{ firstAuditIndex: 0 }, 'store.failed', { firstAuditIndex: 2 }],
        )
      })

      it('are not held up by one that cannot even be planned', async () => {
        const store = await newStore()
        const outcomes = await store.commitEach([
          aUnit().change,
          only(
            { kind: 'device.insert', device: aDevice() },
            { kind: 'device.insert', device: aDevice({ id: deviceId('?') }) },
          ),
          aUnit().change,
        ])
        assert.deepEqual(
          outcomes.map(outcome => (outcome instanceof TouchmarkError ? outcome.code : outcome)),
          [{ firstAuditIndex: 0 }, 'store.value_invalid', { firstAuditIndex: 2 }],
        )
      })

      it('fill tiles and go on behind them', async () => {
        const store = await newStore()
        const changes = Array.from({ length: 700 }, () => ({ writes: [], audit: [anEntry()] }))
        const outcomes = await store.commitEach(changes)
        assert.deepEqual(
          outcomes,
          changes.map((_, i) => ({ firstAuditIndex: i })),
        )
        assert.equal((await store.read.auditTile(0, 1))?.length, 256 * 32)
        assert.equal((await store.read.auditTile(0, 2))?.length, (700 - 512) * 32)
        assert.equal((await store.read.auditTile(1, 0))?.length, 2 * 32)
        assert.equal(await store.read.auditTile(2, 0), undefined)
      })
    })

    it('behaves like a model in memory, whatever is asked in whatever grouping', async () => {
      // More histories in test/nightly/store-model.nightly.ts.
      await behavesLikeTheModel(() => newStores(2), assertInvariants, 6)
      opened.length = 0
    })

    describe('several processes on one database', () => {
      it('see each other, and the log goes on where the other left it', async () => {
        const [one, other] = (await newStores(2)) as [Store, Store]
        for (let i = 0; i < 6; i++) {
          const store = i % 2 === 0 ? one : other
          const { change, device } = aUnit()
          assert.deepEqual(await store.commit(change), { firstAuditIndex: 2 * i })
          assert.deepEqual(await other.read.device(device.id), device)
          assert.deepEqual(await one.read.device(device.id), device)
        }
      })

      it('race for the same device, key, token, serial number and version: each is won once', async () => {
        const stores = await newStores(2)
        const owner = aDevice()
        const tokens = Array.from({ length: 10 }, () => aToken(owner))
        const owned: Write[] = tokens.map(token => ({ kind: 'token.insert', token }))
        await stores[0]!.commit(only({ kind: 'device.insert', device: owner }, ...owned))
        const wanted: (() => Write)[] = tokens.flatMap((token, i) => {
          const key = aKey(owner)
          const { serialNumber: serial } = aCertificate(owner, key)
          return [
            () => ({ kind: 'device.insert', device: aDevice({ serialNumber: `raced-${i}` }) }),
            () => ({ kind: 'key.insert', key }),
            () => ({ kind: 'token.use', id: token.id, at: NOW }),
            () => ({ kind: 'document.insert', document: aDocument({ name: 'rules', version: i }) }),
            () => ({ kind: 'quota.take', counter: `raced-${i}`, amount: 1, limit: 1 }),
            () => ({ kind: 'authority.insert', authority: anAuthority({ id: authorityId(`raced-${i}`) }) }),
            () => ({
              kind: 'publication.put',
              publication: aPublication({ name: `raced-${i}` }),
            }),
            () => ({
              kind: 'certificate.insert',
              certificate: aCertificate(null, null, { serialNumber: serial }),
              auditEntry: 0,
            }),
          ] satisfies (() => Write)[]
        })
        const outcomes = await Promise.all(
          wanted.map(write => Promise.allSettled(stores.map(store => store.commit(only(write()))))),
        )
        for (const both of outcomes) {
          assert.equal(both.filter(({ status }) => status === 'fulfilled').length, 1)
          for (const outcome of both) {
            if (outcome.status === 'rejected') assert.equal((outcome.reason as TouchmarkError).kind, 'conflict')
          }
        }
      })

      it('count a quota together', async () => {
        const stores = await newStores(2)
        const takes = Array.from({ length: 40 }, (_, i) =>
          stores[i % 2]!.commit(only({ kind: 'quota.take', counter: 'shared', amount: 1, limit: 25 })),
        )
        const won = (await Promise.allSettled(takes)).filter(({ status }) => status === 'fulfilled')
        assert.equal(won.length, 25)
        assert.equal(await stores[0]!.read.quotaTaken('shared'), 25)
      })

      it('are processes indeed: two children register the same units at the same time', async () => {
        const location = await engine.newLocation()
        const store = await createStore(location)
        opened.push(store)
        const [one, other] = await raceInChildren(location, 2, 150)
        const won = [...one!, ...other!].sort((a, b) => a - b)
        assert.deepEqual(
          won,
          Array.from({ length: 150 }, (_, i) => i),
        )
        assert.equal((await store.read.counts()).devices, 150)
      })
    })

    it('keeps everything that it answered when the process is killed at any moment', async () => {
      const location = await engine.newLocation()
      await (await createStore(location))[Symbol.asyncDispose]()
      let answered = 0
      for (const after of [1, 60, 200]) {
        const serials = await commitInChild(location, after)
        assert.ok(serials.length >= after)
        const store = await openStore(location)
        try {
          for (const serial of serials) {
            const device = await store.read.deviceBySerial('killed', serial)
            assert.ok(device, `device ${serial} is there`)
            assert.equal((await store.read.certificatesOfDevice(device.id)).length, 1)
          }
          await assertInvariants(store)
        } finally {
          await store[Symbol.asyncDispose]()
        }
        answered += serials.length
      }
      const store = await openStore(location)
      opened.push(store)
      assert.ok((await store.read.counts()).devices >= answered)
      await store.commit(aUnit().change)
    })

    describe('work', () => {
      const request = (key: string, dueAt = NOW): ChangeSet => only({ kind: 'work.request', topic: 'crl', key, dueAt })
      const done = (work: Awaited<ReturnType<Store['lease']>>[number]): ChangeSet => only({ kind: 'work.done', work })

      it('coalesces, is leased when due, and to one at a time', async () => {
        const [store, other] = (await newStores(2)) as [Store, Store]
        await store.commit(request('a', NOW + 50))
        await store.commit(request('a', NOW + 10))
        await store.commit(request('a', NOW + 90))
        await store.commit(request('b', NOW + 5))
        assert.deepEqual(await store.lease('crl', NOW + 4, 60, 10), [])
        assert.deepEqual(await store.lease('checkpoint', NOW + 99, 60, 10), [])
        const [b] = await store.lease('crl', NOW + 20, 60, 1)
        assert.deepEqual([b?.key, b?.dueAt], ['b', NOW + 5])
        const [a, ...none] = await other.lease('crl', NOW + 20, 60, 10)
        assert.deepEqual([a?.key, a?.dueAt, none], ['a', NOW + 10, []])
        assert.deepEqual(await store.lease('crl', NOW + 79, 60, 10), [])
        // Whoever had it never came back: it is leased again.
        assert.equal((await store.lease('crl', NOW + 80, 60, 10)).length, 2)
      })

      it('is gone when it is done, unless it was asked for again meanwhile', async () => {
        const store = await newStore()
        await store.commit(request('a'))
        const [work] = await store.lease('crl', NOW, 60, 10)
        await store.commit(request('a', NOW + 1))
        assert.deepEqual(await store.lease('crl', NOW + 1, 60, 10), [])
        await store.commit(done(work!))
        const [again] = await store.lease('crl', NOW + 1, 60, 10)
        assert.equal(again?.key, 'a')
        assert.notEqual(again?.version, work?.version)
        await store.commit(done(again!))
        assert.deepEqual(await store.lease('crl', NOW + 999, 60, 10), [])
        await store.commit(request('a', NOW + 7))
        assert.equal((await store.lease('crl', NOW + 7, 60, 10))[0]?.dueAt, NOW + 7)
      })

      it('is not ended by a late worker while its successor has it', async () => {
        const store = await newStore()
        await store.commit(request('a'))
        const [late] = await store.lease('crl', NOW, 10, 10)
        await store.commit(request('a'))
        const [successor] = await store.lease('crl', NOW + 10, 60, 10)
        await store.commit(done(late!))
        assert.deepEqual(await store.lease('crl', NOW + 11, 60, 10), [])
        await store.commit(done(successor!))
        assert.deepEqual(await store.lease('crl', NOW + 999, 60, 10), [])
      })

      it('is leased once, however many ask at the same time', async () => {
        const stores = await newStores(2)
        for (let i = 0; i < 12; i++) await stores[0]!.commit(request(`k${i}`))
        const leased = await Promise.all(Array.from({ length: 8 }, (_, i) => stores[i % 2]!.lease('crl', NOW, 60, 3)))
        const keys = leased.flat().map(({ key }) => key)
        assert.equal(keys.length, 12)
        assert.equal(new Set(keys).size, 12)
      })
    })

    describe('reading', () => {
      it('answers what is not there with nothing, also where no store could hold it', async () => {
        const { read } = await newStore()
        for (const id of ['', 'xyz', '00'.repeat(16), 'f', "'; --"]) {
          assert.equal(await read.device(deviceId(id)), undefined)
          assert.equal(await read.key(id as ReturnType<typeof keyId>), undefined)
          assert.equal(await read.certificate(authorityId('idevid-1'), serialNumber(id)), undefined)
          assert.deepEqual(await read.certificatesBySerial(serialNumber(id)), [])
          assert.deepEqual(await read.certificatesOfDevice(deviceId(id)), [])
          assert.deepEqual(await read.keysOfDevice(deviceId(id)), [])
          assert.equal(await read.tokenByHash(id), undefined)
          assert.equal(await read.enrolment(id as ReturnType<typeof requestDigest>), undefined)
        }
        for (const text of ['', 'nobody', 'a\0b', '\ud800']) {
          assert.equal(await read.deviceBySerial(text, text), undefined)
          assert.deepEqual(await read.devicesBySerial(text), [])
          assert.deepEqual(await read.devicesAmong(text, [text, 'x']), [])
          assert.equal(await read.document('profile', text), undefined)
          assert.equal(await read.publication(text), undefined)
          assert.equal(await read.quotaTaken(text), 0)
          assert.equal(await read.batchByInput(text), undefined)
          assert.deepEqual(await read.platformCertificates(authorityId(text), text), [])
        }
        assert.deepEqual(await read.devicesAmong('m', []), [])
        assert.deepEqual(await read.keysAmong([]), [])
        assert.deepEqual(await read.authorities(), [])
        assert.equal(await read.latestCheckpoint(), undefined)
        assert.equal(await read.auditTile(0, 0), undefined)
      })

      it('pages through devices in order of id, of one batch, of both, and of one model in order of serial number', async () => {
        const { store, devices } = await withDevices()
        const { read } = store
        const cases = [
          [{}, () => true],
          [{ model: 'M0' }, (d: (typeof devices)[number]) => d.model === 'M0'],
          [{ batch: devices[0]!.batch! }, (d: (typeof devices)[number]) => d.batch === devices[0]!.batch],
          [
            { batch: devices[0]!.batch!, model: 'M1' },
            (d: (typeof devices)[number]) => d.batch === devices[0]!.batch && d.model === 'M1',
          ],
          [{ model: 'nobody' }, () => false],
        ] as const
        for (const [filter, belongs] of cases) {
          const found: string[] = []
          for (let after: string | null = ''; after !== null; ) {
            const page: Awaited<ReturnType<typeof read.devices>> = await read.devices({
              ...filter,
              limit: 7,
              ...(after === '' ? {} : { after }),
            })
            found.push(...page.items.map(({ id }) => id))
            after = page.next
          }
          assert.deepEqual(
            found,
            devices.filter(belongs).map(({ id }) => id),
          )
        }
      })

      it('finds devices by serial number of any model, and many at once', async () => {
        const { store, devices } = await withDevices()
        const { read } = store
        const sameSerial = [
          aDevice({ model: 'B', serialNumber: 'same' }),
          aDevice({ model: 'A', serialNumber: 'same' }),
        ]
        await store.commit(only(...sameSerial.map((device): Write => ({ kind: 'device.insert', device }))))
        assert.deepEqual(
          (await read.devicesBySerial('same')).map(({ model }) => model),
          ['A', 'B'],
        )
        const of = devices.filter(({ model }) => model === 'M0')
        const asked = [...of.map(({ serialNumber: serial }) => serial), 'x', 'a\0b', "it's", '"[{']
        const among = await read.devicesAmong('M0', asked)
        assert.deepEqual(
          among.map(({ id }) => id).sort(),
          of.map(({ id }) => id),
        )
        const keys = devices.map(device => aKey(device))
        await store.commit(only(...keys.map((key): Write => ({ kind: 'key.insert', key }))))
        const known = await read.keysAmong([
          ...keys.map(({ id }) => id),
          keyId(randomBytes(32)),
          'no' as (typeof keys)[0]['id'],
        ])
        assert.deepEqual(known.map(({ id }) => id).sort(), keys.map(({ id }) => id).sort())
      })

      it('lists certificates of a device and of the platform, newest first', async () => {
        const store = await newStore()
        const { device, key, certificate, change } = aUnit()
        await store.commit(change)
        const renewed = aCertificate(device, key, {
          replaces: { authorityId: certificate.authorityId, serialNumber: certificate.serialNumber },
        })
        await store.commit(only({ kind: 'certificate.insert', certificate: renewed, auditEntry: 0 }))
        const serials = (await store.read.certificatesOfDevice(device.id)).map(found => found.serialNumber)
        assert.deepEqual(serials, [renewed.serialNumber, certificate.serialNumber])
        const signers = [1, 2, 3].map(() => aCertificate(null, null, { profile: 'ocsp-signer' }))
        for (const signer of signers) {
          await store.commit(only({ kind: 'certificate.insert', certificate: signer, auditEntry: 0 }))
        }
        const found = await store.read.platformCertificates(authorityId('idevid-1'), 'ocsp-signer')
        assert.deepEqual(
          found.map(({ der: bytes }) => bytes),
          signers.map(({ der: bytes }) => bytes).reverse(),
        )
        assert.deepEqual(await store.read.platformCertificates(authorityId('idevid-1'), 'idevid'), [])
      })

      it('streams certificates, entries and revocations over more than one page, while others write', async () => {
        const store = await newStore()
        const units = Array.from({ length: 1203 }, () => aUnit())
        assert.ok((await store.commitEach(units.map(({ change }) => change))).every(done => !(done instanceof Error)))
        const { authorityId: authority } = units[0]!.certificate
        const revoke = units.filter((_, i) => i % 2 === 0)
        const revoked = await store.commitEach(
          revoke.map(({ certificate: { serialNumber: serial } }) =>
            only({
              kind: 'certificate.status',
              crlShard: 0,
              auditEntry: 0,
              authorityId: authority,
              serialNumber: serial,
              from: 'good',
              to: { kind: 'revoked', at: NOW, reason: 'superseded', invalidityDate: null },
            }),
          ),
        )
        assert.ok(revoked.every(outcome => !(outcome instanceof Error)))
        const seen: string[] = []
        for await (const { serialNumber: serial } of store.read.allCertificates()) {
          if (seen.push(serial) === 100) await store.commit(aUnit().change)
        }
        assert.deepEqual(
          seen.slice(0, 1203),
          units.map(({ certificate }) => certificate.serialNumber),
        )
        assert.equal(seen.length, 1204)
        const listed: string[] = []
        for await (const { count, serialNumbers, revokedAt } of store.read.revokedPages(authority, 0, NOW)) {
          assert.deepEqual([...revokedAt], Array(count).fill(NOW))
          listed.push(...hexColumn(serialNumbers))
        }
        assert.deepEqual(
          listed,
          revoke.map(({ certificate }) => certificate.serialNumber),
        )
        let expected = 1000
        for await (const { index } of store.read.auditEntries(1000)) assert.equal(index, expected++)
        assert.equal(expected, (await store.read.auditHead()).size)
      })

      it('pages through enrolments, who waited longest first, and batches, the newest first', async () => {
        const store = await newStore()
        const enrolments = Array.from({ length: 11 }, (_, i) => anEnrolment({ createdAt: NOW + (i >> 1) }))
        const batches = Array.from({ length: 5 }, () => aBatch())
        for (const enrolment of enrolments) await store.commit(only({ kind: 'enrolment.insert', enrolment }))
        for (const batch of batches) await store.commit(only({ kind: 'batch.insert', batch }))
        const order = (a: (typeof enrolments)[0], b: (typeof enrolments)[0]) =>
          a.createdAt - b.createdAt || (a.digest < b.digest ? -1 : 1)
        const found: unknown[] = []
        for (let after: string | null = null, more = true; more; more = after !== null) {
          const page: Awaited<ReturnType<typeof store.read.enrolments>> = await store.read.enrolments('pending', {
            limit: 4,
            ...(after === null ? {} : { after }),
          })
          found.push(...page.items)
          after = page.next
        }
        assert.deepEqual(found, enrolments.sort(order))
        assert.deepEqual((await store.read.enrolments('rejected', { limit: 4 })).items, [])
        const first = await store.read.batches({ limit: 3 })
        const second = await store.read.batches({ limit: 3, after: first.next! })
        assert.deepEqual([...first.items, ...second.items], batches.reverse())
        assert.equal(second.next, null)
      })

      it('keeps the newest checkpoint: a smaller one is ignored', async () => {
        const store = await newStore()
        const checkpoint = (size: number, note: string) => ({ size, note, at: NOW })
        await store.saveCheckpoint(checkpoint(10, 'ten'))
        await store.saveCheckpoint(checkpoint(12, 'twelve'))
        await store.saveCheckpoint(checkpoint(11, 'eleven'))
        assert.deepEqual(await store.read.latestCheckpoint(), checkpoint(12, 'twelve'))
        await store.saveCheckpoint(checkpoint(12, 'twelve, cosigned'))
        assert.deepEqual(await store.read.latestCheckpoint(), checkpoint(12, 'twelve, cosigned'))
      })

      it('moves its markers with what changed, whichever process changed it', async () => {
        const [store, other] = (await newStores(2)) as [Store, Store]
        const { read } = store
        const markers = async () => [await read.changeMarker(), await read.configurationMarker()] as const
        let [changes, configuration] = await markers()
        const expectMoved = async (configurationMoved: boolean) => {
          const [nextChanges, nextConfiguration] = await markers()
          assert.ok(nextChanges > changes)
          assert.equal(nextConfiguration > configuration, configurationMoved)
          ;[changes, configuration] = [nextChanges, nextConfiguration]
        }
        await other.commit(aUnit().change)
        await expectMoved(false)
        await other.commit(only({ kind: 'publication.put', publication: aPublication() }))
        await expectMoved(false)
        await other.commit(only({ kind: 'document.insert', document: aDocument() }))
        await expectMoved(true)
        await other.commit(only({ kind: 'authority.insert', authority: anAuthority() }))
        await expectMoved(true)
        await rejectsWith(other.commit(only({ kind: 'token.use', id: aToken(aDevice()).id, at: NOW })), 'token.used')
        assert.deepEqual(await markers(), [changes, configuration])
      })

      async function withDevices() {
        const store = await newStore()
        const batches = [aBatch().id, aBatch().id]
        const devices = Array.from({ length: 40 }, (_, i) => aDevice({ model: `M${i % 3}`, batch: batches[i % 2]! }))
        const changes = devices.map(device => only({ kind: 'device.insert', device }))
        assert.ok((await store.commitEach(changes)).every(outcome => !(outcome instanceof Error)))
        return { store, devices }
      }
    })

    describe('opening and closing', () => {
      it('makes a store only where there is none, and opens one only where there is one', async () => {
        const location = await engine.newLocation()
        await rejectsWith(openStore(location), 'store.missing')
        const store = await createStore(location)
        opened.push(store)
        await rejectsWith(createStore(location), 'store.exists')
        await store.commit(aUnit().change)
        await (await openStore(location))[Symbol.asyncDispose]()
      })

      it('finishes what it was asked before it closes, and takes nothing afterwards', async () => {
        const location = await engine.newLocation()
        const store = await createStore(location)
        const commits = Array.from({ length: 1500 }, () => store.commit(aUnit().change))
        const closing = store[Symbol.asyncDispose]()
        await rejectsWith(store.commit(aUnit().change), 'store.closed')
        await rejectsWith(store.lease('crl', NOW, 1, 1), 'store.closed')
        await Promise.all([...commits, closing, store[Symbol.asyncDispose]()])
        const again = await openStore(location)
        opened.push(again)
        assert.equal((await again.read.counts()).devices, 1500)
      })
    })
  })
}

/** Everything that a change set could have left behind. */
async function snapshotOf({ read }: Store) {
  return {
    head: await read.auditHead(),
    counts: await read.counts(),
    changes: await read.changeMarker(),
    configuration: await read.configurationMarker(),
    entry: await read.auditEntry((await read.auditHead()).size),
    documents: await read.documents('profile'),
  }
}

async function refuses(store: Store, write: Write, code: string): Promise<void> {
  await rejectsWith(store.commit(only(write)), code)
}

async function rejectsWith(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof TouchmarkError, String(error))
    assert.equal(error.code, code)
    return true
  })
}

/** An OCTET STRING of 256 octets or more: any DER will do for a certificate that nobody reads. */
function der(length: number): Uint8Array {
  return Uint8Array.of(0x04, 0x82, length >> 8, length & 0xff, ...randomBytes(length))
}
