// A sign-in link: the first administrator says who they are, everybody else is known. Then a passkey is offered, so that the link is the last.
import { Button, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { call } from '../api/client.ts'
import { isPasskeySupported, registerPasskey } from '../api/webauthn.ts'
import { Icon } from '../parts/icon.tsx'
import { Skeleton } from '../parts/loading.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { texts } from '../texts/texts.ts'
import { navigate } from './address.tsx'
import { DoorCard } from './door-card.tsx'

const t = texts.link

export function LinkSignIn({ secret, onDone }: { readonly secret: string; readonly onDone: () => void }) {
  const look = useQuery({
    queryKey: ['link'],
    queryFn: () => call('lookAtLink', { body: { secret } }),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  })
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [entered, setEntered] = useState(false)
  const [busy, setBusy] = useState(false)
  const [thrown, setThrown] = useState<unknown>()

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setThrown(undefined)
    try {
      const who = look.data?.first ? { name: name.trim(), email: email.trim() } : {}
      await call('signInWithLink', { body: { secret, ...who } })
      setEntered(true)
    } catch (caught) {
      setThrown(caught)
    } finally {
      setBusy(false)
    }
  }

  if (entered) return <OfferPasskey onDone={onDone} />
  if (look.isError) {
    return (
      <DoorCard title={t.bad} lead={t.badLead}>
        <ProblemPanel thrown={look.error} />
        <Button variant="default" fullWidth onClick={onDone}>
          {t.toSignIn}
        </Button>
      </DoorCard>
    )
  }
  if (!look.data) {
    return (
      <DoorCard title={t.title} lead={t.looking}>
        <Skeleton lines={3} />
      </DoorCard>
    )
  }
  const { first } = look.data
  return (
    <DoorCard title={first ? t.first : t.welcome(look.data.name)} lead={first ? t.firstLead : t.welcomeLead}>
      <form className="tm-form" onSubmit={event => void submit(event)}>
        {first && (
          <>
            <TextInput
              label={t.name}
              autoComplete="name"
              required
              withAsterisk={false}
              maxLength={100}
              value={name}
              onChange={event => setName(event.currentTarget.value)}
              data-autofocus
            />
            <TextInput
              label={t.email}
              description={t.emailHelp}
              type="email"
              autoComplete="email"
              required
              withAsterisk={false}
              value={email}
              onChange={event => setEmail(event.currentTarget.value)}
            />
          </>
        )}
        {thrown !== undefined && <ProblemPanel thrown={thrown} />}
        <Button type="submit" size="md" loading={busy}>
          {first ? t.make : t.enter}
        </Button>
      </form>
    </DoorCard>
  )
}

function OfferPasskey({ onDone }: { readonly onDone: () => void }) {
  const [busy, setBusy] = useState(false)
  const [thrown, setThrown] = useState<unknown>()
  const make = async () => {
    setBusy(true)
    setThrown(undefined)
    try {
      await registerPasskey(t.firstPasskey)
      onDone()
    } catch (caught) {
      setThrown(caught instanceof DOMException ? new Error(t.passkeyFailed) : caught)
    } finally {
      setBusy(false)
    }
  }
  return (
    <DoorCard title={t.passkey} lead={t.passkeyLead}>
      <div className="tm-form">
        {thrown !== undefined && <ProblemPanel thrown={thrown} />}
        {isPasskeySupported() && (
          <Button size="md" leftSection={<Icon name="key" />} loading={busy} onClick={() => void make()}>
            {t.makePasskey}
          </Button>
        )}
        <Button
          variant="default"
          onClick={() => {
            navigate('/account')
            onDone()
          }}
        >
          {t.password}
        </Button>
        <Button variant="subtle" onClick={onDone}>
          {t.later}
        </Button>
      </div>
    </DoorCard>
  )
}
