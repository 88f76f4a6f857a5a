// The secret by which this instance proves itself to an OpenID provider: the one line of a file in the data folder. It stands in no document,
// because documents are shown and logged.
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { TouchmarkError } from '../core/errors.ts'
import type { DataFolder } from './data-folder.ts'

export const OIDC_CLIENT_SECRET_FILE = 'oidc-client-secret'

/** `undefined` where there is no such file: the instance is a public client then. Throws `oidc.client_secret_unreadable`. */
export async function readOidcClientSecret(folder: DataFolder): Promise<string | undefined> {
  const file = resolve(folder.path, OIDC_CLIENT_SECRET_FILE)
  try {
    return (await readFile(file, 'utf8')).trim() || undefined
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new TouchmarkError('oidc.client_secret_unreadable', 'unavailable', `${file} cannot be read.`, {
      cause,
      next: 'Give it to the user who runs the server, with mode 0600.',
    })
  }
}
