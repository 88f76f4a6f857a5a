// The passphrase of the key stores: from a file that somebody names, from a person, or, where `init` runs without either, a random one
// in the data folder. The last is honest convenience for trying things out, and `doctor` and `serve` say so.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { toBase64 } from '../core/bytes/base64.ts'
import type { Bytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import { systemRandom } from '../crypto/random.ts'
import type { DataFolder } from './data-folder.ts'

export interface Passphrase {
  readonly bytes: Bytes
  /** `folder`: it lies beside the keys that it protects. */
  readonly source: 'file' | 'person' | 'folder'
}

export interface PassphraseSources {
  /** From `--passphrase-file` or the environment. */
  readonly file: string | undefined
  /** Asks a person; absent where nobody can be asked. */
  readonly ask: ((question: string) => Promise<string>) | undefined
}

const MAX_PASSPHRASE = 4096

/** The passphrase of a key store, by default that of the data folder. Throws `passphrase.missing`, `passphrase.unreadable`, `passphrase.invalid`. */
export async function findPassphrase(
  folder: DataFolder,
  sources: PassphraseSources,
  keyStore: string = folder.keys,
): Promise<Passphrase> {
  if (sources.file !== undefined) return { bytes: await readPassphraseFile(sources.file), source: 'file' }
  if (existsSync(folder.passphraseFile))
    return { bytes: await readPassphraseFile(folder.passphraseFile), source: 'folder' }
  if (sources.ask)
    return { bytes: passphraseBytes(await sources.ask(`Passphrase of the keys in ${keyStore}: `)), source: 'person' }
  throw new TouchmarkError('passphrase.missing', 'unauthenticated', 'This needs the passphrase of the key store.', {
    next: 'Name its file with --passphrase-file, or in the environment variable TOUCHMARK_PASSPHRASE_FILE.',
  })
}

/** The first line of a file. Throws `passphrase.unreadable`, `passphrase.invalid`. */
export async function readPassphraseFile(file: string): Promise<Bytes> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw new TouchmarkError('passphrase.unreadable', 'unavailable', `The passphrase file ${file} cannot be read.`, {
      cause,
      next: 'Check the path and its access rights.',
      evidence: { reason: (cause as NodeJS.ErrnoException).code ?? 'unknown' },
    })
  }
  return passphraseBytes(text)
}

/** Without its final line end, which editors add; otherwise as it is. Throws `passphrase.invalid`. */
export function passphraseBytes(text: string): Bytes {
  const line = text.replace(/\r?\n$/, '')
  if (line === '' || line.length > MAX_PASSPHRASE || /[\r\n\0]/.test(line)) {
    throw new TouchmarkError('passphrase.invalid', 'malformed', 'A passphrase is one line, not empty.', {
      next: 'Put it into the first and only line of the file.',
    })
  }
  return new TextEncoder().encode(line)
}

/** 256 random bits as text that survives every shell and editor (RFC 4648 §5, without padding). */
export function newPassphrase(): string {
  return toBase64(systemRandom.bytes(32)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}
