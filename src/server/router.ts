// From method and path to a route. Patterns are matched on the path as it was sent, segment by segment, and decoded afterwards:
// an encoded slash inside a segment is data, not structure. The one place that knows which door a route has.
import { TouchmarkError } from '../core/errors.ts'
import type { Route } from '../protocols/http.ts'

export interface Match {
  readonly route: Route
  /** Percent-decoded once. */
  readonly path: string
  readonly params: Readonly<Record<string, string>>
}

interface Compiled {
  readonly route: Route
  readonly segments: readonly string[]
  /** Takes the rest of the path as it is, slashes included. */
  readonly open: boolean
}

export interface Router {
  /**
   * Throws `http.path_invalid`, `http.not_found`, or `http.method_not_allowed` with the methods that are known here in the
   * evidence. HEAD is answered by GET's route.
   */
  find(method: string, rawPath: string): Match
}

/** Throws at start where two routes claim the same requests: an order between them would be a trap. */
export function createRouter(routes: readonly Route[]): Router {
  const exact = new Map<string, Route[]>()
  /** By their first segment, so that a request meets few; under null those whose first segment is a parameter. */
  const patterns = new Map<string | null, Compiled[]>()
  const seen = new Set<string>()
  for (const route of routes) {
    const shape = `${route.method} ${route.pattern.replaceAll(/:[A-Za-z]+/g, ':')}`
    if (seen.has(shape)) throw new Error(`Two routes claim ${route.method} ${route.pattern}`)
    seen.add(shape)
    if (!/[:*]/.test(route.pattern)) exact.set(route.pattern, [...(exact.get(route.pattern) ?? []), route])
    else {
      const compiled = compile(route)
      const first = literalFirst(compiled)
      patterns.set(first, [...(patterns.get(first) ?? []), compiled])
    }
  }
  // A literal segment is more exact than a parameter, a parameter more exact than the rest of the path.
  for (const some of patterns.values()) some.sort((a, b) => rank(b) - rank(a))
  const of = (first: string | undefined) => patterns.get(first ?? null) ?? []

  return {
    find(method, rawPath) {
      const wanted = method === 'HEAD' ? 'GET' : method
      const path = decode(rawPath)
      const allowed = new Set<string>()
      for (const route of exact.get(path) ?? []) {
        if (route.method === wanted) return { route, path, params: {} }
        allowed.add(route.method)
      }
      const segments = rawPath.split('/')
      for (const compiled of [...of(segments[1]), ...of(undefined)]) {
        const params = match(compiled, segments)
        if (!params) continue
        if (compiled.route.method === wanted) return { route: compiled.route, path, params }
        allowed.add(compiled.route.method)
      }
      if (allowed.size === 0) throw new TouchmarkError('http.not_found', 'not_found', 'There is nothing at this path.')
      throw new TouchmarkError('http.method_not_allowed', 'malformed', `This path does not take ${method}.`, {
        evidence: { allow: [...allowed].flatMap(each => (each === 'GET' ? ['GET', 'HEAD'] : [each])).join(', ') },
      })
    },
  }
}

function compile(route: Route): Compiled {
  const segments = route.pattern.split('/')
  const open = segments.at(-1) === '*'
  return { route, segments: open ? segments.slice(0, -1) : segments, open }
}

function literalFirst({ segments }: Compiled): string | null {
  const first = segments[1]
  return first === undefined || first.startsWith(':') ? null : first
}

function rank(compiled: Compiled): number {
  const literals = compiled.segments.filter(segment => !segment.startsWith(':')).length
  return literals * 4 + (compiled.open ? 0 : 2)
}

function match(compiled: Compiled, segments: readonly string[]): Record<string, string> | undefined {
  const { segments: wanted, open } = compiled
  if (open ? segments.length <= wanted.length : segments.length !== wanted.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, segment] of wanted.entries()) {
    if (segment.startsWith(':')) {
      if (segments[i] === '') return undefined
      params[segment.slice(1)] = decode(segments[i]!)
    } else if (segment !== segments[i]) return undefined
  }
  if (open) params['*'] = decode(segments.slice(wanted.length).join('/'))
  return params
}

function decode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new TouchmarkError('http.path_invalid', 'malformed', 'The path is not valid percent-encoded UTF-8.', {
      cause,
    })
  }
}
