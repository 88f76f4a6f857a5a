// What is said of a device beside its name: set, replaced, taken away, erased. The store holds the value, the log holds what commits to it.
import { TouchmarkError } from '../../core/errors.ts'
import { SALT_LENGTH } from '../audit/commitment.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { ChangeBuilder } from '../change-builder.ts'
import type { DeviceId, UnixSeconds } from '../ids.ts'
import type { Clock, Random, Store } from '../ports.ts'
import type { DeviceProperty, PropertyName } from './device-property.ts'
import { checkPropertyValue } from './device-property-name.ts'
import { propertyDetail } from './property-commitment.ts'

export interface PropertyChange {
  readonly name: PropertyName
  /** `null` takes it away. */
  readonly value: string | null
  /** Whether it could tell of a person: the log then holds nothing that could ever confirm it once it is erased. */
  readonly personal: boolean
}

/** Properties of one device. */
export const MAX_PROPERTIES = 64

/**
 * Applies the changes together; what is as it shall be stays as it is. Answers what is said of the device now. Throws `device.not_found`,
 * `property.value_invalid`, `property.not_personal`, `property.too_many`, `property.owner_in_transfer`; `device.property_changed`
 * where somebody else was faster.
 */
export async function changeProperties(
  deviceId: DeviceId,
  changes: readonly PropertyChange[],
  actor: AuditEntry['actor'],
  ports: { readonly store: Store; readonly clock: Clock; readonly random: Random },
): Promise<DeviceProperty[]> {
  const { read } = ports.store
  if ((await read.device(deviceId)) === undefined) throw deviceNotFound(deviceId)
  const now = ports.clock.now()
  const found = new Map((await read.propertiesOfDevice(deviceId)).map(property => [property.name, property]))
  const change = new ChangeBuilder()
  for (const { name, value, personal } of changes) {
    const current = found.get(name)
    if (value === null) {
      if (current === undefined) continue
      found.delete(name)
    } else {
      checkPropertyValue(name, value)
      if (personal) checkMayBePersonal(name)
      if (current?.value === value && current.personal === personal) continue
      const salt = personal ? new Uint8Array(ports.random.bytes(SALT_LENGTH)) : null
      found.set(name, { deviceId, name, value, personal, salt })
    }
    if (name === 'owner') await checkOwnerChange(deviceId, ports.store)
    addPropertyChange(change, { deviceId, name, from: current?.value ?? null, to: found.get(name) ?? null }, actor, now)
  }
  if (found.size > MAX_PROPERTIES) {
    throw new TouchmarkError('property.too_many', 'conflict', `A device has at most ${MAX_PROPERTIES} properties.`, {
      next: 'Take one away first: touchmark device set SERIAL NAME=',
    })
  }
  if (change.writes.length > 0) await ports.store.commit(change)
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** While it changes hands, whose the device is is for the transfer to say. */
async function checkOwnerChange(deviceId: DeviceId, store: Store): Promise<void> {
  const [newest] = await store.read.transfersOfDevice(deviceId)
  if (newest?.state !== 'proposed' && newest?.state !== 'accepted') return
  throw new TouchmarkError(
    'property.owner_in_transfer',
    'conflict',
    'The device is being transferred to another owner.',
    {
      evidence: { transferId: newest.id },
      next: 'Call the transfer off first: touchmark device transfer-cancel ID',
    },
  )
}

/** Labels end up in certificates, owners in agreements and in the log: what stands there cannot be erased. */
function checkMayBePersonal(name: PropertyName): void {
  if (name !== 'owner' && !name.startsWith('label:')) return
  throw new TouchmarkError('property.not_personal', 'malformed', `${name} cannot be a personal property.`, {
    next: 'Owners and labels are named in certificates, agreements and the log. Keep the person in attribute:NAME.',
  })
}

/** One change within a change set. */
export function addPropertyChange(
  change: ChangeBuilder,
  {
    deviceId,
    name,
    from,
    to,
  }: {
    readonly deviceId: DeviceId
    readonly name: PropertyName
    readonly from: string | null
    readonly to: DeviceProperty | null
  },
  actor: AuditEntry['actor'],
  now: UnixSeconds,
): void {
  const written = to && { value: to.value, personal: to.personal, salt: to.salt }
  change.write({ kind: 'device.property', deviceId, name, from, to: written })
  change.record({
    at: now,
    actor,
    action: 'device.property_changed',
    outcome: 'done',
    subject: { deviceId, name },
    detail: propertyDetail(to),
  })
}

/**
 * Erases every personal property of the device, value and salt: the entries about it stay, and nobody can tell any more what they spoke
 * of. Answers the names of what was erased. Throws `device.not_found`; `device.property_changed` where somebody else was faster.
 */
export async function erasePersonal(
  deviceId: DeviceId,
  actor: AuditEntry['actor'],
  ports: { readonly store: Store; readonly clock: Clock },
): Promise<PropertyName[]> {
  const { read } = ports.store
  if ((await read.device(deviceId)) === undefined) throw deviceNotFound(deviceId)
  const change = new ChangeBuilder()
  const erased = addErasure(change, deviceId, await read.propertiesOfDevice(deviceId), actor, ports.clock.now())
  if (erased.length > 0) await ports.store.commit(change)
  return erased
}

/** The erasure within a change set; nothing where there is nothing personal. */
export function addErasure(
  change: ChangeBuilder,
  deviceId: DeviceId,
  properties: readonly DeviceProperty[],
  actor: AuditEntry['actor'],
  now: UnixSeconds,
): PropertyName[] {
  const personal = properties.filter(property => property.personal)
  if (personal.length === 0) return []
  for (const { name, value } of personal) {
    change.write({ kind: 'device.property', deviceId, name, from: value, to: null })
  }
  change.record({
    at: now,
    actor,
    action: 'device.erased',
    outcome: 'done',
    subject: { deviceId },
    detail: { properties: personal.length },
  })
  return personal.map(({ name }) => name)
}

function deviceNotFound(deviceId: DeviceId): TouchmarkError {
  return new TouchmarkError('device.not_found', 'not_found', `There is no device ${deviceId}.`, {
    next: 'List devices with: touchmark device list',
  })
}
