// One-time tokens of a device: made here, shown once, withdrawn before they are used.
import { Button, Select } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { call } from '../api/client.ts'
import type { DeviceDetail } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { Commands } from '../parts/copyable.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { useAct } from '../parts/use-act.ts'
import { texts } from '../texts/texts.ts'

const t = texts.device.tokens
const HOUR = 3600
const LIFETIMES = [1, 24, 7 * 24, 30 * 24] as const

export function DeviceTokens({ detail }: { readonly detail: DeviceDetail }) {
  const { permissions } = useSession()
  const { id, state } = detail.device
  const act = useAct()
  const [making, setMaking] = useState(false)
  const [secret, setSecret] = useState<string>()
  const tokens = useQuery({
    queryKey: ['tokens', id],
    queryFn: () => call('listTokens', { query: { device: id } }),
  })
  const mayWrite = permissions.has('token.write') && !['suspended', 'retired', 'destroyed'].includes(state)
  return (
    <Card
      title={t.title}
      lead={t.lead}
      aside={
        mayWrite && (
          <Button size="xs" variant="default" aria-expanded={making} onClick={() => setMaking(!making)}>
            {t.make}
          </Button>
        )
      }
    >
      {secret && (
        <div className="tm-once">
          <p className="tm-plain">{t.once}</p>
          <Commands wrap text={secret} label={t.secret} />
        </div>
      )}
      {making && (
        <Make
          detail={detail}
          onMade={made => {
            setSecret(made)
            setMaking(false)
          }}
        />
      )}
      <Loaded query={tokens} lines={2}>
        {({ items }) => (
          <ul className="tm-plain-list">
            {items.map(token => (
              <li key={token.id}>
                <Icon name="key" />
                <span className="tm-grow">
                  <strong>{token.profile}</strong>
                  <span className="tm-dim tm-small">
                    {t.made} <Moment at={token.createdAt} />, {t.ends} <Moment at={token.expiresAt} />
                  </span>
                </span>
                {mayWrite && (
                  <Button
                    size="xs"
                    variant="default"
                    aria-label={t.cancelNamed(token.profile)}
                    onClick={() => void act(() => call('cancelToken', { params: { id: token.id } }), t.cancelled)}
                  >
                    {t.cancel}
                  </Button>
                )}
              </li>
            ))}
            {items.length === 0 && <li className="tm-dim">{t.none}</li>}
          </ul>
        )}
      </Loaded>
    </Card>
  )
}

interface MakeProps {
  readonly detail: DeviceDetail
  readonly onMade: (secret: string) => void
}

function Make({ detail, onMade }: MakeProps) {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const profiles = useQuery({
    queryKey: ['profiles'],
    queryFn: () => call('listProfiles'),
    enabled: permissions.has('profile.read'),
  })
  const [profile, setProfile] = useState('ldevid')
  const [hours, setHours] = useState('24')
  const [thrown, setThrown] = useState<unknown>()
  const names = (profiles.data?.items ?? [])
    .filter(({ document }) => document['holder'] === 'device')
    .map(({ name }) => name)
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setThrown(undefined)
    const { model, serialNumber } = detail.device
    try {
      const made = await call('createToken', {
        body: { model, serialNumber, profile, lifetimeSeconds: Number(hours) * HOUR },
      })
      onMade(made.secret)
    } catch (caught) {
      setThrown(caught)
    }
    await queries.invalidateQueries()
  }
  return (
    <form className="tm-form tm-panel" onSubmit={event => void submit(event)}>
      <div className="tm-form-row">
        <Select
          label={t.profile}
          data={names.length > 0 ? names : ['ldevid']}
          value={profile}
          onChange={value => value && setProfile(value)}
          allowDeselect={false}
        />
        <Select
          label={t.lifetime}
          data={LIFETIMES.map(each => ({ value: String(each), label: t.hours(each) }))}
          value={hours}
          onChange={value => value && setHours(value)}
          allowDeselect={false}
        />
      </div>
      {thrown !== undefined && <ProblemPanel thrown={thrown} />}
      <div>
        <Button type="submit">{t.make}</Button>
      </div>
    </form>
  )
}
