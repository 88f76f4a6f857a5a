// Campaigns over a real store, on both engines: waves with a canary, devices that follow and devices that hang, stop, pause, cancel and the
// way back; and that what a device does in its renewal is what moves the campaign on.
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { parseCertificationRequest } from '../../src/core/pki/csr.ts'
import type { KeyAlgorithmName } from '../../src/crypto/algorithms.ts'
import { generateKeyPair, type PrivateKey } from '../../src/crypto/keys.ts'
import type { CertificateRecord } from '../../src/domain/ca/certificate-record.ts'
import { advanceCampaign } from '../../src/domain/campaign/advance-campaigns.ts'
import { blastRadius } from '../../src/domain/campaign/blast-radius.ts'
import type { Campaign } from '../../src/domain/campaign/campaign.ts'
import {
  cancelCampaign,
  findCampaign,
  pauseCampaign,
  resumeCampaign,
  rollBackCampaign,
  startCampaign,
} from '../../src/domain/campaign/control-campaign.ts'
import { type CampaignDefinitionInput, parseCampaignDefinition } from '../../src/domain/campaign/definition.ts'
import { tallyOf } from '../../src/domain/campaign/next-step.ts'
import { checkTarget, planCampaign } from '../../src/domain/campaign/plan-campaign.ts'
import { campaignProgress } from '../../src/domain/campaign/progress.ts'
import type { Device } from '../../src/domain/device/device.ts'
import { suspendDevice } from '../../src/domain/device/suspend-device.ts'
import { authorityId } from '../../src/domain/ids.ts'
import type { Store } from '../../src/domain/ports.ts'
import { enrol } from '../../src/domain/ra/enrol.ts'
import { orderRenewal } from '../../src/domain/renewal/order-renewal.ts'
import { useProfile } from '../domain/renewal/fixture.ts'
import {
  auditLog,
  certify,
  OPERATOR,
  registerDevice,
  renewalCsrDer,
  type TestInstance,
  testInstance,
} from '../support/instance.ts'
import { assertInvariants } from '../support/invariants.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'

let postgres: TestPostgres
before(async () => {
  postgres = await startPostgres()
})
after(() => postgres.stop())

const ENGINES = [
  ['SQLite', async (t: TestContext) => testInstance(t)],
  ['PostgreSQL', async (t: TestContext) => testInstance(t, postgres)],
] as const

interface Unit {
  readonly device: Device
  key: PrivateKey
  record: CertificateRecord
}

async function fleet(instance: TestInstance, size: number): Promise<Unit[]> {
  const units: Unit[] = []
  for (let i = 0; i < size; i++) {
    const device = await registerDevice(instance, { state: 'active', model: 'gateway-7' })
    const key = await generateKeyPair('P-256')
    units.push({ device, key, record: await certify(instance, device, key, 'ldevid') })
  }
  return units
}

/** Renews as a device would that was asked: with a new key where that is wished. Answers the code of a refusal. */
async function renew(
  instance: TestInstance,
  unit: Unit,
  algorithm: KeyAlgorithmName = 'P-256',
): Promise<string | undefined> {
  const found = await instance.evidence.fromCertificates([unit.record.der], instance.clock.now())
  assert.ok(found.kind === 'evidence', JSON.stringify(found))
  const key = await generateKeyPair(algorithm)
  const outcome = await enrol(
    {
      protocol: 'test',
      operation: 'renew',
      profile: 'ldevid',
      csr: parseCertificationRequest(renewalCsrDer(key, unit.record.der)),
      evidence: [found.evidence],
      channelBinding: false,
      address: '192.0.2.7',
    },
    instance,
  )
  if (outcome.kind === 'denied') return outcome.code
  assert.ok(outcome.kind === 'issued')
  Object.assign(unit, { key, record: outcome.record })
  return undefined
}

async function plan(instance: TestInstance, input: Partial<CampaignDefinitionInput> = {}): Promise<Campaign> {
  const definition = parseCampaignDefinition({
    name: 'rekey',
    devices: { model: 'gateway-7' },
    target: { newKey: true },
    pace: { canary: 2, waveSize: 5, patienceSeconds: 3600, stopAtFailureShare: 0.5 },
    ...input,
  })
  return planCampaign(definition, OPERATOR, instance)
}

async function advance(instance: TestInstance, name = 'rekey') {
  await advanceCampaign(await findCampaign(name, instance), instance)
  const campaign = await findCampaign(name, instance)
  const total = tallyOf(await instance.store.read.campaignCounts(campaign.id))
  return { campaign, total }
}

async function asked(instance: TestInstance, units: readonly Unit[]): Promise<Unit[]> {
  const ordered: Unit[] = []
  for (const unit of units) {
    const credential = await instance.store.read.credential(unit.device.id, 'ldevid')
    if (credential?.order?.reason === 'campaign') ordered.push(unit)
  }
  return ordered
}

for (const [engine, open] of ENGINES) {
  describe(`a campaign on ${engine}`, () => {
    test('asks its canary, then wave after wave, and ends when every device has followed', async t => {
      const instance = await open(t)
      const units = await fleet(instance, 9)
      const planned = await plan(instance)
      assert.deepEqual([planned.devices, planned.waves, planned.state], [9, 3, 'planned'])
      assert.deepEqual(await asked(instance, units), [], 'a plan asks nobody')
      await startCampaign('rekey', OPERATOR, instance)
      const sizes: number[] = []
      for (let wave = 0; wave < 3; wave++) {
        const { campaign } = await advance(instance)
        assert.equal(campaign.wave, wave)
        const now = await asked(instance, units)
        sizes.push(now.length)
        const keys = new Map(now.map(unit => [unit, unit.record.keyId]))
        for (const unit of now) assert.equal(await renew(instance, unit), undefined)
        for (const [unit, old] of keys) assert.notEqual(unit.record.keyId, old)
      }
      assert.deepEqual(sizes, [2, 5, 2])
      const { campaign, total } = await advance(instance)
      assert.deepEqual([campaign.state, total.done], ['finished', 9])
      await assertInvariants(instance.store)
    })

    test('pauses when too many of a wave do not follow, says who hangs and why, and goes on when told to', async t => {
      const instance = await open(t)
      const units = await fleet(instance, 4)
      await plan(instance, { pace: { canary: 4, patienceSeconds: 3600, stopAtFailureShare: 0.25 } })
      await startCampaign('rekey', OPERATOR, instance)
      await advance(instance)
      await renew(instance, units[0]!)
      const waiting = await campaignProgress(await findCampaign('rekey', instance), instance.clock.now(), instance)
      assert.deepEqual(
        waiting.hanging.map(({ serialNumber, reason }) => [serialNumber, reason]).sort(),
        units
          .slice(1)
          .map(({ device }) => [device.serialNumber, 'campaign.no_contact'])
          .sort(),
      )
      instance.clock.advance(3601)
      const { campaign, total } = await advance(instance)
      assert.deepEqual([campaign.state, campaign.stateReason], ['paused', 'campaign.too_many_failed'])
      assert.deepEqual([total.done, total.failed], [1, 3])
      await renew(instance, units[1]!)
      await renew(instance, units[2]!)
      const late = await advance(instance)
      assert.deepEqual([late.total.done, late.total.failed], [3, 1], 'who comes late is done all the same')
      await resumeCampaign('rekey', OPERATOR, instance)
      assert.equal((await advance(instance)).campaign.state, 'finished')
      await assertInvariants(instance.store)
    })

    test('a renewal that ignores what was asked is refused, and the campaign says so', async t => {
      const instance = await open(t)
      const [unit] = (await fleet(instance, 1)) as [Unit]
      await plan(instance, { target: { keyAlgorithm: 'P-384' } })
      await startCampaign('rekey', OPERATOR, instance)
      await advance(instance)
      const code = await renew(instance, unit, 'P-256')
      assert.match(String(code), /^renewal\./)
      const progress = await campaignProgress(await findCampaign('rekey', instance), instance.clock.now(), instance)
      assert.equal(progress.hanging[0]?.reason, code)
      assert.equal(await renew(instance, unit, 'P-384'), undefined)
      assert.equal((await advance(instance)).campaign.state, 'finished')
    })

    test('passes over devices that are suspended, and those that are as they shall be', async t => {
      const instance = await open(t)
      const [first, second, third] = (await fleet(instance, 3)) as [Unit, Unit, Unit]
      assert.equal(await renew(instance, third, 'P-384'), undefined)
      await plan(instance, { target: { keyAlgorithm: 'P-384' }, pace: { canary: 0 } })
      await suspendDevice(first.device.id, { actor: OPERATOR }, instance)
      await startCampaign('rekey', OPERATOR, instance)
      const { total } = await advance(instance)
      assert.deepEqual([total.skipped, total.asked], [2, 1])
      assert.equal(await renew(instance, second, 'P-384'), undefined)
      assert.equal((await advance(instance)).campaign.state, 'finished')
      await assertInvariants(instance.store)
    })

    test('passes over devices that hold something under the new profile already', async t => {
      const instance = await open(t)
      const [first, second] = (await fleet(instance, 2)) as [Unit, Unit]
      await useProfile(instance, 'ldevid', { name: 'ldevid-2' })
      await certify(instance, first.device, await generateKeyPair('P-256'), 'ldevid-2')
      await plan(instance, { target: { newProfile: 'ldevid-2' }, pace: { canary: 0 } })
      await startCampaign('rekey', OPERATOR, instance)
      const { total } = await advance(instance)
      assert.deepEqual([total.skipped, total.asked], [1, 1])
      assert.deepEqual(await asked(instance, [first, second]), [second])
    })

    test('a pause asks nobody more; cancelling takes back what was asked and not done', async t => {
      const instance = await open(t)
      const units = await fleet(instance, 7)
      await plan(instance)
      await startCampaign('rekey', OPERATOR, instance)
      await advance(instance)
      const canary = await asked(instance, units)
      for (const unit of canary) await renew(instance, unit)
      await pauseCampaign('rekey', OPERATOR, instance)
      await advance(instance)
      assert.equal((await asked(instance, units)).length, 0, 'the next wave is not asked')
      await resumeCampaign('rekey', OPERATOR, instance)
      await advance(instance)
      assert.equal((await asked(instance, units)).length, 5)
      await cancelCampaign('rekey', OPERATOR, instance)
      const { campaign, total } = await advance(instance)
      assert.deepEqual([campaign.state, total.done, total.skipped], ['cancelled', 2, 5])
      assert.equal((await asked(instance, units)).length, 0, 'every order is withdrawn')
      await assertInvariants(instance.store)
    })

    test('rolls back to the algorithm that each device had', async t => {
      const instance = await open(t)
      const units = await fleet(instance, 3)
      await plan(instance, { target: { keyAlgorithm: 'P-384' }, pace: { canary: 2, waveSize: 5 } })
      await startCampaign('rekey', OPERATOR, instance)
      await advance(instance)
      for (const unit of await asked(instance, units)) assert.equal(await renew(instance, unit, 'P-384'), undefined)
      await rollBackCampaign('rekey', OPERATOR, instance)
      await advance(instance)
      const back = await asked(instance, units)
      assert.equal(back.length, 2)
      for (const unit of back) assert.equal(await renew(instance, unit, 'P-256'), undefined)
      const { campaign, total } = await advance(instance)
      assert.deepEqual([campaign.state, total.back], ['rolled_back', 2])
      for (const { device } of units) {
        assert.equal((await instance.store.read.credential(device.id, 'ldevid'))?.keyAlgorithm, 'P-256')
      }
      await assertInvariants(instance.store)
    })

    test('once cancelled or rolled back, nobody who failed is under its order any more', async t => {
      const instance = await open(t)
      const units = await fleet(instance, 3)
      const pace = { canary: 3, patienceSeconds: 3600, stopAtFailureShare: 0.5 }
      await plan(instance, { target: { keyAlgorithm: 'P-384' }, pace })
      await startCampaign('rekey', OPERATOR, instance)
      await advance(instance)
      assert.equal(await renew(instance, units[0]!, 'P-384'), undefined)
      instance.clock.advance(3601)
      assert.deepEqual((await advance(instance)).total.failed, 2)
      await rollBackCampaign('rekey', OPERATOR, instance)
      await advance(instance)
      assert.deepEqual(await asked(instance, units), [units[0]!], 'only who followed is asked, to go back')
      assert.equal(await renew(instance, units[1]!, 'P-256'), undefined, 'who comes late keeps what it has')
      instance.clock.advance(3601)
      assert.deepEqual((await advance(instance)).campaign.state, 'rolled_back')

      await plan(instance, { name: 'again', target: { keyAlgorithm: 'P-384' }, pace })
      await startCampaign('again', OPERATOR, instance)
      await advance(instance, 'again')
      instance.clock.advance(3601)
      assert.equal((await advance(instance, 'again')).campaign.state, 'paused')
      await cancelCampaign('again', OPERATOR, instance)
      const { campaign, total } = await advance(instance, 'again')
      assert.deepEqual([campaign.state, total.failed, total.skipped], ['cancelled', 2, 1])
      for (const unit of units.slice(1)) {
        assert.equal((await instance.store.read.credential(unit.device.id, 'ldevid'))?.order, null)
      }
      await assertInvariants(instance.store)
    })

    test('cancelling leaves what somebody else ordered meanwhile: a new owner still gets a new key', async t => {
      const instance = await open(t)
      const [unit] = (await fleet(instance, 1)) as [Unit]
      await plan(instance, { target: { keyAlgorithm: 'P-384' } })
      await startCampaign('rekey', OPERATOR, instance)
      await advance(instance)
      const transferred = {
        reason: 'ownership_transferred',
        until: instance.clock.now() + 86_400,
        newKey: true,
        keyAlgorithm: null,
        profile: null,
        authorityId: null,
        campaignId: null,
      } as const
      await orderRenewal(unit.device.id, 'ldevid', transferred, OPERATOR, instance)
      await cancelCampaign('rekey', OPERATOR, instance)
      assert.equal((await advance(instance)).campaign.state, 'cancelled')
      const order = (await instance.store.read.credential(unit.device.id, 'ldevid'))?.order
      assert.deepEqual(
        [order?.reason, order?.newKey, order?.keyAlgorithm, order?.campaignId],
        ['ownership_transferred', true, null, null],
      )
      assert.equal(await renew(instance, unit, 'P-256'), undefined)
      await assertInvariants(instance.store)
    })

    test('cancelled while another process is about to ask: nobody is asked by a campaign that has ended', async t => {
      const instance = await open(t)
      const units = await fleet(instance, 3)
      await plan(instance, { pace: { canary: 3 } })
      await startCampaign('rekey', OPERATOR, instance)
      const { store } = instance
      const late = {
        ...instance,
        store: {
          ...store,
          read: store.read,
          commit: change => store.commit(change),
          commitEach: async changes => {
            await cancelCampaign('rekey', OPERATOR, instance)
            await advance(instance)
            return store.commitEach(changes)
          },
        } as Store,
      }
      await advanceCampaign(await findCampaign('rekey', instance), late)
      assert.equal((await findCampaign('rekey', instance)).state, 'cancelled')
      assert.deepEqual(await asked(instance, units), [])
      await assertInvariants(instance.store)
    })

    test('who goes back late is back all the same, and not asked once more', async t => {
      const instance = await open(t)
      const units = (await fleet(instance, 2)) as [Unit, Unit]
      await plan(instance, { target: { keyAlgorithm: 'P-384' }, pace: { canary: 2, patienceSeconds: 3600 } })
      await startCampaign('rekey', OPERATOR, instance)
      await advance(instance)
      for (const unit of units) assert.equal(await renew(instance, unit, 'P-384'), undefined)
      await rollBackCampaign('rekey', OPERATOR, instance)
      await advance(instance)
      instance.clock.advance(1800)
      assert.equal(await renew(instance, units[0], 'P-256'), undefined)
      instance.clock.advance(1801)
      const { campaign, total } = await advance(instance)
      assert.deepEqual([campaign.state, total.back, total.failed], ['rolled_back', 1, 1])
      assert.equal(await renew(instance, units[1], 'P-256'), undefined)
      const late = await advance(instance)
      assert.deepEqual([late.total.back, late.total.done, late.total.failed], [2, 0, 0])
      await assertInvariants(instance.store)
    })

    test('two processes at the same campaign ask nobody twice', async t => {
      const instance = await open(t)
      const units = await fleet(instance, 8)
      await plan(instance, { pace: { canary: 0, waveSize: 8 } })
      await startCampaign('rekey', OPERATOR, instance)
      await Promise.all([advance(instance), advance(instance), advance(instance)])
      assert.equal((await asked(instance, units)).length, 8)
      const orders = (await auditLog(instance)).filter(entry => entry.action === 'renewal.ordered')
      assert.equal(orders.length, 8)
      await assertInvariants(instance.store)
    })
  })
}

describe('what stands in the way is said before anything is asked', () => {
  test('nobody fits, a name is taken, the profile does not allow the algorithm, another authority issues', async t => {
    const instance = await testInstance(t)
    await assert.rejects(plan(instance), { code: 'campaign.empty' })
    await fleet(instance, 1)
    const profile = { ...(await instance.authorities.profile('ldevid')), keyAlgorithms: ['P-256' as const] }
    const authorities = { profile: async () => profile, issuerOf: async () => authorityId('ldevid-1') }
    const target = { profile: 'ldevid', newProfile: null, keyAlgorithm: 'RSA-4096', authorityId: null } as const
    await assert.rejects(checkTarget(target, { authorities }), { code: 'campaign.algorithm_not_allowed' })
    await assert.rejects(plan(instance, { target: { authority: 'idevid-1' } }), {
      code: 'campaign.authority_not_issuing',
    })
    await plan(instance)
    await assert.rejects(plan(instance), { code: 'campaign.exists' })
    await assert.rejects(findCampaign('other', instance), { code: 'campaign.not_found' })
    await assert.rejects(rollBackCampaign('rekey', OPERATOR, instance), { code: 'campaign.nothing_to_roll_back' })
    await cancelCampaign('rekey', OPERATOR, instance)
    await assert.rejects(startCampaign('rekey', OPERATOR, instance), { code: 'campaign.move_not_allowed' })
  })

  test('the blast radius counts devices, authorities, algorithms and until when they are believed', async t => {
    const instance = await testInstance(t)
    const units = await fleet(instance, 3)
    const radius = await blastRadius({ profile: 'ldevid' }, instance.clock.now(), instance.store.read)
    assert.equal(radius.devices, 3)
    assert.deepEqual(radius.byState, { active: 3 })
    assert.deepEqual(radius.byAuthority, { 'ldevid-1': 3 })
    assert.deepEqual(radius.byKeyAlgorithm, { 'P-256': 3 })
    assert.deepEqual(radius.contact, { recent: 0, silent: 0, never: 3 })
    assert.equal(radius.lastExpiry, Math.max(...units.map(({ record }) => record.notAfter)))
    assert.equal(
      radius.believedUntil.reduce((sum, { credentials }) => sum + credentials, 0),
      3,
    )
  })
})
