// The servers of a device: the first that gives a final answer counts. Whatever they answer, what it tells of the time is heard.
import { TouchmarkError } from '../core/errors.ts'
import type { AgentClock } from './agent-clock.ts'
import { mayAskAnother, noWay } from './agent-errors.ts'
import type { AgentState } from './agent-state.ts'
import { DeviceClient } from './device-client.ts'
import { EstClient } from './est-client.ts'
import { rootsPem } from './home.ts'
import { dateOf, type TlsIdentity, type Transport, type TransportAnswer } from './transport.ts'

export class Servers {
  readonly #transport: Transport
  readonly #clock: AgentClock
  readonly #instead: readonly string[] | undefined

  /** `instead`: in place of those that the device enrolled with. */
  constructor(transport: Transport, clock: AgentClock, instead: readonly string[] | undefined) {
    this.#transport = transport
    this.#clock = clock
    this.#instead = instead
  }

  /**
   * Asks one server after the other until one gives a final answer: a success, or a refusal that is about the device. Rejects with that, or with
   * what the first one failed with.
   */
  async ask<T>(state: AgentState, question: (url: string) => Promise<T>): Promise<T> {
    let first: unknown
    for (const url of this.#instead ?? state.servers) {
      try {
        return await question(url)
      } catch (thrown) {
        if (!(thrown instanceof TouchmarkError) || !mayAskAnother(thrown)) throw thrown
        first ??= thrown
      }
    }
    throw first ?? noWay()
  }

  est(state: AgentState, url: string, label: string, signal: AbortSignal | undefined): EstClient {
    return new EstClient({ ...this.#connection(state, url, signal), label })
  }

  device(state: AgentState, url: string, identity: TlsIdentity, signal: AbortSignal | undefined): DeviceClient {
    return new DeviceClient({ ...this.#connection(state, url, signal), identity })
  }

  #connection(state: AgentState, url: string, signal: AbortSignal | undefined) {
    return {
      url,
      signal,
      transport: this.#transport,
      trustAnchors: rootsPem(state),
      notBeforeTime: this.#clock.isWrong ? this.#clock.evident : undefined,
      onAnswer: (answer: TransportAnswer) => this.#clock.heard(dateOf(answer), answer.tls),
    }
  }
}
