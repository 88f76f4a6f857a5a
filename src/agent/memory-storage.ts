// The files of an agent in memory: for fleets of simulated devices in one process, and for cutting the power. A cut comes before or after
// the n-th change; from then on nothing works until the power is back.
import { type Bytes, copyBytes } from '../core/bytes/bytes.ts'
import type { AgentStorage } from './storage.ts'

/** What an agent sees of a power cut. A device would see nothing. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut'
}

export class MemoryStorage implements AgentStorage {
  readonly #files = new Map<string, Bytes>()
  readonly #links = new Map<string, string>()
  #changes = 0
  #cut: { readonly at: number; readonly when: 'before' | 'after' } | undefined
  #dark = false
  #queue: Promise<unknown> = Promise.resolve()

  /** Changes made so far: writes, destructions, links. */
  get changes(): number {
    return this.#changes
  }

  /** Cuts the power at the `nth` change from now on (1 is the next). */
  cutPower(nth: number, when: 'before' | 'after'): void {
    this.#cut = { at: this.#changes + nth, when }
  }

  /** Power is back; what was durable is there. */
  restorePower(): void {
    this.#cut = undefined
    this.#dark = false
  }

  /** A second device with the same files: what somebody gets who copies the flash. */
  clone(): MemoryStorage {
    const copy = new MemoryStorage()
    for (const [name, content] of this.#files) copy.#files.set(name, copyBytes(content))
    for (const [name, target] of this.#links) copy.#links.set(name, target)
    return copy
  }

  pathOf(name: string): string {
    return name
  }

  async read(name: string): Promise<Bytes | undefined> {
    this.#needPower()
    const content = this.#files.get(name)
    return content && copyBytes(content)
  }

  async write(name: string, content: Uint8Array): Promise<void> {
    const snapshot = copyBytes(content)
    this.#change(() => this.#files.set(name, snapshot))
  }

  async destroy(name: string): Promise<void> {
    if (!this.#files.has(name)) return
    this.#change(() => this.#files.delete(name))
  }

  async list(): Promise<string[]> {
    this.#needPower()
    return [...this.#files.keys()]
  }

  async readLink(name: string): Promise<string | undefined> {
    this.#needPower()
    return this.#links.get(name)
  }

  async link(name: string, target: string | undefined): Promise<void> {
    this.#change(() => (target === undefined ? this.#links.delete(name) : this.#links.set(name, target)))
  }

  /** One after the other, in the order of asking. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work, work)
    this.#queue = turn.catch(() => undefined)
    return turn
  }

  #change(apply: () => void): void {
    this.#needPower()
    const cut = this.#cut?.at === ++this.#changes ? this.#cut.when : undefined
    if (cut !== 'before') apply()
    if (cut === undefined) return
    this.#dark = true
    throw new PowerCut(`The power went ${cut} change ${this.#changes}.`)
  }

  #needPower(): void {
    if (this.#dark) throw new PowerCut('There is no power.')
  }
}

/** Files in memory that live as long as the object. */
export function memoryStorage(): MemoryStorage {
  return new MemoryStorage()
}
