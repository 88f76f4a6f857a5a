// Tiles and entry bundles of C2SP tlog-tiles: which tile holds which hashes, how it is named in a path, how entries are packed.
// A tile is up to 256 consecutive hashes of one level; at level L each hash covers 256^L leaves.
import type { Bytes } from '../bytes/bytes.ts'
import { merkleError } from './merkle-error.ts'
import { checkSize, HASH_LENGTH } from './tree.ts'

/** Hashes of a full tile, and entries of a full bundle. */
export const TILE_WIDTH = 256
/** Levels of the tree between a hash of one tile level and a hash of the next. */
export const TILE_HEIGHT = 8
/** Octets of a full tile. */
export const TILE_LENGTH = TILE_WIDTH * HASH_LENGTH
/** Levels that a tree of at most 2^53 - 1 leaves can have: 256^6 is below it, 256^7 is not. */
export const TILE_LEVELS = 7
/** What the 16-bit length before each entry of a bundle can say. */
export const MAX_ENTRY_LENGTH = 0xffff

/** The tile `index` of `level`, as it stands in a tree where it holds `width` hashes. */
export interface TileAddress {
  readonly level: number
  readonly index: number
  /** 1 to 256. */
  readonly width: number
}

/** What a path under the log's prefix names. */
export type TileResource =
  | ({ readonly kind: 'tile' } & TileAddress)
  | { readonly kind: 'entries'; readonly index: number; readonly width: number }

/** How many hashes the tile has in a tree of `size` leaves: 0 (it does not exist) to 256. */
export function tileWidth(level: number, index: number, size: number): number {
  checkSize(size)
  const nodes = Math.floor(size / TILE_WIDTH ** level)
  return Math.max(0, Math.min(TILE_WIDTH, nodes - index * TILE_WIDTH))
}

/** The partial tiles of a tree of `size` leaves, from level 0 up: its right edge. */
export function edgeTiles(size: number): TileAddress[] {
  checkSize(size)
  const tiles: TileAddress[] = []
  for (let level = 0, nodes = size; nodes > 0; level++, nodes = Math.floor(nodes / TILE_WIDTH)) {
    const width = nodes % TILE_WIDTH
    if (width > 0) tiles.push({ level, index: Math.floor(nodes / TILE_WIDTH), width })
  }
  return tiles
}

/** `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`. */
export function tilePath(resource: TileResource): string {
  const level = resource.kind === 'entries' ? 'entries' : String(resource.level)
  const partial = resource.width === TILE_WIDTH ? '' : `.p/${resource.width}`
  return `tile/${level}/${indexPath(resource.index)}${partial}`
}

const PATH = /^tile\/(entries|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/

/** Reads what `tilePath` writes, in its one spelling only. Errors: `merkle.path_invalid`. */
export function parseTilePath(path: string): TileResource {
  const [, level, digits, partial] = PATH.exec(path) ?? []
  if (level === undefined || digits === undefined) throw pathInvalid()
  const index = Number(digits.replaceAll(/[x/]/g, ''))
  const width = partial === undefined ? TILE_WIDTH : Number(partial)
  if (!Number.isSafeInteger(index) || indexPath(index) !== digits || (partial !== undefined && width >= TILE_WIDTH))
    throw pathInvalid()
  if (level === 'entries') return { kind: 'entries', index, width }
  if (Number(level) > 63) throw pathInvalid()
  return { kind: 'tile', level: Number(level), index, width }
}

/** Packs entries into a bundle: each preceded by its length in two octets. Errors: `merkle.entry_too_large`. */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Bytes {
  if (entries.length > TILE_WIDTH) throw bundleMalformed(`A bundle has at most ${TILE_WIDTH} entries.`)
  let length = 0
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_LENGTH) {
      throw merkleError('merkle.entry_too_large', `An entry has at most ${MAX_ENTRY_LENGTH} octets.`, {
        evidence: { length: entry.length },
      })
    }
    length += 2 + entry.length
  }
  const out = new Uint8Array(length)
  let at = 0
  for (const entry of entries) {
    out[at] = entry.length >> 8
    out[at + 1] = entry.length
    out.set(entry, at + 2)
    at += 2 + entry.length
  }
  return out
}

/** The entries of a bundle of `width`, as views into `bytes`. Errors: `merkle.tile_malformed`. */
export function parseEntryBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  const entries: Uint8Array[] = []
  let at = 0
  while (at < bytes.length && entries.length < width) {
    if (at + 2 > bytes.length) throw bundleMalformed('The bundle ends within a length.')
    const end = at + 2 + ((bytes[at]! << 8) | bytes[at + 1]!)
    if (end > bytes.length) throw bundleMalformed('The bundle ends within an entry.')
    entries.push(bytes.subarray(at + 2, end))
    at = end
  }
  if (entries.length !== width) throw bundleMalformed(`The bundle has ${entries.length} entries, not ${width}.`)
  if (at !== bytes.length) throw bundleMalformed(`Something follows the ${width} entries of the bundle.`)
  return entries
}

/**
 * How many hashes stored tile bytes hold. A store that keeps the widest form of each tile answers for every narrower one: a
 * partial tile is a prefix of the full one. Errors: `merkle.tile_malformed`.
 */
export function hashesInTile(bytes: Uint8Array): number {
  if (bytes.length === 0 || bytes.length > TILE_LENGTH || bytes.length % HASH_LENGTH !== 0) {
    throw merkleError('merkle.tile_malformed', 'A tile is 1 to 256 hashes of 32 octets.', {
      evidence: { length: bytes.length },
    })
  }
  return bytes.length / HASH_LENGTH
}

/** The hash at a position of a tile, as a view. */
export function hashAt(tile: Uint8Array, position: number): Uint8Array {
  return tile.subarray(position * HASH_LENGTH, (position + 1) * HASH_LENGTH)
}

function indexPath(index: number): string {
  let path = String(index % 1000).padStart(3, '0')
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`
  }
  return path
}

function pathInvalid() {
  return merkleError('merkle.path_invalid', 'The path names no tile.', {
    next: 'Ask for tile/<L>/<N>, tile/entries/<N> or their partial forms, as C2SP tlog-tiles spells them.',
  })
}

function bundleMalformed(message: string) {
  return merkleError('merkle.tile_malformed', message)
}
