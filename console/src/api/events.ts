// Live updates: the server says that something changed, and what is on the screen is asked for anew. Without the stream the pages still
// refresh, only later.
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'

export type LiveState = 'open' | 'waiting'

/** Changes that come together are one refresh. */
const SETTLE_MS = 1500

export function useLiveUpdates(): LiveState {
  const queries = useQueryClient()
  const [state, setState] = useState<LiveState>('waiting')
  useEffect(() => {
    const source = new EventSource('/api/v1/events')
    let timer: ReturnType<typeof setTimeout> | undefined
    const refresh = () => {
      timer ??= setTimeout(() => {
        timer = undefined
        void queries.invalidateQueries({ type: 'active' })
      }, SETTLE_MS)
    }
    source.onopen = () => setState('open')
    source.onerror = () => setState('waiting')
    source.addEventListener('change', refresh)
    return () => {
      source.close()
      clearTimeout(timer)
    }
  }, [queries])
  return state
}
