// Verification of the whole store against the log: every entry is hashed again, the tree is built again, and both are held against
// the stored tiles, the head and every signed checkpoint. Streams: memory does not grow with the log.
//
// The entries are read once and every difference is noted. Which side of a difference was altered is a second question: blame.ts.
import { type Bytes, copyBytes, equalBytes } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { asTouchmarkError } from '../../core/errors.ts'
import { appendLeaves, EMPTY_TREE, type TreeState, treeRoot } from '../../core/merkle/appender.ts'
import { openCheckpoint } from '../../core/merkle/checkpoint.ts'
import type { NoteVerifier } from '../../core/merkle/signed-note.ts'
import { edgeTiles, hashAt, TILE_LENGTH, TILE_WIDTH } from '../../core/merkle/tile.ts'
import { HASH_LENGTH, type Hash, leafHasher } from '../../core/merkle/tree.ts'
import { assignBlame } from './blame.ts'
import { type AuditEntry, parseAuditEntry } from './entry.ts'
import type { AuditFinding, Report } from './finding.ts'
import type { Anchor, AuditSource, EntryRange, Reading, TileDifference } from './reading.ts'

/** Whether the log has at least so many entries by now: what refers to one that came meanwhile is not at fault. */
export type Reaches = (size: number) => Promise<boolean>

/** Holds other records of the store against the entries, as they pass by in order. Reports what differs on its own. */
export interface CrossCheck {
  entry(index: number, entry: AuditEntry<string>): Promise<void> | void
  /** An entry that cannot be relied on: altered, missing or malformed, and reported already. */
  unreadable(index: number): Promise<void> | void
  /** An entry that came while the verification ran: what it speaks of may have been read before it or after it. */
  later(index: number, entry: AuditEntry<string>): void
  /** After the last entry: `size` of them were verified. */
  end(size: number, reaches: Reaches): Promise<void> | void
  /** Lets go of what it reads from; called in the end, whatever happened. */
  close?(): Promise<void>
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
  /** What the log's key signed last, as it is remembered beside that key. */
  readonly lastSigned?: Uint8Array
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
  const head = await source.head()
  let sizeNow = head.size
  const reaches: Reaches = async size => {
    if (size > sizeNow) sizeNow = (await source.head()).size
    return size <= sizeNow
  }
  const checks = options.crossChecks?.(report) ?? []
  try {
    const reading = await readEntries(source, head, options, checks, reaches, report)
    await readLater(source, head.size, checks, reaches, report)
    for (const check of checks) await check.end(head.size, reaches)
    await assignBlame(source, head, reading, options.hash, report)
    if (reading.branchedBefore !== undefined) report(rolledBack(reading.branchedBefore, head.size))
    omitted += reading.omitted
    return {
      ok: findings.length === 0,
      size: head.size,
      root: toHex(reading.root),
      signedSize: reading.signedSize,
      findings,
      omitted,
    }
  } finally {
    for (const check of checks) await check.close?.()
  }
}

/** The first reading: entries, tiles, checkpoints, each once and in order. */
async function readEntries(
  source: AuditSource,
  head: Anchor,
  options: VerifyOptions,
  checks: readonly CrossCheck[],
  reaches: Reaches,
  report: Report,
): Promise<Reading> {
  const entries = source.entries(0)[Symbol.asyncIterator]()
  const checkpoints = openCheckpoints(source, head, options, reaches, report)
  try {
    return await compare(source, head, options, checks, reaches, report, entries, checkpoints)
  } finally {
    // A reading that ends early must not leave a cursor open in the store.
    await entries.return?.()
    await checkpoints.return(undefined)
  }
}

async function compare(
  source: AuditSource,
  head: Anchor,
  options: VerifyOptions,
  checks: readonly CrossCheck[],
  reaches: Reaches,
  report: Report,
  entries: AsyncIterator<{ readonly index: number; readonly bytes: Uint8Array }>,
  checkpoints: AsyncIterator<SignedHead>,
): Promise<Reading> {
  const { hash } = options
  const leafHash = leafHasher(hash)
  const differences: TileDifference[] = []
  let entry = await entries.next()
  let checkpoint = await checkpoints.next()
  let state: TreeState = EMPTY_TREE
  let signedSize = 0
  let firstBroken: Anchor | undefined
  let lastBroken: Anchor | undefined
  const broken = new Map<SignedHead['where'], number>()
  const lost: EntryRange[] = []
  let noted = 0
  let omitted = 0

  await meetCheckpoints()
  for (let start = 0; start < head.size; start += TILE_WIDTH) {
    options.signal?.throwIfAborted()
    if (entry.done && (await source.tile(0, start / TILE_WIDTH)) === undefined) {
      // Nothing is left to read: the rest is one finding, however large the head says that the log is.
      report(missing(start, head.size))
      lost.push({ from: start, to: head.size })
      break
    }
    const width = Math.min(TILE_WIDTH, head.size - start)
    const stored = await storedTile(source, 0, start / TILE_WIDTH, width, head.size, reaches, report)
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
        if (storedLeaf === undefined && lost.length < MAX_FINDINGS) lost.push({ from: index, to: index + 1 })
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
  for (const { level, index, width } of edgeTiles(state.size)) {
    if (level > 0 && state.size === head.size) await compareTile(level, index, width, state.edge[level]!)
  }
  // Whoever rewrites entries breaks what the store itself says was signed. Where that holds, the log went another way after an older copy.
  const branchedBefore = broken.has('stored') ? undefined : broken.get('last signed')
  return {
    root: treeRoot(hash, state),
    signedSize,
    firstBroken,
    lastBroken,
    branchedBefore,
    differences,
    omitted,
    lost,
  }

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
      const { size, root, where } = checkpoint.value
      if (equalBytes(root, treeRoot(hash, state))) {
        signedSize = size
      } else {
        firstBroken ??= { size, root }
        lastBroken = { size, root }
        broken.set(where, size)
      }
      checkpoint = await checkpoints.next()
    }
  }

  async function compareTile(level: number, index: number, width: number, hashes: Uint8Array): Promise<void> {
    const stored = await storedTile(source, level, index, width, head.size, reaches, report)
    if (stored === undefined || equalBytes(stored, hashes)) return
    const at: number[] = []
    for (let i = 0; i < width; i++) if (!equalBytes(hashAt(stored, i), hashAt(hashes, i))) at.push(i)
    note({ level, index, at })
  }

  function note({ level, index, at }: TileDifference): void {
    const room = MAX_FINDINGS - noted
    if (at.length > room) omitted += at.length - room
    if (at.length > 0 && room > 0) differences.push({ level, index, at: at.slice(0, room) })
    noted += Math.min(at.length, room)
  }
}

/** Reads what came after the head that is verified. Reports entries that stand where the log has not come to yet. */
async function readLater(
  source: AuditSource,
  from: number,
  checks: readonly CrossCheck[],
  reaches: Reaches,
  report: Report,
): Promise<void> {
  for await (const { index, bytes } of source.entries(from)) {
    const entry = readable(bytes)
    if (!(await reaches(index + 1))) report(unexpected(index))
    else if (entry !== undefined) for (const check of checks) check.later(index, entry)
  }
}

async function crossCheck(
  index: number,
  bytes: Uint8Array,
  checks: readonly CrossCheck[],
  report: Report,
): Promise<void> {
  const entry = readable(bytes)
  if (entry === undefined) {
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

function readable(bytes: Uint8Array): AuditEntry<string> | undefined {
  try {
    return parseAuditEntry(bytes)
  } catch {
    return undefined
  }
}

/** A size and root under the log's own signature, and where that was found. */
interface SignedHead extends Anchor {
  readonly where: 'kept' | 'stored' | 'last signed'
}

/**
 * The checkpoints that hold, in order of size, none beyond the head: one that is larger is reported (the log was cut), and so is
 * one that does not verify.
 */
async function* openCheckpoints(
  source: AuditSource,
  head: Anchor,
  { origin, logKeys, kept = [], lastSigned }: VerifyOptions,
  reaches: Reaches,
  report: Report,
): AsyncGenerator<SignedHead, undefined> {
  const waiting: SignedHead[] = []
  for (const note of kept) {
    const checkpoint = await open(note, 'kept')
    if (checkpoint !== undefined) waiting.push(checkpoint)
  }
  if (lastSigned !== undefined) {
    const checkpoint = await open(lastSigned, 'last signed')
    if (checkpoint !== undefined) waiting.push(checkpoint)
  }
  waiting.sort((a, b) => a.size - b.size)
  let last = 0
  for await (const note of source.checkpoints()) {
    const checkpoint = await open(note, 'stored')
    if (checkpoint === undefined) continue
    const { size } = checkpoint
    while (waiting.length > 0 && waiting[0]!.size <= size) yield waiting.shift()!
    if (size >= last) {
      yield checkpoint
    } else {
      // The source promises the order of size; one that comes late is one whose place was altered, signed or not.
      report({
        code: 'audit.checkpoint_invalid',
        message: `A stored checkpoint of size ${size} stands after one of size ${last}.`,
        evidence: { size },
      })
    }
    last = Math.max(last, size)
  }
  yield* waiting
  return undefined

  async function open(note: Uint8Array, where: SignedHead['where']): Promise<SignedHead | undefined> {
    let size: number
    try {
      const { checkpoint } = openCheckpoint(note, origin, logKeys)
      if (checkpoint.size <= head.size) return { size: checkpoint.size, root: checkpoint.root, where }
      size = checkpoint.size
    } catch (thrown) {
      const { code, message } = asTouchmarkError(thrown)
      report({
        code: 'audit.checkpoint_invalid',
        message: `A ${where} checkpoint does not hold: ${message}`,
        evidence: { reason: code },
      })
      return undefined
    }
    if (await reaches(size)) return undefined
    if (where === 'last signed') report(rolledBack(size, head.size))
    else {
      report({
        code: 'audit.log_truncated',
        message: `The log signed for ${size} entries and has ${head.size}.`,
        evidence: { signedSize: size, size: head.size },
      })
    }
    return undefined
  }
}

async function storedTile(
  source: AuditSource,
  level: number,
  index: number,
  width: number,
  size: number,
  reaches: Reaches,
  report: Report,
): Promise<Uint8Array | undefined> {
  const bytes = await source.tile(level, index)
  if (bytes?.length === width * HASH_LENGTH) return bytes
  if (bytes !== undefined && bytes.length > width * HASH_LENGTH && bytes.length <= TILE_LENGTH) {
    // A partial tile that has grown meanwhile begins with what it was.
    const nodes = index * TILE_WIDTH + bytes.length / HASH_LENGTH
    if (await reaches(Math.ceil(nodes) * TILE_WIDTH ** level)) return bytes.subarray(0, width * HASH_LENGTH)
  }
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

function rolledBack(signedSize: number, size: number): AuditFinding {
  return {
    code: 'log.rolled_back',
    message:
      size < signedSize
        ? `The log's key signed for ${signedSize} entries and the store has ${size}: it is an older copy.`
        : `The log's key signed for ${signedSize} other entries than these: the store went on from an older copy.`,
    evidence: { signedSize, size },
  }
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
