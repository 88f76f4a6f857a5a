// The settings of the instance, parsed: for commands that need no authority and no key.
import { TouchmarkError } from '../core/errors.ts'
import { parseSettings, SETTINGS_NAME, type Settings } from '../domain/ca/settings.ts'
import type { StoreReader } from '../domain/ports.ts'

/** The version in force. Throws `settings.missing`. */
export async function storedSettings(read: StoreReader): Promise<Settings> {
  const document = await read.document('settings', SETTINGS_NAME)
  if (document) return parseSettings(JSON.parse(document.body))
  throw new TouchmarkError('settings.missing', 'unavailable', 'The instance has no settings yet.', {
    next: 'Run touchmark init.',
  })
}
