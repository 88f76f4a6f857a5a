// What operators edit, kept in versions: profiles, rules, trust anchors, settings, groups, owners, roles, alerts.
import type { UnixSeconds } from './ids.ts'

/** A versioned document that an operator edits: profile, rule set, trust anchor list, saved group of devices, owner, role, alert rules. The highest version is in force. */
export interface DocumentVersion {
  readonly kind: 'profile' | 'rules' | 'trust-anchors' | 'settings' | 'group' | 'owner' | 'role' | 'alerts'
  readonly name: string
  readonly version: number
  /** JSON as text, checked by its parser before it gets here. */
  readonly body: string
  readonly createdAt: UnixSeconds
}
