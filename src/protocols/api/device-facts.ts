// What decides whether a caller may see or touch a device: its owner, its model, its site. Asked here for every resource that belongs to a device.
import { TouchmarkError } from '../../core/errors.ts'
import type { Facts, Scope } from '../../domain/access/principal.ts'
import type { Device } from '../../domain/device/device.ts'
import { type DeviceId, deviceId } from '../../domain/ids.ts'
import type { StoreReader } from '../../domain/ports.ts'
import type { Call } from './endpoint.ts'
import { forbidden } from './gate.ts'

type Asked = Pick<Call<unknown, unknown, unknown>, 'may' | 'scopes'>

export async function factsOf(device: Device, read: Pick<StoreReader, 'propertiesOfDevice'>): Promise<Facts> {
  const properties = await read.propertiesOfDevice(device.id)
  const value = (name: string) => properties.find(property => property.name === name)?.value ?? null
  return { owner: value('owner'), model: device.model, site: value('site') }
}

/**
 * The device, for an act that `permission` allows. A device that the caller may not even look at is not there for it: who guesses ids learns
 * nothing. Throws `device.not_found`, `access.forbidden`.
 */
export async function readDeviceFor(
  id: string,
  call: Asked,
  permission: Parameters<Asked['may']>[1] & string,
  read: Pick<StoreReader, 'device' | 'propertiesOfDevice'>,
): Promise<Device> {
  const device = await read.device(deviceId(id))
  if (device === undefined) throw noDevice(id)
  // Nobody needs facts who may do it everywhere.
  if (call.may({}, permission)) return device
  const facts = await factsOf(device, read)
  if (call.may(facts, permission)) return device
  throw call.may(facts, 'device.read') ? forbidden(permission, true) : noDevice(id)
}

/** Whether a list may show something of this device. */
export async function mayShow(
  id: DeviceId | null,
  call: Asked,
  read: Pick<StoreReader, 'device' | 'propertiesOfDevice'>,
): Promise<boolean> {
  if (call.may({})) return true
  const device = id === null ? undefined : await read.device(id)
  return device !== undefined && call.may(await factsOf(device, read))
}

/** The one scope of the caller, where there is one that is not everywhere: a query is narrowed to it instead of sorting out what it finds. */
export function onlyScope({ scopes }: Pick<Asked, 'scopes'>): Scope | undefined {
  return scopes.length === 1 ? scopes[0] : undefined
}

export function noDevice(id: string): TouchmarkError {
  return new TouchmarkError('device.not_found', 'not_found', `There is no device ${id}.`, {
    next: 'Devices are named by id here; find one by its serial number: GET /api/v1/devices?search=…',
  })
}
