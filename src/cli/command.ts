// How every command of ours is made: the same options under the same names, the same treatment of results and errors, help that
// ends in examples. An action gets a context and returns an exit code, or nothing for success.
import { Command, InvalidArgumentError, Option } from 'commander'
import { asTouchmarkError, TouchmarkError } from '../core/errors.ts'
import { type DataFolder, dataFolder } from '../server/data-folder.ts'
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts'
import { Output } from './output.ts'

export type { Command } from 'commander'

export interface Context<Options> {
  readonly out: Output
  readonly data: DataFolder
  readonly options: Options & CommonOptions
  /** Aborted by Ctrl-C or SIGTERM, for commands that run long. */
  readonly signal: AbortSignal
}

export interface CommonOptions {
  readonly data: string
  readonly json?: boolean
  readonly passphraseFile?: string
}

export interface CommandText {
  readonly name: string
  readonly summary: string
  /** What the summary cannot say, in a few lines. */
  readonly description?: string
  /** Command lines without the leading `touchmark`, each with what it does. */
  readonly examples?: readonly (readonly [string, string])[]
}

/** One line of the list of commands; its code is loaded when it is called. */
export interface CommandRow {
  readonly name: string
  readonly summary: string
  load(): Promise<Command>
}

/** A command with `--data` and `--json`. */
export function command(text: CommandText): Command {
  const made = group(text)
  made.addOption(new Option('-d, --data <folder>', 'data folder').default(DEFAULT_DATA).env('TOUCHMARK_DATA'))
  made.addOption(new Option('--json', 'JSON on standard output, words for people on standard error'))
  return made
}

/** A command that only holds others. */
export function group(text: CommandText): Command {
  const made = new Command(text.name)
    .summary(text.summary)
    .description(text.description ? `${text.summary}\n\n${text.description}` : text.summary)
    .helpOption('-h, --help', 'this text')
    .helpCommand(false)
    .showSuggestionAfterError()
    .configureHelp({ sortSubcommands: false, sortOptions: false })
  if (text.examples) made.addHelpText('after', `\n${exampleText(text.examples)}`)
  return made
}

export const DEFAULT_DATA = './touchmark-data'

/** For commands that use private keys. */
export function withPassphrase(made: Command): Command {
  return made.addOption(
    new Option('--passphrase-file <file>', 'file with the passphrase of the key store').env(
      'TOUCHMARK_PASSPHRASE_FILE',
    ),
  )
}

/** Runs `action` as the command's action, with the conventions of this file. */
export function act<Options>(
  made: Command,
  action: (context: Context<Options>, ...args: string[]) => Promise<ExitCode | undefined> | Promise<void>,
): Command {
  return made.action(async (...received: unknown[]) => {
    const self = received.at(-1) as Command
    const options = self.opts<Options & CommonOptions>()
    const out = new Output({ json: options.json === true, stdout: process.stdout, stderr: process.stderr })
    const args = received.slice(0, -2) as string[]
    const data = dataFolder(options.data ?? DEFAULT_DATA)
    const stop = new AbortController()
    const onSignal = () => stop.abort()
    process.once('SIGINT', onSignal)
    process.once('SIGTERM', onSignal)
    try {
      const context = { out, data, options, signal: stop.signal }
      process.exitCode = (await action(context, ...args)) ?? EXIT.ok
    } catch (thrown) {
      process.exitCode = reportError(thrown, out)
      await logRefusal(self, data, thrown, out)
    } finally {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    }
  })
}

/** A refusal that the log cannot take changes nothing about the answer: the operator has read it, and is told. */
async function logRefusal(self: Command, data: DataFolder, thrown: unknown, out: Output): Promise<void> {
  const error = asTouchmarkError(thrown)
  const name = commandName(self)
  const { isRefusal, recordRefusal } = await import('./refused-command.ts')
  if (!isRefusal(name, error)) return
  try {
    await recordRefusal(data, name, error)
  } catch (cause) {
    out.note(`The refusal is not in the log: ${asTouchmarkError(cause).code}`)
  }
}

/** `token create`: without the program's own name. */
function commandName(self: Command): string {
  const names: string[] = []
  for (let at: Command | null = self; at?.parent; at = at.parent) names.unshift(at.name())
  return names.join(' ')
}

/** Prints an error as code, sentence, and what to do next; answers the exit code. */
export function reportError(thrown: unknown, out: Output): ExitCode {
  const error = asTouchmarkError(thrown)
  const { code, message, next, evidence } = error
  if (out.json)
    out.line({
      error: { code, message, ...(next ? { next } : {}), ...(Object.keys(evidence).length > 0 ? { evidence } : {}) },
    })
  out.note(`touchmark: ${code}\n  ${message.replaceAll('\n', '\n  ')}`)
  if (next) out.note(`  ${next}`)
  // What nobody foresaw is shown whole: the reader is an operator at the machine.
  if (code === 'internal.unexpected')
    out.note(thrown instanceof Error ? (thrown.stack ?? String(thrown)) : String(thrown))
  return exitCodeOf(error)
}

export function usageError(message: string, next?: string): TouchmarkError {
  return new TouchmarkError('usage.invalid', 'malformed', message, next ? { next } : {})
}

/** Parsers for option values: what they throw becomes a usage error that names the option. */
export function portNumber(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65535) throw new InvalidArgumentError('A port is a number from 0 to 65535.')
  return port
}

export function positiveInteger(text: string): number {
  const value = Number(text)
  if (!/^\d{1,15}$/.test(text) || value < 1) throw new InvalidArgumentError('It must be a whole number above 0.')
  return value
}

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** `90s`, `15m`, `12h`, `30d` in seconds. */
export function duration(text: string): number {
  const [, amount, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  if (!amount || !unit || Number(amount) === 0) throw new InvalidArgumentError('Write it as 90s, 15m, 12h or 30d.')
  return Number(amount) * UNITS[unit as keyof typeof UNITS]
}

function exampleText(examples: readonly (readonly [string, string])[]): string {
  return ['Examples:', ...examples.map(([line, does]) => `  # ${does}\n  touchmark ${line}`)].join('\n')
}
