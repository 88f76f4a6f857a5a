// What is said of a device: found by it, committed to in the log, and, where it could tell of a person, erased so that nobody can confirm it.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hmacSha256, sha256 } from '../../src/crypto/digest.ts'
import { opensCommitment } from '../../src/domain/audit/commitment.ts'
import { verifyStore } from '../../src/domain/audit/verify-store.ts'
import { changeProperties, erasePersonal } from '../../src/domain/device/change-properties.ts'
import { groupDocument, parseGroup, queryAt } from '../../src/domain/device/device-group.ts'
import { parsePropertyName } from '../../src/domain/device/device-property-name.ts'
import { commitmentField } from '../../src/domain/device/property-commitment.ts'
import { auditLog, OPERATOR, registerDevice, type TestInstance, testInstance } from '../support/instance.ts'

async function findings({ store }: TestInstance): Promise<string[]> {
  const report = await verifyStore(store.read, { hash: sha256, origin: 'test', logKeys: [], kept: [] })
  return report.findings.map(({ code }) => code).filter(code => code !== 'audit.checkpoint_missing')
}

const say = (name: string, value: string | null, personal = false) => ({
  name: parsePropertyName(name),
  value,
  personal,
})

test('devices are found by what is said of them', async t => {
  const instance = await testInstance(t)
  const device = await registerDevice(instance)
  await registerDevice(instance)
  const said = [say('owner', 'acme'), say('site', 'berlin'), say('label:line', '3'), say('attribute:rack', 'A 7')]
  const now = await changeProperties(device.id, said, OPERATOR, instance)
  assert.deepEqual(
    now.map(({ name, value }) => [name, value]),
    [
      ['attribute:rack', 'A 7'],
      ['label:line', '3'],
      ['owner', 'acme'],
      ['site', 'berlin'],
    ],
  )
  for (const query of [{ owner: 'acme' }, { site: 'berlin' }, { labels: { line: '3' }, owner: 'acme' }]) {
    const { items } = await instance.store.read.selectDevices(query, { limit: 10 })
    assert.deepEqual(
      items.map(({ deviceId }) => deviceId),
      [device.id],
      JSON.stringify(query),
    )
  }
  await changeProperties(device.id, [say('site', null), say('owner', 'beta')], OPERATOR, instance)
  assert.deepEqual((await instance.store.read.selectDevices({ site: 'berlin' }, { limit: 10 })).items, [])
  assert.deepEqual(await findings(instance), [])
})

test('what is as it shall be writes nothing', async t => {
  const instance = await testInstance(t)
  const { id } = await registerDevice(instance)
  await changeProperties(id, [say('site', 'berlin')], OPERATOR, instance)
  const { size } = await instance.store.read.auditHead()
  await changeProperties(id, [say('site', 'berlin'), say('owner', null)], OPERATOR, instance)
  assert.equal((await instance.store.read.auditHead()).size, size)
})

test('the log holds no value that could tell of a person, and the salt opens what it holds', async t => {
  const instance = await testInstance(t)
  const { id } = await registerDevice(instance)
  await changeProperties(id, [say('attribute:contact', 'Ada Lovelace', true)], OPERATOR, instance)
  const entry = (await auditLog(instance)).at(-1)!
  assert.doesNotMatch(JSON.stringify(entry), /Ada|Lovelace/)
  const [property] = await instance.store.read.propertiesOfDevice(id)
  const commitment = String(entry.detail?.['commitment'])
  assert.ok(opensCommitment(hmacSha256, commitment, property!.salt!, commitmentField(property!), 'Ada Lovelace'))
  assert.ok(!opensCommitment(hmacSha256, commitment, property!.salt!, commitmentField(property!), 'Bob'))
  // As docs/formats/audit-entry.md writes it down.
  const text = `touchmark/commitment/v1\0device/${id}/attribute:contact\0Ada Lovelace`
  assert.equal(commitment, createHmac('sha256', property!.salt!).update(text).digest('base64url'))
})

test('an erasure leaves the log whole, and nothing anywhere confirms the value', async t => {
  const instance = await testInstance(t)
  const { id } = await registerDevice(instance)
  const { read } = instance.store
  await changeProperties(
    id,
    [say('attribute:contact', 'Ada Lovelace', true), say('site', 'berlin')],
    OPERATOR,
    instance,
  )
  const commitment = String(
    (await auditLog(instance)).find(({ subject }) => subject['name'] === 'attribute:contact')?.detail?.['commitment'],
  )
  assert.deepEqual(await erasePersonal(id, OPERATOR, instance), ['attribute:contact'])
  assert.deepEqual(
    (await read.propertiesOfDevice(id)).map(({ name }) => name),
    ['site'],
  )
  assert.deepEqual(await findings(instance), [])
  // Whoever guesses right has no salt that opens the commitment: neither that of a later entry of the same value, nor none.
  await changeProperties(id, [say('attribute:contact', 'Ada Lovelace', true)], OPERATOR, instance)
  const later = (await read.propertiesOfDevice(id)).find(({ name }) => name === 'attribute:contact')!
  for (const salt of [later.salt!, new Uint8Array(32)]) {
    assert.ok(!opensCommitment(hmacSha256, commitment, salt, commitmentField(later), 'Ada Lovelace'))
  }
  assert.deepEqual(await erasePersonal(id, OPERATOR, instance), ['attribute:contact'])
  assert.deepEqual(await erasePersonal(id, OPERATOR, instance), [])
})

test('what is erased is not in the files of the database any more, once it is closed', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'touchmark-erased-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const instance = await testInstance(t, { folder })
  const { id } = await registerDevice(instance)
  const contact = say('attribute:contact', 'Ada-Lovelace-of-Ockham', true)
  await changeProperties(id, [contact, say('site', 'berlin-adlershof')], OPERATOR, instance)
  await erasePersonal(id, OPERATOR, instance)
  await instance.store[Symbol.asyncDispose]()
  const files = await Promise.all((await readdir(folder)).map(name => readFile(join(folder, name), 'latin1')))
  const everything = files.join('')
  assert.ok(everything.includes('berlin-adlershof'), 'what was not erased is there')
  assert.ok(!everything.includes('Lovelace'))
})

test('owners and labels are never personal: they stand in certificates and in the log', async t => {
  const instance = await testInstance(t)
  const { id } = await registerDevice(instance)
  for (const name of ['owner', 'label:person']) {
    await assert.rejects(changeProperties(id, [say(name, 'Ada', true)], OPERATOR, instance), {
      code: 'property.not_personal',
    })
  }
})

test('names and values are checked where they enter', async t => {
  for (const name of ['', 'label:', 'label:a b', 'colour', 'attribute:é', `label:${'x'.repeat(65)}`]) {
    assert.throws(() => parsePropertyName(name), { code: 'property.name_invalid' }, name)
  }
  const instance = await testInstance(t)
  const { id } = await registerDevice(instance)
  for (const value of [' berlin', 'ber\nlin', 'x'.repeat(257), 'a\u0000']) {
    await assert.rejects(changeProperties(id, [say('site', value)], OPERATOR, instance), {
      code: 'property.value_invalid',
    })
  }
})

test('two operators who set the same property do not overwrite each other unseen', async t => {
  const instance = await testInstance(t)
  const { id } = await registerDevice(instance)
  const outcomes = await Promise.allSettled(
    ['berlin', 'paris'].map(site => changeProperties(id, [say('site', site)], OPERATOR, instance)),
  )
  const refused = outcomes.filter(outcome => outcome.status === 'rejected')
  assert.ok(refused.length <= 1)
  for (const { reason } of refused) assert.equal(reason.code, 'device.property_changed')
  assert.deepEqual(await findings(instance), [])
})

test('a property that was written past the log is found', async t => {
  const instance = await testInstance(t)
  const { id } = await registerDevice(instance)
  await changeProperties(id, [say('owner', 'acme')], OPERATOR, instance)
  const to = { value: 'mallory', personal: false, salt: null }
  const past = { kind: 'device.property', deviceId: id, name: 'owner', from: 'acme', to } as const
  await instance.store.commit({ writes: [past], audit: [] })
  assert.deepEqual(await findings(instance), ['audit.property_altered'])
})

test('a saved group means what is true on the day that it is asked', () => {
  const query = { model: 'gateway', labels: { line: '3' }, notSeenForSeconds: 86_400, expiresWithinSeconds: 3600 }
  const { body } = groupDocument({ schema: 1, name: 'stale', query }, 1, 0)
  const saved = parseGroup(JSON.parse(body))
  assert.deepEqual(queryAt(saved.query, 1_000_000), {
    model: 'gateway',
    labels: { line: '3' },
    notSeenAfter: 913_600,
    expiresBefore: 1_003_600,
  })
  assert.throws(() => parseGroup({ schema: 1, name: 'Big Words', query: { colour: 'red' } }), { code: 'group.invalid' })
})
