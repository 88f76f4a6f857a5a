// The OpenAPI 3.1 document of the API, made from the endpoints and nothing else: what it says is what the gate holds requests to.
import { z } from 'zod'
import { PERMISSIONS } from '../../domain/access/permissions.ts'
import { API_BASE, type Endpoint, TAGS } from './endpoint.ts'
import { gateQuery } from './gate.ts'
import { pageOf } from './views.ts'

type Json = Record<string, unknown>

const PROBLEM: Json = {
  type: 'object',
  description: 'A problem (RFC 9457). `code` is stable: scripts may rely on it.',
  required: ['title', 'status', 'code'],
  properties: {
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string' },
    detail: { type: 'string' },
    next: { type: 'string', description: 'What to do about it.' },
    requestId: { type: 'string' },
    evidence: { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean'] } },
    problems: {
      type: 'array',
      items: {
        type: 'object',
        required: ['in', 'path', 'message'],
        properties: { in: { type: 'string' }, path: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
}

/** The whole document. Throws where two endpoints have one id or path, or a schema cannot be written down. */
export function openApiDocument(endpoints: readonly Endpoint[], version: string): Json {
  const schemas: Json = { Problem: PROBLEM }
  const paths: Record<string, Json> = {}
  const ids = new Set<string>()
  for (const each of endpoints) {
    if (ids.has(each.id)) throw new Error(`Two endpoints are called ${each.id}`)
    ids.add(each.id)
    const path = `${API_BASE}${each.path.replaceAll(/:([A-Za-z]+)/g, '{$1}')}`
    const item = paths[path] ?? {}
    paths[path] = item
    const method = each.method.toLowerCase()
    if (item[method] !== undefined) throw new Error(`Two endpoints are at ${each.method} ${path}`)
    item[method] = operationOf(each, schemas)
  }
  const used = new Set(endpoints.map(({ tag }) => tag))
  return {
    openapi: '3.1.0',
    info: {
      title: 'Touchmark',
      version,
      description:
        'Everything that the console and the command line can do. Lists are paged by cursor; every write takes an Idempotency-Key; edits of ' +
        'documents take If-Match; errors are problems (RFC 9457) with stable codes.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: TAGS.filter(tag => used.has(tag)).map(name => ({ name })),
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-touchmark',
          description: 'The console’s. Writes send X-Touchmark-CSRF as well.',
        },
        token: { type: 'http', scheme: 'bearer', description: 'An API token.' },
        certificate: { type: 'mutualTLS', description: 'A client certificate of an operator.' },
      },
    },
  }
}

const SECURITY = [{ session: [] }, { token: [] }, { certificate: [] }]

function operationOf(each: Endpoint, schemas: Json): Json {
  const { method, permission, body } = each
  const write = method !== 'GET' && !each.question
  const query = each.query.extend(gateQuery(each))
  const parameters = [
    ...parametersOf(each.params, 'path', schemas),
    ...parametersOf(query, 'query', schemas),
    ...(write && permission !== 'public'
      ? [header('Idempotency-Key', 'A UUID: a repeated request gets the first one’s answer.')]
      : []),
    ...(each.edits
      ? [header('If-Match', 'The entity tag of the version that the edit builds on; If-None-Match: * to make it.')]
      : []),
  ]
  return {
    operationId: each.id,
    tags: [each.tag],
    summary: each.summary,
    ...(each.description === undefined ? {} : { description: each.description }),
    security: permission === 'public' ? [] : SECURITY,
    'x-permission': permission,
    ...(permission === 'public' || permission === 'signed-in'
      ? {}
      : {
          'x-permission-means': `Whoever has it may ${PERMISSIONS[permission].may}.`,
          'x-scoped': each.scoped === true,
        }),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(each.upload !== undefined
      ? {
          requestBody: { required: true, content: { [each.upload]: { schema: { type: 'string', format: 'binary' } } } },
        }
      : {}),
    ...(body !== undefined
      ? {
          requestBody: {
            required: !body.safeParse(undefined).success,
            content: { 'application/json': { schema: described(body, 'input', schemas) } },
          },
        }
      : {}),
    responses: responsesOf(each, schemas),
  }
}

function responsesOf(each: Endpoint, schemas: Json): Json {
  const problem = {
    description: 'A problem',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
  const good =
    each.answer !== undefined
      ? {
          description: 'Done',
          content: {
            'application/json': {
              schema: described(each.paged ? pageOf(each.answer) : each.answer, 'output', schemas),
            },
          },
        }
      : each.produces !== undefined
        ? { description: 'Done', content: { [each.produces]: { schema: { type: 'string', format: 'binary' } } } }
        : { description: 'Done' }
  const status = each.answer === undefined && each.produces === undefined ? '204' : '2XX'
  return { [status]: good, default: problem }
}

function parametersOf(schema: z.ZodObject, where: 'path' | 'query', schemas: Json): Json[] {
  const { properties = {}, required = [] } = described(schema, 'input', schemas) as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property
    return {
      name,
      in: where,
      required: where === 'path' || required.includes(name),
      ...(description === undefined ? {} : { description }),
      ...(rest['type'] === 'array' ? { style: 'form', explode: true } : {}),
      schema: rest,
    }
  })
}

function header(name: string, description: string): Json {
  return { name, in: 'header', required: false, description, schema: { type: 'string' } }
}

/** JSON Schema of a zod schema; what has an id becomes a component. */
function described(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const {
    $schema: _,
    $defs,
    ...made
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    reused: 'inline',
  }) as Json & { $defs?: Record<string, Json> }
  for (const [id, definition] of Object.entries($defs ?? {})) {
    const { $schema: _schema, id: _id, ...rest } = definition
    schemas[id] ??= pointed(rest)
  }
  const { id, ...rest } = made
  if (typeof id !== 'string') return pointed(rest) as Json
  schemas[id] ??= pointed(rest)
  return { $ref: `#/components/schemas/${id}` }
}

/** References into the components. */
function pointed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pointed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      name === '$ref' && typeof inner === 'string'
        ? inner.replace('#/$defs/', '#/components/schemas/')
        : pointed(inner),
    ]),
  )
}
