// `touchmark device ship | suspend | resume | retire | destroy`: the states of a device, each with everything that goes with it. In force
// at once, also in a running server.
import { readFile } from 'node:fs/promises'
import type { Device } from '../domain/device/device.ts'
import type { DeviceActBy, DeviceActOutcome, DeviceActPorts } from '../domain/device/device-act.ts'
import type { DeviceId } from '../domain/ids.ts'
import type { StoreReader } from '../domain/ports.ts'
import { act, type Command, type CommandText, type Context, command, usageError } from './command.ts'
import { deviceArgument, findDevice } from './find-device.ts'
import { OPERATOR } from './operator.ts'
import { systemClock, withStore } from './store.ts'
import { storedSettings } from './stored-settings.ts'
import { deviceView } from './views.ts'

interface Options {
  readonly model?: string
  readonly because?: string
}

export function shipCommand(): Command {
  const ship = stateCommand({
    name: 'ship',
    summary: 'A device leaves the factory',
    description: 'Its certificates stay as they are. Its first own request makes it active.',
    examples: [['device ship SN-000042', 'Also done by itself when the device first enrols']],
  })
  return act<Options>(ship, (context, serial) =>
    perform(context, serial!, {
      load: async () => (await import('../domain/device/ship-device.ts')).shipDevice,
    }),
  )
}

export function suspendCommand(): Command {
  const suspend = stateCommand({
    name: 'suspend',
    summary: 'Take a device out of service for as long as you like',
    description:
      'Its live certificates go on hold and its keys are suspended, in one step: nobody who asks OCSP or reads the CRL\n' +
      'believes it, and it enrols and renews nothing, whatever certificate or token it shows.',
    examples: [['device suspend SN-000042 --because INC-4711', 'Back again with: touchmark device resume SN-000042']],
  })
  return act<Options>(suspend, (context, serial) =>
    perform(context, serial!, {
      load: async () => (await import('../domain/device/suspend-device.ts')).suspendDevice,
      remains: async device => [`Back in service with: touchmark device resume ${device.serialNumber}`],
    }),
  )
}

export function resumeCommand(): Command {
  const resume = stateCommand({
    name: 'resume',
    summary: 'End a suspension',
    description:
      'Exactly what the suspension held is good again. A certificate that was on hold before for a reason of its own\n' +
      'stays on hold, and what was revoked meanwhile stays revoked.',
    examples: [['device resume SN-000042', 'It goes back to the state that it had']],
  })
  return act<Options>(resume, (context, serial) =>
    perform(context, serial!, {
      load: async () => (await import('../domain/device/suspend-device.ts')).resumeDevice,
      remains: stillOnHold,
    }),
  )
}

export function retireCommand(): Command {
  const retire = stateCommand({
    name: 'retire',
    summary: 'End the work of a device for good',
    description:
      'Every live certificate is revoked (cessationOfOperation), of every profile and of every authority, its keys are\n' +
      'archived, its tokens withdrawn, its waiting requests rejected: all in one step. It cannot be undone.',
    examples: [['device retire SN-000042', 'Then, when it is scrapped: touchmark device destroy SN-000042']],
  })
  return act<Options>(retire, (context, serial) =>
    perform(context, serial!, {
      load: async () => (await import('../domain/device/retire-device.ts')).retireDevice,
      remains: async (device, read) => [
        `Its private keys are still in it: let its agent wipe them, or destroy it: touchmark device destroy ${device.serialNumber}`,
        ...(await personalRemains(device, read)),
      ],
    }),
  )
}

interface DestroyOptions extends Options {
  readonly witness?: string
  readonly erase?: boolean
}

export function destroyCommand(): Command {
  const destroy = stateCommand({
    name: 'destroy',
    summary: 'Write down that a retired device was destroyed',
    description:
      'Keys that its agent did not wipe count as beyond use by the word of a witness: a text or record that you give, or\n' +
      'your own. It cannot be undone, and nothing comes after it but the certificate of destruction.',
    examples: [
      ['device destroy SN-000042', 'By your own word'],
      [
        'device destroy SN-000042 --witness shredder-protocol.txt --erase',
        'With a record, and what is personal erased',
      ],
    ],
  })
    .option('--witness <file>', 'what the witness wrote, at most 64 KiB; it is kept, and the log commits to it')
    .option('--erase', 'erase what could tell of a person as well')
  return act<DestroyOptions>(destroy, (context, serial) =>
    perform(context, serial!, {
      load: async () => {
        const { destroyDevice } = await import('../domain/device/destroy-device.ts')
        const { witness: file, erase = false } = context.options
        const witness = file === undefined ? undefined : await readWitness(file)
        return async (id: DeviceId, by: DeviceActBy, ports: DeviceActPorts) => {
          const { organization } = await storedSettings(ports.store.read)
          return destroyDevice(id, { ...by, erase, ...(witness && { witness }) }, { ...ports, organization })
        }
      },
      remains: async (device, read) => [
        `Its certificate of destruction: touchmark device destruction-certificate ${device.serialNumber} --output FOLDER`,
        ...(await personalRemains(device, read)),
      ],
    }),
  )
}

function stateCommand(text: CommandText): Command {
  return deviceArgument(command(text)).option(
    '--because <word>',
    'why: a ticket number or a code; it stands in the log',
  )
}

interface StateAct {
  load(): Promise<
    (id: DeviceId, by: DeviceActBy, ports: DeviceActPorts) => Promise<DeviceActOutcome & { erased?: number }>
  >
  /** What is not done yet, one sentence each. */
  remains?(device: Device, read: StoreReader): Promise<readonly string[]>
}

function perform({ out, data, options }: Context<Options>, serial: string, { load, remains }: StateAct): Promise<void> {
  return withStore(data, async store => {
    const run = await load()
    const { id } = await findDevice(store.read, serial, options.model)
    const by = { actor: OPERATOR, ...(options.because === undefined ? {} : { because: options.because }) }
    const outcome = await run(id, by, { store, clock: systemClock })
    const { device, from, certificates, keys, tokens, requests, transfers, erased } = outcome
    const document = {
      device: deviceView(device),
      from,
      certificates: certificates.map(each => ({
        serialNumber: each.serialNumber,
        issuer: each.authorityId,
        profile: each.profile,
      })),
      keys,
      tokens,
      requests,
      transfers,
      ...(erased === undefined ? {} : { erased }),
    }
    out.result(document, () => describe(outcome))
    if (!out.json) for (const sentence of (await remains?.(outcome.device, store.read)) ?? []) out.note(sentence)
  })
}

function describe(outcome: DeviceActOutcome & { readonly erased?: number }): string {
  const { device, from, certificates, keys, tokens, requests, transfers, erased = 0 } = outcome
  const name = `${device.serialNumber} (${device.model})`
  const done = [
    counted(certificates.length, 'certificate', CERTIFICATES[device.state]),
    counted(keys.length, 'key', KEYS[device.state]),
    counted(tokens, 'token', 'withdrawn'),
    counted(requests, 'request', 'rejected'),
    counted(transfers, 'transfer', 'called off'),
    counted(erased, 'personal property', 'erased'),
  ].filter(text => text !== '')
  const already = device.state === from && done.length === 0 ? ' already' : ''
  return `${name} is ${device.state}${already}.${done.length === 0 ? '' : ` ${done.join(', ')}.`}`
}

const CERTIFICATES = {
  manufactured: 'good again',
  shipped: 'good again',
  active: 'good again',
  suspended: 'on hold',
  retired: 'revoked',
  destroyed: 'revoked',
} as const
const KEYS = {
  manufactured: 'back',
  shipped: 'back',
  active: 'back',
  suspended: 'suspended',
  retired: 'archived',
  destroyed: 'beyond use',
} as const

function counted(count: number, noun: string, done: string): string {
  if (count === 0) return ''
  const plural = noun.endsWith('y') && noun !== 'key' ? `${noun.slice(0, -1)}ies` : `${noun}s`
  return `${count} ${count === 1 ? noun : plural} ${done}`
}

async function stillOnHold({ id }: Device, read: StoreReader): Promise<string[]> {
  const held = (await read.certificatesOfDevice(id)).filter(({ status }) => status.kind === 'held')
  return held.map(
    ({ serialNumber }) =>
      `Still on hold, for a reason of its own: touchmark revoke --certificate ${serialNumber} --release`,
  )
}

async function personalRemains({ id, serialNumber }: Device, read: StoreReader): Promise<string[]> {
  const personal = (await read.propertiesOfDevice(id)).filter(property => property.personal)
  return personal.length === 0
    ? []
    : [`What could tell of a person is still there: touchmark device erase ${serialNumber}`]
}

async function readWitness(file: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file))
  } catch (cause) {
    throw usageError(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown'}).`)
  }
}
