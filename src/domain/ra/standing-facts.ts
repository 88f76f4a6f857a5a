// Facts that a decision went by and that its change does not move: each is written as a move from its state to the same one, which fails
// where an operator suspended, revoked or held something between the reading and the writing.
import type { CertificateRecord } from '../ca/certificate-record.ts'
import type { Device } from '../device/device.ts'
import type { DeviceKey } from '../device/device-key.ts'
import type { Write } from '../ports.ts'

/** Fails with `device.state_changed`. */
export function standingDevice({ id, state, stateChangedAt: at }: Device): Write {
  return { kind: 'device.state', id, from: state, to: state, at }
}

/** Fails with `key.state_changed`. */
export function standingKey({ id, state, stateChangedAt: at }: DeviceKey): Write {
  return { kind: 'key.state', id, from: state, to: state, at }
}

/** Fails with `certificate.status_changed`. */
export function standingCertificate({ authorityId, serialNumber, status }: CertificateRecord): Write {
  return { kind: 'certificate.standing', authorityId, serialNumber, status: status.kind }
}
