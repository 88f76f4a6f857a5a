// A pool of threads that sign in bulk, for batch issuing: one packed buffer goes to a thread and one comes back.
import { availableParallelism } from 'node:os'
import type { Bytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import { keyAlgorithm, type SignatureAlgorithmName } from './algorithms.ts'
import type { PrivateKey } from './keys.ts'
import { leastBusy, PackedThread } from './packed-thread.ts'
import type { SigningWorkerData } from './signing-worker.ts'

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
  const script = new URL('./signing-worker.ts', import.meta.url)
  return new ThreadPool(Array.from({ length: workers }, () => new PackedThread(script, { workerData }, signerFailed)))
}

class ThreadPool implements SigningPool {
  readonly #threads: readonly PackedThread[]

  constructor(threads: readonly PackedThread[]) {
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
      const share = tbs.slice(from, from + size)
      answers.push(leastBusy(this.#threads).ask(share, share.length))
    }
    return (await Promise.all(answers)).flat()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map(thread => thread.end()))
  }
}

function signerFailed(cause: Error): TouchmarkError {
  return new TouchmarkError('signer.failed', 'unavailable', 'A signing thread ended.', { cause })
}
