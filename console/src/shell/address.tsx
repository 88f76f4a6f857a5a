// The address bar as state: which page, and which question it asks. Nothing that one would want to send to a colleague is kept elsewhere.
import { type AnchorHTMLAttributes, type MouseEvent, useCallback, useSyncExternalStore } from 'react'

const listeners = new Set<() => void>()

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  window.addEventListener('popstate', listener)
  return () => {
    listeners.delete(listener)
    window.removeEventListener('popstate', listener)
  }
}

/** Goes to a path of the console. `replace` leaves no step for the back button: filters that are being typed. */
export function navigate(to: string, { replace = false }: { replace?: boolean } = {}): void {
  if (to === window.location.pathname + window.location.search) return
  window.history[replace ? 'replaceState' : 'pushState'](null, '', to)
  for (const listener of listeners) listener()
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => window.location.pathname)
}

/** The query of the address, and a function that changes some of its members; `undefined` and the empty text remove one. */
export function useSearch(): [URLSearchParams, (change: Readonly<Record<string, string | undefined>>) => void] {
  const search = useSyncExternalStore(subscribe, () => window.location.search)
  const change = useCallback((members: Readonly<Record<string, string | undefined>>) => {
    const next = new URLSearchParams(window.location.search)
    for (const [name, value] of Object.entries(members)) {
      if (value === undefined || value === '') next.delete(name)
      else next.set(name, value)
    }
    const text = next.toString()
    navigate(window.location.pathname + (text ? `?${text}` : ''), { replace: true })
  }, [])
  return [new URLSearchParams(search), change]
}

export interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  readonly to: string
}

/** An anchor that stays in the page; with a modifier key it does what the browser does. */
export function Link({ to, onClick, ...rest }: LinkProps) {
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event)
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return
    event.preventDefault()
    navigate(to)
  }
  return <a href={to} onClick={follow} {...rest} />
}
