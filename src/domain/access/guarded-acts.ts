// The acts that take a second person, each with the permission that whoever asks and whoever approves must have.
import type { Permission } from './permissions.ts'

export interface GuardedActRow {
  readonly permission: Permission
  /** For the screen: what happens. */
  readonly does: string
}

export const GUARDED_ACTS = {
  'authority.create': { permission: 'authority.write', does: 'An authority is made or imported.' },
  'authority.retire': { permission: 'authority.write', does: 'An authority issues no more.' },
  'authority.revoke': {
    permission: 'authority.write',
    does: 'The certificate of an authority is revoked: it and those below it issue no more.',
  },
  'profile.change': { permission: 'profile.write', does: 'A certificate profile gets a new version.' },
  'rule.change': { permission: 'rule.write', does: 'The registration rules get a new version.' },
  'certificate.revoke_many': {
    permission: 'certificate.revoke_many',
    does: 'Everything that a query finds is revoked.',
  },
  'key.destroy': { permission: 'key.destroy', does: 'A key is destroyed for good.' },
  'role.change': { permission: 'role.write', does: 'A role gets other permissions.' },
  'operator.roles': { permission: 'role.write', does: 'An operator gets other roles.' },
  'access.settings': { permission: 'role.write', does: 'The rules for approvals change.' },
} as const satisfies Record<string, GuardedActRow>

export type GuardedAct = keyof typeof GUARDED_ACTS

export const guardedActNames = Object.keys(GUARDED_ACTS) as [GuardedAct, ...GuardedAct[]]
