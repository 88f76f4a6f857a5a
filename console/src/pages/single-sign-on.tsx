// The OpenID provider by which operators sign in, and which of its groups gives which roles.
import { Button, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/client.ts'
import type { AccessSettings } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card, Facts } from '../parts/card.tsx'
import { Identifier } from '../parts/copyable.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { useSubmit } from '../parts/use-submit.ts'
import { texts } from '../texts/texts.ts'
import { accessSettingsQuery } from './four-eyes.tsx'
import { type RoleGrant, RoleGrants } from './role-grants.tsx'

const t = texts.operators.oidc

type Oidc = NonNullable<AccessSettings['oidc']>
interface Group {
  readonly name: string
  readonly roles: readonly RoleGrant[]
}

const EMPTY: Oidc = {
  name: '',
  issuer: '',
  clientId: '',
  scope: 'openid profile email',
  groupsClaim: 'groups',
  roles: {},
}

export function SingleSignOn() {
  const { permissions } = useSession()
  const query = useQuery(accessSettingsQuery)
  const [making, setMaking] = useState(false)
  const may = permissions.has('role.write')
  return (
    <div className="tm-grid">
      <Card className="tm-8" title={t.title} lead={t.lead}>
        <Loaded query={query}>
          {({ value, version }) =>
            value.oidc || making ? (
              <Form key={version} settings={value} version={version} may={may} />
            ) : (
              <EmptyState
                icon="key"
                title={t.none}
                action={may && <Button onClick={() => setMaking(true)}>{t.make}</Button>}
              >
                {t.noneHelp}
              </EmptyState>
            )
          }
        </Loaded>
      </Card>
      <Card className="tm-4" title={t.provider} lead={t.providerLead}>
        <Facts
          rows={[
            [
              t.redirect,
              <Identifier key="r" text={`${window.location.origin}/api/v1/session/oidc/callback`} label={t.redirect} />,
            ],
            [t.flow, t.flowText],
            [t.secret, t.secretText],
          ]}
        />
      </Card>
    </div>
  )
}

interface FormProps {
  readonly settings: AccessSettings
  readonly version: number
  readonly may: boolean
}

function Form({ settings, version, may }: FormProps) {
  const [oidc, setOidc] = useState(settings.oidc ?? EMPTY)
  const [groups, setGroups] = useState<readonly Group[]>(
    Object.entries(oidc.roles).map(([name, roles]) => ({ name, roles })),
  )
  const [off, setOff] = useState(false)
  const { busy, thrown, submit } = useSubmit(async () => {
    const roles = Object.fromEntries(groups.map(group => [group.name.trim(), group.roles]))
    const body = { ...settings, oidc: off ? null : { ...oidc, roles } }
    return texts.guarded[(await call('setAccessSettings', { version, body })).outcome]
  })
  const field = (name: 'name' | 'issuer' | 'clientId' | 'scope' | 'groupsClaim', required = true) => (
    <TextInput
      label={t.fields[name]}
      description={t.help[name]}
      required={required}
      withAsterisk={false}
      readOnly={!may}
      maxLength={500}
      value={oidc[name]}
      onChange={event => setOidc({ ...oidc, [name]: event.currentTarget.value })}
    />
  )
  const setGroup = (at: number, group: Group) => setGroups(groups.map((each, i) => (i === at ? group : each)))
  return (
    <form className="tm-form" onSubmit={submit}>
      <div className="tm-form-row">
        {field('name')}
        {field('clientId')}
      </div>
      {field('issuer')}
      <div className="tm-form-row">
        {field('scope')}
        {field('groupsClaim')}
      </div>
      <h3 className="tm-subhead">{t.groups}</h3>
      <p className="tm-dim tm-plain">{t.groupsLead}</p>
      {groups.map((group, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a group is its place in the list while its name is typed
        <div key={at} className="tm-panel tm-form">
          <div className="tm-inline-form">
            <TextInput
              label={t.group}
              required
              withAsterisk={false}
              maxLength={256}
              readOnly={!may}
              value={group.name}
              onChange={event => setGroup(at, { ...group, name: event.currentTarget.value })}
            />
            {may && (
              <Button variant="default" onClick={() => setGroups(groups.filter((_, i) => i !== at))}>
                {texts.account.remove}
              </Button>
            )}
          </div>
          <RoleGrants label={t.gives} value={group.roles} onChange={roles => setGroup(at, { ...group, roles })} />
        </div>
      ))}
      {may && (
        <div>
          <Button
            size="xs"
            variant="default"
            leftSection={<Icon name="plus" size={14} />}
            onClick={() => setGroups([...groups, { name: '', roles: [] }])}
          >
            {t.addGroup}
          </Button>
        </div>
      )}
      {thrown !== undefined && <ProblemPanel thrown={thrown} />}
      {may && (
        <div className="tm-actions">
          <Button type="submit" loading={busy && !off} onClick={() => setOff(false)}>
            {texts.editor.save}
          </Button>
          {settings.oidc && (
            <Button
              type="submit"
              variant="light"
              color="red"
              formNoValidate
              loading={busy && off}
              onClick={() => setOff(true)}
            >
              {t.remove}
            </Button>
          )}
        </div>
      )}
    </form>
  )
}
