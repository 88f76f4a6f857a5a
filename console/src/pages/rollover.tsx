// The next generation of an authority beside the old one: what has to happen, in which order, how far it is, and what it changes. Every state on
// this page is read from the instance; the page can be left at any time.
import { Button } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/client.ts'
import type { Authority, Document } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import type { PageProps } from '../pages.ts'
import { Card } from '../parts/card.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { Step, type StepState, Steps } from '../parts/steps.tsx'
import { Link, navigate } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { AUTHORITY_TONES } from './authorities.tsx'
import { baseName, successorsOf } from './authority-names.ts'
import { RetireAuthority } from './retire-authority.tsx'

const t = texts.rollover

export function Rollover({ params }: PageProps) {
  const id = params['id'] ?? ''
  const query = useQuery({ queryKey: ['authorities'], queryFn: () => call('listAuthorities'), refetchInterval: 15_000 })
  return (
    <div className="tm-page">
      <PageHead title={t.title(id)} lead={t.lead} back={{ to: `/authorities/${id}`, label: id }} />
      <Loaded query={query} lines={10}>
        {({ items }) => {
          const old = items.find(each => each.id === id)
          if (!old) return <EmptyState icon="authorities" title={t.unknown(id)} />
          return <Plan old={old} authorities={items} />
        }}
      </Loaded>
    </div>
  )
}

function Plan({ old, authorities }: { readonly old: Authority; readonly authorities: readonly Authority[] }) {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const [retiring, setRetiring] = useState(false)
  const bundle = useQuery({
    queryKey: ['trust-bundle'],
    queryFn: () => call('showTrustBundle'),
    refetchInterval: 15_000,
  })
  const profiles = useQuery({ queryKey: ['profiles'], queryFn: () => call('listProfiles'), retry: false })
  const left = useQuery({
    queryKey: ['devices-of-authority', old.id],
    queryFn: () => call('previewDevices', { body: { devices: { authority: old.id } } }),
    refetchInterval: 30_000,
    retry: false,
  })
  const [next] = successorsOf(old, authorities)
  const certified = next?.state === 'active'
  const root = useRootOf(certified ? next : undefined)
  const told = root !== undefined && (bundle.data?.published?.roots.includes(root) ?? false)
  const named = (profiles.data?.items ?? []).filter(({ document }) => document['authority'] === old.id)
  const following = (profiles.data?.items ?? []).filter(({ document }) => document['authority'] === baseName(old.id))
  const devices = left.data?.devices
  const retired = old.state === 'retired'

  const done = [
    next !== undefined,
    certified,
    told,
    certified && named.length === 0,
    certified && devices === 0,
    retired,
  ]
  const firstOpen = done.indexOf(false)
  const state = (at: number): StepState => (done[at] ? 'done' : at === firstOpen ? 'now' : 'later')

  return (
    <div className="tm-grid">
      <Card className="tm-8" title={t.steps}>
        <Steps label={t.steps}>
          <Step state={state(0)} title={t.make.title} lead={t.make.lead(old.id)}>
            {next ? (
              <Generation authority={next} />
            ) : (
              permissions.has('authority.write') && (
                <Button onClick={() => navigate(`/authorities/new?successor=${old.id}`)}>{t.make.act}</Button>
              )
            )}
          </Step>
          <Step state={state(1)} title={t.certify.title} lead={t.certify.lead}>
            {next && !certified && <Link to={`/authorities/${next.id}`}>{t.certify.act(next.id)}</Link>}
          </Step>
          <Step state={state(2)} title={t.trust.title} lead={certified && !told ? t.trust.wait : t.trust.lead}>
            {bundle.data?.published && (
              <p className="tm-plain">
                {t.trust.version(bundle.data.published.version, bundle.data.published.roots.length)}{' '}
                <Moment at={bundle.data.published.signedAt} />.{' '}
                <a href="/trust.pem" download="roots.pem">
                  {texts.settings.download}
                </a>
              </p>
            )}
          </Step>
          <Step state={state(3)} title={t.issue.title} lead={t.issue.lead(baseName(old.id))}>
            <Profiles following={following} named={named} />
          </Step>
          <Step state={state(4)} title={t.move.title} lead={t.move.lead(old.id)}>
            {devices !== undefined && (
              <p className="tm-plain">
                <strong className="tm-num">{texts.number(devices)}</strong> {t.move.left(devices, old.id)}{' '}
                {devices > 0 && <Link to={`/devices?authority=${old.id}`}>{t.move.show}</Link>}
              </p>
            )}
            {certified && (devices ?? 0) > 0 && permissions.has('campaign.write') && (
              <Button
                variant="default"
                leftSection={<Icon name="campaigns" size={16} />}
                onClick={() => navigate(`/campaigns?plan=yes&authority=${old.id}&to=${next.id}`)}
              >
                {t.move.act}
              </Button>
            )}
          </Step>
          <Step state={state(5)} title={t.retire.title(old.id)} lead={t.retire.lead}>
            {!retired && old.state === 'active' && permissions.has('authority.write') && (
              <Button variant="light" color="red" onClick={() => setRetiring(true)}>
                {texts.authority.retire}
              </Button>
            )}
          </Step>
        </Steps>
      </Card>
      <div className="tm-4 tm-stack">
        <Card title={t.changes.title}>
          <ul className="tm-effects">
            {t.changes.list.map(text => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </Card>
        <Card title={t.stays.title}>
          <ul className="tm-effects">
            {t.stays.list.map(text => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </Card>
      </div>
      {retiring && (
        <RetireAuthority
          id={old.id}
          devices={devices}
          onClose={() => setRetiring(false)}
          onDone={() => void queries.invalidateQueries()}
        />
      )}
    </div>
  )
}

function Generation({ authority }: { readonly authority: Authority }) {
  return (
    <p className="tm-plain">
      <Link to={`/authorities/${authority.id}`}>{authority.id}</Link>{' '}
      <StateBadge tone={AUTHORITY_TONES[authority.state]}>{texts.authorityStates[authority.state]}</StateBadge>
    </p>
  )
}

function Profiles({
  following,
  named,
}: {
  readonly following: readonly Document[]
  readonly named: readonly Document[]
}) {
  return (
    <>
      {following.length > 0 && (
        <p className="tm-plain">{t.issue.following(following.map(({ name }) => name).join(', '))}</p>
      )}
      {named.length > 0 && (
        <ul className="tm-plain-list">
          {named.map(({ name }) => (
            <li key={name}>
              <Icon name="profiles" />
              <span className="tm-grow">{t.issue.named(name)}</span>
              <Link to={`/profiles/${name}`}>{t.issue.edit}</Link>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

/** SHA-256 of the root above, in hexadecimal. */
function useRootOf(authority: Authority | undefined): string | undefined {
  const query = useQuery({
    queryKey: ['root-of', authority?.id],
    queryFn: async () => {
      const { chain } = await call('showAuthority', { params: { id: authority!.id } })
      const { objects } = await call('decode', { body: { text: chain.at(-1) ?? '' } })
      const [root] = objects
      return root?.kind === 'certificate' ? root.certificate.sha256 : null
    },
    enabled: authority !== undefined,
  })
  return query.data ?? undefined
}
