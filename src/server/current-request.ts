// Which request the code that runs now works for, so that every log line of it carries the request's id without being handed it. The one piece of
// context that is not passed on: nothing is decided by it.
import { AsyncLocalStorage } from 'node:async_hooks'

const requests = new AsyncLocalStorage<string>()

/** Runs `work`, and all that it waits for, as part of the request. */
export function withRequest<T>(id: string, work: () => T): T {
  return requests.run(id, work)
}

/** `undefined` outside of requests: jobs, start and stop. */
export function currentRequest(): string | undefined {
  return requests.getStore()
}
