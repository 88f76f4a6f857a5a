// Routes that have replies ready, found by the beginning of the request target: a few, so that looking is cheap for all other requests too.
import type { Route } from '../protocols/http.ts'

export interface FoundReady {
  readonly route: Route
  /** What stands in the place of the pattern's final `*`, as it was sent. */
  readonly rest: string
}

export class ReadyReplies {
  readonly #exact = new Map<string, Route>()
  readonly #open: readonly { readonly prefix: string; readonly route: Route }[]

  /** Throws at start for a route that must not answer so: one that authenticates, takes a body or has parameters. */
  constructor(routes: readonly Route[]) {
    const open: { prefix: string; route: Route }[] = []
    for (const route of routes) {
      if (route.ready === undefined) continue
      if (route.method !== 'GET' || route.door !== 'public' || route.pattern.includes(':')) {
        throw new Error(`${route.method} ${route.pattern} cannot have ready replies.`)
      }
      if (route.pattern.endsWith('/*')) open.push({ prefix: route.pattern.slice(0, -1), route })
      else this.#exact.set(route.pattern, route)
    }
    this.#open = open
  }

  /** By the request target, which a client may have spelled otherwise: then the router finds the route. */
  find(target: string): FoundReady | undefined {
    for (const { prefix, route } of this.#open) {
      if (target.startsWith(prefix)) return { route, rest: target.slice(prefix.length) }
    }
    const route = this.#exact.get(target)
    return route && { route, rest: '' }
  }
}
