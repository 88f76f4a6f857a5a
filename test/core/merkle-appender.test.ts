// Appending leaf by leaf or in bulk, the tiles that come of it, and proofs from nothing but those tiles (C2SP tlog-tiles, RFC 9162).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toHex } from '../../src/core/bytes/hex.ts'
import {
  appendLeaves,
  type ChangedTile,
  EMPTY_TREE,
  loadTree,
  restoreTree,
  type TreeState,
  treeRoot,
} from '../../src/core/merkle/appender.ts'
import {
  consistencyProofFromTiles,
  inclusionProofFromTiles,
  rootFromTiles,
} from '../../src/core/merkle/proof-from-tiles.ts'
import { edgeTiles, TILE_WIDTH, tileWidth } from '../../src/core/merkle/tile.ts'
import {
  consistencyProof,
  inclusionProof,
  leafHash,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from '../../src/core/merkle/tree.ts'
import { sha256 } from '../../src/crypto/digest.ts'
import { MTH } from '../support/merkle-reference.ts'

const entry = (i: number) => Buffer.from(`entry ${i}`)
const leaf = (i: number) => leafHash(sha256, entry(i))
const leaves = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => leaf(from + i))

/** A store of tiles: full ones are written once, partial ones replaced by wider ones. */
class TileStore {
  readonly tiles = new Map<string, Uint8Array>()
  reads = 0

  put(changed: readonly ChangedTile[]): void {
    for (const { level, index, width, hashes } of changed) {
      assert.equal(hashes.length, width * 32)
      const before = this.tiles.get(`${level}/${index}`)
      if (before !== undefined) {
        assert.ok(before.length < hashes.length, 'a tile that was full or as wide is written again')
        assert.deepEqual(hashes.subarray(0, before.length), before, 'a stored hash changes')
      }
      this.tiles.set(`${level}/${index}`, new Uint8Array(hashes))
    }
  }

  readonly read = async (level: number, index: number) => {
    this.reads++
    return this.tiles.get(`${level}/${index}`)
  }
}

function grow(sizes: readonly number[], store = new TileStore()): { state: TreeState; store: TileStore } {
  let state = EMPTY_TREE
  for (const count of sizes) {
    const appended = appendLeaves(sha256, state, leaves(state.size, state.size + count))
    store.put(appended.tiles)
    assert.deepEqual(appended.root, treeRoot(sha256, appended.state))
    state = appended.state
  }
  return { state, store }
}

test('gives the root of the definition, however the leaves are split into appends (RFC 9162 2.1.1)', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 6 }), counts => {
      const { state, store } = grow(counts)
      const size = counts.reduce((sum, count) => sum + count, 0)
      assert.equal(state.size, size)
      assert.equal(toHex(treeRoot(sha256, state)), toHex(MTH(Array.from({ length: size }, (_, i) => entry(i)))))
      for (const { level, index, width } of edgeTiles(size)) {
        assert.equal(store.tiles.get(`${level}/${index}`)?.length, width * 32, `tile ${index} of level ${level}`)
      }
    }),
    { numRuns: 60 },
  )
})

test('stores the tiles that tlog-tiles lists for 70,000 entries', () => {
  const { state, store } = grow([1, 254, 1, 1, 65_000, 278, 1, 4464])
  assert.equal(state.size, 70_000)
  const widths = (level: number) =>
    [...store.tiles].filter(([key]) => key.startsWith(`${level}/`)).map(([, bytes]) => bytes.length / 32)
  assert.deepEqual(widths(0), [...Array.from({ length: 273 }, () => 256), 112])
  assert.deepEqual(widths(1), [256, 17])
  assert.deepEqual(widths(2), [1])
  assert.equal(store.tiles.size, 273 + 1 + 2 + 1)
  // Each hash above level 0 is the Merkle tree hash of a full tile below.
  for (const [level, index, at] of [
    [1, 0, 0],
    [1, 0, 255],
    [1, 1, 16],
  ] as const) {
    const n = index * 256 + at
    assert.deepEqual(
      store.tiles.get(`${level}/${index}`)!.slice(at * 32, at * 32 + 32),
      rootOf(sha256, leaves(n * 256, n * 256 + 256)),
    )
  }
})

test('is rebuilt from the right edge alone and appends as if it had never stopped', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1500 }), fc.integer({ min: 1, max: 400 }), (size, more) => {
      const { state } = grow([size])
      const restored = restoreTree(sha256, state.edge)
      assert.equal(restored.size, size)
      assert.deepEqual(restored.peaks, state.peaks)
      const next = leaves(size, size + more)
      assert.deepEqual(appendLeaves(sha256, restored, next), appendLeaves(sha256, state, next))
    }),
    { numRuns: 40 },
  )
})

test('leaves the state before as it was: a failed commit is forgotten by keeping the old state', () => {
  const { state } = grow([300])
  const before = structuredClone(state)
  const first = appendLeaves(sha256, state, leaves(300, 600))
  assert.deepEqual(state, before)
  assert.deepEqual(appendLeaves(sha256, state, leaves(300, 600)), first)
})

test('loads from stored tiles, also at a size that the log has outgrown', async () => {
  const { store } = grow([700])
  for (const size of [0, 1, 255, 256, 257, 512, 699, 700]) {
    const state = await loadTree(sha256, size, store.read)
    assert.equal(state.size, size)
    assert.deepEqual(treeRoot(sha256, state), rootOf(sha256, leaves(0, size)))
  }
  await assert.rejects(loadTree(sha256, 701, store.read), { code: 'merkle.tile_missing' })
  await assert.rejects(loadTree(sha256, 70_000, store.read), { code: 'merkle.tile_missing' })
})

test('refuses an edge that is none, and leaves that are no hashes', () => {
  assert.throws(() => restoreTree(sha256, [new Uint8Array(33)]), { code: 'merkle.tile_malformed' })
  assert.throws(() => restoreTree(sha256, [new Uint8Array(8192)]), { code: 'merkle.tile_malformed' })
  assert.throws(
    () =>
      restoreTree(
        sha256,
        Array.from({ length: 8 }, () => new Uint8Array(32)),
      ),
    { code: 'merkle.size_invalid' },
  )
  assert.throws(() => appendLeaves(sha256, EMPTY_TREE, [new Uint8Array(31)]), { code: 'merkle.hash_length' })
  const full: TreeState = { size: Number.MAX_SAFE_INTEGER, edge: [], peaks: [] }
  assert.throws(() => appendLeaves(sha256, full, [leaf(0)]), { code: 'merkle.size_invalid' })
})

test('costs one node hash a leaf', () => {
  let calls = 0
  const counting = (bytes: Uint8Array) => {
    calls++
    return sha256(bytes)
  }
  const { state } = grow([12_345])
  const next = leaves(12_345, 22_345)
  calls = 0
  appendLeaves(counting, state, next)
  assert.ok(calls <= 10_000 + 20, `${calls} hashes for 10,000 leaves`)
  calls = 0
  appendLeaves(counting, state, next.slice(0, 1))
  assert.ok(calls <= 20, `${calls} hashes for one leaf`)
})

test('proves from tiles what it proves from leaves, at every size that the log had (RFC 9162 2.1.3.1, 2.1.4.1)', async () => {
  const { store } = grow([1, 299, 900])
  const all = leaves(0, 1200)
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1200 }), fc.nat(), async (size, pick) => {
      const index = pick % size
      const known = all.slice(0, size)
      const root = rootOf(sha256, known)
      assert.deepEqual(await rootFromTiles(sha256, size, store.read), root)
      const inclusion = await inclusionProofFromTiles(sha256, index, size, store.read)
      assert.deepEqual(inclusion, inclusionProof(sha256, known, index))
      verifyInclusion(sha256, { index, size, leafHash: known[index]!, proof: inclusion, root })
      const size1 = index + 1
      const consistency = await consistencyProofFromTiles(sha256, size1, size, store.read)
      assert.deepEqual(consistency, consistencyProof(sha256, known, size1))
      verifyConsistency(sha256, {
        size1,
        size2: size,
        root1: rootOf(sha256, all.slice(0, size1)),
        root2: root,
        proof: consistency,
      })
    }),
    { numRuns: 80 },
  )
})

test('reads a handful of tiles for a proof in a log of 70,000 entries', async () => {
  const { store, state } = grow([70_000])
  const root = treeRoot(sha256, state)
  for (const index of [0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999]) {
    store.reads = 0
    const proof = await inclusionProofFromTiles(sha256, index, 70_000, store.read)
    verifyInclusion(sha256, { index, size: 70_000, leafHash: leaf(index), proof, root })
    assert.ok(store.reads <= 5, `${store.reads} tiles for entry ${index}`)
  }
  for (const size1 of [1, 256, 65_536, 65_537, 69_999]) {
    store.reads = 0
    const proof = await consistencyProofFromTiles(sha256, size1, 70_000, store.read)
    const root1 = await rootFromTiles(sha256, size1, store.read)
    verifyConsistency(sha256, { size1, size2: 70_000, root1, root2: root, proof })
    assert.ok(store.reads <= 12, `${store.reads} tiles for ${size1}`)
  }
})

test('says which tile a proof lacks, and refuses tiles that are none', async () => {
  const { store } = grow([600])
  store.tiles.delete('0/1')
  await assert.rejects(inclusionProofFromTiles(sha256, 300, 600, store.read), {
    code: 'merkle.tile_missing',
    kind: 'not_found',
    evidence: { level: 0, index: 1, width: 46 },
  })
  store.tiles.set('0/1', new Uint8Array(100))
  await assert.rejects(inclusionProofFromTiles(sha256, 300, 600, store.read), { code: 'merkle.tile_malformed' })
  store.tiles.set('0/1', new Uint8Array(32))
  await assert.rejects(inclusionProofFromTiles(sha256, 300, 600, store.read), { code: 'merkle.tile_missing' })
  await assert.rejects(inclusionProofFromTiles(sha256, 600, 600, store.read), { code: 'merkle.index_invalid' })
  await assert.rejects(consistencyProofFromTiles(sha256, 0, 600, store.read), { code: 'merkle.size_invalid' })
})

test('knows the width of every tile at every size', () => {
  for (const size of [0, 1, 255, 256, 257, 65_535, 65_536, 70_000, 2 ** 40 + 77]) {
    for (const { level, index, width } of edgeTiles(size)) {
      assert.equal(tileWidth(level, index, size), width)
      assert.equal(tileWidth(level, index + 1, size), 0)
      if (index > 0) assert.equal(tileWidth(level, index - 1, size), TILE_WIDTH)
    }
  }
})
