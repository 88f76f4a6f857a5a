// Revocation by query: first whom it would hit, then with four eyes and as a job. And what of the revocation lists is out, and until when.
import { Button, Select, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { call, type Input } from '../api/client.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { JobProgress } from '../parts/job-progress.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { Radius } from './campaigns.tsx'

const t = texts.revocation
const FIELDS = ['model', 'batch', 'owner', 'site', 'firmware', 'authority'] as const
const REASONS = [
  'keyCompromise',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
  'certificateHold',
] as const
type Query = NonNullable<NonNullable<Input<'previewRevocation'>['body']>['devices']>

export function Revocation() {
  const { permissions } = useSession()
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.revocation} lead={t.lead} />
      <div className="tm-grid">
        <div className="tm-6 tm-stack">{permissions.has('certificate.revoke_many') && <ByQuery />}</div>
        <div className="tm-6 tm-stack">{permissions.has('authority.read') && <Published />}</div>
      </div>
    </div>
  )
}

function ByQuery() {
  const [values, setValues] = useState<Readonly<Record<string, string>>>({})
  const [reason, setReason] = useState<(typeof REASONS)[number]>('keyCompromise')
  const [asking, setAsking] = useState(false)
  const [job, setJob] = useState<string>()
  const query = Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value.trim() ? [[name, value.trim()]] : [])),
  ) as Query
  const preview = useMutation({ mutationFn: () => call('previewRevocation', { body: { devices: query } }) })
  const devices = preview.data?.devices ?? 0
  return (
    <Card title={t.query} lead={t.queryLead}>
      <form
        className="tm-form"
        onSubmit={event => {
          event.preventDefault()
          setJob(undefined)
          preview.mutate()
        }}
      >
        <div className="tm-form-row">
          {FIELDS.map(name => (
            <TextInput
              key={name}
              label={texts.devices.fields[name]}
              value={values[name] ?? ''}
              onChange={event => {
                preview.reset()
                setValues({ ...values, [name]: event.currentTarget.value })
              }}
            />
          ))}
        </div>
        <Select
          label={texts.acts.reason}
          data={REASONS.map(value => ({ value, label: texts.acts.reasons[value] }))}
          value={reason}
          onChange={value => value && setReason(value as typeof reason)}
          allowDeselect={false}
        />
        <Button type="submit" variant="default" disabled={Object.keys(query).length === 0} loading={preview.isPending}>
          {t.preview}
        </Button>
      </form>
      {preview.isError && <ProblemPanel thrown={preview.error} />}
      {preview.data && (
        <section className="tm-panel tm-gap-top" aria-label={texts.campaigns.radius}>
          <h3 className="tm-subhead">{texts.campaigns.radius}</h3>
          <Radius radius={preview.data} />
          {devices > 0 && !job && (
            <Button color="red" mt="md" onClick={() => setAsking(true)}>
              {t.act(devices)}
            </Button>
          )}
        </section>
      )}
      {job && (
        <div className="tm-gap-top">
          <JobProgress id={job} />
        </div>
      )}
      <Confirm
        opened={asking}
        title={t.act(devices)}
        effects={[
          reason === 'certificateHold' ? t.effects.hold(devices) : t.effects.revoke(devices),
          t.effects.exactly,
          t.effects.fourEyes,
        ]}
        act={t.act(devices)}
        tone="destructive"
        word={String(devices)}
        done={result => {
          const { outcome } = result as { outcome: 'done' | 'waiting' }
          return outcome === 'waiting' ? texts.guarded.waiting : t.started
        }}
        onClose={() => setAsking(false)}
        run={async () => {
          const answer = await call('revokeMany', { body: { devices: query, reason, expectedDevices: devices } })
          setJob(answer.result?.id)
          return answer
        }}
      />
    </Card>
  )
}

function Published() {
  const query = useQuery({ queryKey: ['authorities'], queryFn: () => call('listAuthorities'), refetchInterval: 30_000 })
  return (
    <Card title={t.published} lead={t.publishedLead} flush>
      <Loaded query={query}>
        {({ items }) => {
          const lists = items.filter(({ crl }) => crl !== null)
          if (lists.length === 0) return <EmptyState icon="revocation" title={t.none} />
          return (
            <table className="tm-table">
              <thead>
                <tr>
                  <th>{texts.authorities.name}</th>
                  <th className="tm-right">{t.number}</th>
                  <th>{t.made}</th>
                  <th>{t.next}</th>
                  <th>{t.state}</th>
                </tr>
              </thead>
              <tbody>
                {lists.map(({ id, crl, crlShards }) => (
                  <tr key={id}>
                    <td>
                      <Link to={`/authorities/${id}`}>{id}</Link>
                      <div className="tm-dim tm-small">{t.shards(crlShards)}</div>
                    </td>
                    <td className="tm-right tm-num">{texts.number(crl!.number)}</td>
                    <td>
                      <Moment at={crl!.thisUpdate} />
                    </td>
                    <td>
                      <Moment at={crl!.nextUpdate} />
                    </td>
                    <td>
                      <StateBadge tone={crl!.fresh ? 'ok' : 'bad'}>{crl!.fresh ? t.fresh : t.overdue}</StateBadge>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }}
      </Loaded>
    </Card>
  )
}
