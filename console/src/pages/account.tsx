// What is one's own: the ways to sign in, the sessions that are open, the API tokens that one made.
import { Button, PasswordInput, Select, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { call } from '../api/client.ts'
import { useSession } from '../api/session.ts'
import { isPasskeySupported, registerPasskey } from '../api/webauthn.ts'
import { Card } from '../parts/card.tsx'
import { Commands, Identifier } from '../parts/copyable.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { PermissionPicker } from '../parts/permission-picker.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { QrPicture } from '../parts/qr-picture.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { complain } from '../parts/toasts.tsx'
import { useAct } from '../parts/use-act.ts'
import { texts } from '../texts/texts.ts'

const t = texts.account

export function Account() {
  const session = useSession()
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.account} lead={t.lead(session.name)} />
      <div className="tm-grid">
        <div className="tm-6 tm-stack">
          <Passkeys />
          <PasswordAndCode />
        </div>
        <div className="tm-6 tm-stack">
          <Sessions />
          {session.permissions.has('api_token.write') && <ApiTokens />}
        </div>
      </div>
    </div>
  )
}

function Passkeys() {
  const act = useAct()
  const passkeys = useQuery({ queryKey: ['passkeys'], queryFn: () => call('listPasskeys') })
  const [name, setName] = useState('')
  return (
    <Card title={t.passkeys.title} lead={t.passkeys.lead}>
      <Loaded query={passkeys} lines={2}>
        {({ items }) => (
          <ul className="tm-plain-list">
            {items.map(passkey => (
              <li key={passkey.id}>
                <Icon name="key" />
                <span className="tm-grow">
                  <strong>{passkey.name}</strong>
                  <span className="tm-dim tm-small">
                    {t.passkeys.made} <Moment at={passkey.createdAt} />
                    {passkey.lastUsedAt && (
                      <>
                        , {t.passkeys.used} <Moment at={passkey.lastUsedAt} />
                      </>
                    )}
                  </span>
                </span>
                <Button
                  size="xs"
                  variant="default"
                  aria-label={t.passkeys.remove(passkey.name)}
                  onClick={() =>
                    void act(() => call('removePasskey', { params: { passkey: passkey.id } }), t.passkeys.removed)
                  }
                >
                  {t.remove}
                </Button>
              </li>
            ))}
            {items.length === 0 && <li className="tm-dim">{t.passkeys.none}</li>}
          </ul>
        )}
      </Loaded>
      {isPasskeySupported() && (
        <form
          className="tm-inline-form"
          onSubmit={event => {
            event.preventDefault()
            void act(() => registerPasskey(name.trim()), t.passkeys.added)
          }}
        >
          <TextInput
            label={t.passkeys.name}
            placeholder={t.passkeys.nameExample}
            required
            withAsterisk={false}
            maxLength={60}
            value={name}
            onChange={event => setName(event.currentTarget.value)}
          />
          <Button type="submit">{t.passkeys.add}</Button>
        </form>
      )}
    </Card>
  )
}

function PasswordAndCode() {
  const act = useAct()
  const account = useQuery({ queryKey: ['account'], queryFn: () => call('showAccount') })
  const [password, setPassword] = useState('')
  const [offer, setOffer] = useState<{ uri: string; secret: string; ticket: string }>()
  const [code, setCode] = useState('')
  return (
    <Card title={t.password.title} lead={t.password.lead}>
      <Loaded query={account} lines={3}>
        {({ hasPassword, hasTotp }) => (
          <>
            <p className="tm-plain">
              <StateBadge tone={hasPassword ? 'ok' : 'idle'}>
                {hasPassword ? t.password.set : t.password.unset}
              </StateBadge>{' '}
              <StateBadge tone={hasTotp ? 'ok' : 'idle'}>{hasTotp ? t.code.set : t.code.unset}</StateBadge>
            </p>
            <form
              className="tm-inline-form"
              onSubmit={(event: FormEvent) => {
                event.preventDefault()
                void act(() => call('setPassword', { body: { password } }), t.password.done).then(() => setPassword(''))
              }}
            >
              <PasswordInput
                label={t.password.new}
                autoComplete="new-password"
                required
                withAsterisk={false}
                value={password}
                onChange={event => setPassword(event.currentTarget.value)}
                visibilityToggleButtonProps={{ 'aria-label': texts.signIn.show, tabIndex: 0 }}
              />
              <Button type="submit" variant="default">
                {t.password.save}
              </Button>
            </form>
            {offer ? (
              <form
                className="tm-form tm-gap-top"
                onSubmit={(event: FormEvent) => {
                  event.preventDefault()
                  void act(() => call('setTotp', { body: { ticket: offer.ticket, code } }), t.code.done).then(() =>
                    setOffer(undefined),
                  )
                }}
              >
                <div className="tm-qr-row">
                  <QrPicture text={offer.uri} label={t.code.qr} />
                  <div className="tm-form">
                    <p className="tm-plain">{t.code.how}</p>
                    <Identifier text={offer.secret} label={t.code.secret} />
                    <a href={offer.uri}>{t.code.open}</a>
                  </div>
                </div>
                <div className="tm-inline-form">
                  <TextInput
                    label={t.code.code}
                    inputMode="numeric"
                    autoComplete="one-time-code"
                    maxLength={6}
                    required
                    withAsterisk={false}
                    value={code}
                    onChange={event => setCode(event.currentTarget.value)}
                  />
                  <Button type="submit">{t.code.save}</Button>
                </div>
              </form>
            ) : (
              <Button variant="default" mt="md" onClick={() => void call('offerTotp').then(setOffer, complain)}>
                {hasTotp ? t.code.renew : t.code.start}
              </Button>
            )}
          </>
        )}
      </Loaded>
    </Card>
  )
}

function Sessions() {
  const act = useAct()
  const sessions = useQuery({ queryKey: ['own-sessions'], queryFn: () => call('listOwnSessions') })
  return (
    <Card
      title={t.sessions.title}
      lead={t.sessions.lead}
      aside={
        <Button size="xs" variant="default" onClick={() => void act(() => call('endOtherSessions'), t.sessions.ended)}>
          {t.sessions.endOthers}
        </Button>
      }
    >
      <Loaded query={sessions} lines={2}>
        {({ items }) => (
          <ul className="tm-plain-list">
            {items.map(session => (
              <li key={session.id}>
                <Icon name="person" />
                <span className="tm-grow">
                  <strong>{session.address}</strong>{' '}
                  {session.current && <StateBadge tone="ok">{t.sessions.this}</StateBadge>}
                  <span className="tm-dim tm-small tm-clip" title={session.agent}>
                    {texts.methods[session.method]}, {t.sessions.seen} <Moment at={session.seenAt} /> · {session.agent}
                  </span>
                </span>
                {!session.current && (
                  <Button
                    size="xs"
                    variant="default"
                    aria-label={t.sessions.end(session.address)}
                    onClick={() =>
                      void act(() => call('endOwnSession', { params: { session: session.id } }), t.sessions.ended)
                    }
                  >
                    {t.sessions.endThis}
                  </Button>
                )}
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </Card>
  )
}

const LIFETIMES = [30, 90, 365] as const

function ApiTokens() {
  const act = useAct()
  const tokens = useQuery({
    queryKey: ['own-tokens'],
    queryFn: () => call('listOwnApiTokens', { query: { limit: 100 } }),
  })
  const [opened, setOpened] = useState(false)
  const [name, setName] = useState('')
  const [days, setDays] = useState<string>('90')
  const [permissions, setPermissions] = useState<readonly string[]>(['device.read'])
  const [secret, setSecret] = useState<string>()
  const [thrown, setThrown] = useState<unknown>()
  const queries = useQueryClient()
  const make = async (event: FormEvent) => {
    event.preventDefault()
    setThrown(undefined)
    try {
      const made = await call('createApiToken', {
        body: { name: name.trim(), permissions: permissions as never, lifetimeSeconds: Number(days) * 86_400 },
      })
      setSecret(made.secret)
      setOpened(false)
      setName('')
    } catch (caught) {
      setThrown(caught)
    }
    await queries.invalidateQueries({ queryKey: ['own-tokens'] })
  }
  return (
    <Card
      title={t.tokens.title}
      lead={t.tokens.lead}
      aside={
        <Button size="xs" variant="default" onClick={() => setOpened(!opened)} aria-expanded={opened}>
          {t.tokens.make}
        </Button>
      }
    >
      {secret && (
        <div className="tm-once">
          <p className="tm-plain">{t.tokens.once}</p>
          <Commands text={secret} label={t.tokens.secret} />
        </div>
      )}
      {opened && (
        <form className="tm-form tm-panel" onSubmit={event => void make(event)}>
          <div className="tm-form-row">
            <TextInput
              label={t.tokens.name}
              required
              withAsterisk={false}
              maxLength={60}
              value={name}
              onChange={event => setName(event.currentTarget.value)}
            />
            <Select
              label={t.tokens.lifetime}
              data={LIFETIMES.map(each => ({ value: String(each), label: t.tokens.days(each) }))}
              value={days}
              onChange={value => value && setDays(value)}
              allowDeselect={false}
            />
          </div>
          <PermissionPicker value={permissions} onChange={setPermissions} />
          {thrown !== undefined && <ProblemPanel thrown={thrown} />}
          <Button type="submit" disabled={permissions.length === 0}>
            {t.tokens.make}
          </Button>
        </form>
      )}
      <Loaded query={tokens} lines={2}>
        {({ items }) => (
          <ul className="tm-plain-list">
            {items.map(token => (
              <li key={token.id}>
                <Icon name="link" />
                <span className="tm-grow">
                  <strong>{token.name}</strong>
                  <span className="tm-dim tm-small">
                    {t.tokens.may(token.permissions.length)} · {t.tokens.ends} <Moment at={token.expiresAt} />
                  </span>
                </span>
                <Button
                  size="xs"
                  variant="default"
                  aria-label={t.tokens.revoke(token.name)}
                  onClick={() =>
                    void act(() => call('revokeApiToken', { params: { token: token.id } }), t.tokens.revoked)
                  }
                >
                  {t.remove}
                </Button>
              </li>
            ))}
            {items.length === 0 && <li className="tm-dim">{t.tokens.none}</li>}
          </ul>
        )}
      </Loaded>
    </Card>
  )
}
