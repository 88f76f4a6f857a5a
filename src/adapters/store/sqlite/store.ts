// The store on SQLite: questions go to a connection of this thread, changes to the writer in a thread of its own. While it commits one
// group, the change sets that arrive gather in the next: how many share an fsync follows from the load.
import { Worker } from 'node:worker_threads'
import { TouchmarkError } from '../../../core/errors.ts'
import type { ChangeSet, Committed, Store, StoredCheckpoint, StoreReader, Work } from '../../../domain/ports.ts'
import { storeReader } from '../reader.ts'
import { type Asker, closed, errorOf, Many, One, overloaded, settle, settleAll, type Waiting } from '../waiting.ts'
import { SqliteConnection } from './connection.ts'
import { GroupPacker } from './group.ts'
import type { SqliteOptions } from './open.ts'
import { errorFromWire, type WriterAnswer, type WriterRequest, type WriterThreadOptions } from './writer-thread.ts'

/** Groups that the writer has in hand: with two of a batch's it never waits for this thread, which may be signing. */
const GROUPS_IN_HAND = 2
/** Groups that may wait behind them. More is refused: whoever sent it would have given up by then. */
const MAX_GROUPS = 64
/** Octets from which a group is a batch's, and worth handing over while the writer is busy. */
const BULK_OCTETS = 128 * 1024
/**
 * How long the change sets of many callers gather from one commit to the next. A commit costs the writer's wake-up, the pages that each one
 * writes (the head, the edge of the log) and an fsync, whether it carries one change set or fifty. Who comes alone never waits.
 */
const GATHER_MS = 4

interface Group {
  readonly packer: GroupPacker
  readonly waiting: Waiting[]
}

/** What is to happen when the writer answers. */
interface InHand {
  readonly answered: (answer: WriterAnswer) => void
  readonly failed: (error: Error) => void
}

export class SqliteStore implements Store {
  readonly read: StoreReader
  readonly #options: WriterThreadOptions
  readonly #onGroup: SqliteOptions['onGroup']
  readonly #reader: SqliteConnection
  #thread: Worker | undefined
  #groups: Group[] = []
  #inHand: InHand[] = []
  #groupsInHand = 0
  #sending = false
  #sentAt = 0
  /** Somebody came while others' change sets were with the writer: there are many callers. */
  #crowded = false
  #gathering: NodeJS.Timeout | undefined
  #configurationMarker: Promise<number> | undefined
  #closed: Promise<void> | undefined
  #failure: TouchmarkError | undefined
  #whenIdle: (() => void) | undefined

  /** The database exists and has the current schema; see `openStore`. */
  constructor(path: string, options: SqliteOptions = {}) {
    this.#options = { path, maxOctets: options.maxOctets }
    this.#onGroup = options.onGroup
    this.#reader = new SqliteConnection(path, { role: 'reader' })
    const read = storeReader(this.#reader)
    this.read = { ...read, configurationMarker: () => this.#markerOfThisTurn(read) }
  }

  commit(change: ChangeSet): Promise<Committed> {
    return new Promise((resolve, reject) => this.#add(change, new One(resolve, reject), 0))
  }

  commitEach(changes: readonly ChangeSet[]): Promise<(Committed | Error)[]> {
    const many = new Many(changes.length)
    for (let i = 0; i < changes.length; i++) this.#add(changes[i]!, many, i)
    return many.outcomes
  }

  async lease(topic: Work['topic'], now: number, leaseSeconds: number, limit: number): Promise<Work[]> {
    const answer = await this.#ask({ kind: 'lease', lease: { topic, now, leaseSeconds, limit } })
    return answer.kind === 'lease' ? [...answer.work] : []
  }

  async saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    await this.#ask({ kind: 'checkpoint', checkpoint })
  }

  /** Waits for what was asked before. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /**
   * Read once in a turn of the event loop: each step of a request asks, and what another process commits within the turn might as well have
   * come after it. What this process commits is seen by whoever learns of it.
   */
  #markerOfThisTurn(read: StoreReader): Promise<number> {
    if (this.#configurationMarker === undefined) {
      this.#configurationMarker = read.configurationMarker()
      setImmediate(() => {
        this.#configurationMarker = undefined
      })
    }
    return this.#configurationMarker
  }

  async #close(): Promise<void> {
    this.#crowded = false
    this.#send()
    if (!this.#idle) await new Promise<void>(resolve => (this.#whenIdle = resolve))
    // The writer closes last: the last connection works the write-ahead log into the database.
    this.#reader.close()
    const thread = this.#thread
    if (thread === undefined || this.#failure !== undefined) return
    const exited = new Promise<void>(resolve => thread.once('exit', () => resolve()))
    thread.postMessage({ kind: 'close' } satisfies WriterRequest)
    await exited
  }

  #add(change: ChangeSet, asker: Asker, place: number): void {
    try {
      this.#checkOpen()
      let group = this.#groups.at(-1)
      if (group === undefined || group.packer.full) {
        if (this.#groups.length >= MAX_GROUPS) throw overloaded()
        group = { packer: new GroupPacker(), waiting: [] }
        this.#groups.push(group)
      }
      group.packer.add(change)
      group.waiting.push({ change, asker, place })
      if (this.#groupsInHand > 0) this.#crowded = true
      this.#sendSoon()
    } catch (error) {
      asker.settle(place, errorOf(error))
    }
  }

  get #idle(): boolean {
    return this.#groups.length === 0 && this.#inHand.length === 0
  }

  #checkOpen(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#closed !== undefined) throw closed()
  }

  /** At the end of this turn of the event loop's queue: what is committed together is sent together. */
  #sendSoon(): void {
    if (this.#sending) return
    this.#sending = true
    queueMicrotask(() => {
      this.#sending = false
      this.#send()
    })
  }

  #send(): void {
    for (let group = this.#groups[0]; group !== undefined && this.#mayGo(group); group = this.#groups[0]) {
      this.#groups.shift()
      const { waiting } = group
      const packed = group.packer.pack()
      this.#groupsInHand++
      this.#sentAt = performance.now()
      const sentAt = this.#sentAt
      const answered = () => {
        this.#onGroup?.(waiting.length, (performance.now() - sentAt) / 1000)
        this.#groupsInHand--
        this.#configurationMarker = undefined
        if (this.#groups.length === 0) this.#crowded = false
        this.#send()
      }
      this.#post(
        { kind: 'group', group: packed },
        {
          answered: answer => {
            answered()
            if (answer.kind === 'group') settle(waiting, answer.result)
          },
          failed: error => {
            answered()
            settleAll(waiting, error)
          },
        },
        [packed.octets],
      )
    }
  }

  #mayGo(group: Group): boolean {
    if (group.packer.octets >= BULK_OCTETS) return this.#groupsInHand < GROUPS_IN_HAND
    if (this.#groupsInHand > 0) return false
    const wait = this.#crowded ? this.#sentAt + GATHER_MS - performance.now() : 0
    if (wait <= 0) return true
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined
      this.#send()
    }, Math.ceil(wait))
    return false
  }

  async #ask(request: WriterRequest): Promise<WriterAnswer> {
    this.#checkOpen()
    return new Promise((answered, failed) => this.#post(request, { answered, failed }, []))
  }

  #post(request: WriterRequest, inHand: InHand, transfer: ArrayBuffer[]): void {
    this.#thread ??= this.#start()
    this.#inHand.push(inHand)
    this.#thread.postMessage(request, transfer)
  }

  #start(): Worker {
    const thread = new Worker(new URL('./writer-thread.ts', import.meta.url), { workerData: this.#options })
    thread.on('message', (answer: WriterAnswer) => this.#answer(answer))
    thread.on('error', error => this.#fail(error))
    thread.on('exit', () => this.#fail(undefined))
    return thread
  }

  #answer(answer: WriterAnswer): void {
    const inHand = this.#inHand.shift()
    if (inHand === undefined) return
    if (answer.kind === 'failed') inHand.failed(errorFromWire(answer.error))
    else inHand.answered(answer)
    if (this.#idle) this.#whenIdle?.()
  }

  /** The writer is gone. What it had in hand may or may not be durable; nobody may rely on this store any more. */
  #fail(cause: unknown): void {
    if (this.#closed !== undefined && this.#inHand.length === 0) return
    this.#failure ??= new TouchmarkError('store.unavailable', 'unavailable', 'The writer of the store has stopped.', {
      next: 'Restart the process.',
      cause,
    })
    const inHand = this.#inHand
    const groups = this.#groups
    this.#inHand = []
    this.#groups = []
    for (const { failed } of inHand) failed(this.#failure)
    for (const { waiting } of groups) settleAll(waiting, this.#failure)
    this.#whenIdle?.()
  }
}
