// Acts on many devices as jobs: asked for with a query whose blast radius was shown, carried out beside the requests, watched, called off.
import { z } from 'zod'
import { TouchmarkError } from '../../core/errors.ts'
import type { FourEyes } from '../../domain/access/four-eyes.ts'
import { blastRadius } from '../../domain/campaign/blast-radius.ts'
import { becauseDetail } from '../../domain/device/device-act.ts'
import { queryAt, standingQuerySchema } from '../../domain/device/device-group.ts'
import { parsePropertyName } from '../../domain/device/device-property-name.ts'
import { deviceId } from '../../domain/ids.ts'
import { JOB_ACTS, type StoredJob } from '../../domain/jobs/job.ts'
import { cancelJob, readJob, startJob } from '../../domain/jobs/start-job.ts'
import type { Clock, Random, Store } from '../../domain/ports.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { type Endpoint, endpoint, hexId, timestampText } from './endpoint.ts'
import { forbidden } from './gate.ts'
import { massRevocationGuard, REVOKE_FIRST } from './mass-revocation-guard.ts'
import { optionalTimestamp } from './views.ts'

export interface JobEndpointPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly fourEyes: FourEyes
}

export const jobSchema = z
  .object({
    id: z.string(),
    act: z.enum(JOB_ACTS),
    parameters: z.record(z.string(), z.unknown()),
    requestedBy: z.string(),
    state: z.enum(['running', 'finished', 'failed', 'cancelled']),
    done: z.int(),
    changed: z.int(),
    failed: z.int(),
    total: z.int().nullable(),
    failures: z.array(z.object({ what: z.string(), code: z.string() })).meta({ description: 'The first hundred.' }),
    outcome: z.string().nullable(),
    createdAt: timestampText,
    finishedAt: timestampText.nullable(),
  })
  .meta({ id: 'Job' })

export const jobView = (job: StoredJob): z.input<typeof jobSchema> => ({
  id: job.id,
  act: job.act,
  parameters: JSON.parse(job.parameters) as Record<string, unknown>,
  requestedBy: job.requestedBy,
  state: job.state,
  done: job.done,
  changed: job.changed,
  failed: job.failed,
  total: job.total,
  failures: job.failures.map(each => ({ ...each })),
  outcome: job.outcome,
  createdAt: timestamp(job.createdAt),
  finishedAt: optionalTimestamp(job.finishedAt),
})

/** Whoever may see what a job is about. */
const READ = {
  'certificates.revoke': 'certificate.read',
  'certificates.release': 'certificate.read',
  'devices.ship': 'device.read',
  'devices.suspend': 'device.read',
  'devices.resume': 'device.read',
  'devices.retire': 'device.read',
  'devices.properties': 'device.read',
  'devices.renew': 'device.read',
  'batch.run': 'batch.read',
} as const satisfies Record<StoredJob['act'], string>

const WRITE = {
  'certificates.revoke': 'certificate.revoke_many',
  'certificates.release': 'certificate.revoke_many',
  'devices.ship': 'device.write',
  'devices.suspend': 'device.write',
  'devices.resume': 'device.write',
  'devices.retire': 'device.end',
  'devices.properties': 'device.write',
  'devices.renew': 'device.write',
  'batch.run': 'batch.run',
} as const satisfies Record<StoredJob['act'], string>

/** Devices that a person chose in a list. */
const MAX_CHOSEN = 1000

const devices = standingQuerySchema.meta({ description: 'Which devices: every condition must hold.' })

export function jobEndpoints(ports: JobEndpointPorts): Endpoint[] {
  const { store, fourEyes } = ports
  const { read } = store
  const assertNoMassRevocation = massRevocationGuard(fourEyes, read)

  return [
    endpoint({
      method: 'POST',
      path: '/devices/actions',
      id: 'actOnDevices',
      tag: 'Devices',
      summary: 'Ship, suspend, resume, retire or renew devices, or say something of them, as a job',
      description: 'Of the devices that a query finds, or of those that are named one by one.',
      permission: 'device.write',
      body: z
        .strictObject({
          act: z.enum(['ship', 'suspend', 'resume', 'retire', 'properties', 'renew']),
          devices: devices.optional(),
          ids: z
            .array(hexId('a device'))
            .min(1)
            .max(MAX_CHOSEN)
            .optional()
            .meta({ description: 'Devices that were chosen one by one, instead of a query.' }),
          because: z.string().min(1).max(64).optional(),
          newKey: z.boolean().default(false).meta({ description: 'Of renewals.' }),
          changes: z
            .array(
              z.strictObject({
                name: z.string().max(80),
                value: z.string().max(256).nullable(),
                personal: z.boolean().default(false),
              }),
            )
            .min(1)
            .max(64)
            .optional()
            .meta({ description: 'Of properties.' }),
          expectedDevices: z.int().min(0),
        })
        .refine(body => (body.act === 'properties') === (body.changes !== undefined), {
          path: ['changes'],
          message: 'belongs to properties, and has to be there',
        })
        .refine(body => (body.devices === undefined) !== (body.ids === undefined), {
          path: ['devices'],
          message: 'is there, or ids: one of the two',
        }),
      answer: jobSchema,
      async handle(call) {
        const { act, because, changes, expectedDevices } = call.body
        if (act === 'retire' && !call.may({}, 'device.end')) throw forbidden('device.end')
        becauseDetail(because === undefined ? {} : { because })
        for (const { name } of changes ?? []) parsePropertyName(name)
        const ids = call.body.ids && [...new Set(call.body.ids)]
        const query = call.body.devices && queryAt(call.body.devices, call.now)
        const total = query ? (await blastRadius(query, call.now, read)).devices : ids!.length
        assertExpected(total, expectedDevices, 'devices')
        // Retiring revokes.
        if (act === 'retire') {
          const meant = query === undefined ? { deviceIds: ids!.map(deviceId) } : { devices: query }
          await assertNoMassRevocation(meant, call, REVOKE_FIRST)
        }
        const parameters = {
          ...(query ? { query } : { ids }),
          ...(because === undefined ? {} : { because }),
          ...(changes === undefined ? {} : { changes }),
          ...(act === 'renew' ? { newKey: call.body.newKey } : {}),
        }
        const job = await startJob({ act: `devices.${act}`, parameters, total }, call.actor, ports)
        return { body: jobView(job), status: 202 }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/jobs',
      id: 'listJobs',
      tag: 'Jobs',
      summary: 'Jobs, newest first',
      permission: 'signed-in',
      answer: jobSchema,
      paged: true,
      async handle(call) {
        const { items, next } = await read.jobs(call.page)
        return { body: { items: items.filter(({ act }) => call.may({}, READ[act])).map(jobView), next } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/jobs/:id',
      id: 'showJob',
      tag: 'Jobs',
      summary: 'How far a job is',
      permission: 'signed-in',
      params: { id: hexId('a job') },
      answer: jobSchema,
      async handle(call) {
        const job = await readJob(call.params.id, store)
        if (!call.may({}, READ[job.act])) throw forbidden(READ[job.act])
        return { body: jobView(job) }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/jobs/:id/cancel',
      id: 'cancelJob',
      tag: 'Jobs',
      summary: 'Begin nothing more; what is done stays done',
      permission: 'signed-in',
      params: { id: hexId('a job') },
      answer: jobSchema,
      async handle(call) {
        const { id, act } = await readJob(call.params.id, store)
        if (!call.may({}, WRITE[act])) throw forbidden(WRITE[act])
        return { body: jobView(await cancelJob(id, call.actor, ports)) }
      },
    }),
  ]
}

/** Throws `api.more_than_expected`. */
export function assertExpected(found: number, most: number, what: 'devices' | 'certificates'): void {
  if (found <= most) return
  throw new TouchmarkError('api.more_than_expected', 'conflict', `The query means ${found} ${what} now, not ${most}.`, {
    next: 'Look at the preview again.',
    evidence: { [what]: found, expected: most },
  })
}
