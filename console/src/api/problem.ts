// What went wrong, in the words of the API (RFC 9457): a stable code, a sentence, and what can be done next.
export interface ProblemFields {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly next: string | undefined
  readonly requestId: string | undefined
}

export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  readonly code: string
  readonly next: string | undefined
  readonly requestId: string | undefined

  constructor(fields: ProblemFields) {
    super(fields.detail)
    this.status = fields.status
    this.code = fields.code
    this.next = fields.next
    this.requestId = fields.requestId
  }
}

/** The problem that a reply describes; a reply that describes none becomes one with the code of its status. */
export async function problemOf(response: Response): Promise<Problem> {
  const requestId = response.headers.get('x-request-id') ?? undefined
  let members: Record<string, unknown> = {}
  if (response.headers.get('content-type')?.startsWith('application/problem+json')) {
    members = (await response.json().catch(() => ({}))) as Record<string, unknown>
  }
  const text = (name: string) => (typeof members[name] === 'string' ? (members[name] as string) : undefined)
  return new Problem({
    status: response.status,
    code: text('code') ?? `http.${response.status}`,
    detail: text('detail') ?? text('title') ?? `The server answered ${response.status}.`,
    next: text('next'),
    requestId,
  })
}

/** Anything that was thrown while asking: the network's failures have a code too. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  const detail = thrown instanceof Error ? thrown.message : String(thrown)
  const offline = thrown instanceof TypeError && /fetch|network/i.test(detail)
  return new Problem({
    status: 0,
    code: offline ? 'console.server_unreachable' : 'console.unexpected',
    detail: offline ? 'The server does not answer.' : detail,
    next: offline ? 'Check that it runs and that this machine reaches it; the page tries again by itself.' : undefined,
    requestId: undefined,
  })
}
