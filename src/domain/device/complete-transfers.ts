// A device changes hands, second half: at its date an accepted transfer takes effect. The device has another owner, the transfer becomes
// history, and where the new owner wants it, every credential is asked for a key that the old one never saw.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { ChangeBuilder } from '../change-builder.ts'
import type { DeviceId, UnixSeconds } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'
import { DEFAULT_ORDER_SECONDS, orderWrites } from '../renewal/order-renewal.ts'
import { untilNothingIsLeft } from '../rounds.ts'
import { addPropertyChange } from './change-properties.ts'
import type { OwnershipTransfer } from './ownership.ts'
import { addTransferMove } from './ownership-changes.ts'
import { ownerOf } from './propose-transfer.ts'

export interface CompletionPorts {
  readonly store: Store
  readonly clock: Clock
}

const SYSTEM: AuditEntry['actor'] = { kind: 'system', id: 'ownership' }
const PAGE = 100

/** Lets every accepted transfer whose date has come take effect; answers how many did. Idempotent: for a job, in any number of processes. */
export async function completeDueTransfers(ports: CompletionPorts, signal?: AbortSignal): Promise<number> {
  let done = 0
  for (;;) {
    const due = await ports.store.read.transfersDue(ports.clock.now(), PAGE)
    for (const { id } of due) {
      if (signal?.aborted) return done
      if ((await completeTransfer(id, ports)).state === 'effective') done++
    }
    if (due.length < PAGE) return done
  }
}

/**
 * Lets the transfer take effect, where it is accepted and its date has come; a device that meanwhile belongs to somebody else than the
 * transfer says stays where it is, and the transfer is called off. Throws `ownership.not_found`, `ownership.contended`.
 */
export async function completeTransfer(
  id: OwnershipTransfer['id'],
  { store, clock }: CompletionPorts,
): Promise<OwnershipTransfer> {
  const { read } = store
  let last: OwnershipTransfer | undefined
  await untilNothingIsLeft(
    async () => {
      const transfer = await read.transfer(id)
      if (transfer === undefined) {
        throw new TouchmarkError('ownership.not_found', 'not_found', `There is no transfer ${id}.`, {
          next: 'Look it up with: touchmark device show SERIAL',
        })
      }
      last = transfer
      const now = clock.now()
      if (transfer.state !== 'accepted' || transfer.effectiveAt > now) return null
      const { deviceId, from, to: value } = transfer
      const change = new ChangeBuilder()
      if ((await ownerOf(deviceId, read)) !== from) {
        addTransferMove(change, transfer, 'cancelled', SYSTEM, now, { because: 'ownership.owner_differs' })
      } else {
        addTransferMove(change, transfer, 'effective', SYSTEM, now)
        const to = { deviceId, name: 'owner', value, personal: false, salt: null } as const
        addPropertyChange(change, { deviceId, name: 'owner', from, to }, SYSTEM, now)
        if (transfer.newKey) await orderNewKeys(change, deviceId, now, store)
      }
      await store.commit(change)
      return id
    },
    () =>
      new TouchmarkError('ownership.contended', 'unavailable', 'Others keep changing this device.', {
        evidence: { transferId: id },
        next: 'It is tried again by itself.',
      }),
  )
  return last!
}

async function orderNewKeys(change: ChangeBuilder, deviceId: DeviceId, now: UnixSeconds, store: Store): Promise<void> {
  for (const credential of await store.read.credentialsOfDevice(deviceId)) {
    const { writes, audit } = orderWrites(
      credential,
      {
        reason: 'ownership_transferred',
        at: now,
        until: now + DEFAULT_ORDER_SECONDS,
        newKey: true,
        keyAlgorithm: null,
        profile: null,
        authorityId: null,
        campaignId: null,
      },
      SYSTEM,
    )
    change.write(...writes)
    for (const entry of audit) change.record(entry)
  }
}
