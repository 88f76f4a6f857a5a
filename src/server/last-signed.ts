// What this instance's log signed last, kept beside the key that signed it and not in the store: a store that is put back to an older copy
// of itself is whole and verifies, and is still not the one that was signed for. The file is a C2SP checkpoint as it was signed.
import { join } from 'node:path'
import { ioFailed, readSmallFile, replaceFile } from '../adapters/keystore/durable-file.ts'
import { toUtf8 } from '../core/bytes/utf8.ts'
import { TouchmarkError } from '../core/errors.ts'
import { type Checkpoint, openCheckpoint } from '../core/merkle/checkpoint.ts'
import type { NoteVerifier } from '../core/merkle/signed-note.ts'
import { sha256 } from '../crypto/digest.ts'
import { checkContinuity } from '../domain/audit/continuity.ts'
import type { StoreReader } from '../domain/ports.ts'

const FILE = 'last-checkpoint.txt'

export interface LogIdentity {
  readonly origin: string
  /** The log's own keys. */
  readonly verifiers: readonly NoteVerifier[]
}

export interface LastSigned {
  /** Throws `log.last_checkpoint_invalid` where it is not one that this log signed; `undefined` where nothing is kept. */
  read(): Promise<Checkpoint | undefined>
  /**
   * Keeps a checkpoint in place of a smaller one; resolves when it is on the disk. To be called when all that the checkpoint speaks of is
   * durable in the store, and before anybody is shown it. Two processes that sign at once may leave the smaller of their two: it tells
   * less, and nothing that is wrong.
   */
  keep(note: string): Promise<void>
}

/** The note as it lies in a folder of keys, not verified; `undefined` where none does. Throws `keystore.io_failed`. */
export function readLastSignedNote(keysFolder: string): Promise<string | undefined> {
  return readSmallFile(join(keysFolder, FILE))
}

/** What lies in a folder of keys. */
export function lastSignedIn(keysFolder: string, { origin, verifiers }: LogIdentity): LastSigned {
  const path = join(keysFolder, FILE)
  const open = (note: string) => {
    try {
      return openCheckpoint(toUtf8(note), origin, verifiers).checkpoint
    } catch (cause) {
      throw new TouchmarkError('log.last_checkpoint_invalid', 'unavailable', `${path} is not what this log signed.`, {
        cause,
        next: `Restore it from a backup of the keys. ${SEE}`,
        evidence: { path },
      })
    }
  }
  const read = async () => {
    const note = await readLastSignedNote(keysFolder)
    return note === undefined ? undefined : open(note)
  }
  return {
    read,
    async keep(note) {
      const known = await read()
      if (known !== undefined && known.size >= open(note).size) return
      try {
        await replaceFile(path, note)
      } catch (cause) {
        throw cause instanceof TouchmarkError ? cause : ioFailed(path, cause)
      }
    },
  }
}

const SEE = 'See docs/operate/log-does-not-verify.md.'

/**
 * Returns where the log in the store is the one that was signed last, or has grown from it; reads a handful of tiles. Throws
 * `log.rolled_back` where it is older or another, and `log.last_checkpoint_invalid`.
 */
export async function checkNotRolledBack(
  lastSigned: Pick<LastSigned, 'read'>,
  read: Pick<StoreReader, 'auditHead' | 'auditTile'>,
): Promise<void> {
  // In this order: the log may grow in between, and what is signed for never does before the log.
  const signed = await lastSigned.read()
  if (signed === undefined) return
  const head = await read.auditHead()
  if (head.size < signed.size) {
    throw rolledBack(`The store holds ${head.size} entries; its log signed for ${signed.size}. It is an older copy.`, {
      signedSize: signed.size,
      size: head.size,
    })
  }
  try {
    await checkContinuity(sha256, signed, head, (level, index) => read.auditTile(level, index))
  } catch (cause) {
    if (!(cause instanceof TouchmarkError && cause.code === 'audit.log_not_continued')) throw cause
    const message = `The log in the store does not continue the one that was signed for ${signed.size} entries.`
    throw rolledBack(message, { signedSize: signed.size, size: head.size }, cause)
  }
}

function rolledBack(message: string, evidence: Readonly<Record<string, number>>, cause?: unknown): TouchmarkError {
  return new TouchmarkError('log.rolled_back', 'unavailable', message, {
    next: `Put the newest copy of the store back. Where it is lost for good: ${SEE}`,
    evidence,
    cause,
  })
}
