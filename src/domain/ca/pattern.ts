// Patterns for what a request may bring into a certificate: literal text, `*`, `**` and {placeholders}. Matching takes time in proportion
// to the text and the pattern, so that neither a careless operator nor a stranger can make it slow; regular expressions could not promise that.
import { parseTemplate, type Template, type TemplateValues } from './template.ts'

export interface Pattern {
  readonly source: string
  readonly placeholders: readonly string[]
  /** False also where a placeholder has no value. Placeholders stand for themselves: a `*` in a serial number is no wildcard. */
  matches(text: string, values: TemplateValues): boolean
}

type Token = { readonly kind: 'text'; readonly template: Template } | { readonly kind: 'segment' | 'any' }

/** What `*` does not reach across: labels of names, segments of paths, sides of addresses. */
const SEPARATORS = './@:'

/** Throws `profile.template_invalid`. */
export function parsePattern(source: string, options: { readonly ignoreCase?: boolean } = {}): Pattern {
  const tokens = tokenize(source)
  const fold = options.ignoreCase ? (text: string) => text.toLowerCase() : (text: string) => text
  return {
    source,
    placeholders: tokens.flatMap(token => (token.kind === 'text' ? token.template.placeholders : [])),
    matches(text, values) {
      const subject = fold(text)
      let ends = [0]
      for (const token of tokens) {
        if (token.kind === 'text') {
          const expansion = token.template.expand(values)
          if ('missing' in expansion) return false
          const literal = fold(expansion.text)
          ends = ends.filter(at => subject.startsWith(literal, at)).map(at => at + literal.length)
        } else {
          ends = reachable(subject, ends, token.kind)
        }
        if (ends.length === 0) return false
      }
      return ends.includes(subject.length)
    },
  }
}

function tokenize(source: string): Token[] {
  return source
    .split(/(\*+)/)
    .filter(piece => piece !== '')
    .map(piece =>
      piece === '*'
        ? { kind: 'segment' }
        : piece.startsWith('*')
          ? { kind: 'any' }
          : { kind: 'text', template: parseTemplate(piece) },
    )
}

/** Every end of one or more characters that a wildcard may take from any of the starts (sorted, each once). */
function reachable(subject: string, starts: readonly number[], kind: 'segment' | 'any'): number[] {
  const ends: number[] = []
  let open = false
  let next = 0
  for (let at = 0; at < subject.length; at++) {
    if (starts[next] === at) {
      open = true
      next++
    }
    if (kind === 'segment' && SEPARATORS.includes(subject[at]!)) open = false
    if (open) ends.push(at + 1)
  }
  return ends
}
