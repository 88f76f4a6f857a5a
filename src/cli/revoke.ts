// `touchmark revoke`: one certificate, everything of a device, or what a query finds; final, on hold, or on hold first so that it can be undone. A
// running server of the same data folder publishes the new CRLs within seconds; OCSP and the TLS door know at once. Many are a job, which
// goes on in the server, or here, where it was interrupted.
import { setTimeout as sleep } from 'node:timers/promises'
import { InvalidArgumentError } from 'commander'
import { asTouchmarkError, TouchmarkError } from '../core/errors.ts'
import { systemRandom } from '../crypto/random.ts'
import { authorityId, serialNumber } from '../domain/ids.ts'
import type { StoredJob } from '../domain/jobs/job.ts'
import { parseInstant } from '../domain/parse-instant.ts'
import type { Store } from '../domain/ports.ts'
import type { AskedSelection } from '../domain/revocation/asked-certificates.ts'
import type { AskedTerms } from '../domain/revocation/mass-revocation.ts'
import type { RevocationPreview } from '../domain/revocation/preview.ts'
import type { RevocationOutcome } from '../domain/revocation/revoke.ts'
import { timestamp as time } from '../domain/timestamp.ts'
import { act, type Command, type Context, command, duration, positiveInteger, usageError } from './command.ts'
import { addLabel, type DeviceQueryOptions, standingQueryOf } from './device-query-options.ts'
import { findDevice } from './find-device.ts'
import { OPERATOR } from './operator.ts'
import { timestamp } from './output.ts'
import { progressBar } from './progress.ts'
import { systemClock, withStore } from './store.ts'
import { statusView } from './views.ts'

interface Options extends Omit<DeviceQueryOptions, 'group' | 'state'> {
  readonly certificate?: string
  readonly device?: string
  readonly issuedFrom?: number
  readonly issuedBefore?: number
  readonly expiresBefore?: number
  readonly reason?: string
  readonly hold?: boolean
  readonly release?: boolean
  readonly undoWithin?: number
  readonly suspectSince?: number
  readonly because?: string
  readonly preview?: boolean
  readonly expect?: number
  readonly undo?: string
  readonly job?: string
}

export function revokeCommand(): Command {
  const revoke = command({
    name: 'revoke',
    summary: 'Revoke, hold or release certificates: one, those of a device, or what a query finds',
    description:
      'A revocation is final, but for the reason certificateHold, which --release ends, and with --undo-within, which holds\n' +
      'first and revokes when the time is over. With keyCompromise every certificate over the same key ends, and the key is\n' +
      'never certified again. Conditions must all hold; look with --preview first, and say with --expect how many it showed.\n' +
      'Reasons: keyCompromise, superseded, cessationOfOperation, affiliationChanged, privilegeWithdrawn,\n' +
      'cACompromise (authorities only), certificateHold, unspecified.',
    examples: [
      ['revoke --certificate 6743a1f0… --reason keyCompromise', 'One certificate, by serial number in hex'],
      ['revoke --device SN-000042 --reason cessationOfOperation', 'Everything that a device holds'],
      ['revoke --certificate 6743a1f0… --hold', 'Put it on hold'],
      ['revoke --certificate 6743a1f0… --release', 'End the hold'],
      ['revoke --model gateway-7 --firmware 1.2.0 --preview', 'What a query would meet, and what stops working'],
      [
        'revoke --model gateway-7 --firmware 1.2.0 --reason keyCompromise --expect 51200 --undo-within 24h',
        'Do it, with a day to undo it',
      ],
      ['revoke --undo 6745ab01…', 'Release what that job put on hold'],
    ],
  })
    .option('-c, --certificate <hex>', 'serial number of a certificate')
    .option('--device <serial>', 'serial number of a device: all its live certificates')
    .option('-m, --model <model>', 'devices of this model; beside --device: where two models share the serial number')
    .option('-b, --batch <id>', 'devices of this batch')
    .option('--owner <name>', 'devices of this owner')
    .option('--site <name>', 'devices at this site')
    .option('--label <name=value>', 'devices with this label; may be given again', addLabel)
    .option('--firmware <version>', 'devices that reported this firmware')
    .option('--not-seen-for <duration>', 'devices that have not reported for this time, or never: 30d', duration)
    .option('-a, --authority <id>', 'issued by it; beside --certificate: where two used the serial number')
    .option('--profile <name>', 'issued under this profile')
    .option('--key-algorithm <name>', 'over such a key')
    .option('--issued-from <time>', 'issued then or later: 2026-01-31T12:00:00Z', instant)
    .option('--issued-before <time>', 'issued before', instant)
    .option('--expires-before <time>', 'whose validity ends before', instant)
    .option('-r, --reason <reason>', 'why (RFC 5280 §5.3.1)')
    .option('--hold', 'the same as --reason certificateHold')
    .option('--undo-within <duration>', 'hold now, revoke when this time is over: 24h', duration)
    .option('--suspect-since <time>', 'since when the key may have been misused (invalidity date)', instant)
    .option('--because <word>', 'a ticket number, for the log')
    .option('--preview', 'change nothing: say what it would meet')
    .option(
      '--expect <number>',
      'how many certificates the preview showed; more than that are not revoked',
      positiveInteger,
    )
    .option('--release', 'end a hold')
    .option('--undo <job>', 'release what this revocation put on hold')
    .option('--job <id>', 'go on with a job that was interrupted, or watch it')
  return act<Options>(revoke, (context: Context<Options>) => {
    checkUsage(context.options)
    return withStore(context.data, store => run(context, store))
  })
}

async function run({ out, options, signal }: Context<Options>, store: Store): Promise<void> {
  if (options.certificate !== undefined) return tell(await revokeOne(options, store), out)
  if (options.device !== undefined && !options.preview && !options.release) {
    return tell(await revokeDeviceOf(options, store), out)
  }
  const job = options.job === undefined ? await begin(options, store, out) : await known(options.job, store)
  if (job === undefined) return
  const ended = await runOrWatch(job, store, out, signal)
  out.result(jobView(ended), () => jobText(ended))
}

/** Starts the job that the options ask for; after a preview there is none. */
async function begin(options: Options, store: Store, out: Context<Options>['out']): Promise<StoredJob | undefined> {
  const { read } = store
  const ports = { store, clock: systemClock, random: systemRandom }
  const now = systemClock.now()
  const because = options.because
  const mass = await import('../domain/revocation/mass-revocation.ts')
  const { countSelected, previewRevocation } = await import('../domain/revocation/preview.ts')
  if (options.undo !== undefined) {
    const undone = await mass.undoSelection(options.undo, now, ports)
    const total = await countSelected(undone.query, read)
    return mass.startRelease({ ...undone, because, total }, OPERATOR, ports)
  }
  const { selectionAt } = await import('../domain/revocation/asked-certificates.ts')
  const asked = await askedOf(options, store)
  if (options.release) {
    const { query } = await selectionAt(asked, ['held'], now, read)
    const total = await countSelected(query, read)
    assertExpected(total, options)
    return mass.startRelease({ query, because, total }, OPERATOR, ports)
  }
  const terms = await termsOf(options)
  const selection = await selectionAt(asked, mass.statusesFor(terms.reason), now, read)
  if (options.preview) {
    const bar = progressBar(out, 'certificates')
    const progress = (counted: number) => bar.update(counted, counted)
    const preview = await previewRevocation(selection.query, now, read, { progress }).finally(() => bar.stop())
    out.result(previewView(preview), () => previewText(preview))
    return undefined
  }
  mass.termsAt(terms, now)
  const total = await countSelected(selection.query, read)
  assertExpected(total, options)
  return mass.startRevocation({ selection, terms, total }, OPERATOR, ports)
}

async function known(id: string, store: Store): Promise<StoredJob> {
  const { readJob } = await import('../domain/jobs/start-job.ts')
  return readJob(id, store)
}

const LOOK_MS = 500

/** Works on the job, or looks on while a server does, until it is over or somebody interrupts. */
async function runOrWatch(
  job: StoredJob,
  store: Store,
  out: Context<Options>['out'],
  signal: AbortSignal,
): Promise<StoredJob> {
  const { runJob } = await import('../domain/jobs/run-job.ts')
  const { LEASE_SECONDS, movedJob } = await import('../domain/jobs/job.ts')
  const bar = progressBar(out, 'certificates')
  const ticking = setInterval(() => {
    void store.read.job(job.id).then(at => at && bar.update(at.done, at.total ?? at.done))
  }, LOOK_MS)
  out.note(`Job ${job.id}. Where it is interrupted, go on with: touchmark revoke --job ${job.id}`)
  try {
    for (let at = job; ; ) {
      if (at.state !== 'running' || signal.aborted) return at
      if (at.leaseUntil <= systemClock.now()) {
        const taken = movedJob(at, { leaseUntil: systemClock.now() + LEASE_SECONDS })
        try {
          await store.commit({ writes: [{ kind: 'job.put', job: taken, from: at.revision }], audit: [] })
          at = await runJob(taken, { store, clock: systemClock, random: systemRandom }, signal)
          continue
        } catch (thrown) {
          // A server was faster.
          if (asTouchmarkError(thrown).code !== 'job.changed') throw thrown
        }
      }
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)
      at = (await store.read.job(job.id)) ?? at
    }
  } finally {
    clearInterval(ticking)
    bar.stop()
  }
}

async function revokeOne(options: Options, store: Store): Promise<RevocationOutcome> {
  const { releaseCertificate, revokeCertificate } = await import('../domain/revocation/revoke.ts')
  const ports = { store, clock: systemClock }
  const selector = {
    serialNumber: serialNumber(options.certificate!),
    ...(options.authority === undefined ? {} : { authorityId: authorityId(options.authority) }),
  }
  if (options.release) return releaseCertificate(selector, OPERATOR, ports)
  const { termsAt } = await import('../domain/revocation/mass-revocation.ts')
  return revokeCertificate(selector, termsAt(await termsOf(options), systemClock.now()), OPERATOR, ports)
}

async function revokeDeviceOf(options: Options, store: Store): Promise<RevocationOutcome> {
  const { revokeDevice } = await import('../domain/revocation/revoke.ts')
  const { termsAt } = await import('../domain/revocation/mass-revocation.ts')
  const device = await findDevice(store.read, options.device!, options.model)
  const terms = termsAt(await termsOf(options), systemClock.now())
  return revokeDevice(device.id, terms, OPERATOR, { store, clock: systemClock })
}

async function termsOf(options: Options): Promise<AskedTerms> {
  const { parseRevocationReason } = await import('../domain/revocation/terms.ts')
  const said = options.hold ? 'certificateHold' : (options.reason ?? 'unspecified')
  return {
    reason: parseRevocationReason(said),
    suspectSince: options.suspectSince,
    undoWithinSeconds: options.undoWithin,
    because: options.because,
  }
}

async function askedOf(options: Options, { read }: Store): Promise<AskedSelection> {
  const { device, authority, profile, keyAlgorithm, issuedFrom, issuedBefore, expiresBefore, ...devices } = options
  if (device !== undefined) return { ids: [(await findDevice(read, device, options.model)).id] }
  const { askedCertificatesSchema } = await import('../domain/revocation/asked-certificates.ts')
  const own = {
    authority,
    profile,
    // Checks the word, and says which there are.
    keyAlgorithm: standingQueryOf(keyAlgorithm === undefined ? {} : { keyAlgorithm }).keyAlgorithm,
    issuedFrom: issuedFrom === undefined ? undefined : time(issuedFrom),
    issuedBefore: issuedBefore === undefined ? undefined : time(issuedBefore),
    expiresBefore: expiresBefore === undefined ? undefined : time(expiresBefore),
  }
  const query = standingQueryOf(devices)
  return {
    ...(Object.values(own).some(value => value !== undefined)
      ? { certificates: askedCertificatesSchema.parse(own) }
      : {}),
    ...(Object.keys(query).length > 0 ? { devices: query } : {}),
  }
}

const CONDITIONS = [
  'model',
  'batch',
  'owner',
  'site',
  'label',
  'firmware',
  'notSeenFor',
  'authority',
  'profile',
  'keyAlgorithm',
  'issuedFrom',
  'issuedBefore',
  'expiresBefore',
] as const satisfies readonly (keyof Options)[]

function checkUsage(options: Options): void {
  const { certificate, device, undo, job, reason, hold, release, preview } = options
  const byQuery =
    certificate === undefined && device === undefined && CONDITIONS.some(name => options[name] !== undefined)
  const ways = [certificate !== undefined, device !== undefined, byQuery, undo !== undefined, job !== undefined]
  if (ways.filter(Boolean).length !== 1) {
    throw usageError('Name either --certificate HEX, --device SERIAL, conditions of a query, --undo JOB or --job ID.')
  }
  if (certificate !== undefined && !/^[0-9a-fA-F:]{1,128}$/.test(certificate)) {
    throw usageError('A certificate’s serial number is hexadecimal.', 'touchmark device show SERIAL prints it.')
  }
  const further = [reason, hold, options.undoWithin, options.suspectSince].some(value => value !== undefined)
  if ((release || undo !== undefined || job !== undefined) && further) {
    throw usageError(`${release ? '--release' : undo === undefined ? '--job' : '--undo'} takes no --reason.`)
  }
  if (hold && reason !== undefined && reason.toLowerCase() !== 'certificatehold') {
    throw usageError(
      '--hold is the reason certificateHold.',
      'To hold first and revoke later: --reason R --undo-within 24h.',
    )
  }
  if (certificate !== undefined && preview)
    throw usageError('One certificate needs no preview.', 'Look: touchmark certificate show HEX')
  const acts = !release && undo === undefined && job === undefined && !preview
  if (acts && reason === undefined && !hold) {
    throw usageError('A revocation states its reason.', 'Add --reason, for example --reason keyCompromise.')
  }
  if (byQuery && !preview && options.expect === undefined) {
    throw usageError(
      'A query says how many certificates it is about.',
      'Look with --preview first, then add --expect NUMBER.',
    )
  }
}

/** Throws `revocation.more_than_expected`. */
function assertExpected(found: number, { expect }: Options): void {
  if (expect === undefined || found <= expect) return
  throw new TouchmarkError(
    'revocation.more_than_expected',
    'conflict',
    `The query means ${found} certificates now, not ${expect}.`,
    { next: 'Look with --preview again.', evidence: { certificates: found, expected: expect } },
  )
}

function tell(outcome: RevocationOutcome, out: Context<Options>['out']): void {
  const changed = outcome.changed.map(({ authorityId: issuer, serialNumber: serial, status }) => ({
    serialNumber: serial,
    issuer,
    status: status.kind,
    ...statusView(status),
  }))
  out.result({ changed, unchanged: outcome.unchanged }, () =>
    changed.length === 0
      ? `Nothing changed: ${outcome.unchanged} certificate(s) were in that state already.`
      : outcome.changed
          .map(({ authorityId: issuer, serialNumber: serial, status }) => {
            const reason = status.kind === 'revoked' ? `, ${status.reason}` : ''
            const end =
              status.kind === 'held' && status.ends !== null
                ? `; revoked (${status.ends.reason}) at ${timestamp(status.ends.at)} unless it is released before`
                : ''
            return `${serial}  ${issuer}  ${status.kind}${reason}${end}`
          })
          .join('\n'),
  )
}

const previewView = ({ lastExpiry, sample, ...preview }: RevocationPreview) => ({
  ...preview,
  lastExpiry: lastExpiry === null ? null : timestamp(lastExpiry),
  sample: sample.map(({ authorityId: issuer, notAfter, ...each }) => ({
    issuer,
    notAfter: timestamp(notAfter),
    ...each,
  })),
})

function previewText(preview: RevocationPreview): string {
  const { certificates, sampled, devices, left, contact, byModel, byOwner, others, campaigns, lastExpiry, sample } =
    preview
  const most = (title: string, tallies: RevocationPreview['byModel'], rest: number) =>
    tallies.length === 0
      ? []
      : [
          `${title}:`,
          ...tallies.slice(0, 10).map(({ name, count }) => `  ${count}  ${name}`),
          ...(tallies.length > 10 || rest > 0
            ? [`  ${tallies.slice(10).reduce((sum, { count }) => sum + count, rest)}  others`]
            : []),
        ]
  return [
    `${certificates} certificates of ${sampled === null ? '' : 'about '}${devices} devices.`,
    ...(sampled === null
      ? []
      : [`The certificates are counted; what follows is told from ${sampled} of them, spread over all.`]),
    `${left.none} devices have no other live certificate and stop working; ${left.some} keep one.`,
    `${contact.recent} were heard from in the last 30 days, ${contact.silent} longer ago, ${contact.never} never.`,
    ...(lastExpiry === null
      ? []
      : [`Who asks for no status believes the last of them until ${timestamp(lastExpiry)}.`]),
    ...most('Models', byModel, others.models),
    ...most('Owners', byOwner, others.owners),
    ...campaigns.map(({ name, devices: part }) => `The campaign ${name} is under way with ${part} of the devices.`),
    ...(sample.length === 0 ? [] : ['Some of them:']),
    ...sample
      .slice(0, 5)
      .map(each => `  ${each.serialNumber}  ${each.profile}  ${each.device.model}  ${each.device.serialNumber}`),
    ...(certificates === 0 ? [] : [`To go on, say: --reason REASON --expect ${certificates}`]),
  ].join('\n')
}

const jobView = ({ id, act: what, state, done, changed, failed, total, failures, outcome }: StoredJob) => ({
  job: id,
  act: what,
  state,
  done,
  changed,
  failed,
  total,
  failures,
  outcome,
})

function jobText({ id, act: what, state, changed, failed, failures }: StoredJob): string {
  const did = what === 'certificates.release' ? 'released' : 'revoked or put on hold'
  return [
    `${changed} certificates ${did}${failed > 0 ? `, ${failed} could not be` : ''}: the job is ${state}.`,
    ...failures.slice(0, 10).map(({ what: name, code }) => `  ${name}  ${code}`),
    ...(state === 'running' ? [`Go on with: touchmark revoke --job ${id}`] : []),
  ].join('\n')
}

function instant(text: string): number {
  const seconds = parseInstant(text)
  if (seconds === undefined) throw new InvalidArgumentError('Write it as 2026-01-31T12:00:00Z.')
  return seconds
}
