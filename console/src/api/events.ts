// Live updates: the server says that something changed, and what is on the screen is asked for anew. Without the stream the pages still
// refresh, only later.
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'

export type LiveState = 'open' | 'waiting'

/** Changes that come together are one refresh. */
const SETTLE_MS = 1500

/** A question with `meta: { live: false }` is dear to answer, and is asked by the page alone. */
export function useLiveUpdates(): LiveState {
  const queries = useQueryClient()
  const [state, setState] = useState<LiveState>('waiting')
  useEffect(() => {
    const source = new EventSource('/api/v1/events')
    let timer: ReturnType<typeof setTimeout> | undefined
    const refresh = () => {
      timer ??= setTimeout(() => {
        timer = undefined
        void queries.invalidateQueries({ type: 'active', predicate: ({ meta }) => meta?.['live'] !== false })
      }, SETTLE_MS)
    }
    source.onopen = () => setState('open')
    source.onerror = () => setState('waiting')
    let marker: number | undefined
    source.addEventListener('change', ({ data }: MessageEvent<string>) => {
      const last = marker
      marker = (JSON.parse(data) as { readonly marker: number }).marker
      // The first one says how things are: what is on the screen was asked for with the stream, and after an interruption nothing may have changed.
      if (last !== undefined && marker !== last) refresh()
    })
    return () => {
      source.close()
      clearTimeout(timer)
    }
  }, [queries])
  return state
}
