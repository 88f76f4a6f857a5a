// An act on every device that a query finds or a list names, one after the other, a page at a time: each is the recipe that acts on one device, in its own change
// set, so that one that fails takes nothing from the others. Done again after a crash, it changes nothing twice.
import { z } from 'zod'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { changeProperties } from '../device/change-properties.ts'
import { parsePropertyName } from '../device/device-property-name.ts'
import type { DeviceQuery } from '../device/device-query.ts'
import { retireDevice } from '../device/retire-device.ts'
import { shipDevice } from '../device/ship-device.ts'
import { resumeDevice, suspendDevice } from '../device/suspend-device.ts'
import { type DeviceId, deviceId } from '../ids.ts'
import type { Clock, Page, Random, Store, StoreReader } from '../ports.ts'
import { DEFAULT_ORDER_SECONDS, orderRenewal } from '../renewal/order-renewal.ts'
import { type JobAct, type JobFailure, LEASE_SECONDS, MAX_FAILURES, movedJob, type StoredJob } from './job.ts'
import { endOf } from './start-job.ts'

export interface DeviceJobPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
}

/** Devices of one step: between two steps the job can be called off, and what it has done is written down. */
const STEP = 50

const base = z.object({
  /** As `DeviceQuery`, its times fixed when the job was asked for. */
  query: z.record(z.string(), z.unknown()).optional(),
  /** The devices themselves, where they were chosen one by one. */
  ids: z.array(z.string()).optional(),
  because: z.string().optional(),
})
export const renewParameters = base.extend({ newKey: z.boolean() })
export const propertyParameters = base.extend({
  changes: z.array(z.object({ name: z.string(), value: z.string().nullable(), personal: z.boolean() })),
})

/** Whether the device was changed. */
type Act = (id: DeviceId, actor: AuditEntry['actor'], ports: DeviceJobPorts) => Promise<boolean>

function actOf(act: JobAct, parameters: unknown): Act {
  const { because } = base.parse(parameters)
  const by = (actor: AuditEntry['actor']) => ({ actor, ...(because === undefined ? {} : { because }) })
  switch (act) {
    case 'devices.ship':
      return async (id, actor, ports) => moved(await shipDevice(id, by(actor), ports))
    case 'devices.suspend':
      return async (id, actor, ports) => moved(await suspendDevice(id, by(actor), ports))
    case 'devices.resume':
      return async (id, actor, ports) => moved(await resumeDevice(id, by(actor), ports))
    case 'devices.retire':
      return async (id, actor, ports) => moved(await retireDevice(id, by(actor), ports))
    case 'devices.properties': {
      const changes = propertyParameters
        .parse(parameters)
        .changes.map(({ name, ...rest }) => ({ name: parsePropertyName(name), ...rest }))
      return async (id, actor, ports) => {
        await changeProperties(id, changes, actor, ports)
        return true
      }
    }
    case 'devices.renew': {
      const { newKey } = renewParameters.parse(parameters)
      return (id, actor, ports) => renewAll(id, newKey, actor, ports)
    }
    case 'certificates.revoke':
    case 'certificates.release':
    case 'batch.run':
      throw new TypeError('This is no act on devices')
    default:
      return act satisfies never
  }
}

/** An order for each credential that has none yet. */
async function renewAll(
  id: DeviceId,
  newKey: boolean,
  actor: AuditEntry['actor'],
  ports: DeviceJobPorts,
): Promise<boolean> {
  const held = await ports.store.read.credentialsOfDevice(id)
  const due = held.filter(({ order }) => order === null)
  const wish = {
    reason: 'operator',
    newKey,
    keyAlgorithm: null,
    profile: null,
    authorityId: null,
    campaignId: null,
  } as const
  const until = ports.clock.now() + DEFAULT_ORDER_SECONDS
  for (const { profile } of due) await orderRenewal(id, profile, { ...wish, until }, actor, ports)
  return due.length > 0
}

/** One page of the devices that are meant: found by the query, or named. */
async function devicesAt(
  { query, ids }: z.output<typeof base>,
  place: string | null,
  read: StoreReader,
): Promise<Page<{ readonly deviceId: DeviceId }>> {
  if (ids === undefined) {
    return read.selectDevices(query as DeviceQuery, { limit: STEP, ...(place === null ? {} : { after: place }) })
  }
  const from = place === null ? 0 : Number(place)
  const to = from + STEP
  const items = ids.slice(from, to).map(id => ({ deviceId: deviceId(id) }))
  return { items, next: to < ids.length ? String(to) : null }
}

const moved = ({ device, from }: { readonly device: { readonly state: string }; readonly from: string }) =>
  device.state !== from

/**
 * Takes the job on until it ends, the signal says stop, or another process works on it. Answers it as it stands then. Throws what stops the whole:
 * the store; it goes on from there when it is called again.
 */
export async function runDeviceJob(taken: StoredJob, ports: DeviceJobPorts, signal: AbortSignal): Promise<StoredJob> {
  const { store, clock } = ports
  const parameters: unknown = JSON.parse(taken.parameters)
  const act = actOf(taken.act, parameters)
  const meant = base.parse(parameters)
  const actor = { kind: 'operator', id: taken.requestedBy } as const
  let job = taken
  for (;;) {
    if (signal.aborted) return job
    const page = await devicesAt(meant, job.place, store.read)
    let { changed, failed, done } = job
    const failures: JobFailure[] = [...job.failures]
    let last: DeviceId | undefined
    for (const { deviceId: id } of page.items) {
      // Who holds several credentials that the query means stands there for each of them.
      if (id === last) continue
      last = id
      done++
      try {
        if (await act(id, actor, ports)) changed++
      } catch (thrown) {
        const error = asTouchmarkError(thrown)
        if (error.kind === 'internal' || (error.kind === 'unavailable' && error.code.startsWith('store.'))) throw error
        failed++
        if (failures.length < MAX_FAILURES) failures.push({ what: id, code: error.code })
      }
    }
    const now = clock.now()
    const ended = page.next === null
    const next = movedJob(job, {
      done,
      changed,
      failed,
      failures,
      place: page.next,
      ...(ended ? { state: 'finished', finishedAt: now } : { leaseUntil: now + LEASE_SECONDS }),
    })
    try {
      await store.commit(
        ended
          ? endOf(next, job.revision, actor, now)
          : { writes: [{ kind: 'job.put', job: next, from: job.revision }], audit: [] },
      )
    } catch (thrown) {
      // It was called off, or another process took it.
      if (thrown instanceof TouchmarkError && thrown.code === 'job.changed')
        return (await store.read.job(job.id)) ?? job
      throw thrown
    }
    job = next
    if (ended) return job
  }
}
