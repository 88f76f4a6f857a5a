// What every act on a device as a whole has in common: the facts that it goes by, read together; the move of the device; and the rounds in
// which it is written, so that a certificate that is issued at the same moment is either met or never issued.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import { ChangeBuilder } from '../change-builder.ts'
import type { DeviceId, UnixSeconds } from '../ids.ts'
import type { Clock, Store, StoreReader } from '../ports.ts'
import { untilNothingIsLeft } from '../rounds.ts'
import { type Device, type DeviceState, mayMove } from './device.ts'
import type { DeviceKey, KeyState } from './device-key.ts'

export interface DeviceActPorts {
  readonly store: Store
  readonly clock: Clock
}

/** Who acts, and why: a word of the operator's own (a ticket number) or a code, never personal data. */
export interface DeviceActBy {
  readonly actor: AuditEntry['actor']
  readonly because?: string
}

/** A device with everything that may act in its name. */
export interface DeviceFacts {
  readonly device: Device
  readonly certificates: readonly CertificateRecord[]
  readonly keys: readonly DeviceKey[]
}

/** What an act changed now; empty where everything was so before. */
export interface DeviceActOutcome {
  /** As it is now. */
  readonly device: Device
  readonly from: DeviceState
  readonly certificates: readonly Pick<CertificateRecord, 'authorityId' | 'serialNumber' | 'profile'>[]
  readonly keys: readonly { readonly id: DeviceKey['id']; readonly from: KeyState; readonly to: KeyState }[]
  /** One-time tokens that were withdrawn, requests that were rejected, transfers that were called off. */
  readonly tokens: number
  readonly requests: number
  readonly transfers: number
}

/** What one round does: puts it into `change`, and names it; `committed` is called when it is durable. */
export type ActOf = (
  facts: DeviceFacts,
  change: ChangeBuilder,
  now: UnixSeconds,
) => Promise<Partial<Omit<DeviceActOutcome, 'from'>> & { committed?(firstAuditIndex: number): Promise<void> }>

/** A detail that an operator may give: a ticket number, a code. */
const BECAUSE = /^[\p{L}\p{N}._:#/-]{1,64}$/u

/** Throws `device.because_invalid`. */
export function becauseDetail({ because }: Pick<DeviceActBy, 'because'>): { readonly because?: string } {
  if (because === undefined) return {}
  if (!BECAUSE.test(because)) {
    throw new TouchmarkError('device.because_invalid', 'malformed', 'Why is one word: a ticket number or a code.', {
      next: 'The log is for ever: names of people and sentences about them belong into the ticket.',
    })
  }
  return { because }
}

/** Throws `device.not_found`. */
export async function readDeviceFacts(id: DeviceId, read: StoreReader): Promise<DeviceFacts> {
  // Certificates first: what is issued after they were counted makes the writing fail.
  const certificates = await read.certificatesOfDevice(id)
  const [device, keys] = await Promise.all([read.device(id), read.keysOfDevice(id)])
  if (device === undefined) {
    throw new TouchmarkError('device.not_found', 'not_found', `There is no device ${id}.`, {
      next: 'List devices with: touchmark device list',
    })
  }
  return { device, certificates, keys }
}

/**
 * Acts in rounds until nothing is left to do: one transaction for all that stands there, and another one only where somebody was faster.
 * Throws `device.contended`, and what `act` throws.
 */
export async function actOnDevice(id: DeviceId, act: ActOf, ports: DeviceActPorts): Promise<DeviceActOutcome> {
  const { store, clock } = ports
  let first: DeviceState | undefined
  let last: Device | undefined
  const rounds = await untilNothingIsLeft(
    async () => {
      const facts = await readDeviceFacts(id, store.read)
      const change = new ChangeBuilder()
      const outcome = await act(facts, change, clock.now())
      first ??= facts.device.state
      last = outcome.device ?? facts.device
      if (change.writes.length === 0) return null
      change.write({ kind: 'device.certificates', id, count: facts.certificates.length })
      const { firstAuditIndex } = await store.commit(change)
      await outcome.committed?.(firstAuditIndex)
      return outcome
    },
    () =>
      new TouchmarkError('device.contended', 'unavailable', 'Others keep changing this device.', {
        evidence: { deviceId: id },
        next: 'Try again.',
      }),
  )
  const sum = (of: 'tokens' | 'requests' | 'transfers') => rounds.reduce((total, round) => total + (round[of] ?? 0), 0)
  return {
    device: last!,
    from: first!,
    certificates: rounds.flatMap(round => round.certificates ?? []),
    keys: rounds.flatMap(round => round.keys ?? []),
    tokens: sum('tokens'),
    requests: sum('requests'),
    transfers: sum('transfers'),
  }
}

/** Moves the device within `change`. Throws `device.move_not_allowed`. */
export function addDeviceMove(
  change: ChangeBuilder,
  device: Device,
  to: DeviceState,
  by: DeviceActBy,
  now: UnixSeconds,
): Device {
  const { id, state: from } = device
  if (!mayMove(from, to)) throw moveNotAllowed(device, to)
  change.write({ kind: 'device.state', id, from, to, at: now })
  change.record({
    at: now,
    actor: by.actor,
    action: 'device.state_changed',
    outcome: 'done',
    subject: { deviceId: id },
    detail: { from, to, ...becauseDetail(by) },
  })
  return { ...device, state: to, stateChangedAt: now }
}

export function moveNotAllowed({ id, state: from }: Device, to: DeviceState): TouchmarkError {
  return new TouchmarkError('device.move_not_allowed', 'conflict', `A device that is ${from} cannot become ${to}.`, {
    evidence: { deviceId: id, from, to },
    next:
      to === 'destroyed'
        ? 'Retire it first: touchmark device retire SERIAL'
        : 'A device is suspended and resumed until it is retired; what is retired does not come back.',
  })
}

/** How an outcome names a certificate. */
export function namesOf(records: readonly CertificateRecord[]): DeviceActOutcome['certificates'] {
  return records.map(({ authorityId, serialNumber, profile }) => ({ authorityId, serialNumber, profile }))
}
