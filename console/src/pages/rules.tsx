// The registration rules in force, and a what-if: how would this request be decided, and why, by these rules or by a draft of them.
import { Button, Select, Textarea } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { call, callVersioned } from '../api/client.ts'
import type { WhatIfAnswer } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { DocumentEditor } from '../parts/document-editor.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Icon, type IconName } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.rules

export function Rules() {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const query = useQuery({ queryKey: ['rules'], queryFn: () => callVersioned('showRules') })
  const [draft, setDraft] = useState<Record<string, unknown>>()
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.rules} lead={t.lead} />
      <div className="tm-grid">
        <Card className="tm-6" title={t.inForce} lead={query.data && t.version(query.data.version)}>
          <Loaded query={query} lines={10}>
            {({ value, version }) => (
              <DocumentEditor
                document={value.document}
                label={t.inForce}
                editable={permissions.has('rule.write')}
                rows={30}
                onDraft={setDraft}
                save={async body => {
                  const { outcome } = await call('putRules', { body, version: version === 0 ? 'new' : version })
                  await queries.invalidateQueries({ queryKey: ['rules'] })
                  return texts.guarded[outcome]
                }}
              />
            )}
          </Loaded>
        </Card>
        <div className="tm-6 tm-stack">
          <WhatIf draft={draft} />
        </div>
      </div>
    </div>
  )
}

function WhatIf({ draft }: { readonly draft: Record<string, unknown> | undefined }) {
  const profiles = useQuery({ queryKey: ['profiles'], queryFn: () => call('listProfiles'), retry: false })
  const [profile, setProfile] = useState('ldevid')
  const [csr, setCsr] = useState('')
  const [certificate, setCertificate] = useState('')
  const explain = useMutation({
    mutationFn: () =>
      call('explainRules', {
        body: {
          profile,
          ...(csr.trim() ? { csr } : {}),
          ...(certificate.trim() ? { certificate } : {}),
          ...(draft ? { rules: draft } : {}),
        },
      }),
  })
  return (
    <Card title={t.whatIf} lead={t.whatIfLead}>
      <form
        className="tm-form"
        onSubmit={(event: FormEvent) => {
          event.preventDefault()
          explain.mutate()
        }}
      >
        <Select
          label={t.profile}
          data={(profiles.data?.items ?? []).map(({ name }) => name)}
          value={profile}
          onChange={value => value && setProfile(value)}
          allowDeselect={false}
        />
        <Textarea
          label={t.evidence}
          description={t.evidenceHelp}
          placeholder="-----BEGIN CERTIFICATE-----"
          className="tm-mono-input"
          rows={4}
          spellCheck={false}
          value={certificate}
          onChange={event => setCertificate(event.currentTarget.value)}
        />
        <Textarea
          label={t.csr}
          description={t.csrHelp}
          placeholder="-----BEGIN CERTIFICATE REQUEST-----"
          className="tm-mono-input"
          rows={4}
          spellCheck={false}
          value={csr}
          onChange={event => setCsr(event.currentTarget.value)}
        />
        <Button type="submit" loading={explain.isPending}>
          {t.explain}
        </Button>
      </form>
      {explain.isError && <ProblemPanel thrown={explain.error} />}
      {explain.data ? (
        <Decision answer={explain.data} />
      ) : (
        !explain.isError && (
          <EmptyState icon="rules" title={t.nothing}>
            {t.nothingHelp}
          </EmptyState>
        )
      )}
    </Card>
  )
}

const TONE = { granted: 'ok', pending: 'warn', denied: 'bad' } as const
const ICON: Readonly<Record<string, IconName>> = { passed: 'check', failed: 'close', noted: 'info' }
const STEP_TONE: Readonly<Record<string, string>> = { passed: 'ok', failed: 'bad', noted: 'info' }

function Decision({ answer }: { readonly answer: WhatIfAnswer }) {
  return (
    <section className="tm-gap-top" aria-label={t.decision}>
      <p className="tm-plain">
        <StateBadge tone={TONE[answer.outcome]}>{t.outcomes[answer.outcome]}</StateBadge> {answer.because}{' '}
        {answer.code && <code>{answer.code}</code>}
      </p>
      {answer.rule && <p className="tm-dim tm-plain">{t.byRule(answer.rule)}</p>}
      <ol className="tm-steps tm-gap-top">
        {answer.trace.map(({ check, verdict, because }) => (
          <li key={check + because}>
            <span className={`tm-tone-${STEP_TONE[verdict]}`}>
              <Icon name={ICON[verdict] ?? 'dot'} size={16} />
            </span>{' '}
            <span>
              <code>{check}</code> {because}
            </span>
          </li>
        ))}
      </ol>
    </section>
  )
}
