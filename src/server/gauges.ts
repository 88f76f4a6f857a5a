// What is so: queue depths, ages, counts. Set from facts when somebody scrapes, and read anew at most every ten seconds, from counters and
// indexes alone: a scrape costs the same for ten devices and for ten million.
import { Counter, Gauge } from 'prom-client'
import { ALERT_SEVERITIES } from '../domain/alerts/alert.ts'
import type { AlertFacts } from '../domain/alerts/facts.ts'
import type { CampaignCount } from '../domain/campaign/campaign.ts'
import type { StoreReader } from '../domain/ports.ts'
import { bucketWidth } from '../domain/renewal/window.ts'
import { errorFields, type Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'

const PREFIX = 'touchmark_'
const FRESH_MS = 10_000
const DAY = 86_400
/** What `touchmark_credentials_ending` tells apart: not renewed, and ending within so long. */
const HORIZONS = { '1d': DAY, '7d': 7 * DAY, '30d': 30 * DAY, '90d': 90 * DAY, '365d': 365 * DAY } as const
const MAX_CAMPAIGNS = 50
const MAX_OPEN_ALERTS = 5000

export interface GaugePorts {
  readonly read: StoreReader
  readonly logger: Logger
  facts(): Promise<AlertFacts>
  failingJobs(): readonly string[]
  readonly jobNames: readonly string[]
  readonly admission: { readonly atWork: number; readonly refusals: number }
  readonly eventLoopDelayMs: () => number
  readonly ocsp: {
    readonly presigned: { readonly size: number; readonly octets: number; readonly age: number }
    readonly waiting: number
  }
  /** Milliseconds of a clock that never goes back. */
  readonly elapsed?: () => number
}

export class Gauges {
  readonly #metrics: Metrics
  readonly #ports: GaugePorts
  readonly #set: GaugeSet
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined
  #refusals = 0

  constructor(metrics: Metrics, ports: GaugePorts) {
    this.#metrics = metrics
    this.#ports = ports
    this.#set = gaugeSet(metrics)
  }

  /** Brings them up to date. Where the store does not answer the last ones stand, and `touchmark_facts_read` says so. */
  async refresh(): Promise<void> {
    const { admission, eventLoopDelayMs, ocsp, elapsed = () => performance.now() } = this.#ports
    const set = this.#set
    set.atWork.set(admission.atWork)
    set.admissionRefused.inc(admission.refusals - this.#refusals)
    this.#refusals = admission.refusals
    set.delay.set(eventLoopDelayMs() / 1000)
    set.ocspPresigned.set(ocsp.presigned.size)
    set.ocspOctets.set(ocsp.presigned.octets)
    set.ocspAge.set(ocsp.presigned.age)
    set.ocspWaiting.set(ocsp.waiting)
    const failing = new Set(this.#ports.failingJobs())
    for (const job of this.#ports.jobNames) set.jobFailing.set({ job }, failing.has(job) ? 1 : 0)
    if (elapsed() - this.#readAt < FRESH_MS) return
    this.#reading ??= this.#read().finally(() => {
      this.#readAt = elapsed()
      this.#reading = undefined
    })
    await this.#reading
  }

  async #read(): Promise<void> {
    const { read, logger } = this.#ports
    try {
      const [facts, counts, states, head, checkpoint, alerts, work, campaigns] = await Promise.all([
        this.#ports.facts(),
        read.counts(),
        read.deviceCounts(),
        read.auditHead(),
        read.latestCheckpoint(),
        read.openAlerts(MAX_OPEN_ALERTS),
        read.workWaiting(),
        this.#campaigns(),
      ])
      const set = this.#set
      this.#metrics.knowProfiles(facts.profiles.map(({ profile }) => profile))
      set.facts(facts)
      set.certificates.set(counts.certificates)
      set.devices.reset()
      for (const [state, count] of Object.entries(states)) set.devices.set({ state }, count)
      set.logSize.set(head.size)
      set.logUnsigned.set(head.size - (checkpoint?.size ?? 0))
      set.checkpointAt.set(checkpoint?.at ?? 0)
      for (const severity of ALERT_SEVERITIES) {
        for (const state of ['firing', 'acknowledged'] as const) {
          set.alerts.set({ severity, state }, alerts.filter(a => a.severity === severity && a.state === state).length)
        }
      }
      set.work.reset()
      set.workDue.reset()
      for (const { topic, count, dueSince } of work) {
        set.work.set({ topic }, count)
        set.workDue.set({ topic }, Math.max(0, facts.now - dueSince))
      }
      set.campaigns(campaigns)
      set.factsRead.set(1)
    } catch (thrown) {
      this.#set.factsRead.set(0)
      logger.warning('metrics.facts_not_read', errorFields(thrown))
    }
  }

  async #campaigns(): Promise<CampaignView[]> {
    const { read } = this.#ports
    const atWork = (await read.campaignsAtWork()).slice(0, MAX_CAMPAIGNS)
    return Promise.all(
      atWork.map(async ({ id, name, state }) => ({ name, state, counts: await read.campaignCounts(id) })),
    )
  }
}

interface CampaignView {
  readonly name: string
  readonly state: string
  readonly counts: readonly CampaignCount[]
}

type GaugeSet = ReturnType<typeof gaugeSet>

function gaugeSet({ registry }: Metrics) {
  const registers = [registry]
  const gauge = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
    new Gauge<L>({ name: PREFIX + name, help, labelNames, registers })
  const ending = gauge('credentials_ending', 'Certificates of devices that are not renewed, by how soon they end.', [
    'profile',
    'within',
  ])
  const live = gauge('credentials_live', 'Certificates of devices that are not renewed and have not ended.', [
    'profile',
  ])
  const expired = gauge('credentials_expired', 'Certificates of devices that ended without being renewed.', ['profile'])
  const overdue = gauge('renewals_overdue', 'Devices past their renewal window, as many as are counted (1000).')
  const waiting = gauge('enrolments_waiting', 'Requests that wait for an operator, as many as are counted (1000).')
  const authorityEnd = gauge('authority_not_after_timestamp_seconds', 'When the certificate of the authority ends.', [
    'authority',
  ])
  const keyHere = gauge('authority_key_available', '1 where the key of the authority signs here.', ['authority'])
  const ocspEnd = gauge('ocsp_signer_not_after_timestamp_seconds', 'When the OCSP signer of the authority ends.', [
    'authority',
  ])
  const crlAge = gauge('crl_age_seconds', 'Age of the oldest CRL of the authority.', ['authority'])
  const crlEnd = gauge('crl_next_update_timestamp_seconds', 'When the first CRL of the authority is out of date.', [
    'authority',
  ])
  const crlSize = gauge('crl_size_bytes', 'All CRLs of the authority.', ['authority'])
  const crlCount = gauge('crl_shards', 'CRLs of the authority that are put out.', ['authority'])
  const diskFree = gauge('disk_free_bytes', 'Free space where the data folder is.')
  const diskTotal = gauge('disk_size_bytes', 'All space where the data folder is.')
  const dead = gauge('notices_dead', 'Notices that could not be delivered.', ['channel'])
  const campaignState = gauge('campaigns', 'Campaigns at work.', ['state'])
  const campaignDevices = gauge('campaign_devices', 'Devices of campaigns at work.', ['campaign', 'state'])
  return {
    factsRead: gauge('facts_read', '1 where the store answered when the gauges were read last.'),
    atWork: gauge('admission_at_work', 'Expensive requests at work.'),
    admissionRefused: new Counter({
      name: `${PREFIX}admission_refused_total`,
      help: 'Expensive requests sent away because there was too much to do.',
      registers,
    }),
    delay: gauge('event_loop_delay_seconds', 'How late timers run, smoothed: what admission goes by.'),
    ocspPresigned: gauge('ocsp_presigned_answers', 'OCSP answers that are kept to be given again.'),
    ocspOctets: gauge('ocsp_presigned_bytes', 'Memory that they take.'),
    ocspAge: gauge('ocsp_presigned_age_seconds', 'How long ago the oldest of them was signed.'),
    ocspWaiting: gauge('ocsp_waiting', 'OCSP requests that wait for a signature.'),
    jobFailing: gauge('job_failing', '1 where the last run of the job failed.', ['job']),
    certificates: gauge('certificates', 'Certificates in the registry.'),
    devices: gauge('devices', 'Devices in the registry.', ['state']),
    logSize: gauge('log_entries', 'Entries in the log.'),
    logUnsigned: gauge('log_unsigned_entries', 'Entries that no checkpoint covers.'),
    checkpointAt: gauge('log_checkpoint_timestamp_seconds', 'When the log was signed last.'),
    alerts: gauge('alerts', 'Alerts that are not resolved.', ['severity', 'state']),
    work: gauge('work_waiting', 'Work that changes caused and that waits, by topic.', ['topic']),
    workDue: gauge('work_oldest_age_seconds', 'For how long the first of it is due.', ['topic']),

    facts(facts: AlertFacts): void {
      const { now } = facts
      for (const each of [ending, live, expired, authorityEnd, keyHere, ocspEnd, dead]) each.reset()
      for (const each of [crlAge, crlEnd, crlSize, crlCount]) each.reset()
      for (const { profile, lifetimeSeconds, ends } of facts.profiles) {
        const width = bucketWidth(lifetimeSeconds)
        const sum = (until: number) =>
          ends.reduce(
            (all, { start, planned }) => (start + width > now && start + width <= until ? all + planned : all),
            0,
          )
        for (const [within, seconds] of Object.entries(HORIZONS)) ending.set({ profile, within }, sum(now + seconds))
        live.set({ profile }, sum(Number.POSITIVE_INFINITY))
        expired.set(
          { profile },
          ends.reduce((all, { start, planned }) => (start + width <= now ? all + planned : all), 0),
        )
      }
      overdue.set(facts.overdue.length)
      waiting.set(facts.waiting.length)
      for (const { id: authority, notAfter, keyHere: here, ocspNotAfter, crls } of facts.authorities) {
        if (notAfter !== null) authorityEnd.set({ authority }, notAfter)
        keyHere.set({ authority }, here ? 1 : 0)
        if (ocspNotAfter !== null) ocspEnd.set({ authority }, ocspNotAfter)
        const lists = crls.flatMap(({ list }) => (list === null ? [] : [list]))
        crlCount.set({ authority }, lists.length)
        if (lists.length === 0) continue
        crlAge.set({ authority }, now - Math.min(...lists.map(({ thisUpdate }) => thisUpdate)))
        crlEnd.set({ authority }, Math.min(...lists.map(({ nextUpdate }) => nextUpdate)))
        crlSize.set(
          { authority },
          lists.reduce((sum, { octets }) => sum + octets, 0),
        )
      }
      if (facts.disk) {
        diskFree.set(facts.disk.freeOctets)
        diskTotal.set(facts.disk.totalOctets)
      }
      for (const [channel, count] of facts.undelivered) dead.set({ channel }, count)
    },

    campaigns(views: readonly CampaignView[]): void {
      campaignState.reset()
      campaignDevices.reset()
      for (const { name, state, counts } of views) {
        campaignState.inc({ state })
        for (const count of counts) campaignDevices.inc({ campaign: name, state: count.state }, count.devices)
      }
    },
  }
}
