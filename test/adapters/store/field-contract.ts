// What `Store` of domain/ports.ts promises about a life in the field, as tests that run for every engine: what devices hold, say and belong
// to, and the campaigns that move them.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, afterEach, describe, it } from 'node:test'
import { openStore } from '../../../src/adapters/store/open-store.ts'
import { TouchmarkError } from '../../../src/core/errors.ts'
import type { CampaignDeviceState } from '../../../src/domain/campaign/campaign.ts'
import type { KeyHolding } from '../../../src/domain/device/key-holding.ts'
import type { Suspension } from '../../../src/domain/device/suspension.ts'
import { authorityId, deviceId, keyId, serialNumber } from '../../../src/domain/ids.ts'
import type { Page, Store, Write } from '../../../src/domain/ports.ts'
import type { Credential } from '../../../src/domain/renewal/credential.ts'
import { aCampaign, aCredential, aHealth, aStatement, aTransfer, newCampaignId } from '../../support/field-fixtures.ts'
import type { StoreEngine } from '../../support/store-engines.ts'
import { aCertificate, aDevice, aKey, anEnrolment, anEntry, aUnit, NOW, only } from '../../support/store-fixtures.ts'
import { selectsLikeTheModel } from './selection-model.ts'

export function fieldContract(name: string, engine: StoreEngine): void {
  describe(`A life in the field, stored on ${name}`, () => {
    const opened: Store[] = []
    // No `assertInvariants`: credentials stand here without the certificates that a renewal would have issued.
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

    let common: Promise<Store> | undefined
    after(async () => {
      await (await common)?.[Symbol.asyncDispose]()
    })

    /** One for all tests that look at nothing but what they made: making a database is most of what a test costs. */
    function commonStore(): Promise<Store> {
      common ??= engine.emptyStore().then(location => openStore(location))
      return common
    }

    describe('credentials', () => {
      it('credential.put: inserts, replaces, and fails with credential.changed where the revision is another', async () => {
        const store = await commonStore()
        const device = aDevice()
        const first = aCredential(device)
        const put = (credential: Credential, from: number | null): Write => ({
          kind: 'credential.put',
          credential,
          from,
        })
        await refuses(store, put(first, 1), 'credential.changed')
        await store.commit(only(put(first, null)))
        assert.deepEqual(await store.read.credential(device.id, 'ldevid'), first)
        await refuses(store, put(first, null), 'credential.changed')
        const second = aCredential(device, {
          seenAt: NOW + 1,
          previous: { authorityId: first.authorityId, serialNumber: first.serialNumber },
          retireAt: NOW + 9,
          order: {
            reason: 'campaign',
            at: NOW,
            until: NOW + 5,
            newKey: true,
            keyAlgorithm: 'P-384',
            profile: 'ldevid-2',
            authorityId: authorityId('ldevid-9'),
            campaignId: newCampaignId(),
            scheduled: { windowStart: NOW + 1, windowEnd: NOW + 2 },
          },
          failures: 3,
          lastFailure: { code: 'renewal.early', at: NOW + 4 },
          revision: 2,
        })
        await store.commit(only(put(second, 1)))
        assert.deepEqual(await store.read.credential(device.id, 'ldevid'), second)
        await refuses(store, put(second, 1), 'credential.changed')
        const other = aCredential(device, { profile: 'a-tls' })
        await store.commit(only(put(other, null)))
        assert.deepEqual(await store.read.credentialsOfDevice(device.id), [other, second])
        assert.equal(await store.read.credential(device.id, 'x'), undefined)
        assert.equal(await store.read.credential(deviceId('?'), 'ldevid'), undefined)
      })

      it('credential.remove: fails with credential.changed where the revision is another', async () => {
        const store = await commonStore()
        const device = aDevice()
        const remove = (from: number): Write => ({
          kind: 'credential.remove',
          deviceId: device.id,
          profile: 'ldevid',
          from,
        })
        await refuses(store, remove(1), 'credential.changed')
        await store.commit(only({ kind: 'credential.put', credential: aCredential(device), from: null }))
        await refuses(store, remove(2), 'credential.changed')
        await store.commit(only(remove(1)))
        assert.equal(await store.read.credential(device.id, 'ldevid'), undefined)
      })

      it('are found by what is due: to retire, expiring, overdue, each in order of its time, page by page', async () => {
        const store = await newStore()
        const credentials = Array.from({ length: 23 }, (_, i) =>
          aCredential(aDevice(), {
            notAfter: NOW + 1000 + (i % 7),
            windowEnd: NOW + 500 - (i % 5),
            previous: i % 2 === 0 ? { authorityId: authorityId('a'), serialNumber: serialNumber('01') } : null,
            retireAt: i % 2 === 0 ? NOW + 50 - i : null,
          }),
        )
        for (const credential of credentials) {
          await store.commit(only({ kind: 'credential.put', credential, from: null }))
        }
        const by = (timeOf: (credential: Credential) => number) => (a: Credential, b: Credential) =>
          timeOf(a) - timeOf(b) || (a.deviceId < b.deviceId ? -1 : 1)
        const retiring = credentials
          .filter(({ retireAt }) => retireAt !== null && retireAt <= NOW + 44)
          .sort(by(({ retireAt }) => retireAt ?? 0))
        assert.deepEqual(await store.read.credentialsToRetire(NOW + 44, 100), retiring)
        assert.deepEqual(await store.read.credentialsToRetire(NOW + 44, 3), retiring.slice(0, 3))

        const range = { from: NOW + 1002, until: NOW + 1005 }
        assert.deepEqual(
          await allOf(4, page => store.read.credentialsExpiring(range, page)),
          credentials
            .filter(({ notAfter }) => notAfter >= range.from && notAfter < range.until)
            .sort(by(({ notAfter }) => notAfter)),
        )
        assert.deepEqual(
          await allOf(4, page => store.read.credentialsOverdue(NOW + 499, page)),
          credentials.filter(({ windowEnd }) => windowEnd < NOW + 499).sort(by(({ windowEnd }) => windowEnd)),
        )
      })

      it('are renewed once, whoever tries at the same time', async () => {
        const stores = await newStores(2)
        const credential = aCredential(aDevice())
        await stores[0]!.commit(only({ kind: 'credential.put', credential, from: null }))
        const outcomes = await Promise.all(
          Array.from({ length: 20 }, (_, i) =>
            stores[i % 2]!.commit(
              only({ kind: 'credential.put', credential: { ...credential, failures: i, revision: 2 }, from: 1 }),
            ).then(
              () => i,
              (error: unknown) => codeOf(error),
            ),
          ),
        )
        const winners = outcomes.filter(outcome => outcome !== 'credential.changed')
        assert.equal(winners.length, 1)
        assert.equal((await stores[1]!.read.credential(credential.deviceId, 'ldevid'))?.failures, winners[0])
      })
    })

    describe('the renewal plan', () => {
      it('plan.add: counts up and down by profile, measure and bucket; what is empty is not there', async () => {
        const store = await commonStore()
        const add = (
          bucket: number,
          amount: number,
          measure: 'window' | 'expiry' = 'window',
          profile = 'p',
        ): Write => ({
          kind: 'plan.add',
          profile,
          measure,
          bucket,
          amount,
        })
        await store.commit(
          only(add(100, 2), add(200, 1), add(300, 5), add(200, 3, 'expiry'), add(200, 4, 'window', 'q')),
        )
        await store.commit(only(add(100, 1), add(200, -1), add(300, -1)))
        assert.deepEqual(await store.read.planned('p', 'window', 0, 1000), [
          { start: 100, planned: 3 },
          { start: 300, planned: 4 },
        ])
        assert.deepEqual(await store.read.planned('p', 'window', 101, 300), [])
        assert.deepEqual(await store.read.planned('p', 'window', 100, 300), [{ start: 100, planned: 3 }])
        assert.deepEqual(await store.read.planned('p', 'expiry', 0, 1000), [{ start: 200, planned: 3 }])
        assert.deepEqual(await store.read.planned('q', 'window', 0, 1000), [{ start: 200, planned: 4 }])
      })

      it('loses no count, however many processes count at once', async () => {
        const stores = await newStores(2)
        const changes = Array.from({ length: 60 }, () => ({
          writes: [{ kind: 'plan.add', profile: 'p', measure: 'window', bucket: 7, amount: 1 } as const],
          audit: [],
        }))
        await Promise.all(stores.map(store => store.commitEach(changes)))
        assert.deepEqual(await stores[0]!.read.planned('p', 'window', 0, 10), [{ start: 7, planned: 120 }])
      })
    })

    describe('health', () => {
      it('health.put: replaces what was said, and fails with health.sequence_changed where the sequence is another', async () => {
        const store = await commonStore()
        const device = aDevice()
        const first = aHealth(device)
        const second = aHealth(device, { sequence: 5, firmware: null, configuration: 'c', lastError: 'est.timeout' })
        const put = (health: typeof first, from: number | null): Write => ({ kind: 'health.put', health, from })
        await refuses(store, put(second, 1), 'health.sequence_changed')
        await store.commit(only(put(first, null)))
        assert.deepEqual(await store.read.health(device.id), first)
        await refuses(store, put(first, null), 'health.sequence_changed')
        await store.commit(only(put(second, 1)))
        assert.deepEqual(await store.read.health(device.id), second)
        await refuses(store, put(second, 1), 'health.sequence_changed')
        assert.equal(await store.read.health(aDevice().id), undefined)
      })
    })

    describe('properties', () => {
      const value = (text: string) => ({ value: text, personal: false, salt: null })

      it('device.property: set, replaced and erased; fails with device.property_changed otherwise', async () => {
        const store = await commonStore()
        const { id } = aDevice()
        const personal = { value: 'Žofie', personal: true, salt: new Uint8Array(randomBytes(16)) }
        const write = (from: string | null, to: ReturnType<typeof value> | typeof personal | null): Write => ({
          kind: 'device.property',
          deviceId: id,
          name: 'owner',
          from,
          to,
        })
        await refuses(store, write('acme', value('x')), 'device.property_changed')
        await refuses(store, write('acme', null), 'device.property_changed')
        await refuses(store, write(null, null), 'store.change_invalid')
        await store.commit(only(write(null, value('acme'))))
        await refuses(store, write(null, value('acme')), 'device.property_changed')
        await store.commit(only(write('acme', personal)))
        assert.deepEqual(await store.read.propertiesOfDevice(id), [{ deviceId: id, name: 'owner', ...personal }])
        await refuses(store, write('acme', null), 'device.property_changed')
        await store.commit(only(write('Žofie', null)))
        assert.deepEqual(await store.read.propertiesOfDevice(id), [])
      })

      it('labels are properties and stand on the device: both are made, changed and erased together', async () => {
        const store = await commonStore()
        const device = aDevice({ labels: { line: 'ä7', 'x"y.$': '€\\' } })
        await store.commit(only({ kind: 'device.insert', device }))
        const label = (name: string, text: string) => ({ deviceId: device.id, name: `label:${name}`, ...value(text) })
        const inOrder = (properties: readonly { name: string }[]) =>
          properties.toSorted((a, b) => (a.name < b.name ? -1 : 1))
        assert.deepEqual(
          await store.read.propertiesOfDevice(device.id),
          inOrder([label('line', 'ä7'), label('x"y.$', '€\\')]),
        )
        const write = (name: string, from: string | null, to: string | null): Write => ({
          kind: 'device.property',
          deviceId: device.id,
          name: `label:${name}`,
          from,
          to: to === null ? null : value(to),
        })
        await store.commit(only(write('line', 'ä7', '8'), write('x"y.$', '€\\', null), write('n', null, 'null')))
        assert.deepEqual((await store.read.device(device.id))?.labels, { line: '8', n: 'null' })
        assert.deepEqual(
          await store.read.propertiesOfDevice(device.id),
          inOrder([label('line', '8'), label('n', 'null')]),
        )
        await refuses(store, write('line', 'ä7', '9'), 'device.property_changed')
        assert.deepEqual((await store.read.device(device.id))?.labels, { line: '8', n: 'null' })
      })

      it('a label that is set where its device is made stands on both', async () => {
        const store = await commonStore()
        const device = aDevice({ labels: { a: '1' } })
        await store.commit(
          only(
            { kind: 'device.insert', device },
            { kind: 'device.property', deviceId: device.id, name: 'label:b', from: null, to: value('2') },
            { kind: 'device.property', deviceId: device.id, name: 'label:a', from: '1', to: value('3') },
          ),
        )
        assert.deepEqual((await store.read.device(device.id))?.labels, { a: '3', b: '2' })
      })

      it('a device that cannot be made leaves no labels', async () => {
        const store = await newStore()
        const device = aDevice()
        await store.commit(only({ kind: 'device.insert', device }))
        const again = aDevice({ ...device, id: aDevice().id, labels: { a: '1' } })
        await refuses(store, { kind: 'device.insert', device: again }, 'device.exists')
        await refuses(store, { kind: 'device.insert', device: { ...device, labels: { a: '1' } } }, 'device.exists')
        assert.deepEqual(await Array.fromAsync(store.read.allProperties()), [])
      })

      it('are streamed in order of device and name', async () => {
        const store = await newStore()
        const devices = Array.from({ length: 300 }, () => aDevice({ labels: { b: '1', a: '2' } }))
        await store.commitEach(devices.map(device => only({ kind: 'device.insert', device })))
        const streamed = await Array.fromAsync(store.read.allProperties())
        assert.deepEqual(
          streamed.map(({ deviceId: id, name }) => [id, name]),
          devices.flatMap(({ id }) => [
            [id, 'label:a'],
            [id, 'label:b'],
          ]),
        )
      })
    })

    describe('keys, statements, suspensions', () => {
      it('key.holding: says how a key is held, in place of what was said before', async () => {
        const store = await commonStore()
        const id = keyId(randomBytes(32))
        const holding: KeyHolding = { keyId: id, place: 'file', protection: 'none', attestation: 'declared', at: NOW }
        const next: KeyHolding = {
          ...holding,
          place: 'tpm',
          protection: 'hardware',
          attestation: 'attested',
          at: NOW + 1,
        }
        assert.equal(await store.read.keyHolding(id), undefined)
        await store.commit(only({ kind: 'key.holding', holding }))
        assert.deepEqual(await store.read.keyHolding(id), holding)
        await store.commit(only({ kind: 'key.holding', holding: next }))
        assert.deepEqual(await store.read.keyHolding(id), next)
      })

      it('statement.put: keeps each once, as it came; oldest first', async () => {
        const store = await commonStore()
        const device = aDevice()
        const late = aStatement(device, { at: NOW + 2, kind: 'destruction_witness' })
        const early = aStatement(device)
        await store.commit(
          only({ kind: 'statement.put', statement: late }, { kind: 'statement.put', statement: early }),
        )
        await store.commit(only({ kind: 'statement.put', statement: { ...early, at: NOW + 9 } }))
        assert.deepEqual(await store.read.statementsOfDevice(device.id), [early, late])
        assert.deepEqual(await store.read.statementsOfDevice(aDevice().id), [])
      })

      it('suspension.put and suspension.remove: one for a device, and none is no mistake', async () => {
        const store = await commonStore()
        const { id } = aDevice()
        const suspension: Suspension = {
          deviceId: id,
          at: NOW,
          from: 'active',
          certificates: [{ authorityId: authorityId('a'), serialNumber: serialNumber('01'), heldAt: NOW }],
          keys: [{ id: keyId(randomBytes(32)), from: 'in_use' }],
        }
        await store.commit(only({ kind: 'suspension.remove', deviceId: id }))
        await store.commit(only({ kind: 'suspension.put', suspension: { ...suspension, at: NOW - 1, keys: [] } }))
        await store.commit(only({ kind: 'suspension.put', suspension }))
        assert.deepEqual(await store.read.suspension(id), suspension)
        await store.commit(only({ kind: 'suspension.remove', deviceId: id }))
        assert.equal(await store.read.suspension(id), undefined)
      })

      it('device.certificates: fails with device.certificates_changed where there are more, or fewer', async () => {
        const store = await commonStore()
        const { change, device, key } = aUnit()
        const expect = (count: number): Write => ({ kind: 'device.certificates', id: device.id, count })
        await refuses(store, expect(0), 'device.certificates_changed')
        await store.commit(change)
        await store.commit(only(expect(1)))
        await refuses(store, expect(0), 'device.certificates_changed')
        await refuses(store, expect(2), 'device.certificates_changed')
        // Whoever comes first in the same group is seen.
        const issue: Write = { kind: 'certificate.insert', certificate: aCertificate(device, key), auditEntry: 0 }
        const again: Write = { kind: 'certificate.insert', certificate: aCertificate(device, key), auditEntry: 0 }
        const outcomes = await store.commitEach([only(issue), only(expect(1)), only(expect(2)), only(again)])
        assert.deepEqual(
          outcomes.map(outcome => (outcome instanceof Error ? codeOf(outcome) : 'done')),
          ['done', 'device.certificates_changed', 'done', 'done'],
        )
      })

      it('finds the requests of a device that still wait or are approved', async () => {
        const store = await commonStore()
        const device = aDevice()
        const pending = anEnrolment({ deviceId: device.id, createdAt: NOW + 1 })
        const approved = anEnrolment({ deviceId: device.id, state: { kind: 'approved', by: 'ops', at: NOW } })
        const rejected = anEnrolment({
          deviceId: device.id,
          state: { kind: 'rejected', by: 'ops', at: NOW, reason: 'no' },
        })
        const others = anEnrolment({ deviceId: aDevice().id })
        const writes = [pending, approved, rejected, others, anEnrolment()].map(
          (enrolment): Write => ({ kind: 'enrolment.insert', enrolment }),
        )
        await store.commit(only(...writes))
        assert.deepEqual(await store.read.openEnrolmentsOfDevice(device.id), [approved, pending])
      })

      it('lists what an authority issued in the order of issue, page by page', async () => {
        const store = await commonStore()
        const device = aDevice()
        const key = aKey(device)
        await store.commit(only({ kind: 'device.insert', device }, { kind: 'key.insert', key }))
        const certificates = Array.from({ length: 9 }, (_, i) =>
          aCertificate(device, key, { authorityId: authorityId(`ca-${i % 2}`) }),
        )
        for (const certificate of certificates) {
          await store.commit(only({ kind: 'certificate.insert', certificate, auditEntry: 0 }))
        }
        const listed = await allOf(2, page => store.read.certificatesOfAuthority(authorityId('ca-0'), page))
        assert.deepEqual(
          listed.map(({ serialNumber: serial }) => serial),
          certificates.filter((_, i) => i % 2 === 0).map(({ serialNumber: serial }) => serial),
        )
        assert.deepEqual((await store.read.certificatesOfAuthority(authorityId('none'), { limit: 5 })).items, [])
      })
    })

    describe('transfers of ownership', () => {
      it('transfer.insert: fails with transfer.exists where the id is taken, or another transfer is under way', async () => {
        const store = await commonStore()
        const device = aDevice()
        const transfer = aTransfer(device)
        const insert = (made: typeof transfer): Write => ({ kind: 'transfer.insert', transfer: made })
        await store.commit(only(insert(transfer)))
        assert.deepEqual(await store.read.transfer(transfer.id), transfer)
        await refuses(store, insert(aTransfer(device)), 'transfer.exists')
        await refuses(store, insert(aTransfer(aDevice(), { id: transfer.id })), 'transfer.exists')
        const past = aTransfer(device, { state: 'cancelled', createdAt: NOW - 5 })
        await store.commit(only(insert(past)))
        assert.deepEqual(await store.read.transfersOfDevice(device.id), [transfer, past])
      })

      it('transfer.state: fails with transfer.state_changed where the state is another; the next may begin at the end', async () => {
        const store = await newStore()
        const device = aDevice()
        const transfer = aTransfer(device, { from: 'acme' })
        const { id } = transfer
        const agreements = [{ party: 'to', by: 'signature', signature: 'AAAA', at: NOW + 1 }] as const
        const accept = {
          kind: 'transfer.state',
          id,
          from: 'proposed',
          to: 'accepted',
          at: NOW + 1,
          agreements,
        } as const
        await refuses(store, accept, 'transfer.state_changed')
        await store.commit(only({ kind: 'transfer.insert', transfer }))
        await refuses(store, { ...accept, agreed: agreements }, 'transfer.state_changed')
        await store.commit(only({ ...accept, to: 'proposed', agreed: [] }))
        await refuses(store, { ...accept, agreed: [] }, 'transfer.state_changed')
        await store.commit(only(accept))
        const accepted = { ...transfer, state: 'accepted', stateChangedAt: NOW + 1, agreements }
        assert.deepEqual(await store.read.transfer(id), accepted)
        await refuses(store, accept, 'transfer.state_changed')
        await refuses(store, { kind: 'transfer.insert', transfer: aTransfer(device) }, 'transfer.exists')
        await store.commit(
          only(
            { ...accept, from: 'accepted', to: 'effective' },
            { kind: 'transfer.insert', transfer: aTransfer(device, { createdAt: NOW + 7 }) },
          ),
        )
        assert.equal((await store.read.transfersOfDevice(device.id)).length, 2)
        assert.equal((await Array.fromAsync(store.read.allTransfers())).length, 2)
      })

      it('finds the accepted ones whose date has come, soonest first', async () => {
        const store = await commonStore()
        const transfers = [5, 1, 9, 3].map(after =>
          aTransfer(aDevice(), { state: 'accepted', effectiveAt: NOW + after }),
        )
        const proposed = aTransfer(aDevice(), { effectiveAt: NOW })
        const writes = [...transfers, proposed].map((transfer): Write => ({ kind: 'transfer.insert', transfer }))
        await store.commit(only(...writes))
        assert.deepEqual(await store.read.transfersDue(NOW + 5, 10), [transfers[1], transfers[3], transfers[0]])
        assert.deepEqual(await store.read.transfersDue(NOW + 5, 1), [transfers[1]])
      })

      it('is proposed once, whoever proposes at the same time', async () => {
        const stores = await newStores(2)
        const device = aDevice()
        const outcomes = await Promise.all(
          Array.from({ length: 12 }, (_, i) =>
            stores[i % 2]!.commit(only({ kind: 'transfer.insert', transfer: aTransfer(device) })).then(
              () => 'done',
              codeOf,
            ),
          ),
        )
        assert.equal(outcomes.filter(outcome => outcome === 'done').length, 1)
        assert.equal(outcomes.filter(outcome => outcome === 'transfer.exists').length, 11)
      })
    })

    describe('campaigns', () => {
      it('campaign.insert and campaign.update: fail with campaign.exists and campaign.changed', async () => {
        const store = await commonStore()
        const campaign = aCampaign()
        await store.commit(only({ kind: 'campaign.insert', campaign }))
        assert.deepEqual(await store.read.campaign(campaign.id), campaign)
        assert.deepEqual(await store.read.campaignByName(campaign.name), campaign)
        await refuses(
          store,
          { kind: 'campaign.insert', campaign: aCampaign({ name: campaign.name }) },
          'campaign.exists',
        )
        await refuses(store, { kind: 'campaign.insert', campaign: aCampaign({ id: campaign.id }) }, 'campaign.exists')
        const running = aCampaign({
          ...campaign,
          state: 'running',
          stateReason: 'because',
          devices: 7,
          waves: 2,
          wave: 1,
          hour: { since: NOW, asked: 4 },
          startedAt: NOW + 1,
          finishedAt: NOW + 2,
          revision: 2,
        })
        await store.commit(only({ kind: 'campaign.update', campaign: running, from: 1 }))
        assert.deepEqual(await store.read.campaign(campaign.id), running)
        await refuses(store, { kind: 'campaign.update', campaign: running, from: 1 }, 'campaign.changed')
        await refuses(store, { kind: 'campaign.update', campaign: aCampaign(), from: 1 }, 'campaign.changed')
      })

      it('are listed newest first, and those that are at work by themselves', async () => {
        const store = await newStore()
        const states = ['planned', 'running', 'paused', 'finished', 'cancelling', 'cancelled', 'rolling_back'] as const
        const campaigns = states.map(state => aCampaign({ state }))
        await store.commit(only(...campaigns.map((campaign): Write => ({ kind: 'campaign.insert', campaign }))))
        assert.deepEqual(await allOf(3, page => store.read.campaigns(page)), campaigns.toReversed())
        assert.deepEqual(
          (await store.read.campaignsAtWork()).map(({ state }) => state),
          ['running', 'paused', 'cancelling', 'rolling_back'],
        )
      })

      it('campaign.devices: writes down each device once, and counts what it wrote down', async () => {
        const store = await commonStore()
        const { id } = aCampaign()
        const devices = Array.from({ length: 6 }, () => aDevice().id)
        const plan = (wave: number, deviceIds: typeof devices): Write => ({
          kind: 'campaign.devices',
          id,
          wave,
          deviceIds,
          at: NOW,
        })
        const [a, b, c, d, e] = devices as [(typeof devices)[0], ...typeof devices]
        await store.commit(only(plan(0, [a, b!]), plan(1, [b!, c!, c!, d!])))
        await store.commit(only(plan(2, [a, d!]), plan(3, [])))
        assert.deepEqual(await store.read.campaignCounts(id), [
          { wave: 0, state: 'planned', devices: 2 },
          { wave: 1, state: 'planned', devices: 2 },
        ])
        assert.deepEqual(await store.read.campaignDevice(id, b!), {
          campaignId: id,
          deviceId: b,
          wave: 0,
          state: 'planned',
          stateChangedAt: NOW,
          reason: null,
          before: null,
        })
        assert.equal(await store.read.campaignDevice(id, e!), undefined)
        await refuses(store, plan(4, [e!, deviceId('?')]), 'store.value_invalid')
        const tooMany = Array.from({ length: 2001 }, () => e!)
        await refuses(store, plan(4, tooMany), 'store.change_invalid')
        const many = Array.from({ length: 2000 }, () => aDevice().id)
        await store.commit(only(plan(4, many)))
        assert.deepEqual((await store.read.campaignCounts(id)).at(-1), { wave: 4, state: 'planned', devices: 2000 })
        const listed = await allOf(700, page => store.read.campaignDevices(id, { state: 'planned', wave: 4 }, page))
        assert.deepEqual(
          listed.map(device => device.deviceId),
          many.toSorted(),
        )
      })

      it('campaign.device: moves device and counts; fails with campaign.device_changed where it is in another state', async () => {
        const store = await commonStore()
        const { id } = aCampaign()
        const devices = Array.from({ length: 4 }, () => aDevice().id)
        await store.commit(only({ kind: 'campaign.devices', id, wave: 3, deviceIds: devices, at: NOW }))
        const before = { profile: 'ldevid', authorityId: authorityId('a'), keyAlgorithm: 'P-256' } as const
        const move = (from: CampaignDeviceState, to: CampaignDeviceState, i = 0) =>
          ({
            kind: 'campaign.device',
            id,
            deviceId: devices[i]!,
            wave: 3,
            from,
            to,
            at: NOW + 1,
            reason: null,
          }) as const
        await refuses(store, move('asked', 'done'), 'campaign.device_changed')
        await refuses(store, { ...move('planned', 'asked'), wave: 2 }, 'campaign.device_changed')
        await refuses(store, { ...move('planned', 'asked'), deviceId: aDevice().id }, 'campaign.device_changed')
        await store.commit(only({ ...move('planned', 'asked'), before }, move('planned', 'asked', 1)))
        await store.commit(only({ ...move('asked', 'failed'), reason: 'campaign.too_late' }))
        await store.commit(only({ ...move('failed', 'failed'), reason: 'campaign.still_too_late' }))
        assert.deepEqual(await store.read.campaignDevice(id, devices[0]!), {
          campaignId: id,
          deviceId: devices[0],
          wave: 3,
          state: 'failed',
          stateChangedAt: NOW + 1,
          reason: 'campaign.still_too_late',
          before,
        })
        assert.deepEqual(await store.read.campaignCounts(id), [
          { wave: 3, state: 'asked', devices: 1 },
          { wave: 3, state: 'failed', devices: 1 },
          { wave: 3, state: 'planned', devices: 2 },
        ])
      })

      it('list their devices in order of wave and of the last change, page by page', async () => {
        const store = await commonStore()
        const { id } = aCampaign()
        const devices = Array.from({ length: 20 }, (_, i) => ({
          deviceId: aDevice().id,
          wave: i % 3,
          at: NOW + (i % 5),
        }))
        const plans = devices.map(
          ({ deviceId: device, wave, at }): Write => ({ kind: 'campaign.devices', id, wave, deviceIds: [device], at }),
        )
        await store.commit(only(...plans))
        const inOrder = devices.toSorted((a, b) => a.wave - b.wave || a.at - b.at || (a.deviceId < b.deviceId ? -1 : 1))
        const list = async (of: { state: CampaignDeviceState; wave?: number }) =>
          (await allOf(3, page => store.read.campaignDevices(id, of, page))).map(device => device.deviceId)
        assert.deepEqual(
          await list({ state: 'planned' }),
          inOrder.map(device => device.deviceId),
        )
        assert.deepEqual(
          await list({ state: 'planned', wave: 1 }),
          inOrder.filter(({ wave }) => wave === 1).map(device => device.deviceId),
        )
        assert.deepEqual(await list({ state: 'asked' }), [])
      })

      it('count right whatever conflicts and whichever process moves the devices', async () => {
        const stores = await newStores(2)
        const { id } = aCampaign()
        const devices = Array.from({ length: 30 }, () => aDevice().id)
        await stores[0]!.commit(only({ kind: 'campaign.devices', id, wave: 0, deviceIds: devices, at: NOW }))
        const moves = (store: Store, to: 'asked' | 'skipped') =>
          store.commitEach(
            devices.map(device =>
              only({
                kind: 'campaign.device',
                id,
                deviceId: device,
                wave: 0,
                from: 'planned',
                to,
                at: NOW,
                reason: null,
              }),
            ),
          )
        const outcomes = (await Promise.all([moves(stores[0]!, 'asked'), moves(stores[1]!, 'skipped')])).flat()
        assert.equal(outcomes.filter(outcome => codeOf(outcome) === 'campaign.device_changed').length, 30)
        let counted = 0
        for (const { state, devices: count } of await stores[0]!.read.campaignCounts(id)) {
          const listed = await allOf(7, page => stores[1]!.read.campaignDevices(id, { state }, page))
          assert.equal(listed.length, count, state)
          counted += count
        }
        assert.equal(counted, 30)
      })
    })

    it('happens whole or not at all: what fails at the end leaves nothing of what came before', async () => {
      const store = await newStore()
      const device = aDevice({ labels: { a: '1' } })
      const campaign = aCampaign()
      const credential = aCredential(device)
      const known = aHealth(aDevice())
      await store.commit(only({ kind: 'health.put', health: known, from: null }))
      const holding: KeyHolding = {
        keyId: keyId(randomBytes(32)),
        place: 'file',
        protection: 'none',
        attestation: 'none',
        at: NOW,
      }
      const writes: Write[] = [
        { kind: 'device.insert', device },
        {
          kind: 'device.property',
          deviceId: device.id,
          name: 'label:b',
          from: null,
          to: { value: '2', personal: false, salt: null },
        },
        { kind: 'credential.put', credential, from: null },
        { kind: 'plan.add', profile: 'p', measure: 'window', bucket: 1, amount: 1 },
        { kind: 'campaign.insert', campaign },
        { kind: 'campaign.devices', id: campaign.id, wave: 0, deviceIds: [device.id], at: NOW },
        { kind: 'transfer.insert', transfer: aTransfer(device) },
        { kind: 'statement.put', statement: aStatement(device) },
        { kind: 'key.holding', holding },
        { kind: 'health.put', health: known, from: null },
      ]
      const { audit } = only(...writes)
      await assert.rejects(store.commit({ writes, audit }), error => codeOf(error) === 'health.sequence_changed')
      const { read } = store
      assert.equal(await read.device(device.id), undefined)
      assert.deepEqual(await Array.fromAsync(read.allProperties()), [])
      assert.deepEqual(await read.credentialsOfDevice(device.id), [])
      assert.deepEqual(await read.planned('p', 'window', 0, 9), [])
      assert.equal(await read.campaign(campaign.id), undefined)
      assert.deepEqual(await read.campaignCounts(campaign.id), [])
      assert.deepEqual(await read.transfersOfDevice(device.id), [])
      assert.deepEqual(await read.statementsOfDevice(device.id), [])
      assert.equal(await read.keyHolding(holding.keyId), undefined)
      assert.equal((await read.auditHead()).size, 1)
      const rest = writes.slice(0, -1)
      await store.commit({ writes: rest, audit: [anEntry()] })
      assert.deepEqual((await read.device(device.id))?.labels, { a: '1', b: '2' })
    })

    it('names the write that conflicts, however many statements those before it need', async () => {
      const store = await commonStore()
      const device = aDevice({ labels: { a: '1' } })
      const { id } = aCampaign()
      const credential = aCredential(device)
      const outcomes = await store.commitEach([
        only(
          { kind: 'device.insert', device },
          { kind: 'plan.add', profile: 'p', measure: 'window', bucket: 1, amount: 5 },
        ),
        only(
          { kind: 'plan.add', profile: 'p', measure: 'window', bucket: 1, amount: -1 },
          { kind: 'device.property', deviceId: device.id, name: 'label:a', from: '1', to: null },
          { kind: 'campaign.devices', id, wave: 0, deviceIds: [device.id], at: NOW },
          { kind: 'credential.put', credential, from: 3 },
        ),
        only(
          { kind: 'plan.add', profile: 'p', measure: 'window', bucket: 1, amount: -2 },
          { kind: 'device.property', deviceId: device.id, name: 'label:a', from: 'x', to: null },
        ),
      ])
      assert.deepEqual(
        outcomes.map(outcome => (outcome instanceof Error ? codeOf(outcome) : 'done')),
        ['done', 'credential.changed', 'device.property_changed'],
      )
      assert.deepEqual(await store.read.planned('p', 'window', 0, 9), [{ start: 1, planned: 5 }])
    })

    it('selects devices like a model in memory, whatever is asked', async () => {
      // More queries in test/nightly/store-model.nightly.ts.
      await selectsLikeTheModel(await newStore(), 100)
    })
  })
}

/** Every page of a list, each checked to be full but for the last. */
export async function allOf<T>(
  limit: number,
  read: (page: { after?: string; limit: number }) => Promise<Page<T>>,
): Promise<T[]> {
  const items: T[] = []
  for (let after: string | null | undefined; after !== null; ) {
    const page = await read(after === undefined ? { limit } : { limit, after })
    assert.ok(page.items.length <= limit && (page.next === null || page.items.length === limit))
    items.push(...page.items)
    after = page.next
  }
  return items
}

function codeOf(error: unknown): string | undefined {
  return error instanceof TouchmarkError ? error.code : undefined
}

async function refuses(store: Store, write: Write, code: string): Promise<void> {
  await assert.rejects(store.commit(only(write)), (error: unknown) => {
    assert.equal(codeOf(error), code, String(error))
    return true
  })
}
