// Attack: the batch command as the way around. A worker on the line registers devices under the rules and quotas that were set, and a file
// that is run again makes nothing good that an operator has ended since.
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openResultFolder } from '../../src/adapters/factory/result-folder.ts'
import type { Bytes } from '../../src/core/bytes/bytes.ts'
import { generateKeyPair, type PrivateKey } from '../../src/crypto/keys.ts'
import { type BatchOutcome, CHUNK_UNITS, runBatch, type UnitResult } from '../../src/domain/factory/run-batch.ts'
import type { FactoryUnit } from '../../src/domain/factory/unit.ts'
import type { RulesConfig } from '../../src/domain/ra/rules.ts'
import { releaseCertificate, revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import { OPERATOR, type TestInstance, testInstance, useRules } from '../support/instance.ts'
import { assertInvariants } from '../support/invariants.ts'

let batches = 0

async function run(
  instance: TestInstance,
  units: readonly FactoryUnit[],
): Promise<{ outcome: BatchOutcome; results: UnitResult[] }> {
  const results: UnitResult[] = []
  const sink = {
    write: async (more: readonly UnitResult[]) => void results.push(...more),
    stationKey: async () => (await generateKeyPair('P-256')).publicKey as Bytes,
  }
  const profile = await instance.authorities.profile('idevid')
  const inputDigest = (++batches).toString(16).padStart(64, '0')
  const outcome = await runBatch(
    { inputDigest, units: each(units), profile, rules: await instance.rules(), operator: 'tester' },
    { ...instance, sink },
  )
  return { outcome, results }
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

async function unit(line: number, key?: PrivateKey): Promise<FactoryUnit> {
  const { publicKey } = key ?? (await generateKeyPair('P-256'))
  return { line, model: 'sensor-9', serialNumber: `U-${line}`, key: { kind: 'public_key', spki: publicKey } }
}

const units = (from: number, to: number) => Promise.all(Array.from({ length: to - from + 1 }, (_, i) => unit(from + i)))

const words = (results: readonly UnitResult[]) =>
  results.map(result => (result.outcome === 'rejected' ? result.code : result.outcome))

const quota = (per: 'rule' | 'batch' | 'device' | 'model', limit: number): RulesConfig['rules'] => [
  { name: 'line', when: { evidence: ['operator'] }, outcome: 'grant', quota: { per, limit } },
]

test('a quota for each batch ends the batch that is used up, and counts anew for the next', async t => {
  const instance = await testInstance(t)
  await useRules(instance, quota('batch', 3))
  const first = await run(instance, await units(1, 5))
  assert.deepEqual(words(first.results), ['issued', 'issued', 'issued', 'quota.exceeded', 'quota.exceeded'])
  const second = await run(instance, await units(6, 7))
  assert.deepEqual(words(second.results), ['issued', 'issued'])
  await assertInvariants(instance.store)
})

test('a quota of a rule or a model counts over all batches', async t => {
  for (const per of ['rule', 'model'] as const) {
    const instance = await testInstance(t)
    await useRules(instance, quota(per, 3))
    assert.deepEqual(words((await run(instance, await units(1, 2))).results), ['issued', 'issued'])
    assert.deepEqual(words((await run(instance, await units(3, 4))).results), ['issued', 'quota.exceeded'])
  }
})

test('a quota holds over chunks that are on their way at once, and for two batches that run at once', async t => {
  const instance = await testInstance(t)
  const limit = CHUNK_UNITS + 5
  await useRules(instance, quota('rule', limit))
  const [some, others] = [await units(1, CHUNK_UNITS), await units(CHUNK_UNITS + 1, CHUNK_UNITS + 20)]
  const runs = await Promise.all([run(instance, some), run(instance, others)])
  assert.equal(runs[0].outcome.issued + runs[1].outcome.issued, limit)
  assert.equal((await instance.store.read.counts()).devices, limit)
  await assertInvariants(instance.store)
})

test('a rule for keys that devices made does not hold for a key that the station made', async t => {
  const instance = await testInstance(t)
  await useRules(instance, [{ name: 'own-keys', when: { keyOrigin: ['device'] }, outcome: 'grant' }])
  const made: FactoryUnit = { line: 1, model: 'sensor-9', serialNumber: 'S-1', key: { kind: 'station' } }
  assert.deepEqual(words((await run(instance, [made, await unit(2)])).results), ['rule.none_matches', 'issued'])
})

test('a file that is run again gives no new certificate to a unit whose own was revoked', async t => {
  const instance = await testInstance(t)
  const input = await units(1, 2)
  const [first] = (await run(instance, input)).results
  await revoke(instance, first!, 'privilegeWithdrawn')
  assert.deepEqual(words((await run(instance, input)).results), ['device.certificate_revoked', 'existing'])
})

test('a file that is run again gives no new certificate to a unit whose own is on hold, whichever key it names', async t => {
  const instance = await testInstance(t)
  const input = [await unit(1)]
  const [first] = (await run(instance, input)).results
  const record = await revoke(instance, first!, 'certificateHold')
  assert.deepEqual(words((await run(instance, input)).results), ['device.certificate_held'])
  assert.deepEqual(words((await run(instance, [await unit(1)])).results), ['device.certificate_held'])
  await releaseCertificate(record, OPERATOR, instance)
  assert.deepEqual(words((await run(instance, input)).results), ['existing'])
})

test('a unit that was revoked and got a new key on the line is born again', async t => {
  const instance = await testInstance(t)
  const [first] = (await run(instance, [await unit(1)])).results
  await revoke(instance, first!, 'superseded')
  assert.deepEqual(words((await run(instance, [await unit(1)])).results), ['issued'])
})

async function revoke(
  instance: TestInstance,
  result: UnitResult,
  reason: 'privilegeWithdrawn' | 'certificateHold' | 'superseded',
) {
  assert.ok(result.outcome === 'issued')
  const [record] = await instance.store.read.certificatesBySerial(result.certificateSerial as never)
  await revokeCertificate(record!, reason, OPERATOR, instance)
  return record!
}

async function resultFolder(t: TestContext) {
  const path = await mkdtemp(join(tmpdir(), 'touchmark-results-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return { path, folder: await openResultFolder(path, { certificateFiles: true, keyPassphrase: 'of the line' }) }
}

const result = (model: string, serialNumber: string, octet: number): UnitResult => ({
  outcome: 'issued',
  line: octet,
  model,
  serialNumber,
  certificateSerial: '01',
  notAfter: 0,
  certificate: Uint8Array.of(0x30, 1, octet),
})

test('no unit writes a formula into the table that people open', async t => {
  const { path, folder } = await resultFolder(t)
  const why = { outcome: 'rejected', line: 2, code: 'x', message: '@no' } as const
  await folder.write([{ ...why, model: '-m', serialNumber: '=cmd|calc!A0' }])
  await folder.finish()
  const [, row] = (await readFile(join(path, 'rejects.csv'), 'utf8')).split('\n')
  assert.equal(row, "2,'-m,'=cmd|calc!A0,x,'@no")
})

test('no two units share a file, whatever their models and serial numbers are made of', async t => {
  const { path, folder } = await resultFolder(t)
  const names: [string, string][] = [
    ['generic', 'a_b'],
    ['a', 'b'],
    ['a_b', 'c'],
    ['a', 'b_c'],
    ['generic', 'a+b'],
    ['\u{1f600}', 'x'],
    ['\u{1f601}', 'x'],
    ['generic', '..'],
    ['..', '.'],
    ['.', '..'],
    ['generic', '%2e.'],
    ['generic', 'a/../../../b'],
  ]
  await folder.write(names.map(([model, serial], i) => result(model, serial, i)))
  await folder.finish()
  assert.equal((await readdir(join(path, 'certificates'))).length, names.length)
  const keys = new Set<string>()
  for (const [model, serial] of names) {
    keys.add(Buffer.from(await folder.stationKey!(model, serial, 'P-256')).toString('hex'))
  }
  assert.equal(keys.size, names.length)
})

test('a unit with the longest names there are does not stop the batch', async t => {
  const { path, folder } = await resultFolder(t)
  const [model, other] = ['\u6f22'.repeat(64), `${'\u6f22'.repeat(63)}\u5b57`]
  const serial = '/'.repeat(64)
  await folder.write([result(model, serial, 1), result(other, serial, 2)])
  await folder.stationKey!(model, serial, 'P-256')
  await folder.finish()
  const files = await readdir(join(path, 'certificates'))
  assert.equal(files.length, 2)
  assert.ok(files.every(name => Buffer.byteLength(name) <= 255))
  assert.ok((await readFile(join(path, 'results.csv'), 'utf8')).includes(serial))
})
