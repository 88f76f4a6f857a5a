// Revocation by query: which certificates and how, beside it whom it would hit, as it is typed; then with four eyes and as a job. And what of it is
// out, and until when.
import { Button } from '@mantine/core'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { call } from '../api/client.ts'
import type { Job } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Icon } from '../parts/icon.tsx'
import { Skeleton } from '../parts/loading.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { Link, useSearch } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { Conditions } from './revocation-conditions.tsx'
import { RevocationJob, RevocationJobs } from './revocation-jobs.tsx'
import { Hits } from './revocation-preview.tsx'
import { Publication } from './revocation-publication.tsx'
import { type Question, questionOf, selectionOf } from './revocation-question.ts'
import { FIRST_TERMS, type Terms, TermsForm, termsBody } from './revocation-terms.tsx'

const t = texts.revocation
/** Somebody types: the preview is asked for when they pause. */
const PAUSE_MS = 350

export function Revocation() {
  const { permissions } = useSession()
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.revocation} lead={t.lead} />
      <div className="tm-stack">
        {permissions.has('certificate.revoke_many') && <ByQuery />}
        <RevocationJobs />
        <Publication />
      </div>
    </div>
  )
}

function ByQuery() {
  const queries = useQueryClient()
  const [search] = useSearch()
  const [question, setQuestion] = useState<Question>(() => questionOf(search))
  const [terms, setTerms] = useState<Terms>(FIRST_TERMS)
  const [asking, setAsking] = useState(false)
  const [job, setJob] = useState<Job>()
  const selection = usePaused(JSON.stringify(selectionOf(question) ?? null))
  const asked = JSON.parse(selection) as ReturnType<typeof selectionOf> | null
  const preview = useQuery({
    queryKey: ['revocation-preview', selection, terms.reason],
    queryFn: ({ signal }) => call('previewRevocation', { body: { ...asked, reason: terms.reason }, signal }),
    enabled: asked !== null,
    placeholderData: keepPreviousData,
    // It counts every certificate that is meant: not again with each change of the store.
    meta: { live: false },
    refetchOnWindowFocus: false,
    retry: false,
  })
  const settled = !preview.isPlaceholderData && selection === JSON.stringify(selectionOf(question) ?? null)
  const hits = asked === null ? undefined : preview.data
  const certificates = hits?.certificates ?? 0
  const act = terms.reason === 'certificateHold' ? t.actHold(certificates) : t.act(certificates)
  const undo = terms.undoWithinSeconds > 0 && terms.reason !== 'certificateHold'
  return (
    <div className="tm-grid">
      <Card className="tm-7" title={t.query} lead={t.queryLead}>
        <form className="tm-form" onSubmit={event => event.preventDefault()}>
          <Conditions
            question={question}
            onChange={changed => {
              setJob(undefined)
              setQuestion(changed)
            }}
          />
          <TermsForm terms={terms} onChange={setTerms} />
        </form>
      </Card>
      <div className="tm-5 tm-stack tm-beside">
        <Card title={t.hits.title} lead={t.hits.lead}>
          {preview.isError && asked !== null ? (
            <ProblemPanel thrown={preview.error} />
          ) : asked === null ? (
            <EmptyState icon="revocation" title={t.hits.nothingAsked}>
              {t.hits.nothingAskedHelp}
            </EmptyState>
          ) : hits === undefined ? (
            <Skeleton lines={6} />
          ) : (
            <div aria-busy={!settled} className={settled ? '' : 'tm-stale'}>
              {certificates === 0 ? (
                <EmptyState icon="check" title={t.hits.nobody}>
                  {t.hits.nobodyHelp}
                </EmptyState>
              ) : (
                <Hits preview={hits} />
              )}
              {certificates > 0 && !job && (
                <>
                  {hits.fourEyes && (
                    <p className="tm-notice">
                      <Icon name="approvals" size={18} />
                      <span>
                        {t.fourEyes} <Link to="/approvals">{texts.sections.approvals}</Link>
                      </span>
                    </p>
                  )}
                  <Button color="red" mt="md" fullWidth disabled={!settled} onClick={() => setAsking(true)}>
                    {act}
                  </Button>
                </>
              )}
            </div>
          )}
          {job && (
            <div className="tm-gap-top">
              <RevocationJob job={job} />
              <p className="tm-dim tm-small">{t.leave}</p>
            </div>
          )}
        </Card>
      </div>
      {hits && (
        <Confirm
          opened={asking}
          title={act}
          effects={[
            terms.reason === 'certificateHold'
              ? t.effects.hold(certificates)
              : undo
                ? t.effects.holdFirst(certificates, t.undo.times[terms.undoWithinSeconds as keyof typeof t.undo.times])
                : t.effects.revoke(certificates),
            ...(hits.left.none > 0 ? [t.effects.stop(hits.left.none)] : []),
            ...(terms.reason === 'keyCompromise' ? [t.effects.keys] : []),
            t.effects.exactly,
            ...(hits.fourEyes ? [t.effects.fourEyes] : []),
          ]}
          act={act}
          tone="destructive"
          word={String(certificates)}
          done={result => ((result as { outcome: string }).outcome === 'waiting' ? texts.guarded.waiting : t.started)}
          onClose={() => setAsking(false)}
          run={async () => {
            const body = { ...asked, ...termsBody(terms), expectedCertificates: certificates }
            const answer = await call('revokeMany', { body })
            setJob(answer.result ?? undefined)
            await queries.invalidateQueries({ queryKey: ['jobs'] })
            return answer
          }}
        />
      )}
    </div>
  )
}

/** The value as it was when it last stood still. */
function usePaused(value: string): string {
  const [paused, setPaused] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setPaused(value), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [value])
  return paused
}
