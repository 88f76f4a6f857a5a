// A profile of the store by its name, parsed: for commands that need no authority and no key.
import { TouchmarkError } from '../core/errors.ts'
import { type Profile, parseProfile } from '../domain/ca/profile.ts'
import type { StoreReader } from '../domain/ports.ts'

/** The version in force. Throws `profile.not_found`. */
export async function storedProfile(read: StoreReader, name: string): Promise<Profile> {
  const document = await read.document('profile', name)
  if (!document) {
    const names = (await read.documents('profile')).map(each => each.name).join(', ')
    throw new TouchmarkError('profile.not_found', 'not_found', `There is no profile ${name}.`, {
      next: `There are: ${names}.`,
    })
  }
  return parseProfile(JSON.parse(document.body))
}
