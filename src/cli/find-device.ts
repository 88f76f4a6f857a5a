// A device by what a person calls it: its serial number, and its model where two makers had the same idea.
import { TouchmarkError } from '../core/errors.ts'
import type { Device } from '../domain/device/device.ts'
import type { StoreReader } from '../domain/ports.ts'
import type { Command } from './command.ts'

/** The argument and the option that name a device. */
export function deviceArgument(made: Command): Command {
  return made
    .argument('<serial>', "the maker's serial number")
    .option('-m, --model <model>', 'where two models share the serial number')
}

/** The one device with this serial number. Throws `device.not_found`, `device.ambiguous`. */
export async function findDevice(read: StoreReader, serial: string, model: string | undefined): Promise<Device> {
  const found =
    model === undefined
      ? await read.devicesBySerial(serial)
      : [await read.deviceBySerial(model, serial)].filter(device => device !== undefined)
  const [device, ...others] = found
  if (!device) {
    throw new TouchmarkError('device.not_found', 'not_found', `There is no device with the serial number ${serial}.`, {
      next: 'List devices with: touchmark device list',
    })
  }
  if (others.length > 0) {
    throw new TouchmarkError('device.ambiguous', 'conflict', `${found.length} models have a device ${serial}.`, {
      next: `Name one with --model: ${found.map(each => each.model).join(', ')}.`,
    })
  }
  return device
}
