// A statement that somebody signed or witnessed about a device, kept as it came: why a key counts as beyond use, who gave a device away.
import type { DeviceId, UnixSeconds } from '../ids.ts'

export type StatementKind =
  /** The device's own, signed with the keys that it then wiped. */
  | 'wipe'
  /** An operator saw it destroyed. */
  | 'destruction_witness'
  | 'ownership_transfer'
  /** The facts of a certificate of destruction, as the log commits to them. */
  | 'destruction_facts'

export interface Statement {
  /** SHA-256 over `bytes`, 64 hex digits: what the audit entry names. */
  readonly sha256: string
  readonly deviceId: DeviceId
  readonly kind: StatementKind
  readonly bytes: Uint8Array
  readonly at: UnixSeconds
}
