// Roles: those that come with Touchmark, and those of one's own making, as sets of permissions.
import { Button, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { call, callVersioned } from '../api/client.ts'
import type { Role } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { FormDialog } from '../parts/form-dialog.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { PermissionPicker } from '../parts/permission-picker.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { texts } from '../texts/texts.ts'
import { roleName } from './role-grants.tsx'

const t = texts.operators

export function Roles() {
  const { permissions } = useSession()
  const mayWrite = permissions.has('role.write')
  const query = useQuery({ queryKey: ['roles'], queryFn: () => call('listRoles') })
  const [editing, setEditing] = useState<Role | 'new'>()
  const [retiring, setRetiring] = useState<Role>()
  return (
    <>
      {mayWrite && (
        <div className="tm-toolbar">
          <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setEditing('new')}>
            {t.role.make}
          </Button>
        </div>
      )}
      <Loaded query={query}>
        {({ items }) => (
          <div className="tm-grid">
            {items.map(role => (
              <Card
                key={role.name}
                className="tm-6"
                title={roleName(role.name)}
                lead={role.description}
                aside={
                  role.builtIn ? (
                    <StateBadge tone="info">{t.builtIn}</StateBadge>
                  ) : (
                    mayWrite && (
                      <span className="tm-actions">
                        <Button
                          size="xs"
                          variant="default"
                          aria-label={t.role.editNamed(role.name)}
                          onClick={() => setEditing(role)}
                        >
                          {t.role.edit}
                        </Button>
                        <Button
                          size="xs"
                          variant="default"
                          aria-label={t.role.retireTitle(role.name)}
                          onClick={() => setRetiring(role)}
                        >
                          {t.role.retire}
                        </Button>
                      </span>
                    )
                  )
                }
              >
                <div className="tm-chips">
                  {role.permissions.map(permission => (
                    <code key={permission} className="tm-tag">
                      {permission}
                    </code>
                  ))}
                </div>
              </Card>
            ))}
          </div>
        )}
      </Loaded>
      {editing && <EditRole role={editing === 'new' ? undefined : editing} onClose={() => setEditing(undefined)} />}
      {retiring && (
        <Confirm
          opened
          title={t.role.retireTitle(retiring.name)}
          effects={t.role.retireEffects}
          act={t.role.retire}
          tone="destructive"
          done={result => texts.guarded[(result as { outcome: 'done' | 'waiting' }).outcome]}
          onClose={() => setRetiring(undefined)}
          run={() => saveRole(retiring.name, { ...retiring, retired: true }, false)}
        />
      )}
    </>
  )
}

async function saveRole(
  name: string,
  { description, permissions, retired }: Pick<Role, 'description' | 'permissions'> & { readonly retired: boolean },
  isNew: boolean,
) {
  const version = isNew ? ('new' as const) : (await callVersioned('showRole', { params: { name } })).version
  return call('putRole', { params: { name }, version, body: { description, permissions, retired } })
}

function EditRole({ role, onClose }: { readonly role: Role | undefined; readonly onClose: () => void }) {
  const [name, setName] = useState(role?.name ?? '')
  const [description, setDescription] = useState(role?.description ?? '')
  const [permissions, setPermissions] = useState<readonly string[]>(role?.permissions ?? [])
  return (
    <FormDialog
      title={role ? t.role.editNamed(role.name) : t.role.make}
      act={t.role.save}
      size="xl"
      ready={permissions.length > 0}
      onClose={onClose}
      run={async () => {
        const body = {
          description: description.trim(),
          permissions: permissions as Role['permissions'],
          retired: false,
        }
        return texts.guarded[(await saveRole(name.trim(), body, role === undefined)).outcome]
      }}
    >
      <div className="tm-form-row">
        <TextInput
          label={t.name}
          description={t.role.nameHelp}
          required
          withAsterisk={false}
          pattern="[a-z0-9][a-z0-9._\-]*"
          maxLength={64}
          readOnly={role !== undefined}
          value={name}
          onChange={event => setName(event.currentTarget.value)}
        />
        <TextInput
          label={t.role.description}
          description={t.role.descriptionHelp}
          maxLength={500}
          value={description}
          onChange={event => setDescription(event.currentTarget.value)}
        />
      </div>
      <PermissionPicker value={permissions} onChange={setPermissions} />
      <p className="tm-dim tm-plain">{t.role.help}</p>
    </FormDialog>
  )
}
