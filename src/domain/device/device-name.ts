// What may name a device: the two texts that make it unique, checked where they enter (a file, a command line, another maker's
// certificate). Both end up in certificates and lines of text.
import { TouchmarkError } from '../../core/errors.ts'

/** serialNumber is a PrintableString of 1 to 64 characters (RFC 5280 Appendix A.1, ub-serial-number); no space at the ends. */
const SERIAL_NUMBER = /^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/
/** Models are names that people and rules write: 1 to 64 characters, no control characters, no white space at the ends. */
const MODEL = /^[^\s\p{C}](?:[^\p{C}]{0,62}[^\s\p{C}])?$/u

export function isDeviceSerialNumber(text: string): boolean {
  return SERIAL_NUMBER.test(text)
}

export function isDeviceModel(text: string): boolean {
  return MODEL.test(text)
}

/** Throws `device.serial_number_invalid`, `device.model_invalid`. */
export function checkDeviceName(model: string, serialNumber: string): void {
  if (!isDeviceSerialNumber(serialNumber)) {
    throw new TouchmarkError(
      'device.serial_number_invalid',
      'malformed',
      'A serial number is 1 to 64 printable ASCII characters.',
      { next: 'Write it as the maker prints it, in letters, digits and signs without those of other scripts.' },
    )
  }
  if (!isDeviceModel(model)) {
    throw new TouchmarkError('device.model_invalid', 'malformed', 'A model is a name of 1 to 64 characters.', {
      next: 'Name the model as the maker does, for example gateway-7.',
    })
  }
}
