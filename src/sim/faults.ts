// What goes wrong for a simulated device: the power, the network, its clock, somebody who copies it. Each is drawn for one act of the device
// and is over afterwards; what stays is what its files and the server make of it.
import type { MemoryStorage } from '../agent/memory-storage.ts'
import type { Transport, TransportAnswer, TransportRequest } from '../agent/transport.ts'
import { TouchmarkError } from '../core/errors.ts'
import type { SimulationRandom } from './random.ts'

export const FAULT_KINDS = ['power-cut', 'lost-request', 'lost-answer', 'truncated-answer', 'wrong-clock'] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

/** Changes that one act of an agent makes, roughly: a power cut falls into one of them. */
const CHANGES_OF_AN_ACT = 12
const YEAR = 365 * 86_400

/** The faults of one device: its network and its clock, and the power of its storage. */
export class FaultyWorld implements Transport {
  readonly #transport: Transport
  readonly #random: SimulationRandom
  #network: Exclude<FaultKind, 'power-cut' | 'wrong-clock'> | undefined
  #clockOffset = 0
  /** Faults that came to be. */
  readonly counts: Record<FaultKind, number> = {
    'power-cut': 0,
    'lost-request': 0,
    'lost-answer': 0,
    'truncated-answer': 0,
    'wrong-clock': 0,
  }

  constructor(transport: Transport, random: SimulationRandom) {
    this.#transport = transport
    this.#random = random
  }

  /** The device's clock, in seconds since 1970. */
  readonly now = (): number => Date.now() / 1000 + this.#clockOffset

  /** Lets something go wrong in the next act, with this probability. */
  strike(probability: number, storage: MemoryStorage): void {
    this.relent(storage)
    if (this.#random.next() >= probability) return
    const kind = FAULT_KINDS[Math.floor(this.#random.next() * FAULT_KINDS.length)]!
    this.counts[kind]++
    switch (kind) {
      case 'power-cut':
        storage.cutPower(
          1 + Math.floor(this.#random.next() * CHANGES_OF_AN_ACT),
          this.#random.next() < 0.5 ? 'before' : 'after',
        )
        break
      case 'wrong-clock':
        // Back at its factory setting, or ahead by up to three years.
        this.#clockOffset = this.#random.next() < 0.5 ? -Date.now() / 1000 : 3 * YEAR * this.#random.next()
        break
      case 'lost-request':
      case 'lost-answer':
      case 'truncated-answer':
        this.#network = kind
        break
      default:
        kind satisfies never
    }
  }

  /** Everything works again. */
  relent(storage: MemoryStorage): void {
    storage.restorePower()
    this.#network = undefined
    this.#clockOffset = 0
  }

  async exchange(request: TransportRequest): Promise<TransportAnswer> {
    const fault = this.#network
    // One message is lost, not all of them: the next try finds the network.
    this.#network = undefined
    if (fault === 'lost-request') throw lost('transport.unreachable', 'The request was lost.')
    const answer = await this.#transport.exchange(request)
    if (fault === 'lost-answer') throw lost('transport.deadline', 'The answer was lost.')
    if (fault === 'truncated-answer') return { ...answer, body: answer.body.subarray(0, answer.body.length >> 1) }
    return answer
  }
}

function lost(code: string, message: string): TouchmarkError {
  return new TouchmarkError(code, 'unavailable', message)
}
