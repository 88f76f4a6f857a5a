// A device changes hands, first half: the transfer is proposed, and agreed to by both owners with their signatures, or by the rule of this
// instance. From then on it waits for its date.
import { toBase64 } from '../../core/bytes/base64.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { Settings } from '../ca/settings.ts'
import { ChangeBuilder } from '../change-builder.ts'
import { type DeviceId, newTransferId, type TransferId, type UnixSeconds } from '../ids.ts'
import type { Clock, Random, Store, StoreReader } from '../ports.ts'
import { standingDevice } from '../ra/standing-facts.ts'
import type { Device } from './device.ts'
import { type Owner, readOwner } from './owner.ts'
import type { OwnershipTransfer } from './ownership.ts'
import { addTransferMove, transferDetail } from './ownership-changes.ts'
import { MAX_SIGNATURE, ownershipStatement, signersOf } from './ownership-statement.ts'

export interface TransferProposal {
  readonly deviceId: DeviceId
  /** Name of an owner. */
  readonly to: string
  /** When it takes effect; a time that has passed means at once. */
  readonly effectiveAt: UnixSeconds
  /** Whether the device needs a key that the owner before never saw. */
  readonly newKey: boolean
  /** Nobody has to sign, where the settings allow it. */
  readonly byRule: boolean
}

export interface TransferPorts {
  readonly store: Store
  readonly clock: Clock
}

/**
 * Proposes a transfer; by rule it is accepted at once. Throws `device.not_found`, `ownership.device_ended`, `owner.not_found`,
 * `ownership.same_owner`, `ownership.rule_not_allowed`, `transfer.exists` where the device has a transfer under way.
 */
export async function proposeTransfer(
  proposal: TransferProposal,
  actor: AuditEntry['actor'],
  ports: TransferPorts & { readonly random: Random; readonly settings: Pick<Settings, 'ownershipTransfers'> },
): Promise<OwnershipTransfer> {
  const { store, clock, random, settings } = ports
  const { deviceId, to, effectiveAt, newKey, byRule } = proposal
  const now = clock.now()
  const device = await transferableDevice(deviceId, store.read)
  const from = await ownerOf(deviceId, store.read)
  await readOwner(to, store.read)
  if (from === to) {
    throw new TouchmarkError('ownership.same_owner', 'conflict', `The device belongs to ${to} already.`, {
      next: 'See its owner and its transfers with: touchmark device show SERIAL',
    })
  }
  if (byRule && settings.ownershipTransfers !== 'rule') {
    throw new TouchmarkError('ownership.rule_not_allowed', 'forbidden', 'The settings ask both owners to sign.', {
      next: 'Propose it without --by-rule, and let both sign what touchmark device transfer-statement prints.',
    })
  }
  // Whoever is to sign has to be known before anybody is asked.
  if (!byRule && from !== null) await readOwner(from, store.read)
  const parties = ['from', 'to'] as const
  const agreements = byRule
    ? parties.map(party => ({ party, by: 'rule' as const, signature: null, at: now }))
    : from === null
      ? [{ party: 'from' as const, by: 'operator' as const, signature: null, at: now }]
      : []
  const id = newTransferId(now, random)
  const fields = { id, deviceId, from, to, effectiveAt, newKey, stateChangedAt: now, agreements, createdAt: now }
  const transfer: OwnershipTransfer = { ...fields, state: byRule ? 'accepted' : 'proposed' }
  const change = new ChangeBuilder().write(standingDevice(device), { kind: 'transfer.insert', transfer })
  const entry = { at: now, actor, outcome: 'done', subject: { deviceId, name: to } } as const
  change.record({ ...entry, action: 'ownership.proposed', detail: transferDetail(transfer) })
  if (byRule) {
    change.record({ ...entry, action: 'ownership.accepted', detail: { ...transferDetail(transfer), by: 'rule' } })
  }
  await store.commit(change)
  return transfer
}

/**
 * Takes an owner's signature over the statement of the transfer; with the second one it is accepted. Throws `ownership.not_found`,
 * `ownership.not_proposed`, `ownership.device_ended`, `owner.not_found`, `ownership.signature_malformed`, `ownership.signature_invalid`,
 * `ownership.signer_unknown`, `ownership.signed_before`; `transfer.state_changed` where somebody else was faster.
 */
export async function acceptTransfer(
  id: TransferId,
  signature: Uint8Array,
  actor: AuditEntry['actor'],
  ports: TransferPorts,
): Promise<OwnershipTransfer> {
  try {
    return await takeSignature(id, signature, actor, ports)
  } catch (thrown) {
    // The other owner signed in this moment: once more, over what stands there now.
    if (!(thrown instanceof TouchmarkError) || thrown.code !== 'transfer.state_changed') throw thrown
    return takeSignature(id, signature, actor, ports)
  }
}

async function takeSignature(
  id: TransferId,
  signature: Uint8Array,
  actor: AuditEntry['actor'],
  { store, clock }: TransferPorts,
): Promise<OwnershipTransfer> {
  const { read } = store
  const now = clock.now()
  const transfer = await readTransfer(id, read)
  if (transfer.state !== 'proposed') throw notProposed(transfer)
  const device = await transferableDevice(transfer.deviceId, read)
  const parties: { readonly party: 'from' | 'to'; readonly owner: Owner }[] = [
    { party: 'to', owner: await readOwner(transfer.to, read) },
  ]
  if (transfer.from !== null) parties.push({ party: 'from', owner: await readOwner(transfer.from, read) })
  if (signature.length > MAX_SIGNATURE) {
    throw new TouchmarkError('ownership.signature_malformed', 'malformed', 'The file is too large for a signature.', {
      next: 'A detached signature leaves the content out: openssl cms -sign -binary -outform DER',
    })
  }
  const statement = ownershipStatement(transfer, device)
  const signed = signersOf(
    signature,
    statement,
    parties.map(({ owner }) => owner),
    now,
  )
  const missing = parties.filter(
    ({ party, owner }) => signed.includes(owner) && !transfer.agreements.some(agreement => agreement.party === party),
  )
  if (missing.length === 0) {
    throw new TouchmarkError('ownership.signed_before', 'conflict', 'This side has signed already.', {
      next: 'Wait for the other side: touchmark device show SERIAL',
    })
  }
  const agreements = [
    ...transfer.agreements,
    ...missing.map(({ party }) => ({ party, by: 'signature' as const, signature: toBase64(signature), at: now })),
  ]
  const agreed = { ...transfer, agreements }
  const statementSha256 = sha256Hex(statement)
  const change = new ChangeBuilder().write(standingDevice(device), {
    kind: 'statement.put',
    statement: {
      sha256: statementSha256,
      deviceId: device.id,
      kind: 'ownership_transfer',
      bytes: statement,
      at: transfer.createdAt,
    },
  })
  for (const { party } of missing) {
    change.record({
      at: now,
      actor,
      action: 'ownership.signed',
      outcome: 'done',
      subject: { deviceId: device.id, name: transfer.to },
      detail: { transferId: id, party, statementSha256, signatureSha256: sha256Hex(signature) },
    })
  }
  const complete = agreements.length === 2
  const before = transfer.agreements
  if (complete) addTransferMove(change, agreed, 'accepted', actor, now, {}, before)
  else
    change.write({ kind: 'transfer.state', id, from: 'proposed', to: 'proposed', at: now, agreements, agreed: before })
  await store.commit(change)
  return { ...agreed, state: complete ? 'accepted' : 'proposed', stateChangedAt: now }
}

/** Calls a transfer off before it takes effect. Throws `ownership.not_found`, `ownership.not_open`; `transfer.state_changed`. */
export async function cancelTransfer(
  id: TransferId,
  actor: AuditEntry['actor'],
  { store, clock }: TransferPorts,
): Promise<OwnershipTransfer> {
  const transfer = await readTransfer(id, store.read)
  if (transfer.state !== 'proposed' && transfer.state !== 'accepted') {
    throw new TouchmarkError('ownership.not_open', 'conflict', `The transfer is ${transfer.state}.`, {
      next: 'What took effect is undone by another transfer: touchmark device transfer SERIAL',
    })
  }
  const now = clock.now()
  const change = new ChangeBuilder()
  addTransferMove(change, transfer, 'cancelled', actor, now)
  await store.commit(change)
  return { ...transfer, state: 'cancelled', stateChangedAt: now }
}

/** Throws `ownership.not_found`. */
export async function readTransfer(id: TransferId, read: Pick<StoreReader, 'transfer'>): Promise<OwnershipTransfer> {
  const transfer = await read.transfer(id)
  if (transfer !== undefined) return transfer
  throw new TouchmarkError('ownership.not_found', 'not_found', `There is no transfer ${id}.`, {
    next: 'Look it up with: touchmark device show SERIAL',
  })
}

/** Whose the device is by its property `owner`; `null`: nobody said. */
export async function ownerOf(id: DeviceId, read: Pick<StoreReader, 'propertiesOfDevice'>): Promise<string | null> {
  return (await read.propertiesOfDevice(id)).find(({ name }) => name === 'owner')?.value ?? null
}

async function transferableDevice(id: DeviceId, read: StoreReader): Promise<Device> {
  const device = await read.device(id)
  if (device === undefined) {
    throw new TouchmarkError('device.not_found', 'not_found', `There is no device ${id}.`, {
      next: 'List devices with: touchmark device list',
    })
  }
  if (device.state === 'retired' || device.state === 'destroyed') {
    throw new TouchmarkError('ownership.device_ended', 'conflict', `The device is ${device.state}.`, {
      next: 'What has ended changes hands no more.',
    })
  }
  return device
}

function notProposed({ state }: OwnershipTransfer): TouchmarkError {
  return new TouchmarkError('ownership.not_proposed', 'conflict', `The transfer is ${state}.`, {
    next: 'Only a transfer that is proposed waits for signatures.',
  })
}
