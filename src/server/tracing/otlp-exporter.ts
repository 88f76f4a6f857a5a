// Spans on their way to a collector: OTLP over HTTP with JSON, in batches, from a bounded queue that nobody waits for. What cannot be delivered
// is tried again where the specification says so, then dropped and counted. It is no part of any request, and is never traced itself.
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { TouchmarkError } from '../../core/errors.ts'
import type { Logger } from '../logger.ts'
import { otlpJson } from './otlp-json.ts'
import type { Span, SpanAttributes } from './span.ts'

/** `queue_full`: made faster than they leave; `refused`: the collector took none of it; `not_delivered`: it was not there; `trace_full`: one trace of too many. */
export type SpanOutcome = 'delivered' | 'queue_full' | 'not_delivered' | 'refused' | 'trace_full'

export interface ExporterOptions {
  readonly url: string
  /** Asked before each try: a secret is changed by changing its file. */
  headers(): Promise<Readonly<Record<string, string>>>
  readonly resource: SpanAttributes
  readonly scope: { readonly name: string; readonly version: string }
  readonly logger: Logger
  counted(outcome: SpanOutcome, spans: number): void
  readonly limits?: Partial<ExporterLimits>
}

export interface ExporterLimits {
  readonly queue: number
  readonly batch: number
  /** Between two batches where no batch is full. */
  readonly everyMs: number
  /** From the first octet of a batch to the end of the answer. */
  readonly sendMs: number
  /** Tries for one batch, 1, 2, 4 … seconds apart or as the collector asks. */
  readonly tries: number
  readonly firstPauseMs: number
  /** For everything that is left when the process stops. */
  readonly flushMs: number
}

const EXPORTER_LIMITS: ExporterLimits = {
  queue: 4096,
  batch: 512,
  everyMs: 5000,
  sendMs: 10_000,
  tries: 5,
  firstPauseMs: 1000,
  flushMs: 3000,
}

const MAX_PAUSE_MS = 60_000
/** The answer of a collector says nothing, or how many spans it refused. */
const MAX_ANSWER = 16_384
/** OTLP 1.x, "Failures": these may pass. */
const MAY_PASS = [429, 502, 503, 504]

type Sent =
  | { readonly kind: 'taken'; readonly refused: number }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'later'; readonly reason: string; readonly afterMs: number | undefined }

export class OtlpExporter implements AsyncDisposable {
  readonly #options: ExporterOptions
  readonly #limits: ExporterLimits
  readonly #queue: Span[] = []
  /** Timers and posts belong to no request, whichever makes the span that starts them. */
  readonly #outside = AsyncLocalStorage.snapshot()
  readonly #stop = new AbortController()
  readonly #cut = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined
  #isFailing = false

  constructor(options: ExporterOptions) {
    this.#options = options
    this.#limits = { ...EXPORTER_LIMITS, ...options.limits }
  }

  /** Never waits and never throws: what finds no room is dropped. */
  take(span: Span): void {
    const { queue, batch } = this.#limits
    if (this.#stop.signal.aborted) this.#options.counted('not_delivered', 1)
    else if (this.#queue.length >= queue) this.#options.counted('queue_full', 1)
    else {
      this.#queue.push(span)
      if (this.#sending === undefined) this.#arm(this.#queue.length >= batch)
    }
  }

  /** Sends what is left, each batch once, for as long as `flushMs`; drops and counts the rest. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    clearTimeout(this.#timer)
    const cut = setTimeout(() => this.#cut.abort(), this.#limits.flushMs)
    await this.#sending
    while (this.#queue.length > 0 && !this.#cut.signal.aborted) await this.#sendBatch()
    clearTimeout(cut)
    if (this.#queue.length > 0) this.#options.counted('not_delivered', this.#queue.splice(0).length)
  }

  #arm(isFull: boolean): void {
    if (this.#timer !== undefined && !isFull) return
    clearTimeout(this.#timer)
    const send = () => {
      this.#timer = undefined
      this.#sending = this.#sendBatch().finally(() => {
        this.#sending = undefined
        if (this.#queue.length > 0 && !this.#stop.signal.aborted) this.#arm(this.#queue.length >= this.#limits.batch)
      })
    }
    this.#timer = this.#outside(() => setTimeout(send, isFull ? 0 : this.#limits.everyMs).unref())
  }

  /** Never rejects. */
  async #sendBatch(): Promise<void> {
    const { counted } = this.#options
    const spans = this.#queue.splice(0, this.#limits.batch)
    const sent = await this.#deliver(spans)
    if (sent.kind === 'taken') {
      const refused = Math.min(sent.refused, spans.length)
      counted('delivered', spans.length - refused)
      if (refused > 0) counted('refused', refused)
    } else counted(sent.kind === 'refused' ? 'refused' : 'not_delivered', spans.length)
    this.#report(sent)
  }

  async #deliver(spans: readonly Span[]): Promise<Sent> {
    const { resource, scope } = this.#options
    const body = JSON.stringify(otlpJson(spans, resource, scope))
    for (let attempt = 1; ; attempt++) {
      const sent = await this.#post(body)
      if (sent.kind !== 'later' || attempt >= this.#limits.tries || this.#stop.signal.aborted) return sent
      const pause = sent.afterMs ?? this.#limits.firstPauseMs * 2 ** (attempt - 1)
      const { signal } = this.#stop
      await sleep(Math.min(pause, MAX_PAUSE_MS), undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  async #post(body: string): Promise<Sent> {
    try {
      const response = await fetch(this.#options.url, {
        method: 'POST',
        headers: { 'user-agent': 'touchmark', ...(await this.#options.headers()), 'content-type': 'application/json' },
        body,
        redirect: 'manual',
        signal: AbortSignal.any([this.#cut.signal, AbortSignal.timeout(this.#limits.sendMs)]),
      })
      const answer = await beginOf(response)
      if (response.ok) return { kind: 'taken', refused: refusedIn(answer) }
      const reason = `status ${response.status}`
      if (!MAY_PASS.includes(response.status)) return { kind: 'refused', reason }
      return { kind: 'later', reason, afterMs: retryAfter(response.headers.get('retry-after')) }
    } catch (thrown) {
      return { kind: 'later', reason: reasonOf(thrown), afterMs: undefined }
    }
  }

  /** One line when it begins to fail and one when it works again: a collector that is away for a day is no news every five seconds. */
  #report(sent: Sent): void {
    const isFailing = sent.kind !== 'taken'
    if (isFailing === this.#isFailing) return
    this.#isFailing = isFailing
    if (sent.kind === 'taken') this.#options.logger.info('tracing.delivered_again')
    else this.#options.logger.warning('tracing.not_delivered', { outcome: sent.kind, reason: sent.reason })
  }
}

async function beginOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    if (text.length > MAX_ANSWER) break
  }
  return text
}

/** How many spans an answer of success did not take (`partialSuccess`). */
function refusedIn(answer: string): number {
  try {
    const { partialSuccess } = JSON.parse(answer) as { partialSuccess?: { rejectedSpans?: string | number } }
    const refused = Number(partialSuccess?.rejectedSpans ?? 0)
    return Number.isSafeInteger(refused) && refused > 0 ? refused : 0
  } catch {
    return 0
  }
}

/** Seconds of `Retry-After`; a date is answered with our own pause. */
function retryAfter(header: string | null): number | undefined {
  return header !== null && /^\d{1,5}$/.test(header) ? Number(header) * 1000 : undefined
}

/** `ECONNREFUSED`, `TimeoutError`, a code of ours: without the address and the headers that messages carry. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof TouchmarkError) return thrown.code
  const { name, cause } = thrown as { name?: string; cause?: { code?: string } }
  return cause?.code ?? name ?? 'unknown'
}
