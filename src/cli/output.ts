// Where a command's words go. With --json standard output carries JSON and nothing else, and what is for people goes to standard
// error; without it, standard output is for people. Colours only where a terminal shows them.
import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

export interface OutputOptions {
  readonly json: boolean
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
}

export class Output {
  readonly json: boolean
  readonly #stdout: OutputOptions['stdout']
  readonly #stderr: OutputOptions['stderr']

  constructor(options: OutputOptions) {
    this.json = options.json
    this.#stdout = options.stdout
    this.#stderr = options.stderr
  }

  /** Whether a person watches: progress bars and questions are for them only. */
  get interactive(): boolean {
    return this.#stderr.isTTY === true
  }

  /** The command's one document, or one line of many: JSON with --json, else the words of `human`. */
  result(value: unknown, human: () => string): void {
    if (this.json) this.line(value)
    else this.#stdout.write(withNewline(human()))
  }

  /** One JSON document on one line. */
  line(value: unknown): void {
    this.#stdout.write(`${JSON.stringify(value)}\n`)
  }

  /** Bytes or text that are the result as they are, in either mode: PEM, a script. */
  raw(text: string | Uint8Array): void {
    this.#stdout.write(text)
  }

  /** Words for people, beside the result. */
  say(text: string): void {
    ;(this.json ? this.#stderr : this.#stdout).write(withNewline(text))
  }

  /** Words for people that never belong to the result: warnings, what goes on. */
  note(text: string): void {
    this.#stderr.write(withNewline(text))
  }

  style(style: Style, text: string): string {
    const stream = this.json ? this.#stderr : this.#stdout
    return stream.isTTY === true ? styleText(style, text, { stream: stream as NodeJS.WriteStream }) : text
  }
}

/** Columns padded to their widest cell. Empty without rows but for the header. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map(row => (row[i] ?? '').length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd()
  return [line(header), line(widths.map(width => '─'.repeat(width))), ...rows.map(line)].join('\n')
}

/** `name  value` lines, the names padded. */
export function facts(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length))
  return pairs
    .map(([name, value]) => `${name.padEnd(width)}  ${value.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`)
    .join('\n')
}

const NO_EXPIRY = 253402300799

/** Whole seconds as people read them, in UTC. */
export function time(seconds: number): string {
  if (seconds >= NO_EXPIRY) return 'no expiry'
  return new Date(seconds * 1000).toISOString().replace('T', ' ').replace('.000Z', ' UTC')
}

/** RFC 3339, for JSON. */
export function timestamp(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}
