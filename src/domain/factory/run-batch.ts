// A factory batch: many enrolments through the same decide → prepare → sign → commit as any other, in bulk. Units go in chunks; while one
// chunk becomes durable the next is decided and signed. A unit that already has its certificate gets that very one again, so a
// batch can be repeated after anything: each unit is done once.
import type { Bytes } from '../../core/bytes/bytes.ts'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import type { CertificationRequest } from '../../core/pki/csr.ts'
import type { Extension } from '../../core/pki/extension.ts'
import type { Name } from '../../core/pki/name.ts'
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import { checkPublicKey } from '../../crypto/key-check.ts'
import { drawnForNeighbours } from '../../crypto/random.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { Batch } from '../batch.ts'
import { type CertificateRecord, isLive } from '../ca/certificate-record.ts'
import { type CertificateIssuer, certificateWrites } from '../ca/issuer.ts'
import type { PreparedCertificate } from '../ca/prepare.ts'
import type { Profile } from '../ca/profile.ts'
import type { SignedCertificate } from '../ca/sign.ts'
import { SubjectKey } from '../ca/subject-key.ts'
import type { Device } from '../device/device.ts'
import type { DeviceKey, KeyOrigin } from '../device/device-key.ts'
import { type BatchId, type KeyId, newBatchId, newDeviceId, type UnixSeconds } from '../ids.ts'
import type { ChangeSet, Clock, Random, Store, Write } from '../ports.ts'
import { decide, type QuotaTake } from '../ra/decide.ts'
import type { OperatorEvidence } from '../ra/evidence.ts'
import type { Rules } from '../ra/rules.ts'
import { standingDevice, standingKey } from '../ra/standing-facts.ts'
import { type CredentialIssue, credentialChanges, NO_HOLDINGS, readHoldings } from '../renewal/credential-changes.ts'
import { RenewalPlan } from '../renewal/renewal-plan.ts'
import { QuotaCounts, quotaWrites } from './quota-counts.ts'
import { type ReadChunk, type ReadRequest, type ReadRequests, RequestReader } from './request-reader.ts'
import { type FactoryUnit, isBadUnit, type UnitInput } from './unit.ts'

/** Units that are decided, signed and committed together. */
export const CHUNK_UNITS = 1024
/** What `newDeviceId` draws. */
const DEVICE_ID_OCTETS = 12
/** Chunks on their way at once: one is made durable, one is signed, one is decided, and one to spare. */
const CHUNKS_IN_FLIGHT = 4

export type UnitResult =
  | {
      readonly outcome: 'issued' | 'existing'
      readonly line: number
      readonly model: string
      readonly serialNumber: string
      readonly certificateSerial: string
      readonly notAfter: UnixSeconds
      readonly certificate: Uint8Array
    }
  | {
      readonly outcome: 'rejected'
      readonly line: number
      readonly model: string
      readonly serialNumber: string
      readonly code: string
      readonly message: string
    }

/** Takes results in input order, only after they are durable. */
export interface UnitResultSink {
  write(results: readonly UnitResult[]): Promise<void>
  /** The public key (SubjectPublicKeyInfo) of a key that the station made and holds for the unit; absent where it makes none. */
  stationKey?(model: string, serialNumber: string, algorithm: KeyAlgorithmName): Promise<Bytes>
}

export interface BatchRequest {
  /** 64 hex digits: see `UnitSource`. */
  readonly inputDigest: string
  readonly units: AsyncIterable<UnitInput>
  readonly profile: Profile
  readonly rules: Rules
  /** Opaque name of who runs the batch. */
  readonly operator: string
}

export interface BatchPorts {
  readonly store: Store
  readonly issuer: CertificateIssuer
  readonly clock: Clock
  readonly random: Random
  readonly sink: UnitResultSink
  /** Called after each chunk. */
  readonly progress?: (counts: BatchCounts) => void
}

export interface BatchCounts {
  readonly issued: number
  readonly existing: number
  readonly rejected: number
}

export interface BatchOutcome extends BatchCounts {
  readonly batch: BatchId
  readonly resumed: boolean
}

/**
 * Runs the batch to its end. A unit that cannot be done is reported and does not stop the others; what stops all of them (the store, the key
 * store, the output) is thrown, and running the same input again goes on from there.
 */
export async function runBatch(request: BatchRequest, ports: BatchPorts): Promise<BatchOutcome> {
  const { batch, resumed } = await openBatch(request, ports)
  const run = new BatchRun(batch, request, ports)
  await using reader = new RequestReader()
  for await (const chunk of reader.ahead(inChunks(request.units))) await run.take(chunk)
  return { ...(await run.finish()), batch: batch.id, resumed }
}

/**
 * Decides every unit as `runBatch` would, prepares its certificate and lints it, and signs and stores nothing: what it calls issued would be. A unit
 * that stands in the input twice is found where the two are within a thousand lines; the run itself finds all.
 */
export async function tryBatch(
  request: Omit<BatchRequest, 'inputDigest'>,
  ports: Omit<BatchPorts, 'progress'>,
): Promise<BatchCounts> {
  const at = ports.clock.now()
  const batch: Batch = { ...NOT_BEGUN, id: newBatchId(at, ports.random), profile: request.profile.name, createdAt: at }
  const run = new BatchRun(batch, { ...request, inputDigest: '' }, ports)
  await using reader = new RequestReader()
  for await (const chunk of reader.ahead(inChunks(request.units))) await run.tryOut(chunk)
  return run.counts
}

const NOT_BEGUN = {
  inputDigest: '',
  state: 'running',
  done: 0,
  issued: 0,
  existing: 0,
  rejected: 0,
  finishedAt: null,
} as const

async function openBatch(request: BatchRequest, ports: BatchPorts): Promise<{ batch: Batch; resumed: boolean }> {
  const { store, clock, random } = ports
  const known = await store.read.batchByInput(request.inputDigest)
  const actor = { kind: 'operator', id: request.operator } as const
  const at = clock.now()
  if (known) {
    const audit = [{ at, actor, action: 'batch.resumed', outcome: 'done', subject: { batchId: known.id } }] as const
    await store.commit({ writes: [], audit })
    return { batch: known, resumed: true }
  }
  const batch: Batch = {
    id: newBatchId(at, random),
    inputDigest: request.inputDigest,
    profile: request.profile.name,
    state: 'running',
    done: 0,
    issued: 0,
    existing: 0,
    rejected: 0,
    createdAt: at,
    finishedAt: null,
  }
  try {
    await store.commit({
      writes: [{ kind: 'batch.insert', batch }],
      audit: [
        {
          at,
          actor,
          action: 'batch.started',
          outcome: 'done',
          subject: { batchId: batch.id },
          detail: { inputSha256: request.inputDigest, profile: request.profile.name },
        },
      ],
    })
  } catch (thrown) {
    // Another station began with the same file in this moment: we go on beside it.
    if (thrown instanceof TouchmarkError && thrown.code === 'batch.exists') return openBatch(request, ports)
    throw thrown
  }
  return { batch, resumed: false }
}

/** A unit with its key read and checked, before anybody decided. */
interface CheckedUnit {
  readonly unit: FactoryUnit
  /** Where it stands in its chunk. */
  readonly slot: number
  readonly key: SubjectKey
  readonly origin: KeyOrigin
  readonly requestedSubject: Name | undefined
  readonly requestedExtensions: readonly Extension[] | undefined
}

/** A unit that was granted: what is to be written for it beside the certificate. */
interface GrantedUnit {
  readonly checked: CheckedUnit
  readonly device: Device
  readonly deviceIsNew: boolean
  readonly key: DeviceKey
  readonly keyIsNew: boolean
  readonly quota: QuotaTake | null
}

/** Units with what is to be signed for them, in the same order. */
interface PreparedUnits {
  readonly units: readonly GrantedUnit[]
  readonly prepared: readonly PreparedCertificate[]
}

/** A unit with its certificate, not yet durable. */
interface IssuedUnit {
  readonly granted: GrantedUnit
  readonly signed: SignedCertificate
  /** `null` for a certificate without an end, as birth certificates are: it is never renewed. */
  readonly renewal: Pick<CredentialIssue, 'policy' | 'window' | 'holdings'> | null
}

class BatchRun {
  readonly #batch: Batch
  readonly #request: BatchRequest
  readonly #ports: BatchPorts
  readonly #actor: AuditEntry['actor']
  readonly #subject: AuditEntry['subject']
  readonly #renewals: RenewalPlan
  readonly #inFlight: Promise<void>[] = []
  /** Chunks reach the store in input order, so that the first line that names a unit is the one that counts. */
  #issued: Promise<unknown> = Promise.resolve()
  /** Results are written in input order: each chunk waits for the one before it. */
  #written: Promise<void> = Promise.resolve()
  #counts = { issued: 0, existing: 0, rejected: 0 }
  #failure: unknown

  constructor(batch: Batch, request: BatchRequest, ports: BatchPorts) {
    this.#batch = batch
    this.#request = request
    this.#ports = ports
    this.#actor = { kind: 'operator', id: request.operator }
    this.#subject = { batchId: batch.id }
    this.#renewals = new RenewalPlan(ports)
  }

  /** Decides a chunk, and lets it be signed and become durable while the caller goes on. */
  async take({ inputs, requests }: ReadChunk): Promise<void> {
    // Where there is a whole chunk there are more: the threads that sign start while this one decides.
    if (inputs.length === CHUNK_UNITS) await this.#ports.issuer.expectMany(this.#request.profile)
    while (this.#inFlight.length >= CHUNKS_IN_FLIGHT) await this.#inFlight[0]
    if (this.#failure !== undefined) throw this.#failure
    // A unit that stands in a chunk still on its way is not in the store yet: the store's conflict tells then.
    const results: (UnitResult | undefined)[] = new Array(inputs.length).fill(undefined)
    const granted = await this.#decide(inputs, await requests, results)
    const prepared = await this.#prepare(granted, results)
    const before = { issued: this.#issued, written: this.#written }
    const issued = (async () => {
      const signed = await this.#sign(prepared)
      await before.issued
      return signed
    })()
    const written = (async () => {
      await this.#settle(await issued, results)
      await before.written
      const done = results.filter(result => result !== undefined)
      await this.#ports.sink.write(done)
      for (const result of done) this.#counts[result.outcome]++
      this.#ports.progress?.({ ...this.#counts })
    })()
    this.#issued = issued
    this.#written = written
    const tracked = written
      .catch(thrown => {
        this.#failure ??= thrown
      })
      .finally(() => {
        this.#inFlight.splice(this.#inFlight.indexOf(tracked), 1)
      })
    this.#inFlight.push(tracked)
  }

  get counts(): BatchCounts {
    return { ...this.#counts }
  }

  /** As `take`, up to the signature. */
  async tryOut({ inputs, requests }: ReadChunk): Promise<void> {
    const results: (UnitResult | undefined)[] = new Array(inputs.length).fill(undefined)
    const granted = await this.#decide(inputs, await requests, results)
    const { units, prepared } = await this.#prepare(granted, results)
    for (const [i, { checked }] of units.entries()) {
      const { notAfter } = prepared[i]!.facts
      results[checked.slot] = certified('issued', checked.unit, '', notAfter, NOTHING)
    }
    const done = results.filter(result => result !== undefined)
    for (const result of done) this.#counts[result.outcome]++
    await this.#ports.sink.write(done)
  }

  async finish(): Promise<BatchCounts> {
    await Promise.all(this.#inFlight)
    if (this.#failure !== undefined) throw this.#failure
    const { store, clock } = this.#ports
    const at = clock.now()
    const counts = { ...this.#counts }
    const entry: AuditEntry = {
      at,
      actor: this.#actor,
      action: 'batch.finished',
      outcome: 'done',
      subject: this.#subject,
      detail: counts,
    }
    const done = counts.issued + counts.existing + counts.rejected
    for (;;) {
      const current = await store.read.batch(this.#batch.id)
      // The record keeps what the first complete run counted; that it was run again is in the log.
      const writes: Write[] =
        current?.state === 'running'
          ? [{ kind: 'batch.progress', id: current.id, from: current.done, done, ...counts, finishedAt: at }]
          : []
      try {
        await store.commit({ writes, audit: [entry] })
        return counts
      } catch (thrown) {
        // Another process ran the same batch and came to its end in this moment.
        if (!(thrown instanceof TouchmarkError && thrown.code === 'batch.state_changed')) throw thrown
      }
    }
  }

  /** Fills `results` for units that are done or refused, and returns those that get a certificate. */
  async #decide(
    inputs: readonly UnitInput[],
    requests: ReadRequests,
    results: (UnitResult | undefined)[],
  ): Promise<GrantedUnit[]> {
    const { profile } = this.#request
    const { read } = this.#ports.store
    const now = this.#ports.clock.now()
    const random = drawnForNeighbours(this.#ports.random, inputs.length * DEVICE_ID_OCTETS)
    const checked: CheckedUnit[] = []
    for (let slot = 0; slot < inputs.length; slot++) {
      const input = inputs[slot]!
      if (isBadUnit(input)) {
        results[slot] = { outcome: 'rejected', model: '', serialNumber: '', ...input }
        continue
      }
      try {
        // Only a key that the station makes has to be waited for.
        const made = input.key.kind === 'station' ? await this.#stationKey(input) : undefined
        checked.push(this.#check(input, slot, requests[slot], made))
      } catch (thrown) {
        const error = asTouchmarkError(thrown)
        // A full disk is no fault of the unit.
        if (error.kind === 'unavailable') throw error
        results[slot] = rejected(input, error)
      }
    }
    const devices = await this.#devices(checked)
    const keys = new Map((await read.keysAmong(checked.map(unit => unit.key.id))).map(key => [key.id, key]))
    const quotas = new QuotaCounts(this.#request.rules, now, read)
    const granted: GrantedUnit[] = []
    const inChunk = new Map<string, GrantedUnit>()
    const keysInChunk = new Map<KeyId, DeviceKey>()
    for (const unit of checked) {
      const name = deviceName(unit.unit)
      const twin = inChunk.get(name)
      const known = twin?.device ?? devices.get(name)
      if (known && !twin) {
        const records = (await read.certificatesOfDevice(known.id)).filter(record => record.profile === profile.name)
        const existing = records.find(record => isLive(record, now))
        const ended = existing ? undefined : endedByOperator(records[0], unit.key.id)
        if (ended) {
          results[unit.slot] = rejected(unit.unit, ended)
          continue
        }
        if (existing) {
          results[unit.slot] =
            existing.keyId === unit.key.id
              ? certified('existing', unit.unit, existing.serialNumber, existing.notAfter, existing.der)
              : rejected(
                  unit.unit,
                  new TouchmarkError(
                    'device.has_other_key',
                    'conflict',
                    'The device has its certificate, for another key.',
                  ),
                )
          continue
        }
      }
      if (twin) {
        results[unit.slot] = rejected(
          unit.unit,
          new TouchmarkError(
            'factory.unit_repeated',
            'conflict',
            `The unit stands on line ${twin.checked.unit.line} already.`,
          ),
        )
        continue
      }
      const device = known ?? this.#newDevice(unit, now, random)
      const knownKey = keys.get(unit.key.id) ?? keysInChunk.get(unit.key.id)
      const evidence = [{ kind: 'operator', name: this.#request.operator, device }] as const
      const taken = quotas.asked ? await quotas.of(evidence) : NOTHING_TAKEN
      const outcome = this.#grant(unit, evidence, known === undefined, knownKey, taken, now)
      if (outcome instanceof TouchmarkError) results[unit.slot] = rejected(unit.unit, outcome)
      else {
        granted.push(outcome)
        quotas.take(outcome.quota)
        inChunk.set(name, outcome)
        keysInChunk.set(unit.key.id, outcome.key)
      }
    }
    return granted
  }

  async #stationKey({ model, serialNumber }: FactoryUnit): Promise<Bytes> {
    const { sink } = this.#ports
    if (sink.stationKey === undefined) {
      throw new TouchmarkError('factory.key_missing', 'malformed', 'The unit names neither a CSR nor a public key.', {
        next: 'Put one into the file, or let the station make keys with --generate-keys.',
      })
    }
    return sink.stationKey(model, serialNumber, this.#request.profile.keyAlgorithms[0]!)
  }

  /**
   * Reads the key, checks possession where a CSR proves it, and the key's hygiene. Throws what is wrong with the unit. `made` is the key
   * of the station, where it makes the unit's.
   */
  #check(
    unit: FactoryUnit,
    slot: number,
    request: ReadRequest | TouchmarkError | undefined,
    made: Bytes | undefined,
  ): CheckedUnit {
    const { key } = unit
    switch (key.kind) {
      case 'csr': {
        if (request instanceof TouchmarkError) throw request
        const { csr, possession } = request!
        if (!possession) {
          throw new TouchmarkError('csr.signature_invalid', 'malformed', 'The signature of the CSR does not verify.', {
            next: 'Make the CSR again, with the private key that belongs to it.',
          })
        }
        return checkedKey(unit, slot, csr.subjectPublicKeyInfo.raw, 'device', csr)
      }
      case 'public_key':
        return checkedKey(unit, slot, key.spki, 'imported')
      case 'station':
        return checkedKey(unit, slot, made!, 'station')
      default:
        return key satisfies never
    }
  }

  /** The units' devices that are registered, by name. */
  async #devices(units: readonly CheckedUnit[]): Promise<Map<string, Device>> {
    const byModel = new Map<string, string[]>()
    for (const { unit } of units) {
      const serials = byModel.get(unit.model)
      if (serials) serials.push(unit.serialNumber)
      else byModel.set(unit.model, [unit.serialNumber])
    }
    const devices = new Map<string, Device>()
    for (const [model, serials] of byModel) {
      for (const device of await this.#ports.store.read.devicesAmong(model, serials))
        devices.set(deviceName(device), device)
    }
    return devices
  }

  #newDevice({ unit }: CheckedUnit, now: UnixSeconds, random: Random): Device {
    return {
      id: newDeviceId(now, random),
      model: unit.model,
      serialNumber: unit.serialNumber,
      state: 'manufactured',
      batch: this.#batch.id,
      createdAt: now,
      stateChangedAt: now,
      labels: unit.labels ?? {},
    }
  }

  /** Asks the one place that decides. */
  #grant(
    checked: CheckedUnit,
    evidence: readonly [OperatorEvidence],
    deviceIsNew: boolean,
    knownKey: DeviceKey | undefined,
    quotaTaken: Readonly<Record<string, number>>,
    now: UnixSeconds,
  ): GrantedUnit | TouchmarkError {
    const [{ device }] = evidence
    const decision = decide({
      operation: 'enrol',
      profile: this.#request.profile,
      evidence,
      key: {
        id: checked.key.id,
        algorithm: checked.key.algorithm,
        // The station is our side of the line: what it makes is no key of the device's own making.
        origin: checked.origin === 'station' ? 'server' : 'device',
        known: knownKey ?? null,
      },
      names: { subject: 'empty', subjectAltName: 'absent', changeSubjectName: false },
      channelBinding: false,
      approved: true,
      quotaTaken,
      rules: this.#request.rules,
      now,
    })
    if (decision.outcome === 'denied') {
      return new TouchmarkError(decision.refusal.code, decision.refusal.kind, decision.refusal.message)
    }
    const key = knownKey ?? {
      id: checked.key.id,
      deviceId: device.id,
      algorithm: checked.key.algorithm,
      origin: checked.origin,
      state: 'established',
      createdAt: now,
      stateChangedAt: now,
    }
    return { checked, device, deviceIsNew, key, keyIsNew: knownKey === undefined, quota: decision.quota }
  }

  /** Takes those units out that cannot get the certificate which was granted. */
  async #prepare(granted: readonly GrantedUnit[], results: (UnitResult | undefined)[]): Promise<PreparedUnits> {
    const { issuer, clock } = this.#ports
    const now = clock.now()
    const outcomes = await issuer.prepareMany(
      granted.map(({ checked, device }) => ({
        profile: this.#request.profile,
        device,
        spki: checked.key.spki,
        key: checked.key,
        requestedSubject: checked.requestedSubject,
        requestedExtensions: checked.requestedExtensions,
        replaces: null,
        now,
      })),
    )
    const units: GrantedUnit[] = []
    const prepared: PreparedCertificate[] = []
    for (let i = 0; i < granted.length; i++) {
      const unit = granted[i]!
      const outcome = outcomes[i]!
      if (outcome instanceof Error) results[unit.checked.slot] = rejected(unit.checked.unit, asTouchmarkError(outcome))
      else {
        units.push(unit)
        prepared.push(outcome)
      }
    }
    return { units, prepared }
  }

  async #sign({ units, prepared }: PreparedUnits): Promise<IssuedUnit[]> {
    const signed = await this.#ports.issuer.signMany(prepared)
    const issued = units.map((granted, i) => ({ granted, signed: signed[i]!, renewal: null }))
    return this.#request.profile.lifetimeSeconds === null ? issued : Promise.all(issued.map(unit => this.#plan(unit)))
  }

  async #plan(unit: IssuedUnit): Promise<IssuedUnit> {
    const { renewal: policy } = this.#request.profile
    const { facts } = unit.signed
    const { store, clock } = this.#ports
    const holdings = unit.granted.deviceIsNew ? NO_HOLDINGS : await readHoldings(facts, null, store.read)
    const planned = { ...facts, isNew: holdings.current === null }
    return { ...unit, renewal: { policy, holdings, window: await this.#renewals.choose(planned, policy, clock.now()) } }
  }

  /** One change set for the whole chunk; where something in it conflicts, one for each unit, so that only that unit fails. */
  async #settle(issued: readonly IssuedUnit[], results: (UnitResult | undefined)[]): Promise<void> {
    const { store } = this.#ports
    const refused = results.filter(result => result?.outcome === 'rejected')
    const refusals = refused.map(result => this.#refusalEntry(result as Extract<UnitResult, { outcome: 'rejected' }>))
    const whole: { writes: Write[]; audit: AuditEntry[] } = { writes: [], audit: [] }
    for (const unit of issued) this.#append(whole, unit)
    whole.writes.push(...quotaWrites(issued.map(({ granted }) => granted.quota)))
    whole.audit.push(...refusals)
    if (whole.audit.length === 0) return
    try {
      await store.commit(whole)
      for (const unit of issued) results[unit.granted.checked.slot] = certifiedBy(unit)
      return
    } catch (thrown) {
      if (!(thrown instanceof TouchmarkError) || thrown.kind !== 'conflict') throw thrown
    }
    const alone = issued.map(unit => {
      const change: ChangeSet & { writes: Write[]; audit: AuditEntry[] } = { writes: [], audit: [] }
      this.#append(change, unit)
      change.writes.push(...quotaWrites([unit.granted.quota]))
      return change
    })
    const outcomes = await store.commitEach(
      [...alone, { writes: [], audit: refusals }].filter(change => change.audit.length > 0),
    )
    const late: AuditEntry[] = []
    for (const [i, unit] of issued.entries()) {
      const outcome = outcomes[i]!
      const { slot } = unit.granted.checked
      if (!(outcome instanceof Error)) results[slot] = certifiedBy(unit)
      else {
        const error = asTouchmarkError(outcome)
        if (error.kind !== 'conflict') throw error
        const result = await this.#afterConflict(unit.granted.checked, error)
        results[slot] = result
        if (result.outcome === 'rejected') late.push(this.#refusalEntry(result))
      }
    }
    if (late.length > 0) await store.commit({ writes: [], audit: late })
  }

  /** Somebody else did this unit meanwhile, or an earlier chunk of this very input: then that certificate is the answer. */
  async #afterConflict(unit: CheckedUnit, conflict: TouchmarkError): Promise<UnitResult> {
    const { read } = this.#ports.store
    const device = await read.deviceBySerial(unit.unit.model, unit.unit.serialNumber)
    const record = device && (await this.#liveCertificate(device))
    if (record && record.keyId === unit.key.id) {
      return certified('existing', unit.unit, record.serialNumber, record.notAfter, record.der)
    }
    return rejected(unit.unit, conflict)
  }

  async #liveCertificate(device: Device): Promise<CertificateRecord | undefined> {
    const now = this.#ports.clock.now()
    const records = await this.#ports.store.read.certificatesOfDevice(device.id)
    return records.find(record => record.profile === this.#request.profile.name && isLive(record, now))
  }

  #append(change: { writes: Write[]; audit: AuditEntry[] }, { granted, signed, renewal }: IssuedUnit): void {
    const { checked, device, deviceIsNew, key, keyIsNew } = granted
    const { write, audit } = certificateWrites(signed, change.audit.length, {
      actor: this.#actor,
      subject: this.#subject,
      detail: birthDetail(deviceIsNew, keyIsNew, checked.origin),
    })
    change.writes.push(deviceIsNew ? { kind: 'device.insert', device } : standingDevice(device))
    change.writes.push(keyIsNew ? { kind: 'key.insert', key } : standingKey(key))
    change.writes.push(write)
    change.audit.push(audit)
    if (renewal === null) return
    const { certificate } = write
    const { algorithm: keyAlgorithm } = checked.key
    const issue = { ...renewal, certificate, keyAlgorithm, actor: this.#actor, now: audit.at }
    const held = credentialChanges(issue, change.audit.length)
    change.writes.push(...held.writes)
    change.audit.push(...held.audit)
  }

  #refusalEntry(result: Extract<UnitResult, { outcome: 'rejected' }>): AuditEntry {
    return {
      at: this.#ports.clock.now(),
      actor: this.#actor,
      action: 'batch.unit_rejected',
      outcome: 'refused',
      code: result.code,
      subject: this.#subject,
      detail: { line: result.line },
    }
  }
}

const NOTHING_TAKEN = {}
const NOTHING = new Uint8Array(0)

/** One entry tells the whole birth of a unit: device, key and certificate come to be in one act. The same object for the same words. */
function birthDetail(deviceRegistered: boolean, keyRegistered: boolean, keyOrigin: KeyOrigin): BirthDetail {
  const known = birthDetails.find(
    detail =>
      detail.deviceRegistered === deviceRegistered &&
      detail.keyRegistered === keyRegistered &&
      detail.keyOrigin === keyOrigin,
  )
  if (known !== undefined) return known
  const made = Object.freeze({ deviceRegistered, keyRegistered, keyOrigin })
  birthDetails.push(made)
  return made
}

interface BirthDetail extends Readonly<Record<string, string | boolean>> {
  readonly deviceRegistered: boolean
  readonly keyRegistered: boolean
  readonly keyOrigin: KeyOrigin
}

/** Bounded: two truth values and who can have made a key. */
const birthDetails: BirthDetail[] = []

/**
 * Why a unit whose newest certificate was ended gets no other from a file: an operator said no since the file was made. A unit that was
 * revoked and comes with a new key was repaired, and is born again.
 */
function endedByOperator(newest: CertificateRecord | undefined, key: KeyId): TouchmarkError | undefined {
  if (newest?.status.kind === 'held') {
    return new TouchmarkError('device.certificate_held', 'conflict', 'The certificate of the device is on hold.', {
      next: 'Release it with: touchmark revoke --certificate HEX --release',
    })
  }
  if (newest?.status.kind === 'revoked' && newest.keyId === key) {
    return new TouchmarkError('device.certificate_revoked', 'conflict', 'The certificate over this key was revoked.', {
      next: 'Give the unit a new key, or take it out of the file.',
    })
  }
  return undefined
}

function checkedKey(
  unit: FactoryUnit,
  slot: number,
  spki: Uint8Array,
  origin: KeyOrigin,
  csr?: CertificationRequest,
): CheckedUnit {
  const [finding] = checkPublicKey(spki)
  if (finding) throw new TouchmarkError(finding.code, 'malformed', finding.message)
  return {
    unit,
    slot,
    key: new SubjectKey(spki),
    origin,
    requestedSubject: csr?.subject,
    requestedExtensions: csr?.requestedExtensions,
  }
}

function deviceName(device: { readonly model: string; readonly serialNumber: string }): string {
  return `${device.model}\n${device.serialNumber}`
}

function rejected(unit: FactoryUnit, error: TouchmarkError): UnitResult & { outcome: 'rejected' } {
  const { line, model, serialNumber } = unit
  return { outcome: 'rejected', line, model, serialNumber, code: error.code, message: error.message }
}

function certifiedBy({ granted, signed }: IssuedUnit): UnitResult {
  return certified('issued', granted.checked.unit, signed.facts.serialNumber, signed.facts.notAfter, signed.der)
}

function certified(
  outcome: 'issued' | 'existing',
  unit: FactoryUnit,
  certificateSerial: string,
  notAfter: UnixSeconds,
  certificate: Uint8Array,
): UnitResult {
  const { line, model, serialNumber } = unit
  return { outcome, line, model, serialNumber, certificateSerial, notAfter, certificate }
}

async function* inChunks(units: AsyncIterable<UnitInput>): AsyncGenerator<UnitInput[], void, undefined> {
  let chunk: UnitInput[] = []
  for await (const unit of units) {
    chunk.push(unit)
    if (chunk.length === CHUNK_UNITS) {
      yield chunk
      chunk = []
    }
  }
  if (chunk.length > 0) yield chunk
}
