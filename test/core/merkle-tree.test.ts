// RFC 9162 2.1: hashes, roots and proofs, against the definition written down recursion by recursion.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toHex } from '../../src/core/bytes/hex.ts'
import { verifySubtreeConsistency, verifySubtreeInclusion } from '../../src/core/merkle/subtree.ts'
import {
  consistencyProof,
  emptyRoot,
  inclusionProof,
  leafHash,
  leafHasher,
  nodeHash,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from '../../src/core/merkle/tree.ts'
import { sha256 } from '../../src/crypto/digest.ts'
import { MTH, PATH, PROOF } from '../support/merkle-reference.ts'

const entriesOf = (count: number) => Array.from({ length: count }, (_, i) => Buffer.from(`entry ${i}`))
const hashes = (entries: readonly Uint8Array[]) => entries.map(entry => leafHash(sha256, entry))
const hex = (list: readonly Uint8Array[]) => list.map(toHex)

test('hashes nothing, a leaf and a node as the RFC defines (2.1.1)', () => {
  assert.equal(toHex(emptyRoot(sha256)), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  assert.equal(
    toHex(leafHash(sha256, new Uint8Array(0))),
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  )
  const left = leafHash(sha256, Uint8Array.of(1))
  const right = leafHash(sha256, Uint8Array.of(2))
  assert.deepEqual(nodeHash(sha256, left, right), rootOf(sha256, [left, right]))
  assert.notDeepEqual(nodeHash(sha256, left, right), nodeHash(sha256, right, left))
})

test('hashes many leaves through one buffer as it hashes each', () => {
  const hash = leafHasher(sha256)
  for (const length of [0, 1, 4094, 4095, 4096, 5000, 65535, 3]) {
    const entry = new Uint8Array(length).fill(length)
    assert.deepEqual(hash(entry), leafHash(sha256, entry), `an entry of ${length} octets`)
  }
})

test('computes root and proofs of every tree up to 40 leaves as the definition does (2.1.1, 2.1.3.1, 2.1.4.1)', () => {
  for (let size = 0; size <= 40; size++) {
    const entries = entriesOf(size)
    const leaves = hashes(entries)
    const root = rootOf(sha256, leaves)
    assert.equal(toHex(root), toHex(MTH(entries)), `root of ${size}`)
    for (let index = 0; index < size; index++) {
      const proof = inclusionProof(sha256, leaves, index)
      assert.deepEqual(hex(proof), hex(PATH(index, entries)), `inclusion ${index} of ${size}`)
      verifyInclusion(sha256, { index, size, leafHash: leaves[index]!, proof, root })
    }
    for (let first = 1; first <= size; first++) {
      const proof = consistencyProof(sha256, leaves, first)
      assert.deepEqual(hex(proof), hex(PROOF(first, entries)), `consistency ${first} to ${size}`)
      verifyConsistency(sha256, { size1: first, size2: size, root1: MTH(entries.slice(0, first)), root2: root, proof })
    }
  }
})

test('refuses an inclusion proof with any bit flipped, moved or of another size (2.1.3.2)', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.nat(), fc.nat(), fc.nat(), (size, pick, where, bit) => {
      const index = pick % size
      const leaves = hashes(entriesOf(size))
      const claim = {
        index,
        size,
        leafHash: leaves[index]!,
        proof: inclusionProof(sha256, leaves, index),
        root: rootOf(sha256, leaves),
      }
      verifyInclusion(sha256, claim)
      const parts = [claim.leafHash, claim.root, ...claim.proof]
      const part = where % parts.length
      const flipped = new Uint8Array(parts[part]!)
      flipped[(bit >> 3) % 32]! ^= 1 << (bit & 7)
      const [leafHash, root, ...proof] = parts.with(part, flipped) as [Uint8Array, Uint8Array, ...Uint8Array[]]
      refuses('merkle.root_mismatch', () => verifyInclusion(sha256, { index, size, leafHash, root, proof }))
      refuses('merkle.proof_length', () => verifyInclusion(sha256, { ...claim, proof: [...claim.proof, claim.root] }))
      if (size > 1) {
        refuses('merkle.proof_length', () => verifyInclusion(sha256, { ...claim, proof: claim.proof.slice(1) }))
        const other = (index + 1) % size
        refuses(/^merkle\.(root_mismatch|proof_length)$/, () => verifyInclusion(sha256, { ...claim, index: other }))
      }
    }),
    { numRuns: 150 },
  )
})

test('refuses a consistency proof with any bit flipped (2.1.4.2)', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 200 }), fc.nat(), fc.nat(), fc.nat(), (size2, pick, where, bit) => {
      const size1 = 1 + (pick % (size2 - 1))
      const leaves = hashes(entriesOf(size2))
      const proof = consistencyProof(sha256, leaves, size1)
      const parts = [rootOf(sha256, leaves.slice(0, size1)), rootOf(sha256, leaves), ...proof]
      const part = where % parts.length
      const flipped = new Uint8Array(parts[part]!)
      flipped[(bit >> 3) % 32]! ^= 1 << (bit & 7)
      const [root1, root2, ...rest] = parts.with(part, flipped) as [Uint8Array, Uint8Array, ...Uint8Array[]]
      refuses('merkle.root_mismatch', () => verifyConsistency(sha256, { size1, size2, root1, root2, proof: rest }))
    }),
    { numRuns: 150 },
  )
})

test('refuses sizes, indexes and hashes that no tree has', () => {
  const hash = new Uint8Array(32)
  const claim = { index: 0, size: 1, leafHash: hash, proof: [], root: hash }
  for (const size of [-1, 1.5, Number.NaN, 2 ** 53]) {
    refuses('merkle.size_invalid', () => verifyInclusion(sha256, { ...claim, size }))
    refuses('merkle.size_invalid', () =>
      verifyConsistency(sha256, { size1: 1, size2: size, root1: hash, root2: hash, proof: [] }),
    )
  }
  for (const index of [-1, 1, 0.5, Number.NaN])
    refuses('merkle.index_invalid', () => verifyInclusion(sha256, { ...claim, index }))
  refuses('merkle.hash_length', () => verifyInclusion(sha256, { ...claim, leafHash: new Uint8Array(31) }))
  refuses('merkle.hash_length', () => rootOf(sha256, [new Uint8Array(33)]))
  refuses('merkle.size_invalid', () =>
    verifyConsistency(sha256, { size1: 0, size2: 1, root1: hash, root2: hash, proof: [] }),
  )
  refuses('merkle.size_invalid', () =>
    verifyConsistency(sha256, { size1: 2, size2: 1, root1: hash, root2: hash, proof: [] }),
  )
})

test('checks a proof in the largest tree there can be without walking it', () => {
  const size = Number.MAX_SAFE_INTEGER
  const hash = new Uint8Array(32)
  refuses('merkle.proof_length', () =>
    verifyInclusion(sha256, { index: size - 1, size, leafHash: hash, proof: [], root: hash }),
  )
  const proof = Array.from({ length: 53 }, () => hash)
  refuses('merkle.root_mismatch', () => verifyInclusion(sha256, { index: 0, size, leafHash: hash, proof, root: hash }))
})

test('verifies subtrees of a tree, and refuses ranges that are none (merkle-tree-certs, Subtrees)', () => {
  const entries = entriesOf(13)
  const leaves = hashes(entries)
  const subtree = { start: 8, end: 12 }
  const subtreeRoot = MTH(entries.slice(8, 12))
  const sub = leaves.slice(8, 12)
  for (let i = 0; i < 4; i++) {
    const claim = { index: 8 + i, subtree, leafHash: sub[i]!, proof: inclusionProof(sha256, sub, i), root: subtreeRoot }
    verifySubtreeInclusion(sha256, claim)
    refuses('merkle.index_invalid', () => verifySubtreeInclusion(sha256, { ...claim, index: 7 }))
  }
  const proof = [leaves[12]!, MTH(entries.slice(0, 8))]
  const claim = { subtree, size: 13, subtreeRoot, root: MTH(entries), proof }
  verifySubtreeConsistency(sha256, claim)
  refuses('merkle.root_mismatch', () => verifySubtreeConsistency(sha256, { ...claim, proof: proof.toReversed() }))
  refuses('merkle.size_invalid', () => verifySubtreeConsistency(sha256, { ...claim, size: 11 }))
  for (const [start, end] of [
    [9, 12],
    [4, 9],
    [5, 4],
  ] as const) {
    refuses('merkle.subtree_invalid', () => verifySubtreeConsistency(sha256, { ...claim, subtree: { start, end } }))
  }
})

function refuses(code: string | RegExp, run: () => unknown): void {
  assert.throws(run, { name: 'TouchmarkError', code })
}
