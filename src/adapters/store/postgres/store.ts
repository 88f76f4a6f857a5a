// The store on PostgreSQL: questions go to a pool, changes to one connection that writes group after group. While it commits one,
// the change sets that arrive gather in the next.
import type pg from 'pg'
import type { ChangeSet, Committed, Store, StoredCheckpoint, StoreReader, Work } from '../../../domain/ports.ts'
import { storeReader } from '../reader.ts'
import { type Asker, closed, errorOf, Many, One, overloaded, settle, settleAll, type Waiting } from '../waiting.ts'
import { isConnectionLost, storeErrorOf } from './postgres-error.ts'
import { PostgresSession } from './session.ts'
import { type PlannedSet, planChangeSet } from './steps.ts'
import { PostgresWriter } from './writer.ts'

/** Change sets in one group: more share a commit, fewer answer sooner. */
const MAX_SETS = 512
/** Change sets that may wait. More are refused: whoever sent them would have given up by then. */
const MAX_WAITING = 65_536

export interface PostgresOptions {
  readonly onGroup?: (changes: number, seconds: number) => void
}

type Planned = Waiting & { readonly planned: PlannedSet }

export class PostgresStore implements Store {
  readonly read: StoreReader
  readonly #pool: pg.Pool
  readonly #writer: PostgresWriter
  readonly #onGroup: PostgresOptions['onGroup']
  #waiting: Planned[] = []
  /** The end of what the writer was asked so far: everything it does, it does in turn. */
  #turn: Promise<unknown> = Promise.resolve()
  #grouping = false
  #closed: Promise<void> | undefined

  constructor(pool: pg.Pool, connect: () => Promise<pg.Client>, { onGroup }: PostgresOptions = {}) {
    this.#pool = pool
    this.#onGroup = onGroup
    const session = new PostgresSession(pool)
    this.read = storeReader({
      engine: session.engine,
      all: async (query, values) => {
        try {
          return await session.all(query, values).catch((error: unknown) => {
            // A connection of the pool that was lost while idle shows itself here: asking again gets another one.
            if (!isConnectionLost(error)) throw error
            return session.all(query, values)
          })
        } catch (error) {
          throw storeErrorOf(error)
        }
      },
    })
    this.#writer = new PostgresWriter(connect)
  }

  commit(change: ChangeSet): Promise<Committed> {
    return new Promise((resolve, reject) => this.#add(change, new One(resolve, reject), 0))
  }

  commitEach(changes: readonly ChangeSet[]): Promise<(Committed | Error)[]> {
    const many = new Many(changes.length)
    for (let i = 0; i < changes.length; i++) this.#add(changes[i]!, many, i)
    return many.outcomes
  }

  lease(topic: Work['topic'], now: number, leaseSeconds: number, limit: number): Promise<Work[]> {
    return this.#inTurn(() => this.#writer.lease(topic, now, leaseSeconds, limit))
  }

  saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    return this.#inTurn(() => this.#writer.saveCheckpoint(checkpoint))
  }

  /** Waits for what was asked before. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  #add(change: ChangeSet, asker: Asker, place: number): void {
    try {
      if (this.#closed !== undefined) throw closed()
      if (this.#waiting.length >= MAX_WAITING) throw overloaded()
      this.#waiting.push({ change, asker, place, planned: planChangeSet(change) })
      this.#writeSoon()
    } catch (error) {
      asker.settle(place, errorOf(error))
    }
  }

  async #close(): Promise<void> {
    while (this.#waiting.length > 0 || this.#grouping) await this.#turn
    await this.#turn
    await this.#writer.close()
    await this.#pool.end()
  }

  async #inTurn<T>(act: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw closed()
    const result = this.#turn.then(act)
    this.#turn = result.catch(() => undefined)
    return result
  }

  /** One group at a time is on its way; what arrives meanwhile is the next. */
  #writeSoon(): void {
    if (this.#grouping) return
    this.#grouping = true
    this.#turn = this.#turn.then(async () => {
      const group = this.#waiting.splice(0, MAX_SETS)
      const begunAt = performance.now()
      try {
        settle(group, await this.#writer.apply(group.map(({ planned }) => planned)))
      } catch (error) {
        settleAll(group, storeErrorOf(error))
      }
      this.#onGroup?.(group.length, (performance.now() - begunAt) / 1000)
      this.#grouping = false
      if (this.#waiting.length > 0) this.#writeSoon()
    })
  }
}
