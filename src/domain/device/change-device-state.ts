// An operator's word on a device as a whole: while it is suspended or retired it is given nothing, whatever it shows and whatever token it
// holds. Its certificates are another matter: others go on believing them until they are revoked.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { DeviceId } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'
import { type Device, type DeviceState, mayMove } from './device.ts'

const MOVES_IN_WORDS = 'A device can be suspended and resumed until it is retired; a retired one does not come back.'

/**
 * Moves the device; one that is in that state already stays as it is. Throws `device.not_found`, `device.move_not_allowed`;
 * `device.state_changed` where somebody else was faster.
 */
export async function changeDeviceState(
  id: DeviceId,
  to: DeviceState,
  actor: AuditEntry['actor'],
  { store, clock }: { readonly store: Store; readonly clock: Clock },
): Promise<Device> {
  const device = await store.read.device(id)
  if (device === undefined)
    throw new TouchmarkError('device.not_found', 'not_found', `There is no device ${id}.`, {
      next: 'List devices with: touchmark device list',
    })
  const { state: from } = device
  if (from === to) return device
  if (!mayMove(from, to)) {
    throw new TouchmarkError('device.move_not_allowed', 'conflict', `A device that is ${from} cannot become ${to}.`, {
      next: MOVES_IN_WORDS,
      evidence: { deviceId: id, from, to },
    })
  }
  const at = clock.now()
  await store.commit({
    writes: [{ kind: 'device.state', id, from, to, at }],
    audit: [
      { at, actor, action: 'device.state_changed', outcome: 'done', subject: { deviceId: id }, detail: { from, to } },
    ],
  })
  return { ...device, state: to, stateChangedAt: at }
}
