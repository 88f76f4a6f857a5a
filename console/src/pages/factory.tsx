// The factory: a file of units, tried first (what would be rejected is seen before anything is signed), then run with progress, then its
// results to take along. And every batch that there was.
import { Button, Select, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { addressOf, call } from '../api/client.ts'
import type { BatchTrial, Upload } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { FileDrop } from '../parts/file-drop.tsx'
import { Icon } from '../parts/icon.tsx'
import { JobProgress } from '../parts/job-progress.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { type Column, type CsvHead, isUnderstood, mappingProblem, readCsvHead, withHeadings } from './csv-columns.ts'
import { MapColumns } from './map-columns.tsx'

const t = texts.factory
const FILES = ['results.csv', 'rejects.csv', 'manifest.json', 'manifest.json.p7s'] as const

export function Factory() {
  const { permissions } = useSession()
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.factory} lead={t.lead} />
      <div className="tm-stack">
        {permissions.has('batch.run') && <NewBatch />}
        <History />
      </div>
    </div>
  )
}

function NewBatch() {
  const profiles = useQuery({ queryKey: ['profiles'], queryFn: () => call('listProfiles'), retry: false })
  const [file, setFile] = useState<File>()
  const [head, setHead] = useState<CsvHead>()
  const [columns, setColumns] = useState<readonly Column[]>()
  const [profile, setProfile] = useState('idevid')
  const [model, setModel] = useState('')
  const [job, setJob] = useState<string>()
  const upload = useMutation<Upload, unknown, Blob>({
    mutationFn: given => call('uploadBatch', { body: given.slice(0, given.size, 'application/octet-stream') as never }),
  })
  const plan = () => ({ upload: upload.data!.id, profile, ...(model.trim() ? { model: model.trim() } : {}) })
  const trial = useMutation({ mutationFn: () => call('tryBatch', { body: plan() }) })
  const run = useMutation({ mutationFn: () => call('runBatch', { body: plan() }), onSuccess: made => setJob(made.id) })

  const take = async ([given]: readonly File[]) => {
    if (!given) return
    const found = await readCsvHead(given)
    setFile(given)
    setHead(found)
    setColumns(undefined)
    setJob(undefined)
    upload.reset()
    trial.reset()
    run.reset()
    // Headings that are not ours are explained first.
    if (found && !isUnderstood(found)) setColumns(found.columns)
    else upload.mutate(given)
  }
  const map = (next: readonly Column[]) => {
    upload.reset()
    trial.reset()
    setColumns(next)
  }
  const problem = columns ? mappingProblem(columns) : null
  const submit = (event: FormEvent) => {
    event.preventDefault()
    trial.mutate()
  }
  const thrown = upload.error ?? trial.error ?? run.error
  return (
    <Card title={t.make} lead={t.makeLead}>
      <div className="tm-grid">
        <div className="tm-5 tm-stack">
          <FileDrop
            choose={t.choose}
            accept=".csv,.ndjson,.txt,.pem,.tar"
            busy={upload.isPending}
            onFiles={files => void take(files)}
          >
            {file ? t.file(file.name, file.size) : t.drop}
          </FileDrop>
          {head && columns && (
            <section className="tm-form" aria-label={t.map.title}>
              <p className="tm-plain">{t.map.lead}</p>
              <MapColumns columns={columns} onChange={map} />
              {problem && <p className="tm-dim tm-plain">{t.map.problems[problem]}</p>}
              {!upload.data && (
                <div>
                  <Button
                    disabled={problem !== null}
                    loading={upload.isPending}
                    onClick={() => upload.mutate(withHeadings(file!, head, columns))}
                  >
                    {t.map.send}
                  </Button>
                </div>
              )}
            </section>
          )}
          {head && !columns && upload.data && (
            <div>
              <Button size="xs" variant="subtle" onClick={() => map(head.columns)}>
                {t.map.change}
              </Button>
            </div>
          )}
          <form className="tm-form" onSubmit={submit}>
            <div className="tm-form-row">
              <Select
                label={t.profile}
                data={(profiles.data?.items ?? []).map(({ name }) => name)}
                value={profile}
                onChange={value => {
                  if (value) setProfile(value)
                  trial.reset()
                }}
                allowDeselect={false}
              />
              <TextInput
                label={t.model}
                placeholder={t.modelHelp}
                value={model}
                onChange={event => {
                  setModel(event.currentTarget.value)
                  trial.reset()
                }}
              />
            </div>
            <Button type="submit" variant="default" disabled={!upload.data} loading={trial.isPending}>
              {t.dryRun}
            </Button>
          </form>
        </div>
        <div className="tm-7 tm-stack">
          {thrown ? <ProblemPanel thrown={thrown} /> : null}
          {job ? (
            <JobProgress id={job}>
              {() => (
                <div className="tm-actions tm-gap-top">
                  {FILES.map(name => (
                    <Button
                      key={name}
                      component="a"
                      variant="default"
                      size="xs"
                      href={addressOf('downloadBatchFile', { params: { id: job, file: name } })}
                      download={name}
                      leftSection={<Icon name="download" size={14} />}
                    >
                      {name}
                    </Button>
                  ))}
                </div>
              )}
            </JobProgress>
          ) : trial.data ? (
            <Trial trial={trial.data} busy={run.isPending} onRun={() => run.mutate()} />
          ) : (
            <EmptyState icon="factory" title={t.nothing}>
              {t.nothingHelp}
            </EmptyState>
          )}
        </div>
      </div>
    </Card>
  )
}

interface TrialProps {
  readonly trial: BatchTrial
  readonly busy: boolean
  readonly onRun: () => void
}

function Trial({ trial, busy, onRun }: TrialProps) {
  return (
    <section aria-label={t.dryRun}>
      <div className="tm-figures">
        {[
          [t.issued, trial.issued],
          [t.existing, trial.existing],
          [t.rejected, trial.rejected],
        ].map(([name, value]) => (
          <div key={name} className="tm-figure">
            <span className="tm-figure-name">{name}</span>
            <span className="tm-figure-value">{texts.number(value as number)}</span>
          </div>
        ))}
      </div>
      {trial.more && <p className="tm-dim">{t.more(trial.units)}</p>}
      {trial.rejects.length > 0 && (
        <div className="tm-rejects">
          <table className="tm-table">
            <thead>
              <tr>
                <th>{t.line}</th>
                <th>{t.serialNumber}</th>
                <th>{t.why}</th>
              </tr>
            </thead>
            <tbody>
              {trial.rejects.map(({ line, serialNumber, code, message }) => (
                <tr key={line}>
                  <td className="tm-num">{texts.number(line)}</td>
                  <td>
                    <code>{serialNumber}</code>
                  </td>
                  <td>
                    {message} <span className="tm-dim tm-small">{code}</span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div className="tm-actions tm-gap-top">
        <Button onClick={onRun} loading={busy} disabled={trial.issued + trial.existing === 0}>
          {trial.more ? t.runAll : t.run(trial.issued)}
        </Button>
      </div>
    </section>
  )
}

function History() {
  const query = useQuery({
    queryKey: ['batches'],
    queryFn: () => call('listBatches', { query: { limit: 50 } }),
    refetchInterval: 10_000,
  })
  return (
    <Card title={t.history} flush>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon="factory" title={t.none}>
              {t.noneHelp}
            </EmptyState>
          ) : (
            <table className="tm-table">
              <thead>
                <tr>
                  <th>{t.batch}</th>
                  <th>{t.profile}</th>
                  <th>{t.state}</th>
                  <th className="tm-right">{t.issued}</th>
                  <th className="tm-right">{t.existing}</th>
                  <th className="tm-right">{t.rejected}</th>
                  <th>{t.begun}</th>
                </tr>
              </thead>
              <tbody>
                {items.map(batch => (
                  <tr key={batch.id}>
                    <td>
                      <Link to={`/devices?batch=${batch.id}`}>
                        <code>{batch.id.slice(0, 12)}…</code>
                      </Link>
                    </td>
                    <td>{batch.profile}</td>
                    <td>
                      <StateBadge tone={batch.state === 'finished' ? 'ok' : 'info'}>{t.states[batch.state]}</StateBadge>
                    </td>
                    <td className="tm-right tm-num">{texts.number(batch.issued)}</td>
                    <td className="tm-right tm-num">{texts.number(batch.existing)}</td>
                    <td className="tm-right tm-num">{texts.number(batch.rejected)}</td>
                    <td>
                      <Moment at={batch.createdAt} show="both" />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }
      </Loaded>
    </Card>
  )
}
