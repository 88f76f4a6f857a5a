// Writes docs/errors.md: every error code that the sources can raise, with its kind, what it says and what to do next. A test runs this and
// fails where the page is not what the sources say.   Run: node scripts/error-catalogue.ts > docs/errors.md
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { REFUSALS } from '../src/domain/ra/refusal.ts'

interface Row {
  readonly code: string
  readonly kind: string
  readonly message: string
  readonly next: string
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TEXT = /(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/
const CALL = new RegExp(
  String.raw`new TouchmarkError\(\s*'([a-z0-9_.]+)',\s*'([a-z_]+)',\s*${TEXT.source}(?=([^;]{0,400}))`,
  'g',
)
const NEXT = new RegExp(String.raw`\bnext:\s*${TEXT.source}`)
const DER = new RegExp(String.raw`new DerError\(\s*'(der\.[a-z_]+)',\s*[^,]+,\s*${TEXT.source}`, 'g')

const literal = (groups: readonly (string | undefined)[]) =>
  (groups.find(group => group !== undefined) ?? '').replaceAll(/\$\{[^}]*\}/g, '…').replaceAll(/\\(.)/g, '$1')

function collect(): Row[] {
  const rows = new Map<string, Row>()
  const add = (row: Row) => {
    if (!rows.has(row.code)) rows.set(row.code, row)
  }
  for (const [code, { kind, message, next }] of Object.entries(REFUSALS)) add({ code, kind, message, next })
  for (const file of globSync('src/**/*.ts', { cwd: ROOT }).sort()) {
    const text = readFileSync(`${ROOT}/${file}`, 'utf8')
    for (const [, code, kind, a, b, c, rest] of text.matchAll(CALL)) {
      const next = NEXT.exec(rest!.split('new TouchmarkError')[0]!)
      add({ code: code!, kind: kind!, message: literal([a, b, c]), next: next ? literal(next.slice(1)) : '' })
    }
    for (const [, code, a, b, c] of text.matchAll(DER)) {
      add({ code: code!, kind: 'malformed', message: `${literal([a, b, c])}, with its offset`, next: '' })
    }
  }
  return [...rows.values()].sort((x, y) => (x.code < y.code ? -1 : 1))
}

/** The page, as it should stand in docs/errors.md. */
export function errorCatalogue(): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ')
  const lines = [
    '# Error codes',
    '',
    'A code is stable: scripts and runbooks may rely on it. Its kind says which family of answer it becomes on the wire (EST: an HTTP status,',
    'OCSP: a responseStatus, command line: an exit code). `…` stands for what differs from case to case. Made from the sources by',
    '`scripts/error-catalogue.ts`; lint findings and policy verdicts have codes of their own, listed with their rules.',
    '',
    '| code | kind | what it says | what to do next |',
    '|---|---|---|---|',
    ...collect().map(row => `| \`${row.code}\` | ${row.kind} | ${cell(row.message)} | ${cell(row.next)} |`),
  ]
  return `${lines.join('\n')}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(errorCatalogue())
