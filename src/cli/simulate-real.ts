// `touchmark simulate --server`: a fleet of agents against a running server, over its public protocols, with faults. With the data folder of
// that server at hand it makes the tokens itself, and reads in the store afterwards whether any device holds two live certificates.
import { readFile } from 'node:fs/promises'
import { toPem } from '../core/asn1/pem.ts'
import { toHex } from '../core/bytes/hex.ts'
import { systemRandom } from '../crypto/random.ts'
import { isLive } from '../domain/ca/certificate-record.ts'
import type { Store } from '../domain/ports.ts'
import { createToken } from '../domain/ra/create-token.ts'
import { type FleetUnit, type RealFleetResult, runFleet } from '../sim/real-fleet.ts'
import { type Context, usageError } from './command.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { keylessAuthorities } from './keyless-authorities.ts'
import { OPERATOR } from './operator.ts'
import { facts } from './output.ts'
import { progressBar } from './progress.ts'
import { systemClock, withStore } from './store.ts'
import { storedProfile } from './stored-profile.ts'

export interface RealOptions {
  readonly server?: readonly string[]
  readonly trust?: string
  readonly tokens?: string
  readonly devices: number
  readonly model: string
  readonly faults: string
  readonly renewals: string
  readonly concurrency: number
  readonly profile?: string
  readonly seed: number
}

const MAX_DEVICES = 100_000
const MAX_RENEWALS = 1000
const TOKEN_LIFETIME_SECONDS = 86_400
/** Tokens made at the same time: they share the store's commits. */
const TOKENS_AT_ONCE = 64

/** Exit code 1 where a device ended without an identity, or with two. */
export async function simulateForReal(context: Context<RealOptions>): Promise<ExitCode> {
  const { out, data, options } = context
  const faults = Number(options.faults)
  if (!(faults >= 0 && faults <= 0.5)) throw usageError('--faults is a share: 0 to 0.5.')
  if (options.devices > MAX_DEVICES) throw usageError(`At most ${MAX_DEVICES} devices act for real; see --virtual.`)
  const renewals = Number(options.renewals)
  if (!(Number.isInteger(renewals) && renewals >= 0 && renewals <= MAX_RENEWALS)) {
    throw usageError(`--renewals is a whole number, at most ${MAX_RENEWALS}.`)
  }
  const profile = options.profile ?? 'ldevid'
  const ours = options.tokens === undefined
  const trustAnchors =
    options.trust === undefined ? await withStore(data, trustBundle) : await readFile(options.trust, 'utf8')
  const units = ours ? await withStore(data, store => makeTokens(store, profile, context)) : await readTokens(options)

  const bar = progressBar(out, 'devices')
  const result = await runFleet({
    servers: options.server!,
    trustAnchors,
    units,
    profile,
    renewals,
    faults,
    concurrency: options.concurrency,
    seed: options.seed,
    progress: (_phase, done, of) => bar.update(done, of),
  })
  bar.stop()
  const live = ours ? await withStore(data, store => countLive(store, units, profile)) : null
  const view = viewOf(result, live)
  out.result(view, () => textOf(view))
  return view.valid === view.devices && (view.duplicates ?? 0) === 0 ? EXIT.ok : EXIT.no
}

async function trustBundle(store: Store): Promise<string> {
  const roots = await keylessAuthorities(store).trustBundle()
  return roots.map(der => toPem('CERTIFICATE', der)).join('')
}

async function makeTokens(store: Store, profile: string, { out, options }: Context<RealOptions>): Promise<FleetUnit[]> {
  const run = toHex(systemRandom.bytes(4)).toUpperCase()
  const ports = {
    store,
    clock: systemClock,
    random: systemRandom,
    authorities: { profile: (name: string) => storedProfile(store.read, name) },
  }
  const bar = progressBar(out, 'tokens')
  const units: FleetUnit[] = []
  for (let from = 0; from < options.devices; from += TOKENS_AT_ONCE) {
    const count = Math.min(TOKENS_AT_ONCE, options.devices - from)
    const made = Array.from({ length: count }, async (_, i): Promise<FleetUnit> => {
      const serialNumber = `SIM-${run}-${from + i + 1}`
      const { model } = options
      const request = { model, serialNumber, profile, lifetimeSeconds: TOKEN_LIFETIME_SECONDS, actor: OPERATOR }
      return { model, serialNumber, token: (await createToken(request, ports)).secret }
    })
    units.push(...(await Promise.all(made)))
    bar.update(units.length, options.devices)
  }
  bar.stop()
  return units
}

/** Lines of JSON as `touchmark token create --json` prints them: device serial number, model, token. */
async function readTokens({ tokens, devices, model }: RealOptions): Promise<FleetUnit[]> {
  const lines = (await readFile(tokens!, 'utf8')).split('\n').filter(line => line.trim() !== '')
  const units = lines.map((line, i): FleetUnit => {
    const { serialNumber, token, ...unit } = JSON.parse(line) as Partial<FleetUnit>
    if (typeof serialNumber !== 'string' || typeof token !== 'string') {
      throw usageError(`Line ${i + 1} of ${tokens} has no serialNumber and token.`)
    }
    return { serialNumber, token, model: unit.model ?? model }
  })
  if (units.length < devices) throw usageError(`${tokens} has ${units.length} tokens for ${devices} devices.`)
  return units.slice(0, devices)
}

interface Live {
  readonly duplicates: number
  readonly without: number
}

/** What the store says: devices with more than one live certificate of the profile, and with none. */
async function countLive(store: Store, units: readonly FleetUnit[], profile: string): Promise<Live> {
  const now = systemClock.now()
  let duplicates = 0
  let without = 0
  for (const { model, serialNumber } of units) {
    const device = await store.read.deviceBySerial(model, serialNumber)
    const records = device ? await store.read.certificatesOfDevice(device.id) : []
    const live = records.filter(record => record.profile === profile && isLive(record, now)).length
    if (live > 1) duplicates++
    if (live === 0) without++
  }
  return { duplicates, without }
}

function viewOf({ seconds, ...result }: RealFleetResult, live: Live | null) {
  return {
    ...result,
    /** Devices with more than one live certificate; `null` where only the server could tell. */
    duplicates: live?.duplicates ?? null,
    withoutLive: live?.without ?? null,
    seconds: Number(seconds.toFixed(1)),
    actsPerSecond: Number((result.acts / seconds).toFixed(1)),
  }
}

function textOf(view: ReturnType<typeof viewOf>): string {
  const faults = Object.entries(view.faults)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind.replaceAll('-', ' ')}`)
    .join(', ')
  return facts([
    ['Devices', `${view.devices}, ${view.valid} with one valid identity at the end`],
    ['Renewals', String(view.renewals)],
    ['Two live certificates', view.duplicates === null ? 'not known without the data folder' : String(view.duplicates)],
    ['Faults', faults === '' ? 'none' : faults],
    ['Copies turned away', `${view.clonesRefused} of ${view.faults.clone}`],
    ['Repeated', `${view.repeated} of ${view.acts} acts`],
    ['Took', `${view.seconds} s, ${view.actsPerSecond} acts a second`],
    ...view.invalid.map(({ serialNumber, reason }) => [serialNumber, reason] as const),
  ])
}
