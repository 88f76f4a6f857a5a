// Devices: the list by any of their properties, and everything that is known of one.
import { z } from 'zod'
import { fromUtf8 } from '../../core/bytes/utf8.ts'
import { parseAuditEntry } from '../../domain/audit/entry.ts'
import type { Device } from '../../domain/device/device.ts'
import type { DeviceQuery } from '../../domain/device/device-query.ts'
import { type DeviceId, deviceId } from '../../domain/ids.ts'
import type { Page, StoreReader } from '../../domain/ports.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { auditEntrySchema, auditEntryView } from './audit-view.ts'
import { factsOf, onlyScope, readDeviceFor } from './device-facts.ts'
import { deviceConditions, deviceQueryOf } from './device-query.ts'
import { type Call, type Endpoint, endpoint, hexId } from './endpoint.ts'
import { InvalidRequest } from './read-request.ts'
import {
  certificateSchema,
  certificateView,
  credentialSchema,
  credentialView,
  deviceSchema,
  deviceView,
  healthSchema,
  healthView,
  keySchema,
  keyView,
  optionalTimestamp,
  propertySchema,
  propertyView,
  statementSchema,
  statementView,
  transferSchema,
  transferView,
} from './views.ts'

export interface DevicePorts {
  readonly read: StoreReader
}

export const DEVICE_SORTS = ['registered', '-registered', 'serialNumber', 'expiry'] as const

const listedDevice = deviceSchema
  .extend({
    owner: z.string().nullable(),
    site: z.string().nullable(),
    lastSeenAt: z.string().nullable().meta({ description: 'When it last reported.' }),
    expiresAt: z.string().nullable().meta({ description: 'When the first of its credentials ends.' }),
    firmware: z.string().nullable(),
  })
  .meta({ id: 'ListedDevice' })
export type ListedDevice = z.output<typeof listedDevice>

const shownDevice = z
  .object({
    device: deviceSchema,
    owner: z.string().nullable(),
    site: z.string().nullable(),
    properties: z.array(propertySchema),
    keys: z.array(keySchema),
    credentials: z.array(credentialSchema),
    certificates: z.array(certificateSchema).meta({ description: 'Newest first.' }),
    health: healthSchema.nullable(),
    suspendedFrom: z.string().nullable().meta({ description: 'Where the end of its suspension leads.' }),
    transfers: z.array(transferSchema),
    statements: z.array(statementSchema),
    openTokens: z.int(),
    waitingRequests: z.int(),
  })
  .meta({ id: 'DeviceDetail' })

export function deviceEndpoints({ read }: DevicePorts): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/devices',
      id: 'listDevices',
      tag: 'Devices',
      summary: 'Devices by any of their properties, in pages',
      description:
        'Every condition that is given must hold. `search` is the beginning of a serial number and stands alone or with `model`. An order is ' +
        'had where an index has it: `registered` and `-registered` without conditions or of a batch, `serialNumber` of a model, `expiry` with ' +
        '`expiresWithin`; without `sort` the order is the store’s own, and the same each time.',
      permission: 'device.read',
      scoped: true,
      query: {
        ...deviceConditions,
        search: z.string().min(1).max(128).optional().meta({ description: 'How the serial number begins.' }),
        sort: z.enum(DEVICE_SORTS).optional(),
      },
      answer: listedDevice,
      paged: true,
      sparse: true,
      async handle(call) {
        const { items, next } = await findDevices(call, read)
        return { body: { items: await Promise.all(items.map(device => listed(device, read))), next } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/devices/:id',
      id: 'showDevice',
      tag: 'Devices',
      summary: 'Everything that is known of a device',
      permission: 'device.read',
      scoped: true,
      params: { id: hexId('a device') },
      answer: shownDevice,
      sparse: true,
      async handle(call) {
        const device = await readDeviceFor(call.params.id, call, 'device.read', read)
        return { body: await shown(device, call.now, read) }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/devices/:id/timeline',
      id: 'showDeviceTimeline',
      tag: 'Devices',
      summary: 'What the audit log says of a device, newest first',
      permission: 'device.read',
      scoped: true,
      params: { id: hexId('a device') },
      answer: auditEntrySchema,
      paged: true,
      async handle(call) {
        const device = await readDeviceFor(call.params.id, call, 'device.read', read)
        const { limit, after } = call.page
        const before = after === undefined ? {} : { before: Number(after) }
        const positions = await read.entriesOfDevice(device.id, { ...before, limit })
        const entries = await Promise.all(positions.map(index => read.auditEntry(index)))
        const items = positions.flatMap((index, i) => {
          const bytes = entries[i]
          return bytes === undefined ? [] : [auditEntryView(index, parseAuditEntry(bytes), fromUtf8(bytes))]
        })
        return { body: { items, next: positions.length < limit ? null : String(positions.at(-1)) } }
      },
    }),
  ]
}

type ListCall = Call<
  unknown,
  Parameters<typeof deviceQueryOf>[0] & { search?: string | undefined; sort?: string | undefined },
  unknown
>

/** Pages are full, except where much of what is found is not the caller's to see. */
export async function findDevices(call: ListCall, read: StoreReader): Promise<Page<Device>> {
  const { search, sort, ...conditions } = call.query
  const query = narrowed(await deviceQueryOf(conditions, call.now, read), call)
  if (search !== undefined) return searched(search, query, call, read)
  checkSort(sort, query)
  const all = call.may({})
  const items: Device[] = []
  let after = call.page.after
  for (let rounds = 0; rounds < MAX_ROUNDS; rounds++) {
    const limit = call.page.limit - items.length
    const page = await devicesOf(query, sort, { limit, ...(after === undefined ? {} : { after }) }, read)
    for (const device of page.items) {
      // Who holds several credentials that the query means stands there for each of them.
      if (items.at(-1)?.id === device.id) continue
      if (all || call.may(await factsOf(device, read))) items.push(device)
    }
    if (page.next === null || items.length >= call.page.limit) return { items, next: page.next }
    after = page.next
  }
  return { items, next: after ?? null }
}

/** Pages that are looked through where most of them are not the caller's to see. */
const MAX_ROUNDS = 20

/** Conditions of the caller's only scope go into the query, so that its index leads there. */
function narrowed(query: DeviceQuery, call: Pick<ListCall, 'scopes'>): DeviceQuery {
  const scope = onlyScope(call)
  if (scope === undefined) return query
  const { owner, models, sites } = scope
  return {
    ...query,
    ...(owner !== undefined && query.owner === undefined ? { owner } : {}),
    ...(models?.length === 1 && query.model === undefined ? { model: models[0]! } : {}),
    ...(sites?.length === 1 && query.site === undefined ? { site: sites[0]! } : {}),
  }
}

async function searched(search: string, query: DeviceQuery, call: ListCall, read: StoreReader): Promise<Page<Device>> {
  const { model, ...others } = query
  const foreign = Object.keys(others).filter(name => !(name === 'owner' || name === 'site'))
  if (foreign.length > 0) {
    const message = `stands alone or with model, and not with ${foreign.join(', ')}`
    throw new InvalidRequest([{ in: 'query', path: 'search', message }])
  }
  const isWanted = async (device: Device): Promise<boolean> => {
    if (call.may({}) && others.owner === undefined && others.site === undefined) return true
    const facts = await factsOf(device, read)
    return (
      call.may(facts) &&
      (others.owner === undefined || others.owner === facts.owner) &&
      (others.site === undefined || others.site === facts.site)
    )
  }
  // Goes on to the end where nothing is found: an empty page with a next would tell that others have a device that begins so.
  const items: Device[] = []
  let after = call.page.after
  for (let rounds = 0; rounds < MAX_ROUNDS; rounds++) {
    const page = await read.devicesBeginning(search, {
      ...(model === undefined ? {} : { model }),
      limit: call.page.limit - items.length,
      ...(after === undefined ? {} : { after }),
    })
    const wanted = await Promise.all(page.items.map(isWanted))
    items.push(...page.items.filter((_, i) => wanted[i]))
    if (page.next === null || items.length >= call.page.limit) return { items, next: page.next }
    after = page.next
  }
  return { items, next: after ?? null }
}

function checkSort(sort: string | undefined, { model, batch, ...others }: DeviceQuery): void {
  const free = Object.keys(others).length === 0
  const has =
    sort === undefined ||
    (sort === 'serialNumber' && free && model !== undefined && batch === undefined) ||
    (sort === 'registered' && free && (model === undefined || batch !== undefined)) ||
    (sort === '-registered' && free && model === undefined && batch === undefined) ||
    (sort === 'expiry' && drivenByExpiry({ ...others, ...(batch === undefined ? {} : { batch }) }))
  if (has) return
  const message = 'is not had with these conditions: see the description of the endpoint'
  throw new InvalidRequest([{ in: 'query', path: 'sort', message }])
}

/** As the store chooses the index that it walks. */
function drivenByExpiry({ expiresBefore, batch, owner, site, labels, firmware }: DeviceQuery): boolean {
  const earlier = [batch, owner, site, firmware, ...Object.keys(labels ?? {})]
  return expiresBefore !== undefined && earlier.every(each => each === undefined)
}

/** Model and batch have an order of their own; every other question goes to the store's own choice of an index. */
async function devicesOf(
  query: DeviceQuery,
  sort: string | undefined,
  page: { readonly after?: string; readonly limit: number },
  read: StoreReader,
): Promise<Page<Device>> {
  const { model, batch, ...others } = query
  if (Object.keys(others).length === 0) {
    return read.devices({
      ...page,
      ...(model === undefined ? {} : { model }),
      ...(batch === undefined ? {} : { batch }),
      ...(sort === '-registered' ? { newestFirst: true } : {}),
    })
  }
  const { items, next } = await read.selectDevices(query, page)
  const devices = await Promise.all(items.map(({ deviceId: id }) => read.device(id)))
  return { items: devices.filter(device => device !== undefined), next }
}

export async function listed(device: Device, read: StoreReader): Promise<ListedDevice> {
  const [facts, health, credentials] = await Promise.all([
    factsOf(device, read),
    read.health(device.id),
    read.credentialsOfDevice(device.id),
  ])
  const ends = credentials.map(({ notAfter }) => notAfter)
  return {
    ...deviceView(device),
    owner: facts.owner ?? null,
    site: facts.site ?? null,
    lastSeenAt: optionalTimestamp(health?.at ?? null),
    expiresAt: ends.length === 0 ? null : timestamp(Math.min(...ends)),
    firmware: health?.firmware ?? null,
  }
}

async function shown(device: Device, now: number, read: StoreReader): Promise<z.input<typeof shownDevice>> {
  const id: DeviceId = deviceId(device.id)
  const [properties, keys, credentials, certificates, health, transfers, statements, suspension, tokens, requests] =
    await Promise.all([
      read.propertiesOfDevice(id),
      read.keysOfDevice(id),
      read.credentialsOfDevice(id),
      read.certificatesOfDevice(id),
      read.health(id),
      read.transfersOfDevice(id),
      read.statementsOfDevice(id),
      read.suspension(id),
      read.openTokensOfDevice(id),
      read.openEnrolmentsOfDevice(id),
    ])
  const holdings = await Promise.all(keys.map(key => read.keyHolding(key.id)))
  const value = (name: string) => properties.find(property => property.name === name)?.value ?? null
  return {
    device: deviceView(device),
    owner: value('owner'),
    site: value('site'),
    properties: properties.map(propertyView),
    keys: keys.map((key, i) => keyView(key, holdings[i])),
    credentials: credentials.map(credentialView),
    certificates: certificates.map(record => certificateView(record, now)),
    health: health ? healthView(health) : null,
    suspendedFrom: suspension?.from ?? null,
    transfers: transfers.map(transferView),
    statements: statements.map(statementView),
    openTokens: tokens.filter(({ expiresAt }) => expiresAt >= now).length,
    waitingRequests: requests.filter(({ state }) => state.kind === 'pending').length,
  }
}
