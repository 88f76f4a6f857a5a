// `touchmark device list`: devices by any of their properties, in pages, from a registry of any size.
import type { Device } from '../domain/device/device.ts'
import type { DeviceQuery } from '../domain/device/device-query.ts'
import type { Page, StoreReader } from '../domain/ports.ts'
import { act, type Command, type Context, command, positiveInteger } from './command.ts'
import { type DeviceQueryOptions, deviceQueryOf, deviceQueryOptions } from './device-query-options.ts'
import { table, time } from './output.ts'
import { systemClock, withStore } from './store.ts'
import { deviceView } from './views.ts'

interface PageOptions {
  readonly limit: number
  readonly after?: string
}

export function listCommand(): Command {
  const list = pageOptions(
    deviceQueryOptions(
      command({
        name: 'list',
        summary: 'List devices: all, or those that a query means',
        description:
          'Pages through a registry of any size: pass the last line’s --after, with the same query, to go on. Without a\n' +
          'query devices come in the order in which they were registered.',
        examples: [
          ['device list --model gateway-7 --limit 20', 'The first 20 of a model'],
          ['device list --authority ldevid-1 --expires-within 14d', 'Who has to renew within two weeks'],
          ['device list --group berlin --not-seen-for 30d', 'Who of a saved group was not heard of for a month'],
          ['device list --json --limit 1000000', 'Everything, one JSON object a line'],
        ],
      }),
    ),
  )
  return act<DeviceQueryOptions & PageOptions>(list, context =>
    withStore(context.data, async ({ read }) => {
      await listDevices(context, await deviceQueryOf(context.options, systemClock.now(), read), read)
    }),
  )
}

/** The options of `listDevices`. */
export function pageOptions(made: Command): Command {
  return made
    .option('-n, --limit <count>', 'at most so many', positiveInteger, 50)
    .option('--after <place>', 'go on after this place')
}

const PAGE = 1000

/** Prints the devices that the query means, from `--after` on. */
export async function listDevices(
  { out, options, signal }: Pick<Context<PageOptions>, 'out' | 'options' | 'signal'>,
  query: DeviceQuery,
  read: StoreReader,
): Promise<void> {
  const rows: string[][] = []
  let next = options.after ?? null
  let left = options.limit
  let last: string | undefined
  do {
    const page = await devicesOf(
      query,
      { ...(next === null ? {} : { after: next }), limit: Math.min(left, PAGE) },
      read,
    )
    for (const device of page.items) {
      // Who holds several credentials that the query means stands there for each of them.
      if (device.id === last) continue
      last = device.id
      if (out.json) out.line(deviceView(device))
      else rows.push([device.serialNumber, device.model, device.state, time(device.createdAt), device.id])
    }
    left -= page.items.length
    next = page.next
  } while (next !== null && left > 0 && !signal.aborted)
  if (out.json) return
  out.say(table(['SERIAL', 'MODEL', 'STATE', 'REGISTERED', 'ID'], rows))
  if (next !== null) out.note(`There are more: --after ${next}`)
}

/** Model and batch have an order of their own; every other question goes to the store's own index. */
async function devicesOf(
  query: DeviceQuery,
  page: { readonly after?: string; readonly limit: number },
  read: StoreReader,
): Promise<Page<Device>> {
  const { model, batch, ...others } = query
  if (Object.keys(others).length === 0) {
    return read.devices({
      ...page,
      ...(model === undefined ? {} : { model }),
      ...(batch === undefined ? {} : { batch }),
    })
  }
  const { items, next } = await read.selectDevices(query, page)
  const devices = await Promise.all(items.map(({ deviceId }) => read.device(deviceId)))
  return { items: devices.filter(device => device !== undefined), next }
}
