// The thread behind `signing-pool.ts`: opens nothing, keeps one key, answers each packed list of TBS with a packed list of
// signatures in the same order.
import type { KeyObject } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { asTouchmarkError } from '../core/errors.ts'
import type { SignatureAlgorithmName } from './algorithms.ts'
import { privateKeyOf } from './keys.ts'
import { pack, unpack } from './packed-list.ts'
import type { PackedAnswer, PackedTask } from './packed-thread.ts'
import { SoftwareSigner } from './signer.ts'

export interface SigningWorkerData {
  readonly keyObject: KeyObject
  readonly algorithm: SignatureAlgorithmName
}

if (parentPort !== null) {
  const port = parentPort
  const { keyObject, algorithm }: SigningWorkerData = workerData
  const signer = new SoftwareSigner(privateKeyOf(keyObject), 'pool', algorithm)
  port.on('message', ({ packed }: PackedTask) => {
    try {
      const answer = pack(unpack(packed).map(tbs => signer.signNow(tbs)))
      port.postMessage({ packed: answer } satisfies PackedAnswer, [answer.buffer])
    } catch (thrown) {
      const { code, kind, message } = asTouchmarkError(thrown)
      port.postMessage({ code, kind, message } satisfies PackedAnswer)
    }
  })
}
