// One trace of this process while it grows: a request, or a run of a job. What happens within is told when it is over, so a span that turns out
// to have been around others takes them as its own. Spans wait in the trace for that, a few at most.
import { toHex } from '../../core/bytes/hex.ts'
import type { Random } from '../../crypto/random.ts'
import type { Span, SpanAttributes } from './span.ts'
import type { TraceParent } from './trace-context.ts'

/** Spans that wait for one around them. */
const MAX_HELD = 64
/** Spans of one trace: a run over a whole fleet must not push everything else out. */
const MAX_SPANS = 10_000

export interface TracePorts {
  readonly random: Random
  take(span: Span): void
  /** Spans that were not even made. */
  dropped(spans: number): void
}

type Draft = { -readonly [K in keyof Span]: Span[K] }
export interface Happening {
  readonly name: string
  readonly attributes: SpanAttributes
  readonly failure: string | null
}

export class Trace {
  readonly #ports: TracePorts
  readonly #traceId: string
  readonly #rootId: string
  readonly #parent: TraceParent | undefined
  /** From `performance.now` to Unix milliseconds: one difference for all spans, whatever happens to the clock of the machine. */
  readonly #epoch = Date.now() - performance.now()
  /** Sent once it is over; that of a job only together with something that happened within. */
  #root: Span | undefined
  #isRootSent = false
  #isOver = false
  #made = 0
  #held: Draft[] = []
  readonly #begun: number
  #stepBegun: number

  /** `begun` in milliseconds of `performance.now`. */
  constructor(ports: TracePorts, parent: TraceParent | undefined, begun = performance.now()) {
    this.#ports = ports
    this.#parent = parent
    this.#traceId = parent?.traceId ?? toHex(ports.random.bytes(16))
    this.#rootId = this.#newId()
    this.#begun = begun
    this.#stepBegun = begun
  }

  /** When the trace began, or the last step ended: milliseconds of `performance.now`. */
  get stepBegun(): number {
    return this.#stepBegun
  }

  /** Something that took so long, and ended now. */
  add(happening: Happening, seconds: number): void {
    const now = performance.now()
    const draft = this.#draft(happening, now - seconds * 1000, now)
    if (draft === undefined) return
    this.#held.push(draft)
    if (this.#isOver || this.#held.length > MAX_HELD) this.#send()
  }

  /**
   * Something that began then (`performance.now`), and ended now, around what waits here and began no earlier. Where `before` is given, it is the name of
   * a span for the time until the first of these.
   */
  gather(happening: Happening, begun: number, before?: string): void {
    const now = performance.now()
    const around = this.#draft(happening, begun, now)
    if (around === undefined) return
    const within = this.#held.filter(draft => draft.begin >= around.begin)
    const parent = { spanId: around.spanId, remote: false }
    for (const draft of within) draft.parent = parent
    this.#held.push(around)
    if (before !== undefined) {
      const until = within.reduce((first, { begin }) => Math.min(first, begin), around.end)
      const first = this.#draft({ name: before, attributes: {}, failure: null }, begun, until - this.#epoch)
      if (first !== undefined) this.#held.push({ ...first, parent })
    }
    if (this.#isOver) this.#send()
  }

  /** Nothing that comes will be around what waits here: for work that does one thing after another. */
  endStep(): void {
    this.#send()
    this.#stepBegun = performance.now()
  }

  /** The trace itself is over; what still happens within joins it. `ifAnything`: only sent with something that happened within. */
  end(root: Happening & Pick<Span, 'kind'>, { ifAnything }: { ifAnything: boolean }): void {
    if (this.#isOver) return
    this.#isOver = true
    const parent = this.#parent ? { spanId: this.#parent.spanId, remote: true } : null
    this.#root = {
      ...root,
      traceId: this.#traceId,
      spanId: this.#rootId,
      parent,
      begin: this.#begun + this.#epoch,
      end: performance.now() + this.#epoch,
    }
    if (this.#made > 0 || !ifAnything) this.#send()
  }

  #send(): void {
    if (this.#root !== undefined && !this.#isRootSent) {
      this.#isRootSent = true
      this.#ports.take(this.#root)
    }
    for (const span of this.#held.splice(0)) this.#ports.take(span)
  }

  /** `begin` and `end` in milliseconds of `performance.now`. */
  #draft({ name, attributes, failure }: Happening, begin: number, end: number): Draft | undefined {
    if (++this.#made > MAX_SPANS) {
      this.#ports.dropped(1)
      return undefined
    }
    return {
      traceId: this.#traceId,
      spanId: this.#newId(),
      parent: { spanId: this.#rootId, remote: false },
      name,
      kind: 'internal',
      begin: begin + this.#epoch,
      end: end + this.#epoch,
      attributes,
      failure,
    }
  }

  #newId(): string {
    return toHex(this.#ports.random.bytes(8))
  }
}
