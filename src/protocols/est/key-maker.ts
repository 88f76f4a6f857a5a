// Keys that the server makes for devices (RFC 7030 §4.4), a few at a time: an RSA key is a second of work, and a device in possession of its
// certificate can ask for one as often as it likes. Who would wait too long is told to come again.
import { TouchmarkError } from '../../core/errors.ts'
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import { generateKeyPair, type PrivateKey } from '../../crypto/keys.ts'

/** Throws `est.key_making_busy`, and the reason of `signal` where the client goes before its turn. */
export type KeyMaker = (algorithm: KeyAlgorithmName, signal: AbortSignal) => Promise<PrivateKey>

/** Keys that are made at once: the thread pool of the process has other work too. */
const AT_ONCE = 2
/** Requests that wait for their turn: at a second a key, the last of them waits a quarter of a minute. */
const WAITING = 32

export function boundedKeyMaker(
  make: (algorithm: KeyAlgorithmName) => Promise<PrivateKey> = generateKeyPair,
): KeyMaker {
  const waiting: (() => void)[] = []
  let making = 0

  async function turn(signal: AbortSignal): Promise<void> {
    if (making < AT_ONCE) {
      making++
      return
    }
    if (waiting.length >= WAITING) {
      throw new TouchmarkError('est.key_making_busy', 'unavailable', 'Too many keys are being made.')
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = () => {
      waiting.splice(waiting.indexOf(resolve), 1)
      reject(signal.reason)
    }
    waiting.push(resolve)
    signal.addEventListener('abort', leave, { once: true })
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  /** Whoever is next takes over the place. */
  function done(): void {
    const next = waiting.shift()
    if (next) next()
    else making--
  }

  return async (algorithm, signal) => {
    signal.throwIfAborted()
    await turn(signal)
    try {
      return await make(algorithm)
    } finally {
      done()
    }
  }
}
