// Applies groups of change sets on PostgreSQL: one transaction each, with the head row locked, which makes this transaction the one
// that writes, in whichever process it runs. Inserts into the same table travel as one statement. Where something in a
// group fails, the group is taken back to a savepoint and done again in halves, until what fails stands alone.
import type pg from 'pg'
import { equalBytes } from '../../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../../core/errors.ts'
import type { Appended } from '../../../core/merkle/appender.ts'
import { leafHasher } from '../../../core/merkle/tree.ts'
import { sha256 } from '../../../crypto/digest.ts'
import type { StoredCheckpoint, Work } from '../../../domain/ports.ts'
import { LogTree, logDamaged } from '../log-tree.ts'
import { emptyTally, type Tally, tally } from '../plan.ts'
import type { Value, WriteStatement } from '../sql.ts'
import { ADD_DEVICES } from '../tables/activity.ts'
import {
  DROP_OLDER_CHECKPOINTS,
  type Head,
  headOf,
  headValues,
  insertEntry,
  LOCK_HEAD,
  READ_ENTRY,
  READ_TILE,
  SAVE_CHECKPOINT,
  UPDATE_HEAD,
  upsertTile,
} from '../tables/log.ts'
import { LEASE_WORK, workOf } from '../tables/work.ts'
import type { GroupResult, SetFailure } from '../waiting.ts'
import { isConnectionLost, isOfStatement, isTransient, storeErrorOf } from './postgres-error.ts'
import { type Answer, PostgresSession } from './session.ts'
import type { PlannedSet } from './steps.ts'

/** How often a transaction is begun before what is in its way counts as a fault. */
const ATTEMPTS = 4
/** In place of the position of a step: the statement writes entries of the log. */
const ENTRY = -1

interface Transaction {
  readonly head: Head
  readonly tally: Tally
  /** What it adds to the log so far. */
  readonly entries: Uint8Array[]
  readonly failures: SetFailure[]
  /** The tree with its entries, once they are written. */
  tree: Appended | undefined
}

export class PostgresWriter {
  readonly #connect: () => Promise<pg.Client>
  readonly #tree = new LogTree()
  #client: pg.Client | undefined
  #session: PostgresSession | undefined

  constructor(connect: () => Promise<pg.Client>) {
    this.#connect = connect
  }

  /** Durable when it resolves. Rejects with a `TouchmarkError` where nothing of the group could be made durable. */
  apply(sets: readonly PlannedSet[]): Promise<GroupResult> {
    return this.#transaction(async (session, transaction) => {
      const { head, failures } = transaction
      await this.#applyRange(session, transaction, sets, 0, sets.length)
      if (failures.length < sets.length) await this.#finish(session, transaction)
      return { firstAuditIndex: head.logSize, failures }
    })
  }

  lease(topic: Work['topic'], now: number, leaseSeconds: number, limit: number): Promise<Work[]> {
    return this.#transaction(async session => {
      const { rows } = await session.ask(LEASE_WORK, [now + leaseSeconds, topic, now, now, limit])
      return rows.map(workOf)
    })
  }

  saveCheckpoint({ size, note, at }: StoredCheckpoint): Promise<void> {
    return this.#transaction(async (session, { head }) => {
      if ((await session.ask(SAVE_CHECKPOINT, [size, note, at, size])).changes > 0) {
        await session.ask(DROP_OLDER_CHECKPOINTS, [size])
        await session.ask(UPDATE_HEAD, headValues({ ...head, changes: head.changes + 1 }))
      }
    })
  }

  async close(): Promise<void> {
    await this.#client?.end()
  }

  async #transaction<T>(body: (session: PostgresSession, transaction: Transaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const session = await this.#ready()
      let transaction: Transaction
      let result: T
      try {
        await session.exec('BEGIN ISOLATION LEVEL READ COMMITTED')
        transaction = {
          head: await this.#head(session),
          tally: emptyTally(),
          entries: [],
          failures: [],
          tree: undefined,
        }
        result = await body(session, transaction)
      } catch (error) {
        await this.#rollback(session, error)
        // Nothing was committed, so the transaction may be tried again: on a new connection where the old one was lost.
        if ((isTransient(error) || isConnectionLost(error)) && attempt < ATTEMPTS) continue
        throw storeErrorOf(error)
      }
      try {
        await session.commit()
      } catch (error) {
        await this.#rollback(session, error)
        const outcome = isConnectionLost(error) ? await this.#lookAfter(transaction) : 'nothing'
        if (outcome === 'nothing' && attempt < ATTEMPTS) continue
        if (outcome !== 'committed') throw storeErrorOf(error)
      }
      if (transaction.tree !== undefined) this.#tree.keep(transaction.tree)
      return result
    }
  }

  /** Errors: `store.unavailable` and the others of connecting. */
  async #ready(): Promise<PostgresSession> {
    if (this.#session !== undefined) return this.#session
    try {
      const client = await this.#connect()
      const session = new PostgresSession(client)
      client.on('error', () => this.#drop(session))
      this.#client = client
      this.#session = session
      return session
    } catch (error) {
      throw storeErrorOf(error)
    }
  }

  /** Takes the next connection for the next transaction. */
  #drop(session: PostgresSession): void {
    if (this.#session !== session) return
    this.#client?.end().catch(() => undefined)
    this.#client = undefined
    this.#session = undefined
  }

  async #rollback(session: PostgresSession, error: unknown): Promise<void> {
    try {
      if (error !== undefined && isConnectionLost(error)) throw error
      await session.exec('ROLLBACK')
    } catch {
      this.#drop(session)
    }
  }

  /**
   * When the connection is lost during COMMIT, nobody knows what the server did. Its transaction may even be under way still, so
   * look with the head locked: then it is over.
   */
  async #lookAfter({ head, entries }: Transaction): Promise<'committed' | 'nothing' | 'unknown'> {
    try {
      const session = await this.#ready()
      try {
        await session.exec('BEGIN ISOLATION LEVEL READ COMMITTED')
        const now = await this.#head(session)
        if (now.changes === head.changes) return 'nothing'
        const [first] = entries
        if (first === undefined) return 'unknown'
        const stored = (await session.all(READ_ENTRY, [head.logSize]))[0]?.['bytes']
        return stored instanceof Uint8Array && equalBytes(stored, first) ? 'committed' : 'nothing'
      } finally {
        await this.#rollback(session, undefined)
      }
    } catch {
      return 'unknown'
    }
  }

  /** Locks the head row until the end of the transaction, and brings the tree to where it stands. */
  async #head(session: PostgresSession): Promise<Head> {
    const [row] = await session.all(LOCK_HEAD, [])
    if (row === undefined) throw new TouchmarkError('store.row_unexpected', 'internal', 'The store has no head.')
    const head = headOf(row)
    if (!this.#tree.isAt(head)) {
      const tiles = await Promise.all(
        this.#tree.edge(head).map(async ({ level, index }) => {
          const tile = (await session.all(READ_TILE, [level, index]))[0]?.['hashes']
          return tile instanceof Uint8Array ? tile : undefined
        }),
      )
      this.#tree.restore(head, tiles)
    }
    return head
  }

  /** Applies the sets from `from` to `to`; what fails among them is on the transaction's list then. */
  async #applyRange(
    session: PostgresSession,
    transaction: Transaction,
    sets: readonly PlannedSet[],
    from: number,
    to: number,
  ): Promise<void> {
    const base = transaction.head.logSize + transaction.entries.length
    const [, failure] = await Promise.all([session.exec('SAVEPOINT range'), this.#send(session, sets, from, to, base)])
    if (failure === undefined) {
      await session.exec('RELEASE range')
      for (const { steps, entries } of sets.slice(from, to)) {
        for (const { statement, values } of steps) tally(statement, values, transaction.tally)
        transaction.entries.push(...entries)
      }
      return
    }
    await session.exec('ROLLBACK TO range')
    await session.exec('RELEASE range')
    if (to - from === 1) {
      transaction.failures.push({ set: from, ...failure })
      return
    }
    const middle = (from + to) >> 1
    await this.#applyRange(session, transaction, sets, from, middle)
    await this.#applyRange(session, transaction, sets, middle, to)
  }

  /**
   * Sends the statements of the sets without waiting between them, and tells the first that failed. Of one set the position of
   * the step is exact, because nothing is bundled then.
   */
  async #send(
    session: PostgresSession,
    sets: readonly PlannedSet[],
    from: number,
    to: number,
    base: number,
  ): Promise<Omit<SetFailure, 'set'> | undefined> {
    const bundles = new Map<string, Bundle>()
    const sent: Promise<Omit<SetFailure, 'set'> | undefined>[] = []
    const alone = to - from === 1
    const flush = (table: string) => {
      const bundle = bundles.get(table)
      if (bundle === undefined) return
      bundles.delete(table)
      const step = bundle.statement === insertEntry ? ENTRY : 0
      sent.push(outcomeOf(session.ask(bundle.statement.many!, bundle.columns), bundle.rows, step))
    }
    const send = (statement: WriteStatement, values: readonly Value[], step: number) => {
      for (const table of statement.reads) flush(table)
      let bundle = bundles.get(statement.table)
      if (bundle !== undefined && bundle.statement !== statement) {
        flush(statement.table)
        bundle = undefined
      }
      if (alone || statement.many === undefined) {
        sent.push(outcomeOf(session.ask(statement, values), statement.changes === 'one' ? 1 : 0, step))
        return
      }
      if (bundle === undefined) {
        bundle = { statement, columns: values.map(() => []), rows: 0 }
        bundles.set(statement.table, bundle)
      }
      for (const [i, value] of values.entries()) bundle.columns[i]!.push(value)
      bundle.rows++
    }
    let next = base
    for (const { steps, entries } of sets.slice(from, to)) {
      for (const [step, { statement, values, relative }] of steps.entries()) {
        const placed = relative < 0 ? values : values.map((value, i) => (i === relative ? next + Number(value) : value))
        send(statement, placed, step)
      }
      for (const entry of entries) send(insertEntry, [next++, entry], ENTRY)
    }
    for (const table of [...bundles.keys()]) flush(table)
    const failures = await Promise.all(sent)
    return failures.find(failure => failure !== undefined)
  }

  async #finish(session: PostgresSession, transaction: Transaction): Promise<void> {
    const { head, tally: counted, entries } = transaction
    let { logSize, logRoot } = head
    if (entries.length > 0) {
      const tree = this.#tree.append(entries.map(leafHasher(sha256)))
      transaction.tree = tree
      await Promise.all(tree.tiles.map(({ level, index, hashes }) => session.ask(upsertTile, [level, index, hashes])))
      logSize = tree.state.size
      logRoot = tree.root
    }
    // In one order everywhere, though the head is locked: two transactions never wait for each other's rows.
    for (const added of [...counted.byState].sort()) await session.ask(ADD_DEVICES, added)
    await session.ask(
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

/** Rows for one table that travel together. */
interface Bundle {
  readonly statement: WriteStatement
  readonly columns: Value[][]
  rows: number
}

/** `undefined` where the statement changed at least as many rows as it should; throws what is not the statement's own fault. */
async function outcomeOf(
  asked: Promise<Answer>,
  expected: number,
  step: number,
): Promise<Omit<SetFailure, 'set'> | undefined> {
  try {
    const { changes } = await asked
    if (changes < expected && step === ENTRY) throw logDamaged()
    return changes < expected ? { step, refused: undefined } : undefined
  } catch (error) {
    if (!isOfStatement(error)) throw error
    return { step, refused: String(error) }
  }
}
