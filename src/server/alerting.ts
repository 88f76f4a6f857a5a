// Alerts of the running process: it gathers the facts that only a process knows, looks at the rules, and sends what people are to be told beside
// everything else, so that a channel that hangs holds nothing up.
import { statfs } from 'node:fs/promises'
import { createNotifier } from '../adapters/notify/notifier.ts'
import { advanceAlerts } from '../domain/alerts/advance-alerts.ts'
import { AlertRulesInForce } from '../domain/alerts/alert-rules-in-force.ts'
import { deliverNotices } from '../domain/alerts/deliver-notices.ts'
import { type AlertFacts, gatherFacts, type ProcessFacts } from '../domain/alerts/facts.ts'
import type { Notifier } from '../domain/alerts/notice.ts'
import { RecentCounts } from '../domain/alerts/recent-counts.ts'
import { CLONE_SUSPECTED } from '../domain/renewal/refused-renewal.ts'
import type { OcspResponders } from '../domain/revocation/ocsp-responders.ts'
import { channelSecrets } from './channel-secrets.ts'
import type { DataFolder } from './data-folder.ts'
import type { JobLoop } from './jobs.ts'
import { errorFields, type Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'
import type { Observer } from './observation.ts'
import type { Instance } from './open-instance.ts'

export interface AlertingPorts {
  readonly instance: Instance
  readonly responders: OcspResponders
  readonly metrics: Metrics
  readonly logger: Logger
  jobs(): Pick<JobLoop, 'failingFor'>
  /** In place of the one that sends; for tests. */
  readonly notifier?: Notifier
}

export class Alerting implements AsyncDisposable {
  readonly #ports: AlertingPorts
  readonly #rules: AlertRulesInForce
  readonly #notifier: Notifier
  readonly #recent = new RecentCounts()
  readonly #keysSeen = new Set<string>()
  readonly #stop = new AbortController()
  #unsigned: { readonly checkpoint: number; readonly since: number } | undefined
  #sending: Promise<void> | undefined

  constructor(ports: AlertingPorts) {
    const { instance } = ports
    this.#ports = ports
    this.#rules = new AlertRulesInForce(instance.store.read)
    this.#notifier =
      ports.notifier ?? createNotifier({ clock: instance.clock, secrets: channelSecrets(instance.folder) })
  }

  /** Sends a notice now: for a test of a channel. */
  get notifier(): Notifier {
    return this.#notifier
  }

  /** What it counts for rules on rates. */
  get observer(): Observer {
    const now = () => this.#ports.instance.clock.now()
    return {
      enrolled: ({ operation, end }) => {
        if (end !== 'issued') return
        this.#recent.add(operation === 'renew' ? 'renewal.issued' : 'enrolment.issued', now())
      },
      refused: ({ code, action, operation }) => {
        this.#recent.refused(code, now())
        if (action !== undefined && action !== 'enrolment.refused') return
        this.#recent.add(operation === 'renew' ? 'renewal.refused' : 'enrolment.refused', now())
      },
      committed: ({ audit }) => {
        for (const { action } of audit) if (action === CLONE_SUSPECTED) this.#recent.add(CLONE_SUSPECTED, now())
      },
      signed: ({ failure, signatures }) => {
        if (failure !== null) this.#recent.add('signer.failed', now(), signatures)
      },
    }
  }

  /** What rules and gauges are computed from, as of now. */
  async facts(): Promise<AlertFacts> {
    const { store, clock, authorities } = this.#ports.instance
    return gatherFacts(clock.now(), await this.#processFacts(), { read: store.read, authorities })
  }

  /** One look at the rules; what people are told is in the store when it resolves. */
  async evaluate(): Promise<void> {
    const { instance, metrics } = this.#ports
    const { store, clock, random, configuration } = instance
    const [rules, facts] = await Promise.all([this.#rules.current(), this.facts()])
    const ports = { store, clock, random, instance: configuration.log.origin }
    for (const { alert, from } of await advanceAlerts(rules, facts, ports)) {
      const { rule, severity, summary, state, changedAt } = alert
      if (state === 'resolved') metrics.alertResolved(rule, severity, summary)
      else if (from === null || (changedAt === facts.now && state === 'firing'))
        metrics.alertFired(rule, severity, summary)
    }
    this.send()
  }

  /** Begins to send what is due, unless it is at it; waits for nothing. */
  send(): void {
    if (this.#sending !== undefined || this.#stop.signal.aborted) return
    this.#sending = this.#deliver().finally(() => {
      this.#sending = undefined
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#sending
  }

  async #deliver(): Promise<void> {
    const { instance, metrics, logger } = this.#ports
    const { store, clock } = instance
    try {
      const onAttempt: Parameters<typeof deliverNotices>[1]['onAttempt'] = ({ channel }, outcome, code) =>
        metrics.noticeTried(channel, outcome, code)
      await deliverNotices(
        await this.#rules.current(),
        { store, clock, notifier: this.#notifier, onAttempt },
        this.#stop.signal,
      )
    } catch (thrown) {
      if (!this.#stop.signal.aborted) logger.error('notices.failed', errorFields(thrown))
    }
  }

  async #processFacts(): Promise<ProcessFacts> {
    const { instance, responders } = this.#ports
    const now = instance.clock.now()
    const [keys, ocsp, disk] = await Promise.all([
      usableKeys(instance),
      responders.current(),
      diskSpace(instance.folder),
      this.#lookAtLog(),
    ])
    for (const key of keys) this.#keysSeen.add(key)
    return {
      recent: this.#recent,
      disk,
      logUnsignedSince: this.#unsigned?.since ?? null,
      failingJobs: this.#ports
        .jobs()
        .failingFor.map(({ name, seconds }) => ({ name, since: Math.floor(now - seconds) })),
      keyIsHere: keyUri => keys.has(keyUri),
      keyWasHere: keyUri => this.#keysSeen.has(keyUri),
      ocspNotAfter: id => ocsp.find(({ authorityId }) => authorityId === id)?.certificate.notAfter ?? null,
    }
  }

  /** An entry waits for its checkpoint for seconds at most: what counts is how long the same checkpoint lags behind. */
  async #lookAtLog(): Promise<void> {
    const { store, clock } = this.#ports.instance
    const [head, stored] = await Promise.all([store.read.auditHead(), store.read.latestCheckpoint()])
    const checkpoint = stored?.size ?? 0
    if (head.size <= checkpoint) this.#unsigned = undefined
    else if (this.#unsigned?.checkpoint !== checkpoint) this.#unsigned = { checkpoint, since: clock.now() }
  }
}

/** None where the key store does not answer: then every signer that is expected here is lost. */
async function usableKeys({ keyStore }: Instance): Promise<ReadonlySet<string>> {
  try {
    const keys = await keyStore.list()
    return new Set(keys.filter(({ state }) => state === 'generated' || state === 'in-use').map(({ keyUri }) => keyUri))
  } catch {
    return new Set()
  }
}

async function diskSpace({ path }: DataFolder): Promise<ProcessFacts['disk']> {
  try {
    const { bavail, blocks, bsize } = await statfs(path)
    return { freeOctets: bavail * bsize, totalOctets: blocks * bsize }
  } catch {
    return null
  }
}
