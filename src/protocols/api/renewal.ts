// Renewal over the fleet: who should have renewed and has not, and what ends soon.
import { z } from 'zod'
import type { StoreReader } from '../../domain/ports.ts'
import { stuckDevices } from '../../domain/renewal/stuck-devices.ts'
import { mayShow } from './device-facts.ts'
import { durationSeconds, type Endpoint, endpoint, nameText, timestampText } from './endpoint.ts'
import { credentialSchema, credentialView, deviceSchema, deviceView, optionalTimestamp } from './views.ts'

export interface RenewalPorts {
  readonly read: StoreReader
}

const stuckSchema = z
  .object({
    device: deviceSchema,
    credential: credentialSchema,
    reason: z.enum(['device_not_active', 'refused', 'order_not_followed', 'never_seen', 'silent']),
    expired: z.boolean(),
    lastReportAt: timestampText.nullable(),
    lastReportedError: z.string().nullable(),
  })
  .meta({ id: 'StuckDevice' })

const endingSchema = z
  .object({ device: deviceSchema.nullable(), credential: credentialSchema })
  .meta({ id: 'EndingCredential' })

export function renewalEndpoints({ read }: RenewalPorts): Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: '/renewal/stuck',
      id: 'listStuckDevices',
      tag: 'Renewal',
      summary: 'Devices that should have renewed and have not, who waits longest first, with the reason',
      permission: 'device.read',
      scoped: true,
      query: { profile: nameText.optional() },
      answer: stuckSchema,
      paged: true,
      async handle(call) {
        const { items, next } = await stuckDevices(call.now, call.page, read)
        const seen = await Promise.all(items.map(({ device }) => mayShow(device.id, call, read)))
        const { profile } = call.query
        const shown = items.filter(
          (each, i) => seen[i] && (profile === undefined || each.credential.profile === profile),
        )
        return {
          body: {
            items: shown.map(each => ({
              device: deviceView(each.device),
              credential: credentialView(each.credential),
              reason: each.reason,
              expired: each.expired,
              lastReportAt: optionalTimestamp(each.lastReportAt),
              lastReportedError: each.lastReportedError,
            })),
            next,
          },
        }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/renewal/ending',
      id: 'listEndingCredentials',
      tag: 'Renewal',
      summary: 'What ends soon, in order, with its window',
      permission: 'device.read',
      scoped: true,
      query: { within: durationSeconds.default(30 * 86_400), profile: nameText.optional() },
      answer: endingSchema,
      paged: true,
      async handle(call) {
        const { within, profile } = call.query
        const { items, next } = await read.credentialsExpiring({ from: call.now, until: call.now + within }, call.page)
        const wanted = items.filter(each => profile === undefined || each.profile === profile)
        const seen = await Promise.all(wanted.map(({ deviceId }) => mayShow(deviceId, call, read)))
        const shown = wanted.filter((_, i) => seen[i])
        const devices = await Promise.all(shown.map(({ deviceId }) => read.device(deviceId)))
        return {
          body: {
            items: shown.map((each, i) => {
              const device = devices[i]
              return { device: device ? deviceView(device) : null, credential: credentialView(each) }
            }),
            next,
          },
        }
      },
    }),
  ]
}
