// The fleet of the demo: a few hundred devices with five months behind them, played in fast motion. Nothing is written that did not happen: each
// birth, shipment, enrolment, renewal, report and end goes through the recipe that does it in earnest, with a clock that is set to its time. Only
// the network is left out, so that it takes a second.

import { makeCertificationRequest, type RequestedNames } from '../agent/certification-request.ts'
import { parseCertificate } from '../core/pki/certificate.ts'
import { parseCertificationRequest } from '../core/pki/csr.ts'
import { sha256Hex } from '../crypto/digest.ts'
import { generateKeyPair, type PrivateKey } from '../crypto/keys.ts'
import { softwareSigner } from '../crypto/signer.ts'
import { advanceCampaigns } from '../domain/campaign/advance-campaigns.ts'
import { startCampaign } from '../domain/campaign/control-campaign.ts'
import { parseCampaignDefinition } from '../domain/campaign/definition.ts'
import { planCampaign } from '../domain/campaign/plan-campaign.ts'
import { changeProperties } from '../domain/device/change-properties.ts'
import { destroyDevice } from '../domain/device/destroy-device.ts'
import { deviceContact } from '../domain/device/device-contact.ts'
import { groupDocument } from '../domain/device/device-group.ts'
import { ownerDocument } from '../domain/device/owner.ts'
import { proposeTransfer } from '../domain/device/propose-transfer.ts'
import { reportHealth } from '../domain/device/report-health.ts'
import { retireDevice } from '../domain/device/retire-device.ts'
import { shipDevice } from '../domain/device/ship-device.ts'
import { suspendDevice } from '../domain/device/suspend-device.ts'
import { runBatch } from '../domain/factory/run-batch.ts'
import type { UnitInput } from '../domain/factory/unit.ts'
import { type DeviceId, deviceId } from '../domain/ids.ts'
import type { Clock } from '../domain/ports.ts'
import { putDocument } from '../domain/put-document.ts'
import { enrol, refuseEnrolment } from '../domain/ra/enrol.ts'
import { createRegistration, type Registration } from '../domain/ra/registration.ts'
import type { Instance } from '../server/open-instance.ts'
import { type SimulationRandom, simulationRandom } from '../sim/random.ts'
import { OPERATOR } from './operator.ts'

const MINUTE = 60
const HOUR = 3600
const DAY = 86_400

/** How long ago the maker of the demo set up its authorities. */
export const DEMO_AGE_SECONDS = 152 * DAY

const PROFILE = 'ldevid'
const SITES = ['Hamburg', 'Porto', 'Gdansk', 'Lyon'] as const
const OWNERS = ['nordwind', 'aquila', 'volta'] as const
/** Events of one moment of the log: what happens in it is done together. */
const MOMENT = DAY
/** For so long before now the charts go by the hour. */
const FINE = 50 * HOUR
const SEED = 20_260_101

interface Unit {
  readonly model: string
  readonly serialNumber: string
  readonly site: string
  readonly owner: string
  readonly firmware: string
  readonly birthKey: PrivateKey
  /** After it was born. */
  id?: DeviceId
  birth?: Uint8Array
  /** What it holds in the field. */
  key?: PrivateKey
  certificate?: Uint8Array
  reports: number
  /** It is heard of no more from then on. */
  silentFrom: number
}

interface Event {
  readonly at: number
  /** Whose it is; of nobody: of the maker. */
  readonly unit: Unit | null
  readonly act: () => Promise<void>
}

export interface DemoFleet {
  readonly devices: number
  readonly days: number
}

interface Lot {
  readonly at: number
  readonly models: readonly (readonly [model: string, prefix: string, share: number])[]
  readonly enrol: boolean
}

/** Days before now, and what of the fleet is made then. */
const LOTS: readonly Lot[] = [
  {
    at: -148 * DAY,
    models: [
      ['gateway-x2', 'GW', 0.12],
      ['pump-c3', 'PC', 0.09],
    ],
    enrol: true,
  },
  { at: -120 * DAY, models: [['sensor-t1', 'ST', 0.33]], enrol: true },
  { at: -76 * DAY, models: [['meter-e5', 'ME', 0.26]], enrol: true },
  {
    at: -6 * DAY,
    models: [
      ['sensor-t1', 'ST', 0.12],
      ['meter-e5', 'ME', 0.08],
    ],
    enrol: false,
  },
]

/** Lives `devices` devices up to now, over an instance that was made `DEMO_AGE_SECONDS` ago and has none yet. */
export async function playDemoFleet(instance: Instance, devices: number): Promise<DemoFleet> {
  const end = instance.clock.now()
  let at = end - DEMO_AGE_SECONDS + HOUR
  const clock: Clock = { now: () => at }
  const { store, authorities, issuer, random } = instance
  await using registration = createRegistration({ store, authorities, issuer, clock, random })
  const fleet = new Fleet({ ...instance, clock }, registration, end)
  await fleet.begin(devices)
  for (;;) {
    const moment = fleet.takeMoment()
    if (moment === undefined) break
    // The clock never goes back, and never past now.
    at = Math.max(at, Math.min(moment.at, end))
    await fleet.advance()
    await together(moment.events)
  }
  return { devices: fleet.size, days: Math.round(DEMO_AGE_SECONDS / DAY) }
}

/** What the maker does comes first; then what each device does, in its order, all of them at once. */
async function together(events: readonly Event[]): Promise<void> {
  const inOrder = [...events].sort((a, b) => a.at - b.at)
  for (const { act } of inOrder.filter(({ unit }) => unit === null)) await act()
  const lives = Map.groupBy(
    inOrder.filter(({ unit }) => unit !== null),
    ({ unit }) => unit,
  )
  await Promise.all([...lives.values()].map(live))
}

async function live(events: readonly Event[]): Promise<void> {
  for (const { act } of events) await act()
}

class Fleet {
  readonly #ports: Instance
  readonly #registration: Registration
  readonly #end: number
  readonly #random: SimulationRandom = simulationRandom(SEED)
  readonly #units: Unit[] = []
  #events: Event[] = []
  #campaignRuns = false

  constructor(ports: Instance, registration: Registration, end: number) {
    this.#ports = ports
    this.#registration = registration
    this.#end = end
  }

  get size(): number {
    return this.#units.length
  }

  /** Documents, and everything that is planned from the beginning. */
  async begin(devices: number): Promise<void> {
    await this.#documents()
    for (const lot of LOTS) {
      const made: Unit[] = []
      for (const [model, prefix, share] of lot.models) {
        for (let i = 0; i < Math.max(2, Math.round(devices * share)); i++) made.push(await this.#unit(model, prefix))
      }
      this.#units.push(...made)
      this.#plan(lot.at, null, () => this.#produce(made))
      for (const unit of made) this.#life(unit, lot)
    }
    this.#ends()
    this.#plan(-27 * HOUR, null, () => this.#campaign())
    this.#plan(-20 * HOUR, null, () => this.#transfers())
  }

  /** The next events that belong together, and the time at which they are done; those that they plan come after. */
  takeMoment(): { readonly at: number; readonly events: readonly Event[] } | undefined {
    if (this.#events.length === 0) return undefined
    const first = this.#events.reduce((least, event) => Math.min(least, event.at), Number.POSITIVE_INFINITY)
    const fine = this.#end - FINE
    const until = first < fine ? Math.min(first + MOMENT, fine) : first + HOUR
    const events = this.#events.filter(event => event.at < until)
    this.#events = this.#events.filter(event => event.at >= until)
    return { at: first, events }
  }

  /** What the server does by itself while the campaign runs, and the devices that follow it. */
  async advance(): Promise<void> {
    if (!this.#campaignRuns) return
    await advanceCampaigns(this.#ports)
    for (const unit of this.#units) {
      if (unit.model !== 'gateway-x2' || unit.id === undefined || this.#random.next() > 0.2) continue
      const [held] = await this.#ports.store.read.credentialsOfDevice(unit.id)
      if (held?.order?.campaignId) this.#planAt(this.#ports.clock.now() + 10 * MINUTE, unit, () => this.#renew(unit))
    }
  }

  #plan(before: number, unit: Unit | null, act: () => Promise<void>): void {
    this.#planAt(this.#end + before, unit, act)
  }

  #planAt(at: number, unit: Unit | null, act: () => Promise<void>): void {
    if (at < this.#end) this.#events.push({ at, unit, act })
  }

  #within(least: number, most: number): number {
    return least + Math.floor(this.#random.next() * (most - least))
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#within(0, list.length)]!
  }

  async #documents(): Promise<void> {
    const { clock } = this.#ports
    for (const name of OWNERS) {
      const document = ownerDocument({ schema: 1, name, certificates: [] }, 1, clock.now())
      await putDocument(
        { kind: 'owner', name, action: 'owner.changed', body: () => document.body },
        OPERATOR,
        this.#ports,
      )
    }
    for (const site of SITES.slice(0, 2)) {
      const name = site.toLowerCase()
      const description = `Everything that stands in ${site}.`
      const document = groupDocument({ schema: 1, name, description, query: { site } }, 1, clock.now())
      await putDocument(
        { kind: 'group', name, action: 'group.changed', body: () => document.body },
        OPERATOR,
        this.#ports,
      )
    }
  }

  async #unit(model: string, prefix: string): Promise<Unit> {
    const number = 26_100_000 + this.#units.length * 37 + this.#within(0, 1_000_000) * 1000
    return {
      model,
      serialNumber: `${prefix}-${number.toString(36).toUpperCase()}`,
      site: this.#pick(SITES),
      owner: this.#pick(OWNERS),
      firmware: this.#random.next() < 0.8 ? '2.4.1' : '2.3.0',
      birthKey: await generateKeyPair('P-256'),
      reports: 0,
      silentFrom: this.#random.next() < 0.05 ? this.#end - this.#within(35 * DAY, 60 * DAY) : this.#end,
    }
  }

  /** A batch for all of them, with a line or two that are no units. */
  async #produce(units: readonly Unit[]): Promise<void> {
    const ports = this.#ports
    const byName = new Map(units.map(unit => [unit.serialNumber, unit]))
    const inputs = units.map(
      ({ model, serialNumber, birthKey, site }, i): UnitInput => ({
        line: i + 2,
        model,
        serialNumber,
        key: { kind: 'public_key', spki: birthKey.publicKey },
        labels: { line: site === 'Porto' ? 'A' : 'B' },
      }),
    )
    const message = 'A serial number is 1 to 64 printable ASCII characters.'
    inputs.push({ line: units.length + 2, code: 'factory.serial_invalid', message })
    await runBatch(
      {
        inputDigest: sha256Hex(new TextEncoder().encode(units.map(({ serialNumber }) => serialNumber).join('\n'))),
        units: (async function* () {
          yield* inputs
        })(),
        profile: await ports.authorities.profile('idevid'),
        rules: await this.#registration.rules(),
        operator: OPERATOR.id,
      },
      {
        ...ports,
        sink: {
          async write(results) {
            for (const result of results) {
              const unit = byName.get(result.serialNumber)
              if (unit && result.outcome !== 'rejected') unit.birth = new Uint8Array(result.certificate)
            }
          },
          stationKey: () => Promise.reject(new Error('Every unit of the demo has its own key.')),
        },
      },
    )
    for (const unit of units) {
      const device = await ports.store.read.deviceBySerial(unit.model, unit.serialNumber)
      if (device) unit.id = deviceId(device.id)
    }
  }

  /** What is planned for a device when it is born. */
  #life(unit: Unit, { at, enrol: field }: Lot): void {
    if (!field && this.#random.next() < 0.5) return
    const shipped = at + this.#within(DAY, field ? 20 * DAY : 5 * DAY)
    this.#plan(shipped, unit, () => this.#ship(unit))
    if (!field) return
    const enrolled = shipped + this.#within(DAY, 30 * DAY)
    this.#plan(enrolled, unit, () => this.#enrol(unit))
    // It reports every day; the last report is the one that stands.
    this.#planAt(unit.silentFrom - this.#within(10 * MINUTE, 30 * HOUR), unit, () => this.#report(unit))
  }

  async #ship(unit: Unit): Promise<void> {
    const { site, owner } = unit
    const changes = [
      { name: 'owner', value: owner, personal: false },
      { name: 'site', value: site, personal: false },
    ] as const
    await changeProperties(unit.id!, changes, OPERATOR, this.#ports)
    await shipDevice(unit.id!, { actor: OPERATOR }, this.#ports)
  }

  /** The first certificate, over the birth certificate. */
  async #enrol(unit: Unit): Promise<void> {
    await this.#request(unit, 'enrol', unit.birth!, { kind: 'device', serialNumber: unit.serialNumber })
  }

  async #renew(unit: Unit): Promise<void> {
    if (!unit.certificate || this.#ports.clock.now() > unit.silentFrom) return
    await this.#request(unit, 'renew', unit.certificate, {
      kind: 'as',
      certificate: parseCertificate(unit.certificate),
    })
  }

  async #request(unit: Unit, operation: 'enrol' | 'renew', shown: Uint8Array, names: RequestedNames): Promise<void> {
    const now = this.#ports.clock.now()
    const finding = await this.#registration.evidence.fromCertificates([shown], now)
    const asked = { protocol: 'est', operation, profile: PROFILE, address: '192.0.2.10' } as const
    if (finding.kind === 'refused') {
      const evidence = finding.shown ? [finding.shown] : []
      await refuseEnrolment({ ...asked, evidence }, finding.refusal, finding.detail, this.#registration)
    }
    if (finding.kind !== 'evidence') return
    const key = await generateKeyPair('P-256')
    const csr = parseCertificationRequest(await makeCertificationRequest(softwareSigner(key, 'device:key'), names))
    const request = { ...asked, csr, evidence: [finding.evidence], channelBinding: false }
    const outcome = await enrol(request, this.#registration)
    if (outcome.kind !== 'issued') return
    unit.key = key
    unit.certificate = new Uint8Array(outcome.record.der)
    const [held] = await this.#ports.store.read.credentialsOfDevice(unit.id!)
    if (held === undefined) return
    const { windowStart, windowEnd } = held
    this.#planAt(this.#within(windowStart, windowEnd), unit, () => this.#renew(unit))
  }

  async #report(unit: Unit): Promise<void> {
    const { store, clock } = this.#ports
    if (!unit.certificate || !unit.key) return
    const now = clock.now()
    const ports = { read: store.read, evidence: this.#registration.evidence }
    const finding = await deviceContact([unit.certificate], now, ports)
    if (finding.kind === 'refused') return
    const trouble = this.#random.next() < 0.03
    await reportHealth(
      finding.contact,
      {
        sequence: ++unit.reports,
        time: now + (this.#random.next() < 0.1 ? this.#within(-40, 40) : 0),
        agentVersion: '0.1.0',
        firmware: unit.firmware,
        configuration: unit.model === 'gateway-x2' ? 'site-7' : null,
        daysLeft: Math.floor((parseCertificate(unit.certificate).notAfter - now) / DAY),
        lastError: trouble ? { code: 'transport.deadline', at: now - HOUR } : null,
        keys: [
          {
            keyId: sha256Hex(unit.key.publicKey),
            place: unit.model === 'gateway-x2' ? 'tpm' : unit.model === 'meter-e5' ? 'secure_element' : 'file',
            protection: unit.model === 'gateway-x2' || unit.model === 'meter-e5' ? 'hardware' : 'none',
          },
        ],
      },
      { ...this.#ports, trustBundleVersion: () => 0 },
    )
  }

  /** Some go out of service for a while, some for good. */
  #ends(): void {
    const inField = this.#units.filter(({ model }) => model === 'sensor-t1' || model === 'pump-c3')
    const chosen = inField.filter(() => this.#random.next() < 0.13)
    for (const [i, unit] of chosen.entries()) {
      const at = -this.#within(3 * DAY, 25 * DAY)
      if (i % 3 === 0) this.#plan(at, unit, () => this.#suspend(unit))
      else this.#plan(at, unit, () => this.#retire(unit))
      if (i % 6 === 1) this.#plan(-this.#within(HOUR, 2 * DAY), unit, () => this.#destroy(unit))
    }
  }

  async #suspend(unit: Unit): Promise<void> {
    if (unit.id) await suspendDevice(unit.id, { actor: OPERATOR, because: 'INC-2041' }, this.#ports)
    // It goes on trying, and is told why not.
    this.#plan(-this.#within(HOUR, 23 * HOUR), unit, () => this.#renew(unit))
  }

  async #retire(unit: Unit): Promise<void> {
    if (unit.id) await retireDevice(unit.id, { actor: OPERATOR, because: 'end-of-life' }, this.#ports)
  }

  async #destroy(unit: Unit): Promise<void> {
    const { organization } = await this.#ports.authorities.settings()
    const destruction = { actor: OPERATOR, erase: true, because: 'shredded' }
    if (unit.id) await destroyDevice(unit.id, destruction, { ...this.#ports, organization })
  }

  async #campaign(): Promise<void> {
    const name = 'gateway-fresh-keys'
    const definition = parseCampaignDefinition({
      name,
      devices: { model: 'gateway-x2' },
      target: { profile: PROFILE, newKey: true },
      pace: { canary: 6, waveSize: 10, patienceSeconds: 10 * HOUR, perHour: 4, stopAtFailureShare: 0.3 },
    })
    await planCampaign(definition, OPERATOR, this.#ports)
    await startCampaign(name, OPERATOR, this.#ports)
    this.#campaignRuns = true
  }

  async #transfers(): Promise<void> {
    const settings = await this.#ports.authorities.settings()
    const proposed = this.#units.filter(({ model, id }) => model === 'meter-e5' && id).slice(0, 2)
    for (const { id, owner } of proposed) {
      const to = OWNERS.find(each => each !== owner)!
      const proposal = { deviceId: id!, to, effectiveAt: this.#end + 7 * DAY, newKey: true, byRule: false }
      await proposeTransfer(proposal, OPERATOR, { ...this.#ports, settings })
    }
  }
}
