// Who may do what: operators with their roles, the roles with their permissions, and what needs a second person.
import { Button, MultiSelect, Tabs, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { call } from '../api/client.ts'
import type { Operator } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card, Facts } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { Commands } from '../parts/copyable.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { useSearch } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.operators

export function Operators() {
  const { permissions } = useSession()
  const [search, change] = useSearch()
  const tab = search.get('tab') === 'roles' || search.get('tab') === 'four-eyes' ? search.get('tab')! : 'operators'
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.operators} lead={t.lead} />
      <Tabs
        value={tab}
        onChange={value => change({ tab: value === 'operators' ? undefined : (value ?? undefined) })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="operators">{t.tabs.operators}</Tabs.Tab>
          <Tabs.Tab value="roles">{t.tabs.roles}</Tabs.Tab>
          <Tabs.Tab value="four-eyes">{t.tabs.fourEyes}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="operators">
          <People mayAdd={permissions.has('operator.write')} />
        </Tabs.Panel>
        <Tabs.Panel value="roles">
          <Roles />
        </Tabs.Panel>
        <Tabs.Panel value="four-eyes">
          <FourEyes />
        </Tabs.Panel>
      </Tabs>
    </div>
  )
}

function People({ mayAdd }: { readonly mayAdd: boolean }) {
  const queries = useQueryClient()
  const query = useQuery({
    queryKey: ['operators'],
    queryFn: () => call('listOperators', { query: { limit: 200 } }),
  })
  const [removing, setRemoving] = useState<Operator>()
  const [link, setLink] = useState<string>()
  const address = link && `${window.location.origin}/#link=${link}`
  return (
    <div className="tm-grid">
      <div className={mayAdd ? 'tm-8 tm-stack' : 'tm-12 tm-stack'}>
        <Card flush title={t.people}>
          <Loaded query={query}>
            {({ items }) => (
              <table className="tm-table">
                <thead>
                  <tr>
                    <th>{t.name}</th>
                    <th>{t.roles}</th>
                    <th>{t.ways}</th>
                    <th>{t.since}</th>
                    <th>
                      <span className="tm-hidden">{t.acts}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {items.map(operator => (
                    <tr key={operator.id}>
                      <td>
                        <strong>{operator.name || t.erased}</strong>
                        <div className="tm-dim tm-small">{operator.email ?? operator.id}</div>
                      </td>
                      <td>
                        {operator.state === 'removed' ? (
                          <StateBadge tone="idle">{t.removed}</StateBadge>
                        ) : (
                          operator.roles.map(({ role, scope }) => (
                            <div key={role + JSON.stringify(scope)}>
                              {t.roleNames[role as keyof typeof t.roleNames] ?? role}
                              <span className="tm-dim tm-small"> {scopeText(scope)}</span>
                            </div>
                          ))
                        )}
                        {operator.state === 'active' && operator.roles.length === 0 && (
                          <span className="tm-dim">{t.noRole}</span>
                        )}
                      </td>
                      <td className="tm-small">
                        {[operator.hasPassword && t.password, operator.hasTotp && t.code]
                          .filter(Boolean)
                          .join(', ') || <span className="tm-dim">{t.passkeyOrLink}</span>}
                      </td>
                      <td>
                        <Moment at={operator.createdAt} />
                      </td>
                      <td className="tm-right tm-nowrap">
                        {mayAdd && operator.state === 'active' && (
                          <span className="tm-actions">
                            <Button
                              size="xs"
                              variant="default"
                              onClick={() =>
                                void call('createSignInLink', { params: { id: operator.id } }).then(made =>
                                  setLink(made.linkSecret),
                                )
                              }
                            >
                              {t.link}
                            </Button>
                            <Button size="xs" variant="default" onClick={() => setRemoving(operator)}>
                              {t.remove}
                            </Button>
                          </span>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
          </Loaded>
        </Card>
      </div>
      {mayAdd && (
        <div className="tm-4 tm-stack">
          <AddOperator onLink={setLink} />
          {address && (
            <Card title={t.linkTitle} lead={t.linkLead}>
              <Commands text={address} label={t.linkTitle} />
            </Card>
          )}
        </div>
      )}
      {removing && (
        <Confirm
          opened
          title={t.removeTitle(removing.name)}
          effects={t.removeEffects}
          act={t.remove}
          tone="destructive"
          done={t.removedDone(removing.name)}
          onClose={() => setRemoving(undefined)}
          run={async () => {
            await call('removeOperator', { params: { id: removing.id } })
            await queries.invalidateQueries()
          }}
        />
      )}
    </div>
  )
}

function scopeText({ owner, models, sites }: Operator['roles'][number]['scope']): string {
  const parts = [owner && `${texts.devices.fields.owner} ${owner}`, models?.join(', '), sites?.join(', ')].filter(
    Boolean,
  )
  return parts.length === 0 ? t.everywhere : parts.join(' · ')
}

function AddOperator({ onLink }: { readonly onLink: (secret: string) => void }) {
  const queries = useQueryClient()
  const roles = useQuery({ queryKey: ['roles'], queryFn: () => call('listRoles') })
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [chosen, setChosen] = useState<string[]>([])
  const [busy, setBusy] = useState(false)
  const [thrown, setThrown] = useState<unknown>()
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setThrown(undefined)
    try {
      const made = await call('addOperator', {
        body: { name: name.trim(), email: email.trim(), roles: chosen.map(role => ({ role })) },
      })
      onLink(made.linkSecret)
      setName('')
      setEmail('')
      setChosen([])
    } catch (caught) {
      setThrown(caught)
    } finally {
      setBusy(false)
      await queries.invalidateQueries()
    }
  }
  return (
    <Card title={t.add} lead={t.addLead}>
      <form className="tm-form" onSubmit={event => void submit(event)}>
        <TextInput
          label={t.name}
          required
          withAsterisk={false}
          maxLength={100}
          value={name}
          onChange={event => setName(event.currentTarget.value)}
        />
        <TextInput
          label={t.email}
          type="email"
          required
          withAsterisk={false}
          value={email}
          onChange={event => setEmail(event.currentTarget.value)}
        />
        <MultiSelect
          label={t.roles}
          data={(roles.data?.items ?? []).map(role => ({
            value: role.name,
            label: t.roleNames[role.name as keyof typeof t.roleNames] ?? role.name,
          }))}
          value={chosen}
          onChange={setChosen}
        />
        {thrown !== undefined && <ProblemPanel thrown={thrown} />}
        <Button type="submit" loading={busy}>
          {t.addAct}
        </Button>
      </form>
    </Card>
  )
}

function Roles() {
  const query = useQuery({ queryKey: ['roles'], queryFn: () => call('listRoles') })
  return (
    <Loaded query={query}>
      {({ items }) => (
        <div className="tm-grid">
          {items.map(role => (
            <Card
              key={role.name}
              className="tm-6"
              title={t.roleNames[role.name as keyof typeof t.roleNames] ?? role.name}
              lead={role.description}
              aside={
                <StateBadge tone={role.builtIn ? 'info' : 'idle'}>{role.builtIn ? t.builtIn : t.custom}</StateBadge>
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
  )
}

function FourEyes() {
  const query = useQuery({ queryKey: ['access-settings'], queryFn: () => call('showAccessSettings'), retry: false })
  return (
    <Card title={t.fourEyes.title} lead={t.fourEyes.lead}>
      <Loaded query={query}>
        {({ fourEyes }) =>
          fourEyes.acts.length === 0 ? (
            <EmptyState icon="operators" title={t.fourEyes.none} />
          ) : (
            <Facts
              rows={[
                [t.fourEyes.acts, fourEyes.acts.map(act => <div key={act}>{t.fourEyes.names[act]}</div>)],
                [t.fourEyes.quorum, texts.number(fourEyes.quorum)],
                [t.fourEyes.when, t.fourEyes.whens[fourEyes.when]],
                [t.fourEyes.expiry, t.fourEyes.hours(fourEyes.expirySeconds / 3600)],
                [t.fourEyes.many, texts.number(fourEyes.revokeManyAbove)],
              ]}
            />
          )
        }
      </Loaded>
    </Card>
  )
}
