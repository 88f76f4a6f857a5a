// Where a command may get the passphrase from: the option, the environment variable (commander reads both into one), a terminal.
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { TouchmarkError } from '../core/errors.ts'
import type { PassphraseSources } from '../server/passphrase.ts'

export function passphraseSources(options: { readonly passphraseFile?: string }): PassphraseSources {
  const askable = process.stdin.isTTY === true && process.stderr.isTTY === true
  return { file: options.passphraseFile, ask: askable ? askHidden : undefined }
}

/** Asks on the terminal and shows nothing of the answer. */
export async function askHidden(question: string): Promise<string> {
  process.stderr.write(question)
  // What readline echoes goes nowhere.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const line = createInterface({ input: process.stdin, output: silent, terminal: true, historySize: 0 })
  try {
    return await line.question('')
  } catch (cause) {
    throw new TouchmarkError('passphrase.missing', 'unauthenticated', 'No passphrase was given.', { cause })
  } finally {
    line.close()
    process.stderr.write('\n')
  }
}
