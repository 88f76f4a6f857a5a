// Operators: admitted with a link, given roles, their sessions seen and ended, and removed.
import { Button, Menu, Modal, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/client.ts'
import type { Operator } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { Commands } from '../parts/copyable.tsx'
import { FormDialog } from '../parts/form-dialog.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { complain } from '../parts/toasts.tsx'
import { useAct } from '../parts/use-act.ts'
import { useSubmit } from '../parts/use-submit.ts'
import { texts } from '../texts/texts.ts'
import { type RoleGrant, RoleGrants, roleName, scopeText } from './role-grants.tsx'

const t = texts.operators

type Opened = { readonly what: 'remove' | 'roles' | 'sessions'; readonly operator: Operator }

export function People() {
  const { permissions } = useSession()
  const mayWrite = permissions.has('operator.write')
  const mayGive = permissions.has('role.write')
  const queries = useQueryClient()
  const query = useQuery({
    queryKey: ['operators'],
    queryFn: () => call('listOperators', { query: { limit: 200 } }),
  })
  const [opened, setOpened] = useState<Opened>()
  const [adding, setAdding] = useState(false)
  const [link, setLink] = useState<{ readonly name: string; readonly secret: string }>()
  const close = () => setOpened(undefined)
  const newLink = (operator: Operator) =>
    call('createSignInLink', { params: { id: operator.id } })
      .then(made => setLink({ name: operator.name, secret: made.linkSecret }))
      .catch(complain)
  return (
    <>
      <Card
        flush
        title={t.people}
        aside={
          mayWrite && (
            <Button size="xs" leftSection={<Icon name="plus" size={14} />} onClick={() => setAdding(true)}>
              {t.add}
            </Button>
          )
        }
      >
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
                      <RolesOf operator={operator} />
                    </td>
                    <td className="tm-small">
                      {[operator.hasPassword && t.password, operator.hasTotp && t.code].filter(Boolean).join(', ') || (
                        <span className="tm-dim">{t.passkeyOrLink}</span>
                      )}
                    </td>
                    <td>
                      <Moment at={operator.createdAt} />
                    </td>
                    <td className="tm-right tm-nowrap">
                      {operator.state === 'active' && (mayWrite || mayGive) && (
                        <Menu position="bottom-end" withArrow>
                          <Menu.Target>
                            <Button
                              size="xs"
                              variant="default"
                              rightSection={<Icon name="down" size={12} />}
                              aria-label={t.actOn(operator.name)}
                            >
                              {texts.acts.menu}
                            </Button>
                          </Menu.Target>
                          <Menu.Dropdown>
                            {mayGive && (
                              <Menu.Item onClick={() => setOpened({ what: 'roles', operator })}>{t.setRoles}</Menu.Item>
                            )}
                            <Menu.Item onClick={() => setOpened({ what: 'sessions', operator })}>
                              {t.sessions}
                            </Menu.Item>
                            {mayWrite && <Menu.Item onClick={() => void newLink(operator)}>{t.link}</Menu.Item>}
                            {mayWrite && (
                              <Menu.Item color="red" onClick={() => setOpened({ what: 'remove', operator })}>
                                {t.remove}…
                              </Menu.Item>
                            )}
                          </Menu.Dropdown>
                        </Menu>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Loaded>
      </Card>
      {adding && <AddOperator onClose={() => setAdding(false)} onLink={setLink} />}
      {link && (
        <Modal opened onClose={() => setLink(undefined)} title={t.linkTitle(link.name)} size="lg" centered>
          <p className="tm-plain">{t.linkLead}</p>
          <div className="tm-once tm-gap-top">
            <Commands wrap text={`${window.location.origin}/#link=${link.secret}`} label={t.linkTitle(link.name)} />
          </div>
        </Modal>
      )}
      {opened?.what === 'roles' && <SetRoles operator={opened.operator} onClose={close} />}
      {opened?.what === 'sessions' && <SessionsOf operator={opened.operator} mayEnd={mayWrite} onClose={close} />}
      {opened?.what === 'remove' && (
        <Confirm
          opened
          title={t.removeTitle(opened.operator.name)}
          effects={t.removeEffects}
          act={t.remove}
          tone="destructive"
          done={t.removedDone(opened.operator.name)}
          onClose={close}
          run={async () => {
            await call('removeOperator', { params: { id: opened.operator.id } })
            await queries.invalidateQueries()
          }}
        />
      )}
    </>
  )
}

function RolesOf({ operator }: { readonly operator: Operator }) {
  if (operator.state === 'removed') return <StateBadge tone="idle">{t.removed}</StateBadge>
  if (operator.roles.length === 0) return <span className="tm-dim">{t.noRole}</span>
  return operator.roles.map(({ role, scope }) => (
    <div key={role + JSON.stringify(scope)}>
      {roleName(role)}
      <span className="tm-dim tm-small"> {scopeText(scope)}</span>
    </div>
  ))
}

interface AddOperatorProps {
  readonly onLink: (link: { readonly name: string; readonly secret: string }) => void
  readonly onClose: () => void
}

function AddOperator({ onLink, onClose }: AddOperatorProps) {
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [roles, setRoles] = useState<readonly RoleGrant[]>([])
  return (
    <FormDialog
      title={t.add}
      act={t.addAct}
      size="xl"
      onClose={onClose}
      run={async () => {
        const made = await call('addOperator', { body: { name: name.trim(), email: email.trim(), roles } })
        onLink({ name: name.trim(), secret: made.linkSecret })
        return made.roles?.outcome === 'waiting' ? t.addedWithoutRoles(name.trim()) : t.added(name.trim())
      }}
    >
      <p className="tm-dim tm-plain">{t.addLead}</p>
      <div className="tm-form-row">
        <TextInput
          label={t.name}
          required
          withAsterisk={false}
          maxLength={100}
          value={name}
          onChange={event => setName(event.currentTarget.value)}
          data-autofocus
        />
        <TextInput
          label={t.email}
          type="email"
          required
          withAsterisk={false}
          maxLength={320}
          value={email}
          onChange={event => setEmail(event.currentTarget.value)}
        />
      </div>
      <RoleGrants label={t.roles} value={roles} onChange={setRoles} />
    </FormDialog>
  )
}

function SetRoles({ operator, onClose }: { readonly operator: Operator; readonly onClose: () => void }) {
  const [roles, setRoles] = useState<readonly RoleGrant[]>(operator.roles)
  return (
    <FormDialog
      title={t.rolesTitle(operator.name)}
      act={t.setRolesAct}
      size="xl"
      onClose={onClose}
      run={async () => {
        const { outcome } = await call('setRoles', {
          params: { id: operator.id },
          version: operator.revision,
          body: { roles },
        })
        return texts.guarded[outcome]
      }}
    >
      <RoleGrants label={t.roles} value={roles} onChange={setRoles} />
      <p className="tm-dim tm-plain">{t.rolesHelp}</p>
    </FormDialog>
  )
}

interface SessionsOfProps {
  readonly operator: Operator
  readonly mayEnd: boolean
  readonly onClose: () => void
}

function SessionsOf({ operator, mayEnd, onClose }: SessionsOfProps) {
  const { id } = operator
  const act = useAct()
  const sessions = useQuery({
    queryKey: ['sessions', id],
    queryFn: () => call('listSessions', { params: { id } }),
  })
  const tokens = useQuery({
    queryKey: ['api-tokens', id],
    queryFn: () => call('listApiTokens', { query: { operator: id, limit: 100 } }),
  })
  const end = useSubmit(async () => {
    const { ended } = await call('endSessions', { params: { id } })
    return t.endedSessions(ended)
  })
  return (
    <Modal opened onClose={onClose} title={t.sessionsTitle(operator.name)} size="lg" centered>
      <h3 className="tm-subhead">{texts.account.sessions.title}</h3>
      <Loaded query={sessions} lines={2}>
        {({ items }) => (
          <ul className="tm-plain-list">
            {items.map(session => (
              <li key={session.id}>
                <Icon name="person" />
                <span className="tm-grow">
                  <strong>{session.address}</strong>
                  <span className="tm-dim tm-small tm-clip" title={session.agent}>
                    {texts.methods[session.method]}, {texts.account.sessions.seen} <Moment at={session.seenAt} /> ·{' '}
                    {session.agent}
                  </span>
                </span>
              </li>
            ))}
            {items.length === 0 && <li className="tm-dim">{t.noSessions}</li>}
          </ul>
        )}
      </Loaded>
      <h3 className="tm-subhead">{texts.account.tokens.title}</h3>
      <Loaded query={tokens} lines={2}>
        {({ items }) => (
          <ul className="tm-plain-list">
            {items
              .filter(({ revokedAt }) => revokedAt === null)
              .map(token => (
                <li key={token.id}>
                  <Icon name="link" />
                  <span className="tm-grow">
                    <strong>{token.name}</strong>
                    <span className="tm-dim tm-small">
                      {texts.account.tokens.may(token.permissions.length)}, {scopeText(token.scope)} ·{' '}
                      {texts.account.tokens.ends} <Moment at={token.expiresAt} />
                    </span>
                  </span>
                  {mayEnd && (
                    <Button
                      size="xs"
                      variant="default"
                      aria-label={texts.account.tokens.revoke(token.name)}
                      onClick={() =>
                        void act(
                          () => call('revokeApiToken', { params: { token: token.id } }),
                          texts.account.tokens.revoked,
                        )
                      }
                    >
                      {texts.account.remove}
                    </Button>
                  )}
                </li>
              ))}
            {items.every(({ revokedAt }) => revokedAt !== null) && (
              <li className="tm-dim">{texts.account.tokens.none}</li>
            )}
          </ul>
        )}
      </Loaded>
      {mayEnd && (
        <form onSubmit={end.submit}>
          {end.thrown !== undefined && <ProblemPanel thrown={end.thrown} />}
          <div className="tm-modal-actions">
            <Button
              type="submit"
              variant="light"
              color="red"
              loading={end.busy}
              disabled={sessions.data?.items.length === 0}
            >
              {t.endSessions}
            </Button>
          </div>
        </form>
      )}
    </Modal>
  )
}
