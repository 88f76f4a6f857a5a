// A mass revocation, or the release of many, as a job: a page of certificates in each change set, which holds the progress of the job too. So
// nothing is done twice and nothing is counted that was not done, wherever the process dies; and memory holds one page.
import { z } from 'zod'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { CertificateStatus } from '../ca/certificate-record.ts'
import { ChangeBuilder } from '../change-builder.ts'
import type { DeviceId, KeyId, UnixSeconds } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'
import {
  type CertificatePage,
  type CertificateQuery,
  meetsConditions,
  type SelectedCertificate,
  selectCertificatePage,
} from '../revocation/certificate-query.ts'
import { addRelease, addRevocation, liveOver } from '../revocation/revoke.ts'
import { mayBecome, REVOCATION_REASONS, type RevocationTerms, statusOfTerms } from '../revocation/terms.ts'
import { hasMoved, MAX_ROUNDS } from '../rounds.ts'
import { type JobFailure, LEASE_SECONDS, MAX_FAILURES, movedJob, type StoredJob } from './job.ts'
import { endOf } from './start-job.ts'

export interface RevocationJobPorts {
  readonly store: Store
  readonly clock: Clock
}

/** Certificates of one change set: enough to share one fsync, few enough that others wait for milliseconds. */
export const STEP = 1_000
/** Of devices that are ended as a whole, looks for what they were issued meanwhile; what keeps coming then is somebody else's doing. */
const MAX_PASSES = 5

const query = z.record(z.string(), z.unknown()).transform(fields => fields as unknown as CertificateQuery)

export const revocationParameters = z.strictObject({
  /** A `CertificateQuery`, its times fixed when the job was asked for. */
  query,
  /** The devices are ended as a whole: their keys too, and what they are issued meanwhile. */
  whole: z.boolean(),
  terms: z.strictObject({
    reason: z.enum(REVOCATION_REASONS),
    suspectSince: z.int().optional(),
    undoUntil: z.int().optional(),
    because: z.string().optional(),
  }),
})
export const releaseParameters = z.strictObject({
  query,
  because: z.string().optional(),
  /** What was on hold before then stays so. */
  heldBefore: z.int().optional(),
})

export type RevocationParameters = z.input<typeof revocationParameters>
export type ReleaseParameters = z.input<typeof releaseParameters>

/** Where the job goes on: which pass, how many had changed when it began, and the page. */
interface Place {
  readonly pass: number
  readonly changedBefore: number
  readonly after: string | null
}

const FIRST: Place = { pass: 1, changedBefore: 0, after: null }

/** Puts the change of these into the change set; answers how many of them change. */
type AddAct = (
  change: ChangeBuilder,
  records: readonly SelectedCertificate[],
  keys: readonly KeyId[],
  now: UnixSeconds,
) => Promise<number>

/**
 * Takes the job on until it ends, the signal says stop, or another process works on it. Answers it as it stands then. Throws what stops the
 * whole: the store; it goes on from there when it is called again.
 */
export async function runRevocationJob(
  taken: StoredJob,
  ports: RevocationJobPorts,
  signal: AbortSignal,
): Promise<StoredJob> {
  try {
    return await new RevocationRun(taken, ports, signal).run()
  } catch (thrown) {
    // It was called off, or another process took it.
    if (!(thrown instanceof TouchmarkError && thrown.code === 'job.changed')) throw thrown
    return (await ports.store.read.job(taken.id)) ?? taken
  }
}

class RevocationRun {
  readonly #ports: RevocationJobPorts
  readonly #signal: AbortSignal
  readonly #actor: AuditEntry['actor']
  readonly #query: CertificateQuery
  readonly #whole: boolean
  readonly #keysToo: boolean
  readonly #status: (now: UnixSeconds) => CertificateStatus
  readonly #add: AddAct
  #job: StoredJob

  constructor(taken: StoredJob, ports: RevocationJobPorts, signal: AbortSignal) {
    this.#job = taken
    this.#ports = ports
    this.#signal = signal
    const actor = { kind: 'operator', id: taken.requestedBy } as const
    this.#actor = actor
    const { read } = ports.store
    const parameters: unknown = JSON.parse(taken.parameters)
    if (taken.act === 'certificates.release') {
      const { query: meant, because, heldBefore } = releaseParameters.parse(parameters)
      const by = {
        ...(because === undefined ? {} : { because }),
        ...(heldBefore === undefined ? {} : { heldBefore }),
      }
      this.#query = meant
      this.#whole = false
      this.#keysToo = false
      this.#status = () => ({ kind: 'good' })
      this.#add = async (change, records, _keys, now) => {
        for (const record of records) await addRelease(change, record, { actor, now, ...by }, read)
        return records.length
      }
    } else {
      const { query: meant, whole, terms } = revocationParameters.parse(parameters)
      const { because, ...status } = defined(terms)
      const by = because === undefined ? {} : { because }
      this.#status = now => statusOfTerms(status, now)
      this.#query = meant
      this.#whole = whole
      this.#keysToo = terms.reason === 'keyCompromise'
      this.#add = async (change, records, keys, now) =>
        (await addRevocation(change, records, statusOfTerms(status, now), keys, { actor, now, ...by }, read)).length
    }
  }

  async run(): Promise<StoredJob> {
    let place: Place = this.#job.place === null ? FIRST : (JSON.parse(this.#job.place) as Place)
    let page = await this.#pageAt(place)
    for (;;) {
      if (this.#signal.aborted) return this.#job
      const next = this.#placeAfter(place, page.next, page.items)
      const devices = this.#whole ? (page.devices ?? []) : []
      // The next page is read while this one is made durable. What moves in between is found when it is written.
      const ahead = next === undefined || page.next === null ? undefined : this.#pageAt(next)
      ahead?.catch(() => undefined)
      await this.#takePage(page.items, devices, next)
      if (next === undefined) return this.#job
      place = next
      page = await (ahead ?? this.#pageAt(place))
    }
  }

  #pageAt({ after }: Place): Promise<CertificatePage> {
    return selectCertificatePage(this.#query, { limit: STEP, after: after ?? undefined }, this.#ports.store.read)
  }

  /** `undefined` where that page was the last of all. */
  #placeAfter(place: Place, after: string | null, found: readonly SelectedCertificate[]): Place | undefined {
    if (after !== null) return { ...place, after }
    const to = this.#status(this.#ports.clock.now())
    const changed = this.#job.changed + found.filter(({ status }) => mayBecome(status, to)).length
    const again = this.#whole && place.pass < MAX_PASSES && changed > place.changedBefore
    return again ? { pass: place.pass + 1, changedBefore: changed, after: null } : undefined
  }

  /** Everything of the page with the next place, where nobody is in the way; else in parts, and the place when they are done. */
  async #takePage(
    records: readonly SelectedCertificate[],
    devices: readonly DeviceId[],
    next: Place | undefined,
  ): Promise<void> {
    const whole = this.#keysToo && devices.length > 0 ? await this.#keysOf(devices) : []
    if (records.length <= STEP && (await this.#try(records, whole, { next }))) return
    for (let from = 0; from < records.length; from += STEP) await this.#takePart(records.slice(from, from + STEP))
    for (let from = 0; from < whole.length; from += STEP) await this.#takeKeys(whole.slice(from, from + STEP))
    await this.#commit(new ChangeBuilder(), {}, { next })
  }

  async #keysOf(devices: readonly DeviceId[]): Promise<KeyId[]> {
    const keys = await this.#ports.store.read.keysOfDevices(devices)
    return keys.filter(({ state }) => state !== 'compromised' && state !== 'destroyed').map(({ id }) => id)
  }

  /** What moved meanwhile is read again, in halves: of the last one it is known whom somebody else keeps changing. */
  async #takePart(records: readonly SelectedCertificate[], rounds = 0): Promise<void> {
    if (records.length === 0 || (await this.#try(records, []))) return
    const names = new Set(records.map(nameOf))
    const found = await this.#ports.store.read.certificatesOfDevices([
      ...new Set(records.map(({ deviceId }) => deviceId)),
    ])
    const left = found.filter(each => names.has(nameOf(each)) && meetsConditions(this.#query, each))
    if (records.length > 1) {
      const half = Math.ceil(left.length / 2)
      await this.#takePart(left.slice(0, half))
      await this.#takePart(left.slice(half))
    } else if (rounds < MAX_ROUNDS) await this.#takePart(left, rounds + 1)
    else await this.#fail(records[0]!, 'revocation.contended')
  }

  async #takeKeys(keys: readonly KeyId[]): Promise<void> {
    for (let round = 1; ; round++) {
      if (await this.#try([], keys)) return
      if (round === MAX_ROUNDS) return
    }
  }

  /** Whether it was done; `false` where the facts moved in between. */
  async #try(
    records: readonly SelectedCertificate[],
    keys: readonly KeyId[],
    end?: { readonly next: Place | undefined },
  ): Promise<boolean> {
    const now = this.#ports.clock.now()
    const change = new ChangeBuilder()
    const all = this.#keysToo ? await this.#withSameKey(records, now) : records
    try {
      const compromised = this.#keysToo ? [...new Set([...keys, ...all.map(({ keyId }) => keyId)])] : []
      const changed = await this.#add(change, all, compromised, now)
      await this.#commit(change, { done: all.length, changed }, end)
      return true
    } catch (thrown) {
      if (hasMoved(thrown)) return false
      const error = asTouchmarkError(thrown)
      // What one certificate does not allow is its own failure; what the store or another process says is not.
      if (error.code === 'job.changed' || error.kind === 'internal' || error.kind === 'unavailable') throw thrown
      if (records.length !== 1) return false
      await this.#fail(records[0]!, error.code)
      return true
    }
  }

  /** With what else is live over their keys: a key that is compromised speaks for nobody. */
  async #withSameKey(records: readonly SelectedCertificate[], now: UnixSeconds): Promise<SelectedCertificate[]> {
    const names = new Set(records.map(nameOf))
    const keys = new Set(records.map(({ keyId }) => keyId))
    const devices = [...new Set(records.map(({ deviceId }) => deviceId))]
    const over = await liveOver(keys, devices, now, this.#ports.store.read)
    return [...records, ...over.filter(each => !names.has(nameOf(each)))]
  }

  async #fail(record: SelectedCertificate, code: string): Promise<void> {
    const { failures } = this.#job
    const failure: JobFailure = { what: nameOf(record), code }
    const known = failures.length < MAX_FAILURES ? { failures: [...failures, failure] } : {}
    await this.#commit(new ChangeBuilder(), { done: 1, failed: 1, ...known })
  }

  /** Commits the change with the progress that it makes. `end`: the page is done, and where the job goes on, if it does. */
  async #commit(
    change: ChangeBuilder,
    made: {
      readonly done?: number
      readonly changed?: number
      readonly failed?: number
      readonly failures?: readonly JobFailure[]
    },
    end?: { readonly next: Place | undefined },
  ): Promise<void> {
    const { store, clock } = this.#ports
    const now = clock.now()
    const { done = 0, changed = 0, failed = 0, failures = this.#job.failures } = made
    const finished = end !== undefined && end.next === undefined
    const job = movedJob(this.#job, {
      done: this.#job.done + done,
      changed: this.#job.changed + changed,
      failed: this.#job.failed + failed,
      failures,
      ...(end?.next === undefined ? {} : { place: JSON.stringify(end.next) }),
      ...(finished ? { state: 'finished', finishedAt: now, place: null } : { leaseUntil: now + LEASE_SECONDS }),
    })
    const moved = finished
      ? endOf(job, this.#job.revision, this.#actor, now)
      : { writes: [{ kind: 'job.put', job, from: this.#job.revision } as const], audit: [] }
    change.write(...moved.writes)
    for (const entry of moved.audit) change.record(entry)
    await store.commit(change)
    this.#job = job
  }
}

/** Without what is not there: a field that is `undefined` is one too many for the types of the domain. */
function defined(terms: z.output<typeof revocationParameters>['terms']): RevocationTerms {
  return Object.fromEntries(
    Object.entries(terms).filter(([, value]) => value !== undefined),
  ) as unknown as RevocationTerms
}

const nameOf = ({ authorityId, serialNumber }: SelectedCertificate) => `${authorityId}/${serialNumber}`
