// The one connection that writes. It applies a whole group of change sets in one transaction and so with one fsync: first as if none
// of them could fail; where one does, everything is taken back and done again with a savepoint around each, so that
// the one that conflicts fails alone. Runs in a thread of its own, so everything here may block.
import { equalBytes } from '../../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../../core/errors.ts'
import type { Appended } from '../../../core/merkle/appender.ts'
import { sha256 } from '../../../crypto/digest.ts'
import type { StoredCheckpoint, Work } from '../../../domain/ports.ts'
import { LogTree, logDamaged } from '../log-tree.ts'
import { copyTally, emptyTally, type Tally, tally, WRITE_STATEMENTS } from '../plan.ts'
import type { Value, WriteStatement } from '../sql.ts'
import { ADD_DEVICES } from '../tables/activity.ts'
import { deleteProperty } from '../tables/device-property.ts'
import {
  DROP_OLDER_CHECKPOINTS,
  type Head,
  headOf,
  headValues,
  insertEntry,
  READ_ENTRY,
  READ_HEAD,
  READ_TILE,
  SAVE_CHECKPOINT,
  UPDATE_HEAD,
  upsertTile,
} from '../tables/log.ts'
import { deleteStalePieces, insertPiece } from '../tables/publication.ts'
import { LEASE_WORK, workOf } from '../tables/work.ts'
import type { GroupResult, SetFailure } from '../waiting.ts'
import { SqliteConnection } from './connection.ts'
import { GroupReader, type PackedGroup } from './group.ts'
import { RowBundles } from './row-bundles.ts'
import { isBusy, isInputOutput, isOfStatement, storeErrorOf } from './sqlite-error.ts'

export interface LeaseRequest {
  readonly topic: Work['topic']
  readonly now: number
  readonly leaseSeconds: number
  readonly limit: number
}

/** How often a transaction is begun, each time with the connection's own patience, before a lock counts as a fault. */
const ATTEMPTS = 4
/** How long an erasure waits for readers who still look at what was there; where they look for longer, each later change tries again. */
const SCRUB_MS = 1000

export class SqliteWriter {
  readonly #open: () => SqliteConnection
  readonly #tree = new LogTree()
  #connection: SqliteConnection
  /** What the transaction under way adds to the log. */
  #added: { readonly first: number; readonly entry: Uint8Array; readonly tree: Appended } | undefined

  /**
   * Whether the write-ahead log may hold what was erased: in the database it is overwritten, in the log it stands until that is emptied. At
   * first nobody knows: whoever erased may have been killed.
   */
  #unscrubbed: 'just_erased' | 'since_before' | undefined = 'since_before'
  /** Pieces of a publication are read by others, and fill the cache with what this connection never looks at again. */
  #wrotePieces = false

  constructor(path: string, options: { readonly maxOctets?: number | undefined } = {}) {
    this.#open = () => new SqliteConnection(path, { role: 'writer', maxOctets: options.maxOctets })
    this.#connection = this.#open()
  }

  /** Durable when it returns. Throws a `TouchmarkError` where nothing of the group could be made durable. */
  apply(group: PackedGroup): GroupResult {
    const outcome = this.#transaction(head => {
      const result = this.#runTogether(group, head)
      if (result !== undefined) return result
      this.#connection.exec('ROLLBACK')
      this.#connection.exec('BEGIN IMMEDIATE')
      return this.#runEach(group, this.#head())
    })
    if (this.#unscrubbed !== undefined) this.#scrub(this.#unscrubbed === 'just_erased' ? SCRUB_MS : 0)
    if (this.#wrotePieces) this.#connection.exec('PRAGMA shrink_memory')
    this.#wrotePieces = false
    return outcome
  }

  /** Empties the write-ahead log, so that what was erased stands in no file. What cannot be done now is done after a later change. */
  #scrub(waitMs: number): void {
    this.#unscrubbed = this.#connection.emptyLog(waitMs) ? undefined : 'since_before'
  }

  lease({ topic, now, leaseSeconds, limit }: LeaseRequest): Work[] {
    return this.#transaction(() =>
      this.#connection.rows(LEASE_WORK, [now + leaseSeconds, topic, now, now, limit]).map(workOf),
    )
  }

  saveCheckpoint({ size, note, at }: StoredCheckpoint): void {
    this.#transaction(head => {
      if (this.#connection.change(SAVE_CHECKPOINT, [size, note, at, size]) > 0) {
        this.#connection.change(DROP_OLDER_CHECKPOINTS, [size])
        this.#connection.change(UPDATE_HEAD, headValues({ ...head, changes: head.changes + 1 }))
      }
    })
  }

  close(): void {
    this.#connection.close()
  }

  #transaction<T>(body: (head: Head) => T): T {
    for (let attempt = 1; ; attempt++) {
      this.#added = undefined
      let result: T
      try {
        this.#connection.exec('BEGIN IMMEDIATE')
        result = body(this.#head())
      } catch (error) {
        this.#rollback()
        if (isBusy(error) && attempt < ATTEMPTS) continue
        throw storeErrorOf(error)
      }
      try {
        this.#connection.exec('COMMIT')
      } catch (error) {
        this.#rollback()
        if (!this.#committedAfterAll(error)) throw storeErrorOf(error)
      }
      this.#keep()
      return result
    }
  }

  #keep(): void {
    if (this.#added !== undefined) this.#tree.keep(this.#added.tree)
  }

  #rollback(): void {
    try {
      if (this.#connection.inTransaction) this.#connection.exec('ROLLBACK')
    } catch {
      // The error that led here says more.
    }
  }

  /** After a disk error during COMMIT nobody knows what is on the disk: look, through a connection that has cached nothing. */
  #committedAfterAll(error: unknown): boolean {
    if (!isInputOutput(error)) return false
    try {
      this.#connection.close()
      this.#connection = this.#open()
      if (this.#added === undefined) return false
      const [row] = this.#connection.rows(READ_ENTRY, [this.#added.first])
      const stored = row?.['bytes']
      return stored instanceof Uint8Array && equalBytes(stored, this.#added.entry)
    } catch {
      return false
    }
  }

  /** The head row, with the tree brought to where it stands: another process may have moved it. */
  #head(): Head {
    const [row] = this.#connection.rows(READ_HEAD, [])
    if (row === undefined) throw new TouchmarkError('store.row_unexpected', 'internal', 'The store has no head.')
    const head = headOf(row)
    if (!this.#tree.isAt(head)) {
      const tiles = this.#tree.edge(head).map(({ level, index }) => {
        const tile = this.#connection.rows(READ_TILE, [level, index])[0]?.['hashes']
        return tile instanceof Uint8Array ? tile : undefined
      })
      this.#tree.restore(head, tiles)
    }
    return head
  }

  /** Runs every statement of the group as if none could fail. `undefined` where one does: then what was done has to be taken back. */
  #runTogether(group: PackedGroup, head: Head): GroupResult | undefined {
    const input = new GroupReader(group)
    const bundles = new RowBundles(this.#connection)
    const counted = emptyTally()
    const leaves: Uint8Array[] = []
    try {
      for (let sets = group.sets; sets > 0; sets--) {
        const first = head.logSize + leaves.length
        for (let steps = input.count(); steps > 0; steps--) {
          const position = input.count()
          const statement = WRITE_STATEMENTS[position]!
          const values = input.values(position, first)
          if (!this.#runStatement(statement, values, bundles)) return undefined
          tally(statement, values, counted)
        }
        for (let entries = input.count(); entries > 0; entries--) {
          const leaf = input.leaf()
          if (!bundles.add(insertEntry, [head.logSize + leaves.length, leaf.subarray(1)])) return undefined
          leaves.push(leaf)
        }
      }
      if (!bundles.flush()) return undefined
    } catch (error) {
      if (!isOfStatement(error)) throw error
      return undefined
    }
    this.#finish(head, counted, leaves)
    return { firstAuditIndex: head.logSize, failures: [] }
  }

  /** False where the statement, or a row that waited, found something else than it expects. */
  #runStatement(statement: WriteStatement, values: readonly Value[], bundles: RowBundles): boolean {
    if (statement === deleteProperty) this.#unscrubbed = 'just_erased'
    if (statement === insertPiece || statement === deleteStalePieces) this.#wrotePieces = true
    if (statement.columns !== undefined) return bundles.add(statement, values)
    // It may look for rows that still wait.
    return bundles.flush() && (this.#connection.change(statement, values) > 0 || statement.changes === 'any')
  }

  /** Runs the change sets of the group one after the other, each with a savepoint, so that one which fails does so alone. */
  #runEach(group: PackedGroup, head: Head): GroupResult {
    const connection = this.#connection
    const input = new GroupReader(group)
    let counted = emptyTally()
    const failures: SetFailure[] = []
    const leaves: Uint8Array[] = []
    for (let set = 0; set < group.sets; set++) {
      const before = copyTally(counted)
      connection.exec('SAVEPOINT change_set')
      let failure: SetFailure | undefined
      const steps = input.count()
      for (let step = 0; step < steps; step++) {
        const position = input.count()
        const statement = WRITE_STATEMENTS[position]!
        const values = input.values(position, head.logSize + leaves.length)
        if (failure !== undefined) continue
        if (statement === deleteProperty) this.#unscrubbed = 'just_erased'
        try {
          const changes = connection.change(statement, values)
          if (changes === 0 && statement.changes === 'one') failure = { set, step, refused: undefined }
          else tally(statement, values, counted)
        } catch (error) {
          if (!isOfStatement(error)) throw error
          failure = { set, step, refused: String(error) }
        }
      }
      if (failure !== undefined) connection.exec('ROLLBACK TO change_set')
      connection.exec('RELEASE change_set')
      for (let entries = input.count(); entries > 0; entries--) {
        const leaf = input.leaf()
        if (failure !== undefined) continue
        const changes = connection.change(insertEntry, [head.logSize + leaves.length, leaf.subarray(1)])
        if (changes === 0) throw logDamaged()
        leaves.push(leaf)
      }
      if (failure !== undefined) {
        failures.push(failure)
        counted = before
      }
    }
    if (failures.length < group.sets) this.#finish(head, counted, leaves)
    return { firstAuditIndex: head.logSize, failures }
  }

  /** Once for the group: the tiles that grew, and the head. */
  #finish(head: Head, counted: Tally, leaves: readonly Uint8Array[]): void {
    let { logSize, logRoot } = head
    const [first] = leaves
    if (first !== undefined) {
      const tree = this.#tree.append(leaves.map(sha256))
      this.#added = { first: logSize, entry: first.subarray(1), tree }
      for (const { level, index, hashes } of tree.tiles) this.#connection.change(upsertTile, [level, index, hashes])
      logSize = tree.state.size
      logRoot = tree.root
    }
    for (const added of counted.byState) this.#connection.change(ADD_DEVICES, added)
    this.#connection.change(
      UPDATE_HEAD,
      headValues({
        changes: head.changes + 1,
        configurationChanges: head.configurationChanges + (counted.configuration ? 1 : 0),
        devices: head.devices + counted.devices,
        certificates: head.certificates + counted.certificates,
        logSize,
        logRoot,
      }),
    )
  }
}
