// A factory batch: each unit exactly once, whatever the file says twice, whatever died in between.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Bytes } from '../../../src/core/bytes/bytes.ts'
import { parseCertificate } from '../../../src/core/pki/certificate.ts'
import { generateKeyPair, type PrivateKey } from '../../../src/crypto/keys.ts'
import type { CertificateIssuer } from '../../../src/domain/ca/issuer.ts'
import {
  type BatchOutcome,
  CHUNK_UNITS,
  runBatch,
  type UnitResult,
  type UnitResultSink,
} from '../../../src/domain/factory/run-batch.ts'
import type { UnitInput } from '../../../src/domain/factory/unit.ts'
import { auditLog, countEverything, type TestInstance, testCsrDer, testInstance } from '../../support/instance.ts'
import { assertInvariants } from '../../support/invariants.ts'

class Collected implements UnitResultSink {
  readonly results: UnitResult[] = []
  readonly keys = new Map<string, PrivateKey>()
  /** Throws when this many results were taken: a run that dies. */
  failAfter = Number.POSITIVE_INFINITY

  async write(results: readonly UnitResult[]): Promise<void> {
    if (this.results.length >= this.failAfter) throw new Error('the line lost its power')
    this.results.push(...results)
  }

  async stationKey(_model: string, serialNumber: string): Promise<Bytes> {
    const key = this.keys.get(serialNumber) ?? (await generateKeyPair('P-256'))
    this.keys.set(serialNumber, key)
    return key.publicKey
  }
}

async function run(
  instance: TestInstance,
  units: readonly UnitInput[],
  sink = new Collected(),
  inputDigest = 'ab'.repeat(32),
): Promise<{ outcome: BatchOutcome; results: UnitResult[] }> {
  const profile = await instance.authorities.profile('idevid')
  const request = { inputDigest, units: each(units), profile, rules: await instance.rules(), operator: 'tester' }
  const outcome = await runBatch(request, { ...instance, sink })
  return { outcome, results: sink.results }
}

async function* each(units: readonly UnitInput[]): AsyncGenerator<UnitInput> {
  yield* units
}

async function keyUnit(line: number, serialNumber = `U-${line}`, key?: PrivateKey): Promise<UnitInput> {
  const { publicKey } = key ?? (await generateKeyPair('P-256'))
  return { line, model: 'sensor-9', serialNumber, key: { kind: 'public_key', spki: publicKey } }
}

const codes = (results: readonly UnitResult[]) =>
  results.map(result => (result.outcome === 'rejected' ? result.code : result.outcome))

test('gives every unit a birth certificate in its own name, in input order, with one log entry each', async t => {
  const instance = await testInstance(t)
  const units = await Promise.all(Array.from({ length: 5 }, (_, i) => keyUnit(i + 1)))
  const { outcome, results } = await run(instance, units)
  assert.deepEqual(
    { issued: outcome.issued, existing: outcome.existing, rejected: outcome.rejected },
    { issued: 5, existing: 0, rejected: 0 },
  )
  assert.deepEqual(
    results.map(result => result.line),
    [1, 2, 3, 4, 5],
  )
  for (const result of results) {
    assert.ok(result.outcome === 'issued')
    const subject = parseCertificate(result.certificate)
      .subject.rdns.flat()
      .map(({ value }) => value)
    assert.ok(subject.includes(result.serialNumber))
  }
  const issued = (await auditLog(instance)).filter(entry => entry.subject['batchId'] === outcome.batch)
  assert.deepEqual(
    issued.map(entry => entry.action),
    ['batch.started', ...Array(5).fill('certificate.issued'), 'batch.finished'],
  )
  await assertInvariants(instance.store)
})

test('the same input again gives the same certificates and issues nothing', async t => {
  const instance = await testInstance(t)
  const units = await Promise.all(Array.from({ length: 3 }, (_, i) => keyUnit(i + 1)))
  const first = await run(instance, units)
  const before = await countEverything(instance)
  const second = await run(instance, units)
  assert.deepEqual([second.outcome.existing, second.outcome.issued, second.outcome.resumed], [3, 0, true])
  const der = (results: readonly UnitResult[]) =>
    results.map(result => result.outcome !== 'rejected' && result.certificate)
  assert.deepEqual(der(second.results), der(first.results))
  assert.deepEqual(await countEverything(instance), before)
})

test('a run that dies is completed by the next, and no unit is done twice', async t => {
  const instance = await testInstance(t)
  const units = await Promise.all(Array.from({ length: 2 * CHUNK_UNITS + 10 }, (_, i) => keyUnit(i + 1)))
  const dying = new Collected()
  dying.failAfter = CHUNK_UNITS
  await assert.rejects(run(instance, units, dying), /lost its power/)
  const { outcome, results } = await run(instance, units)
  assert.equal(outcome.issued + outcome.existing, units.length)
  assert.equal(
    new Set(results.map(result => result.outcome !== 'rejected' && result.certificateSerial)).size,
    units.length,
  )
  assert.equal((await countEverything(instance))['devices'], units.length)
  for (const result of dying.results) {
    const again = results[result.line - 1]!
    assert.ok(result.outcome !== 'rejected' && again.outcome !== 'rejected')
    assert.equal(again.certificateSerial, result.certificateSerial)
  }
  await assertInvariants(instance.store)
})

test('rejects what is wrong with one unit and goes on with the others', async t => {
  const instance = await testInstance(t)
  const [shared, owner, signer] = await Promise.all([1, 2, 3].map(() => generateKeyPair('P-256')))
  const offCurve = new Uint8Array(owner!.publicKey)
  offCurve[offCurve.length - 1]! ^= 1
  const forged = testCsrDer(owner!, { subject: 'serialNumber=U-5', signedBy: signer! }) as Bytes
  const units: UnitInput[] = [
    await keyUnit(1, 'U-1', shared),
    { line: 2, code: 'factory.serial_invalid', message: 'no serial number' },
    await keyUnit(3, 'U-3', shared),
    { line: 4, model: 'sensor-9', serialNumber: 'U-4', key: { kind: 'public_key', spki: offCurve } },
    { line: 5, model: 'sensor-9', serialNumber: 'U-5', key: { kind: 'csr', der: forged } },
    { line: 6, model: 'sensor-9', serialNumber: 'U-6', key: { kind: 'csr', der: new Uint8Array([0x30, 0x03, 0x02]) } },
    await keyUnit(7, 'U-1'),
    await keyUnit(8, 'U-8'),
  ]
  const { outcome, results } = await run(instance, units)
  assert.deepEqual(codes(results), [
    'issued',
    'factory.serial_invalid',
    'key.known_elsewhere',
    'key.not_on_curve',
    'csr.signature_invalid',
    'der.truncated',
    'factory.unit_repeated',
    'issued',
  ])
  assert.deepEqual([outcome.issued, outcome.rejected], [2, 6])
  const refusals = (await auditLog(instance)).filter(entry => entry.action === 'batch.unit_rejected')
  assert.deepEqual(
    refusals.map(entry => entry.detail?.['line']),
    [2, 3, 4, 5, 6, 7],
  )
  assert.equal((await countEverything(instance))['devices'], 2)
  await assertInvariants(instance.store)
})

test('a unit that has its certificate for another key is refused, not certified twice', async t => {
  const instance = await testInstance(t)
  await run(instance, [await keyUnit(1, 'U-1')])
  const { results } = await run(instance, [await keyUnit(1, 'U-1')], new Collected(), 'cd'.repeat(32))
  assert.deepEqual(codes(results), ['device.has_other_key'])
})

test('the same unit in two chunks that are on their way at once is done once', async t => {
  const instance = await testInstance(t)
  const key = await generateKeyPair('P-256')
  const units = [await keyUnit(1, 'U-1', key)]
  for (let line = 2; line <= CHUNK_UNITS + 1; line++) units.push(await keyUnit(line))
  units.push(await keyUnit(CHUNK_UNITS + 2, 'U-1', key), await keyUnit(CHUNK_UNITS + 3, 'U-1'))
  const { outcome, results } = await run(instance, units)
  assert.equal(outcome.issued, CHUNK_UNITS + 1)
  assert.equal(results[0]?.outcome, 'issued')
  assert.equal(results.at(-2)?.outcome, 'existing')
  assert.equal(results.at(-1)?.outcome, 'rejected')
  await assertInvariants(instance.store)
})

test('the first line that names a unit counts, also where the second is signed sooner', async t => {
  const instance = await testInstance(t)
  const { issuer } = instance
  let calls = 0
  const slowAtFirst = {
    prepareMany: issuer.prepareMany.bind(issuer),
    expectMany: issuer.expectMany.bind(issuer),
    async signMany(prepared: Parameters<CertificateIssuer['signMany']>[0]) {
      if (calls++ === 0) await setTimeout(200)
      return issuer.signMany(prepared)
    },
  }
  const units = [await keyUnit(1, 'U-1')]
  for (let line = 2; line <= CHUNK_UNITS; line++) units.push(await keyUnit(line))
  units.push(await keyUnit(CHUNK_UNITS + 1, 'U-1'))
  const { results } = await run({ ...instance, issuer: slowAtFirst as CertificateIssuer }, units)
  assert.equal(calls, 2)
  assert.deepEqual([results[0]?.outcome, results.at(-1)?.outcome], ['issued', 'rejected'])
  await assertInvariants(instance.store)
})

test('a unit without a key gets one made by the station, and the same one when the run is repeated', async t => {
  const instance = await testInstance(t)
  const sink = new Collected()
  const unit: UnitInput = { line: 1, model: 'sensor-9', serialNumber: 'U-1', key: { kind: 'station' } }
  const first = await run(instance, [unit], sink)
  const second = await run(instance, [unit], sink)
  assert.deepEqual([first.outcome.issued, second.outcome.existing], [1, 1])
  const device = await instance.store.read.deviceBySerial('sensor-9', 'U-1')
  const [key] = await instance.store.read.keysOfDevice(device!.id)
  assert.equal(key?.origin, 'station')
})

test('two processes that run the same batch at once share the work and double nothing', async t => {
  const instance = await testInstance(t)
  const units = await Promise.all(Array.from({ length: 40 }, (_, i) => keyUnit(i + 1)))
  const [one, two] = await Promise.all([run(instance, units), run(instance, units, new Collected(), 'ef'.repeat(32))])
  assert.equal(one!.outcome.issued + two!.outcome.issued, units.length)
  assert.equal((await countEverything(instance))['devices'], units.length)
  await assertInvariants(instance.store)
})
