// Proofs and roots computed from stored tiles: a handful of tiles per proof, whatever the size of the tree, and for any size that
// the tree once had. What is read is not trusted here: whoever hands a proof out checks it against a signed root first.
import type { Bytes } from '../bytes/bytes.ts'
import { type ReadTile, subtreeRoot, tileMissing } from './appender.ts'
import { hashesInTile, TILE_WIDTH } from './tile.ts'
import {
  checkSize,
  consistencyPath,
  emptyRoot,
  type Hash,
  inclusionPath,
  type LeafRange,
  nodeHash,
  splitPoint,
} from './tree.ts'

/**
 * The inclusion proof of leaf `index` in the tree of `size` leaves (RFC 9162 §2.1.3.1).
 * Errors: `merkle.index_invalid`, `merkle.size_invalid`, `merkle.tile_missing`, `merkle.tile_malformed`.
 */
export async function inclusionProofFromTiles(
  hash: Hash,
  index: number,
  size: number,
  readTile: ReadTile,
): Promise<Bytes[]> {
  return rangeRoots(hash, inclusionPath(index, size), readTile)
}

/**
 * The proof that the tree of `second` leaves extends the one of `first` leaves (RFC 9162 §2.1.4.1).
 * Errors: `merkle.size_invalid`, `merkle.tile_missing`, `merkle.tile_malformed`.
 */
export async function consistencyProofFromTiles(
  hash: Hash,
  first: number,
  second: number,
  readTile: ReadTile,
): Promise<Bytes[]> {
  return rangeRoots(hash, consistencyPath(first, second), readTile)
}

/** The root of the tree of `size` leaves. Errors: `merkle.size_invalid`, `merkle.tile_missing`, `merkle.tile_malformed`. */
export async function rootFromTiles(hash: Hash, size: number, readTile: ReadTile): Promise<Bytes> {
  checkSize(size)
  if (size === 0) return emptyRoot(hash)
  const [root] = await rangeRoots(hash, [{ start: 0, end: size }], readTile)
  return root!
}

/** A complete subtree as part of one tile: `span` hashes from hash `at` on. */
interface TilePart {
  readonly level: number
  readonly index: number
  readonly at: number
  readonly span: number
}

async function rangeRoots(hash: Hash, ranges: readonly LeafRange[], readTile: ReadTile): Promise<Bytes[]> {
  const needed = ranges.map(partsOf)
  const tiles = new Map<string, Promise<Uint8Array>>()
  for (const part of needed.flat()) {
    const key = `${part.level}/${part.index}`
    if (!tiles.has(key)) tiles.set(key, fetchTile(part, readTile))
  }
  // All reads are under way before the first is awaited, and none is left behind when one of them fails.
  const bytes = new Map(
    await Promise.all(Array.from(tiles, async ([key, tile]): Promise<[string, Uint8Array]> => [key, await tile])),
  )
  return needed.map(parts => {
    // The parts of a range shrink from left to right, so its root is folded from the right, as for a whole tree.
    const roots = parts.map(part => {
      const tile = bytes.get(`${part.level}/${part.index}`)!
      if (hashesInTile(tile) < part.at + part.span) throw tileMissing(part.level, part.index, part.at + part.span)
      return subtreeRoot(hash, tile, part.at, part.span)
    })
    return roots.reduceRight((right, left) => nodeHash(hash, left, right))
  })
}

async function fetchTile({ level, index, at, span }: TilePart, readTile: ReadTile): Promise<Uint8Array> {
  const bytes = await readTile(level, index)
  if (bytes === undefined) throw tileMissing(level, index, at + span)
  return bytes
}

/** Cuts a range that begins at a subtree boundary into complete subtrees, largest first. */
function partsOf({ start, end }: LeafRange): TilePart[] {
  const parts: TilePart[] = []
  while (start < end) {
    const rest = end - start
    const split = rest === 1 ? 1 : splitPoint(rest)
    const leaves = split * 2 === rest ? rest : split
    parts.push(tilePart(start, leaves))
    start += leaves
  }
  return parts
}

function tilePart(start: number, leaves: number): TilePart {
  let level = 0
  let unit = 1
  while (unit * TILE_WIDTH <= leaves) {
    unit *= TILE_WIDTH
    level++
  }
  const node = start / unit
  return { level, index: Math.floor(node / TILE_WIDTH), at: node % TILE_WIDTH, span: leaves / unit }
}
