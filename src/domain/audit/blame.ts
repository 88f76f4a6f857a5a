// Which side of a difference was altered? What leads up to a signed root is intact, so the other side is the altered one. Asked only
// where the first reading (verify.ts) found that entries, tiles, head or checkpoints do not fit.
import { equalBytes } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { subtreeRoot } from '../../core/merkle/appender.ts'
import { rootFromTiles } from '../../core/merkle/proof-from-tiles.ts'
import { hashAt, TILE_LENGTH, TILE_WIDTH, tileWidth } from '../../core/merkle/tile.ts'
import type { Hash } from '../../core/merkle/tree.ts'
import { parseAuditEntry } from './entry.ts'
import type { Report } from './finding.ts'
import type { Anchor, AuditSource, EntryRange, Reading } from './reading.ts'

/** Reports what was altered, as precisely as what is intact allows. */
export async function assignBlame(
  source: AuditSource,
  head: Anchor,
  reading: Reading,
  hash: Hash,
  report: Report,
): Promise<void> {
  // Where entries are lost the computed roots say nothing; the signed ones still tell which tiles are intact.
  const whole = reading.lost.length === 0
  const headHolds = !whole || equalBytes(reading.root, head.root)
  const broken = whole ? reading.lastBroken : undefined
  if (reading.differences.length === 0 && headHolds && broken === undefined) return

  // Up to here the entries lead to a root that was signed, or, with nothing signed against it, to the one on record.
  const intact = whole && headHolds && broken === undefined ? head.size : reading.signedSize
  const anchors = [reading.lastBroken, head].filter(anchor => anchor !== undefined)
  const tiles = new TrustedTiles(source, hash)
  const altered: EntryRange[] = [...reading.lost]
  let named = false
  for (const { level, index, at } of reading.differences) {
    for (const position of at) {
      const span = TILE_WIDTH ** level
      const from = (index * TILE_WIDTH + position) * span
      const to = from + span
      // A hash above an altered or lost entry differs because of that entry: it is no finding of its own.
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
            ? `Entry ${from} is not the one that was logged; ${await readsNow(source, from)}.`
            : `Entry ${from} and its hash in tile ${index} of level 0 do not belong together; ${await readsNow(source, from)}.`,
          evidence: { index: from },
        })
      }
    }
  }
  if (broken !== undefined && !named) {
    const until = reading.firstBroken?.size ?? broken.size
    report({
      code: 'audit.log_rewritten',
      index: reading.signedSize,
      message: `Of the entries ${reading.signedSize} to ${until - 1} one or more are not those that the log signed for, and the tiles fit them.`,
      evidence: { from: reading.signedSize, to: until - 1, signed: toHex(broken.root), found: toHex(reading.root) },
    })
  }
  if (!headHolds && altered.length === 0) {
    report({
      code: 'audit.head_altered',
      message: `The root on record for ${head.size} entries is not that of the entries.`,
      evidence: { size: head.size, recorded: toHex(head.root), found: toHex(reading.root) },
    })
  }
}

/** What an altered entry says now: where to begin to look. */
async function readsNow(source: AuditSource, index: number): Promise<string> {
  for await (const { bytes } of source.entries(index)) {
    try {
      const { action, at, subject } = parseAuditEntry(bytes)
      const about = Object.entries(subject).map(([field, value]) => `, ${field} ${value}`)
      return `it now reads ${action} at ${at}${about.join('')}`
    } catch {
      break
    }
  }
  return 'what stands there now is no audit entry'
}

/** Which stored tiles lead up to a root: each is a node of the one above it, and the right edge gives the root. */
class TrustedTiles {
  readonly #source: AuditSource
  readonly #hash: Hash
  readonly #edges = new Map<number, boolean>()
  readonly #tiles = new Map<string, Promise<boolean>>()

  constructor(source: AuditSource, hash: Hash) {
    this.#source = source
    this.#hash = hash
  }

  trusted(level: number, index: number, anchor: Anchor): Promise<boolean> {
    const key = `${level}/${index}/${anchor.size}`
    let answer = this.#tiles.get(key)
    if (answer === undefined) {
      answer = this.#leadsUp(level, index, anchor)
      this.#tiles.set(key, answer)
    }
    return answer
  }

  async #leadsUp(level: number, index: number, anchor: Anchor): Promise<boolean> {
    if (tileWidth(level, index, anchor.size) < TILE_WIDTH) return this.#edge(anchor)
    const tile = await this.#source.tile(level, index)
    const above = await this.#source.tile(level + 1, Math.floor(index / TILE_WIDTH))
    if (tile?.length !== TILE_LENGTH || above === undefined) return false
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

function entriesText(from: number, to: number): string {
  return to - from === 1 ? `entry ${from} is` : `the entries ${from} to ${to - 1} are`
}
