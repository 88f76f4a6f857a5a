// From the text of a query and the octets of a body to values that the endpoint's schemas accept, with every problem named at once.
import type { z } from 'zod'
import { fromUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { HttpRequest } from '../http.ts'

/** One thing that is wrong with a request. */
export interface RequestProblem {
  readonly in: 'path' | 'query' | 'body'
  /** Dotted; empty for the whole. */
  readonly path: string
  readonly message: string
}

/** `api.request_invalid`, with its problems for the answer. */
export class InvalidRequest extends TouchmarkError {
  readonly problems: readonly RequestProblem[]

  constructor(problems: readonly RequestProblem[]) {
    const lines = problems.map(({ in: where, path, message }) => `${path || where}: ${message}`)
    super('api.request_invalid', 'malformed', `The request has ${counted(problems.length)}. ${lines.join('; ')}`, {
      next: 'The OpenAPI document says what each endpoint takes: /api/v1/openapi.json',
    })
    this.problems = problems
  }
}

const counted = (count: number) => (count === 1 ? 'one problem' : `${count} problems`)

/** Problems that an answer names; a hostile body could have thousands. */
const MAX_PROBLEMS = 50

/** Throws `api.request_invalid`. */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where: RequestProblem['in'],
): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new InvalidRequest(
    result.error.issues
      .slice(0, MAX_PROBLEMS)
      .map(({ path, message }) => ({ in: where, path: path.map(String).join('.'), message })),
  )
}

/** What JSON Schema says of one parameter of a query. */
export interface ParameterType {
  readonly type?: string
  readonly items?: { readonly type?: string }
}

/** Text as the types that the schema has: whole numbers, truth values, and lists where a name is repeated. What does not fit stays text. */
export function queryValues(
  query: URLSearchParams,
  types: Readonly<Record<string, ParameterType>>,
): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const name of new Set(query.keys())) {
    const all = query.getAll(name)
    const type = Object.hasOwn(types, name) ? types[name] : undefined
    if (type?.type === 'array') values[name] = all.map(text => typed(text, type.items?.type))
    else values[name] = all.length === 1 ? typed(all[0]!, type?.type) : all
  }
  return values
}

function typed(text: string, type: string | undefined): unknown {
  if ((type === 'integer' || type === 'number') && /^-?\d{1,15}(?:\.\d{1,9})?$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

/** The JSON of the body; `undefined` where there is none. Throws `api.content_type`, `api.body_not_json`. */
export function readJsonBody({ headers, body }: HttpRequest): unknown {
  if (body.length === 0) return undefined
  const given = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (given !== 'application/json') {
    throw new TouchmarkError('api.content_type', 'malformed', 'The body must be application/json.', {
      next: 'Send the header Content-Type: application/json.',
    })
  }
  try {
    return JSON.parse(fromUtf8(body))
  } catch (cause) {
    throw new TouchmarkError('api.body_not_json', 'malformed', 'The body is not JSON in UTF-8.', { cause })
  }
}
