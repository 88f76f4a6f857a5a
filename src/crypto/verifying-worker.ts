// The thread behind `verifying-pool.ts`: answers each list of signatures with one octet for each, 1 where it verifies.
import { parentPort } from 'node:worker_threads'
import { asTouchmarkError } from '../core/errors.ts'
import { signatureAlgorithms } from './algorithms.ts'
import { pack, unpack } from './packed-list.ts'
import type { PackedAnswer, PackedTask } from './packed-thread.ts'
import { verifyOnce } from './verify.ts'
import { PARTS } from './verifying-pool.ts'

if (parentPort !== null) {
  const port = parentPort
  port.on('message', ({ packed }: PackedTask) => {
    try {
      const [algorithms, ...parts] = unpack(packed)
      const verdicts = new Uint8Array(algorithms!.length)
      for (let i = 0; i < verdicts.length; i++) {
        const row = signatureAlgorithms[algorithms![i]!]
        const at = PARTS * i
        if (row !== undefined && verifyOnce(parts[at]!, row, parts[at + 1]!, parts[at + 2]!)) verdicts[i] = 1
      }
      const answer = pack([verdicts])
      port.postMessage({ packed: answer } satisfies PackedAnswer, [answer.buffer])
    } catch (thrown) {
      const { code, kind, message } = asTouchmarkError(thrown)
      port.postMessage({ code, kind, message } satisfies PackedAnswer)
    }
  })
}
