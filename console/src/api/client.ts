// The only way from the console to the server: one function, typed by the operations of the OpenAPI document (schema.ts).
import { isAttended } from './attended.ts'
import { problemOf } from './problem.ts'
import { OPERATIONS, type Operations } from './schema.ts'

export type OperationId = keyof Operations
export type Answer<K extends OperationId> = Operations[K]['answer']
export type Item<K extends OperationId> = Answer<K> extends { readonly items: readonly (infer T)[] } ? T : never

/** Members that the operation has none of may be left out. */
export interface Input<K extends OperationId> {
  readonly params?: Operations[K]['params']
  readonly query?: Operations[K]['query']
  readonly body?: Operations[K]['body']
  /** Entity tag of what is edited; `new` where the thing is made. */
  readonly version?: number | 'new'
  readonly signal?: AbortSignal
  /** For a retry of the same act; a new one where it is absent. */
  readonly idempotencyKey?: string
}

const BASE = '/api/v1'

/** Throws `Problem`. An answer in octets is a `Blob`, one without a body `undefined`. */
export async function call<K extends OperationId>(id: K, input: Input<K> = {}): Promise<Answer<K>> {
  const response = await send(id, input)
  if (response.status === 204) return undefined as unknown as Answer<K>
  const type = response.headers.get('content-type') ?? ''
  return (type.startsWith('application/json') ? await response.json() : await response.blob()) as Answer<K>
}

/** As `call`, with the version of the thing that came back, for a later edit. */
export async function callVersioned<K extends OperationId>(
  id: K,
  input: Input<K> = {},
): Promise<{ readonly value: Answer<K>; readonly version: number }> {
  const response = await send(id, input)
  const tag = /^"(\d+)"$/.exec(response.headers.get('etag') ?? '')
  return { value: (await response.json()) as Answer<K>, version: Number(tag?.[1] ?? 0) }
}

/** Address of an operation, for links and downloads that the browser does by itself. */
export function addressOf<K extends OperationId>(id: K, input: Pick<Input<K>, 'params' | 'query'> = {}): string {
  const [, path] = OPERATIONS[id]
  const filled = path.replaceAll(/\{([A-Za-z]+)\}/g, (_, name: string) =>
    encodeURIComponent(String((input.params as Record<string, unknown> | undefined)?.[name] ?? '')),
  )
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries((input.query ?? {}) as Record<string, unknown>)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== '') query.append(name, String(each))
    }
  }
  const text = query.toString()
  return BASE + filled + (text ? `?${text}` : '')
}

async function send<K extends OperationId>(id: K, input: Input<K>): Promise<Response> {
  const [method] = OPERATIONS[id]
  const headers: Record<string, string> = { accept: 'application/json, application/problem+json, */*;q=0.5' }
  let body: BodyInit | undefined
  if (!isAttended()) headers['x-touchmark-unattended'] = '1'
  if (method !== 'GET') {
    // A page of another origin cannot set it.
    headers['x-touchmark-csrf'] = '1'
    headers['idempotency-key'] = input.idempotencyKey ?? crypto.randomUUID()
  }
  if (input.version === 'new') headers['if-none-match'] = '*'
  else if (input.version !== undefined) headers['if-match'] = `"${input.version}"`
  const given: unknown = input.body
  if (given instanceof Blob || given instanceof Uint8Array || typeof given === 'string') {
    headers['content-type'] = given instanceof Blob && given.type ? given.type : 'application/octet-stream'
    body = given as BodyInit
  } else if (given !== undefined) {
    headers['content-type'] = 'application/json'
    body = JSON.stringify(given)
  }
  const response = await fetch(addressOf(id, input), {
    method,
    headers,
    credentials: 'same-origin',
    cache: 'no-store',
    ...(body === undefined ? {} : { body }),
    ...(input.signal ? { signal: input.signal } : {}),
  })
  if (!response.ok) throw await problemOf(response)
  return response
}
