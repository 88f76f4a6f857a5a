// Holds answers against the OpenAPI document: the part of JSON Schema that ours uses, read strictly. And draws requests from it, good and bad.
import fc from 'fast-check'

export interface Schema {
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
  readonly pattern?: string
  readonly format?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly minimum?: number
  readonly maximum?: number
}

export interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly schema: Schema
}

export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly 'x-permission': string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

export interface Route {
  readonly path: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly operation: Operation
}

export function routesOf(document: OpenApi): Route[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      path,
      method: method.toUpperCase() as Route['method'],
      operation,
    })),
  )
}

/** What is wrong with the value, each with its path. */
export function problemsOf(value: unknown, schema: Schema, document: OpenApi, at = ''): string[] {
  if (schema.$ref !== undefined) return problemsOf(value, referred(schema.$ref, document), document, at)
  const options = schema.anyOf ?? schema.oneOf
  if (options !== undefined) {
    const all = options.map(option => problemsOf(value, option, document, at))
    return all.some(problems => problems.length === 0) ? [] : all.flat()
  }
  const problems = (schema.allOf ?? []).flatMap(part => problemsOf(value, part, document, at))
  if (schema.const !== undefined && value !== schema.const) problems.push(`${at}: is not ${String(schema.const)}`)
  if (schema.enum !== undefined && !schema.enum.includes(value))
    problems.push(`${at}: ${String(value)} is not of the list`)
  const types = schema.type === undefined ? [] : [schema.type].flat()
  if (types.length > 0 && !types.some(type => isOf(type, value))) {
    return [...problems, `${at}: ${JSON.stringify(value)?.slice(0, 40)} is not ${types.join(' or ')}`]
  }
  if (Array.isArray(value)) {
    const { items } = schema
    if (items) problems.push(...value.flatMap((item, i) => problemsOf(item, items, document, `${at}/${i}`)))
  } else if (typeof value === 'object' && value !== null) {
    const { properties = {}, required = [], additionalProperties } = schema
    for (const name of required) if (!Object.hasOwn(value, name)) problems.push(`${at}/${name}: is missing`)
    for (const [name, inner] of Object.entries(value)) {
      const known = Object.hasOwn(properties, name) ? properties[name] : undefined
      if (known) problems.push(...problemsOf(inner, known, document, `${at}/${name}`))
      else if (additionalProperties === false) problems.push(`${at}/${name}: is not described`)
      else if (typeof additionalProperties === 'object')
        problems.push(...problemsOf(inner, additionalProperties, document, `${at}/${name}`))
    }
  }
  return problems
}

function isOf(type: string, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}

function referred(reference: string, document: OpenApi): Schema {
  const found = document.components.schemas[reference.replace('#/components/schemas/', '')]
  if (found === undefined) throw new Error(`${reference} leads nowhere`)
  return found
}

/** Values that fit the schema, and among them some that do not. */
export function drawn(schema: Schema, document: OpenApi, depth = 0): fc.Arbitrary<unknown> {
  if (depth > 4) return fc.constant(null)
  return fc.oneof({ weight: 9, arbitrary: fitting(schema, document, depth) }, { weight: 1, arbitrary: HOSTILE })
}

const HOSTILE: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom('', '\0', '\ud800', '../../etc/passwd', "' OR 1=1 --", '💥'.repeat(100), 'a'.repeat(2000)),
  fc.constantFrom(-1, 0, 1e308, Number.MAX_SAFE_INTEGER, 2 ** 53, 0.5),
  fc.constantFrom(null, true, [], {}, { __proto__: null, constructor: 1 }, [[[[]]]]),
  fc.jsonValue({ maxDepth: 2 }),
)

function fitting(schema: Schema, document: OpenApi, depth: number): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return fitting(referred(schema.$ref, document), document, depth)
  const options = schema.anyOf ?? schema.oneOf
  if (options !== undefined) return fc.oneof(...options.map(option => drawn(option, document, depth + 1)))
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  const [type = 'object'] = [schema.type ?? []].flat()
  switch (type) {
    case 'string':
      if (schema.format === 'date-time') return fc.constantFrom('2031-01-01T00:00:00Z', '0001-01-01T00:00:00Z')
      if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern.replaceAll('\\p{', 'p{')))
      return fc.oneof(
        fc.constantFrom('idevid', 'ldevid', 'sensor-9', 'acme', 'P-256', 'old', 'idevid-1', 'default'),
        fc.string({ minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 40, 40) }),
      )
    case 'integer':
    case 'number':
      return fc.integer({ min: schema.minimum ?? -1000, max: Math.min(schema.maximum ?? 1e9, 1e9) })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'array':
      return fc.array(drawn(schema.items ?? {}, document, depth + 1), { minLength: schema.minItems ?? 0, maxLength: 3 })
    default: {
      const entries = Object.entries(schema.properties ?? {})
      const fields = Object.fromEntries(entries.map(([name, inner]) => [name, drawn(inner, document, depth + 1)]))
      const required = (schema.required ?? []).filter(name => Object.hasOwn(fields, name))
      return fc.record(fields, { requiredKeys: required as never[] })
    }
  }
}
