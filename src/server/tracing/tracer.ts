// Traces made of what the process tells its observers anyway: a request or a run of a job is a trace, and signatures, changes and enrolments that are
// told while it goes on are its spans. Attributes are identifiers that log lines carry too: no address, no target, no serial number, no secret.
import { AsyncLocalStorage } from 'node:async_hooks'
import { asTouchmarkError } from '../../core/errors.ts'
import { drawnAhead, type Random } from '../../crypto/random.ts'
import type { ChangeSet, PublicationHead, Write } from '../../domain/ports.ts'
import { authorityOfCrl } from '../../domain/revocation/crl-series.ts'
import type { ChangeEvent, EnrolmentEvent, Observer, SigningEvent } from '../observation.ts'
import type { RequestSpan, RequestTracing } from './request-tracing.ts'
import type { Span, SpanAttributes } from './span.ts'
import { Trace } from './trace.ts'
import { parseTraceparent, type TraceParent } from './trace-context.ts'

export interface TracerOptions {
  /** 0 to 1: the share of traces that are kept, drawn by lot. */
  readonly sampleRatio: number
  /** Whether a caller decides about the traces that it began. Without it only its ids are taken over. */
  readonly followParent: boolean
  readonly random: Random
  /** Where spans go. It must not throw, and not wait. */
  take(span: Span): void
  /** Spans that were not even made. */
  dropped(spans: number): void
}

interface Place {
  readonly trace: Trace
  /** A run does one thing after another, and each ends with a change. */
  readonly inSteps: boolean
}

/** Octets of randomness for ids that are drawn at once. */
const IDS_AHEAD = 4096
const SERVER_ERROR = 500

export class Tracer implements Observer, RequestTracing {
  readonly #options: TracerOptions
  readonly #random: Random
  readonly #current = new AsyncLocalStorage<Place | undefined>()

  constructor(options: TracerOptions) {
    this.#options = options
    this.#random = drawnAhead(options.random, IDS_AHEAD)
  }

  request(traceparent: string | undefined, begun: number): RequestSpan | undefined {
    const parent = parseTraceparent(traceparent)
    if (!this.#isSampled(parent)) return undefined
    const trace = this.#begin(parent, begun)
    return {
      within: work => this.#current.run({ trace, inSteps: false }, work),
      end: ({ listener, route, method, status, requestId, code }) => {
        const attributes: SpanAttributes = {
          'url.scheme': listener,
          'http.response.status_code': status,
          ...(route === null ? {} : { 'http.request.method': method, 'http.route': route }),
          ...(requestId === null ? {} : { 'touchmark.request.id': requestId }),
          ...(code === null ? {} : { 'error.type': code }),
        }
        const failure = status >= SERVER_ERROR ? (code ?? String(status)) : null
        // What was asked for on a path that does not exist is the stranger's own word, its method too.
        const name = route === null ? 'HTTP' : `${method} ${route}`
        trace.end({ name, kind: 'server', attributes, failure }, { ifAnything: false })
      },
    }
  }

  /** Runs a job of the loop, or one that the store keeps (`id`), as a trace of its own. A run in which nothing happened leaves none. */
  async job<T>(name: string, work: () => Promise<T>, id?: string): Promise<T> {
    const attributes: SpanAttributes = {
      'touchmark.job': name,
      ...(id === undefined ? {} : { 'touchmark.job.id': id }),
    }
    if (!this.#isSampled(undefined)) return this.#current.run(undefined, work)
    const trace = this.#begin(undefined)
    try {
      const result = await this.#current.run({ trace, inSteps: true }, work)
      trace.end({ name: `job ${name}`, kind: 'internal', attributes, failure: null }, { ifAnything: true })
      return result
    } catch (thrown) {
      const failure = asTouchmarkError(thrown).code
      trace.end({ name: `job ${name}`, kind: 'internal', attributes, failure }, { ifAnything: false })
      throw thrown
    }
  }

  enrolled({ protocol, operation, profile, end, code, seconds }: EnrolmentEvent): void {
    const attributes = {
      'touchmark.protocol': protocol,
      'touchmark.operation': operation,
      'touchmark.outcome': end,
      // A stranger may ask for any profile: only one that was granted or waits is named.
      ...(end === 'issued' || end === 'pending' ? { 'touchmark.profile': profile } : {}),
      ...(code === null ? {} : { 'error.type': code }),
    }
    const failure = end === 'failed' ? code : null
    const begun = performance.now() - seconds * 1000
    this.#current.getStore()?.trace.gather({ name: 'enrol', attributes, failure }, begun, 'decide')
  }

  signed({ keyAlgorithm, signatures, seconds, failure }: SigningEvent): void {
    const attributes = { 'touchmark.key.algorithm': keyAlgorithm, 'touchmark.signatures': signatures }
    this.#current.getStore()?.trace.add({ name: 'sign', attributes, failure }, seconds)
  }

  changed({ changes, seconds, failure }: ChangeEvent): void {
    const place = this.#current.getStore()
    if (place === undefined) return
    const { trace, inSteps } = place
    const entries = changes.reduce((sum, { audit }) => sum + audit.length, 0)
    const list = listOf(changes)
    const attributes: SpanAttributes = {
      'touchmark.changes': changes.length,
      'touchmark.log.entries': entries,
      ...(list && { 'touchmark.publication': list.name, 'touchmark.publication.number': list.number }),
    }
    trace.add({ name: 'commit', attributes, failure }, seconds)
    if (!inSteps || (list === undefined && isWithinStep(changes))) return
    // What is put in place was built since the change before: read, encoded, signed, written.
    if (list?.isCrl) trace.gather({ name: 'CRL build', attributes, failure }, trace.stepBegun)
    trace.endStep()
  }

  #begin(parent: TraceParent | undefined, begun?: number): Trace {
    const { take, dropped } = this.#options
    return new Trace({ random: this.#random, take, dropped }, parent, begun)
  }

  #isSampled(parent: TraceParent | undefined): boolean {
    const { followParent, sampleRatio } = this.#options
    if (parent !== undefined && followParent) return parent.sampled
    if (sampleRatio >= 1) return true
    if (sampleRatio <= 0) return false
    const drawn = this.#random.bytes(4)
    return new DataView(drawn.buffer, drawn.byteOffset, 4).getUint32(0) / 2 ** 32 < sampleRatio
  }
}

/** The CRL or the status artefact that the changes put in place: its name says an authority and a shard, no device. */
function listOf(changes: readonly ChangeSet[]) {
  for (const { name, number } of changes.flatMap(({ writes }) => writes.flatMap(putInPlace))) {
    const isCrl = authorityOfCrl(name) !== undefined
    if (isCrl || name.startsWith('status/')) return { name, number, isCrl }
  }
  return undefined
}

/** The number of a list and the pieces of a large one are written before it. */
function isWithinStep(changes: readonly ChangeSet[]): boolean {
  return changes.some(({ writes }) =>
    writes.some(
      write =>
        write.kind === 'publication.piece' ||
        putInPlace(write).some(({ name }) => name.startsWith('crl/') && authorityOfCrl(name) === undefined),
    ),
  )
}

function putInPlace(write: Write): Pick<PublicationHead, 'name' | 'number'>[] {
  if (write.kind === 'publication.put') return [write.publication]
  return write.kind === 'publication.place' ? [write.head] : []
}
