// The sign-in page: a passkey first; with a password the code of the second factor is always asked for.
import { Button, PasswordInput, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { call } from '../api/client.ts'
import { isPasskeySupported, signInWithPasskey } from '../api/webauthn.ts'
import { Icon } from '../parts/icon.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { texts } from '../texts/texts.ts'
import { DoorCard } from './door-card.tsx'

const t = texts.signIn

export function SignIn({ onDone }: { readonly onDone: () => void }) {
  const [busy, setBusy] = useState<'passkey' | 'password'>()
  const [thrown, setThrown] = useState<unknown>()
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')

  const attempt = async (how: 'passkey' | 'password', act: () => Promise<unknown>) => {
    setBusy(how)
    setThrown(undefined)
    try {
      await act()
      onDone()
    } catch (caught) {
      // Giving up in the browser's own dialogue is no failure.
      if (!(caught instanceof DOMException)) setThrown(caught)
      else setThrown(new Error(t.passkeyFailed))
    } finally {
      setBusy(undefined)
    }
  }
  const ways = useQuery({ queryKey: ['ways'], queryFn: () => call('showWaysToSignIn'), retry: false })
  const oidc = ways.data?.oidc
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void attempt('password', () => call('signInWithPassword', { body: { email, password, code } }))
  }

  return (
    <DoorCard title={t.title} lead={t.lead}>
      {isPasskeySupported() && (
        <Button
          fullWidth
          size="md"
          leftSection={<Icon name="key" />}
          loading={busy === 'passkey'}
          onClick={() => void attempt('passkey', signInWithPasskey)}
        >
          {t.passkey}
        </Button>
      )}
      {oidc && (
        <Button
          component="a"
          href="/api/v1/session/oidc/start"
          variant="default"
          fullWidth
          size="md"
          mt="sm"
          leftSection={<Icon name="link" />}
        >
          {t.oidc(oidc.name)}
        </Button>
      )}
      <div className="tm-or">{t.or}</div>
      <form className="tm-form" onSubmit={submit}>
        <TextInput
          label={t.email}
          type="email"
          autoComplete="username"
          required
          withAsterisk={false}
          value={email}
          onChange={event => setEmail(event.currentTarget.value)}
        />
        <PasswordInput
          label={t.password}
          autoComplete="current-password"
          required
          withAsterisk={false}
          value={password}
          onChange={event => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ 'aria-label': t.show, tabIndex: 0 }}
        />
        <TextInput
          label={t.code}
          description={t.codeHelp}
          inputMode="numeric"
          autoComplete="one-time-code"
          required
          withAsterisk={false}
          maxLength={6}
          value={code}
          onChange={event => setCode(event.currentTarget.value)}
        />
        {thrown !== undefined && <ProblemPanel thrown={thrown} />}
        <Button type="submit" variant="default" loading={busy === 'password'}>
          {t.withPassword}
        </Button>
      </form>
      <p className="tm-dim tm-small">{t.lost}</p>
    </DoorCard>
  )
}
