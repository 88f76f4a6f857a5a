// Who is signed in, as the pages need to know it. The server decides everything by itself; this is for leaving out what it would refuse.
import { createContext, useContext } from 'react'
import { call } from './client.ts'

export interface SessionInfo {
  /** As the log and approvals name who is signed in. */
  readonly id: string
  readonly name: string
  readonly note: string | undefined
  readonly permissions: { has(name: string): boolean }
}

const NOBODY: SessionInfo = { id: '', name: '', note: undefined, permissions: new Set() }

export const SessionContext = createContext<SessionInfo>(NOBODY)

export function useSession(): SessionInfo {
  return useContext(SessionContext)
}

/** The question who is signed in, as the first thing that the console asks. */
export const SESSION_QUERY = {
  queryKey: ['session'],
  queryFn: ({ signal }: { readonly signal: AbortSignal }) => call('showSession', { signal }),
  retry: false,
  retryOnMount: false,
  staleTime: 30_000,
} as const
