// What a requester can show for itself. Each kind holds the facts that rules judge; none holds a secret.
// How certificates and tokens become evidence: `evidence-reader.ts`.

import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import type { Device } from '../device/device.ts'
import type { DeviceKey } from '../device/device-key.ts'
import type { KeyId } from '../ids.ts'
import type { Token } from './token.ts'

/** A certificate that another maker issued, chained to one of its trust anchors. */
export interface ManufacturerCertificateEvidence {
  readonly kind: 'manufacturer-certificate'
  /** Name of the trust anchor list. */
  readonly anchor: string
  /** As the certificate names them, read as the list says. */
  readonly model: string
  readonly serialNumber: string
  /** SHA-256 over its DER, 64 hex digits. */
  readonly fingerprint: string
  /** The device with that model and serial number, if it is registered. */
  readonly device: Device | null
  readonly keyId: KeyId
  /** `null` for a key that may authenticate and that we could not certify. */
  readonly keyAlgorithm: KeyAlgorithmName | null
  /** What is known of its key. */
  readonly key: DeviceKey | null
}

/** A certificate that this instance issued to a device: found by its octets, not by what it says. */
export interface OwnCertificateEvidence {
  readonly kind: 'own-certificate'
  readonly record: CertificateRecord
  readonly device: Device
  readonly key: DeviceKey | null
  /** Seconds since notAfter; 0 while it is live. Rules may allow a grace time. */
  readonly expiredForSeconds: number
}

/** A one-time token with the right secret and user name; whether it was used or has expired is in it. */
export interface TokenEvidence {
  readonly kind: 'token'
  readonly token: Token
  readonly device: Device
}

/** A person with the right to register, acting for this device. */
export interface OperatorEvidence {
  readonly kind: 'operator'
  /** Opaque name of the operator, as the audit log has it. */
  readonly name: string
  readonly device: Device
}

export type Evidence = ManufacturerCertificateEvidence | OwnCertificateEvidence | TokenEvidence | OperatorEvidence

export const EVIDENCE_KINDS = [
  'own-certificate',
  'manufacturer-certificate',
  'token',
  'operator',
] as const satisfies readonly Evidence['kind'][]

/** Names the evidence in audit entries and request digests: unique, stable, no secret. */
export function evidenceReference(evidence: Evidence): string {
  switch (evidence.kind) {
    case 'manufacturer-certificate':
      return `manufacturer-certificate:${evidence.fingerprint}`
    case 'own-certificate':
      return `own-certificate:${evidence.record.authorityId}/${evidence.record.serialNumber}`
    case 'token':
      return `token:${evidence.token.id}`
    case 'operator':
      return `operator:${evidence.name}`
    default:
      return evidence satisfies never
  }
}
