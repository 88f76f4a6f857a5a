// The template language of profiles: literal text and `{placeholders}`, `{{` and `}}` for braces. It has no operators, no functions
// and no loops on purpose: what a certificate will say can be read off the profile.
import { TouchmarkError } from '../../core/errors.ts'

/** What placeholders stand for. A value that is absent or empty is missing. */
export interface TemplateValues {
  readonly device: {
    readonly id: string
    readonly model: string
    readonly serialNumber: string
    readonly labels: Readonly<Record<string, string>>
  } | null
  /** Subject attributes of the request that the profile lets in, by the name that the profile gives them. */
  readonly request: Readonly<Record<string, string>>
  /** What the platform says about a certificate of its own. */
  readonly fields: Readonly<Record<string, string>>
  readonly settings: { readonly organization: string; readonly hardwareType: string }
}

export interface Template {
  readonly source: string
  /** The placeholders, in order, each once. */
  readonly placeholders: readonly string[]
  /** The text, or the name of the first placeholder that has no value. */
  expand(values: TemplateValues): Expansion
}

export type Expansion = { readonly text: string } | { readonly missing: string }

type Part = string | { readonly name: string; readonly read: Read }
type Read = (values: TemplateValues) => string | undefined

/** Characters in one template, and in what it may expand to. */
export const MAX_TEMPLATE = 512
export const MAX_EXPANSION = 4096

const LABEL = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/

/** Throws `profile.template_invalid`: an unknown placeholder, an open brace, a template that is too long. */
export function parseTemplate(source: string): Template {
  if (source.length === 0 || source.length > MAX_TEMPLATE) throw invalid(`must have 1 to ${MAX_TEMPLATE} characters`)
  const parts = splitTemplate(source)
  const placeholders = [...new Set(parts.flatMap(part => (typeof part === 'string' ? [] : [part.name])))]
  const [only] = parts
  if (parts.length === 1 && typeof only === 'string') {
    const expansion = { text: only }
    return { source, placeholders, expand: () => expansion }
  }
  return { source, placeholders, expand: values => expandParts(parts, values) }
}

function splitTemplate(source: string): Part[] {
  const parts: Part[] = []
  let literal = ''
  for (let at = 0; at < source.length; ) {
    const char = source[at]!
    if ((char === '{' || char === '}') && source[at + 1] === char) {
      literal += char
      at += 2
    } else if (char === '}') {
      throw invalid('has a closing brace without an opening one; write }} for a brace')
    } else if (char === '{') {
      const end = source.indexOf('}', at)
      if (end < 0) throw invalid('has an opening brace without a closing one; write {{ for a brace')
      const name = source.slice(at + 1, end)
      if (literal) parts.push(literal)
      literal = ''
      parts.push({ name, read: reader(name) })
      at = end + 1
    } else {
      literal += char
      at++
    }
  }
  if (literal) parts.push(literal)
  return parts
}

function expandParts(parts: readonly Part[], values: TemplateValues): Expansion {
  let text = ''
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part
      continue
    }
    const value = part.read(values)
    if (value === undefined || value === '') return { missing: part.name }
    text += value
  }
  if (text.length > MAX_EXPANSION) {
    throw new TouchmarkError(
      'profile.value_too_long',
      'malformed',
      `A value of the certificate is longer than ${MAX_EXPANSION} characters.`,
    )
  }
  return { text }
}

/** What a placeholder reads: a closed list, own properties only. */
function reader(name: string): Read {
  const [root, ...rest] = name.split('.')
  const [first, second] = rest
  if (rest.length === 1 && first !== undefined) {
    switch (root) {
      case 'device':
        if (first === 'serialNumber' || first === 'model' || first === 'id') return values => values.device?.[first]
        break
      case 'settings':
        if (first === 'organization' || first === 'hardwareType') return values => values.settings[first]
        break
      case 'request':
      case 'fields':
        if (LABEL.test(first)) return values => own(values[root], first)
        break
    }
  }
  if (root === 'device' && first === 'labels' && rest.length === 2 && second !== undefined && LABEL.test(second)) {
    return values => (values.device ? own(values.device.labels, second) : undefined)
  }
  throw invalid(
    `has the unknown placeholder {${name}}; there are device.serialNumber, device.model, device.id, device.labels.NAME, ` +
      'request.ATTRIBUTE, fields.NAME, settings.organization and settings.hardwareType',
  )
}

function own(record: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

function invalid(message: string): TouchmarkError {
  return new TouchmarkError('profile.template_invalid', 'malformed', message)
}
