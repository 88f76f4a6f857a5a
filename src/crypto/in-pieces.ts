// Hashing what is large a little at a time, so that others get their turn between.

/** Octets that are hashed at once: less than a millisecond with the instructions of today's processors. */
const PIECE = 256 * 1024

/** Hands the octets to `take`, one piece after the other. */
export async function inPieces(bytes: Uint8Array, take: (piece: Uint8Array) => unknown): Promise<void> {
  for (let at = 0; at < bytes.length; at += PIECE) {
    take(bytes.subarray(at, at + PIECE))
    await new Promise<void>(resolve => setImmediate(resolve))
  }
}
