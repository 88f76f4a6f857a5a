// One thread that answers packed lists with packed lists, in the order in which they came: what the pools for signing and for verifying
// consist of. The buffers are handed over and not copied, because a message per signature costs more than a P-256 signature.
import { Worker, type WorkerOptions } from 'node:worker_threads'
import type { Bytes } from '../core/bytes/bytes.ts'
import { type ErrorKind, TouchmarkError } from '../core/errors.ts'
import { pack, unpack } from './packed-list.ts'

export interface PackedTask {
  readonly packed: Bytes
}

export type PackedAnswer = PackedTask | { readonly code: string; readonly kind: ErrorKind; readonly message: string }

interface Waiting {
  readonly load: number
  readonly resolve: (answer: Bytes[]) => void
  readonly reject: (error: unknown) => void
}

export class PackedThread {
  readonly #worker: Worker
  readonly #died: (cause: Error) => TouchmarkError
  /** Tasks sent and not answered, in order: a thread answers in the order of its tasks. */
  readonly #waiting: Waiting[] = []
  #dead: TouchmarkError | undefined
  /** What it owes, in the caller's unit. */
  load = 0

  /** `died` words what whoever waits is told when the thread ends. */
  constructor(script: URL, options: WorkerOptions, died: (cause: Error) => TouchmarkError) {
    this.#died = died
    this.#worker = new Worker(script, options)
    this.#worker.unref()
    this.#worker.on('message', (answer: PackedAnswer) => this.#settle(answer))
    this.#worker.on('error', (error: Error) => this.#die(error))
    this.#worker.on('exit', code => this.#die(new Error(`the thread ended with ${code}`)))
  }

  /** Rejects with the error that the thread answers, or as `died` says. */
  ask(list: readonly Uint8Array[], load: number): Promise<Bytes[]> {
    if (this.#dead) return Promise.reject(this.#dead)
    return new Promise((resolve, reject) => {
      const task: PackedTask = { packed: pack(list) }
      this.#waiting.push({ load, resolve, reject })
      this.load += load
      // A process must not end while it waits for an answer, and must not stay for threads that have nothing to do.
      this.#worker.ref()
      this.#worker.postMessage(task, [task.packed.buffer])
    })
  }

  #settle(answer: PackedAnswer): void {
    const task = this.#waiting.shift()
    if (task === undefined) return
    this.load -= task.load
    if (this.#waiting.length === 0) this.#worker.unref()
    if ('packed' in answer) task.resolve(unpack(answer.packed))
    else task.reject(new TouchmarkError(answer.code, answer.kind, answer.message))
  }

  #die(cause: Error): void {
    this.#dead ??= this.#died(cause)
    for (const task of this.#waiting.splice(0)) task.reject(this.#dead)
    this.load = 0
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }
}

/** The one that owes least. */
export function leastBusy(threads: readonly PackedThread[]): PackedThread {
  return threads.reduce((best, thread) => (thread.load < best.load ? thread : best))
}
