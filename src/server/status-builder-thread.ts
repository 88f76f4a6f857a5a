// The thread of `status-builder.ts`.
import { parentPort, workerData } from 'node:worker_threads'
import { asTouchmarkError } from '../core/errors.ts'
import { StatusCollector } from '../core/filter/collect-status.ts'
import type { ExactFilter } from '../core/filter/exact-filter.ts'
import { MAX_WAITING, type ThreadAnswer } from './status-builder.ts'

const { upon } = workerData as { readonly upon: readonly ExactFilter[] }
const collector = new StatusCollector()
let taken = 0

function answer(message: ThreadAnswer): void {
  parentPort!.postMessage(message)
}

parentPort!.on('message', (piece: { readonly kind: 'revoked' | 'issued' | 'end'; readonly serials: Uint8Array }) => {
  try {
    if (piece.kind === 'end') answer({ built: collector.build({ upon }) })
    else {
      collector[piece.kind](piece.serials)
      if (++taken % MAX_WAITING === 0) answer({ taken: true })
    }
  } catch (thrown) {
    const { code, message } = asTouchmarkError(thrown)
    answer({ code, message })
  }
})
