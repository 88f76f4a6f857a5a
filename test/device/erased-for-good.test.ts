// What is erased is gone from the files as well: from the write-ahead log at once, and from the last corner of the database when it is packed
// (what SQLite left where a page was split is no row that could be overwritten).
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { changeProperties, erasePersonal } from '../../src/domain/device/change-properties.ts'
import { OPERATOR, registerDevice, testInstance } from '../support/instance.ts'

/** Files of the folder that hold the text. */
async function filesWith(folder: string, text: string): Promise<string[]> {
  const names = await readdir(folder)
  const contents = await Promise.all(names.map(name => readFile(join(folder, name))))
  return names.filter((_, i) => contents[i]!.includes(text))
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'touchmark-erased-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('an erased value is not in the write-ahead log, and in no file once the database is packed', async t => {
  const folder = await folderOf(t)
  const instance = await testInstance(t, { folder })
  const devices = await Promise.all(Array.from({ length: 200 }, () => registerDevice(instance)))
  for (const [i, { id }] of devices.entries()) {
    const value = `Ada-Lovelace-${i % 2 === 0 ? 'goes' : 'stays'}-${'x'.repeat(200)}`
    const changes = ['patient', 'room', 'phone'].map(name => ({ name: `attribute:${name}`, value, personal: true }))
    await changeProperties(id, changes as Parameters<typeof changeProperties>[1], OPERATOR, instance)
  }
  assert.notDeepEqual(await filesWith(folder, 'Ada-Lovelace-goes'), [], 'it is looked for in the right place')
  for (const { id } of devices.filter((_, i) => i % 2 === 0)) await erasePersonal(id, OPERATOR, instance)
  assert.deepEqual(
    (await filesWith(folder, 'Ada-Lovelace-goes')).filter(name => name.endsWith('-wal')),
    [],
  )
  await instance.store[Symbol.asyncDispose]()
  const database = new DatabaseSync(join(folder, 'touchmark.db'))
  database.exec('VACUUM')
  database.close()
  assert.deepEqual(await filesWith(folder, 'Ada-Lovelace-goes'), [])
  assert.notDeepEqual(await filesWith(folder, 'Ada-Lovelace-stays'), [])
})
