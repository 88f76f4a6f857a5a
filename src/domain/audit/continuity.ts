// A log never signs a checkpoint that does not extend the last one that it signed (C2SP tlog-checkpoint, Signatures). Asked before each
// signature: a store that was restored from an old backup, or altered, must not be signed for.
import { TouchmarkError } from '../../core/errors.ts'
import type { ReadTile } from '../../core/merkle/appender.ts'
import { consistencyProofFromTiles } from '../../core/merkle/proof-from-tiles.ts'
import { type Hash, verifyConsistency } from '../../core/merkle/tree.ts'

interface TreeHead {
  readonly size: number
  readonly root: Uint8Array
}

/**
 * Returns where the tree of `head` extends the one that was `signed`; reads a handful of tiles. Nothing is asked of the first
 * checkpoint, nor of one that follows an empty log. Errors: `audit.log_not_continued`.
 */
export async function checkContinuity(hash: Hash, signed: TreeHead, head: TreeHead, readTile: ReadTile): Promise<void> {
  if (signed.size === 0) return
  try {
    const proof = await consistencyProofFromTiles(hash, signed.size, head.size, readTile)
    verifyConsistency(hash, { size1: signed.size, size2: head.size, root1: signed.root, root2: head.root, proof })
  } catch (cause) {
    throw new TouchmarkError(
      'audit.log_not_continued',
      'internal',
      'The log does not extend the checkpoint that it signed last.',
      {
        next: 'Sign nothing. Find out what was altered with: touchmark audit verify',
        evidence: { signedSize: signed.size, size: head.size },
        cause,
      },
    )
  }
}
