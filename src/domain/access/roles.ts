// Roles: names for sets of permissions. Six are built in and cannot be changed; others are documents of kind `role`.
import { z } from 'zod'
import { TouchmarkError } from '../../core/errors.ts'
import type { DocumentVersion } from '../document.ts'
import type { UnixSeconds } from '../ids.ts'
import { parseDocument } from '../parse-document.ts'
import type { StoreReader } from '../ports.ts'
import { isPermission, type Permission, permissionNames } from './permissions.ts'

export interface Role {
  readonly name: string
  readonly description: string
  readonly permissions: ReadonlySet<Permission>
  readonly builtIn: boolean
}

/** What everybody sees who works with the fleet. */
const FLEET_VIEW = [
  'device.read',
  'certificate.read',
  'enrolment.read',
  'token.read',
  'owner.read',
  'batch.read',
  'campaign.read',
  'authority.read',
  'profile.read',
  'rule.read',
  'alert.read',
  'statistics.read',
] as const satisfies readonly Permission[]

/** Least privilege: each role has what its work needs. In the order of the documentation. */
export const BUILT_IN_ROLES = [
  builtIn('administrator', 'Everything, and the only one who admits operators and changes roles.', permissionNames),
  builtIn('ca-officer', 'Keeps the authorities, their keys, the profiles and what devices trust.', [
    ...FLEET_VIEW,
    'authority.write',
    'key.destroy',
    'trust.write',
    'profile.write',
    'certificate.revoke',
    'certificate.revoke_many',
    'approval.read',
    'audit.read',
    'settings.read',
    'api_token.write',
  ]),
  builtIn('ra-officer', 'Keeps the registration rules and decides who gets certificates.', [
    ...FLEET_VIEW,
    'rule.write',
    'enrolment.decide',
    'token.write',
    'device.write',
    'owner.write',
    'certificate.revoke',
    'approval.read',
    'audit.read',
    'api_token.write',
  ]),
  builtIn('factory', 'Runs batches and sees what came of them.', [
    'device.read',
    'certificate.read',
    'batch.read',
    'batch.run',
    'profile.read',
    'statistics.read',
    'api_token.write',
  ]),
  builtIn('operator', 'Looks after devices in the field, from their first token to their end.', [
    ...FLEET_VIEW,
    'device.write',
    'device.end',
    'token.write',
    'certificate.revoke',
    'campaign.write',
    'alert.write',
    'approval.read',
    'api_token.write',
  ]),
  builtIn(
    'auditor',
    'Sees everything and changes nothing.',
    permissionNames.filter(name => name.endsWith('.read')),
  ),
] as const satisfies readonly Role[]

/** Name of a role that an operator makes. */
export const ROLE_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/

const roleSchema = z.strictObject({
  schema: z.literal(1).describe('Version of this format.'),
  name: z.string().regex(ROLE_NAME, 'must be small letters, digits and . _ - (at most 64)'),
  description: z.string().max(500).default(''),
  permissions: z.array(z.enum(permissionNames)).max(permissionNames.length),
  retired: z.boolean().default(false).describe('A role that is retired gives nothing, to whoever still has it.'),
})

/** As an operator writes it. */
export type RoleConfig = z.input<typeof roleSchema>

/** Throws `role.invalid` with every problem, and where the name is that of a built-in role. */
export function parseRole(json: unknown): Role {
  const { name, description, permissions, retired } = parseDocument(roleSchema, json, 'role.invalid', 'role')
  if (builtInRole(name) !== undefined) {
    throw new TouchmarkError('role.built_in', 'conflict', `The role ${name} is built in and stays as it is.`, {
      next: 'Choose another name for a role of your own.',
    })
  }
  return { name, description, permissions: new Set(retired ? [] : permissions), builtIn: false }
}

/** The document to store; throws as `parseRole` first. */
export function roleDocument(config: RoleConfig, version: number, createdAt: UnixSeconds): DocumentVersion {
  const { name } = parseRole(config)
  return { kind: 'role', name, version, body: JSON.stringify(config, null, 2), createdAt }
}

export function builtInRole(name: string): Role | undefined {
  return BUILT_IN_ROLES.find(role => role.name === name)
}

/** The role in force; `undefined` where there is none of this name. */
export async function readRole(name: string, read: Pick<StoreReader, 'document'>): Promise<Role | undefined> {
  const known = builtInRole(name)
  if (known !== undefined) return known
  const document = await read.document('role', name)
  return document && storedRole(document)
}

/** Built-in roles first, then the others in order of name. */
export async function readRoles(read: Pick<StoreReader, 'documents'>): Promise<Role[]> {
  return [...BUILT_IN_ROLES, ...(await read.documents('role')).map(storedRole)]
}

/** A newer version may know permissions that this one does not: they give nothing here, and the others go on to hold. */
function storedRole(document: DocumentVersion): Role {
  const config = JSON.parse(document.body) as { description?: string; permissions: string[]; retired?: boolean }
  return {
    name: document.name,
    description: config.description ?? '',
    permissions: new Set(config.retired === true ? [] : config.permissions.filter(isPermission)),
    builtIn: false,
  }
}

function builtIn(name: string, description: string, permissions: readonly Permission[]): Role {
  return { name, description, permissions: new Set(permissions), builtIn: true }
}
