// Both storages keep the promises of the port: the same test for files and for memory.
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileStorage } from '../../src/agent/file-storage.ts'
import { MemoryStorage, memoryStorage, PowerCut } from '../../src/agent/memory-storage.ts'
import type { AgentStorage } from '../../src/agent/storage.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { testFolder } from '../support/cli.ts'

const KINDS: readonly (readonly [string, (folder: string) => AgentStorage])[] = [
  ['files', fileStorage],
  ['memory', () => memoryStorage()],
]

for (const [kind, make] of KINDS) {
  test(`${kind}: what was written is read, listed, replaced and destroyed`, async () => {
    using folder = testFolder()
    const storage = make(folder.join('home'))
    assert.equal(await storage.read('a'), undefined)
    assert.deepEqual(await storage.list(), [])
    await storage.destroy('a')
    const content = toUtf8('one')
    const writing = storage.write('deep/a', content)
    content.fill(0)
    await writing
    await storage.write('b', toUtf8('two'))
    await storage.write('b', toUtf8('three'))
    assert.deepEqual((await storage.list()).toSorted(), ['b', 'deep/a'])
    assert.deepEqual(await storage.read('b'), toUtf8('three'))
    await storage.destroy('deep/a')
    assert.deepEqual(await storage.list(), ['b'])
  })

  test(`${kind}: a link moves, goes, and is no file`, async () => {
    using folder = testFolder()
    const storage = make(folder.join('home'))
    await storage.write('deep/a', toUtf8('one'))
    assert.equal(await storage.readLink('current'), undefined)
    await storage.link('current', undefined)
    await storage.link('current', 'deep')
    await storage.link('current', 'deeper')
    assert.equal(await storage.readLink('current'), 'deeper')
    await storage.link('current', 'deep')
    assert.deepEqual(await storage.list(), ['deep/a'])
    await storage.link('current', undefined)
    assert.equal(await storage.readLink('current'), undefined)
  })

  test(`${kind}: work is done one after the other, also where some of it fails`, async () => {
    using folder = testFolder()
    const storage = make(folder.join('home'))
    let inside = 0
    const results = await Promise.allSettled(
      [1, 2, 3, 4, 5].map(n =>
        storage.exclusively(async () => {
          assert.equal(++inside, 1)
          await new Promise(resolve => setTimeout(resolve, 2))
          inside--
          if (n === 2) throw new Error('of this one')
          return n
        }),
      ),
    )
    assert.deepEqual(
      results.map(result => result.status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
    )
  })
}

test('files: what a crash left half written is removed, wherever it lies', async () => {
  using folder = testFolder()
  const home = folder.join('home')
  const storage = fileStorage(home)
  await storage.write('identities/1/key.pem', toUtf8('key'))
  await storage.link('current', 'identities/1')
  for (const name of ['.new-1', 'identities/1/.new-2']) writeFileSync(`${home}/${name}`, 'half a key')
  symlinkSync('identities/9', `${home}/.new-3`)
  await storage.exclusively(async () => undefined)
  assert.deepEqual(readdirSync(home).toSorted(), ['current', 'identities'])
  assert.deepEqual(readdirSync(`${home}/identities/1`), ['key.pem'])
})

test('files: a link in the place of a file is not followed, and a folder in its place is an error', async () => {
  using folder = testFolder()
  const home = folder.join('home')
  const storage = fileStorage(home)
  await storage.write('a', toUtf8('one'))
  writeFileSync(folder.join('outside'), 'secret')
  symlinkSync(folder.join('outside'), `${home}/b`)
  await assert.rejects(storage.read('b'), { code: 'agent.storage_failed' })
  mkdirSync(`${home}/c`)
  await assert.rejects(storage.write('c', toUtf8('x')), { code: 'agent.storage_failed' })
  assert.deepEqual(readdirSync(home).toSorted(), ['a', 'b', 'c'], 'nothing is left over')
})

test('memory: a cut happens before or after one change, and nothing works until the power is back', async () => {
  const storage = new MemoryStorage()
  await storage.write('a', toUtf8('one'))
  storage.cutPower(2, 'before')
  await storage.write('b', toUtf8('two'))
  await assert.rejects(storage.write('c', toUtf8('three')), PowerCut)
  await assert.rejects(storage.read('a'), PowerCut)
  await assert.rejects(storage.list(), PowerCut)
  storage.restorePower()
  assert.deepEqual((await storage.list()).toSorted(), ['a', 'b'])
  storage.cutPower(1, 'after')
  await assert.rejects(storage.destroy('a'), PowerCut)
  storage.restorePower()
  assert.deepEqual(await storage.list(), ['b'])
  const copy = storage.clone()
  await copy.destroy('b')
  assert.deepEqual(await storage.list(), ['b'])
})
