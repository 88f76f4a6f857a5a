// A device that enrols by itself is in the field: whatever it shows for it, it is active from then on, and renewals leave that alone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBase64Lines } from '../../src/core/bytes/base64.ts'
import { parseCertsOnly } from '../../src/core/cms/certs-only.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import type { DeviceState } from '../../src/domain/device/device.ts'
import { runBatch, type UnitResult } from '../../src/domain/factory/run-batch.ts'
import { createToken } from '../../src/domain/ra/create-token.ts'
import { type DoorRequest, estDoor } from '../support/est-door.ts'
import {
  auditLog,
  bornDevice,
  certify,
  OPERATOR,
  registerDevice,
  renewalCsrDer,
  type TestInstance,
  testCsrDer,
  testInstance,
  trustManufacturer,
  useRules,
} from '../support/instance.ts'
import { assertInvariants } from '../support/invariants.ts'
import { testCertificate } from '../support/test-pki.ts'

const EST = '/.well-known/est'

type Shown = Pick<DoorRequest, 'basic' | 'certificates'>

/** Enrols with what is shown, renews twice, and expects one move to active at the first of the three. */
async function livesItsLife(instance: TestInstance, model: string, serialNumber: string, shown: Shown) {
  const est = estDoor(instance)
  const device = () => instance.store.read.deviceBySerial(model, serialNumber)
  const before = (await device())?.state
  const enrolled = await est(`${EST}/simpleenroll`, { ...shown, body: testCsrDer(await generateKeyPair('P-256')) })
  assert.equal(enrolled.status, 200, enrolled.text)
  const { id, state, stateChangedAt } = (await device())!
  assert.equal(state, 'active', JSON.stringify(shown))
  let current = parseCertsOnly(fromBase64Lines(enrolled.text))[0]!
  for (let renewal = 0; renewal < 2; renewal++) {
    instance.clock.advance(30 * 86_400)
    const body = renewalCsrDer(await generateKeyPair('P-256'), current)
    const renewed = await est(`${EST}/simplereenroll`, { certificates: [current], body })
    assert.equal(renewed.status, 200, renewed.text)
    current = parseCertsOnly(fromBase64Lines(renewed.text))[0]!
    assert.deepEqual([(await device())!.state, (await device())!.stateChangedAt], ['active', stateChangedAt])
  }
  const moves = (await auditLog(instance)).filter(
    ({ action, subject }) => action === 'device.state_changed' && subject['deviceId'] === id,
  )
  const expected = before === undefined || before === 'active' ? [] : [{ from: before, to: 'active' }]
  assert.deepEqual(
    moves.map(({ detail }) => detail),
    expected,
  )
  await assertInvariants(instance.store)
}

for (const state of ['manufactured', 'shipped', 'active'] as const satisfies readonly DeviceState[]) {
  test(`with a one-time token, from ${state}`, async t => {
    const instance = await testInstance(t)
    const { model, serialNumber } = await registerDevice(instance, { state })
    const { secret } = await createToken({ model, serialNumber, profile: 'ldevid', actor: OPERATOR }, instance)
    await livesItsLife(instance, model, serialNumber, { basic: `${serialNumber}:${secret}` })
  })
}

test('with a one-time token for a device that the token registered', async t => {
  const instance = await testInstance(t)
  const request = { model: 'sensor-9', serialNumber: 'SN-NEW', profile: 'ldevid', actor: OPERATOR }
  const { secret, device } = await createToken(request, instance)
  assert.equal(device.state, 'manufactured')
  await livesItsLife(instance, 'sensor-9', 'SN-NEW', { basic: `SN-NEW:${secret}` })
})

test('with a birth certificate, whether or not a token comes with it', async t => {
  const instance = await testInstance(t)
  const unit = await bornDevice(instance)
  const { model, serialNumber } = unit.device
  await livesItsLife(instance, model, serialNumber, { certificates: [unit.record.der] })
  const other = await bornDevice(instance)
  const named = { model, serialNumber: other.device.serialNumber }
  const { secret } = await createToken({ ...named, profile: 'ldevid', actor: OPERATOR }, instance)
  const basic = `${named.serialNumber}:${secret}`
  await livesItsLife(instance, model, named.serialNumber, { certificates: [other.record.der], basic })
})

test('with the birth certificate of a batch; the batch run again leaves it active', async t => {
  const instance = await testInstance(t)
  const key = await generateKeyPair('P-256')
  const born = async () => {
    const results: UnitResult[] = []
    const units = async function* () {
      yield {
        line: 1,
        model: 'gateway',
        serialNumber: 'U-1',
        key: { kind: 'public_key', spki: key.publicKey },
      } as const
    }
    const request = {
      inputDigest: 'cd'.repeat(32),
      units: units(),
      profile: await instance.authorities.profile('idevid'),
      rules: await instance.rules(),
      operator: 'tester',
    }
    await runBatch(request, { ...instance, sink: { write: async more => void results.push(...more) } })
    const [result] = results
    assert.ok(result !== undefined && result.outcome !== 'rejected', JSON.stringify(result))
    return result.certificate
  }
  const certificate = await born()
  assert.equal((await instance.store.read.deviceBySerial('gateway', 'U-1'))!.state, 'manufactured')
  await livesItsLife(instance, 'gateway', 'U-1', { certificates: [certificate] })
  await born()
  assert.equal((await instance.store.read.deviceBySerial('gateway', 'U-1'))!.state, 'active')
})

for (const registered of ['unknown', 'registered before'] as const) {
  test(`with the certificate of another maker, ${registered}`, async t => {
    const instance = await testInstance(t)
    const notAfter = new Date((instance.clock.now() + 86_400 * 365) * 1000)
    const ca = await testCertificate({ name: 'Acme CA', authority: true, notAfter })
    const leaf = await testCertificate({ name: 'A-1', issuer: ca, notAfter })
    const model = { fixed: 'acme-1' }
    await trustManufacturer(instance, { name: 'acme', certificates: [ca.cert], model, serialNumber: 'subject.CN' })
    await useRules(instance, [{ name: 'all', outcome: 'grant', firstSeen: 'register' }])
    if (registered !== 'unknown') await registerDevice(instance, { model: 'acme-1', serialNumber: 'A-1' })
    await livesItsLife(instance, 'acme-1', 'A-1', { certificates: [new Uint8Array(leaf.certificate.rawData)] })
  })
}

test('with a key that is made here (RFC 7030 4.4)', async t => {
  const instance = await testInstance(t)
  const unit = await bornDevice(instance)
  const body = testCsrDer(await generateKeyPair('P-256'))
  const reply = await estDoor(instance)(`${EST}/serverkeygen`, { certificates: [unit.record.der], body })
  assert.equal(reply.status, 200, reply.text)
  assert.equal((await instance.store.read.device(unit.device.id))!.state, 'active')
})

test('what an operator has certified for it, and what is refused, says nothing of the field', async t => {
  const instance = await testInstance(t)
  const unit = await bornDevice(instance)
  const state = async () => (await instance.store.read.device(unit.device.id))!.state
  await certify(instance, unit.device, await generateKeyPair('P-256'), 'ldevid')
  assert.equal(await state(), 'manufactured')
  await useRules(instance, [{ name: 'none', outcome: 'deny' }])
  const body = testCsrDer(await generateKeyPair('P-256'))
  const reply = await estDoor(instance)(`${EST}/simpleenroll`, { certificates: [unit.record.der], body })
  assert.equal(reply.status, 403)
  assert.equal(await state(), 'manufactured')
})
