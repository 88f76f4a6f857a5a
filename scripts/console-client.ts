// Writes console/src/api/schema.ts: the operations of the OpenAPI document as types. `node scripts/console-client.ts`, after an endpoint has
// changed; test/console/client.test.ts fails where the two differ.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** As much of JSON Schema as the document uses. */
interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly prefixItems?: readonly Schema[]
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>
}

interface Operation {
  readonly operationId: string
  readonly summary?: string
  readonly parameters?: readonly {
    readonly $ref?: string
    readonly in?: string
    readonly name?: string
    readonly required?: boolean
    readonly schema?: Schema
  }[]
  readonly requestBody?: Content
  readonly responses: Readonly<Record<string, Content>>
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly components?: {
    readonly schemas?: Readonly<Record<string, Schema>>
    readonly parameters?: Readonly<Record<string, NonNullable<Operation['parameters']>[number]>>
  }
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const

/** The whole file, in the order of the document. */
export function clientTypes(document: OpenApiDocument): string {
  const schemas = Object.entries(document.components?.schemas ?? {})
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap(method => {
      const operation = item[method] as Operation | undefined
      return operation ? [{ path, method, operation }] : []
    }),
  )
  return [
    '// Made from the OpenAPI document by scripts/console-client.ts: change the endpoints, not this file.',
    '',
    ...schemas.map(([name, schema]) => `export type ${typeName(name)} = ${typeOf(schema)}\n`),
    'export interface Operations {',
    ...operations.map(({ operation }) => operationType(operation, document)),
    '}',
    '',
    'export const OPERATIONS = {',
    ...operations.map(
      ({ path, method, operation }) =>
        `  ${operation.operationId}: ['${method.toUpperCase()}', '${path.replace(/^\/api\/v1/, '')}'],`,
    ),
    '} as const satisfies Record<keyof Operations, readonly [string, string]>',
    '',
  ].join('\n')
}

function operationType(operation: Operation, document: OpenApiDocument): string {
  const shared = document.components?.parameters ?? {}
  const parameters = (operation.parameters ?? []).map(parameter =>
    parameter.$ref ? shared[lastSegment(parameter.$ref)]! : parameter,
  )
  const group = (where: string) => {
    const members = parameters.filter(parameter => parameter.in === where)
    if (members.length === 0) return 'Record<never, never>'
    const fields = members.map(
      ({ name, required, schema }) =>
        `${memberName(name!)}${required ? '' : '?'}: ${typeOf(schema ?? {})}${required ? '' : ' | undefined'}`,
    )
    return `{ ${fields.join('; ')} }`
  }
  const body = operation.requestBody ? contentType(operation.requestBody) : 'undefined'
  const success = Object.entries(operation.responses).filter(([status]) => status.startsWith('2'))
  const answers = new Set(success.map(([, response]) => (response.content ? contentType(response) : 'undefined')))
  return [
    `  ${operation.operationId}: {`,
    `    params: ${group('path')}`,
    `    query: ${group('query')}`,
    `    body: ${body}`,
    `    answer: ${[...answers].join(' | ') || 'undefined'}`,
    '  }',
  ].join('\n')
}

function contentType({ content = {} }: Content): string {
  const types = Object.entries(content).map(([mediaType, { schema }]) => {
    if (mediaType === 'application/json' && schema) return typeOf(schema)
    return mediaType === 'application/json' ? 'unknown' : 'Blob'
  })
  return [...new Set(types)].join(' | ') || 'undefined'
}

function typeOf(schema: Schema): string {
  if (schema.$ref) return typeName(lastSegment(schema.$ref))
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map(value => JSON.stringify(value)).join(' | ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return choices.map(each => grouped(typeOf(each))).join(' | ')
  if (schema.allOf) return schema.allOf.map(each => grouped(typeOf(each))).join(' & ')
  const types = schema.type === undefined ? [] : [schema.type].flat()
  if (types.length > 1) return types.map(type => typeOf({ ...schema, type })).join(' | ')
  switch (types[0]) {
    case 'string':
      return 'string'
    case 'integer':
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'null':
      return 'null'
    case 'array':
      if (schema.prefixItems) return `readonly [${schema.prefixItems.map(typeOf).join(', ')}]`
      return `readonly ${grouped(typeOf(schema.items ?? {}))}[]`
    case 'object':
      return objectType(schema)
    default:
      return 'unknown'
  }
}

function objectType({ properties = {}, required = [], additionalProperties }: Schema): string {
  const members = Object.entries(properties).map(([name, schema]) => {
    const optional = required.includes(name) ? '' : '?'
    return `${memberName(name)}${optional}: ${typeOf(schema)}${optional && ' | undefined'}`
  })
  if (members.length > 0) return `{ ${members.join('; ')} }`
  const values = typeof additionalProperties === 'object' ? typeOf(additionalProperties) : 'unknown'
  return `Readonly<Record<string, ${values}>>`
}

const lastSegment = (reference: string) => reference.slice(reference.lastIndexOf('/') + 1)
const typeName = (name: string) => name.replaceAll(/[^A-Za-z0-9]/g, '_')
const memberName = (name: string) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`)
const grouped = (type: string) => (/ [|&] /.test(type) || type.startsWith('readonly ') ? `(${type})` : type)

export const CLIENT_TYPES = join(import.meta.dirname, '../console/src/api/schema.ts')

/** What stands in the file when it is up to date. The endpoints are described, never called: they get no store. */
export async function wantedClientTypes(): Promise<string> {
  const { apiDocument } = await import('../src/protocols/api/routes.ts')
  return clientTypes(JSON.parse(JSON.stringify(apiDocument('0'))) as OpenApiDocument)
}

if (import.meta.main) {
  writeFileSync(CLIENT_TYPES, await wantedClientTypes())
  spawnSync('biome', ['format', '--write', CLIENT_TYPES], { stdio: 'inherit' })
}
