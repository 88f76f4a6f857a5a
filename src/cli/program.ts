// The command line as a whole. It knows which commands exist and nothing of what they do.
import { Command, CommanderError } from 'commander'
import { packageVersion } from '../server/package-version.ts'
import { COMMANDS } from './commands.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'

/** Runs one command line (without `node` and the script) and answers its exit code. */
export async function main(args: readonly string[]): Promise<ExitCode> {
  // A reader that has seen enough (`touchmark trust | head -1`) is no error.
  process.stdout.on('error', error => {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit()
    throw error
  })
  const program = new Command('touchmark')
    .description(
      'Device identity: birth certificates in the factory, working credentials in the field,\nrevocation that bites, and a log that proves it.',
    )
    .version(packageVersion(), '-V, --version', 'the version')
    .helpOption('-h, --help', 'this text')
    .showSuggestionAfterError()
    // Options belong to the command that they stand after: `trust` has some of its own and subcommands with the same.
    .enablePositionalOptions()
    .configureHelp({ sortSubcommands: false })
    .helpCommand('help [command]', 'help for a command')
    .addHelpText(
      'after',
      `
A first identity in a minute:
  touchmark demo
Your own instance:
  touchmark init --data ./acme --organization "Acme Devices"
  touchmark serve --data ./acme

Exit codes: 0 ok · 1 the answer is no, or it failed · 2 the command line is wrong · 3 the surroundings are
More: docs/cli.md`,
    )
  const named = args.find(arg => !arg.startsWith('-'))
  const wanted = named === 'help' ? args.filter(arg => !arg.startsWith('-'))[1] : named
  for (const row of COMMANDS) {
    program.addCommand(row.name === wanted ? await row.load() : new Command(row.name).summary(row.summary))
  }
  exitByThrowing(program)
  try {
    await program.parseAsync(args, { from: 'user' })
    return (process.exitCode as ExitCode | undefined) ?? EXIT.ok
  } catch (thrown) {
    // Commander has printed its help, version or complaint already.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage
    throw thrown
  }
}

/** Usage errors become values at every depth; commander would end the process with 1. */
function exitByThrowing(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) exitByThrowing(child)
}
