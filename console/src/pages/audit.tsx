// The audit log, newest first. It is append-only and signed; an entry opens with its proof.
import { Button, Select, TextInput } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/client.ts'
import { Card } from '../parts/card.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Skeleton } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { Link, useSearch } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.audit
/** Families of actions, as the catalogue names them. */
const FAMILIES = [
  'authority.',
  'certificate.',
  'device.',
  'enrolment.',
  'token.',
  'batch.',
  'campaign.',
  'ownership.',
  'key.',
  'keystore.',
  'approval.',
  'session.',
  'operator.',
  'access.',
  'server.',
] as const

export function Audit() {
  const [search, change] = useSearch()
  const action = search.get('action') ?? undefined
  const outcome = (search.get('outcome') ?? undefined) as 'done' | 'refused' | undefined
  const actor = search.get('actor') ?? undefined
  const [typed, setTyped] = useState(actor ?? '')
  const conditions = {
    ...(action ? { action } : {}),
    ...(outcome ? { outcome } : {}),
    ...(actor ? { actor } : {}),
  }
  const checkpoint = useQuery({ queryKey: ['checkpoint'], queryFn: () => call('showCheckpoint'), retry: false })
  const entries = useInfiniteQuery({
    queryKey: ['audit', conditions],
    queryFn: ({ pageParam, signal }) =>
      call('listAuditEntries', {
        query: { ...conditions, limit: 50, ...(pageParam ? { after: pageParam } : {}) },
        signal,
      }),
    initialPageParam: '',
    getNextPageParam: last => last.next ?? undefined,
  })
  const items = entries.data?.pages.flatMap(page => page.items) ?? []
  return (
    <div className="tm-page">
      <PageHead
        title={texts.sections.audit}
        lead={t.lead}
        mark={
          checkpoint.data && (
            <StateBadge tone="ok" icon="shield">
              {t.checkpoint(checkpoint.data.size)} <Moment at={checkpoint.data.at} />
            </StateBadge>
          )
        }
      />
      <div className="tm-toolbar">
        <Select
          aria-label={t.family}
          placeholder={t.allActions}
          data={FAMILIES.map(value => ({ value, label: t.families[value] }))}
          value={action ?? null}
          onChange={value => change({ action: value ?? undefined })}
          clearable
          w={210}
        />
        <Select
          aria-label={t.outcome}
          placeholder={t.anyOutcome}
          data={[
            { value: 'done', label: t.done },
            { value: 'refused', label: t.refused },
          ]}
          value={outcome ?? null}
          onChange={value => change({ outcome: value ?? undefined })}
          clearable
          w={170}
        />
        <form
          onSubmit={event => {
            event.preventDefault()
            change({ actor: typed.trim() || undefined })
          }}
        >
          <TextInput
            aria-label={t.actor}
            placeholder={t.actor}
            value={typed}
            onChange={event => setTyped(event.currentTarget.value)}
            w={260}
          />
        </form>
      </div>
      <Card flush>
        {entries.isError ? (
          <div className="tm-card-body">
            <ProblemPanel thrown={entries.error} retry={() => void entries.refetch()} />
          </div>
        ) : entries.isPending ? (
          <div className="tm-card-body">
            <Skeleton lines={10} />
          </div>
        ) : items.length === 0 && !entries.hasNextPage ? (
          <EmptyState icon="audit" title={t.none}>
            {t.noneHelp}
          </EmptyState>
        ) : (
          <table className="tm-table">
            <thead>
              <tr>
                <th className="tm-right">{t.index}</th>
                <th>{t.what}</th>
                <th>{t.who}</th>
                <th>{t.about}</th>
                <th>{t.when}</th>
              </tr>
            </thead>
            <tbody>
              {items.map(entry => (
                <tr key={entry.index}>
                  <td className="tm-right tm-num">
                    <Link to={`/audit/${entry.index}`}>{texts.number(entry.index)}</Link>
                  </td>
                  <td>
                    {entry.meaning || entry.action}
                    <div className="tm-dim tm-small">
                      <code>{entry.action}</code>{' '}
                      {entry.outcome === 'refused' && <StateBadge tone="bad">{entry.code ?? t.refused}</StateBadge>}
                    </div>
                  </td>
                  <td>
                    {texts.actors[entry.actor.kind]}
                    <div className="tm-dim tm-small tm-clip" title={entry.actor.id}>
                      <code>{entry.actor.id}</code>
                    </div>
                  </td>
                  <td className="tm-small">
                    {Object.entries(entry.subject).map(([name, value]) => (
                      <div key={name} className="tm-clip" title={value}>
                        <span className="tm-dim">{name}</span> <code>{value.slice(0, 18)}</code>
                      </div>
                    ))}
                  </td>
                  <td>
                    <Moment at={entry.at} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Card>
      {entries.hasNextPage && (
        <Button
          variant="default"
          mt="md"
          loading={entries.isFetchingNextPage}
          onClick={() => void entries.fetchNextPage()}
        >
          {t.more}
        </Button>
      )}
    </div>
  )
}
