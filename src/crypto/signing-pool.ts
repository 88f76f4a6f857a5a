// A pool of threads that sign in bulk, for batch issuing: one packed buffer goes to a thread and one comes back, both
// transferred and not copied, because a message per signature costs more than a P-256 signature.
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Bytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import { keyAlgorithm, type SignatureAlgorithmName } from './algorithms.ts'
import type { PrivateKey } from './keys.ts'
import { pack, unpack } from './packed-list.ts'
import type { SigningAnswer, SigningTask, SigningWorkerData } from './signing-worker.ts'

export interface SigningPool extends AsyncDisposable {
  readonly workers: number
  /** Signs each whole TBS; signatures come in the order of the input, all or none. Rejects with `signer.failed` or `signer.signature_wrong`. */
  signMany(tbs: readonly Uint8Array[]): Promise<Bytes[]>
}

export interface SigningPoolOptions {
  /** Threads; by default one for each processor but one, which the caller's thread needs. */
  readonly workers?: number | undefined
  /** By default the first algorithm that the table names for the key. */
  readonly algorithm?: SignatureAlgorithmName | undefined
}

/** Smaller shares than this are not worth another thread. */
const MIN_SHARE = 16
/** Octets in one message: two of them a thread are in memory at a time. */
const MAX_MESSAGE_OCTETS = 64 * 1024 * 1024

/**
 * Starts the threads with the key. They verify a sample of their own signatures like a software signer
 * (docs/adr/0005-checking-our-own-signatures.md); dispose of the pool to end them.
 */
export function createSigningPool(privateKey: PrivateKey, options: SigningPoolOptions = {}): SigningPool {
  const workers = Math.max(1, options.workers ?? availableParallelism() - 1)
  const algorithm = options.algorithm ?? keyAlgorithm(privateKey.algorithm).signatureAlgorithms[0]
  if (!keyAlgorithm(privateKey.algorithm).signatureAlgorithms.includes(algorithm)) {
    throw new TouchmarkError('signer.algorithm_unfit', 'internal', `The key cannot sign with ${algorithm}.`)
  }
  // A KeyObject is cloned to the thread by OpenSSL's reference: its octets never pass through a message.
  const workerData: SigningWorkerData = { keyObject: privateKey.keyObject, algorithm }
  return new ThreadPool(Array.from({ length: workers }, () => new PoolThread(workerData)))
}

class ThreadPool implements SigningPool {
  readonly #threads: readonly PoolThread[]

  constructor(threads: readonly PoolThread[]) {
    this.#threads = threads
  }

  get workers(): number {
    return this.#threads.length
  }

  async signMany(tbs: readonly Uint8Array[]): Promise<Bytes[]> {
    if (tbs.length === 0) return []
    const octets = tbs.reduce((sum, one) => sum + one.length, 0)
    const wanted = Math.min(this.#threads.length, Math.ceil(tbs.length / MIN_SHARE))
    const shares = Math.max(wanted, Math.ceil(octets / MAX_MESSAGE_OCTETS))
    const size = Math.ceil(tbs.length / shares)
    const answers: Promise<Bytes[]>[] = []
    for (let from = 0; from < tbs.length; from += size) {
      answers.push(this.#leastBusy().sign(tbs.slice(from, from + size)))
    }
    return (await Promise.all(answers)).flat()
  }

  #leastBusy(): PoolThread {
    return this.#threads.reduce((best, thread) => (thread.load < best.load ? thread : best))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map(thread => thread.end()))
  }
}

interface Waiting {
  readonly count: number
  readonly resolve: (signatures: Bytes[]) => void
  readonly reject: (error: unknown) => void
}

class PoolThread {
  readonly #worker: Worker
  /** Tasks sent and not answered, in order: a thread answers in the order of its tasks. */
  readonly #waiting: Waiting[] = []
  #dead: TouchmarkError | undefined
  /** Signatures owed. */
  load = 0

  constructor(workerData: SigningWorkerData) {
    this.#worker = new Worker(new URL('./signing-worker.ts', import.meta.url), { workerData })
    this.#worker.unref()
    this.#worker.on('message', (answer: SigningAnswer) => this.#settle(answer))
    this.#worker.on('error', (error: Error) => this.#die(error))
    this.#worker.on('exit', code => this.#die(new Error(`the thread ended with ${code}`)))
  }

  sign(tbs: readonly Uint8Array[]): Promise<Bytes[]> {
    if (this.#dead) return Promise.reject(this.#dead)
    return new Promise((resolve, reject) => {
      const task: SigningTask = { packed: pack(tbs) }
      this.#waiting.push({ count: tbs.length, resolve, reject })
      this.load += tbs.length
      // A process must not end while it waits for signatures, and must not stay for threads that have nothing to do.
      this.#worker.ref()
      this.#worker.postMessage(task, [task.packed.buffer])
    })
  }

  #settle(answer: SigningAnswer): void {
    const task = this.#waiting.shift()
    if (task === undefined) return
    this.load -= task.count
    if (this.#waiting.length === 0) this.#worker.unref()
    if ('packed' in answer) task.resolve(unpack(answer.packed))
    else task.reject(new TouchmarkError(answer.code, answer.kind, answer.message))
  }

  #die(cause: Error): void {
    this.#dead ??= new TouchmarkError('signer.failed', 'unavailable', 'A signing thread ended.', { cause })
    for (const task of this.#waiting.splice(0)) task.reject(this.#dead)
    this.load = 0
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }
}
