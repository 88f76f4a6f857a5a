// The agent of one device: enrols, keeps its identity in order, renews, reports, obeys. One call of `tick` does what is due and says when to
// call again; `run` does that for ever. Everything impure is a port, so that thousands of agents fit into one process.
import { setTimeout as delay } from 'node:timers/promises'
import { parsePem } from '../core/asn1/pem.ts'
import { fromBase64, toBase64 } from '../core/bytes/base64.ts'
import type { Bytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import type { HealthAnswer, HealthReport } from '../core/messages/device-health.ts'
import type { RenewalInfoMessage } from '../core/messages/renewal-info.ts'
import { parseCertificate } from '../core/pki/certificate.ts'
import type { KeyAlgorithmName } from '../crypto/algorithms.ts'
import type { PassphraseKeyParameters } from '../crypto/passphrase-key.ts'
import { checkRandomSource, type Random, systemRandom } from '../crypto/random.ts'
import { AgentClock } from './agent-clock.ts'
import {
  enrolledAlready,
  enrolmentPending,
  isDamage,
  isFinal,
  isUnknownThere,
  notEnrolled,
  noWay,
  unlessDamage,
  wiped,
} from './agent-errors.ts'
import {
  type Activity,
  type AgentState,
  encodeRoots,
  type HookEventName,
  type IdentityRecord,
  type LastError,
  type PendingRequest,
  pinnedRoots,
  settled,
} from './agent-state.ts'
import { fraction, nextRetry } from './back-off.ts'
import type { EstClient, EstIdentity } from './est-client.ts'
import { fileStorage } from './file-storage.ts'
import { type BootstrapEvidence, CURRENT, type Home, HomeOpener, type OpenIdentity, ROOTS, rootsPem } from './home.ts'
import { type Hook, hookFailed } from './hook.ts'
import { httpsTransport } from './https-transport.ts'
import { checkIssuedChain, type IssuedChain } from './issued-chain.ts'
import type { KeyPlace, KeyPlacePorts } from './key-place.ts'
import { isUrgent, planAlone, planFrom } from './renewal-plan.ts'
import { Servers } from './servers.ts'
import { type AgentStatus, statusOf, timestamp } from './status.ts'
import type { AgentStorage } from './storage.ts'
import type { TlsIdentity, Transport } from './transport.ts'
import { checkTrustBundle } from './trust-bundle.ts'
import { signWipeStatement } from './wipe-statement.ts'

export const AGENT_VERSION = '0.1.0'

export interface DeviceAgentOptions {
  /** Folder of the agent; or give `storage`. */
  readonly home?: string
  readonly storage?: AgentStorage
  /** In place of those that the device enrolled with: `https://host:port`, the first that answers counts. */
  readonly servers?: readonly string[]
  readonly transport?: Transport
  readonly random?: Random
  /** The device's clock in seconds since 1970, right or wrong. */
  readonly now?: () => number
  /** Seals keys in files; must be the same ever after. */
  readonly passphrase?: Uint8Array | undefined
  readonly sealParameters?: PassphraseKeyParameters | undefined
  readonly keyPlace?: ((uri: string, ports: KeyPlacePorts) => KeyPlace) | undefined
  /** Told of changes, at least once each. */
  readonly hook?: Hook | undefined
  /** Asked at each report. */
  readonly firmware?: () => string | undefined
  readonly configuration?: () => string | undefined
  /** Between two reports, where the server asks for nothing else: a day by default. */
  readonly reportEverySeconds?: number
  /** Sees what happens, for logs. */
  readonly onEvent?: (event: AgentEvent) => void
}

export interface AgentEvent {
  readonly event: HookEventName | 'reported' | 'confirmed' | 'failed'
  readonly at: number
  /** Of the certificate in use. */
  readonly certificate?: string
  readonly error?: LastError
}

export interface EnrolRequest {
  readonly model: string
  readonly serialNumber: string
  readonly servers: readonly string[]
  /** Roots in PEM, as the factory put them in. */
  readonly trustAnchors: string
  readonly evidence: BootstrapEvidence
  /** `ldevid` by default. */
  readonly profile?: string
  /** `P-256` by default. */
  readonly keyAlgorithm?: KeyAlgorithmName
  /** `file` by default; see `openKeyPlace`. */
  readonly keyPlace?: string
}

export interface Tick {
  /** When to call again, by the agent's judgement of time; `null`: never, the device is wiped. */
  readonly nextAt: number | null
  /** What failed in this tick. */
  readonly errors: readonly LastError[]
}

/** A certificate and its key for the application, PEM; and the roots to trust. */
export interface AgentIdentity extends TlsIdentity {
  readonly trustAnchors: string
  readonly serialNumber: string
  readonly notAfter: number
}

interface Context {
  readonly signal: AbortSignal | undefined
  /** A person asks: own waiting does not count, what the server asked for does. */
  readonly atOnce: boolean
  readonly errors: LastError[]
}

const DAY = 86_400
/** Bounds of what the server may ask for between two reports. */
const REPORT_AT_LEAST = 60
const REPORT_AT_MOST = 7 * DAY
/** How often the wipe statement is sent before the keys go without its being heard. */
const WIPE_ATTEMPTS = 10

export class DeviceAgent {
  readonly #options: DeviceAgentOptions
  readonly #storage: AgentStorage
  readonly #servers: Servers
  readonly #random: Random
  readonly #clock: AgentClock
  readonly #homes: HomeOpener
  #randomChecked = false
  #reported = false

  /** Throws where there is neither `home` nor `storage`. Nothing is read before the first call. */
  constructor(options: DeviceAgentOptions) {
    const storage = options.storage ?? (options.home === undefined ? undefined : fileStorage(options.home))
    if (!storage) throw new TypeError('An agent needs a home or a storage.')
    this.#options = options
    this.#storage = storage
    this.#random = options.random ?? systemRandom
    this.#clock = new AgentClock(options.now ?? (() => Date.now() / 1000))
    this.#servers = new Servers(options.transport ?? httpsTransport, this.#clock, options.servers)
    this.#homes = new HomeOpener({
      storage,
      random: this.#random,
      passphrase: options.passphrase,
      sealParameters: options.sealParameters,
      keyPlace: options.keyPlace,
    })
  }

  /** The agent's judgement of the time, whole seconds. */
  now(): number {
    return this.#clock.now()
  }

  /**
   * Gets the first certificate. Called again after a failure it sends the same request with the evidence given now. Rejects with
   * `agent.enrolled_already`, `agent.enrolment_pending` (a person has to approve: call again, or `run`), and the reason of a failure.
   */
  enrol(request: EnrolRequest, signal?: AbortSignal): Promise<AgentStatus> {
    return this.#exclusively(async () => {
      const home = await this.#homeFor(request)
      const context = { signal, atOnce: true, errors: [] }
      await this.#attempt(
        home,
        'renew',
        context,
        () => this.#obtain(home, home.state.pending!, undefined, signal),
        'throw',
      )
      await this.#afterChange(home, context)
      return this.#statusOf(home.state)
    })
  }

  /** Renews now, whatever the window says. Rejects with the reason where it did not work; the old identity stays. */
  renew(signal?: AbortSignal): Promise<AgentStatus> {
    return this.#exclusively(async () => {
      const home = await this.#enrolled()
      if (home.state.wipe) throw wiped()
      const context = { signal, atOnce: true, errors: [] }
      await this.#attempt(home, 'renew', context, () => this.#renew(home, signal), 'throw')
      await this.#afterChange(home, context)
      return this.#statusOf(home.state)
    })
  }

  /** Does what is due. `atOnce`: also what waits only because it failed before. Rejects where the agent itself cannot work. */
  tick({ signal, atOnce = false }: { readonly signal?: AbortSignal; readonly atOnce?: boolean } = {}): Promise<Tick> {
    return this.#exclusively(async () => {
      const home = await this.#enrolled()
      const context: Context = { signal, atOnce, errors: [] }
      await this.#tick(home, context)
      await this.#runHooks(home, context)
      return { nextAt: this.#nextAt(home.state), errors: context.errors }
    })
  }

  /** Ticks until the signal aborts or the device is wiped. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const nextAt = await this.#tickOrWait(signal)
      if (nextAt === null) return
      const seconds = Math.min(Math.max(nextAt - this.now(), 1), LONGEST_SLEEP)
      await delay(seconds * 1000, undefined, { signal }).catch(() => undefined)
    }
  }

  /** A full disk, or another agent at work, passes: the agent waits, and says so. */
  async #tickOrWait(signal: AbortSignal): Promise<number | null> {
    try {
      return (await this.tick({ signal })).nextAt
    } catch (thrown) {
      if (signal.aborted) return null
      if (!(thrown instanceof TouchmarkError) || !PASSING.includes(thrown.code)) throw thrown
      const at = this.now()
      const error = { activity: 'identity', code: thrown.code, message: oneLine(thrown.message), at } as const
      this.#options.onEvent?.({ event: 'failed', at, error })
      return at + PASSING_WAIT
    }
  }

  async status(): Promise<AgentStatus> {
    const state = await this.#homes.peek()
    if (state) this.#takeEvidence(state)
    return this.#statusOf(state)
  }

  /** The identity for the application. Rejects with `agent.not_enrolled`, `agent.suspended`, `agent.wiped`, `agent.key_altered`, … */
  identity(): Promise<AgentIdentity> {
    return this.#exclusively(async () => {
      const home = await this.#enrolled()
      const { state } = home
      if (state.wipe) throw wiped()
      if (state.suspended) {
        throw new TouchmarkError(
          'agent.suspended',
          'forbidden',
          'The device is suspended: its identity is not to be used.',
          {
            next: 'The agent asks again by itself; the operator resumes the device.',
          },
        )
      }
      if (!state.current) throw notEnrolled()
      const { tls, record } = await home.identity(state.current)
      return { ...tls, trustAnchors: rootsPem(state), serialNumber: record.serialNumber, notAfter: record.notAfter }
    })
  }

  /** Wipes the device at its own wish: says so to the server, if it hears, and destroys every key. */
  wipe(signal?: AbortSignal): Promise<AgentStatus> {
    return this.#exclusively(async () => {
      const home = await this.#enrolled()
      const context = { signal, atOnce: true, errors: [] }
      await this.#orderWipe(home)
      await this.#attempt(home, 'wipe', context, () => this.#sendWipe(home, signal))
      if (!home.state.wipe?.done) await home.destroyKeys()
      await this.#runHooks(home, context)
      return this.#statusOf(home.state)
    })
  }

  // What is due

  async #tick(home: Home, context: Context): Promise<void> {
    if (home.state.wipe) return this.#wipe(home, context)
    const identity = await this.#usableIdentity(home, context)
    if (!identity) {
      if (home.state.pending || home.state.bootstrap?.kind === 'certificate') {
        await this.#attempt(home, 'renew', context, () => this.#renew(home, context.signal))
        await this.#afterChange(home, context)
      }
      return
    }
    const { askAt } = home.state
    if (!this.#reported || askAt === null || this.now() >= askAt || !home.state.confirmed) {
      await this.#attempt(home, 'report', context, () => this.#report(home, identity, context.signal))
    }
    if (home.state.wipe) return this.#wipe(home, context)
    if (home.state.suspended) return
    await this.#followTrustIfNewer(home, identity, context)
    const renewal = home.state.renewal ?? planAlone(identity.record, this.#random)
    if (!home.state.renewal) await home.update({ renewal })
    if (home.state.pending || this.now() >= renewal.renewAt || this.now() > identity.record.notAfter) {
      await this.#attempt(home, 'renew', context, () => this.#renew(home, context.signal))
      await this.#afterChange(home, context)
    }
  }

  /** After a swap: the hook first, because the application shall have the new certificate, then the report that confirms it. */
  async #afterChange(home: Home, context: Context): Promise<void> {
    await this.#runHooks(home, context)
    const { current, confirmed, wipe } = home.state
    if (!current || confirmed || wipe) return
    const identity = await home.identity(current)
    await this.#attempt(home, 'report', { ...context, atOnce: true }, () =>
      this.#report(home, identity, context.signal),
    )
    if (home.state.wipe) return this.#wipe(home, context)
    if (!home.state.renewal) await home.update({ renewal: planAlone(identity.record, this.#random) })
    await this.#followTrustIfNewer(home, identity, context)
  }

  // Renewal

  async #renew(home: Home, signal: AbortSignal | undefined): Promise<void> {
    const { current, renewal, pending: under } = home.state
    const identity = current ? await home.identity(current).catch(unlessDamage) : undefined
    const profile = renewal?.order?.profile ?? home.state.profile
    const keyAlgorithm = renewal?.order?.keyAlgorithm ?? home.state.keyAlgorithm
    // A request that may have been answered is repeated, also where its order has ended meanwhile; only another order overrules it.
    const fits = !renewal?.order || (under?.profile === profile && under.keyAlgorithm === keyAlgorithm)
    const { serialNumber } = home.state.device
    const names =
      profile !== home.state.profile
        ? ({ kind: 'none' } as const)
        : identity
          ? ({ kind: 'as', certificate: identity.leaf } as const)
          : ({ kind: 'device', serialNumber } as const)
    this.#checkRandom()
    const pending = under && fits ? under : await home.begin(identity ? 'renew' : 'enrol', profile, keyAlgorithm, names)
    await this.#obtain(home, pending, identity, signal)
  }

  /** Sends the stored request by every way that is open, until one certificate has come and holds. */
  async #obtain(
    home: Home,
    pending: PendingRequest,
    identity: OpenIdentity | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { publicKey } = (await home.pendingKey(pending)).signer
    const csr = fromBase64(pending.csr)
    let failure: unknown
    for (const way of await this.#ways(home, pending, identity)) {
      try {
        const issued = await this.#servers.ask(home.state, async url => {
          const est = this.#servers.est(home.state, url, pending.profile, signal)
          const answer =
            way.operation === 'simplereenroll'
              ? await est.simpleReenroll(csr, way.identity)
              : await est.simpleEnroll(csr, way.identity)
          if (answer.kind === 'pending') throw enrolmentPending(answer.retryAfterSeconds)
          return this.#check(home.state, est, answer.certificates, publicKey, identity)
        })
        await home.adopt(pending, issued, identity || home.state.current ? 'renewed' : 'enrolled')
        this.#takeEvidence(home.state)
        this.#tell(home.state.hooksDue.at(-1) ?? 'renewed', home.state)
        return
      } catch (thrown) {
        if (!(thrown instanceof TouchmarkError) || thrown.code === 'agent.storage_failed') throw thrown
        failure ??= thrown
        if (thrown.code === 'agent.enrolment_pending') break
      }
    }
    const error = failure ?? noWay()
    // What was refused for good is asked for anew next time, over another key; but for a token, which may be used up by this very request.
    const onToken = home.state.bootstrap?.kind === 'token'
    if (!onToken && error instanceof TouchmarkError && isFinal(error)) await home.abandon()
    throw error
  }

  /** Showing the certificate that is renewed; where that does not help, what the device came with. */
  async #ways(
    home: Home,
    pending: PendingRequest,
    identity: OpenIdentity | undefined,
  ): Promise<{ operation: 'simplereenroll' | 'simpleenroll'; identity: EstIdentity }[]> {
    const ways: { operation: 'simplereenroll' | 'simpleenroll'; identity: EstIdentity }[] = []
    if (identity && pending.kind === 'renew')
      ways.push({ operation: 'simplereenroll', identity: { tls: identity.tls } })
    const bootstrap = await home.bootstrapIdentity()
    if (bootstrap) ways.push({ operation: 'simpleenroll', identity: { tls: bootstrap.tls } })
    const token = await home.bootstrapToken()
    if (token !== undefined) {
      const basic = { user: home.state.device.serialNumber, password: token }
      ways.push({ operation: 'simpleenroll', identity: { basic } })
    }
    return ways
  }

  async #check(
    state: AgentState,
    est: EstClient,
    certificates: readonly Bytes[],
    publicKey: Uint8Array,
    identity: OpenIdentity | undefined,
  ): Promise<IssuedChain> {
    const checks = {
      certificates,
      roots: pinnedRoots(state),
      publicKey,
      deviceSerialNumber: state.device.serialNumber,
      at: this.now(),
      clockIsWrong: this.#clock.isWrong && this.#clock.skewSeconds === undefined,
    }
    try {
      return checkIssuedChain({ ...checks, intermediates: identity?.chain.slice(1) ?? [] })
    } catch (thrown) {
      // A simple enrolment answers with the leaf alone (RFC 7030 §4.2.3); what stands between it and the root comes from /cacerts.
      if (!(thrown instanceof TouchmarkError) || thrown.code !== 'agent.certificate_untrusted') throw thrown
      return checkIssuedChain({ ...checks, at: this.now(), intermediates: (await est.cacerts()).slice(0, MAX_CACERTS) })
    }
  }

  // Reports and orders

  async #report(home: Home, identity: OpenIdentity, signal: AbortSignal | undefined): Promise<void> {
    const answer = await this.#servers.ask(home.state, async url => {
      const client = this.#servers.device(home.state, url, identity.tls, signal)
      // Written before it is sent, and for each server anew: a number that was sent once never is again.
      await home.update({ sequence: home.state.sequence + 1, lastServerTime: this.#clock.evident })
      try {
        return { ...(await client.health(this.#health(home, identity))), isHealth: true as const }
      } catch (thrown) {
        // A server that takes no reports may still know when to renew.
        if (!isUnknownThere(thrown)) throw thrown
        try {
          return { ...(await client.renewalInfo(identity.record.profile)), isHealth: false as const }
        } catch (again) {
          if (!isUnknownThere(again)) throw again
          return { renewal: null, retryAfterSeconds: undefined, isHealth: false as const }
        }
      }
    })
    await this.#take(home, identity, answer)
    this.#reported = true
    this.#tell('reported', home.state)
  }

  #health(home: Home, identity: OpenIdentity): HealthReport {
    const { state, keyPlace } = home
    const { lastError } = state
    return {
      sequence: state.sequence,
      time: this.#clock.device(),
      agentVersion: AGENT_VERSION,
      firmware: reportable(this.#options.firmware?.()),
      configuration: reportable(this.#options.configuration?.()),
      daysLeft: Math.floor((identity.record.notAfter - this.now()) / DAY),
      lastError: lastError && { code: lastError.code, at: lastError.at },
      keys: [{ keyId: identity.key.keyId, place: keyPlace.place, protection: keyPlace.protection }],
    }
  }

  async #take(
    home: Home,
    identity: OpenIdentity,
    answer:
      | (HealthAnswer & { readonly retryAfterSeconds: number | undefined; readonly isHealth: true })
      | {
          readonly renewal: RenewalInfoMessage | null
          readonly retryAfterSeconds: number | undefined
          readonly isHealth: false
        },
  ): Promise<void> {
    const now = this.now()
    const { renewal: before } = home.state
    const plan = answer.renewal ? planFrom(answer.renewal, identity.record, before, this.#random) : before
    const change: Partial<AgentState> = {
      ...settled(home.state, 'report'),
      lastReportAt: now,
      lastServerTime: this.#clock.evident,
      askAt: now + this.#untilNextReport(answer.retryAfterSeconds, identity.record),
      renewal: plan,
    }
    if (!answer.isHealth) return this.#seen(home, change)
    await this.#seen(home, { ...change, knownTrustVersion: answer.trustBundle.version })
    if (answer.order === 'wipe') await this.#orderWipe(home)
    const suspended = answer.order === 'suspend' || answer.device.state === 'suspended'
    if (suspended !== home.state.suspended) {
      await home.setSuspended(suspended)
      this.#tell(suspended ? 'suspended' : 'resumed', home.state)
    }
  }

  /** The server has answered to the current identity. */
  async #seen(home: Home, change: Partial<AgentState>): Promise<void> {
    if (home.state.confirmed) return home.update(change)
    await home.confirm(change)
    this.#tell('confirmed', home.state)
  }

  /** What the server asks for; else a day, or a tenth of a short life. */
  #untilNextReport(asked: number | undefined, { notBefore, notAfter }: IdentityRecord): number {
    const every = this.#options.reportEverySeconds ?? Math.min(DAY, (notAfter - notBefore) / 10)
    const seconds = Math.min(Math.max(asked ?? every, REPORT_AT_LEAST), REPORT_AT_MOST)
    // Spread forward only: a server that asked for a wait gets it.
    return Math.ceil(seconds * (1 + fraction(this.#random) / 10))
  }

  async #followTrustIfNewer(home: Home, identity: OpenIdentity, context: Context): Promise<void> {
    if (home.state.suspended || home.state.knownTrustVersion <= home.state.trust.version) return
    await this.#attempt(home, 'trust', context, () => this.#followTrust(home, identity, context.signal))
  }

  async #followTrust(home: Home, identity: OpenIdentity, signal: AbortSignal | undefined): Promise<void> {
    const bundle = await this.#servers.ask(home.state, async url => {
      const message = await this.#servers.device(home.state, url, identity.tls, signal).trustBundle()
      const { version } = home.state.trust
      return checkTrustBundle(message, { pinned: pinnedRoots(home.state), version, at: this.now() })
    })
    await home.trust(bundle)
    this.#tell('trust-updated', home.state)
  }

  // The end

  async #orderWipe(home: Home): Promise<void> {
    if (home.state.wipe) return
    const keys = await home.allKeys()
    const message = keys.length > 0 ? await signWipeStatement(home.state.device, keys, this.now()) : undefined
    const statement = message ? toBase64(message) : null
    await home.update({ wipe: { orderedAt: this.now(), statement, heard: false, done: false } })
  }

  async #wipe(home: Home, context: Context): Promise<void> {
    const { wipe } = home.state
    if (!wipe || wipe.done) return
    const gaveUp = () => (home.state.retries.wipe?.failures ?? 0) >= WIPE_ATTEMPTS
    if (!wipe.heard && wipe.statement !== null && !gaveUp()) {
      const sent = await this.#attempt(home, 'wipe', context, () => this.#sendWipe(home, context.signal))
      if (!sent && !gaveUp()) return
    }
    await home.destroyKeys()
    this.#tell('wiped', home.state)
  }

  async #sendWipe(home: Home, signal: AbortSignal | undefined): Promise<void> {
    const { wipe, current } = home.state
    if (!wipe?.statement || wipe.heard || !current) return
    const message = fromBase64(wipe.statement)
    const { tls } = await home.identity(current)
    try {
      await this.#servers.ask(home.state, url =>
        this.#servers.device(home.state, url, tls, signal).wipeStatement(message),
      )
    } catch (thrown) {
      // A server that refuses it will refuse it again; the keys go all the same, and the statement stays for the operator.
      if (!(thrown instanceof TouchmarkError) || !isFinal(thrown)) throw thrown
    }
    await home.update({ wipe: { ...wipe, heard: true } })
  }

  // Ports and bookkeeping

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#storage.exclusively(work)
  }

  async #homeFor(request: EnrolRequest): Promise<Home> {
    this.#checkRandom()
    const {
      model,
      serialNumber,
      servers,
      evidence,
      profile = 'ldevid',
      keyAlgorithm = 'P-256',
      keyPlace = 'file',
    } = request
    const roots = parseRoots(request.trustAnchors)
    const known = await this.#homes.open()
    if (!known || !this.#isSameDevice(known.state, request)) {
      if (known?.state.wipe) throw wiped()
      if (known?.state.current) throw enrolledAlready(serialNumber)
      const home = { model, serialNumber, servers, profile, keyAlgorithm, keyPlace }
      return this.#homes.create({ ...home, roots, bootstrap: evidence })
    }
    if (known.state.wipe) throw wiped()
    this.#takeEvidence(known.state)
    if (known.state.current && (await this.#isOfUse(known))) throw enrolledAlready(serialNumber)
    // The same device again, with what it shows now: a request that was not answered is repeated, an identity beyond use is replaced. Roots
    // that were followed since are not put back.
    const trust = known.state.trust.version > 0 ? known.state.trust : { version: 0, certificates: encodeRoots(roots) }
    await known.replaceBootstrap(evidence, { servers: [...servers], trust })
    const { pending } = known.state
    if (pending?.kind !== 'enrol' || pending.profile !== profile || pending.keyAlgorithm !== keyAlgorithm) {
      await known.begin('enrol', profile, keyAlgorithm, { kind: 'device', serialNumber })
    }
    return known
  }

  #isSameDevice({ device, keyPlace }: AgentState, request: EnrolRequest): boolean {
    const { model, serialNumber } = request
    return device.model === model && device.serialNumber === serialNumber && keyPlace === (request.keyPlace ?? 'file')
  }

  /** Whether the current identity holds and has not ended. */
  async #isOfUse(home: Home): Promise<boolean> {
    const identity = home.state.current && (await home.identity(home.state.current).catch(unlessDamage))
    return identity !== undefined && identity !== null && identity.record.notAfter >= this.now()
  }

  async #enrolled(): Promise<Home> {
    const home = await this.#homes.open()
    if (!home) throw notEnrolled()
    this.#takeEvidence(home.state)
    return home
  }

  /** The current identity, or the one before where the current one does not hold. */
  async #usableIdentity(home: Home, context: Context): Promise<OpenIdentity | undefined> {
    const { current, previous } = home.state
    if (!current) return undefined
    try {
      return await home.identity(current)
    } catch (thrown) {
      if (!isDamage(thrown)) throw thrown
      const lastError = this.#note(thrown, 'identity', context, home.state)
      const good = previous ? await home.identity(previous).catch(unlessDamage) : undefined
      if (good) await home.fallBack({ lastError })
      else await home.update({ lastError })
      return good
    }
  }

  /** Runs one activity unless it waits; a failure is written down and answers false, or is thrown where the caller wants to know. */
  async #attempt(
    home: Home,
    activity: Activity,
    context: Context,
    work: () => Promise<void>,
    onFailure: 'note' | 'throw' = 'note',
  ): Promise<boolean> {
    const before = home.state.retries[activity]
    if (before && this.now() < before.at && (!context.atOnce || (before.asked && onFailure === 'note'))) return false
    try {
      await work()
    } catch (thrown) {
      context.signal?.throwIfAborted()
      if (!(thrown instanceof TouchmarkError) || thrown.code === 'agent.storage_failed') throw thrown
      const { current } = home.state
      const urgent = current !== null && isUrgent(current, this.now())
      const retry = nextRetry(before, thrown, { now: this.now(), urgent, random: this.#random })
      const lastError = this.#note(thrown, activity, context, home.state)
      await home.update({ retries: { ...home.state.retries, [activity]: retry }, lastError })
      if (onFailure === 'throw') throw thrown
      return false
    }
    const { retries, lastError } = home.state
    if (retries[activity] || lastError?.activity === activity) await home.update(settled(home.state, activity))
    return true
  }

  /** Calls the hook for what it has not been told yet. */
  async #runHooks(home: Home, context: Context): Promise<void> {
    const { hook } = this.#options
    if (!hook) return
    while (home.state.hooksDue.length > 0) {
      const [event, ...hooksDue] = home.state.hooksDue as [HookEventName, ...HookEventName[]]
      const { device, current, suspended, wipe } = home.state
      const usable = current && !suspended && !wipe ? current : undefined
      let lastError = home.state.lastError?.activity === 'hook' ? null : home.state.lastError
      try {
        await hook({
          event,
          ...device,
          certificate: usable && this.#storage.pathOf(`${CURRENT}/certificate.pem`),
          key: usable && this.#storage.pathOf(`${CURRENT}/key.pem`),
          trustAnchors: this.#storage.pathOf(ROOTS),
          notAfter: usable && timestamp(usable.notAfter),
        })
      } catch (thrown) {
        const error = thrown instanceof TouchmarkError ? thrown : hookFailed(event, String(thrown), thrown)
        lastError = this.#note(error, 'hook', context, home.state)
      }
      await home.update({ hooksDue, lastError })
    }
  }

  #checkRandom(): void {
    if (this.#randomChecked) return
    checkRandomSource(this.#random)
    this.#randomChecked = true
  }

  /** What the files prove of the time. */
  #takeEvidence(state: AgentState): void {
    this.#clock.toldBefore(state.lastServerTime)
    if (state.current) this.#clock.notBefore(state.current.notBefore)
  }

  /** The earliest of what is due, each not before its retry. What is due now and has no retry was done, or cannot be. */
  #nextAt(state: AgentState): number | null {
    const { current, pending, bootstrap, renewal, retries, wipe } = state
    if (wipe?.done) return null
    const now = this.now()
    const times = [now + DAY]
    const add = (activity: Activity, dueAt: number) => {
      const at = Math.max(dueAt, retries[activity]?.at ?? 0)
      if (at > now) times.push(at)
    }
    if (wipe) add('wipe', now)
    else if (!current) {
      if (pending || bootstrap) add('renew', now)
    } else {
      add('report', state.confirmed ? (state.askAt ?? now) : now)
      if (!state.suspended) {
        add('renew', pending ? now : (renewal?.renewAt ?? now))
        if (state.knownTrustVersion > state.trust.version) add('trust', now)
      }
    }
    return Math.min(...times)
  }

  #note(error: TouchmarkError, activity: LastError['activity'], context: Context, state: AgentState): LastError {
    const lastError = { activity, code: error.code, message: oneLine(error.message), at: this.now() }
    context.errors.push(lastError)
    this.#tell('failed', state, lastError)
    return lastError
  }

  #tell(event: AgentEvent['event'], state: AgentState, error?: LastError): void {
    const certificate = state.current?.serialNumber
    this.#options.onEvent?.({
      event,
      at: this.now(),
      ...(certificate === undefined ? {} : { certificate }),
      ...(error ? { error } : {}),
    })
  }

  #statusOf(state: AgentState | undefined): Promise<AgentStatus> {
    return statusOf(state, this.#storage, this.#clock)
  }
}

/** A clock that was set, a machine that slept: what is due is looked at again this often. */
const LONGEST_SLEEP = 900
const MAX_CACERTS = 32
/** What keeps an agent from working at all, and passes. */
const PASSING: readonly string[] = ['agent.busy', 'agent.storage_failed']
const PASSING_WAIT = 60
function parseRoots(pem: string): Bytes[] {
  const roots = parsePem(pem).filter(({ label }) => label === 'CERTIFICATE')
  if (roots.length === 0) {
    throw new TouchmarkError('agent.no_trust_anchors', 'malformed', 'The trust anchors hold no certificate.', {
      next: 'They are roots in PEM: touchmark trust > roots.pem',
    })
  }
  for (const { der } of roots) parseCertificate(der)
  return roots.map(({ der }) => der)
}

/** As a report can carry it: one line of 128 characters, or nothing. */
function reportable(text: string | undefined): string | null {
  return oneLine(text ?? '').slice(0, 128) || null
}

/** Fit for a state file and a terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{C}+/gu, ' ').slice(0, 500)
}
