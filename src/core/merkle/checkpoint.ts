// Checkpoints (C2SP tlog-checkpoint): the signed note by which a log commits to its size and root hash.
import { fromBase64, toBase64 } from '../bytes/base64.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { merkleError } from './merkle-error.ts'
import { type NoteSigner, type NoteVerifier, type OpenedNote, openNote, signNote } from './signed-note.ts'
import { checkHash, checkSize } from './tree.ts'

export interface Checkpoint {
  /** Which log: by custom its URL without scheme (`ca.example.com/audit`), also the name of its key. */
  readonly origin: string
  /** Leaves. */
  readonly size: number
  /** RFC 9162 Merkle tree hash over them. */
  readonly root: Bytes
  /** Opaque lines after the root. We write none: nobody can audit them. */
  readonly extensions: readonly string[]
}

export interface OpenedCheckpoint {
  readonly checkpoint: Checkpoint
  readonly note: OpenedNote
}

/** The text that is signed. Errors: `merkle.checkpoint_malformed`, `merkle.size_invalid`, `merkle.hash_length`. */
export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  checkSize(size)
  checkHash(root)
  for (const line of [origin, ...extensions]) {
    if (line === '' || line.includes('\n'))
      throw malformed('The origin and each extension are one line, not an empty one.')
  }
  return [origin, String(size), toBase64(root), ...extensions, ''].join('\n')
}

/**
 * Reads the text of a checkpoint. Sizes beyond 2^53 - 1, which the format allows and no log has, are refused.
 * Errors: `merkle.checkpoint_malformed`.
 */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n')
  if (lines.pop() !== '' || lines.length < 3 || lines.includes('')) {
    throw malformed('A checkpoint is three or more lines, none of them empty.')
  }
  const [origin, digits, encoded, ...extensions] = lines as [string, string, string, ...string[]]
  const size = Number(digits)
  if (!/^(0|[1-9][0-9]{0,15})$/.test(digits) || !Number.isSafeInteger(size)) {
    throw malformed('The size of a checkpoint is a decimal number without leading zeros, at most 2^53 - 1.')
  }
  try {
    const root = fromBase64(encoded)
    checkHash(root)
    return { origin, size, root, extensions }
  } catch (cause) {
    throw malformed('The root of a checkpoint is the base64 of 32 octets.', cause)
  }
}

/** Signs a checkpoint. The log's own signer comes first; its key name should be the origin. */
export function signCheckpoint(checkpoint: Checkpoint, signers: readonly NoteSigner[]): Promise<string> {
  return signNote(formatCheckpoint(checkpoint), signers)
}

/**
 * Reads a signed checkpoint of the log `origin` and verifies it. The caller lists the log's own keys: a witness alone does not
 * speak for the log, so check witnesses with a second list (`openNote`).
 * Errors: as `openNote` and `parseCheckpoint`, `merkle.origin_unexpected`.
 */
export function openCheckpoint(note: Uint8Array, origin: string, logKeys: readonly NoteVerifier[]): OpenedCheckpoint {
  const opened = openNote(note, logKeys)
  const checkpoint = parseCheckpoint(opened.text)
  if (checkpoint.origin !== origin) {
    throw merkleError('merkle.origin_unexpected', 'The checkpoint is one of another log.', {
      evidence: { expected: origin, origin: checkpoint.origin },
    })
  }
  return { checkpoint, note: opened }
}

function malformed(message: string, cause?: unknown) {
  return merkleError('merkle.checkpoint_malformed', message, { cause })
}
