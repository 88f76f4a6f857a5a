// What may be said of a device: names and values of properties, checked where they enter.
import { TouchmarkError } from '../../core/errors.ts'
import type { PropertyName } from './device-property.ts'

const NAME = /^(?:owner|site|(?:label|attribute):[A-Za-z0-9][A-Za-z0-9._-]{0,63})$/
/** Text on one line without control characters, no white space at its ends. */
const VALUE = /^[^\s\p{C}](?:[^\p{C}]{0,254}[^\s\p{C}])?$/u

/** Throws `property.name_invalid`. */
export function parsePropertyName(text: string): PropertyName {
  if (NAME.test(text)) return text as PropertyName
  throw new TouchmarkError(
    'property.name_invalid',
    'malformed',
    `"${text.slice(0, 80)}" is not a property of a device.`,
    {
      next: 'It is owner, site, label:NAME or attribute:NAME; NAME has letters, digits and . _ - (at most 64).',
    },
  )
}

/** Throws `property.value_invalid`. */
export function checkPropertyValue(name: PropertyName, value: string): string {
  if (VALUE.test(value)) return value
  throw new TouchmarkError('property.value_invalid', 'malformed', `The value of ${name} is not one line of text.`, {
    next: 'A value has 1 to 256 characters, no control characters and no spaces at its ends.',
  })
}
