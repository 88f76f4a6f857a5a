// The data folder: where everything of one instance lies, and who may read it.
//
//   touchmark.json    configuration
//   touchmark.db      store, unless it is PostgreSQL
//   keys/             the software key store: encrypted keys of the issuing authorities, the log, the server; and what the log signed last
//   offline-root/     the root's encrypted key, alone: `init` says to move it away, and no running server loads it
//   oidc-client-secret  by which it proves itself to an OpenID provider; optional
//   passphrase        only where nobody gave one and nobody could be asked
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { TouchmarkError } from '../core/errors.ts'
import { type Configuration, parseConfiguration } from './configuration.ts'

export interface DataFolder {
  readonly path: string
  readonly configurationFile: string
  readonly keys: string
  readonly offlineRoot: string
  readonly passphraseFile: string
}

/** Names the parts; touches nothing. */
export function dataFolder(path: string): DataFolder {
  const folder = resolve(path)
  return {
    path: folder,
    configurationFile: resolve(folder, 'touchmark.json'),
    keys: resolve(folder, 'keys'),
    offlineRoot: resolve(folder, 'offline-root'),
    passphraseFile: resolve(folder, 'passphrase'),
  }
}

export function isInitialised(folder: DataFolder): boolean {
  return existsSync(folder.configurationFile)
}

/** Reads the configuration. Throws `data.not_initialised`, `data.unreadable`, `configuration.invalid`. */
export async function readConfiguration(folder: DataFolder): Promise<Configuration> {
  let text: string
  try {
    text = await readFile(folder.configurationFile, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new TouchmarkError(
        'data.not_initialised',
        'unavailable',
        `${folder.path} is not a Touchmark data folder.`,
        {
          cause,
          next: `Make one with: touchmark init --data ${folder.path} --organization NAME`,
        },
      )
    }
    throw new TouchmarkError('data.unreadable', 'unavailable', `${folder.configurationFile} cannot be read.`, {
      cause,
      next: 'Check who owns the folder and its access rights.',
      evidence: { reason: (cause as NodeJS.ErrnoException).code ?? 'unknown' },
    })
  }
  return parseConfiguration(text)
}

/** The store's address, with a relative SQLite file made absolute. */
export function storeUrl(folder: DataFolder, configuration: Pick<Configuration, 'store'>): string {
  const { store } = configuration
  return store.startsWith('sqlite:') ? `sqlite:${resolve(folder.path, store.slice('sqlite:'.length))}` : store
}
