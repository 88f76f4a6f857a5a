// The path label (RFC 7030 §3.2.2) names the profile: `/.well-known/est/<profile>/simpleenroll`. `<profile>.flat` is the same with replies
// on one line, `flat` the default profile with replies on one line. Without a label the evidence chooses, else the default profile.
import { TouchmarkError } from '../../core/errors.ts'
import type { Profile } from '../../domain/ca/profile.ts'
import type { Base64Form } from './body.ts'

export interface Label {
  /** `null`: none was named. */
  readonly profile: string | null
  readonly form: Base64Form
}

const FLAT = 'flat'
/** Longer than any profile name with its suffix. */
const MAX_LABEL = 80

/** Throws `est.label_unknown` for what cannot be a label. */
export function parseLabel(text: string | undefined): Label {
  if (text === undefined) return { profile: null, form: 'wrapped' }
  if (text.length > MAX_LABEL) throw unknownLabel()
  if (text === FLAT) return { profile: null, form: 'flat' }
  return text.endsWith(`.${FLAT}`)
    ? { profile: text.slice(0, -FLAT.length - 1), form: 'flat' }
    : { profile: text, form: 'wrapped' }
}

/** Devices may ask for the profiles of devices; others do not exist here. */
export async function deviceProfile(
  name: string,
  authorities: { profile(name: string): Promise<Profile> },
): Promise<Profile> {
  const profile = await authorities.profile(name).catch((thrown: unknown) => {
    if (thrown instanceof TouchmarkError && thrown.code === 'profile.not_found') throw unknownLabel()
    throw thrown
  })
  if (profile.holder !== 'device') throw unknownLabel()
  return profile
}

function unknownLabel(): TouchmarkError {
  return new TouchmarkError('est.label_unknown', 'not_found', 'The label in the path names no profile for devices.', {
    next: 'Use the name of a device profile as the label, or no label for the default one.',
  })
}
