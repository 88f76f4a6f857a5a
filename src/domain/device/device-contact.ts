// Which device calls, by a certificate of ours of any status: also one that is revoked, on hold or over may ask where its device stands. It
// opens nothing else: whoever acts on a contact looks at its standing first. For certificates there is `ra/evidence-reader.ts`, which refuses.
import { equalBytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { readCertificateSerialNumber } from '../../core/pki/certificate.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import { serialNumber, type UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import type { EvidenceReader } from '../ra/evidence-reader.ts'
import { type Refusal, refusal } from '../ra/refusal.ts'
import { type Device, mayEnrol } from './device.ts'
import type { DeviceKey } from './device-key.ts'

/** What the certificate says of its holder now, worst first: a key that is out of use, then status, then time. */
export type Standing = 'key_out_of_use' | 'revoked' | 'held' | 'not_yet_valid' | 'expired' | 'live'

export interface DeviceContact {
  readonly device: Device
  readonly record: CertificateRecord
  readonly key: DeviceKey | null
  readonly standing: Standing
}

export type ContactFinding =
  | { readonly kind: 'contact'; readonly contact: DeviceContact }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly detail: Readonly<Record<string, string>> }

export interface ContactPorts {
  readonly read: Pick<StoreReader, 'certificatesBySerial' | 'device' | 'key'>
  readonly evidence: Pick<EvidenceReader, 'fromCertificates'>
}

/**
 * `certificates`: leaf first, possession proved by TLS. Refused: none, a certificate of the platform, one that we did not issue (also where
 * we accept its maker: it may enrol, and has nothing here yet), and one with our signature that nobody recorded.
 */
export async function deviceContact(
  certificates: readonly Uint8Array[],
  now: UnixSeconds,
  { read, evidence }: ContactPorts,
): Promise<ContactFinding> {
  const [leaf] = certificates
  if (leaf === undefined) return { kind: 'refused', refusal: refusal('evidence.missing'), detail: {} }
  const record = await recordOf(leaf, read)
  if (record === undefined) {
    const finding = await evidence.fromCertificates(certificates, now)
    if (finding.kind === 'refused') return finding
    return { kind: 'refused', refusal: refusal('evidence.issuer_unknown'), detail: {} }
  }
  const { authorityId, serialNumber: serial } = record
  const reference = { authorityId, serialNumber: serial }
  if (record.deviceId === null) {
    return { kind: 'refused', refusal: refusal('evidence.certificate_not_of_device'), detail: reference }
  }
  const [device, key] = await Promise.all([read.device(record.deviceId), read.key(record.keyId)])
  if (device === undefined) return { kind: 'refused', refusal: refusal('device.unknown'), detail: reference }
  return { kind: 'contact', contact: { device, record, key: key ?? null, standing: standingOf(record, key, now) } }
}

/** Whether the contact may act for its device: a live or expired certificate of a device that is given certificates. */
export function maySpeak({ device, standing }: DeviceContact): boolean {
  return mayEnrol(device.state) && (standing === 'live' || standing === 'expired')
}

/** Why the contact may not act, in the words of a refused enrolment; only for one that may not. */
export function silence({ device, standing }: DeviceContact): Refusal {
  if (device.state === 'suspended') return refusal('device.suspended')
  if (!mayEnrol(device.state)) return refusal('device.retired')
  switch (standing) {
    case 'revoked':
      return refusal('evidence.certificate_revoked')
    case 'held':
      return refusal('evidence.certificate_held')
    case 'not_yet_valid':
      return refusal('evidence.certificate_not_yet_valid')
    case 'key_out_of_use':
      return refusal('evidence.key_unusable')
    case 'expired':
    case 'live':
      throw new TypeError('A contact that may speak is not silenced')
    default:
      return standing satisfies never
  }
}

/** What we issued is told by its octets. */
async function recordOf(
  leaf: Uint8Array,
  read: Pick<StoreReader, 'certificatesBySerial'>,
): Promise<CertificateRecord | undefined> {
  let serial: string
  try {
    serial = readCertificateSerialNumber(leaf)
  } catch (cause) {
    if (cause instanceof TouchmarkError) return undefined
    throw cause
  }
  const records = await read.certificatesBySerial(serialNumber(serial))
  return records.find(({ der }) => equalBytes(der, leaf))
}

function standingOf(record: CertificateRecord, key: DeviceKey | undefined, now: UnixSeconds): Standing {
  const inUse = key === undefined || ['generated', 'established', 'in_use', 'suspended'].includes(key.state)
  // First what was said of the certificate: the key of one that was superseded is archived with it.
  if (record.status.kind === 'revoked') return 'revoked'
  if (!inUse) return 'key_out_of_use'
  if (record.status.kind === 'held' || key?.state === 'suspended') return 'held'
  if (record.notBefore > now) return 'not_yet_valid'
  return record.notAfter < now ? 'expired' : 'live'
}
