// Suspension: for as long as it lasts, a device is given nothing and believed by nobody. In one transaction its live certificates go on hold
// and its keys are suspended; what it took is written down, and its end gives back exactly that.
import type { CertificateStatus } from '../ca/certificate-record.ts'
import type { ChangeBuilder } from '../change-builder.ts'
import type { DeviceId, UnixSeconds } from '../ids.ts'
import { addStatusChanges } from '../revocation/status-changes.ts'
import {
  actOnDevice,
  addDeviceMove,
  type DeviceActBy,
  type DeviceActOutcome,
  type DeviceActPorts,
  type DeviceFacts,
  moveNotAllowed,
  namesOf,
} from './device-act.ts'
import type { DeviceKey } from './device-key.ts'
import { addKeyMove } from './key-changes.ts'
import type { Suspension } from './suspension.ts'

/**
 * Suspends the device; of one that is suspended already, what is live all the same. Throws `device.not_found`,
 * `device.move_not_allowed`, `device.because_invalid`, `device.contended`.
 */
export function suspendDevice(id: DeviceId, by: DeviceActBy, ports: DeviceActPorts): Promise<DeviceActOutcome> {
  return actOnDevice(
    id,
    async (facts, change, now) => {
      const before = facts.device.state === 'suspended' ? await ports.store.read.suspension(id) : undefined
      return addSuspension(change, facts, before, by, now)
    },
    ports,
  )
}

/**
 * The writes of a suspension, for whoever has something to write with it. `before` is what an earlier round took. Whoever commits them
 * adds `device.certificates` with the number of certificates that the facts have. Throws `device.move_not_allowed`,
 * `device.because_invalid`.
 */
export function addSuspension(
  change: ChangeBuilder,
  { device, certificates, keys }: DeviceFacts,
  before: Suspension | undefined,
  by: DeviceActBy,
  now: UnixSeconds,
): Pick<DeviceActOutcome, 'device' | 'certificates' | 'keys'> {
  const { actor } = by
  const live = certificates.filter(({ status, notAfter }) => status.kind === 'good' && notAfter >= now)
  const used = keys.filter(({ state }) => state === 'established' || state === 'in_use')
  const suspended = device.state === 'suspended'
  if (suspended && live.length === 0 && used.length === 0) return { device, certificates: [], keys: [] }

  const moved = suspended ? device : addDeviceMove(change, device, 'suspended', by, now)
  const held: CertificateStatus = { kind: 'held', at: now, invalidityDate: null, ends: null }
  addStatusChanges(change, live, { to: held, actor, now, detail: { by: 'suspension' } })
  for (const key of used) addKeyMove(change, key, 'suspended', actor, now)
  const suspension: Suspension = {
    deviceId: device.id,
    at: before?.at ?? moved.stateChangedAt,
    // Who was suspended before suspensions were written down goes back to where devices work.
    from: before?.from ?? (suspended ? 'active' : originOf(device)),
    certificates: [
      ...(before?.certificates ?? []),
      ...live.map(({ authorityId, serialNumber }) => ({ authorityId, serialNumber, heldAt: now })),
    ],
    keys: [...(before?.keys ?? []), ...used.map(({ id, state }) => ({ id, from: state }))],
  }
  change.write({ kind: 'suspension.put', suspension })
  return { device: moved, certificates: namesOf(live), keys: keyMoves(used, 'suspended') }
}

/**
 * Ends a suspension: the device goes back to where it was, and what the suspension took is good again, where nobody decided otherwise
 * meanwhile. Of a device that is not suspended nothing changes. Throws `device.not_found`, `device.move_not_allowed` for one that is
 * retired or destroyed, `device.because_invalid`, `device.contended`.
 */
export function resumeDevice(id: DeviceId, by: DeviceActBy, ports: DeviceActPorts): Promise<DeviceActOutcome> {
  return actOnDevice(
    id,
    async ({ device, certificates, keys }, change, now) => {
      if (device.state === 'retired' || device.state === 'destroyed') throw moveNotAllowed(device, 'active')
      if (device.state !== 'suspended') return { device }
      const suspension = await ports.store.read.suspension(id)
      const taken = new Map(
        suspension?.certificates.map(each => [`${each.authorityId}/${each.serialNumber}`, each.heldAt]),
      )
      const released = certificates.filter(
        ({ authorityId, serialNumber, status }) =>
          status.kind === 'held' && status.ends === null && status.at === taken.get(`${authorityId}/${serialNumber}`),
      )
      const moved = addDeviceMove(change, device, suspension?.from ?? 'active', by, now)
      addStatusChanges(change, released, { to: { kind: 'good' }, actor: by.actor, now, detail: { by: 'resumption' } })
      const back = new Map(suspension?.keys.map(each => [each.id, each.from]))
      const moves: DeviceActOutcome['keys'][number][] = []
      for (const key of keys) {
        const to = back.get(key.id)
        if (key.state !== 'suspended' || to === undefined) continue
        addKeyMove(change, key, to, by.actor, now)
        moves.push({ id: key.id, from: key.state, to })
      }
      change.write({ kind: 'suspension.remove', deviceId: id })
      return { device: moved, certificates: namesOf(released), keys: moves }
    },
    ports,
  )
}

function originOf({ state, ...device }: DeviceFacts['device']): Suspension['from'] {
  if (state === 'manufactured' || state === 'shipped' || state === 'active') return state
  throw moveNotAllowed({ state, ...device }, 'suspended')
}

function keyMoves(keys: readonly DeviceKey[], to: DeviceKey['state']): DeviceActOutcome['keys'] {
  return keys.map(({ id, state }) => ({ id, from: state, to }))
}
