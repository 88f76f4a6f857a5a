// Values of the registry as the API shows them: schemas and the functions that make what fits them. Times are RFC 3339, bytes PEM or base64,
// `null` is "there is none". The names are those of the JSON of the command line.
import { z } from 'zod'
import { type KeyAlgorithmName, keyAlgorithms } from '../../crypto/algorithms.ts'
import type { CertificateRecord } from '../../domain/ca/certificate-record.ts'
import { DEVICE_STATES, type Device } from '../../domain/device/device.ts'
import type { DeviceHealth } from '../../domain/device/device-health.ts'
import type { DeviceKey } from '../../domain/device/device-key.ts'
import type { DeviceProperty } from '../../domain/device/device-property.ts'
import type { KeyHolding } from '../../domain/device/key-holding.ts'
import type { OwnershipTransfer } from '../../domain/device/ownership.ts'
import type { Statement } from '../../domain/device/statement.ts'
import type { UnixSeconds } from '../../domain/ids.ts'
import type { Credential } from '../../domain/renewal/credential.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { timestampText } from './endpoint.ts'

export const optionalTimestamp = (seconds: UnixSeconds | null): string | null =>
  seconds === null ? null : timestamp(seconds)

export const deviceState = z.enum(DEVICE_STATES)
export const keyAlgorithmName = z.enum(
  keyAlgorithms.map(({ name }) => name) as [KeyAlgorithmName, ...KeyAlgorithmName[]],
)

export const deviceSchema = z
  .object({
    id: z.string(),
    serialNumber: z.string(),
    model: z.string(),
    state: deviceState,
    batch: z.string().nullable(),
    labels: z.record(z.string(), z.string()),
    createdAt: timestampText,
    stateChangedAt: timestampText,
  })
  .meta({ id: 'Device' })

export const deviceView = (device: Device): z.input<typeof deviceSchema> => ({
  id: device.id,
  serialNumber: device.serialNumber,
  model: device.model,
  state: device.state,
  batch: device.batch,
  labels: { ...device.labels },
  createdAt: timestamp(device.createdAt),
  stateChangedAt: timestamp(device.stateChangedAt),
})

export const propertySchema = z
  .object({ name: z.string(), value: z.string(), personal: z.boolean() })
  .meta({ id: 'Property' })

/** The salt stays in the store: it is what makes a commitment open. */
export const propertyView = ({ name, value, personal }: DeviceProperty): z.input<typeof propertySchema> => ({
  name,
  value,
  personal,
})

export const holdingSchema = z
  .object({
    place: z.enum(['file', 'tpm', 'secure_element', 'hsm']),
    protection: z.enum(['none', 'passphrase', 'hardware']),
    attestation: z.enum(['none', 'declared', 'attested']),
    at: timestampText,
  })
  .meta({ id: 'KeyHolding' })

export const keySchema = z
  .object({
    id: z.string(),
    algorithm: keyAlgorithmName,
    origin: z.enum(['device', 'station', 'server', 'imported']),
    state: z.enum(['generated', 'established', 'in_use', 'suspended', 'archived', 'compromised', 'destroyed']),
    createdAt: timestampText,
    stateChangedAt: timestampText,
    holding: holdingSchema.nullable(),
  })
  .meta({ id: 'Key' })

export const keyView = (key: DeviceKey, holding: KeyHolding | undefined): z.input<typeof keySchema> => ({
  id: key.id,
  algorithm: key.algorithm,
  origin: key.origin,
  state: key.state,
  createdAt: timestamp(key.createdAt),
  stateChangedAt: timestamp(key.stateChangedAt),
  holding: holding
    ? {
        place: holding.place,
        protection: holding.protection,
        attestation: holding.attestation,
        at: timestamp(holding.at),
      }
    : null,
})

export const healthSchema = z
  .object({
    at: timestampText,
    sequence: z.int(),
    clockSkewSeconds: z.number(),
    firmware: z.string().nullable(),
    configuration: z.string().nullable(),
    agentVersion: z.string().nullable(),
    lastError: z.string().nullable(),
  })
  .meta({ id: 'Health' })

export const healthView = ({ deviceId: _device, at, ...health }: DeviceHealth): z.input<typeof healthSchema> => ({
  at: timestamp(at),
  ...health,
})

export const certificateName = z
  .object({ issuer: z.string(), serialNumber: z.string() })
  .meta({ id: 'CertificateName' })

export const certificateSchema = z
  .object({
    serialNumber: z.string(),
    issuer: z.string().meta({ description: 'Id of the authority.' }),
    status: z.enum(['good', 'held', 'revoked']),
    statusChangedAt: timestampText.nullable(),
    reason: z.string().nullable(),
    invalidityDate: timestampText.nullable().meta({ description: 'Since when its key is suspect.' }),
    holdEnds: z
      .object({ at: timestampText, reason: z.string() })
      .nullable()
      .meta({ description: 'When a hold becomes a revocation, and why, unless it is released before.' }),
    expired: z.boolean(),
    profile: z.string(),
    profileVersion: z.int(),
    notBefore: timestampText,
    notAfter: timestampText,
    deviceId: z.string().nullable(),
    keyId: z.string(),
    replaces: certificateName.nullable(),
    crlShard: z.int(),
    auditIndex: z.int(),
  })
  .meta({ id: 'Certificate' })

export const certificateView = (record: CertificateRecord, now: UnixSeconds): z.input<typeof certificateSchema> => ({
  serialNumber: record.serialNumber,
  issuer: record.authorityId,
  status: record.status.kind,
  statusChangedAt: record.status.kind === 'good' ? null : timestamp(record.status.at),
  reason: record.status.kind === 'revoked' ? record.status.reason : null,
  invalidityDate: record.status.kind === 'good' ? null : optionalTimestamp(record.status.invalidityDate),
  holdEnds:
    record.status.kind === 'held' && record.status.ends !== null
      ? { at: timestamp(record.status.ends.at), reason: record.status.ends.reason }
      : null,
  expired: record.notAfter < now,
  profile: record.profile,
  profileVersion: record.profileVersion,
  notBefore: timestamp(record.notBefore),
  notAfter: timestamp(record.notAfter),
  deviceId: record.deviceId,
  keyId: record.keyId,
  replaces: record.replaces && {
    issuer: record.replaces.authorityId,
    serialNumber: record.replaces.serialNumber,
  },
  crlShard: record.crlShard,
  auditIndex: record.auditIndex,
})

export const credentialSchema = z
  .object({
    profile: z.string(),
    issuer: z.string(),
    serialNumber: z.string(),
    keyId: z.string(),
    keyAlgorithm: keyAlgorithmName,
    notBefore: timestampText,
    notAfter: timestampText,
    suggestedWindow: z.object({ start: timestampText, end: timestampText }),
    seenAt: timestampText.nullable(),
    previous: certificateName.nullable(),
    retireAt: timestampText.nullable(),
    order: z
      .object({
        reason: z.string(),
        at: timestampText,
        until: timestampText,
        newKey: z.boolean(),
        keyAlgorithm: keyAlgorithmName.nullable(),
        profile: z.string().nullable(),
        issuer: z.string().nullable(),
        campaignId: z.string().nullable(),
      })
      .nullable(),
    failures: z.int(),
    lastFailure: z.object({ code: z.string(), at: timestampText }).nullable(),
  })
  .meta({ id: 'Credential' })

export const credentialView = (credential: Credential): z.input<typeof credentialSchema> => ({
  profile: credential.profile,
  issuer: credential.authorityId,
  serialNumber: credential.serialNumber,
  keyId: credential.keyId,
  keyAlgorithm: credential.keyAlgorithm,
  notBefore: timestamp(credential.notBefore),
  notAfter: timestamp(credential.notAfter),
  suggestedWindow: { start: timestamp(credential.windowStart), end: timestamp(credential.windowEnd) },
  seenAt: optionalTimestamp(credential.seenAt),
  previous: credential.previous && {
    issuer: credential.previous.authorityId,
    serialNumber: credential.previous.serialNumber,
  },
  retireAt: optionalTimestamp(credential.retireAt),
  order: credential.order && {
    reason: credential.order.reason,
    at: timestamp(credential.order.at),
    until: timestamp(credential.order.until),
    newKey: credential.order.newKey,
    keyAlgorithm: credential.order.keyAlgorithm,
    profile: credential.order.profile,
    issuer: credential.order.authorityId,
    campaignId: credential.order.campaignId,
  },
  failures: credential.failures,
  lastFailure: credential.lastFailure && {
    code: credential.lastFailure.code,
    at: timestamp(credential.lastFailure.at),
  },
})

export const transferSchema = z
  .object({
    id: z.string(),
    deviceId: z.string(),
    from: z.string().nullable(),
    to: z.string(),
    state: z.enum(['proposed', 'accepted', 'effective', 'cancelled']),
    stateChangedAt: timestampText,
    effectiveAt: timestampText,
    newKey: z.boolean(),
    agreements: z.array(
      z.object({ party: z.enum(['from', 'to']), by: z.enum(['signature', 'rule', 'operator']), at: timestampText }),
    ),
    createdAt: timestampText,
  })
  .meta({ id: 'Transfer' })

/** Signatures are long and stand in the store. */
export const transferView = (transfer: OwnershipTransfer): z.input<typeof transferSchema> => ({
  id: transfer.id,
  deviceId: transfer.deviceId,
  from: transfer.from,
  to: transfer.to,
  state: transfer.state,
  stateChangedAt: timestamp(transfer.stateChangedAt),
  effectiveAt: timestamp(transfer.effectiveAt),
  newKey: transfer.newKey,
  agreements: transfer.agreements.map(({ party, by, at }) => ({ party, by, at: timestamp(at) })),
  createdAt: timestamp(transfer.createdAt),
})

export const statementSchema = z
  .object({
    kind: z.enum(['wipe', 'destruction_witness', 'ownership_transfer', 'destruction_facts']),
    sha256: z.string(),
    at: timestampText,
  })
  .meta({ id: 'Statement' })

export const statementView = ({ kind, sha256, at }: Statement): z.input<typeof statementSchema> => ({
  kind,
  sha256,
  at: timestamp(at),
})

/** A list in pages. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z.array(item),
    next: z.string().nullable().meta({ description: 'Pass as `after` to go on; null at the end.' }),
  })
