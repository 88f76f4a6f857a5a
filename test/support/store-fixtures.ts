// Rows and change sets for tests of the store, each different from all before it. The certificates are octets that only the log and the
// store look at: here nobody parses them.
import { createHash, randomBytes } from 'node:crypto'
import type { AuditEntry } from '../../src/domain/audit/entry.ts'
import type { Batch } from '../../src/domain/batch.ts'
import type { Authority } from '../../src/domain/ca/authority.ts'
import type { CertificateRecord } from '../../src/domain/ca/certificate-record.ts'
import { STATUS_ACTIONS, statusDetail } from '../../src/domain/ca/status-entry.ts'
import type { Device } from '../../src/domain/device/device.ts'
import type { DeviceKey } from '../../src/domain/device/device-key.ts'
import type { DocumentVersion } from '../../src/domain/document.ts'
import { authorityId, batchId, deviceId, keyId, requestDigest, serialNumber, tokenId } from '../../src/domain/ids.ts'
import type { ChangeSet, Publication, Write } from '../../src/domain/ports.ts'
import type { Enrolment } from '../../src/domain/ra/enrolment.ts'
import type { Token } from '../../src/domain/ra/token.ts'

export const NOW = 1_750_000_000

let made = 0

const octets = (count: number) => new Uint8Array(randomBytes(count))

/** 16 octets that grow with each call, as ids do. */
function growingId(): string {
  made++
  return NOW.toString(16) + made.toString(16).padStart(8, '0') + randomBytes(8).toString('hex')
}

export function aDevice(fields: Partial<Device> = {}): Device {
  const id = deviceId(growingId())
  return {
    id,
    model: 'T-1000',
    serialNumber: `SN-${made}`,
    state: 'manufactured',
    batch: null,
    createdAt: NOW,
    stateChangedAt: NOW,
    labels: {},
    ...fields,
  }
}

export function aKey(device: Device, fields: Partial<DeviceKey> = {}): DeviceKey {
  return {
    id: keyId(randomBytes(32)),
    deviceId: device.id,
    algorithm: 'P-256',
    origin: 'device',
    state: 'in_use',
    createdAt: NOW,
    stateChangedAt: NOW,
    ...fields,
  }
}

export type NewCertificate = Omit<CertificateRecord, 'auditIndex'>

export function aCertificate(
  device: Device | null,
  key: DeviceKey | null,
  fields: Partial<NewCertificate> = {},
): NewCertificate {
  return {
    authorityId: authorityId('idevid-1'),
    serialNumber: serialNumber(growingId()),
    deviceId: device?.id ?? null,
    keyId: key?.id ?? keyId(randomBytes(32)),
    profile: 'idevid',
    profileVersion: 1,
    notBefore: NOW,
    notAfter: NOW + 86_400,
    der: octets(600),
    status: { kind: 'good' },
    crlShard: 0,
    replaces: null,
    ...fields,
  }
}

export function aToken(device: Device, fields: Partial<Token> = {}): Token {
  return {
    id: tokenId(growingId()),
    secretHash: randomBytes(32).toString('hex'),
    deviceId: device.id,
    profile: 'ldevid',
    createdAt: NOW,
    expiresAt: NOW + 3600,
    usedAt: null,
    cancelledAt: null,
    ...fields,
  }
}

export function anEnrolment(fields: Partial<Enrolment> = {}): Enrolment {
  return {
    digest: requestDigest(randomBytes(32)),
    protocol: 'est',
    profile: 'ldevid',
    deviceId: null,
    serialNumberClaimed: 'SN-?',
    rule: 'token',
    csr: octets(300),
    state: { kind: 'pending' },
    createdAt: NOW,
    ...fields,
  }
}

export function aBatch(fields: Partial<Batch> = {}): Batch {
  return {
    id: batchId(growingId()),
    inputDigest: randomBytes(32).toString('hex'),
    profile: 'idevid',
    state: 'running',
    done: 0,
    issued: 0,
    existing: 0,
    rejected: 0,
    createdAt: NOW,
    finishedAt: null,
    ...fields,
  }
}

export function anAuthority(fields: Partial<Authority> = {}): Authority {
  return {
    id: authorityId(`ca-${++made}`),
    kind: 'issuing',
    state: 'active',
    certificate: octets(500),
    issuer: null,
    chainAbove: [],
    keyUri: 'software:ca',
    generation: 1,
    crlShards: 4,
    createdAt: NOW,
    ...fields,
  }
}

export function aDocument(fields: Partial<DocumentVersion> = {}): DocumentVersion {
  return { kind: 'profile', name: `profile-${++made}`, version: 1, body: '{"ä":"€"}', createdAt: NOW, ...fields }
}

export function aPublication(fields: Partial<Publication> = {}): Publication {
  return {
    name: `crl/ca-${++made}/0`,
    contentType: 'application/pkix-crl',
    bytes: octets(200),
    number: 1,
    thisUpdate: NOW,
    nextUpdate: NOW + 3600,
    ...fields,
  }
}

/** An entry that says nothing else than that something happened. */
export function anEntry(fields: Partial<AuditEntry> = {}): AuditEntry {
  return {
    at: NOW,
    actor: { kind: 'system', id: 'test' },
    action: 'server.started',
    outcome: 'done',
    subject: {},
    detail: { run: ++made },
    ...fields,
  }
}

/** The entry that commits to a certificate. */
export function issuedEntry(certificate: NewCertificate): AuditEntry {
  return anEntry({
    action: 'certificate.issued',
    subject: {
      authorityId: certificate.authorityId,
      certificateSha256: createHash('sha256').update(certificate.der).digest('hex'),
      keyId: certificate.keyId,
      serialNumber: certificate.serialNumber,
      ...(certificate.deviceId === null ? {} : { deviceId: certificate.deviceId }),
    },
    detail: undefined,
  })
}

/** A change set of this write, with the entries that it needs. */
export function only(...writes: readonly Write[]): ChangeSet {
  const audit: AuditEntry[] = [anEntry()]
  const placed = writes.map(write => {
    if (write.kind === 'certificate.status') audit.push(statusEntry(write))
    else if (write.kind === 'certificate.insert') audit.push(issuedEntry(write.certificate))
    else return write
    return { ...write, auditEntry: audit.length - 1 }
  })
  return { writes: placed, audit }
}

function statusEntry({ authorityId, serialNumber, to }: Extract<Write, { kind: 'certificate.status' }>): AuditEntry {
  const at = to.kind === 'good' ? NOW : to.at
  const subject = { authorityId, serialNumber }
  return anEntry({ action: STATUS_ACTIONS[to.kind], at, subject, detail: statusDetail(to, at) })
}

export interface Unit {
  readonly device: Device
  readonly key: DeviceKey
  readonly certificate: NewCertificate
  readonly change: ChangeSet
}

/** What a factory writes for one unit: device, key and certificate, and what the log says about them. */
export function aUnit(fields: Partial<Device> = {}): Unit {
  const device = aDevice(fields)
  const key = aKey(device)
  const certificate = aCertificate(device, key)
  const registered = anEntry({ action: 'device.registered', subject: { deviceId: device.id }, detail: undefined })
  return {
    device,
    key,
    certificate,
    change: {
      writes: [
        { kind: 'device.insert', device },
        { kind: 'key.insert', key },
        { kind: 'certificate.insert', certificate, auditEntry: 1 },
      ],
      audit: [registered, issuedEntry(certificate)],
    },
  }
}
