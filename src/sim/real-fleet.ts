// A fleet in real time against a running server: each device is an agent with its own key and its own files, speaks EST over mutual TLS, and
// is struck by faults. What comes out says whether every device ended with one valid identity.
import { type AgentIdentity, DeviceAgent } from '../agent/device-agent.ts'
import { httpsTransport } from '../agent/https-transport.ts'
import { type MemoryStorage, memoryStorage, PowerCut } from '../agent/memory-storage.ts'
import { refusal } from '../agent/transport.ts'
import { TouchmarkError } from '../core/errors.ts'
import { MAX_RENEWAL_INFO, parseRenewalInfo } from '../core/messages/renewal-info.ts'
import { FAULT_KINDS, type FaultKind, FaultyWorld } from './faults.ts'
import { type SimulationRandom, simulationRandom } from './random.ts'

export interface FleetUnit {
  readonly model: string
  readonly serialNumber: string
  /** One-time token for its first certificate. */
  readonly token: string
}

export interface RealFleetOptions {
  readonly servers: readonly string[]
  /** Roots in PEM. */
  readonly trustAnchors: string
  readonly units: readonly FleetUnit[]
  readonly profile: string
  /** Renewals of each device, all devices at once each time: the bursts that levelling avoids. */
  readonly renewals: number
  /** Probability that an act of a device meets a fault; and that a device is copied. */
  readonly faults: number
  /** Devices that act at the same time. */
  readonly concurrency: number
  readonly seed: number
  readonly progress?: (phase: string, done: number, of: number) => void
}

export interface RealFleetResult {
  readonly devices: number
  /** Devices that hold an identity at the end which the server takes for theirs. */
  readonly valid: number
  readonly renewals: number
  /** Tries of acts beyond the first: what the faults cost. */
  readonly repeated: number
  readonly faults: Readonly<Record<FaultKind | 'clone', number>>
  /** Copies that the server turned away. */
  readonly clonesRefused: number
  readonly acts: number
  readonly seconds: number
  readonly invalid: readonly { readonly serialNumber: string; readonly reason: string }[]
}

/** After so many tries a device is given up: with faults on one act in twenty nobody gets there by bad luck. */
const MAX_TRIES = 25
/** A simulation does not wait longer for a server that sends its devices away. */
const LONGEST_WAIT_SECONDS = 60
/** Devices that went wrong and are named. */
const INVALID_SHOWN = 20

/** Lets the fleet live: enrolment, renewals, a last report. Rejects where the simulation itself cannot work, never for a device. */
export async function runFleet(options: RealFleetOptions): Promise<RealFleetResult> {
  const started = performance.now()
  const devices = options.units.map((unit, i) => new FleetDevice(unit, options, simulationRandom(options.seed + i)))
  const phase = (name: string, act: (device: FleetDevice) => Promise<void>) =>
    together(devices, options.concurrency, act, done => options.progress?.(name, done, devices.length))
  await phase('enrol', device => device.enrol())
  for (let round = 1; round <= options.renewals; round++) await phase(`renewal ${round}`, device => device.renew())
  await phase('report', device => device.settle())
  return resultOf(devices, (performance.now() - started) / 1000)
}

class FleetDevice {
  readonly unit: FleetUnit
  readonly #options: RealFleetOptions
  readonly #random: SimulationRandom
  readonly #storage: MemoryStorage = memoryStorage()
  readonly #world: FaultyWorld
  #agent: DeviceAgent
  /** Reports that the server answered. */
  #reports = 0
  #copy: MemoryStorage | undefined
  clones = 0
  clonesRefused = 0
  renewals = 0
  acts = 0
  repeated = 0
  /** Why it has no valid identity; `undefined`: it has one. */
  failure: string | undefined

  constructor(unit: FleetUnit, options: RealFleetOptions, random: SimulationRandom) {
    this.unit = unit
    this.#options = options
    this.#random = random
    this.#world = new FaultyWorld(httpsTransport, random)
    this.#agent = this.#boot()
  }

  get faults(): Readonly<Record<FaultKind, number>> {
    return this.#world.counts
  }

  #boot(): DeviceAgent {
    return new DeviceAgent({
      storage: this.#storage,
      transport: this.#world,
      now: this.#world.now,
      onEvent: ({ event }) => {
        if (event === 'reported') this.#reports++
      },
    })
  }

  enrol(): Promise<void> {
    const { servers, trustAnchors, profile } = this.#options
    const { model, serialNumber, token } = this.unit
    return this.#act(async () => {
      const status = await this.#agent.status()
      // What was under way when the power went is finished by the agent itself.
      if (status.serialNumber !== null) return void (await this.#agent.tick({ atOnce: true }))
      await this.#agent.enrol({
        model,
        serialNumber,
        servers,
        trustAnchors,
        profile,
        evidence: { kind: 'token', token },
      })
    })
  }

  async renew(): Promise<void> {
    if (this.failure !== undefined) return
    if (this.#random.next() < this.#options.faults) {
      this.#copy = this.#storage.clone()
      this.clones++
    }
    const before = (await this.#agent.status()).serialNumber
    await this.#act(async () => {
      if ((await this.#agent.status()).serialNumber === before) await this.#agent.renew()
      else await this.#agent.tick({ atOnce: true })
    })
    if (this.failure === undefined) this.renewals++
    await this.#tryCopy()
  }

  /** A last report, by which the server sees the certificate in use; then the server is asked what it takes for the device's. */
  async settle(): Promise<void> {
    if (this.failure !== undefined) return
    await this.#act(async () => {
      // An agent that was just switched on reports, whatever it said before.
      this.#agent = this.#boot()
      const before = this.#reports
      const { errors, nextAt } = await this.#agent.tick({ atOnce: true })
      if (errors[0]) throw new TouchmarkError(errors[0].code, 'unavailable', errors[0].message)
      // A server that sent it away with Retry-After has not seen the certificate yet: the agent keeps the wait, and so do we.
      if (this.#reports === before) throw notReported((nextAt ?? 0) - this.#agent.now())
    })
    if (this.failure !== undefined) return
    try {
      const identity = await this.#agent.identity()
      const known = await this.#asServerKnows(identity)
      if (known !== identity.serialNumber) this.failure = 'sim.server_knows_another'
    } catch (thrown) {
      this.failure = codeOf(thrown)
    }
  }

  /** The certificate that the server takes for the device's: of the first server that answers. */
  async #asServerKnows(identity: AgentIdentity): Promise<string> {
    let failure: unknown
    for (const server of this.#options.servers) {
      try {
        return await this.#askServer(server, identity)
      } catch (thrown) {
        failure ??= thrown
      }
    }
    throw failure
  }

  async #askServer(server: string, identity: AgentIdentity): Promise<string> {
    const { trustAnchors, profile } = this.#options
    const answer = await httpsTransport.exchange({
      method: 'GET',
      url: `${server}/api/v1/device/renewal-info?profile=${encodeURIComponent(profile)}`,
      trustAnchors,
      identity,
      maxBody: MAX_RENEWAL_INFO,
      deadlineMs: 30_000,
    })
    if (answer.status !== 200) throw refusal(answer)
    return parseRenewalInfo(answer.body).certificate.serialNumber
  }

  /** Whoever copied the files before the renewal now tries to renew with what they got. */
  async #tryCopy(): Promise<void> {
    const copy = this.#copy
    this.#copy = undefined
    if (copy === undefined || this.failure !== undefined) return
    const thief = new DeviceAgent({ storage: copy, transport: httpsTransport })
    try {
      await thief.renew()
    } catch (thrown) {
      if (!(thrown instanceof TouchmarkError)) throw thrown
      this.clonesRefused++
    }
  }

  /** Does it until it is done, with whatever goes wrong on the way. */
  async #act(work: () => Promise<unknown>): Promise<void> {
    this.acts++
    for (let attempt = 1; ; attempt++) {
      // A fault may strike any try; the ones after the first are struck as seldom.
      this.#world.strike(this.#options.faults, this.#storage)
      try {
        await work()
        return
      } catch (thrown) {
        if (!(thrown instanceof PowerCut || thrown instanceof TouchmarkError)) throw thrown
        if (attempt === MAX_TRIES) {
          this.failure = codeOf(thrown)
          return
        }
        this.repeated++
        // It comes up again with nothing but its files.
        if (thrown instanceof PowerCut) this.#agent = this.#boot()
        await sleep(waitOf(thrown))
      } finally {
        this.#world.relent(this.#storage)
      }
    }
  }
}

function notReported(retryAfterSeconds: number): TouchmarkError {
  return new TouchmarkError('sim.not_reported', 'unavailable', 'The server has not heard the last report.', {
    evidence: { retryAfterSeconds: Math.min(Math.max(retryAfterSeconds, 1), LONGEST_WAIT_SECONDS) },
  })
}

/** What the server asked for; the agent's own waits are for the field, and a simulation does not wait for them. */
function waitOf(thrown: Error): number {
  const asked = thrown instanceof TouchmarkError ? thrown.evidence['retryAfterSeconds'] : undefined
  return typeof asked === 'number' ? asked * 1000 : 5
}

function codeOf(thrown: unknown): string {
  return thrown instanceof TouchmarkError ? thrown.code : 'sim.unexpected'
}

const sleep = (milliseconds: number) => new Promise<void>(resolve => setTimeout(resolve, milliseconds))

/** Runs `act` for each, so many at a time. */
async function together<T>(
  items: readonly T[],
  concurrency: number,
  act: (item: T) => Promise<void>,
  onDone: (done: number) => void,
): Promise<void> {
  let next = 0
  let done = 0
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) {
      await act(items[i]!)
      onDone(++done)
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker))
}

function resultOf(devices: readonly FleetDevice[], seconds: number): RealFleetResult {
  const sum = (of: (device: FleetDevice) => number) => devices.reduce((total, device) => total + of(device), 0)
  const faults = Object.fromEntries(FAULT_KINDS.map(kind => [kind, sum(device => device.faults[kind])]))
  const invalid = devices.filter(device => device.failure !== undefined)
  return {
    devices: devices.length,
    valid: devices.length - invalid.length,
    renewals: sum(device => device.renewals),
    repeated: sum(device => device.repeated),
    faults: { ...(faults as Record<FaultKind, number>), clone: sum(device => device.clones) },
    clonesRefused: sum(device => device.clonesRefused),
    acts: sum(device => device.acts),
    seconds,
    invalid: invalid
      .slice(0, INVALID_SHOWN)
      .map(({ unit, failure }) => ({ serialNumber: unit.serialNumber, reason: failure! })),
  }
}
