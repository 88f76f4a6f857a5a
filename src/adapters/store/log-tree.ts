// The Merkle tree as a writer holds it between commits: its right edge in memory, checked against the head of the store in every
// transaction, and read again from the tiles where another process moved on.
import { equalBytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import {
  type Appended,
  appendLeaves,
  EMPTY_TREE,
  restoreTree,
  type TreeState,
  treeRoot,
} from '../../core/merkle/appender.ts'
import { edgeTiles, hashesInTile } from '../../core/merkle/tile.ts'
import { HASH_LENGTH } from '../../core/merkle/tree.ts'
import { sha256 } from '../../crypto/digest.ts'
import type { Head } from './tables/log.ts'

export class LogTree {
  #state: TreeState = EMPTY_TREE
  #root: Uint8Array | undefined

  /** The state is that of `head`: same size, same root. */
  isAt(head: Head): boolean {
    return this.#state.size === head.logSize && equalBytes(this.#rootNow(), head.logRoot)
  }

  /** Which tiles `restore` needs, in its order. */
  edge(head: Head): { readonly level: number; readonly index: number; readonly width: number }[] {
    return edgeTiles(head.logSize)
  }

  /** Takes the state from the tiles of the right edge. Errors: `store.log_damaged` where they do not lead to the root. */
  restore(head: Head, tiles: readonly (Uint8Array | undefined)[]): void {
    const edge: Uint8Array[] = []
    for (const [i, { level, width }] of edgeTiles(head.logSize).entries()) {
      const stored = tiles[i]
      if (stored === undefined || hashesInTile(stored) < width) throw logDamaged()
      while (edge.length < level) edge.push(new Uint8Array(0))
      edge.push(stored.subarray(0, width * HASH_LENGTH))
    }
    const state = restoreTree(sha256, edge)
    const root = treeRoot(sha256, state)
    if (state.size !== head.logSize || !equalBytes(root, head.logRoot)) throw logDamaged()
    this.#state = state
    this.#root = root
  }

  /** The tree with the leaves of these hashes; `keep` it once it is durable. */
  append(leafHashes: readonly Uint8Array[]): Appended {
    return appendLeaves(sha256, this.#state, leafHashes)
  }

  keep(appended: Appended): void {
    this.#state = appended.state
    this.#root = appended.root
  }

  #rootNow(): Uint8Array {
    this.#root ??= treeRoot(sha256, this.#state)
    return this.#root
  }
}

/** What stands in the log is not what the head says. */
export function logDamaged(): TouchmarkError {
  return new TouchmarkError('store.log_damaged', 'internal', 'The audit log is not what its head says.', {
    next: 'Run `touchmark audit verify`: it names what was altered. Nothing is written until then.',
  })
}
