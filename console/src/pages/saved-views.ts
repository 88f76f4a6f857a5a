// Views that a person keeps for themselves, in this browser: a name and the question in the address. What a team shares is a group.
import { useSyncExternalStore } from 'react'

export interface SavedView {
  readonly name: string
  /** Query of the address. */
  readonly query: string
}

const KEY = 'touchmark.device-views'
const MAX_VIEWS = 20
const listeners = new Set<() => void>()
let read: { readonly text: string; readonly views: readonly SavedView[] } = { text: '', views: [] }

function views(): readonly SavedView[] {
  const text = localStorage.getItem(KEY) ?? ''
  if (text !== read.text) read = { text, views: parse(text) }
  return read.views
}

/** What another version wrote, or somebody by hand, is no reason to fail. */
function parse(text: string): SavedView[] {
  try {
    const found: unknown = JSON.parse(text)
    if (!Array.isArray(found)) return []
    return found.flatMap(each => {
      const { name, query } = (each ?? {}) as Partial<SavedView>
      return typeof name === 'string' && typeof query === 'string' ? [{ name, query }] : []
    })
  } catch {
    return []
  }
}

function put(next: readonly SavedView[]): void {
  localStorage.setItem(KEY, JSON.stringify(next))
  for (const listener of listeners) listener()
}

export function useSavedViews(): readonly SavedView[] {
  return useSyncExternalStore(listener => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }, views)
}

/** The oldest goes where there are too many; the same name is the same view. */
export function saveView(view: SavedView): void {
  put([...views().filter(({ name }) => name !== view.name), view].slice(-MAX_VIEWS))
}

export function removeView(name: string): void {
  put(views().filter(each => each.name !== name))
}
