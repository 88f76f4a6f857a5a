// A pool of threads that verify in bulk what keys that are seen once have signed: the proofs of possession of a batch of requests. Opening
// such a key costs a third of verifying with it, so that is done there, too.
import { availableParallelism } from 'node:os'
import type { Bytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import type { AlgorithmIdentifier } from '../core/pki/algorithm-identifier.ts'
import { findSignatureAlgorithm, signatureAlgorithms } from './algorithms.ts'
import { leastBusy, PackedThread } from './packed-thread.ts'

/** A signature by the very key that stands in what was signed. */
export interface SelfSigned {
  readonly spki: Uint8Array
  readonly algorithm: AlgorithmIdentifier
  readonly tbs: Uint8Array
  readonly signature: Uint8Array
}

export interface VerifyingPool extends AsyncDisposable {
  /** Whether each verifies, in the order of the input: what cannot be checked is false. Rejects with `verifier.failed`. */
  verifyMany(signed: readonly SelfSigned[]): Promise<boolean[]>
}

/** Signatures in one message: enough that messages do not count, few enough that all threads get some of a chunk. */
const SHARE = 128
/** Stands for an algorithm that is not in the table: nothing is verified with it. */
export const UNKNOWN_ALGORITHM = 255
/** How a list is laid out: one octet for each signature names its algorithm; then for each come key, octets, signature. */
export const PARTS = 3

/** Starts the threads, by default one for each processor; dispose of the pool to end them. */
export function createVerifyingPool(workers: number = availableParallelism()): VerifyingPool {
  const script = new URL('./verifying-worker.ts', import.meta.url)
  const threads = Array.from({ length: workers }, () => new PackedThread(script, {}, verifierFailed))
  return {
    async verifyMany(signed) {
      const answers: Promise<Bytes[]>[] = []
      for (let from = 0; from < signed.length; from += SHARE) {
        const share = signed.slice(from, from + SHARE)
        answers.push(leastBusy(threads).ask(laidOut(share), share.length))
      }
      return (await Promise.all(answers)).flatMap(([verdicts]) => Array.from(verdicts!, verdict => verdict === 1))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map(thread => thread.end()))
    },
  }
}

function laidOut(signed: readonly SelfSigned[]): Uint8Array[] {
  const algorithms = new Uint8Array(signed.length)
  const list: Uint8Array[] = [algorithms]
  for (let i = 0; i < signed.length; i++) {
    const { spki, algorithm, tbs, signature } = signed[i]!
    const row = findSignatureAlgorithm(algorithm)
    algorithms[i] = row === undefined ? UNKNOWN_ALGORITHM : signatureAlgorithms.indexOf(row)
    list.push(spki, tbs, signature)
  }
  return list
}

function verifierFailed(cause: Error): TouchmarkError {
  return new TouchmarkError('verifier.failed', 'unavailable', 'A thread that verifies signatures ended.', { cause })
}
