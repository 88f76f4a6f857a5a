// Verification of the whole store against the log: every entry is hashed again, the tree is built again, and both are held against
// the stored tiles, the head and every signed checkpoint. Streams: memory does not grow with the log.
//
// First the entries are read once and every difference is noted. Only where something differs comes the second question, which of
// two things that do not fit was altered: what leads up to a signed root is intact, so the other one is the altered one.
import { type Bytes, copyBytes, equalBytes } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { asTouchmarkError } from '../../core/errors.ts'
import { appendLeaves, EMPTY_TREE, subtreeRoot, type TreeState, treeRoot } from '../../core/merkle/appender.ts'
import { type Checkpoint, openCheckpoint } from '../../core/merkle/checkpoint.ts'
import { rootFromTiles } from '../../core/merkle/proof-from-tiles.ts'
import type { NoteVerifier } from '../../core/merkle/signed-note.ts'
import { edgeTiles, TILE_WIDTH, tileWidth } from '../../core/merkle/tile.ts'
import { HASH_LENGTH, type Hash, leafHasher } from '../../core/merkle/tree.ts'
import { type AuditEntry, parseAuditEntry } from './entry.ts'
import type { AuditFinding, Report } from './finding.ts'

/** What is verified. Nothing that it gives is trusted. */
export interface AuditSource {
  head(): Promise<{ readonly size: number; readonly root: Uint8Array }>
  /** Entries from `from` on, in order of index. */
  entries(from: number): AsyncIterable<{ readonly index: number; readonly bytes: Uint8Array }>
  /** The stored bytes of a tile, as wide as it stands. */
  tile(level: number, index: number): Promise<Uint8Array | undefined>
  /** Signed checkpoints, in order of size. */
  checkpoints(): AsyncIterable<Uint8Array>
}

/** Holds other records of the store against the entries, as they pass by in order. Reports what differs on its own. */
export interface CrossCheck {
  entry(index: number, entry: AuditEntry<string>): Promise<void> | void
  /** An entry that cannot be relied on: altered, missing or malformed, and reported already. */
  unreadable(index: number): Promise<void> | void
  /** After the last entry. */
  end(): Promise<void> | void
}

export interface VerifyOptions {
  /** SHA-256. */
  readonly hash: Hash
  /** The log's name, as on the first line of its checkpoints. */
  readonly origin: string
  /** The log's own keys. */
  readonly logKeys: readonly NoteVerifier[]
  /** Checkpoints that the auditor kept elsewhere (from a manifest, from a witness): they show what the store could hide. */
  readonly kept?: readonly Uint8Array[]
  readonly crossChecks?: (report: Report) => readonly CrossCheck[]
  /** Called after every tile of entries. */
  readonly onProgress?: (progress: { readonly entries: number; readonly size: number }) => void
  readonly signal?: AbortSignal
}

export interface AuditReport {
  /** True where nothing was found. */
  readonly ok: boolean
  /** Entries, by the head on record. */
  readonly size: number
  /** The root over the entries as they stand, as hex. */
  readonly root: string
  /** How many entries, from the first on, a verified checkpoint vouches for. */
  readonly signedSize: number
  readonly findings: readonly AuditFinding[]
  /** Findings beyond the first `MAX_FINDINGS`. */
  readonly omitted: number
}

export const MAX_FINDINGS = 1000

/**
 * Verifies the log and gives what it found; throws only where the source fails or `signal` aborts.
 * Costs two hashes an entry, and what the cross-checks add.
 */
export async function verifyAuditLog(source: AuditSource, options: VerifyOptions): Promise<AuditReport> {
  const findings: AuditFinding[] = []
  let omitted = 0
  const report: Report = finding => {
    if (findings.length < MAX_FINDINGS) findings.push(finding)
    else omitted++
  }
  const checks = options.crossChecks?.(report) ?? []
  const head = await source.head()
  const pass = await readEntries(source, head, options, checks, report)
  for (const check of checks) await check.end()
  await assignBlame(source, head, pass, options.hash, report)
  return {
    ok: findings.length === 0,
    size: head.size,
    root: toHex(pass.root),
    signedSize: pass.signedSize,
    findings,
    omitted,
  }
}

/** A size and root that the entries are held against. */
interface Anchor {
  readonly size: number
  readonly root: Uint8Array
}

/** A tile that does not hold what follows from the entries. */
interface TileDifference {
  readonly level: number
  readonly index: number
  /** Which of its hashes differ. */
  readonly at: readonly number[]
}

interface Pass {
  readonly root: Bytes
  /** The largest checkpoint that the entries bear out. */
  readonly signedSize: number
  /** The smallest and the largest checkpoint that they do not. */
  readonly firstBroken: Anchor | undefined
  readonly lastBroken: Anchor | undefined
  readonly differences: readonly TileDifference[]
  /** Some entry is gone together with its hash: no root says anything any more. */
  readonly lost: boolean
}

/** The first reading: entries, tiles, checkpoints, each once and in order. */
async function readEntries(
  source: AuditSource,
  head: Anchor,
  options: VerifyOptions,
  checks: readonly CrossCheck[],
  report: Report,
): Promise<Pass> {
  const { hash } = options
  const leafHash = leafHasher(hash)
  const differences: TileDifference[] = []
  const entries = source.entries(0)[Symbol.asyncIterator]()
  const checkpoints = openCheckpoints(source, head, options, report)
  let entry = await entries.next()
  let checkpoint = await checkpoints.next()
  let state: TreeState = EMPTY_TREE
  let signedSize = 0
  let firstBroken: Anchor | undefined
  let lastBroken: Anchor | undefined
  let lost = false

  await meetCheckpoints()
  for (let start = 0; start < head.size; start += TILE_WIDTH) {
    options.signal?.throwIfAborted()
    if (entry.done && (await source.tile(0, start / TILE_WIDTH)) === undefined) {
      // Nothing is left to read: the rest is one finding, however large the head says that the log is.
      report(missing(start, head.size))
      lost = true
      break
    }
    const width = Math.min(TILE_WIDTH, head.size - start)
    const stored = await storedTile(source, 0, start / TILE_WIDTH, width, head.size, report)
    const leaves: Bytes[] = []
    const at: number[] = []
    for (let i = 0; i < width; i++) {
      const index = start + i
      while (!entry.done && entry.value.index < index) {
        report(unexpected(entry.value.index))
        entry = await entries.next()
      }
      const storedLeaf = stored && hashAt(stored, i)
      if (entry.done || entry.value.index > index) {
        report(missing(index, index + 1))
        if (storedLeaf === undefined) lost = true
        leaves.push(storedLeaf === undefined ? new Uint8Array(HASH_LENGTH) : copyBytes(storedLeaf))
        for (const check of checks) await check.unreadable(index)
        continue
      }
      const { bytes } = entry.value
      const leaf = leafHash(bytes)
      leaves.push(leaf)
      if (storedLeaf !== undefined && !equalBytes(leaf, storedLeaf)) {
        at.push(i)
        for (const check of checks) await check.unreadable(index)
      } else if (checks.length > 0) {
        await crossCheck(index, bytes, checks, report)
      }
      entry = await entries.next()
    }
    note({ level: 0, index: start / TILE_WIDTH, at })
    await append(leaves)
    options.onProgress?.({ entries: state.size, size: head.size })
  }
  for (; !entry.done; entry = await entries.next()) report(unexpected(entry.value.index))
  for (const { level, index, width } of edgeTiles(state.size)) {
    if (level > 0 && state.size === head.size) await compareTile(level, index, width, state.edge[level]!)
  }
  return { root: treeRoot(hash, state), signedSize, firstBroken, lastBroken, differences, lost }

  /** Appends the leaves of one tile, stopping at the size of each checkpoint; compares the tiles above that become full. */
  async function append(leaves: readonly Bytes[]): Promise<void> {
    let rest = leaves
    while (rest.length > 0) {
      const room = checkpoint.done ? rest.length : checkpoint.value.size - state.size
      const appended = appendLeaves(hash, state, rest.slice(0, room))
      state = appended.state
      rest = rest.slice(room)
      for (const { level, index, width, hashes } of appended.tiles) {
        if (level > 0 && width === TILE_WIDTH) await compareTile(level, index, width, hashes)
      }
      await meetCheckpoints()
    }
  }

  async function meetCheckpoints(): Promise<void> {
    while (!checkpoint.done && checkpoint.value.size === state.size) {
      const { size, root } = checkpoint.value
      if (equalBytes(root, treeRoot(hash, state))) {
        signedSize = size
      } else {
        firstBroken ??= { size, root }
        lastBroken = { size, root }
      }
      checkpoint = await checkpoints.next()
    }
  }

  async function compareTile(level: number, index: number, width: number, hashes: Uint8Array): Promise<void> {
    const stored = await storedTile(source, level, index, width, head.size, report)
    if (stored === undefined || equalBytes(stored, hashes)) return
    const at: number[] = []
    for (let i = 0; i < width; i++) if (!equalBytes(hashAt(stored, i), hashAt(hashes, i))) at.push(i)
    note({ level, index, at })
  }

  /** Whatever is beyond the limit adds nothing that could still be reported. */
  function note(difference: TileDifference): void {
    if (difference.at.length > 0 && differences.length < MAX_FINDINGS) differences.push(difference)
  }
}

async function crossCheck(
  index: number,
  bytes: Uint8Array,
  checks: readonly CrossCheck[],
  report: Report,
): Promise<void> {
  let entry: AuditEntry<string>
  try {
    entry = parseAuditEntry(bytes)
  } catch {
    report({
      code: 'audit.entry_malformed',
      index,
      message: `Entry ${index} was logged as it is, and is no audit entry that this version can read.`,
      evidence: { index },
    })
    for (const check of checks) await check.unreadable(index)
    return
  }
  for (const check of checks) {
    const pending = check.entry(index, entry)
    if (pending !== undefined) await pending
  }
}

/**
 * The checkpoints that hold, in order of size, none beyond the head: one that is larger is reported (the log was cut), and so is
 * one that does not verify.
 */
async function* openCheckpoints(
  source: AuditSource,
  head: Anchor,
  { origin, logKeys, kept = [] }: VerifyOptions,
  report: Report,
): AsyncGenerator<Checkpoint, undefined> {
  const open = (note: Uint8Array, where: string): Checkpoint[] => {
    try {
      const { checkpoint } = openCheckpoint(note, origin, logKeys)
      if (checkpoint.size <= head.size) return [checkpoint]
      report({
        code: 'audit.log_truncated',
        message: `The log signed for ${checkpoint.size} entries and has ${head.size}.`,
        evidence: { signedSize: checkpoint.size, size: head.size },
      })
    } catch (thrown) {
      const { code, message } = asTouchmarkError(thrown)
      report({
        code: 'audit.checkpoint_invalid',
        message: `A ${where} checkpoint does not hold: ${message}`,
        evidence: { reason: code },
      })
    }
    return []
  }
  const waiting = kept.flatMap(note => open(note, 'kept')).sort((a, b) => a.size - b.size)
  let last = 0
  for await (const note of source.checkpoints()) {
    for (const checkpoint of open(note, 'stored')) {
      while (waiting.length > 0 && waiting[0]!.size <= checkpoint.size) yield waiting.shift()!
      // The source promises the order of size; one that comes late is one whose place was altered, signed or not.
      if (checkpoint.size >= last) yield checkpoint
      else
        report({
          code: 'audit.checkpoint_invalid',
          message: `A stored checkpoint of size ${checkpoint.size} stands after one of size ${last}.`,
          evidence: { size: checkpoint.size },
        })
      last = Math.max(last, checkpoint.size)
    }
  }
  yield* waiting
  return undefined
}

/** The second question, asked only where something differs: which side of each difference was altered? */
async function assignBlame(source: AuditSource, head: Anchor, pass: Pass, hash: Hash, report: Report): Promise<void> {
  const headHolds = pass.lost || equalBytes(pass.root, head.root)
  const broken = pass.lost ? undefined : pass.lastBroken
  if (pass.differences.length === 0 && headHolds && broken === undefined) return

  // Up to here the entries lead to a root that was signed, or, with nothing signed against it, to the one on record.
  const intact = headHolds && broken === undefined ? head.size : pass.signedSize
  const anchors = [broken, head].filter(anchor => anchor !== undefined)
  const tiles = new TrustedTiles(source, hash)
  const altered: { readonly from: number; readonly to: number }[] = []
  let named = false
  for (const { level, index, at } of pass.differences) {
    for (const position of at) {
      const span = TILE_WIDTH ** level
      const from = (index * TILE_WIDTH + position) * span
      const to = from + span
      // A hash above an altered entry differs because of that entry: it is no finding of its own.
      if (altered.some(range => from <= range.from && range.to <= to)) continue
      if (to <= intact) {
        report({
          code: 'audit.tile_altered',
          message: `Hash ${position} of tile ${index} of level ${level} was altered; ${entriesText(from, to)} intact.`,
          evidence: { level, tile: index, position, from, to: to - 1 },
        })
        continue
      }
      let trusted = false
      for (const anchor of anchors) trusted ||= to <= anchor.size && (await tiles.trusted(level, index, anchor))
      altered.push({ from, to })
      named ||= trusted
      if (level > 0) {
        report({
          code: trusted ? 'audit.entries_altered' : 'audit.tile_mismatch',
          index: from,
          message: trusted
            ? `Of the entries ${from} to ${to - 1} one or more were altered, and the tiles below level ${level} with them.`
            : `Hash ${position} of tile ${index} of level ${level} is not that of the entries ${from} to ${to - 1}.`,
          evidence: { level, tile: index, position, from, to: to - 1 },
        })
      } else {
        report({
          code: trusted ? 'audit.entry_altered' : 'audit.entry_mismatch',
          index: from,
          message: trusted
            ? `Entry ${from} is not the one that was logged.`
            : `Entry ${from} and its hash in tile ${index} of level 0 do not belong together.`,
          evidence: { index: from },
        })
      }
    }
  }
  if (broken !== undefined && !named) {
    const until = pass.firstBroken?.size ?? broken.size
    report({
      code: 'audit.log_rewritten',
      index: pass.signedSize,
      message: `Of the entries ${pass.signedSize} to ${until - 1} one or more are not those that the log signed for, and the tiles fit them.`,
      evidence: { from: pass.signedSize, to: until - 1, signed: toHex(broken.root), found: toHex(pass.root) },
    })
  }
  if (!headHolds && altered.length === 0) {
    report({
      code: 'audit.head_altered',
      message: `The root on record for ${head.size} entries is not that of the entries.`,
      evidence: { size: head.size, recorded: toHex(head.root), found: toHex(pass.root) },
    })
  }
}

/** Which stored tiles lead up to a root: each is a node of the one above it, and the right edge gives the root. */
class TrustedTiles {
  readonly #source: AuditSource
  readonly #hash: Hash
  readonly #edges = new Map<number, boolean>()

  constructor(source: AuditSource, hash: Hash) {
    this.#source = source
    this.#hash = hash
  }

  async trusted(level: number, index: number, anchor: Anchor): Promise<boolean> {
    if (tileWidth(level, index, anchor.size) < TILE_WIDTH) return this.#edge(anchor)
    const tile = await this.#source.tile(level, index)
    const above = await this.#source.tile(level + 1, Math.floor(index / TILE_WIDTH))
    if (tile?.length !== TILE_WIDTH * HASH_LENGTH || above === undefined) return false
    const node = hashAt(above, index % TILE_WIDTH)
    if (!equalBytes(subtreeRoot(this.#hash, tile, 0, TILE_WIDTH), node)) return false
    return this.trusted(level + 1, Math.floor(index / TILE_WIDTH), anchor)
  }

  async #edge({ size, root }: Anchor): Promise<boolean> {
    let holds = this.#edges.get(size)
    if (holds === undefined) {
      try {
        holds = equalBytes(
          root,
          await rootFromTiles(this.#hash, size, (level, index) => this.#source.tile(level, index)),
        )
      } catch {
        // A tile of the edge is missing or malformed, and reported as such.
        holds = false
      }
      this.#edges.set(size, holds)
    }
    return holds
  }
}

async function storedTile(
  source: AuditSource,
  level: number,
  index: number,
  width: number,
  size: number,
  report: Report,
): Promise<Uint8Array | undefined> {
  const bytes = await source.tile(level, index)
  if (bytes?.length === width * HASH_LENGTH) return bytes
  report({
    code: bytes === undefined ? 'audit.tile_missing' : 'audit.tile_altered',
    message:
      bytes === undefined
        ? `Tile ${index} of level ${level} is gone.`
        : `Tile ${index} of level ${level} has ${bytes.length} octets; in a log of ${size} entries it has ${width * HASH_LENGTH}.`,
    evidence: { level, tile: index, expected: width * HASH_LENGTH, found: bytes?.length ?? 0 },
  })
  return undefined
}

function hashAt(tile: Uint8Array, at: number): Uint8Array {
  return tile.subarray(at * HASH_LENGTH, (at + 1) * HASH_LENGTH)
}

function entriesText(from: number, to: number): string {
  return to - from === 1 ? `entry ${from} is` : `the entries ${from} to ${to - 1} are`
}

function missing(from: number, to: number): AuditFinding {
  return {
    code: 'audit.entry_missing',
    index: from,
    message: to - from === 1 ? `Entry ${from} is gone.` : `The entries ${from} to ${to - 1} are gone.`,
    evidence: { from, to: to - 1 },
  }
}

function unexpected(index: number): AuditFinding {
  return {
    code: 'audit.entry_unexpected',
    index,
    message: `An entry stands at ${index}, where the log has none or has one already.`,
    evidence: { index },
  }
}
