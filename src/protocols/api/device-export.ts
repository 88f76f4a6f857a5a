// Every device that a query finds, as a file: written row after row while the store is read page after page, so that a million of them need no
// more memory than one page.
import { z } from 'zod'
import { csvCell } from '../../domain/csv-cell.ts'
import { deviceConditions } from './device-query.ts'
import { DEVICE_SORTS, type DevicePorts, findDevices, type ListedDevice, listed } from './devices.ts'
import { type Call, type Endpoint, endpoint } from './endpoint.ts'

/** Devices that are read at once. */
const PAGE = 200

const COLUMNS = [
  'id',
  'serialNumber',
  'model',
  'state',
  'owner',
  'site',
  'batch',
  'firmware',
  'createdAt',
  'stateChangedAt',
  'lastSeenAt',
  'expiresAt',
] as const satisfies readonly (keyof ListedDevice)[]

export function deviceExportEndpoint({ read }: DevicePorts): Endpoint {
  return endpoint({
    method: 'GET',
    path: '/devices/export',
    id: 'exportDevices',
    tag: 'Devices',
    summary: 'Every device that a query finds, as one file',
    description:
      'The conditions are those of the list of devices. NDJSON has the items of that list, one a line. CSV (RFC 4180) has a column for each ' +
      'member, with the labels as JSON in the last; a cell that a spreadsheet would take for a formula begins with an apostrophe.',
    permission: 'device.read',
    scoped: true,
    query: {
      ...deviceConditions,
      search: z.string().min(1).max(128).optional(),
      sort: z.enum(DEVICE_SORTS).optional(),
      format: z.enum(['csv', 'ndjson']).default('csv'),
    },
    produces: 'application/octet-stream',
    expensive: true,
    async handle(call) {
      const { format, ...query } = call.query
      const pages = pagesOf({ ...call, query })
      // What is wrong with the query is told before the file begins.
      const first = await pages.next()
      const all = (async function* () {
        if (!first.done) yield first.value
        yield* pages
      })()
      return format === 'csv'
        ? { octets: csv(all), contentType: 'text/csv; charset=utf-8', fileName: 'devices.csv' }
        : { octets: ndjson(all), contentType: 'application/x-ndjson', fileName: 'devices.ndjson' }
    },
  })

  async function* pagesOf(call: Parameters<typeof findDevices>[0]): AsyncGenerator<ListedDevice[], void, undefined> {
    let after: string | undefined
    do {
      const page: Call<unknown, unknown, unknown>['page'] = { limit: PAGE, ...(after === undefined ? {} : { after }) }
      const { items, next } = await findDevices({ ...call, page }, read)
      yield await Promise.all(items.map(device => listed(device, read)))
      after = next ?? undefined
    } while (after !== undefined)
  }
}

async function* ndjson(pages: AsyncIterable<readonly ListedDevice[]>): AsyncGenerator<string, void, undefined> {
  for await (const page of pages) yield page.map(device => `${JSON.stringify(device)}\n`).join('')
}

async function* csv(pages: AsyncIterable<readonly ListedDevice[]>): AsyncGenerator<string, void, undefined> {
  yield line([...COLUMNS, 'labels'])
  for await (const page of pages) {
    yield page.map(device => line([...COLUMNS.map(name => device[name]), labelsOf(device)])).join('')
  }
}

const labelsOf = ({ labels }: ListedDevice) => (Object.keys(labels).length === 0 ? '' : JSON.stringify(labels))

const line = (cells: readonly (string | null)[]) => `${cells.map(cell => csvCell(cell ?? '')).join(',')}\r\n`
