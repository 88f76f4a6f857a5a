// Campaigns: many devices moved to another key, algorithm, profile or authority, in waves. A new one shows whom it will touch while it is made.
import { Button, Checkbox, Modal, NumberInput, Select, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { call } from '../api/client.ts'
import type { BlastRadius, Campaign } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { StateBadge, type Tone } from '../parts/state-badge.tsx'
import { Link, navigate, useSearch } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.campaigns

export const CAMPAIGN_TONES: Readonly<Record<Campaign['state'], Tone>> = {
  planned: 'idle',
  running: 'info',
  paused: 'warn',
  finished: 'ok',
  cancelling: 'warn',
  cancelled: 'idle',
  rolling_back: 'warn',
  rolled_back: 'idle',
}

/** What a campaign wants, in one line. */
export function targetText({ target }: Pick<Campaign, 'target'>): string {
  return [
    target.keyAlgorithm ? t.toAlgorithm(target.keyAlgorithm) : target.newKey ? t.toNewKey : null,
    target.newProfile && t.toProfile(target.newProfile),
    target.authorityId && t.toAuthority(target.authorityId),
  ]
    .filter(Boolean)
    .join(', ')
}

export function Campaigns() {
  const { permissions } = useSession()
  const [search, change] = useSearch()
  const making = search.get('plan') !== null
  const setMaking = (open: boolean) =>
    change(open ? { plan: 'yes' } : { plan: undefined, authority: undefined, to: undefined })
  const query = useQuery({
    queryKey: ['campaigns'],
    queryFn: () => call('listCampaigns', { query: { limit: 100 } }),
    refetchInterval: 10_000,
  })
  const may = permissions.has('campaign.write')
  const make = may && (
    <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setMaking(true)}>
      {t.make}
    </Button>
  )
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.campaigns} lead={t.lead} actions={make} />
      <Card flush>
        <Loaded query={query}>
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState icon="campaigns" title={t.none}>
                {t.noneHelp}
              </EmptyState>
            ) : (
              <table className="tm-table">
                <thead>
                  <tr>
                    <th>{t.name}</th>
                    <th>{t.state}</th>
                    <th>{t.target}</th>
                    <th className="tm-right">{t.devices}</th>
                    <th>{t.wave}</th>
                    <th>{t.begun}</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map(campaign => (
                    <tr key={campaign.id}>
                      <td>
                        <Link to={`/campaigns/${campaign.name}`}>{campaign.name}</Link>
                      </td>
                      <td>
                        <StateBadge tone={CAMPAIGN_TONES[campaign.state]}>{t.states[campaign.state]}</StateBadge>
                      </td>
                      <td>
                        {campaign.target.profile}: {targetText(campaign)}
                      </td>
                      <td className="tm-right tm-num">{texts.number(campaign.devices)}</td>
                      <td className="tm-num">{t.waveOf(campaign.wave, campaign.waves)}</td>
                      <td>
                        {campaign.startedAt ? (
                          <Moment at={campaign.startedAt} />
                        ) : (
                          <span className="tm-dim">{t.notYet}</span>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )
          }
        </Loaded>
      </Card>
      <Modal opened={making} onClose={() => setMaking(false)} title={t.makeTitle} size="xl" centered>
        <NewCampaign from={search.get('authority') ?? ''} to={search.get('to')} onClose={() => setMaking(false)} />
      </Modal>
    </div>
  )
}

const ALGORITHMS = ['P-256', 'P-384', 'P-521', 'Ed25519', 'RSA-3072', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const

interface NewCampaignProps {
  /** Whose certificates are to be replaced, and by whose: as the address asks. */
  readonly from: string
  readonly to: string | null
  readonly onClose: () => void
}

function NewCampaign({ from, to, onClose }: NewCampaignProps) {
  const queries = useQueryClient()
  const profiles = useQuery({ queryKey: ['profiles'], queryFn: () => call('listProfiles'), retry: false })
  const [name, setName] = useState('')
  const [profile, setProfile] = useState('ldevid')
  const [model, setModel] = useState('')
  const [site, setSite] = useState('')
  const [owner, setOwner] = useState('')
  const [authority, setAuthority] = useState(from)
  const [toAuthority, setToAuthority] = useState(to)
  const authorities = useQuery({ queryKey: ['authorities'], queryFn: () => call('listAuthorities'), retry: false })
  const issuing = (authorities.data?.items ?? []).filter(({ kind, state }) => kind === 'issuing' && state === 'active')
  const [newKey, setNewKey] = useState(true)
  const [algorithm, setAlgorithm] = useState<string | null>(null)
  const [canary, setCanary] = useState(10)
  const [waveSize, setWaveSize] = useState(1000)
  const [perHour, setPerHour] = useState<number | ''>('')
  const [busy, setBusy] = useState(false)
  const [thrown, setThrown] = useState<unknown>()

  const devices = {
    ...(model.trim() ? { model: model.trim() } : {}),
    ...(site.trim() ? { site: site.trim() } : {}),
    ...(owner.trim() ? { owner: owner.trim() } : {}),
    ...(authority.trim() ? { authority: authority.trim() } : {}),
  }
  const [asked] = useDebouncedValue(JSON.stringify({ ...devices, profile }), 300)
  const radius = useQuery({
    queryKey: ['blast-radius', asked],
    queryFn: () => call('previewDevices', { body: { devices: JSON.parse(asked) as Record<string, string> } }),
    placeholderData: before => before,
    retry: false,
  })
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setThrown(undefined)
    try {
      const made = await call('createCampaign', {
        body: {
          name: name.trim(),
          devices,
          target: { profile, newKey: newKey || algorithm !== null, keyAlgorithm: algorithm, authority: toAuthority },
          pace: { canary, waveSize, perHour: perHour === '' ? null : perHour },
        },
      })
      await queries.invalidateQueries({ queryKey: ['campaigns'] })
      onClose()
      navigate(`/campaigns/${made.name}`)
    } catch (caught) {
      setThrown(caught)
    } finally {
      setBusy(false)
    }
  }
  return (
    <form className="tm-form" onSubmit={event => void submit(event)}>
      <div className="tm-form-row">
        <TextInput
          label={t.name}
          description={t.nameHelp}
          required
          withAsterisk={false}
          value={name}
          onChange={event => setName(event.currentTarget.value)}
        />
        <Select
          label={t.profile}
          description={t.profileHelp}
          data={profiles.data?.items.map(each => each.name) ?? ['ldevid']}
          value={profile}
          onChange={value => value && setProfile(value)}
          allowDeselect={false}
        />
      </div>
      <fieldset className="tm-fieldset">
        <legend>{t.which}</legend>
        <div className="tm-form-row">
          <TextInput
            label={texts.devices.fields.model}
            value={model}
            onChange={event => setModel(event.currentTarget.value)}
          />
          <TextInput
            label={texts.devices.fields.site}
            value={site}
            onChange={event => setSite(event.currentTarget.value)}
          />
          <TextInput
            label={texts.devices.fields.owner}
            value={owner}
            onChange={event => setOwner(event.currentTarget.value)}
          />
          <TextInput
            label={texts.devices.fields.authority}
            value={authority}
            onChange={event => setAuthority(event.currentTarget.value)}
          />
        </div>
      </fieldset>
      <fieldset className="tm-fieldset">
        <legend>{t.target}</legend>
        <div className="tm-form-row">
          <Select
            label={t.algorithm}
            placeholder={t.sameAlgorithm}
            data={[...ALGORITHMS]}
            value={algorithm}
            onChange={setAlgorithm}
            clearable
          />
          <Select
            label={t.fromAuthority}
            placeholder={t.sameAuthority}
            data={issuing.map(({ id }) => id)}
            value={toAuthority}
            onChange={setToAuthority}
            clearable
          />
          <Checkbox
            label={t.newKey}
            checked={newKey || algorithm !== null}
            disabled={algorithm !== null}
            onChange={event => setNewKey(event.currentTarget.checked)}
            pb={8}
          />
        </div>
      </fieldset>
      <fieldset className="tm-fieldset">
        <legend>{t.pace}</legend>
        <div className="tm-form-row">
          <NumberInput
            label={t.canary}
            min={0}
            value={canary}
            onChange={value => setCanary(Number(value) || 0)}
            hideControls
          />
          <NumberInput
            label={t.waveSize}
            min={1}
            value={waveSize}
            onChange={value => setWaveSize(Number(value) || 1)}
            hideControls
          />
          <NumberInput
            label={t.perHour}
            placeholder={t.unlimited}
            min={1}
            value={perHour}
            onChange={value => setPerHour(value === '' ? '' : Number(value))}
            hideControls
          />
        </div>
      </fieldset>
      <section className="tm-panel" aria-label={t.radius}>
        <h3 className="tm-subhead">{t.radius}</h3>
        <Loaded query={radius} lines={2}>
          {found => <Radius radius={found} />}
        </Loaded>
      </section>
      {thrown !== undefined && <ProblemPanel thrown={thrown} />}
      <div className="tm-modal-actions">
        <Button variant="default" onClick={onClose}>
          {texts.confirm.cancel}
        </Button>
        <Button type="submit" loading={busy} disabled={!newKey && algorithm === null && toAuthority === null}>
          {t.plan(radius.data?.devices ?? 0)}
        </Button>
      </div>
    </form>
  )
}

export function Radius({ radius }: { readonly radius: BlastRadius }) {
  const list = (of: Readonly<Record<string, number>>) =>
    Object.entries(of)
      .map(([name, n]) => `${name} ${texts.number(n)}`)
      .join(', ')
  return (
    <div className="tm-radius">
      <strong className="tm-figure-value">{texts.number(radius.devices)}</strong>
      <div className="tm-small">
        <div>{t.touched(list(radius.byKeyAlgorithm) || '–', list(radius.byAuthority) || '–')}</div>
        <div className="tm-dim">{t.contact(radius.contact.recent, radius.contact.silent, radius.contact.never)}</div>
      </div>
    </div>
  )
}
