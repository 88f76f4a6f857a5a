// Work that goes on by itself: acts on many devices and factory batches, with how far each is, what failed, and a way to stop it.
import { useQuery } from '@tanstack/react-query'
import { call } from '../api/client.ts'
import { Card } from '../parts/card.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { JobProgress } from '../parts/job-progress.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.jobs

export function Jobs() {
  const query = useQuery({
    queryKey: ['jobs'],
    queryFn: () => call('listJobs', { query: { limit: 50 } }),
    refetchInterval: 10_000,
  })
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.jobs} lead={t.lead} />
      <Loaded query={query} lines={8}>
        {({ items }) =>
          items.length === 0 ? (
            <Card>
              <EmptyState icon="clock" title={t.none}>
                {t.noneHelp}
              </EmptyState>
            </Card>
          ) : (
            <div className="tm-stack">
              {items.map(job => (
                <Card
                  key={job.id}
                  title={t.acts[job.act as keyof typeof t.acts] ?? job.act}
                  lead={
                    <>
                      {t.begun} <Moment at={job.createdAt} /> · <code>{job.requestedBy}</code>
                    </>
                  }
                >
                  <JobProgress id={job.id} known={job} />
                </Card>
              ))}
            </div>
          )
        }
      </Loaded>
    </div>
  )
}
