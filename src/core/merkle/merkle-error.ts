// The error codes of the transparency log's encodings and proofs, each with its cause.
import { type ErrorDetail, TouchmarkError } from '../errors.ts'

export type MerkleErrorCode =
  /** A leaf index that is not a whole number below the tree size. */
  | 'merkle.index_invalid'
  /** A tree size that is not a whole number up to 2^53 - 1, or that does not fit the other one. */
  | 'merkle.size_invalid'
  /** A range of leaves that is no subtree. */
  | 'merkle.subtree_invalid'
  /** A hash that does not have 32 octets. */
  | 'merkle.hash_length'
  /** A proof with more or fewer hashes than the sizes ask for. */
  | 'merkle.proof_length'
  /** The proof is well formed and leads to another root. */
  | 'merkle.root_mismatch'
  /** A tile that a proof or a tree needs is not there. */
  | 'merkle.tile_missing'
  /** A tile or entry bundle whose bytes do not fit its address. */
  | 'merkle.tile_malformed'
  /** A path that names no tile. */
  | 'merkle.path_invalid'
  /** An entry that the 16-bit length of a bundle cannot say. */
  | 'merkle.entry_too_large'
  /** Not a signed note. */
  | 'merkle.note_malformed'
  /** A signed note beyond the limits of this implementation. */
  | 'merkle.note_too_large'
  /** A key name that is empty or holds a space, a plus sign or a control character. */
  | 'merkle.key_name_invalid'
  /** Not a verifier key, or its key ID is not that of its key. */
  | 'merkle.verifier_key_malformed'
  /** A verifier key of a signature type that is not implemented. */
  | 'merkle.verifier_key_unsupported'
  /** No signature of a known key on the note. */
  | 'merkle.signature_missing'
  /** A signature of a known key that does not verify. */
  | 'merkle.signature_invalid'
  /** A note whose text is not a checkpoint. */
  | 'merkle.checkpoint_malformed'
  /** A checkpoint of another log. */
  | 'merkle.origin_unexpected'

export function merkleError(code: MerkleErrorCode, message: string, detail: ErrorDetail = {}): TouchmarkError {
  const kind = code === 'merkle.tile_missing' ? 'not_found' : 'malformed'
  return new TouchmarkError(code, kind, message, detail)
}
