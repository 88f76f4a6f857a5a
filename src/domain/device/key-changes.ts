// What a move of a device's key writes: the state and its entry. Moves that are not legal are a mistake of the caller.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { ChangeBuilder } from '../change-builder.ts'
import type { UnixSeconds } from '../ids.ts'
import { type DeviceKey, type KeyState, mayKeyMove } from './device-key.ts'

/** Moves the key. Throws `key.move_not_allowed`. */
export function addKeyMove(
  change: ChangeBuilder,
  { id, deviceId, state: from }: DeviceKey,
  to: KeyState,
  actor: AuditEntry['actor'],
  now: UnixSeconds,
): void {
  if (!mayKeyMove(from, to)) {
    throw new TouchmarkError('key.move_not_allowed', 'conflict', `A key that is ${from} cannot become ${to}.`, {
      evidence: { keyId: id, from, to },
    })
  }
  change.write({ kind: 'key.state', id, from, to, at: now })
  change.record({
    at: now,
    actor,
    action: 'key.state_changed',
    outcome: 'done',
    subject: { deviceId, keyId: id },
    detail: { from, to },
  })
}
