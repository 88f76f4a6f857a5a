// What a log signed last, remembered by a test: for signing without a folder of keys.
import { type Checkpoint, parseCheckpoint } from '../../src/core/merkle/checkpoint.ts'
import type { LastSigned } from '../../src/server/last-signed.ts'

export function memoryLastSigned(): LastSigned {
  let last: Checkpoint | undefined
  return {
    read: async () => last,
    keep: async note => {
      last = parseCheckpoint(note.slice(0, note.indexOf('\n\n') + 1))
    },
  }
}

/** Remembers nothing: for tests of what the store itself says was signed. */
export const FORGETFUL: LastSigned = { read: async () => undefined, keep: async () => {} }
