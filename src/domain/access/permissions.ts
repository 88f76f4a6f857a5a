// What somebody may be allowed to do, one row each. Roles are sets of these, every endpoint of the API states one, and the matrix in
// docs/reference/permissions.md is printed from them. A permission is stable for life: stored roles and tokens name it.

export interface PermissionRow {
  /** Completes "Whoever has it may …". */
  readonly may: string
  /**
   * `fleet`: about devices and what belongs to them, so that a grant can be narrowed to owners, models and sites. `instance`: about the
   * platform as a whole; a narrowed grant never gives it.
   */
  readonly reach: 'fleet' | 'instance'
}

export const PERMISSIONS = {
  'device.read': { may: 'see devices, their keys, health, properties and timeline', reach: 'fleet' },
  'device.write': {
    may: 'register devices, change what is said of them, ship, suspend, resume and transfer them',
    reach: 'fleet',
  },
  'device.end': { may: 'retire and destroy devices', reach: 'fleet' },
  'certificate.read': { may: 'see certificates', reach: 'fleet' },
  'certificate.revoke': { may: 'revoke, hold and release single certificates', reach: 'fleet' },
  'certificate.revoke_many': { may: 'revoke everything that a query finds', reach: 'fleet' },
  'enrolment.read': { may: 'see requests for certificates', reach: 'fleet' },
  'enrolment.decide': { may: 'approve and reject requests that wait', reach: 'fleet' },
  'token.read': { may: 'see the one-time tokens of devices', reach: 'fleet' },
  'token.write': { may: 'make and cancel one-time tokens for devices', reach: 'fleet' },
  'owner.read': { may: 'see owners of devices and their certificates', reach: 'instance' },
  'owner.write': { may: 'change owners of devices and their certificates', reach: 'instance' },
  'batch.read': { may: 'see factory batches and their results', reach: 'instance' },
  'batch.run': { may: 'try and run factory batches', reach: 'instance' },
  'campaign.read': { may: 'see campaigns and how far they are', reach: 'instance' },
  'campaign.write': { may: 'plan, start, pause and cancel campaigns', reach: 'instance' },
  'authority.read': { may: 'see authorities, their keys and trust anchors', reach: 'instance' },
  'authority.write': { may: 'make, import and retire authorities', reach: 'instance' },
  'key.destroy': { may: 'destroy keys in the key store', reach: 'instance' },
  'trust.write': { may: 'change trust anchors and publish the trust bundle', reach: 'instance' },
  'profile.read': { may: 'see certificate profiles', reach: 'instance' },
  'profile.write': { may: 'change certificate profiles', reach: 'instance' },
  'rule.read': { may: 'see the registration rules, and try a request on them', reach: 'instance' },
  'rule.write': { may: 'change the registration rules', reach: 'instance' },
  'approval.read': { may: 'see acts that wait for a second person', reach: 'instance' },
  'audit.read': { may: 'read the audit log, with proofs', reach: 'instance' },
  'operator.read': { may: 'see operators, their sessions, roles and API tokens', reach: 'instance' },
  'operator.write': { may: 'admit and remove operators, and end their sessions', reach: 'instance' },
  'role.write': { may: 'change roles and who has them', reach: 'instance' },
  'api_token.write': { may: 'make API tokens with no more power than one has', reach: 'instance' },
  'settings.read': { may: 'see the settings', reach: 'instance' },
  'settings.write': { may: 'change the settings', reach: 'instance' },
  'alert.read': { may: 'see alerts', reach: 'instance' },
  'alert.write': { may: 'acknowledge and silence alerts, and change their rules', reach: 'instance' },
  'statistics.read': { may: 'see the numbers of the fleet', reach: 'instance' },
} as const satisfies Record<string, PermissionRow>

export type Permission = keyof typeof PERMISSIONS

/** In the order of the table. */
export const permissionNames = Object.keys(PERMISSIONS) as [Permission, ...Permission[]]

export function isPermission(text: string): text is Permission {
  return Object.hasOwn(PERMISSIONS, text)
}
