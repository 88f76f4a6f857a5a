// What verification reads, and what it notes on the first reading: shared by `verify.ts`, which notes, and `blame.ts`, which judges.
import type { Bytes } from '../../core/bytes/bytes.ts'

/**
 * What is verified. Nothing that it gives is trusted. It may grow meanwhile: what comes after the first `head` is left for the next
 * verification, and is taken neither for altered nor for intact.
 */
export interface AuditSource {
  head(): Promise<{ readonly size: number; readonly root: Uint8Array }>
  /** Entries from `from` on, in order of index. */
  entries(from: number): AsyncIterable<{ readonly index: number; readonly bytes: Uint8Array }>
  /** The stored bytes of a tile, as wide as it stands. */
  tile(level: number, index: number): Promise<Uint8Array | undefined>
  /** Signed checkpoints, in order of size. */
  checkpoints(): AsyncIterable<Uint8Array>
}

/** A size and root that the entries are held against. */
export interface Anchor {
  readonly size: number
  readonly root: Uint8Array
}

/** A tile that does not hold what follows from the entries. */
export interface TileDifference {
  readonly level: number
  readonly index: number
  /** Which of its hashes differ. */
  readonly at: readonly number[]
}

/** The entries `from` to `to - 1`. */
export interface EntryRange {
  readonly from: number
  readonly to: number
}

/** What the one reading of everything found out. */
export interface Reading {
  readonly root: Bytes
  /** The largest checkpoint that the entries bear out. */
  readonly signedSize: number
  /** The smallest and the largest checkpoint that they do not. */
  readonly firstBroken: Anchor | undefined
  readonly lastBroken: Anchor | undefined
  /** The size that the log's key signed last for another log than this one, which its own checkpoints bear out. */
  readonly branchedBefore: number | undefined
  readonly differences: readonly TileDifference[]
  /** Hashes that differ beyond the first `MAX_FINDINGS`. */
  readonly omitted: number
  /** Entries that are gone together with their hashes: no root says anything any more. */
  readonly lost: readonly EntryRange[]
}
