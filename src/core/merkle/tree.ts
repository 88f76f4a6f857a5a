// The Merkle tree of RFC 9162 §2.1: hashes, roots, inclusion and consistency proofs over leaf hashes held in memory.
// Proofs over stored tiles are in proof-from-tiles.ts; both ask `inclusionPath` and `consistencyPath` which ranges they need.
import { type Bytes, copyBytes, equalBytes } from '../bytes/bytes.ts'
import { merkleError } from './merkle-error.ts'

/** SHA-256. Must not keep or return its argument: callers reuse it. */
export type Hash = (bytes: Uint8Array) => Bytes

/** Octets of a SHA-256 hash. */
export const HASH_LENGTH = 32

/** The leaves `start` to `end - 1`, counted from zero. */
export interface LeafRange {
  readonly start: number
  readonly end: number
}

/** `HASH(0x00 || entry)` (RFC 9162 §2.1.1). */
export function leafHash(hash: Hash, entry: Uint8Array): Bytes {
  const input = new Uint8Array(1 + entry.length)
  input.set(entry, 1)
  return hash(input)
}

/** As `leafHash`, for many entries: what is hashed is put together in one buffer, again and again. */
export function leafHasher(hash: Hash): (entry: Uint8Array) => Bytes {
  let input = new Uint8Array(4096)
  return entry => {
    if (1 + entry.length > input.length) input = new Uint8Array(2 * entry.length)
    input.set(entry, 1)
    return hash(input.subarray(0, 1 + entry.length))
  }
}

/** `HASH(0x01 || left || right)` (RFC 9162 §2.1.1). */
export function nodeHash(hash: Hash, left: Uint8Array, right: Uint8Array): Bytes {
  const input = new Uint8Array(1 + 2 * HASH_LENGTH)
  input[0] = 0x01
  input.set(left, 1)
  input.set(right, 1 + HASH_LENGTH)
  return hash(input)
}

/** The root of the empty tree: `HASH()` (RFC 9162 §2.1.1). */
export function emptyRoot(hash: Hash): Bytes {
  return hash(new Uint8Array(0))
}

/** Merkle tree hash over the leaf hashes (RFC 9162 §2.1.1). Errors: `merkle.hash_length`. */
export function rootOf(hash: Hash, leafHashes: readonly Uint8Array[]): Bytes {
  for (const leaf of leafHashes) checkHash(leaf)
  return leafHashes.length === 0 ? emptyRoot(hash) : rangeRoot(hash, leafHashes, 0, leafHashes.length)
}

/** The hashes that lead from leaf `index` to the root, the leaf's neighbour first (RFC 9162 §2.1.3.1). */
export function inclusionProof(hash: Hash, leafHashes: readonly Uint8Array[], index: number): Bytes[] {
  return inclusionPath(index, leafHashes.length).map(({ start, end }) => rangeRoot(hash, leafHashes, start, end))
}

/** The hashes that show that the first `first` leaves are a prefix of all of them (RFC 9162 §2.1.4.1). */
export function consistencyProof(hash: Hash, leafHashes: readonly Uint8Array[], first: number): Bytes[] {
  return consistencyPath(first, leafHashes.length).map(({ start, end }) => rangeRoot(hash, leafHashes, start, end))
}

/** Which ranges of leaves an inclusion proof hashes, in the order of the proof: PATH(m, D_n) of RFC 9162 §2.1.3.1. */
export function inclusionPath(index: number, size: number): LeafRange[] {
  checkIndex(index, size)
  const path: LeafRange[] = []
  let start = 0
  let end = size
  while (end - start > 1) {
    const split = start + splitPoint(end - start)
    if (index < split) {
      path.push({ start: split, end })
      end = split
    } else {
      path.push({ start, end: split })
      start = split
    }
  }
  return path.reverse()
}

/** Which ranges of leaves a consistency proof hashes, in the order of the proof: PROOF(m, D_n) of RFC 9162 §2.1.4.1. */
export function consistencyPath(first: number, second: number): LeafRange[] {
  checkSize(first)
  checkSize(second)
  if (first === 0 || first > second) throw sizesDoNotFit(first, second)
  return subtreePath({ start: 0, end: first }, second)
}

export interface InclusionClaim {
  readonly index: number
  readonly size: number
  readonly leafHash: Uint8Array
  readonly proof: readonly Uint8Array[]
  readonly root: Uint8Array
}

/**
 * Returns where the proof leads from the leaf to the root, and throws otherwise (RFC 9162 §2.1.3.2).
 * Errors: `merkle.index_invalid`, `merkle.size_invalid`, `merkle.hash_length`, `merkle.proof_length`, `merkle.root_mismatch`.
 */
export function verifyInclusion(hash: Hash, claim: InclusionClaim): void {
  const { index, size, leafHash, proof, root } = claim
  const path = inclusionPath(index, size)
  checkHash(leafHash)
  checkHash(root)
  checkProof(proof, path.length)
  let node = leafHash
  for (let i = 0; i < path.length; i++) {
    node = path[i]!.start > index ? nodeHash(hash, node, proof[i]!) : nodeHash(hash, proof[i]!, node)
  }
  if (!equalBytes(node, root)) {
    throw merkleError(
      'merkle.root_mismatch',
      `The proof for leaf ${index} does not lead to the root of ${size} leaves.`,
      {
        evidence: { index, size },
      },
    )
  }
}

export interface ConsistencyClaim {
  readonly size1: number
  readonly size2: number
  readonly root1: Uint8Array
  readonly root2: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/**
 * Returns where the tree of `size2` leaves extends the one of `size1`, and throws otherwise (RFC 9162 §2.1.4.2). Nothing can be
 * shown about an empty first tree: `size1` is at least 1.
 * Errors: `merkle.size_invalid`, `merkle.hash_length`, `merkle.proof_length`, `merkle.root_mismatch`.
 */
export function verifyConsistency(hash: Hash, claim: ConsistencyClaim): void {
  const { size1, size2, root1, root2, proof } = claim
  checkSize(size1)
  checkSize(size2)
  if (size1 === 0 || size1 > size2) throw sizesDoNotFit(size1, size2)
  verifySubtreePath(hash, { start: 0, end: size1 }, size2, root1, root2, proof)
}

/**
 * Which ranges of leaves show that `subtree` belongs to the first `size` leaves. The caller has checked both; for a subtree that
 * starts at 0 this is the consistency proof of RFC 9162 §2.1.4.1, for others see subtree.ts.
 */
export function subtreePath(subtree: LeafRange, size: number): LeafRange[] {
  const path: LeafRange[] = []
  let start = 0
  let end = size
  let known = true
  while (!(start === subtree.start && end === subtree.end)) {
    const split = start + splitPoint(end - start)
    if (subtree.end <= split) {
      path.push({ start: split, end })
      end = split
    } else {
      path.push({ start, end: split })
      // The subtree lies on both sides: it starts here, and what is left of the split is a whole node of both trees.
      if (subtree.start < split) {
        known = false
        subtree = { start: split, end: subtree.end }
      }
      start = split
    }
  }
  if (!known) path.push({ start, end })
  return path.reverse()
}

/** Follows the hashes of `subtreePath` up to both roots. */
export function verifySubtreePath(
  hash: Hash,
  subtree: LeafRange,
  size: number,
  subtreeRoot: Uint8Array,
  root: Uint8Array,
  proof: readonly Uint8Array[],
): void {
  const path = subtreePath(subtree, size)
  checkProof(proof, path.length)
  // Where both are the same tree there is nothing to hash: the roots are compared as they are.
  if (path.length > 0) {
    checkHash(subtreeRoot)
    checkHash(root)
  }
  // Where the subtree is a node of the tree, its root is where both computations begin; otherwise the first hash of the proof is.
  const known = path.every(({ start, end }) => end <= subtree.start || start >= subtree.end)
  const first = known ? 0 : 1
  let inSubtree = known ? subtreeRoot : proof[0]!
  let inTree = inSubtree
  for (let i = first; i < path.length; i++) {
    const { start, end } = path[i]!
    const node = proof[i]!
    if (start >= subtree.end) {
      inTree = nodeHash(hash, inTree, node)
    } else {
      if (end > subtree.start) inSubtree = nodeHash(hash, node, inSubtree)
      inTree = nodeHash(hash, node, inTree)
    }
  }
  if (!equalBytes(inSubtree, subtreeRoot) || !equalBytes(inTree, root)) {
    throw merkleError(
      'merkle.root_mismatch',
      `The proof does not show that leaves ${subtree.start} to ${subtree.end - 1} are in the tree of ${size} leaves.`,
      { evidence: { start: subtree.start, end: subtree.end, size } },
    )
  }
}

/** The largest power of two below `size`, which is at least 2: `k` of RFC 9162 §2.1.1. */
export function splitPoint(size: number): number {
  let k = 1
  while (2 * k < size) k *= 2
  return k
}

/** Errors: `merkle.size_invalid`. */
export function checkSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) {
    throw merkleError('merkle.size_invalid', 'A tree size is a whole number from 0 to 2^53 - 1.', {
      evidence: { size },
    })
  }
}

/** Errors: `merkle.size_invalid`, `merkle.index_invalid`. */
export function checkIndex(index: number, size: number): void {
  checkSize(size)
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw merkleError('merkle.index_invalid', `A tree of ${size} leaves has no leaf ${index}.`, {
      evidence: { index, size },
    })
  }
}

/** Errors: `merkle.hash_length`. */
export function checkHash(bytes: Uint8Array): void {
  if (bytes.length !== HASH_LENGTH) {
    throw merkleError('merkle.hash_length', `A hash has ${HASH_LENGTH} octets, not ${bytes.length}.`, {
      evidence: { length: bytes.length },
    })
  }
}

function checkProof(proof: readonly Uint8Array[], length: number): void {
  if (proof.length !== length) {
    throw merkleError('merkle.proof_length', `This proof has ${length} hashes, not ${proof.length}.`, {
      evidence: { expected: length, length: proof.length },
    })
  }
  for (const node of proof) checkHash(node)
}

function sizesDoNotFit(first: number, second: number) {
  return merkleError('merkle.size_invalid', `No proof can show that ${second} leaves extend ${first} leaves.`, {
    evidence: { size1: first, size2: second },
  })
}

function rangeRoot(hash: Hash, leafHashes: readonly Uint8Array[], start: number, end: number): Bytes {
  if (end - start === 1) return copyBytes(leafHashes[start]!)
  const split = start + splitPoint(end - start)
  return nodeHash(hash, rangeRoot(hash, leafHashes, start, split), rangeRoot(hash, leafHashes, split, end))
}
