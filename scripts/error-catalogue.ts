// Writes docs/errors.md: every error code that the sources can raise, with its kind, what it says and what to do next. A test runs this and
// fails where the page is not what the sources say, and where a code in the sources can be read here neither as an error nor as something else.
//   Run: node scripts/error-catalogue.ts > docs/errors.md
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { LINT_RULES } from '../src/core/pki/lint/rules.ts'
import { guardedActNames } from '../src/domain/access/guarded-acts.ts'
import { permissionNames } from '../src/domain/access/permissions.ts'
import { AUDIT_ACTIONS } from '../src/domain/audit/actions.ts'
import { JOB_ACTS } from '../src/domain/jobs/job.ts'
import { REFUSALS } from '../src/domain/ra/refusal.ts'

interface Row {
  readonly code: string
  readonly kind: string
  readonly message: string
  readonly next: string
}

interface Source {
  readonly file: string
  readonly text: string
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Functions that take a code and a sentence and make something other than a `TouchmarkError`, with the kind that it amounts to. */
const KIND_OF_CALL: Readonly<Record<string, string>> = {
  DerError: 'malformed',
  finding: 'malformed',
  invalid: 'malformed',
  notFound: 'not_found',
  text: 'malformed',
  undetermined: 'unavailable',
}

/** Constructions that hand on a code which came from elsewhere, where it has its row: file, and the code as it is written there. */
const RELAYS: ReadonlySet<string> = new Set([
  'src/adapters/store/sqlite/writer-thread.ts code',
  'src/server/status-builder.ts answer.code',
  `src/crypto/key-store.ts \`key.\${state}\``,
  'src/crypto/packed-thread.ts answer.code',
  'src/domain/factory/run-batch.ts decision.refusal.code',
  'src/domain/factory/run-batch.ts finding.code',
  'src/domain/ra/requested-key.ts finding.code',
  'src/protocols/device/routes.ts code',
  'src/server/whoami.ts finding.refusal.code',
])

const CODE = /^'([a-z][a-z0-9_]*(?:\.[a-z0-9_]*[a-z0-9])+)'$/
const TEXT = /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/
const TEXTS = new RegExp(TEXT, 'g')

/** The code, or the two that a condition chooses from. */
function literalCodes(expression: string): string[] {
  const [, one, other] = /^[^'"`]+ \? ('[^']+') : ('[^']+')$/.exec(expression) ?? []
  return [one ?? expression, ...(other ? [other] : [])].flatMap(each => CODE.exec(each)?.[1] ?? [])
}

/** The first sentence in an expression, or else the first text; `…` for what is filled in, and alone where there is none. */
function textIn(expression: string | undefined): string {
  const texts = [...(expression ?? '').matchAll(TEXTS)].map(
    found => found.slice(1).find(group => group !== undefined) ?? '',
  )
  const literal = texts.find(text => text.includes(' ')) ?? texts[0]
  if (literal === undefined) return '…'
  return literal
    .replaceAll(/\$\{[^}]*\}/g, '…')
    .replaceAll('\\n', ' ')
    .replaceAll(/\\(.)/g, '$1')
}

function nextIn(expression: string): string {
  const at = /\bnext:/.exec(expression)
  return at ? textIn(expression.slice(at.index)).replace(/^…$/, '') : ''
}

/** What stands between the bracket at `open` and its partner, cut at the commas of its own level. */
function items(text: string, open: number): string[] {
  const found: string[] = []
  let depth = 0
  let from = open + 1
  for (let i = open; i < text.length; i++) {
    const character = text[i]!
    if (character === "'" || character === '"' || character === '`') i = endOfText(text, i)
    else if ('([{'.includes(character)) depth++
    else if (')]}'.includes(character) && --depth === 0) {
      if (text.slice(from, i).trim() !== '') found.push(text.slice(from, i).trim())
      return found
    } else if (character === ',' && depth === 1) {
      found.push(text.slice(from, i).trim())
      from = i + 1
    }
  }
  throw new Error(`A bracket that nobody closes: ${text.slice(open, open + 80)}`)
}

/** The quote that ends the text which begins at `at`. */
function endOfText(text: string, at: number): number {
  const quote = text[at]
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === quote) return i
    else if (quote === '`' && text.startsWith('${', i)) i = endOfBraces(text, i + 1)
  }
  throw new Error(`A text that nobody ends: ${text.slice(at, at + 80)}`)
}

function endOfBraces(text: string, open: number): number {
  for (let i = open + 1; i < text.length; i++) {
    if (text[i] === '}') return i
    if (text[i] === '{') i = endOfBraces(text, i)
    else if (text[i] === "'" || text[i] === '"' || text[i] === '`') i = endOfText(text, i)
  }
  throw new Error(`Braces that nobody closes: ${text.slice(open, open + 80)}`)
}

function sources(): Source[] {
  return globSync('src/**/*.ts', { cwd: ROOT })
    .sort()
    .map(file => ({ file, text: withoutComments(readFileSync(`${ROOT}/${file}`, 'utf8')) }))
}

/** Whole lines of comment only: what stands behind code has no codes in quotes. */
function withoutComments(text: string): string {
  return text.replaceAll(/^[ \t]*(?:\/\/|\/\*|\*).*$/gm, '').replaceAll(/\/\*\* [^\n]*? \*\//g, '')
}

/** Differs from case to case, as in a text. */
const UNREAD = '…'

/** `kind` as it is written, or as a test of the code decides it. */
function kindOf(code: string, written: string | undefined, around: string): string {
  if (written && /^'[a-z_]+'$/.test(written)) return written.slice(1, -1)
  const [, special, one, other] = /\bcode === '([a-z0-9_.]+)' \? '([a-z_]+)' : '([a-z_]+)'/.exec(around) ?? []
  if (special === undefined) return UNREAD
  return (special === code ? one : other)!
}

interface Helper {
  readonly file: string
  readonly name: string
  readonly parameters: readonly string[]
  /** The construction's own arguments. */
  readonly args: readonly string[]
  readonly around: string
}

/** The function around a construction whose code is one of that function's parameters. */
function helperAround({ file, text }: Source, at: number, args: readonly string[]): Helper | undefined {
  const heads = [...text.slice(0, at).matchAll(/\bfunction (\w+)(?:<[^(]*>)?(\()/g)]
  const head = heads.at(-1)
  if (!head) return undefined
  const open = head.index + head[0].length - 1
  const parameters = items(text, open).map(each => each.replace(/[:=?][\s\S]*$/, '').trim())
  if (!parameters.includes(args[0]!)) return undefined
  return { file, name: head[1]!, parameters, args, around: text.slice(head.index, at + 200) }
}

function collect(): { readonly rows: ReadonlyMap<string, Row>; readonly unread: readonly string[] } {
  const rows = new Map<string, Row>()
  const unread: string[] = []
  const add = (row: Row) => {
    const known = rows.get(row.code)
    const better = known && ((known.message === '…' && row.message !== '…') || known.kind === UNREAD)
    if (!known || (better && row.kind !== UNREAD)) rows.set(row.code, row)
  }
  for (const [code, { kind, message, next }] of Object.entries(REFUSALS)) add({ code, kind, message, next })
  const all = sources()
  const helpers: Helper[] = []
  for (const source of all) {
    const { file, text } = source
    // Also what a kind of error with more to say passes to TouchmarkError's constructor.
    const construction = /extends TouchmarkError\b/.test(text)
      ? /\b(?:new TouchmarkError|super)\(/g
      : /\bnew TouchmarkError\(/g
    for (const { index, 0: call } of text.matchAll(construction)) {
      const args = items(text, index + call.length - 1)
      const codes = literalCodes(args[0] ?? '')
      if (call === 'super(' && codes.length === 0) continue
      for (const code of codes) {
        const kind = kindOf(code, args[1], text.slice(index, index + 400))
        add({ code, kind, message: textIn(args[2]), next: nextIn(args.slice(3).join()) })
      }
      if (codes.length > 0) continue
      if (RELAYS.has(`${file} ${args[0]}`)) continue
      const helper = helperAround(source, index, args)
      if (helper) helpers.push(helper)
      else if (!file.startsWith('src/sim/'))
        unread.push(`${file}: new TouchmarkError(${args[0]}, …): nobody can tell which code that is`)
    }
  }
  // A helper that calls a helper passes its code on, and is one itself.
  for (const helper of helpers) {
    const { file: home, name, parameters, args, around } = helper
    const of = (given: readonly string[], written: string | undefined) => {
      const at = parameters.indexOf(written ?? '')
      return at < 0 ? written : given[at]
    }
    const imports = new RegExp(String.raw`\bimport \{[^}]*\b${name}\b[^}]*\}`)
    for (const source of all.filter(({ file, text }) => file === home || imports.test(text))) {
      const { file, text } = source
      for (const { index, 0: call } of text.matchAll(
        new RegExp(String.raw`(?<!function )\b${name}(?:<\w+>)?\(`, 'g'),
      )) {
        const given = items(text, index + call.length - 1)
        const written = of(given, args[0])
        const [, code] = CODE.exec(written ?? '') ?? []
        if (code) {
          const next = nextIn(given.join()) || nextIn(args.slice(3).join())
          add({ code, kind: kindOf(code, of(given, args[1]), around), message: textIn(of(given, args[2])), next })
        } else {
          const outer = helperAround(source, index, [written ?? ''])
          if (outer) helpers.push({ ...outer, args: args.map(each => of(given, each) ?? each) })
          else unread.push(`${file}: ${name}(${given.join(', ').slice(0, 80)}): nobody can tell which code that is`)
        }
      }
    }
  }
  for (const source of all) {
    const { file, text } = source
    // A code and a sentence beside each other, in a call or in an object.
    for (const { index, 0: literal, 1: code } of text.matchAll(/'([a-z][a-z0-9_]*(?:\.[a-z0-9_]*[a-z0-9])+)'/g)) {
      if (rows.has(code!) || isOther(code!, source)) continue
      const call = /(\w+)\(\s*(?:\d+,\s*)?$/.exec(text.slice(0, index))
      if (call) {
        const args = items(text, text.indexOf('(', call.index))
        const kind = KIND_OF_CALL[call[1]!]
        const message = args.slice(args.indexOf(literal) + 1).find(each => TEXT.test(each))
        if (kind && message) add({ code: code!, kind, message: textIn(message), next: nextIn(args.join()) })
        else unread.push(`${file}: ${call[1]}(${literal}, …): say in KIND_OF_CALL what it amounts to`)
        continue
      }
      const field = /\bcode: $/.exec(text.slice(0, index))
      const rest = field ? items(`{${text.slice(field.index)}`, 0) : []
      const message = rest.find(each => each.startsWith('message:'))
      if (message === undefined) continue
      const kind = rest.find(each => each.startsWith('kind:'))?.replace(/^kind:\s*/, '')
      add({ code: code!, kind: kind ? textIn(kind) : 'malformed', message: textIn(message), next: nextIn(rest.join()) })
    }
  }
  return { rows, unread }
}

const NAMES = new Set<string>([
  ...Object.keys(AUDIT_ACTIONS),
  ...Object.keys(LINT_RULES),
  ...permissionNames,
  ...guardedActNames,
  ...JOB_ACTS,
])
/** Writes of a change set, findings of `audit verify`, and what alert rules count. */
for (const [file, pattern] of [
  ['src/domain/ports.ts', /\bkind: '([a-z_]+\.[a-z_.]+)'/g],
  ['src/domain/audit/finding.ts', /^\s*\| '([a-z_.]+)'/gm],
  ['src/core/pki/path/path-problem.ts', /^\s*\| '([a-z_.]+)'/gm],
  ['src/core/pki/ocsp-check.ts', /^\s*\| '([a-z_.]+)'/gm],
  ['src/core/pki/service-identity.ts', /'(identity\.[a-z_]+)'/g],
  ['src/domain/alerts/recent-counts.ts', /^\s*\| '([a-z_.]+)'/gm],
] as const) {
  for (const [, name] of readFileSync(`${ROOT}/${file}`, 'utf8').matchAll(pattern)) NAMES.add(name!)
}

/** Why something was recorded as it was: a word in an entry or a row, and no error. */
const REASONS: ReadonlySet<string> = new Set([
  'campaign.too_many_failed',
  'ownership.owner_differs',
  'renewal.order_unmet',
])

/**
 * Where dotted names that are no errors are at home: why a campaign or one of its devices stands where it stands; columns of tables; what a
 * simulated fleet counts; attributes of spans.
 */
const OTHER_WORDS = ['src/domain/campaign/', 'src/adapters/store/', 'src/server/tracing/', 'src/sim/']

const FILE_NAME =
  /\.(?:cer|crl|crt|csr|csv|db|html|json|jsonl|key|lock|log|md|ndjson|p7s|part|pem|pid|sock|tar|tmp|ts|txt)$/

/** What looks like a code and is the name of something else. */
function isOther(name: string, { file, text }: Source): boolean {
  if (NAMES.has(name) || FILE_NAME.test(name)) return true
  if (REASONS.has(name) || OTHER_WORDS.some(folder => file.startsWith(folder))) return true
  const quoted = `'${name.replaceAll('.', String.raw`\.`)}'`
  // A line of the server's own log; a finding of the lint gate.
  return new RegExp(
    String.raw`\.(?:debug|info|warning|error)\(\s*${quoted}|\[level\]\(\s*${quoted}|\b(?:object|report)\(\s*${quoted}`,
  ).test(text)
}

/**
 * What the sources name like an error code and this catalogue does not have: constructions whose code it cannot read, and dotted names that
 * are nothing else that it knows.
 */
export function missingCodes(): string[] {
  const { rows, unread } = collect()
  const missing = new Set(unread)
  for (const source of sources()) {
    const { file, text } = source
    for (const [, name] of text.matchAll(/['"`]([a-z][a-z0-9_]*(?:\.[a-z0-9_]*[a-z0-9])+)['"`]/g)) {
      if (!rows.has(name!) && !isOther(name!, source)) missing.add(`${file}: ${name}`)
    }
  }
  return [...missing]
}

/** The page, as it should stand in docs/errors.md. */
export function errorCatalogue(): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ')
  const rows = [...collect().rows.values()].sort((x, y) => (x.code < y.code ? -1 : 1))
  const said = (row: Row) => (row.code.startsWith('der.') ? `${row.message}, with its offset` : row.message)
  const lines = [
    '# Error codes',
    '',
    'A code is stable: scripts and runbooks may rely on it. Its kind says which family of answer it becomes on the wire (EST: an HTTP status,',
    'OCSP: a responseStatus, command line: an exit code). `…` stands for what differs from case to case. Made from the sources by',
    '`scripts/error-catalogue.ts`; lint findings and policy verdicts have codes of their own, listed with their rules.',
    '',
    '| code | kind | what it says | what to do next |',
    '|---|---|---|---|',
    ...rows.map(row => `| \`${row.code}\` | ${row.kind} | ${cell(said(row))} | ${cell(row.next)} |`),
  ]
  return `${lines.join('\n')}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const missing of missingCodes()) process.stderr.write(`missing: ${missing}\n`)
  process.stdout.write(errorCatalogue())
}
