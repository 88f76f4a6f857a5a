// Keys that work everywhere: a letter, or two one after the other (`g d`). While somebody types they are letters and nothing else.
import { useEffect } from 'react'

const SEQUENCE_MS = 1200

export type Shortcuts = Readonly<Record<string, () => void>>

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  )
}

export function useShortcuts(shortcuts: Shortcuts): void {
  useEffect(() => {
    let first = ''
    let since = 0
    const onKey = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        shortcuts['mod+k']?.()
        return
      }
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return
      if (document.querySelector('[role="dialog"]')) return
      const sequence = performance.now() - since < SEQUENCE_MS ? `${first} ${event.key}` : event.key
      const act = shortcuts[sequence] ?? shortcuts[event.key]
      first = event.key
      since = performance.now()
      if (!act) return
      event.preventDefault()
      first = ''
      act()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [shortcuts])
}
