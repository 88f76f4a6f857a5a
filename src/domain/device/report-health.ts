// A device reports how it is, and hears what it is to do. The report is telemetry and replaces the one before; what it shows beside that
// becomes an act: the certificate was seen in use, a change of firmware orders a renewal, a number that was there before betrays a copy.
import { TouchmarkError } from '../../core/errors.ts'
import type { HealthAnswer, HealthReport } from '../../core/messages/device-health.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { AuthorityDirectory } from '../ca/authorities.ts'
import { ChangeBuilder } from '../change-builder.ts'
import { keyId, type UnixSeconds } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'
import type { Credential, RenewalOrder } from '../renewal/credential.ts'
import { DEFAULT_ORDER_SECONDS, orderRenewal } from '../renewal/order-renewal.ts'
import type { RenewalPolicy } from '../renewal/policy.ts'
import { suspectClone } from '../renewal/refused-renewal.ts'
import { isCurrent, seenInUse } from '../renewal/seen-in-use.ts'
import { askRenewal, type RenewalAnswer } from './ask-renewal.ts'
import { type DeviceContact, maySpeak } from './device-contact.ts'
import type { DeviceHealth } from './device-health.ts'

export interface ReportHealthPorts {
  readonly store: Store
  readonly authorities: Pick<AuthorityDirectory, 'profile'>
  readonly clock: Clock
  /** 0 where there is none. */
  readonly trustBundleVersion: () => number
}

/** The answer, and when the device should come again: to hear of an order in time, of being let back in, of its end. */
export interface TimedHealthAnswer {
  readonly answer: HealthAnswer
  readonly retryAfterSeconds: number
}

/** Where no certificate says how often: a device that is suspended hears within the hour that it is back. */
const USUAL_RETRY_SECONDS = 3600

/** Longer than any connection may be open without an answer. */
const HELD_BACK_SECONDS = 300
/** What a device says of one of its keys is written down so often at most. */
const HOLDING_SECONDS = 86_400
/** A report that meets another one of the same device is looked at again. */
const MAX_ATTEMPTS = 4

/**
 * Over a certificate that may not speak for its device nothing is written, and the answer says no more than where the device stands.
 * Throws `health.sequence_repeated` for a number that is not greater than the last: the agent counts before it sends, so somebody else
 * has sent it. A key that was registered since the last report begins anew: its device was set up again.
 */
export async function reportHealth(
  contact: DeviceContact,
  report: HealthReport,
  ports: ReportHealthPorts,
): Promise<TimedHealthAnswer> {
  const { store, clock } = ports
  const now = clock.now()
  if (!maySpeak(contact) || !(await mayReport(contact, store))) return answer(contact, null, ports, now)
  const before = await keep(contact, report, ports, now)
  if (contact.standing === 'live') await seenInUse(contact.record, { store, clock })
  await orderWhereTriggered(contact, report, before, ports)
  const renewal = await askRenewal(contact, contact.record.profile, now, { ...ports, read: store.read })
  return answer(contact, renewal, ports, now)
}

/**
 * Of expired certificates only the one that the device goes by: who finds the key of one that it left behind long ago could have it suspended
 * otherwise.
 */
async function mayReport({ device, record, standing }: DeviceContact, { read }: Store): Promise<boolean> {
  if (standing === 'live') return true
  const credential = await read.credential(device.id, record.profile)
  return credential !== undefined && isCurrent(credential, record)
}

function answer(
  { device, key }: DeviceContact,
  renewal: RenewalAnswer | null,
  { trustBundleVersion }: ReportHealthPorts,
  now: UnixSeconds,
): TimedHealthAnswer {
  const ended = device.state === 'retired' || device.state === 'destroyed'
  return {
    answer: {
      time: now,
      device: { state: device.state },
      order: device.state === 'suspended' ? 'suspend' : ended && key?.state !== 'destroyed' ? 'wipe' : null,
      renewal: renewal?.message ?? null,
      trustBundle: { version: trustBundleVersion() },
    },
    retryAfterSeconds: renewal?.retryAfterSeconds ?? USUAL_RETRY_SECONDS,
  }
}

/** Stores the report; answers the one before. */
async function keep(
  contact: DeviceContact,
  report: HealthReport,
  ports: ReportHealthPorts,
  now: UnixSeconds,
): Promise<DeviceHealth | undefined> {
  const { store } = ports
  for (let attempt = 1; ; attempt++) {
    const before = await store.read.health(contact.device.id)
    if (before && report.sequence <= before.sequence && !isNewKey(contact, before)) {
      if (!wasHeldBack(report, before, now)) await suspect(contact, report, before, ports)
      throw sequenceRepeated(before)
    }
    const change = new ChangeBuilder()
    const health: DeviceHealth = {
      deviceId: contact.device.id,
      at: now,
      sequence: report.sequence,
      clockSkewSeconds: report.time - now,
      firmware: report.firmware,
      configuration: report.configuration,
      agentVersion: report.agentVersion,
      lastError: report.lastError?.code ?? null,
    }
    change.write({ kind: 'health.put', health, from: before?.sequence ?? null })
    await addHoldings(change, contact, report, store, now)
    try {
      await store.commit(change)
      return before
    } catch (thrown) {
      const met = thrown instanceof TouchmarkError && thrown.code === 'health.sequence_changed'
      if (!met || attempt === MAX_ATTEMPTS) throw thrown
    }
  }
}

/**
 * Made before the last one and overtaken by it: a line that was slow, or somebody on it who held a connection back, which must not be enough
 * to have a device suspended. A copy speaks of its own present.
 */
function wasHeldBack(report: HealthReport, before: DeviceHealth, now: UnixSeconds): boolean {
  const saidBefore = before.at + before.clockSkewSeconds
  return report.sequence < before.sequence && report.time < saidBefore && now - before.at <= HELD_BACK_SECONDS
}

function isNewKey({ key }: DeviceContact, before: DeviceHealth): boolean {
  return key !== null && key.createdAt > before.at
}

function sequenceRepeated({ sequence }: DeviceHealth): TouchmarkError {
  return new TouchmarkError(
    'health.sequence_repeated',
    'conflict',
    'A report of this device with this number, or a greater one, was here before.',
    { evidence: { sequence }, next: 'Another holder of the same key may be at work: tell the operator.' },
  )
}

/** A device that holds nothing with an end has no policy either: its refusal is in the log, and that is all. */
async function suspect(
  { device, record }: DeviceContact,
  report: HealthReport,
  before: DeviceHealth,
  ports: ReportHealthPorts,
): Promise<void> {
  const { store, clock } = ports
  const credential =
    (await store.read.credential(device.id, record.profile)) ?? (await store.read.credentialsOfDevice(device.id))[0]
  const policy = credential && (await policyOf(credential, ports))
  if (!credential || !policy) return
  const detail = { shown: record.serialNumber, sequence: report.sequence, stored: before.sequence }
  await suspectClone(credential, 'sequence_repeated', policy, detail, { store, clock })
}

/** How the device says that it holds its keys; what evidence says (an attestation) is not overwritten by a claim. */
async function addHoldings(
  change: ChangeBuilder,
  { device }: DeviceContact,
  report: HealthReport,
  { read }: Store,
  now: UnixSeconds,
): Promise<void> {
  if (report.keys.length === 0) return
  const own = new Set<string>((await read.keysOfDevice(device.id)).map(({ id }) => id))
  const named = new Map(report.keys.filter(each => own.has(each.keyId)).map(each => [each.keyId, each]))
  for (const { keyId: id, place, protection } of named.values()) {
    const known = await read.keyHolding(keyId(id))
    if (known?.attestation === 'attested') continue
    if (known && now - known.at < HOLDING_SECONDS) continue
    if (known?.place === place && known.protection === protection) continue
    change.write({
      kind: 'key.holding',
      holding: { keyId: keyId(id), place, protection, attestation: 'declared', at: now },
    })
    change.record({
      at: now,
      actor: { kind: 'device', id: device.id },
      action: 'key.holding_declared',
      outcome: 'done',
      subject: { deviceId: device.id, keyId: id },
      detail: { place, protection },
    })
  }
}

const HEALTH: AuditEntry['actor'] = { kind: 'system', id: 'health' }

/** An order for each credential whose policy asks for one; a credential that was ordered to renew already is left as it is. */
async function orderWhereTriggered(
  { device }: DeviceContact,
  report: HealthReport,
  before: DeviceHealth | undefined,
  ports: ReportHealthPorts,
): Promise<void> {
  const { store, clock } = ports
  const changes = changesIn(report, before)
  if (changes.length === 0) return
  for (const credential of await store.read.credentialsOfDevice(device.id)) {
    if (credential.order !== null) continue
    const policy = await policyOf(credential, ports)
    const reason = policy && changes.find(change => change.triggers(policy))?.reason
    if (!reason) continue
    const order = {
      reason,
      until: clock.now() + DEFAULT_ORDER_SECONDS,
      newKey: false,
      keyAlgorithm: null,
      profile: null,
      authorityId: null,
      campaignId: null,
    }
    try {
      await orderRenewal(device.id, credential.profile, order, HEALTH, { store, clock })
    } catch (thrown) {
      // It renewed, or was ordered to, in this moment.
      if (!(thrown instanceof TouchmarkError) || !['conflict', 'not_found'].includes(thrown.kind)) throw thrown
    }
  }
}

interface HealthChange {
  readonly reason: RenewalOrder['reason']
  triggers(policy: RenewalPolicy): boolean
}

/** What differs from the report before. What was not known before has not changed; an error that stays is told once. */
function changesIn(report: HealthReport, before: DeviceHealth | undefined): HealthChange[] {
  const changed = (name: 'firmware' | 'configuration') =>
    report[name] !== null && (before?.[name] ?? null) !== null && report[name] !== before?.[name]
  const code = report.lastError?.code
  const changes: HealthChange[] = []
  if (changed('firmware'))
    changes.push({ reason: 'firmware_changed', triggers: ({ triggers }) => triggers.firmwareChange })
  if (changed('configuration')) {
    changes.push({ reason: 'configuration_changed', triggers: ({ triggers }) => triggers.configurationChange })
  }
  if (code !== undefined && code !== before?.lastError) {
    changes.push({ reason: 'health_reported', triggers: ({ triggers }) => triggers.healthCodes.includes(code) })
  }
  return changes
}

/** `undefined` where the profile is no more. */
async function policyOf(
  { profile }: Credential,
  { authorities }: Pick<ReportHealthPorts, 'authorities'>,
): Promise<RenewalPolicy | undefined> {
  try {
    return (await authorities.profile(profile)).renewal
  } catch (thrown) {
    if (thrown instanceof TouchmarkError && thrown.code === 'profile.not_found') return undefined
    throw thrown
  }
}
