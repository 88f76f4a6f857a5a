// Server-sent events: that something changed, and the numbers that a page shows of it, for as long as somebody listens. One look at the store a
// second serves every listener; what is told is small, and a page asks for the rest.
import { TouchmarkError } from '../../core/errors.ts'
import type { Clock, StoreReader } from '../../domain/ports.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { type Endpoint, endpoint } from './endpoint.ts'

export interface EventPorts {
  readonly read: StoreReader
  readonly clock: Clock
  /** Resolves after a second, or when the signal says so. */
  wait(signal: AbortSignal): Promise<void>
}

/** Listeners of one process. */
const MAX_LISTENERS = 200
/** Seconds after which a listener is sent away to come again: its session may have ended meanwhile. */
const LONGEST_SECONDS = 900
/** A comment this often, so that nobody in between takes the silence for the end. */
const BEAT_SECONDS = 15

interface News {
  readonly marker: number
  readonly text: string
}

/** The newest state of the store, looked at once a second while anybody listens. */
export class NewsDesk {
  readonly #ports: EventPorts
  #news: { readonly at: number; readonly value: Promise<News> } | undefined
  listeners = 0

  constructor(ports: EventPorts) {
    this.#ports = ports
  }

  async latest(): Promise<News> {
    const now = this.#ports.clock.now()
    if (this.#news?.at !== now) this.#news = { at: now, value: this.#look() }
    return this.#news.value
  }

  async #look(): Promise<News> {
    const { read, clock } = this.#ports
    const [marker, counts, byState, jobs, campaigns] = await Promise.all([
      read.changeMarker(),
      read.counts(),
      read.deviceCounts(),
      read.jobsAtWork(),
      read.campaignsAtWork(),
    ])
    const said = {
      at: timestamp(clock.now()),
      marker,
      devices: counts.devices,
      devicesByState: byState,
      certificates: counts.certificates,
      auditEntries: counts.auditEntries,
      jobs: jobs.map(({ id, act, done, changed, failed, total }) => ({ id, act, done, changed, failed, total })),
      campaigns: campaigns.map(({ name, state, wave, waves, devices }) => ({ name, state, wave, waves, devices })),
    }
    return { marker, text: JSON.stringify(said) }
  }
}

export function eventEndpoints(ports: EventPorts): Endpoint[] {
  const desk = new NewsDesk(ports)
  return [
    endpoint({
      method: 'GET',
      path: '/events',
      id: 'listen',
      tag: 'Statistics',
      summary: 'Server-sent events: `change` with counts, jobs and campaigns whenever the store changed',
      description:
        'The first event comes at once. A stream ends after fifteen minutes, and an EventSource comes again by itself; `Last-Event-ID` spares it what ' +
        'it has seen.',
      permission: 'statistics.read',
      produces: 'text/event-stream',
      async handle({ request }) {
        if (desk.listeners >= MAX_LISTENERS) {
          throw new TouchmarkError('api.too_many_listeners', 'too_many', 'Too many listen already.', {
            evidence: { retryAfterSeconds: 30 },
          })
        }
        const seen = Number(request.headers['last-event-id'] ?? -1)
        return {
          octets: stream(desk, ports, request.signal, seen),
          contentType: 'text/event-stream',
          headers: { 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
        }
      },
    }),
  ]
}

async function* stream(
  desk: NewsDesk,
  { clock, wait }: EventPorts,
  signal: AbortSignal,
  seen: number,
): AsyncGenerator<string, void, undefined> {
  desk.listeners++
  try {
    const end = clock.now() + LONGEST_SECONDS
    let marker = seen
    let told = clock.now()
    yield 'retry: 2000\n\n'
    while (!signal.aborted && clock.now() < end) {
      const news = await desk.latest()
      const now = clock.now()
      if (news.marker !== marker) {
        marker = news.marker
        told = now
        yield `id: ${marker}\nevent: change\ndata: ${news.text}\n\n`
      } else if (now - told >= BEAT_SECONDS) {
        told = now
        yield ': still here\n\n'
      }
      await wait(signal)
    }
  } finally {
    desk.listeners--
  }
}
