// Documents that operators edit (profiles, rules, trust anchors, settings) from the command line: read from a file, checked whole,
// stored as the next version together with its audit entry.
import { readFile } from 'node:fs/promises'
import { text as wholeText } from 'node:stream/consumers'
import { TouchmarkError } from '../core/errors.ts'
import type { AuditAction } from '../domain/audit/actions.ts'
import type { DocumentVersion } from '../domain/document.ts'
import type { Store } from '../domain/ports.ts'
import { putDocument as putVersion } from '../domain/put-document.ts'
import { usageError } from './command.ts'
import { OPERATOR } from './operator.ts'

/** Rule sets and trust anchor lists of a large instance; a profile has a few kilobytes. */
const MAX_DOCUMENT = 4 * 1024 * 1024

/** The JSON of a file; `-` is standard input. Throws `usage.invalid`, `document.not_json`. */
export async function readJsonFile(file: string): Promise<unknown> {
  let text: string
  try {
    // /dev/stdin cannot be opened where standard input is a socket, as it is under many supervisors.
    text = file === '-' ? await wholeText(process.stdin) : await readFile(file, 'utf8')
  } catch (cause) {
    throw usageError(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown'}).`)
  }
  if (text.length > MAX_DOCUMENT) throw usageError(`${file} is too large.`)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new TouchmarkError('document.not_json', 'malformed', `${file} is not JSON: ${(cause as Error).message}`, {
      cause,
      next: 'Correct the file at that place; nothing was changed.',
    })
  }
}

/** Stores `body` as the next version; `subject` is what the audit entry names besides the document. Throws `document.version_exists` where somebody else was faster. */
export async function putDocument(
  store: Store,
  document: Pick<DocumentVersion, 'kind' | 'name'> & { body(version: number): string },
  action: AuditAction,
  now: number,
  subject: Readonly<Record<string, string>> = {},
): Promise<number> {
  const ports = { store, clock: { now: () => now } }
  return (await putVersion({ ...document, action, subject }, OPERATOR, ports)).version
}
