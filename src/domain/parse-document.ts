// Documents that people edit (profiles, settings) become values through one door: every problem is reported together, each with its path.
import type { z } from 'zod'
import { TouchmarkError } from '../core/errors.ts'

/** One thing that is wrong with a document. `path` is dotted (`subject.0.CN`), empty for the document as a whole. */
export interface DocumentProblem {
  readonly path: string
  readonly message: string
}

/** Reads `json` with the schema. Throws `code` (kind malformed) with all problems, in `message` for people and in `evidence` by path. */
export function parseDocument<Schema extends z.ZodType>(
  schema: Schema,
  json: unknown,
  code: string,
  noun: string,
): z.output<Schema> {
  const result = schema.safeParse(json)
  if (result.success) return result.data
  throw documentError(
    code,
    noun,
    result.error.issues.map(issue => ({ path: issue.path.join('.'), message: issue.message })),
  )
}

/** The error for problems that were found by other means than the schema. */
export function documentError(code: string, noun: string, problems: readonly DocumentProblem[]): TouchmarkError {
  const lines = problems.map(({ path, message }) => `${path || 'document'}: ${message}`)
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  return new TouchmarkError(code, 'malformed', `The ${noun} has ${count}. ${lines.join('; ')}`, {
    next: 'Correct these and try again; nothing was changed.',
    evidence: Object.fromEntries(problems.map(({ path, message }) => [path || 'document', message])),
  })
}
