// `touchmark device set | erase`: what is said of a device beside its name.
import type { PropertyName } from '../domain/device/device-property.ts'
import { act, type Command, command, usageError } from './command.ts'
import { deviceArgument, findDevice } from './find-device.ts'
import { OPERATOR } from './operator.ts'
import { facts } from './output.ts'
import { systemClock, withStore } from './store.ts'
import { propertyView } from './views.ts'

interface SetOptions {
  readonly model?: string
  readonly personal?: boolean
}

export function setCommand(): Command {
  const set = deviceArgument(
    command({
      name: 'set',
      summary: 'Say something of a device: owner, site, labels, free attributes',
      description:
        'NAME=VALUE sets or replaces, NAME= takes away. NAME is owner, site, label:NAME or attribute:NAME. Labels may end\n' +
        'up in certificates. What could tell of a person is set with --personal: the log then holds nothing that could\n' +
        'confirm it once it is erased.',
      examples: [
        ['device set SN-000042 owner=acme site=berlin label:line=3', 'Three properties at once'],
        ['device set SN-000042 attribute:contact="Ada Lovelace" --personal', 'One that can be erased without a trace'],
        ['device set SN-000042 site=', 'Take one away'],
      ],
    }),
  )
    .argument('<name=value...>', 'what is said')
    .option('--personal', 'it could tell of a person')
  return act<SetOptions>(set, ({ out, data, options }, serial, ...given) =>
    withStore(data, async store => {
      const [{ changeProperties }, { parsePropertyName }, { systemRandom }] = await Promise.all([
        import('../domain/device/change-properties.ts'),
        import('../domain/device/device-property-name.ts'),
        import('../crypto/random.ts'),
      ])
      const changes = given.flat().map(text => {
        const at = text.indexOf('=')
        if (at < 0) throw usageError(`"${text}" is not NAME=VALUE.`, 'NAME= takes a property away.')
        const value = text.slice(at + 1)
        return {
          name: parsePropertyName(text.slice(0, at)),
          value: value === '' ? null : value,
          personal: options.personal === true,
        }
      })
      const device = await findDevice(store.read, serial!, options.model)
      const ports = { store, clock: systemClock, random: systemRandom }
      const properties = await changeProperties(device.id, changes, OPERATOR, ports)
      const document = {
        serialNumber: device.serialNumber,
        model: device.model,
        properties: properties.map(propertyView),
      }
      out.result(document, () =>
        properties.length === 0
          ? `Nothing is said of ${device.serialNumber} (${device.model}).`
          : facts(properties.map(({ name, value, personal }) => [name, personal ? `${value}  (personal)` : value])),
      )
    }),
  )
}

export function eraseCommand(): Command {
  const erase = deviceArgument(
    command({
      name: 'erase',
      summary: 'Erase what could tell of a person about a device',
      description:
        'Values and salts go; the entries of the log stay and verify, and nobody can tell any more what they spoke of.\n' +
        'It cannot be undone. Backups keep what they hold until they are gone.',
      examples: [['device erase SN-000042', 'Whatever was set with --personal']],
    }),
  )
  return act<{ readonly model?: string }>(erase, ({ out, data, options }, serial) =>
    withStore(data, async store => {
      const { erasePersonal } = await import('../domain/device/change-properties.ts')
      const device = await findDevice(store.read, serial!, options.model)
      const erased: PropertyName[] = await erasePersonal(device.id, OPERATOR, { store, clock: systemClock })
      out.result({ serialNumber: device.serialNumber, model: device.model, erased }, () =>
        erased.length === 0
          ? `Nothing personal is said of ${device.serialNumber} (${device.model}).`
          : `Erased for good: ${erased.join(', ')}.`,
      )
    }),
  )
}
