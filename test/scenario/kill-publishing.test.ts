// A process killed with -9 while it puts large publications in place, again and again, and another beside it: whatever is in place is whole, and
// what the dead left behind goes with the next one.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createStore, openStore } from '../../src/adapters/store/open-store.ts'
import type { PublicationHead, Store } from '../../src/domain/ports.ts'
import { placePublication, publicationBody } from '../../src/domain/publication-body.ts'
import { takeNumber } from '../../src/domain/revocation/crl-series.ts'

const NAME = 'crl/idevid-1/0'
const OCTETS = 1_500_000
const ROUNDS = 3

/** Publishes for ever: each octet of a list says its number. */
async function publishOne(store: Store, octets: number): Promise<PublicationHead> {
  const number = await takeNumber(NAME, 1, store)
  const bytes = new Uint8Array(octets).fill(number)
  const facts = { name: NAME, contentType: 'application/pkix-crl', number, thisUpdate: 1, nextUpdate: 2 }
  return placePublication({ ...facts, bytes }, {}, store)
}

const CHILD = `
  import { openStore } from '${new URL('../../src/adapters/store/open-store.ts', import.meta.url)}'
  import { placePublication } from '${new URL('../../src/domain/publication-body.ts', import.meta.url)}'
  import { takeNumber } from '${new URL('../../src/domain/revocation/crl-series.ts', import.meta.url)}'
  const NAME = '${NAME}'
  const publishOne = ${publishOne.toString()}
  const store = await openStore({ folder: process.argv[2] })
  for (;;) {
    await publishOne(store, ${OCTETS}).catch(error => { if (error.code !== 'publication.outdated') throw error })
    process.stdout.write('.')
  }`

async function assertWhole(store: Store): Promise<PublicationHead | undefined> {
  const head = await store.read.publicationHead(NAME)
  if (head === undefined) return undefined
  const hash = createHash('sha256')
  for await (const part of publicationBody(head, store.read)) {
    assert.ok(part.every(octet => octet === (head.number & 255)))
    hash.update(part)
  }
  assert.equal(hash.digest('hex'), head.sha256)
  return head
}

test('what is in place is whole whenever a publisher dies, and nothing of the dead stays', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'touchmark-kill-publishing-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  await (await createStore({ folder }))[Symbol.asyncDispose]()
  const program = join(folder, 'publish.mjs')
  writeFileSync(program, CHILD)
  let last = 0
  for (let round = 0; round < ROUNDS; round++) {
    const children = [0, 1].map(() =>
      spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] }),
    )
    // When the first has put one in place, and is in the middle of the next.
    await once(children[0]!.stdout!, 'data')
    for (const child of children) {
      child.kill('SIGKILL')
      await once(child, 'close')
    }
    await using store = await openStore({ folder })
    const head = await assertWhole(store)
    assert.ok(head !== undefined && head.number > last)
    last = head.number
  }
  await using store = await openStore({ folder })
  const placed = await publishOne(store, 10)
  assert.ok(placed.number > last)
  await publishOne(store, 10)
  assert.equal(await store.read.stalePieces(NAME, 99), 0)
  await assertWhole(store)
})
