// The process, wired by hand: every use case gets the ports that it needs, every route its listeners, every job its time. What is
// opened here is closed here, in the opposite order.
import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { NetworkOpenIdProvider } from '../adapters/oidc/openid-provider.ts'
import { passkeyVerifier } from '../adapters/passkey-verifier.ts'
import { asTouchmarkError, TouchmarkError } from '../core/errors.ts'
import { type Access, createAccess } from '../domain/access/access.ts'
import { createFirstLink } from '../domain/access/operators.ts'
import type { AuditAction } from '../domain/audit/actions.ts'
import { advanceCampaigns } from '../domain/campaign/advance-campaigns.ts'
import { completeDueTransfers } from '../domain/device/complete-transfers.ts'
import { retireDue } from '../domain/renewal/seen-in-use.ts'
import { crlPublicationName } from '../domain/revocation/crl-series.ts'
import { endDueHolds } from '../domain/revocation/end-holds.ts'
import { OcspResponders } from '../domain/revocation/ocsp-responders.ts'
import { OcspService } from '../domain/revocation/ocsp-service.ts'
import { TrustBundles } from '../domain/trust-bundle/trust-bundles.ts'
import { authenticate } from '../protocols/api/authenticate.ts'
import { createOidcRoutes } from '../protocols/api/oidc-routes.ts'
import { createApiRoutes } from '../protocols/api/routes.ts'
import { createDeviceRoutes } from '../protocols/device/routes.ts'
import { createDistributionRoutes } from '../protocols/distribution/routes.ts'
import { createStatusRoutes } from '../protocols/distribution/status-routes.ts'
import type { KeyPackageSigner } from '../protocols/est/key-delivery.ts'
import { createEstRoutes } from '../protocols/est/routes.ts'
import type { Route } from '../protocols/http.ts'
import { createLogRoutes } from '../protocols/log/routes.ts'
import { createOcspRoutes } from '../protocols/ocsp/routes.ts'
import { Admission, EventLoopDelay } from './admission.ts'
import { Alerting } from './alerting.ts'
import { FolderBatchDesk } from './batch-desk.ts'
import { checkpointSigner } from './checkpoint-signer.ts'
import type { Configuration } from './configuration.ts'
import { createConsoleRoutes, isConsoleBuilt } from './console.ts'
import { CRL_OUTLETS_JOB, CrlJobs, onlineIssuer } from './crl-jobs.ts'
import { Gauges } from './gauges.ts'
import { createHealthRoutes, type ReadinessCheck } from './health.ts'
import { JobRunner } from './job-runner.ts'
import { type Job, JobLoop } from './jobs.ts'
import { type Listener, type ListenerOptions, openListener } from './listener.ts'
import { errorFields, type Logger } from './logger.ts'
import { Metrics } from './metrics.ts'
import { createMetricsRoute } from './metrics-route.ts'
import { observedKeyStore } from './observation.ts'
import { OcspKeeper } from './ocsp-keeper.ts'
import type { Instance } from './open-instance.ts'
import { packageVersion } from './package-version.ts'
import { serverCertificate, type TlsMaterial } from './server-certificate.ts'
import { signInUrl } from './sign-in-url.ts'
import { StatusJobs } from './status-jobs.ts'
import { openTracing } from './tracing/open-tracing.ts'
import { createWhoamiRoute } from './whoami.ts'

export interface ServerOptions {
  readonly logger: Logger
  /** Instead of those of the configuration; 0 takes a free port. */
  readonly host?: string
  readonly httpsPort?: number
  /** Where it is given it is taken or starting fails; the configured one gives way to a free one. */
  readonly httpPort?: number
  /** Opens the metrics listener even where the configuration has none, on 127.0.0.1 then. */
  readonly metricsPort?: number
  /** The standard variables of OpenTelemetry are read from it; that of the process where it is left out. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

export interface RunningServer extends AsyncDisposable {
  /** `https://localhost:8443`. */
  readonly url: string
  readonly httpUrl: string
  /** `http://localhost:9464/metrics`; `null`: nowhere. */
  readonly metricsUrl: string | null
  /** Where the first administrator signs in, once; `null` where there is an operator. */
  readonly firstSignIn: string | null
  /** What an operator should know and nobody asked: each one sentence. */
  readonly warnings: readonly string[]
}

/** Starts to serve an open instance; resolves when both listeners take connections. Throws what `openListener` throws. */
export async function startServer(instance: Instance, options: ServerOptions): Promise<RunningServer> {
  const { configuration, store, authorities, clock, registration } = instance
  const { logger } = options
  const host = options.host ?? configuration.listen.host
  const warnings: string[] = []
  await using stack = new AsyncDisposableStack()

  const metrics = new Metrics(logger, packageVersion())
  stack.use(instance.observation.subscribe(metrics))
  const tracing = await openTracing(instance, options.environment ?? process.env, { logger, metrics, warnings })
  if (tracing !== undefined) {
    stack.use(tracing.exporter)
    stack.use(instance.observation.subscribe(tracing.tracer))
  }
  const tracer = tracing?.tracer
  const keyStore = observedKeyStore(instance.keyStore, instance.observation)
  const responders = new OcspResponders({ ...instance, keyStore })
  const ocsp = new OcspService({
    read: store.read,
    clock,
    elapsed: () => performance.now(),
    responders,
    soon: work => void setImmediate(work),
    onFailure: ({ responder }, thrown) =>
      logger.error('ocsp.not_signed', { authority: responder.authorityId, ...errorFields(thrown) }),
  })
  stack.use(instance.observation.subscribe(ocsp))
  const trustBundles = new TrustBundles(instance)
  const access = createAccess({
    ...instance,
    passkeys: passkeyVerifier,
    secretFor: purpose => instance.keyStore.secretFor(purpose),
  })
  const eventLoopDelay = stack.use(new EventLoopDelay())
  const admission = new Admission(configuration.admission, { delayMs: () => eventLoopDelay.ms })
  const hostNames = namesOf(configuration.publicUrl, host)
  let tls = await serverCertificate(hostNames, instance)
  const listeners: Listener[] = []

  const renewCertificate = async () => {
    const next = await serverCertificate(hostNames, instance)
    if (next.identity.record.serialNumber === tls.identity.record.serialNumber) return
    tls = next
    listeners[0]?.useCertificate(next)
    logger.info('server.certificate_renewed', { serialNumber: next.identity.record.serialNumber })
  }
  const signCheckpoint = await checkpointSigner(instance)
  const alerting = stack.use(new Alerting({ instance, responders, metrics, logger, jobs: () => jobs }))
  stack.use(instance.observation.subscribe(alerting.observer))
  const desk = new FolderBatchDesk(instance, signCheckpoint)
  const runner = new JobRunner({
    ...instance,
    logger,
    runBatch: (job, signal) => desk.run(job, signal),
    ...(tracer && { watched: ({ act, id }, work) => tracer.job(act, work, id) }),
  })
  const crls = new CrlJobs(instance)
  const status = new StatusJobs(instance)
  const work = createJobs(instance, {
    access,
    crls,
    status,
    runner,
    responders,
    trustBundles,
    alerting,
    renewCertificate,
    signCheckpoint,
    logger,
  })
  const jobs: JobLoop = new JobLoop(
    tracer ? work.map(job => ({ ...job, run: signal => tracer.job(job.name, () => job.run(signal)) })) : work,
    {
      changeMarker: () => store.read.changeMarker(),
      logger,
      onRun: run => metrics.jobRan(run),
    },
  )
  // Before the first request: every CRL published, every OCSP signer there, the log signed.
  await jobs.runDue()
  stack.use(new OcspKeeper(ocsp, logger))

  const health = createHealthRoutes({
    checks: readinessChecks(instance, jobs),
    onFailure: (name, thrown) => logger.warning('health.failed', { check: name, ...errorFields(thrown) }),
  })
  const routes: Route[] = [
    ...createEstRoutes({ registration, keyPackageSigner: () => keyPackageSigner(tls, instance) }),
    ...createOcspRoutes({
      service: ocsp,
      clock,
      elapsed: () => performance.now(),
      onAnswer: (outcome, origin, begun) => metrics.ocspAnswered(outcome, origin, begun),
    }),
    ...createStatusRoutes({ read: store.read, clock }),
    ...createDistributionRoutes({
      read: store.read,
      clock,
      authorities: () => authorities.all(),
      trustBundle: () => authorities.trustBundle(),
    }),
    ...createLogRoutes({ read: store.read, verifierKey: configuration.log.verifierKeys[0]! }),
    ...createDeviceRoutes({ ...registration, store, clock, trustBundle: () => trustBundles.current }),
    createWhoamiRoute({ ...registration, clock }),
    ...createApiRoutes({
      ...registration,
      store,
      authorities,
      keyStore: instance.keyStore,
      notifier: alerting.notifier,
      log: configuration.log,
      desk,
      wait: signal => sleep(1000, undefined, { signal }).catch(() => undefined),
      clock,
      version: packageVersion(),
      elapsed: () => performance.now(),
      access,
      authenticate: request => authenticate(request, { store, clock }),
    }),
    ...createOidcRoutes({
      access,
      provider: new NetworkOpenIdProvider(
        instance.oidcClientSecret === undefined ? {} : { clientSecret: instance.oidcClientSecret },
      ),
      refusals: registration.refusals,
    }),
    ...createConsoleRoutes(),
    ...health,
  ]
  if (!isConsoleBuilt())
    warnings.push('The web console is not built: npm run console builds it, and the next start serves it.')
  const https = stack.use(
    await openListener({
      host,
      port: options.httpsPort ?? configuration.listen.httpsPort,
      routes,
      logger,
      tls,
      admission,
      tracing: tracer,
      onReply: reply => metrics.replied('https', reply),
    }),
  )
  listeners.push(https)
  const plain = { host, routes, logger, tracing: tracer, onReply: (reply: Reply) => metrics.replied('http', reply) }
  const http = stack.use(await openPlainListener(plain, instance, options, warnings))
  const gauges = new Gauges(metrics, {
    read: store.read,
    logger,
    facts: () => alerting.facts(),
    failingJobs: () => jobs.failing,
    jobNames: jobs.names,
    admission,
    eventLoopDelayMs: () => eventLoopDelay.ms,
    ocsp,
  })
  const place = metricsPlace(configuration.metrics, options.metricsPort)
  const metricsListener =
    place &&
    stack.use(await openListener({ ...place, routes: [createMetricsRoute(metrics, gauges), ...health], logger }))

  await record(instance, 'server.started')
  stack.defer(async () => {
    await registration.refusals[Symbol.asyncDispose]()
    await record(instance, 'server.stopped')
    await signCheckpoint()
  })
  jobs.start()
  // Ended first of all: what they have begun they write down.
  stack.use(runner)
  stack.use(crls)
  stack.use(status)
  stack.use(jobs)
  const url = `https://${urlHost(host)}:${https.port}`
  const httpUrl = `http://${urlHost(host)}:${http.port}`
  const firstSecret = await createFirstLink(access)
  const firstSignIn = firstSecret === undefined ? null : signInUrl(url, firstSecret)
  const metricsUrl = metricsListener && place ? `http://${urlHost(place.host)}:${metricsListener.port}/metrics` : null
  logger.info('server.listening', { url, httpUrl, metricsUrl, warnings })
  const running = stack.move()
  const open = [https, http, ...(metricsListener ? [metricsListener] : [])]
  return { url, httpUrl, firstSignIn, metricsUrl, warnings, [Symbol.asyncDispose]: () => stop(running, open, logger) }
}

interface JobPorts {
  readonly crls: CrlJobs
  readonly status: StatusJobs
  readonly runner: JobRunner
  readonly access: Access
  readonly responders: OcspResponders
  readonly trustBundles: TrustBundles
  readonly alerting: Alerting
  readonly logger: Logger
  renewCertificate(): Promise<void>
  signCheckpoint(): Promise<void>
}

/** Everything that goes on beside the requests, and when. */
function createJobs(instance: Instance, ports: JobPorts): Job[] {
  const { access, crls, status, runner, responders, trustBundles, alerting, logger } = ports
  const { renewCertificate, signCheckpoint } = ports
  const { store, clock, registration } = instance
  // A new authority has its CRL and its OCSP signer within seconds, however busy the store is otherwise.
  const onConfiguration = { atMostEverySeconds: 1, marker: () => store.read.configurationMarker() }
  return [
    {
      name: 'ocsp signers',
      onChange: onConfiguration,
      everySeconds: 60,
      run: async () => void (await responders.refresh()),
    },
    ...status.jobs(onConfiguration),
    ...crls.jobs(onConfiguration),
    {
      name: 'trust bundle',
      onChange: onConfiguration,
      everySeconds: 60,
      run: () => refreshTrustBundle(trustBundles, logger),
    },
    {
      name: 'certificates left behind',
      everySeconds: 30,
      run: async signal => void (await retireDue({ store, clock }, signal)),
    },
    {
      name: 'holds that end',
      everySeconds: 5,
      run: signal => endDueHolds({ store, clock }, signal),
    },
    { name: 'transfers', everySeconds: 30, run: async () => void (await completeDueTransfers({ store, clock })) },
    { name: 'approvals', everySeconds: 60, run: () => access.fourEyes.expire() },
    {
      name: 'old sessions',
      everySeconds: 3600,
      run: async () => void (await store.commit({ writes: [{ kind: 'access.sweep', now: clock.now() }], audit: [] })),
    },
    { name: 'counted refusals', everySeconds: 60, run: () => registration.refusals.flush() },
    { name: 'server certificate', everySeconds: 3600, run: renewCertificate },
    {
      name: 'acts on many',
      onChange: { atMostEverySeconds: 1 },
      everySeconds: 5,
      run: () => runner.takeOn(),
    },
    {
      name: 'campaigns',
      onChange: { atMostEverySeconds: 1 },
      everySeconds: 5,
      run: signal => advanceCampaigns({ store, clock }, signal),
    },
    {
      name: 'checkpoint',
      onChange: { atMostEverySeconds: 2 },
      everySeconds: 60,
      run: signCheckpoint,
    },
    // After all others: what they mend at start is no alert.
    { name: 'alerts', everySeconds: 15, run: () => alerting.evaluate() },
    { name: 'notices', everySeconds: 5, run: async () => alerting.send() },
  ]
}

/** An instance whose authorities are all elsewhere serves without a trust bundle; `touchmark doctor` says so too. */
async function refreshTrustBundle(bundles: TrustBundles, logger: Logger): Promise<void> {
  try {
    await bundles.refresh()
  } catch (thrown) {
    const { code } = asTouchmarkError(thrown)
    if (code !== 'trust_bundle.no_signer' && code !== 'trust_bundle.no_root') throw thrown
    logger.warning('trust_bundle.missing', errorFields(thrown))
  }
}

/** Keys that this server makes for devices travel under its own signature (RFC 7030 §4.4.2). */
async function keyPackageSigner(
  { identity }: TlsMaterial,
  { keyStore, authorities }: Instance,
): Promise<KeyPackageSigner> {
  return {
    signer: await keyStore.signer(identity.keyUri),
    certificate: identity.certificate,
    chain: await authorities.chain(identity.record.authorityId),
  }
}

/** The configured port is a wish: a second instance on the same machine takes another, and says so. */
async function openPlainListener(
  plain: Omit<ListenerOptions, 'port'>,
  { configuration, authorities }: Instance,
  options: ServerOptions,
  warnings: string[],
): Promise<Listener> {
  if (options.httpPort !== undefined) return openListener({ ...plain, port: options.httpPort })
  const port = configuration.listen.httpPort
  try {
    return await openListener({ ...plain, port })
  } catch (thrown) {
    if (!(thrown instanceof TouchmarkError) || thrown.code !== 'listen.port_taken') throw thrown
    const listener = await openListener({ ...plain, port: 0 })
    const { publicHttpUrl } = await authorities.settings()
    warnings.push(
      `Port ${port} is taken, so CRLs and OCSP are on port ${listener.port}; certificates of this instance name ${publicHttpUrl}.`,
    )
    return listener
  }
}

/** Ends in order: no new connections, requests in flight finish, jobs stop, the log is told. */
async function stop(running: AsyncDisposableStack, listeners: readonly Listener[], logger: Logger): Promise<void> {
  logger.info('server.stopping')
  await Promise.all(listeners.map(listener => listener.close()))
  await running.disposeAsync()
  logger.info('server.stopped')
}

async function record({ store, clock }: Instance, action: Extract<AuditAction, `server.${string}`>): Promise<void> {
  const actor = { kind: 'system', id: 'server' } as const
  await store.commit({ writes: [], audit: [{ at: clock.now(), actor, action, outcome: 'done', subject: {} }] })
}

type Reply = Parameters<NonNullable<ListenerOptions['onReply']>>[0]

function metricsPlace(
  configured: Configuration['metrics'],
  port: number | undefined,
): { readonly host: string; readonly port: number } | undefined {
  if (port !== undefined) return { host: configured?.host ?? '127.0.0.1', port }
  return configured ?? undefined
}

/** What this process needs to be of use: an orchestrator sends it no requests while one of these fails. */
function readinessChecks(instance: Instance, jobs: JobLoop): ReadinessCheck[] {
  const { store, clock, authorities } = instance
  return [
    { name: 'store', check: async () => void (await store.read.changeMarker()) },
    { name: 'keys', check: () => assertIssuersSign(authorities) },
    { name: 'jobs', check: async () => assertNone(jobs.failing.filter(name => name !== CRL_OUTLETS_JOB)) },
    { name: 'crls', check: () => assertCrlsFresh(instance, clock.now()) },
  ]
}

async function assertIssuersSign(authorities: Instance['authorities']): Promise<void> {
  for (const { id, kind, state } of await authorities.all()) {
    if (kind === 'issuing' && state === 'active') await authorities.signing(id)
  }
}

/** The lists of authorities whose key is here: the offline root's are somebody's handwork, and no reason to send devices away. */
async function assertCrlsFresh(instance: Instance, now: number): Promise<void> {
  const { authorities, store } = instance
  for (const { id, crlShards } of await authorities.all()) {
    const issuer = await onlineIssuer(instance, id)
    if (issuer === undefined || issuer.certificate.notAfter < now) continue
    for (let shard = 0; shard < Math.min(crlShards, MAX_SHARDS_CHECKED); shard++) {
      const list = await store.read.publicationHead(crlPublicationName(id, shard))
      if (list !== undefined && list.nextUpdate >= now) continue
      throw new TouchmarkError('server.crl_stale', 'unavailable', `A CRL of ${id} is missing or out of date.`, {
        evidence: { authorityId: id, shard },
      })
    }
  }
}

/** A readiness check answers at once; the alert rules look at them all. */
const MAX_SHARDS_CHECKED = 16

async function assertNone(failing: readonly string[]): Promise<void> {
  if (failing.length > 0)
    throw new TouchmarkError('server.jobs_failing', 'unavailable', `These jobs fail: ${failing.join(', ')}.`)
}

const LOOPBACK = ['localhost', '127.0.0.1', '::1']
const WILDCARDS = ['0.0.0.0', '::']

/** The names that the server's certificate must have for clients to find the right one. */
function namesOf(publicUrl: string, host: string): string[] {
  const published = new URL(publicUrl).hostname.replace(/^\[|\]$/g, '')
  const local = LOOPBACK.includes(host) || WILDCARDS.includes(host) ? LOOPBACK : [host]
  return [...new Set([published, ...local])]
}

/** How clients on this machine reach the listener. */
function urlHost(host: string): string {
  if (LOOPBACK.includes(host) || WILDCARDS.includes(host)) return 'localhost'
  return isIP(host) === 6 ? `[${host}]` : host
}
