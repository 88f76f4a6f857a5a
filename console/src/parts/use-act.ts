// An act by one click: it is done, it is said that it was done or why not, and what is on the screen is asked for anew.
import { useQueryClient } from '@tanstack/react-query'
import { complain, say } from './toasts.tsx'

export type RunAct = (act: () => Promise<unknown>, done: string) => Promise<void>

export function useAct(): RunAct {
  const queries = useQueryClient()
  return async (act, done) => {
    try {
      await act()
      say(done)
    } catch (thrown) {
      complain(thrown)
    }
    await queries.invalidateQueries()
  }
}
