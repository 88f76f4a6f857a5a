// While an answer is on its way: the shape of what comes, and after a failure what went wrong.
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { texts } from '../texts/texts.ts'
import { ProblemPanel } from './problem-panel.tsx'

export function Skeleton({ lines = 4 }: { readonly lines?: number }) {
  return (
    <div className="tm-skeleton" role="status" aria-label={texts.loading}>
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <span key={line} />
      ))}
    </div>
  )
}

export interface LoadedProps<T> {
  readonly query: UseQueryResult<T>
  readonly lines?: number
  readonly children: (value: T) => ReactNode
}

/** An answer that is there stays on the screen while a newer one is fetched, even where that fails. */
export function Loaded<T>({ query, lines, children }: LoadedProps<T>) {
  if (query.data !== undefined) return <>{children(query.data)}</>
  if (query.isError) return <ProblemPanel thrown={query.error} retry={() => void query.refetch()} />
  return <Skeleton {...(lines === undefined ? {} : { lines })} />
}
