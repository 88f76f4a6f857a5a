// Rows of a life in the field, for tests of the store: what devices hold, say and belong to, and what campaigns ask of them.
import { createHash, randomBytes } from 'node:crypto'
import type { Campaign } from '../../src/domain/campaign/campaign.ts'
import type { Device } from '../../src/domain/device/device.ts'
import type { DeviceHealth } from '../../src/domain/device/device-health.ts'
import type { OwnershipTransfer } from '../../src/domain/device/ownership.ts'
import type { Statement } from '../../src/domain/device/statement.ts'
import { authorityId, type CampaignId, campaignId, keyId, serialNumber, transferId } from '../../src/domain/ids.ts'
import type { Credential } from '../../src/domain/renewal/credential.ts'
import { NOW } from './store-fixtures.ts'

let made = 0

/** 16 octets that grow with each call, as ids do. */
function growingId(): string {
  made++
  return NOW.toString(16) + made.toString(16).padStart(8, '0') + randomBytes(8).toString('hex')
}

export function aCredential(device: Pick<Device, 'id'>, fields: Partial<Credential> = {}): Credential {
  return {
    deviceId: device.id,
    profile: 'ldevid',
    authorityId: authorityId('ldevid-1'),
    serialNumber: serialNumber(growingId()),
    keyId: keyId(randomBytes(32)),
    keyAlgorithm: 'P-256',
    notBefore: NOW,
    notAfter: NOW + 86_400,
    windowStart: NOW + 50_000,
    windowEnd: NOW + 60_000,
    seenAt: null,
    previous: null,
    retireAt: null,
    order: null,
    failures: 0,
    lastFailure: null,
    revision: 1,
    ...fields,
  }
}

export function aHealth(device: Pick<Device, 'id'>, fields: Partial<DeviceHealth> = {}): DeviceHealth {
  return {
    deviceId: device.id,
    at: NOW,
    sequence: 1,
    clockSkewSeconds: -3,
    firmware: '1.0.0',
    configuration: null,
    agentVersion: '0.1.0',
    lastError: null,
    ...fields,
  }
}

export function aTransfer(device: Pick<Device, 'id'>, fields: Partial<OwnershipTransfer> = {}): OwnershipTransfer {
  return {
    id: transferId(growingId()),
    deviceId: device.id,
    from: null,
    to: 'acme',
    effectiveAt: NOW + 100,
    newKey: true,
    state: 'proposed',
    stateChangedAt: NOW,
    agreements: [],
    createdAt: NOW,
    ...fields,
  }
}

export function aStatement(device: Pick<Device, 'id'>, fields: Partial<Statement> = {}): Statement {
  const bytes = new Uint8Array(randomBytes(40))
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { sha256, deviceId: device.id, kind: 'wipe', bytes, at: NOW, ...fields }
}

export const newCampaignId = (): CampaignId => campaignId(growingId())

export function aCampaign(fields: Partial<Campaign> = {}): Campaign {
  const id = newCampaignId()
  return {
    id,
    name: `campaign-${made}`,
    query: { model: 'T-1000', labels: { line: 'ä' } },
    target: { profile: 'ldevid', newKey: true, keyAlgorithm: 'P-384', newProfile: null, authorityId: null },
    pace: { canary: 2, waveSize: 5, patienceSeconds: 60, perHour: null, quiet: null, stopAtFailureShare: 0.1 },
    state: 'planned',
    stateReason: null,
    devices: 0,
    waves: 0,
    wave: 0,
    hour: null,
    createdAt: NOW,
    startedAt: null,
    finishedAt: null,
    revision: 1,
    ...fields,
  }
}
