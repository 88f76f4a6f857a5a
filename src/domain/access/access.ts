// Access, put together: what recipes ask for, and the four eyes with the acts that are this folder's own. One for each process.
import { z } from 'zod'
import { changeAccessSettings, changeRole } from './access-documents.ts'
import type { AccessSettingsConfig } from './access-settings.ts'
import { FourEyes } from './four-eyes.ts'
import type { RoleGrant } from './operator.ts'
import { changeRoles } from './operators.ts'
import { Passwords } from './password.ts'
import type { AccessPorts } from './ports.ts'
import { roleGrantSchema } from './role-grant.ts'
import type { RoleConfig } from './roles.ts'
import { SlowDown } from './slow-down.ts'

export interface Access extends AccessPorts {
  readonly fourEyes: FourEyes
}

const rolesAct = z.object({ operatorId: z.string(), roles: z.array(roleGrantSchema), before: z.string() })
const documentAct = z.object({ config: z.unknown(), from: z.int() })

export function createAccess(
  given: Pick<AccessPorts, 'store' | 'clock' | 'random' | 'secretFor' | 'passkeys'> &
    Partial<Pick<AccessPorts, 'passwords'>>,
): Access {
  const { store, clock, random, secretFor, passkeys } = given
  const passwords = given.passwords ?? new Passwords(random)
  const ports: AccessPorts = { store, clock, random, secretFor, passwords, passkeys, slowDown: new SlowDown() }
  const fourEyes = new FourEyes(ports)
  fourEyes.define('operator.roles', async (parameters, { actor }) => {
    const { operatorId, roles, before } = rolesAct.parse(parameters)
    return changeRoles({ operatorId, roles: roles satisfies RoleGrant[], before, actor }, ports)
  })
  fourEyes.define('role.change', async (parameters, { actor }) => {
    const { config, from } = documentAct.parse(parameters)
    return changeRole({ config: config as RoleConfig, from, actor }, ports)
  })
  fourEyes.define('access.settings', async (parameters, { actor }) => {
    const { config, from } = documentAct.parse(parameters)
    return changeAccessSettings({ config: config as AccessSettingsConfig, from, actor }, ports)
  })
  return { ...ports, fourEyes }
}
