// Roles with where they hold: everywhere, or narrowed to an owner, to models, to sites.
import { ActionIcon, Button, Select, TagsInput, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { call } from '../api/client.ts'
import type { Operator } from '../api/schema.ts'
import { Icon } from '../parts/icon.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.operators

export type RoleGrant = Operator['roles'][number]
type Scope = RoleGrant['scope']

export function roleName(name: string): string {
  return t.roleNames[name as keyof typeof t.roleNames] ?? name
}

export function scopeText({ owner, models, sites }: Scope): string {
  const parts = [owner && `${texts.devices.fields.owner} ${owner}`, models?.join(', '), sites?.join(', ')].filter(
    Boolean,
  )
  return parts.length === 0 ? t.everywhere : parts.join(' · ')
}

export interface RoleGrantsProps {
  readonly label: string
  readonly value: readonly RoleGrant[]
  readonly onChange: (value: readonly RoleGrant[]) => void
}

export function RoleGrants({ label, value, onChange }: RoleGrantsProps) {
  const roles = useQuery({ queryKey: ['roles'], queryFn: () => call('listRoles') })
  const names = (roles.data?.items ?? []).map(({ name }) => ({ value: name, label: roleName(name) }))
  const set = (at: number, grant: RoleGrant) => onChange(value.map((each, i) => (i === at ? grant : each)))
  const narrow = (at: number, grant: RoleGrant, part: Scope) => {
    const scope = Object.fromEntries(
      Object.entries({ ...grant.scope, ...part }).filter(([, given]) => given !== undefined && given.length > 0),
    )
    set(at, { role: grant.role, scope })
  }
  return (
    <fieldset className="tm-fieldset tm-form">
      <legend>{label}</legend>
      {value.map((grant, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a grant is its place in the list
        <div key={at} className="tm-grant">
          <Select
            aria-label={t.grants.role}
            data={names}
            value={grant.role}
            onChange={role => role && set(at, { ...grant, role })}
            allowDeselect={false}
          />
          <TextInput
            aria-label={t.grants.owner}
            placeholder={t.grants.anyOwner}
            maxLength={256}
            value={grant.scope.owner ?? ''}
            onChange={event => narrow(at, grant, { owner: event.currentTarget.value })}
          />
          <TagsInput
            aria-label={t.grants.models}
            placeholder={grant.scope.models?.length ? '' : t.grants.anyModel}
            value={[...(grant.scope.models ?? [])]}
            onChange={models => narrow(at, grant, { models })}
          />
          <TagsInput
            aria-label={t.grants.sites}
            placeholder={grant.scope.sites?.length ? '' : t.grants.anySite}
            value={[...(grant.scope.sites ?? [])]}
            onChange={sites => narrow(at, grant, { sites })}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t.grants.remove(roleName(grant.role))}
            onClick={() => onChange(value.filter((_, i) => i !== at))}
          >
            <Icon name="close" size={14} />
          </ActionIcon>
        </div>
      ))}
      {value.length === 0 && <p className="tm-dim tm-plain">{t.grants.none}</p>}
      <div>
        <Button
          size="xs"
          variant="default"
          leftSection={<Icon name="plus" size={14} />}
          onClick={() => onChange([...value, { role: names[0]?.value ?? 'auditor', scope: {} }])}
        >
          {t.grants.add}
        </Button>
      </div>
    </fieldset>
  )
}
