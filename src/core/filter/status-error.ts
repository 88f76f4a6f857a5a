// The error codes of the status artefact and its deltas, each with its cause. docs/formats/status-artefact.md.
import { type ErrorDetail, type ErrorKind, TouchmarkError } from '../errors.ts'

export type StatusErrorCode =
  /** Octets that are no status artefact. */
  | 'status.malformed'
  /** A version of the format that is not known here. */
  | 'status.version_unknown'
  /** Octets that are no delta of a status artefact. */
  | 'status.delta_malformed'
  /** A delta that begins at another epoch, or belongs to another authority, than the artefact. */
  | 'status.delta_unfit'
  /** The signature is not that of a key that may speak for the authority. */
  | 'status.signature_invalid'
  /** The artefact is older than one that the device has seen. */
  | 'status.epoch_older'
  /** A key stands in a universe twice, with different answers. */
  | 'status.duplicate_key'
  /** More segments, exceptions or octets than the format can say. */
  | 'status.too_large'

export function statusError(code: StatusErrorCode, message: string, detail: ErrorDetail = {}): TouchmarkError {
  return new TouchmarkError(code, KINDS[code], message, detail)
}

const KINDS: Readonly<Record<StatusErrorCode, ErrorKind>> = {
  'status.malformed': 'malformed',
  'status.version_unknown': 'malformed',
  'status.delta_malformed': 'malformed',
  'status.delta_unfit': 'malformed',
  'status.signature_invalid': 'unauthenticated',
  'status.epoch_older': 'unauthenticated',
  'status.duplicate_key': 'internal',
  'status.too_large': 'internal',
}
