// A key counts as beyond use: not because somebody says so, but because a statement is kept that says why: the device's own, signed with the
// keys that it then wiped, or that of whoever saw it destroyed. The log commits to the statement.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { ChangeBuilder } from '../change-builder.ts'
import type { DeviceId, KeyId, UnixSeconds } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'
import { untilNothingIsLeft } from '../rounds.ts'
import type { DeviceKey } from './device-key.ts'
import { addKeyMove } from './key-changes.ts'
import type { Statement } from './statement.ts'

/**
 * Records that these keys of a retired device are destroyed, with the statement as evidence, which the caller verified. Answers those that
 * count as destroyed now, whoever said it first. Throws `device.not_found`, `device.not_retired`, `key.not_of_device`.
 */
export async function endKeys(
  deviceId: DeviceId,
  keyIds: readonly KeyId[],
  statement: Statement,
  actor: AuditEntry['actor'],
  { store, clock }: { readonly store: Store; readonly clock: Clock },
): Promise<KeyId[]> {
  const wanted = [...new Set(keyIds)]
  await untilNothingIsLeft(
    async () => {
      const [device, keys] = await Promise.all([store.read.device(deviceId), store.read.keysOfDevice(deviceId)])
      if (device === undefined) {
        throw new TouchmarkError('device.not_found', 'not_found', `There is no device ${deviceId}.`, {
          next: 'List devices with: touchmark device list',
        })
      }
      if (device.state !== 'retired' && device.state !== 'destroyed') {
        throw new TouchmarkError('device.not_retired', 'conflict', `The device is ${device.state}.`, {
          evidence: { deviceId },
          next: 'Keys end with the device: touchmark device retire SERIAL',
        })
      }
      const named = wanted.map(id => keys.find(key => key.id === id) ?? notOfDevice(id, deviceId))
      const ending = named.filter(({ state }) => state !== 'destroyed')
      if (ending.length === 0) return null
      const change = new ChangeBuilder()
      addKeyEnds(change, ending, statement, actor, clock.now())
      await store.commit(change)
      return ending.length
    },
    () =>
      new TouchmarkError('device.contended', 'unavailable', 'Others keep changing the keys of this device.', {
        evidence: { deviceId },
        next: 'Try again.',
      }),
  )
  return wanted
}

/** The statement, and for each key its end with the statement as evidence. */
export function addKeyEnds(
  change: ChangeBuilder,
  keys: readonly DeviceKey[],
  statement: Statement,
  actor: AuditEntry['actor'],
  now: UnixSeconds,
): void {
  change.write({ kind: 'statement.put', statement })
  for (const key of keys) {
    addKeyMove(change, key, 'destroyed', actor, now)
    change.record({
      at: now,
      actor,
      action: 'key.ended',
      outcome: 'done',
      subject: { deviceId: key.deviceId, keyId: key.id },
      detail: { statementSha256: statement.sha256, evidence: statement.kind },
    })
  }
}

function notOfDevice(keyId: KeyId, deviceId: DeviceId): never {
  throw new TouchmarkError(
    'key.not_of_device',
    'conflict',
    'The statement names a key that is not one of this device.',
    {
      evidence: { keyId, deviceId },
      next: 'Look its keys up with: touchmark device show SERIAL',
    },
  )
}
