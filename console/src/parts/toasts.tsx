// Short notes on what was done or went wrong. They are read out, do not take the focus, and a failure stays until it is dismissed.
import { useSyncExternalStore } from 'react'
import { asProblem } from '../api/problem.ts'
import { texts } from '../texts/texts.ts'
import { Icon } from './icon.tsx'

interface Toast {
  readonly id: number
  readonly tone: 'ok' | 'bad'
  readonly text: string
  readonly more?: string | undefined
}

const SHOWN_MS = 6000
let toasts: readonly Toast[] = []
let next = 1
const listeners = new Set<() => void>()

function set(changed: readonly Toast[]): void {
  toasts = changed
  for (const listener of listeners) listener()
}

function dismiss(id: number): void {
  set(toasts.filter(toast => toast.id !== id))
}

/** Says that something was done. */
export function say(text: string): void {
  const id = next++
  set([...toasts, { id, tone: 'ok', text }])
  setTimeout(() => dismiss(id), SHOWN_MS)
}

/** Says what went wrong and what to do about it. */
export function complain(thrown: unknown): void {
  const problem = asProblem(thrown)
  set([...toasts, { id: next++, tone: 'bad', text: problem.message, more: problem.next ?? problem.code }])
}

export function Toasts() {
  const shown = useSyncExternalStore(
    listener => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    () => toasts,
  )
  return (
    <section className="tm-toasts" aria-live="polite" aria-label={texts.toasts.title}>
      {shown.map(toast => (
        <div key={toast.id} className={`tm-toast tm-toast-${toast.tone}`}>
          <Icon name={toast.tone === 'ok' ? 'check' : 'error'} />
          <div>
            <div>{toast.text}</div>
            {toast.more && <div className="tm-dim">{toast.more}</div>}
          </div>
          <button type="button" onClick={() => dismiss(toast.id)} aria-label={texts.toasts.dismiss}>
            <Icon name="close" size={14} />
          </button>
        </div>
      ))}
    </section>
  )
}
