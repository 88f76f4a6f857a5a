// Writes docs/reference/permissions.md: what each role may do at each endpoint of the API, from the endpoints and the roles themselves.
// `node scripts/permission-matrix.ts`; test/api/permissions.test.ts fails where the page is not current, and tries every cell.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PERMISSIONS, type Permission } from '../src/domain/access/permissions.ts'
import { BUILT_IN_ROLES, type Role } from '../src/domain/access/roles.ts'
import { type Endpoint, TAGS } from '../src/protocols/api/endpoint.ts'
import { documentedEndpoints } from '../src/protocols/api/routes.ts'

export const MATRIX_PAGE = join(import.meta.dirname, '../docs/reference/permissions.md')

/** What the gate lets the role do: `anyone` needs no role. */
export function allows({ permission }: Pick<Endpoint, 'permission'>, role: Role): boolean {
  return permission === 'public' || permission === 'signed-in' || role.permissions.has(permission)
}

export function permissionMatrix(): string {
  const endpoints = documentedEndpoints('0')
  const roles: readonly Role[] = BUILT_IN_ROLES
  const marks = (has: (role: Role) => boolean) => roles.map(role => (has(role) ? '✓' : '')).join(' | ')
  const head = (first: string) =>
    `| ${first} | ${roles.map(({ name }) => name).join(' | ')} |\n|---|${roles.map(() => ':-:|').join('')}`
  const lines = [
    '# Who may do what',
    '',
    'Made by `node scripts/permission-matrix.ts` from the permissions, the built-in roles and the endpoints; a test tries every cell of it. Roles',
    'of your own are sets of the same permissions. A grant can be narrowed to owners, models and sites: it then reaches the devices within it, what',
    'belongs to them, and nothing of the instance as a whole. What a second person has to approve is in [the settings of access](rest-api.md#four-eyes).',
    '',
    '## Roles',
    '',
    ...roles.map(({ name, description }) => `- **${name}**: ${description}`),
    '',
    '## Permissions',
    '',
    head('Permission'),
    ...Object.entries(PERMISSIONS).map(
      ([name, { may }]) => `| \`${name}\`: ${may} | ${marks(role => role.permissions.has(name as Permission))} |`,
    ),
    '',
    '## Endpoints',
    '',
    'Paths are below `/api/v1`. *Anyone* needs no role, *signed in* any.',
  ]
  for (const tag of TAGS) {
    const own = endpoints.filter(each => each.tag === tag)
    if (own.length === 0) continue
    lines.push('', `### ${tag}`, '', head('Endpoint'))
    for (const each of own) {
      const { method, path, permission } = each
      const needs =
        permission === 'public' ? '*anyone*' : permission === 'signed-in' ? '*signed in*' : `\`${permission}\``
      lines.push(`| \`${method} ${path}\` ${needs} | ${marks(role => allows(each, role))} |`)
    }
  }
  return `${lines.join('\n')}\n`
}

if (import.meta.main) writeFileSync(MATRIX_PAGE, permissionMatrix())
