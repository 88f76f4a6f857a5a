// What an operator should know about a data folder and did not ask: said by `serve` and `doctor` alike.
import { existsSync } from 'node:fs'
import type { DataFolder } from './data-folder.ts'
import type { Passphrase } from './passphrase.ts'

/** Each one sentence. */
export function warningsOf(folder: DataFolder, passphraseSource: Passphrase['source']): string[] {
  const warnings: string[] = []
  if (passphraseSource === 'folder') {
    warnings.push('The passphrase lies beside the keys that it protects: whoever reads the data folder has both.')
  }
  if (existsSync(folder.offlineRoot)) {
    warnings.push('The key of the offline root is still here: move the folder offline-root to a place without network.')
  }
  return warnings
}
