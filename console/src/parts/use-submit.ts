// A form that is sent: busy meanwhile, what went wrong beside it, and a note when it is done.
import { useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { say } from './toasts.tsx'

export interface Submit {
  readonly busy: boolean
  /** What the last try threw; `undefined` after one that worked. */
  readonly thrown: unknown
  readonly submit: (event: FormEvent) => void
}

/** `run` answers what is to be said; everything on the screen is asked for anew afterwards. */
export function useSubmit(run: () => Promise<string>): Submit {
  const queries = useQueryClient()
  const [busy, setBusy] = useState(false)
  const [thrown, setThrown] = useState<unknown>()
  const send = async () => {
    setBusy(true)
    setThrown(undefined)
    try {
      say(await run())
    } catch (caught) {
      setThrown(caught)
    } finally {
      setBusy(false)
    }
    await queries.invalidateQueries()
  }
  return {
    busy,
    thrown,
    submit: event => {
      event.preventDefault()
      void send()
    },
  }
}
