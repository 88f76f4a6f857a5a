// Revocations and releases that went out as jobs: how far each is, and, while its time lasts, the way back.
import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/client.ts'
import type { Job } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { JobProgress } from '../parts/job-progress.tsx'
import { Moment, useNow } from '../parts/moment.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.revocation.jobs
const SHOWN = 5

interface JobTerms {
  readonly reason?: string
  readonly undoUntil?: number
  readonly because?: string
}

/** Nothing where there was none yet. */
export function RevocationJobs() {
  const query = useQuery({
    queryKey: ['jobs', 'revocation'],
    queryFn: () => call('listJobs', { query: { limit: 50 } }),
    refetchInterval: 5_000,
  })
  const jobs = (query.data?.items ?? []).filter(({ act }) => act.startsWith('certificates.')).slice(0, SHOWN)
  if (jobs.length === 0) return null
  return (
    <Card title={t.title} lead={t.lead}>
      <ul className="tm-stack tm-bare-list">
        {jobs.map(job => (
          <li key={job.id}>
            <RevocationJob job={job} />
          </li>
        ))}
      </ul>
    </Card>
  )
}

/** One of them; also right after it was asked for. */
export function RevocationJob({ job }: { readonly job: Job }) {
  const { permissions } = useSession()
  const now = useNow()
  const [asking, setAsking] = useState(false)
  const { reason, undoUntil, because } = (job.parameters['terms'] ?? {}) as JobTerms
  const undo = undoUntil !== undefined && undoUntil * 1000 > now && permissions.has('certificate.revoke_many')
  const until = undoUntil === undefined ? undefined : new Date(undoUntil * 1000).toISOString()
  return (
    <>
      <p className="tm-job-head">
        <strong>{texts.jobs.acts[job.act]}</strong>
        {reason && <code>{reason}</code>}
        {because && <span className="tm-tag">{because}</span>}
        <span className="tm-dim tm-small">
          <Moment at={job.createdAt} /> · <code>{job.requestedBy}</code>
        </span>
      </p>
      <JobProgress id={job.id}>
        {ended =>
          until !== undefined && (
            <div className="tm-undo">
              <span className="tm-small">
                {undo ? t.undoUntil : t.undoOver} <Moment at={until} show="both" />
              </span>
              {undo && ended.changed > 0 && (
                <Button size="xs" variant="default" onClick={() => setAsking(true)}>
                  {t.undo}
                </Button>
              )}
            </div>
          )
        }
      </JobProgress>
      <Confirm
        opened={asking}
        title={t.undoTitle}
        effects={t.undoEffects}
        act={t.undo}
        done={result => ((result as { outcome: string }).outcome === 'waiting' ? texts.guarded.waiting : t.undoing)}
        onClose={() => setAsking(false)}
        run={() => call('undoRevocation', { params: { job: job.id }, body: {} })}
      />
    </>
  )
}
