// Metrics of this process in the exposition format of Prometheus: one function for each thing that happens, which counts it and, where an
// operator would want to read of it, writes a log line. What is so rather than happens (gauges) is set from facts that are read at most every
// ten seconds (gauges.ts). Names and labels are a contract: docs/operate/metrics.md lists them, and a test holds dashboard and rules to them.
import { Counter, collectDefaultMetrics, Gauge, Histogram, prometheusContentType, Registry } from 'prom-client'
import type { ChangeSet } from '../domain/ports.ts'
import type { RefusalRecord } from '../domain/ra/refusal-log.ts'
import { authorityOfCrl } from '../domain/revocation/crl-series.ts'
import type { Logger } from './logger.ts'
import type { EnrolmentEvent, Observer, SigningEvent } from './observation.ts'
import type { SpanOutcome } from './tracing/otlp-exporter.ts'

const PREFIX = 'touchmark_'
/** Half a millisecond to ten seconds. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const GROUP_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096]
/** Values of a label that what comes from outside could shape: more are one. */
const MAX_VALUES = 300

export class Metrics implements Required<Omit<Observer, 'changed'>> {
  readonly #registry = new Registry()
  readonly #logger: Logger
  readonly #labels = new Map<string, Set<string>>()

  readonly #enrolments: Histogram<'protocol' | 'operation' | 'profile' | 'outcome'>
  readonly #refusals: Counter<'protocol' | 'operation' | 'code'>
  readonly #certificates: Counter<'profile' | 'authority'>
  readonly #renewals: Counter<'profile'>
  readonly #revocations: Counter<'reason'>
  readonly #releases: Counter
  readonly #clones: Counter
  readonly #devices: Counter
  readonly #crls: Counter<'authority'>
  readonly #logEntries: Counter
  readonly #commits: Histogram<'outcome'>
  readonly #groups: Histogram
  readonly #groupSeconds: Histogram
  readonly #signatures: Counter<'key_algorithm' | 'outcome'>
  readonly #signing: Histogram<'key_algorithm'>
  readonly #ocsp: Counter<'outcome' | 'origin'>
  readonly #ocspSeconds: Histogram
  readonly #requests: Histogram<'listener' | 'route' | 'method' | 'status'>
  readonly #jobs: Histogram<'job' | 'outcome'>
  readonly #jobLate: Gauge<'job'>
  readonly #jobDone: Gauge<'job'>
  readonly #notices: Counter<'channel' | 'outcome'>
  readonly #alertsFired: Counter<'rule' | 'severity'>
  readonly #spans: Counter<'outcome'>

  constructor(logger: Logger, version: string) {
    this.#logger = logger
    const registers = [this.#registry]
    const counter = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
      new Counter<L>({ name: PREFIX + name, help, labelNames, registers })
    const gauge = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
      new Gauge<L>({ name: PREFIX + name, help, labelNames, registers })
    const seconds = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
      new Histogram<L>({ name: PREFIX + name, help, labelNames, buckets: SECONDS, registers })

    gauge('build_info', 'The version that runs, as a label; always 1.', ['version', 'node']).set(
      { version, node: process.version },
      1,
    )
    this.#enrolments = seconds(
      'enrolment_duration_seconds',
      'Requests for a certificate, from their arrival at the registration to their answer.',
      ['protocol', 'operation', 'profile', 'outcome'],
    )
    this.#refusals = counter('refusals_total', 'Requests refused, by code: enrolments, sign-ins, wrong rights.', [
      'protocol',
      'operation',
      'code',
    ])
    this.#certificates = counter('certificates_issued_total', "Certificates issued, the platform's own among them.", [
      'profile',
      'authority',
    ])
    this.#renewals = counter('renewals_total', 'Certificates issued in place of another.', ['profile'])
    this.#revocations = counter('revocations_total', 'Certificates revoked or put on hold.', ['reason'])
    this.#releases = counter('releases_total', 'Certificates released from hold.')
    this.#clones = counter('clones_suspected_total', 'Times that two holders acted as the same device.')
    this.#devices = counter('devices_registered_total', 'Devices that entered the registry.')
    this.#crls = counter('crls_published_total', 'CRLs signed and put out.', ['authority'])
    this.#logEntries = counter('log_entries_written_total', 'Entries that this process wrote into the log.')
    this.#commits = seconds('store_commit_duration_seconds', 'Changes, from the call to durability.', ['outcome'])
    this.#groups = new Histogram({
      name: `${PREFIX}store_group_changes`,
      help: 'Changes that shared one transaction and one fsync.',
      buckets: GROUP_SIZES,
      registers,
    })
    this.#groupSeconds = seconds('store_group_duration_seconds', 'Transactions of the writer, fsync included.')
    this.#signatures = counter('signatures_total', 'Signatures of authorities and OCSP signers.', [
      'key_algorithm',
      'outcome',
    ])
    this.#signing = seconds('sign_duration_seconds', 'Calls to a signer, each for one signature or many.', [
      'key_algorithm',
    ])
    this.#ocsp = counter(
      'ocsp_responses_total',
      'OCSP answers, by their status, and whether they were signed before.',
      ['outcome', 'origin'],
    )
    this.#ocspSeconds = seconds(
      'ocsp_duration_seconds',
      'OCSP requests that no ready reply answered, from the octets to the answer.',
    )
    this.#requests = seconds('http_request_duration_seconds', 'Requests, to the head of the answer.', [
      'listener',
      'route',
      'method',
      'status',
    ])
    this.#jobs = seconds('job_duration_seconds', 'Runs of the jobs.', ['job', 'outcome'])
    this.#jobLate = gauge('job_lag_seconds', 'How much later than its time the job began last.', ['job'])
    this.#jobDone = gauge('job_last_success_timestamp_seconds', 'When the job did its work last.', ['job'])
    this.#notices = counter('notices_total', 'Tries to deliver a notice.', ['channel', 'outcome'])
    this.#alertsFired = counter('alerts_fired_total', 'Alerts that began.', ['rule', 'severity'])
    this.#spans = counter('trace_spans_total', 'Spans of traces, by what became of them.', ['outcome'])
    collectDefaultMetrics({ register: this.#registry })
  }

  /** For gauges that are read together. */
  get registry(): Registry {
    return this.#registry
  }

  /** The whole exposition, and its media type. */
  async expose(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: prometheusContentType, text: await this.#registry.metrics() }
  }

  enrolled({ protocol, operation, profile, end, code, seconds }: EnrolmentEvent): void {
    const labels = { protocol, operation, profile: this.#profile(profile, end), outcome: end }
    this.#enrolments.observe(labels, seconds)
    const fields = {
      protocol,
      operation,
      profile: labels.profile,
      outcome: end,
      milliseconds: Math.round(seconds * 1000),
    }
    this.#logger.info('enrolment.ended', code === null ? fields : { ...fields, code })
  }

  refused({ protocol, operation, code }: RefusalRecord): void {
    this.#refusals.inc({
      protocol,
      operation: this.#bounded('operation', operation),
      code: this.#bounded('code', code),
    })
  }

  committed({ writes, audit }: ChangeSet): void {
    if (audit.length > 0) this.#logEntries.inc(audit.length)
    for (const write of writes) {
      if (write.kind === 'certificate.insert') {
        const { profile, authorityId, replaces } = write.certificate
        this.#certificates.inc({ profile, authority: authorityId })
        if (replaces !== null) this.#renewals.inc({ profile })
      } else if (write.kind === 'device.insert') this.#devices.inc()
      else if (write.kind === 'publication.put') this.#published(write.publication.name, write.publication.number)
      else if (write.kind === 'publication.place') this.#published(write.head.name, write.head.number)
      else if (write.kind === 'certificate.status') this.#statusChanged(write.to)
    }
    for (const { action, subject } of audit) {
      if (action !== 'device.clone_suspected') continue
      this.#clones.inc()
      this.#logger.warning('device.clone_suspected', { deviceId: subject['deviceId'] })
    }
  }

  commitTook(seconds: number, failure: string | null): void {
    this.#commits.observe({ outcome: failure === null ? 'done' : this.#bounded('commit', failure) }, seconds)
  }

  groupWritten(changes: number, seconds: number): void {
    this.#groups.observe(changes)
    this.#groupSeconds.observe(seconds)
  }

  signed({ keyAlgorithm, signatures, seconds, failure }: SigningEvent): void {
    const outcome = failure === null ? 'done' : 'failed'
    this.#signatures.inc({ key_algorithm: keyAlgorithm, outcome }, signatures)
    this.#signing.observe({ key_algorithm: keyAlgorithm }, seconds)
    if (failure !== null) this.#logger.error('signer.failed', { keyAlgorithm, code: failure })
  }

  /** `begun` in milliseconds of `performance.now`; `undefined`: the reply was ready. */
  ocspAnswered(outcome: string, origin: string, begun: number | undefined): void {
    this.#ocsp.inc({ outcome, origin })
    if (begun !== undefined) this.#ocspSeconds.observe((performance.now() - begun) / 1000)
  }

  replied(
    listener: 'https' | 'http',
    reply: {
      readonly route: string | null
      readonly method: string
      readonly status: number
      readonly seconds: number
    },
  ): void {
    // Patterns of routes are few; what matches none is one.
    const { route, method, status, seconds } = reply
    this.#requests.observe(
      { listener, route: route ?? 'none', method: route === null ? 'any' : method, status },
      seconds,
    )
  }

  jobRan(run: {
    readonly job: string
    readonly seconds: number
    readonly late: number
    readonly failed: boolean
  }): void {
    const { job, seconds, late, failed } = run
    this.#jobs.observe({ job, outcome: failed ? 'failed' : 'done' }, seconds)
    this.#jobLate.set({ job }, late)
    if (!failed) this.#jobDone.setToCurrentTime({ job })
  }

  alertFired(rule: string, severity: string, summary: string): void {
    this.#alertsFired.inc({ rule, severity })
    const level = severity === 'notice' ? 'info' : severity === 'critical' ? 'error' : 'warning'
    this.#logger[level]('alert.firing', { rule, severity, summary })
  }

  alertResolved(rule: string, severity: string, summary: string): void {
    this.#logger.info('alert.resolved', { rule, severity, summary })
  }

  noticeTried(channel: string, outcome: 'delivered' | 'later' | 'dead', code: string | null): void {
    this.#notices.inc({ channel, outcome })
    if (code !== null) this.#logger.warning('notice.not_delivered', { channel, outcome, code })
  }

  spans(outcome: SpanOutcome, spans: number): void {
    this.#spans.inc({ outcome }, spans)
  }

  #published(name: string, number: number): void {
    const authority = authorityOfCrl(name)
    if (authority === undefined) return
    this.#crls.inc({ authority })
    this.#logger.info('crl.published', { publication: name, number })
  }

  #statusChanged(to: { readonly kind: string; readonly reason?: string }): void {
    if (to.kind === 'good') this.#releases.inc()
    else this.#revocations.inc({ reason: to.kind === 'held' ? 'certificateHold' : (to.reason ?? 'unspecified') })
  }

  /** A stranger may ask for any profile: only one that was granted or waits is told apart. */
  #profile(profile: string, end: EnrolmentEvent['end']): string {
    if (end === 'issued' || end === 'pending') return this.#bounded('profile', profile)
    return this.#labels.get('profile')?.has(profile) ? profile : 'other'
  }

  #bounded(label: string, value: string): string {
    let known = this.#labels.get(label)
    if (known === undefined) {
      known = new Set()
      this.#labels.set(label, known)
    }
    if (!known.has(value)) {
      if (known.size >= MAX_VALUES) return 'other'
      known.add(value)
    }
    return value
  }

  /** Names that exist: requests for them are told apart from the first on. */
  knowProfiles(profiles: readonly string[]): void {
    for (const profile of profiles) this.#bounded('profile', profile)
  }
}
