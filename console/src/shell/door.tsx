// Who comes in: somebody who is signed in sees the console, everybody else the door. A sign-in link (`/#link=…`) is taken out of the address
// before anything else, so that it stays in no history.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useState } from 'react'
import { call } from '../api/client.ts'
import { asProblem } from '../api/problem.ts'
import { SESSION_QUERY, SessionContext, type SessionInfo } from '../api/session.ts'
import { Skeleton } from '../parts/loading.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { texts } from '../texts/texts.ts'
import { LinkSignIn } from './link-sign-in.tsx'
import { Shell } from './shell.tsx'
import { SignIn } from './sign-in.tsx'

function takeLink(): string | undefined {
  const secret = /^#link=([A-Za-z0-9_-]{20,200})$/.exec(window.location.hash)?.[1]
  if (secret) window.history.replaceState(null, '', window.location.pathname + window.location.search)
  return secret
}

export function Door() {
  const queries = useQueryClient()
  const [link, setLink] = useState(takeLink)
  const session = useQuery({
    ...SESSION_QUERY,
    enabled: link === undefined,
    refetchInterval: query => (query.state.data ? 60_000 : false),
  })

  // A link that is pasted into a page which is open already changes nothing but the fragment.
  useEffect(() => {
    const look = () => setLink(before => takeLink() ?? before)
    window.addEventListener('hashchange', look)
    return () => window.removeEventListener('hashchange', look)
  }, [])

  // Whatever page asks and hears that nobody is signed in any more leads back to the door.
  useEffect(
    () =>
      queries.getQueryCache().subscribe(event => {
        if (event.type !== 'updated' || event.action.type !== 'error' || event.query.queryKey[0] === 'session') return
        if (asProblem(event.action.error).status === 401) void queries.resetQueries({ queryKey: ['session'] })
      }),
    [queries],
  )
  const enter = useCallback(() => {
    setLink(undefined)
    void queries.resetQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'link' })
  }, [queries])
  const leave = useCallback(() => {
    void call('signOut')
      .catch(() => undefined)
      .then(() => queries.resetQueries({ queryKey: ['session'] }))
      // Nothing of what was seen stays in the memory of the page.
      .then(() => queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' }))
  }, [queries])

  const caller = session.data
  const info = useMemo((): SessionInfo | undefined => {
    if (!caller) return undefined
    const granted = new Set<string>(caller.grants.flatMap(({ permissions }) => permissions))
    return { id: caller.id, name: caller.name, note: undefined, permissions: granted }
  }, [caller])

  if (link !== undefined) return <LinkSignIn secret={link} onDone={enter} />
  if (session.isError) {
    if (asProblem(session.error).status === 401) return <SignIn onDone={enter} />
    return (
      <main className="tm-door">
        <ProblemPanel thrown={session.error} retry={() => void session.refetch()} />
      </main>
    )
  }
  if (!info) {
    return (
      <main className="tm-door">
        <h1 className="tm-hidden">{texts.product}</h1>
        <Skeleton lines={3} />
      </main>
    )
  }
  return (
    <SessionContext value={info}>
      <Shell session={info} onLeave={leave} />
    </SessionContext>
  )
}
