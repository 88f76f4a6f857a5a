// `touchmark group`: saved queries. Who is in a group is asked anew each time.
import { groupDocument, parseGroup, queryAt, readGroup, type StandingQuery } from '../domain/device/device-group.ts'
import { act, type Command, command, group, usageError } from './command.ts'
import { listDevices, pageOptions } from './device-list.ts'
import { type DeviceQueryOptions, deviceQueryOptions, standingQueryOf } from './device-query-options.ts'
import { putDocument } from './documents.ts'
import { facts, table, time, timestamp } from './output.ts'
import { systemClock, withStore } from './store.ts'

export function groupCommand(): Command {
  return group({
    name: 'group',
    summary: 'Groups of devices by saved query',
    examples: [
      ['group save berlin --site berlin --model gateway-7', 'Save a query'],
      ['device list --group berlin --expires-within 14d', 'Use it, with more conditions'],
    ],
  })
    .addCommand(saveCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(devicesCommand())
}

interface SaveOptions extends DeviceQueryOptions {
  readonly description?: string
}

function saveCommand(): Command {
  const save = deviceQueryOptions(
    command({
      name: 'save',
      summary: 'Save a query under a name; an existing one gets another version',
      description:
        'Spans of time stay spans: --not-seen-for 30d means thirty days before the day on which it is asked.',
      examples: [['group save stale --state active --not-seen-for 90d', 'Who is in it changes by itself']],
    }).argument('<name>', 'small letters, digits and . _ -'),
  ).option('--description <text>', 'what it is for')
  return act<SaveOptions>(save, ({ out, data, options }, name) =>
    withStore(data, async store => {
      const query = standingQueryOf(options)
      if (options.group !== undefined) throw usageError('A group is saved without referring to another one.')
      if (Object.keys(query).length === 0) throw usageError('A group has at least one condition.')
      const now = systemClock.now()
      const config = {
        schema: 1 as const,
        name: name!,
        query,
        ...(options.description === undefined ? {} : { description: options.description }),
      }
      const body = (version: number) => groupDocument(config, version, now).body
      const version = await putDocument(store, { kind: 'group', name: name!, body }, 'group.changed', now)
      out.result({ name, version, query }, () => `Saved: ${name}, version ${version}: ${conditions(query)}.`)
    }),
  )
}

function listCommand(): Command {
  const list = command({ name: 'list', summary: 'List the saved groups' })
  return act(list, ({ out, data }) =>
    withStore(data, async ({ read }) => {
      const groups = (await read.documents('group')).map(document => ({
        ...parseGroup(JSON.parse(document.body)),
        version: document.version,
        savedAt: timestamp(document.createdAt),
      }))
      groups.sort((a, b) => (a.name < b.name ? -1 : 1))
      out.result(groups, () =>
        table(
          ['GROUP', 'VERSION', 'DEVICES WITH', 'FOR'],
          groups.map(each => [each.name, String(each.version), conditions(each.query), each.description]),
        ),
      )
    }),
  )
}

function showCommand(): Command {
  const show = command({ name: 'show', summary: 'Show a group with its query' }).argument('<name>', 'from group list')
  return act(show, ({ out, data }, name) =>
    withStore(data, async ({ read }) => {
      const saved = await readGroup(name!, read)
      const document = (await read.document('group', name!))!
      const { version, createdAt } = document
      out.result({ ...saved, version, savedAt: timestamp(createdAt) }, () =>
        facts([
          ['group', `${saved.name}, version ${version}`],
          ['saved', time(createdAt)],
          ...(saved.description === '' ? [] : [['for', saved.description] as const]),
          ['devices with', conditions(saved.query)],
        ]),
      )
    }),
  )
}

function devicesCommand(): Command {
  const devices = pageOptions(
    command({
      name: 'devices',
      summary: 'List the devices of a group',
      examples: [['group devices berlin --limit 20', 'As touchmark device list --group berlin']],
    }).argument('<name>', 'from group list'),
  )
  return act<{ readonly limit: number; readonly after?: string }>(devices, (context, name) =>
    withStore(context.data, async ({ read }) => {
      const { query } = await readGroup(name!, read)
      await listDevices(context, queryAt(query, systemClock.now()), read)
    }),
  )
}

/** `model gateway-7, labels line=3`. */
function conditions(query: StandingQuery): string {
  return Object.entries(query)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? listed(value) : value}`)
    .join(', ')
}

function listed(value: object): string {
  return Array.isArray(value)
    ? value.join(' or ')
    : Object.entries(value)
        .map(([name, of]) => `${name}=${of}`)
        .join(' ')
}
