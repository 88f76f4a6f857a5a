// A passphrase that is set for the first time: from a file, or from a person, twice.
import { TouchmarkError } from '../core/errors.ts'
import { type Passphrase, passphraseBytes, readPassphraseFile } from '../server/passphrase.ts'
import { usageError } from './command.ts'
import type { Output } from './output.ts'
import { passphraseSources } from './passphrase-sources.ts'

/** Below this many octets argon2id buys hours, not years. */
const SHORT_PASSPHRASE = 12

/** Throws `passphrase.mismatch`, `usage.invalid` where nobody can be asked, and what reading the file throws. */
export async function newPassphrase(file: string | undefined, out: Output): Promise<Passphrase> {
  const chosen = await read(file)
  if (chosen.bytes.length < SHORT_PASSPHRASE) {
    out.note(
      'The passphrase is short: whoever gets hold of the keys can guess it. Take a generated one of 20 characters or more.',
    )
  }
  return chosen
}

async function read(file: string | undefined): Promise<Passphrase> {
  if (file !== undefined) return { bytes: await readPassphraseFile(file), source: 'file' }
  const { ask } = passphraseSources({})
  if (!ask) throw usageError('Nobody can be asked for the new passphrase here.', 'Name its file.')
  const first = await ask('New passphrase for the keys of this instance: ')
  if ((await ask('The same again: ')) !== first) {
    throw new TouchmarkError('passphrase.mismatch', 'malformed', 'The two differ.', {
      next: 'Nothing was changed; start again.',
    })
  }
  return { bytes: passphraseBytes(first), source: 'person' }
}
