// What a DER reader can refuse, with the place: every parse error carries a code and the offset of the offending octet.
import { TouchmarkError } from '../errors.ts'

export type DerErrorCode =
  | 'der.truncated'
  | 'der.trailing_data'
  | 'der.too_deep'
  | 'der.too_large'
  | 'der.tag_unexpected'
  | 'der.tag_high_form'
  | 'der.length_indefinite'
  | 'der.length_not_minimal'
  | 'der.boolean_invalid'
  | 'der.integer_invalid'
  | 'der.integer_too_large'
  | 'der.bit_string_invalid'
  | 'der.oid_invalid'
  | 'der.null_invalid'
  | 'der.string_invalid'
  | 'der.time_invalid'
  | 'der.set_order'
  | 'der.value_invalid'

export class DerError extends TouchmarkError {
  declare readonly code: DerErrorCode
  /** Octets from the start of the outermost input. */
  readonly offset: number

  constructor(code: DerErrorCode, offset: number, message: string) {
    super(code, 'malformed', `${message} (octet ${offset})`, { evidence: { offset } })
    this.offset = offset
  }
}
