// A job of the server, watched: it goes on when the page is left, and can be stopped here.
import { Button } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { call } from '../api/client.ts'
import type { Job } from '../api/schema.ts'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { Loaded } from './loading.tsx'
import { ProgressBar } from './progress-bar.tsx'
import { StateBadge } from './state-badge.tsx'
import { complain } from './toasts.tsx'

const t = texts.job
const TONES = { running: 'info', finished: 'ok', failed: 'bad', cancelled: 'idle' } as const
const WATCH_MS = 800
const DEVICE_ID = /^[0-9a-f]{32}$/

export interface JobProgressProps {
  readonly id: string
  /** As it was a moment ago, where that is known: nothing is asked before it is shown. */
  readonly known?: Job
  /** Shown below when it has ended. */
  readonly children?: (job: Job) => ReactNode
}

export function JobProgress({ id, known, children }: JobProgressProps) {
  const queries = useQueryClient()
  const query = useQuery({
    queryKey: ['job', id],
    queryFn: () => call('showJob', { params: { id } }),
    ...(known ? { initialData: known } : {}),
    refetchInterval: ({ state }) => (state.data && state.data.state !== 'running' ? false : WATCH_MS),
  })
  const stop = () =>
    call('cancelJob', { params: { id } })
      .then(() => queries.invalidateQueries({ queryKey: ['job', id] }))
      .catch(complain)
  return (
    <Loaded query={query} lines={2}>
      {job => (
        <div className="tm-panel" role="status">
          <div className="tm-title-row">
            <StateBadge tone={TONES[job.state]}>{t.states[job.state]}</StateBadge>
            <span className="tm-num">{t.counts(job.changed, job.failed)}</span>
            {job.state === 'running' && (
              <Button size="xs" variant="default" onClick={() => void stop()}>
                {t.stop}
              </Button>
            )}
          </div>
          <ProgressBar
            done={job.done}
            of={job.state === 'finished' ? job.done : (job.total ?? job.done)}
            label={t.states[job.state]}
          />
          {job.failures.length > 0 && (
            <ul className="tm-effects">
              {job.failures.map(({ what, code }) => (
                <li key={what}>
                  {DEVICE_ID.test(what) ? <Link to={`/devices/${what}`}>{what}</Link> : what} <code>{code}</code>
                </li>
              ))}
            </ul>
          )}
          {job.state !== 'running' && children?.(job)}
        </div>
      )}
    </Loaded>
  )
}
