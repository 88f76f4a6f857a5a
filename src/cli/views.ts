// Registry values as the command line shows them: the JSON that scripts rely on, with times in RFC 3339 and bytes left out.
import type { CertificateRecord, CertificateStatus } from '../domain/ca/certificate-record.ts'
import type { Device } from '../domain/device/device.ts'
import type { DeviceHealth } from '../domain/device/device-health.ts'
import type { DeviceKey } from '../domain/device/device-key.ts'
import type { DeviceProperty } from '../domain/device/device-property.ts'
import type { KeyHolding } from '../domain/device/key-holding.ts'
import type { OwnershipTransfer } from '../domain/device/ownership.ts'
import type { Credential } from '../domain/renewal/credential.ts'
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

/** The salt stays in the store: it is what makes a commitment open. */
export const propertyView = ({ name, value, personal }: DeviceProperty) => ({ name, value, personal })

export const holdingView = ({ place, protection, attestation, at }: KeyHolding) => ({
  place,
  protection,
  attestation,
  at: timestamp(at),
})

export const healthView = ({ deviceId: _device, at, ...health }: DeviceHealth) => ({ at: timestamp(at), ...health })

export const credentialView = (credential: Credential) => ({
  profile: credential.profile,
  issuer: credential.authorityId,
  serialNumber: credential.serialNumber,
  keyId: credential.keyId,
  keyAlgorithm: credential.keyAlgorithm,
  notBefore: timestamp(credential.notBefore),
  notAfter: timestamp(credential.notAfter),
  suggestedWindow: { start: timestamp(credential.windowStart), end: timestamp(credential.windowEnd) },
  seenAt: credential.seenAt === null ? null : timestamp(credential.seenAt),
  previous: credential.previous && {
    issuer: credential.previous.authorityId,
    serialNumber: credential.previous.serialNumber,
  },
  order: credential.order && {
    reason: credential.order.reason,
    until: timestamp(credential.order.until),
    newKey: credential.order.newKey,
    keyAlgorithm: credential.order.keyAlgorithm,
    profile: credential.order.profile,
    issuer: credential.order.authorityId,
  },
  failures: credential.failures,
  lastFailure: credential.lastFailure && {
    code: credential.lastFailure.code,
    at: timestamp(credential.lastFailure.at),
  },
})

/** Signatures are long and stand in the store. */
export const transferView = ({ id, from, to, state, effectiveAt, newKey, agreements }: OwnershipTransfer) => ({
  id,
  from,
  to,
  state,
  effectiveAt: timestamp(effectiveAt),
  newKey,
  agreements: agreements.map(({ party, by, at }) => ({ party, by, at: timestamp(at) })),
})

/** When, why and since when: what else there is to say of a status. */
export const statusView = (status: CertificateStatus) =>
  status.kind === 'good'
    ? {}
    : {
        statusChangedAt: timestamp(status.at),
        ...(status.kind === 'revoked' ? { reason: status.reason } : {}),
        ...(status.invalidityDate === null ? {} : { invalidityDate: timestamp(status.invalidityDate) }),
        ...(status.kind === 'held' && status.ends !== null
          ? { ends: { at: timestamp(status.ends.at), reason: status.ends.reason } }
          : {}),
      }

export const certificateView = (record: CertificateRecord, now: number) => ({
  serialNumber: record.serialNumber,
  status: record.status.kind,
  ...statusView(record.status),
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
      return `on hold since ${time(record.status.at)}${
        record.status.ends === null ? '' : `; revoked ${time(record.status.ends.at)} (${record.status.ends.reason})`
      }`
    case 'revoked':
      return `revoked ${time(record.status.at)}, ${record.status.reason}`
    default:
      return record.status satisfies never
  }
}
