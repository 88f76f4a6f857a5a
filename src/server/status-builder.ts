// Builds the sets of a status artefact, large ones in a thread that lives as long as the build: a million certificates take a second or two of computing, and
// some dozen octets each, which go with the thread.
import { Worker } from 'node:worker_threads'
import { asTouchmarkError, TouchmarkError } from '../core/errors.ts'
import { type CollectedStatus, StatusCollector } from '../core/filter/collect-status.ts'
import type { ExactFilter } from '../core/filter/exact-filter.ts'
import type { StatusBuilder, StatusPiece } from '../domain/revocation/status-artefact.ts'

export const statusBuilder: StatusBuilder = {
  async build(pieces, upon) {
    const source = pieces[Symbol.asyncIterator]()
    const first: StatusPiece[] = []
    let octets = 0
    for (let next = await source.next(); !next.done; next = await source.next()) {
      first.push(next.value)
      octets += next.value.serials.length
      if (octets > SMALL_OCTETS) return inThread(first, { [Symbol.asyncIterator]: () => source }, upon)
    }
    const collector = new StatusCollector()
    for (const { kind, serials } of first) collector[kind](serials)
    return collector.build({ upon })
  },
}

/** A few thousand certificates: built sooner than a thread has begun. */
const SMALL_OCTETS = 4_096 * 16

async function inThread(
  first: readonly StatusPiece[],
  rest: AsyncIterable<StatusPiece>,
  upon: readonly ExactFilter[],
): Promise<CollectedStatus> {
  const worker = new Worker(new URL('./status-builder-thread.ts', import.meta.url), { workerData: { upon } })
  let fail: (error: unknown) => void = () => undefined
  const built = new Promise<CollectedStatus>((resolve, reject) => {
    fail = reject
    worker.on('message', (answer: ThreadAnswer) => {
      if ('taken' in answer) taken()
      else if ('built' in answer) resolve(answer.built)
      else reject(new TouchmarkError(answer.code, 'internal', answer.message))
    })
    worker.on('error', reject)
    worker.on('exit', code => reject(new Error(`the thread ended with ${code}`)))
  })
  // Told of below, also where it happens while pieces are sent.
  built.catch(() => undefined)
  let waiting = 0
  let taken: () => void = () => undefined
  try {
    for await (const { kind, serials } of joined(first, rest)) {
      const copy = new Uint8Array(serials)
      worker.postMessage({ kind, serials: copy }, [copy.buffer])
      // The thread sets the pace: what it has not taken waits in memory.
      if (++waiting < MAX_WAITING) continue
      await Promise.race([built, new Promise<void>(resolve => (taken = resolve))])
      waiting = 0
    }
    worker.postMessage({ kind: 'end' })
    return await built
  } catch (thrown) {
    throw asTouchmarkError(thrown)
  } finally {
    fail(undefined)
    await worker.terminate()
  }
}

async function* joined(first: readonly StatusPiece[], rest: AsyncIterable<StatusPiece>): AsyncGenerator<StatusPiece> {
  yield* first
  yield* rest
}

export type ThreadAnswer =
  | { readonly taken: true }
  | { readonly built: CollectedStatus }
  | { readonly code: string; readonly message: string }

/** Pieces after which the thread says that it has taken them. */
export const MAX_WAITING = 16
