// Attributes of a certificate's subject that are nothing but a field of the device, by the profile that it was issued under: what the
// certificate says of the device for ever.
import { attributeType } from '../ca/name-text.ts'
import { type Profile, parseProfile } from '../ca/profile.ts'
import type { StoreReader } from '../ports.ts'

export interface SubjectField {
  /** Attribute type, dotted. */
  readonly type: string
  readonly field: 'serialNumber' | 'model'
}

const FIELDS: Readonly<Record<string, SubjectField['field']>> = {
  '{device.serialNumber}': 'serialNumber',
  '{device.model}': 'model',
}

export class SubjectFields {
  readonly #read: Pick<StoreReader, 'document'>
  readonly #known = new Map<string, Promise<readonly SubjectField[]>>()

  constructor(read: Pick<StoreReader, 'document'>) {
    this.#read = read
  }

  /** None for a profile that is gone or cannot be read: that is for the check of documents to say. */
  of(profile: string, version: number): Promise<readonly SubjectField[]> {
    const name = `${version}/${profile}`
    let known = this.#known.get(name)
    if (known === undefined) {
      known = this.#load(profile, version)
      this.#known.set(name, known)
    }
    return known
  }

  async #load(profile: string, version: number): Promise<readonly SubjectField[]> {
    const document = await this.#read.document('profile', profile, version)
    try {
      return document === undefined ? [] : fieldsOf(parseProfile(JSON.parse(document.body)).config.subject)
    } catch {
      return []
    }
  }
}

function fieldsOf(subject: Profile['config']['subject']): SubjectField[] {
  return subject.flatMap(rdn =>
    Object.entries(rdn).flatMap(([label, value]) => {
      const template = typeof value === 'string' ? value : value.value
      const field = Object.hasOwn(FIELDS, template) ? FIELDS[template] : undefined
      return field === undefined ? [] : [{ type: attributeType(label), field }]
    }),
  )
}
