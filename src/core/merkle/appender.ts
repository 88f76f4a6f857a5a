// Appending to the tree at the cost of one node hash per leaf, whatever its size, and rebuilding what that needs from the right
// edge of the stored tiles. States are values: keep the old one until the new tiles are durable.
import { type Bytes, copyBytes, EMPTY } from '../bytes/bytes.ts'
import { merkleError } from './merkle-error.ts'
import { edgeTiles, hashesInTile, TILE_HEIGHT, TILE_LENGTH, TILE_WIDTH, type TileAddress } from './tile.ts'
import { checkHash, checkSize, emptyRoot, HASH_LENGTH, type Hash, nodeHash } from './tree.ts'

/** A tree, as far as appending to it needs. */
export interface TreeState {
  /** Leaves. */
  readonly size: number
  /** The bytes of each level's partial tile, from level 0 up; empty where the level has none. */
  readonly edge: readonly Bytes[]
  /** The roots of the complete subtrees that the tree consists of, largest first: one for each one-bit of `size`. */
  readonly peaks: readonly Bytes[]
}

export const EMPTY_TREE: TreeState = { size: 0, edge: [], peaks: [] }

/** A tile that is new or has grown. A full one (`width` 256) never changes again; a partial one replaces its narrower form. */
export interface ChangedTile extends TileAddress {
  readonly hashes: Bytes
}

export interface Appended {
  readonly state: TreeState
  /** Merkle tree hash over all leaves (RFC 9162 §2.1.1). */
  readonly root: Bytes
  readonly tiles: readonly ChangedTile[]
}

/** Reads the stored bytes of a tile: any width from the needed one up. */
export type ReadTile = (level: number, index: number) => Promise<Uint8Array | undefined>

/**
 * The tree after these leaves, its root, and the tiles to store. Costs one hash per leaf and one per peak.
 * Errors: `merkle.hash_length`, `merkle.size_invalid` (beyond 2^53 - 1 leaves).
 */
export function appendLeaves(hash: Hash, state: TreeState, leafHashes: readonly Uint8Array[]): Appended {
  checkSize(state.size + leafHashes.length)
  const tiles: ChangedTile[] = []
  const open: (OpenTile | undefined)[] = []
  const peaks = state.peaks.slice()
  const input = new Uint8Array(1 + 2 * HASH_LENGTH)
  input[0] = 0x01
  let size = state.size
  for (const leaf of leafHashes) {
    checkHash(leaf)
    let node = copyBytes(leaf)
    push(0, node)
    // Each one-bit at the low end of the size is a complete subtree that the new node makes one twice as large.
    let height = 0
    for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
      input.set(peaks.pop()!, 1)
      input.set(node, 1 + HASH_LENGTH)
      node = hash(input)
      height++
      if (height % TILE_HEIGHT === 0) push(height / TILE_HEIGHT, node)
    }
    peaks.push(node)
    size++
  }
  const edge = state.edge.slice()
  for (const [level, tile] of open.entries()) {
    if (tile === undefined) continue
    const hashes = tile.bytes.slice(0, tile.width * HASH_LENGTH)
    edge[level] = hashes
    if (tile.width > 0) tiles.push({ level, index: tile.index, width: tile.width, hashes })
  }
  const next: TreeState = { size, edge, peaks }
  return { state: next, root: treeRoot(hash, next), tiles }

  /** Adds a hash to the partial tile of a level. A level is touched only after all levels below it, so `open` has no holes. */
  function push(level: number, node: Uint8Array): void {
    open[level] ??= reopenTile(state, level)
    const tile = open[level]
    tile.bytes.set(node, tile.width * HASH_LENGTH)
    tile.width++
    if (tile.width === TILE_WIDTH) {
      tiles.push({ level, index: tile.index, width: TILE_WIDTH, hashes: tile.bytes })
      open[level] = { index: tile.index + 1, width: 0, bytes: new Uint8Array(TILE_LENGTH) }
    }
  }
}

/** Merkle tree hash over all leaves of the state (RFC 9162 §2.1.1). */
export function treeRoot(hash: Hash, state: TreeState): Bytes {
  let root = state.peaks.at(-1)
  if (root === undefined) return emptyRoot(hash)
  for (let i = state.peaks.length - 2; i >= 0; i--) root = nodeHash(hash, state.peaks[i]!, root)
  return copyBytes(root)
}

/**
 * Rebuilds the state from the bytes of each level's partial tile, from level 0 up (empty where there is none). The size follows
 * from their widths. Costs at most 255 hashes per level. Errors: `merkle.tile_malformed`, `merkle.size_invalid`.
 */
export function restoreTree(hash: Hash, edge: readonly Uint8Array[]): TreeState {
  let size = 0
  const peaks: Bytes[] = []
  for (let level = edge.length - 1; level >= 0; level--) {
    const bytes = edge[level]!
    const width = bytes.length === 0 ? 0 : hashesInTile(bytes)
    if (width === TILE_WIDTH) throw merkleError('merkle.tile_malformed', 'A full tile is not part of the right edge.')
    size = size * TILE_WIDTH + width
    checkSize(size)
    for (let at = 0, span = TILE_WIDTH / 2; span >= 1; span /= 2) {
      if ((width & span) === 0) continue
      peaks.push(subtreeRoot(hash, bytes, at, span))
      at += span
    }
  }
  return { size, edge: edge.map(copyBytes), peaks }
}

/**
 * Reads the right edge of a tree of `size` leaves from its tiles and rebuilds the state. Compare `treeRoot` with the root that
 * is on record. Errors: `merkle.tile_missing`, `merkle.tile_malformed`, `merkle.size_invalid`.
 */
export async function loadTree(hash: Hash, size: number, readTile: ReadTile): Promise<TreeState> {
  const edge: Bytes[] = []
  for (const { level, index, width } of edgeTiles(size)) {
    const bytes = await readTile(level, index)
    if (bytes === undefined || hashesInTile(bytes) < width) throw tileMissing(level, index, width)
    while (edge.length < level) edge.push(EMPTY)
    edge.push(bytes.slice(0, width * HASH_LENGTH) as Bytes)
  }
  return restoreTree(hash, edge)
}

/** The root of the complete subtree over `span` (a power of two) hashes of a tile, from hash `at` on. */
export function subtreeRoot(hash: Hash, tile: Uint8Array, at: number, span: number): Bytes {
  if (span === 1) return copyBytes(tile.subarray(at * HASH_LENGTH, (at + 1) * HASH_LENGTH))
  const half = span / 2
  return nodeHash(hash, subtreeRoot(hash, tile, at, half), subtreeRoot(hash, tile, at + half, half))
}

export function tileMissing(level: number, index: number, width: number) {
  return merkleError('merkle.tile_missing', `Tile ${index} of level ${level} does not hold ${width} hashes.`, {
    next: 'Verify the audit log against its entries: the tiles can be rebuilt from them.',
    evidence: { level, index, width },
  })
}

interface OpenTile {
  readonly index: number
  width: number
  readonly bytes: Bytes
}

function reopenTile(state: TreeState, level: number): OpenTile {
  const bytes = new Uint8Array(TILE_LENGTH)
  const stored = state.edge[level] ?? EMPTY
  bytes.set(stored)
  return { index: Math.floor(state.size / TILE_WIDTH ** (level + 1)), width: stored.length / HASH_LENGTH, bytes }
}
