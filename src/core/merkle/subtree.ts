// Proofs about subtrees: ranges of leaves that begin at a multiple of their size rounded up to a power of two
// (draft-ietf-plants-merkle-tree-certs, "Subtrees"). Cosigners may sign them in place of whole trees (C2SP tlog-cosignature).
import { equalBytes } from '../bytes/bytes.ts'
import { merkleError } from './merkle-error.ts'
import { checkSize, emptyRoot, type Hash, type LeafRange, verifyInclusion, verifySubtreePath } from './tree.ts'

export interface SubtreeInclusionClaim {
  /** Counted from the first leaf of the whole tree. */
  readonly index: number
  readonly subtree: LeafRange
  readonly leafHash: Uint8Array
  readonly proof: readonly Uint8Array[]
  readonly root: Uint8Array
}

/**
 * Returns where the proof leads from the leaf to the root of the subtree, and throws otherwise. It is the inclusion proof in a
 * tree that holds the leaves of the subtree alone. Errors: as `verifyInclusion`, and `merkle.subtree_invalid`.
 */
export function verifySubtreeInclusion(hash: Hash, claim: SubtreeInclusionClaim): void {
  const { index, subtree, leafHash, proof, root } = claim
  checkSubtree(subtree)
  const size = subtree.end - subtree.start
  verifyInclusion(hash, { index: index - subtree.start, size, leafHash, proof, root })
}

export interface SubtreeConsistencyClaim {
  readonly subtree: LeafRange
  readonly size: number
  readonly subtreeRoot: Uint8Array
  readonly root: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/**
 * Returns where the tree of `size` leaves contains the subtree, and throws otherwise. An empty subtree is contained in every
 * tree, whatever its root: only the subtree's own root is checked then.
 * Errors: as `verifyConsistency`, and `merkle.subtree_invalid`.
 */
export function verifySubtreeConsistency(hash: Hash, claim: SubtreeConsistencyClaim): void {
  const { subtree, size, subtreeRoot, root, proof } = claim
  checkSubtree(subtree)
  checkSize(size)
  if (subtree.end > size) {
    throw merkleError('merkle.size_invalid', `A tree of ${size} leaves does not reach to leaf ${subtree.end - 1}.`, {
      evidence: { start: subtree.start, end: subtree.end, size },
    })
  }
  if (subtree.start < subtree.end) {
    verifySubtreePath(hash, subtree, size, subtreeRoot, root, proof)
  } else if (proof.length !== 0) {
    throw merkleError('merkle.proof_length', 'The proof about an empty subtree is empty.', {
      evidence: { length: proof.length },
    })
  } else if (!equalBytes(subtreeRoot, emptyRoot(hash))) {
    throw merkleError('merkle.root_mismatch', 'The root of an empty subtree is the hash of nothing.')
  }
}

/** Errors: `merkle.size_invalid`, `merkle.subtree_invalid`. */
function checkSubtree({ start, end }: LeafRange): void {
  checkSize(start)
  checkSize(end)
  let power = 1
  while (power < end - start) power *= 2
  if (start > end || (start < end && start % power !== 0)) {
    throw merkleError('merkle.subtree_invalid', `Leaves ${start} to ${end} (exclusive) are no subtree.`, {
      evidence: { start, end },
    })
  }
}
