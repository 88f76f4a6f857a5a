// `touchmark device`: the registry, one device or many, and an operator's word on one. Needs no passphrase and no running server.
import { fromHex } from '../core/bytes/hex.ts'
import { TouchmarkError } from '../core/errors.ts'
import type { Device, DeviceState } from '../domain/device/device.ts'
import { batchId, type RequestDigest, requestDigest } from '../domain/ids.ts'
import type { Page, StoreReader } from '../domain/ports.ts'
import type { Enrolment } from '../domain/ra/enrolment.ts'
import { act, type Command, type Context, command, group, positiveInteger, usageError } from './command.ts'
import { OPERATOR } from './operator.ts'
import { facts, table, time, timestamp } from './output.ts'
import { systemClock, withStore } from './store.ts'
import { certificateView, deviceView, keyView, statusText } from './views.ts'

export function deviceCommand(): Command {
  return group({ name: 'device', summary: 'Find a device, its keys and certificates; decide about it' })
    .addCommand(showCommand())
    .addCommand(listCommand())
    .addCommand(pendingCommand())
    .addCommand(approveCommand())
    .addCommand(rejectCommand())
    .addCommand(moveCommand('suspend', 'suspended', 'Give a device nothing until it is resumed'))
    .addCommand(moveCommand('resume', 'active', 'End a suspension'))
    .addCommand(retireCommand())
}

interface ShowOptions {
  readonly model?: string
}

function showCommand(): Command {
  const show = command({
    name: 'show',
    summary: 'Show a device with its keys and certificates',
    examples: [
      ['device show SN-000042', 'A device by its serial number, its certificates newest first'],
      [
        'device show SN-000042 --json | jq -r .certificates[0].serialNumber',
        'The newest certificate, ready for touchmark revoke',
      ],
    ],
  })
    .argument('<serial>', "the maker's serial number")
    .option('-m, --model <model>', 'where two models share the serial number')
  return act<ShowOptions>(show, ({ out, data, options }, serial) =>
    withStore(data, async store => {
      const device = await findDevice(store.read, serial!, options.model)
      const [keys, certificates] = await Promise.all([
        store.read.keysOfDevice(device.id),
        store.read.certificatesOfDevice(device.id),
      ])
      const now = systemClock.now()
      const document = {
        device: deviceView(device),
        keys: keys.map(keyView),
        certificates: certificates.map(record => certificateView(record, now)),
      }
      out.result(document, () =>
        [
          facts([
            ['device', `${device.serialNumber}  (${device.model})`],
            ['state', `${device.state} since ${time(device.stateChangedAt)}`],
            ['registered', time(device.createdAt)],
            ...(device.batch ? [['batch', device.batch] as const] : []),
            ...Object.entries(device.labels),
          ]),
          '',
          table(
            ['KEY', 'ALGORITHM', 'MADE BY', 'STATE', 'SINCE'],
            keys.map(key => [key.id.slice(0, 16), key.algorithm, key.origin, key.state, time(key.stateChangedAt)]),
          ),
          '',
          table(
            ['CERTIFICATE', 'PROFILE', 'ISSUER', 'NOT AFTER', 'KEY', 'STATUS'],
            certificates.map(record => [
              record.serialNumber,
              record.profile,
              record.authorityId,
              time(record.notAfter),
              record.keyId.slice(0, 16),
              statusText(record, now),
            ]),
          ),
        ].join('\n'),
      )
    }),
  )
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

interface ListOptions {
  readonly model?: string
  readonly batch?: string
  readonly limit: number
  readonly after?: string
}

function listCommand(): Command {
  const list = command({
    name: 'list',
    summary: 'List devices in the order in which they were registered',
    description: 'Pages through a registry of any size: pass the last line’s --after to go on.',
    examples: [
      ['device list --model gateway-7 --limit 20', 'The first 20 of a model'],
      ['device list --json --limit 1000000', 'Everything, one JSON object a line'],
    ],
  })
    .option('-m, --model <model>', 'only this model')
    .option('-b, --batch <id>', 'only this batch')
    .option('-n, --limit <count>', 'at most so many', positiveInteger, 50)
    .option('--after <id>', 'go on after this device id')
  return act<ListOptions>(list, context => withStore(context.data, store => listDevices(context, store.read)))
}

const PAGE = 1000

async function listDevices({ out, options, signal }: Context<ListOptions>, read: StoreReader): Promise<void> {
  const devices: Device[] = []
  let next = options.after ?? null
  let left = options.limit
  do {
    const page = await read.devices({
      ...(next === null ? {} : { after: next }),
      ...(options.model === undefined ? {} : { model: options.model }),
      ...(options.batch === undefined ? {} : { batch: batchId(options.batch) }),
      limit: Math.min(left, PAGE),
    })
    if (out.json) for (const device of page.items) out.line(deviceView(device))
    else devices.push(...page.items)
    left -= page.items.length
    next = page.next
  } while (next !== null && left > 0 && !signal.aborted)
  if (out.json) return
  const rows = devices.map(device => [
    device.serialNumber,
    device.model,
    device.state,
    time(device.createdAt),
    device.id,
  ])
  out.say(table(['SERIAL', 'MODEL', 'STATE', 'REGISTERED', 'ID'], rows))
  if (next !== null) out.note(`There are more: --after ${next}`)
}

function pendingCommand(): Command {
  const pending = command({
    name: 'pending',
    summary: 'List enrolment requests that wait for an operator',
    examples: [['device pending', 'Then: touchmark device approve DIGEST']],
  })
  return act(pending, ({ out, data, signal }) =>
    withStore(data, async ({ read }) => {
      const rows: string[][] = []
      let after: string | null = null
      do {
        const page: Page<Enrolment> = await read.enrolments('pending', {
          limit: PAGE,
          ...(after === null ? {} : { after }),
        })
        for (const { digest, serialNumberClaimed, profile, protocol, rule, createdAt } of page.items) {
          if (out.json)
            out.line({ digest, serialNumberClaimed, profile, protocol, rule, createdAt: timestamp(createdAt) })
          else rows.push([digest, serialNumberClaimed, profile, protocol, rule, time(createdAt)])
        }
        after = page.next
      } while (after !== null && !signal.aborted)
      if (!out.json) out.say(table(['REQUEST', 'SAYS IT IS', 'PROFILE', 'PROTOCOL', 'RULE', 'SINCE'], rows))
    }),
  )
}

function approveCommand(): Command {
  const approve = command({
    name: 'approve',
    summary: 'Approve a waiting request: the device gets its certificate when it asks again',
  }).argument('<digest>', 'from touchmark device pending')
  return act(approve, ({ out, data }, digest) =>
    withStore(data, async store => {
      const { approveEnrolment } = await import('../domain/ra/approve.ts')
      const enrolment = await approveEnrolment(digestOf(digest!), OPERATOR.id, { store, clock: systemClock })
      out.result({ digest: enrolment.digest, state: 'approved' }, () => `Approved: ${enrolment.serialNumberClaimed}.`)
    }),
  )
}

function rejectCommand(): Command {
  const reject = command({ name: 'reject', summary: 'Reject a waiting request' })
    .argument('<digest>', 'from touchmark device pending')
    .requiredOption('-r, --reason <text>', 'why, for other operators; kept out of the log')
  return act<{ readonly reason: string }>(reject, ({ out, data, options }, digest) =>
    withStore(data, async store => {
      const { rejectEnrolment } = await import('../domain/ra/approve.ts')
      const ports = { store, clock: systemClock }
      const enrolment = await rejectEnrolment(digestOf(digest!), OPERATOR.id, options.reason, ports)
      out.result({ digest: enrolment.digest, state: 'rejected' }, () => `Rejected: ${enrolment.serialNumberClaimed}.`)
    }),
  )
}

interface MoveOptions {
  readonly model?: string
}

/** What a device is told and what others see are two things: its certificates stay as they are. */
const CERTIFICATES_STAY =
  'Its certificates stay good for others until they are revoked: touchmark revoke --device SERIAL'

function moveCommand(name: string, to: DeviceState, summary: string): Command {
  const move = command({
    name,
    summary,
    description: 'A device that is suspended enrols and renews nothing, whatever certificate or token it shows.',
    examples: [[`device ${name} SN-000042`, 'In force at once, also in a running server']],
  })
    .argument('<serial>', "the maker's serial number")
    .option('-m, --model <model>', 'where two models share the serial number')
  return act<MoveOptions>(move, (context, serial) => changeState(context, serial!, to))
}

function retireCommand(): Command {
  const retire = command({
    name: 'retire',
    summary: 'Give a device nothing any more',
    description: 'It cannot be undone. A device that is sold, lost for good or scrapped.',
    examples: [
      ['device retire SN-000042 --yes', 'Then: touchmark revoke --device SN-000042 --reason cessationOfOperation'],
    ],
  })
    .argument('<serial>', "the maker's serial number")
    .option('-m, --model <model>', 'where two models share the serial number')
    .requiredOption('--yes', 'that it is meant')
  return act<MoveOptions>(retire, (context, serial) => changeState(context, serial!, 'retired'))
}

function changeState({ out, data, options }: Context<MoveOptions>, serial: string, to: DeviceState): Promise<void> {
  return withStore(data, async store => {
    const { changeDeviceState } = await import('../domain/device/change-device-state.ts')
    const { id } = await findDevice(store.read, serial, options.model)
    const device = await changeDeviceState(id, to, OPERATOR, { store, clock: systemClock })
    out.result({ device: deviceView(device) }, () => `${device.serialNumber} (${device.model}) is ${device.state}.`)
    if (!out.json && to !== 'active') out.note(CERTIFICATES_STAY)
  })
}

function digestOf(text: string): RequestDigest {
  if (!/^[0-9a-f]{64}$/.test(text)) throw usageError('A request is named by its digest: 64 hexadecimal digits.')
  return requestDigest(fromHex(text))
}
