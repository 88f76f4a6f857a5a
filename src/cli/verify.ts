// `touchmark verify`: is this certificate good right now, and why.
import { act, type Command, command, usageError } from './command.ts'
import { EXIT } from './exit-codes.ts'

interface VerifyOptions {
  readonly ndjson?: boolean
}

export function verifyCommand(): Command {
  const verify = command({
    name: 'verify',
    summary: 'Say whether a certificate is good right now, and why',
    examples: [['verify --ndjson < cases.ndjson', 'One case a line, one answer a line; needs no data folder']],
  })
    .argument('[files...]', 'PEM or DER')
    .option('--ndjson', 'judge one case a line of standard input')
  return act<VerifyOptions>(verify, async ({ options, signal }, ...files) => {
    if (options.ndjson) {
      if (files.flat().length > 0) throw usageError('With --ndjson the cases come on standard input.')
      const { verifyLines } = await import('./verify-lines.ts')
      await verifyLines(process.stdin, process.stdout, signal)
      return EXIT.ok
    }
    throw usageError('Name a file.')
  })
}
