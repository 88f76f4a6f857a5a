// What keeps pre-signed OCSP answers true and fresh beside the requests: every half second a look at what other processes changed, then the
// answers that will end soon. A loop of its own and no job: a CRL that takes its time must not hold it up, and while it is held up the answers
// stop by themselves.
import { setTimeout as sleep } from 'node:timers/promises'
import type { OcspService } from '../domain/revocation/ocsp-service.ts'
import { errorFields, type Logger } from './logger.ts'

const LOOK_EVERY_MS = 500

export class OcspKeeper implements AsyncDisposable {
  readonly #service: Pick<OcspService, 'follow' | 'renew'>
  readonly #logger: Logger
  readonly #stop = new AbortController()
  readonly #loop: Promise<void>
  #failing = false

  /** Begins at once. */
  constructor(service: Pick<OcspService, 'follow' | 'renew'>, logger: Logger) {
    this.#service = service
    this.#logger = logger
    this.#loop = this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#look()
      await sleep(LOOK_EVERY_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined)
    }
  }

  /** A store that is away is told of once, and again when it is back. */
  async #look(): Promise<void> {
    try {
      await this.#service.follow()
      await this.#service.renew()
      if (this.#failing) this.#logger.info('ocsp.presigned_resumed')
      this.#failing = false
    } catch (thrown) {
      if (!this.#failing) this.#logger.warning('ocsp.presigned_stopped', errorFields(thrown))
      this.#failing = true
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#loop
  }
}
