// Where a command may get the passphrase from: the option, the environment variable (commander reads both into one), a terminal.
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { TouchmarkError } from '../core/errors.ts'
import type { PassphraseSources } from '../server/passphrase.ts'

export function passphraseSources(options: { readonly passphraseFile?: string }): PassphraseSources {
  const askable = process.stdin.isTTY === true && process.stderr.isTTY === true
  // An environment variable that is set to nothing is one that is not set.
  return { file: options.passphraseFile || undefined, ask: askable ? askHidden : undefined }
}

/** Asks on the terminal and shows nothing of the answer. Throws `passphrase.missing` on Ctrl-C and Ctrl-D. */
export async function askHidden(question: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  // What readline echoes goes nowhere. It takes the terminal over before the question is shown, so that nothing typed early is echoed.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true, historySize: 0 })
  const cancel = () =>
    reject(
      new TouchmarkError('passphrase.missing', 'unauthenticated', 'No passphrase was given.', {
        next: 'Type it, or name its file with --passphrase-file.',
      }),
    )
  lines.once('line', resolve).once('SIGINT', cancel).once('close', cancel)
  process.stderr.write(question)
  try {
    return await promise
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
