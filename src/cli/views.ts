// Registry values as the command line shows them: the JSON that scripts rely on, with times in RFC 3339 and bytes left out.
import type { CertificateRecord } from '../domain/ca/certificate-record.ts'
import type { Device } from '../domain/device/device.ts'
import type { DeviceKey } from '../domain/device/device-key.ts'
import { time, timestamp } from './output.ts'

export const deviceView = (device: Device) => ({
  id: device.id,
  serialNumber: device.serialNumber,
  model: device.model,
  state: device.state,
  batch: device.batch,
  labels: device.labels,
  createdAt: timestamp(device.createdAt),
  stateChangedAt: timestamp(device.stateChangedAt),
})

export const keyView = (key: DeviceKey) => ({
  id: key.id,
  algorithm: key.algorithm,
  origin: key.origin,
  state: key.state,
  createdAt: timestamp(key.createdAt),
  stateChangedAt: timestamp(key.stateChangedAt),
})

export const certificateView = (record: CertificateRecord, now: number) => ({
  serialNumber: record.serialNumber,
  status: record.status.kind,
  ...(record.status.kind === 'good' ? {} : { statusChangedAt: timestamp(record.status.at) }),
  ...(record.status.kind === 'revoked' ? { reason: record.status.reason } : {}),
  expired: record.notAfter < now,
  profile: record.profile,
  profileVersion: record.profileVersion,
  issuer: record.authorityId,
  notBefore: timestamp(record.notBefore),
  notAfter: timestamp(record.notAfter),
  deviceId: record.deviceId,
  keyId: record.keyId,
  replaces: record.replaces && { issuer: record.replaces.authorityId, serialNumber: record.replaces.serialNumber },
  crlShard: record.crlShard,
  auditIndex: record.auditIndex,
})

/** The status in words: also what time alone makes of it. */
export function statusText(record: CertificateRecord, now: number): string {
  switch (record.status.kind) {
    case 'good':
      if (record.notAfter < now) return 'expired'
      return record.notBefore > now ? 'not yet valid' : 'good'
    case 'held':
      return `on hold since ${time(record.status.at)}`
    case 'revoked':
      return `revoked ${time(record.status.at)}, ${record.status.reason}`
    default:
      return record.status satisfies never
  }
}
