// Server-sent events: that something changed, and the numbers that a page shows of it, for as long as somebody listens. One look at the store a
// second serves every listener; what is told is small, and a page asks for the rest.
import { TouchmarkError } from '../../core/errors.ts'
import { may, type Principal } from '../../domain/access/principal.ts'
import type { Clock, StoreReader } from '../../domain/ports.ts'
import { timestamp } from '../../domain/timestamp.ts'
import type { HttpRequest } from '../http.ts'
import { type Endpoint, EVENTS_PATH, endpoint } from './endpoint.ts'

export interface EventPorts {
  readonly read: StoreReader
  readonly clock: Clock
  /** As the gate asks: who listens is asked for again while they listen. */
  authenticate(request: HttpRequest): Promise<Principal | undefined>
  /** Resolves after a second, or when the signal says so. */
  wait(signal: AbortSignal): Promise<void>
}

/** Listeners of one process. */
const MAX_LISTENERS = 200
/** Of one operator with all of their tokens: the tabs of a few windows. */
const MAX_OWN_LISTENERS = 20
/** Seconds after which a listener is sent away to come again. */
const LONGEST_SECONDS = 900
/** How often somebody who listens is asked again who they are: sessions end. */
const CHECK_SECONDS = 15
/** A comment this often, so that nobody in between takes the silence for the end. */
const BEAT_SECONDS = 15

const PERMISSION = 'statistics.read'

interface News {
  readonly marker: number
  readonly text: string
}

/** The newest state of the store, looked at once a second while anybody listens. */
export class NewsDesk {
  readonly #ports: EventPorts
  #news: { readonly at: number; readonly value: Promise<News> } | undefined
  readonly #listeners = new Map<string, number>()
  #all = 0

  constructor(ports: EventPorts) {
    this.#ports = ports
  }

  /** Throws `api.too_many_listeners`. */
  assertRoom(operatorId: string): void {
    if (this.#all < MAX_LISTENERS && (this.#listeners.get(operatorId) ?? 0) < MAX_OWN_LISTENERS) return
    throw new TouchmarkError('api.too_many_listeners', 'too_many', 'Too many listen already.', {
      evidence: { retryAfterSeconds: 30 },
    })
  }

  enter(operatorId: string): Disposable {
    this.#all++
    this.#listeners.set(operatorId, (this.#listeners.get(operatorId) ?? 0) + 1)
    return {
      [Symbol.dispose]: () => {
        this.#all--
        const left = this.#listeners.get(operatorId)! - 1
        if (left === 0) this.#listeners.delete(operatorId)
        else this.#listeners.set(operatorId, left)
      },
    }
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
      path: EVENTS_PATH,
      id: 'listen',
      tag: 'Statistics',
      summary: 'Server-sent events: `change` with counts, jobs and campaigns whenever the store changed',
      description:
        'The first event comes at once. A stream ends after fifteen minutes, and an EventSource comes again by itself; `Last-Event-ID` spares it what ' +
        'it has seen.',
      permission: PERMISSION,
      produces: 'text/event-stream',
      async handle({ request, caller }) {
        const { operatorId } = caller!
        desk.assertRoom(operatorId)
        const seen = Number(request.headers['last-event-id'] ?? -1)
        return {
          octets: stream(desk, ports, request, operatorId, seen),
          contentType: 'text/event-stream',
          headers: { 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
        }
      },
    }),
  ]
}

async function* stream(
  desk: NewsDesk,
  ports: EventPorts,
  request: HttpRequest,
  operatorId: string,
  seen: number,
): AsyncGenerator<string, void, undefined> {
  const { clock, wait } = ports
  const { signal } = request
  using _place = desk.enter(operatorId)
  const begun = clock.now()
  let marker = seen
  let told = begun
  let checked = begun
  yield 'retry: 2000\n\n'
  while (!signal.aborted && clock.now() < begun + LONGEST_SECONDS) {
    const news = await desk.latest()
    const now = clock.now()
    if (now - checked >= CHECK_SECONDS) {
      checked = now
      if (!(await mayStillListen(request, ports))) return
    }
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
}

async function mayStillListen(request: HttpRequest, { authenticate }: EventPorts): Promise<boolean> {
  try {
    const caller = await authenticate(request)
    return caller !== undefined && may(caller, PERMISSION)
  } catch (thrown) {
    // A token that was revoked, a certificate that ended.
    if (thrown instanceof TouchmarkError && thrown.code.startsWith('access.')) return false
    throw thrown
  }
}
