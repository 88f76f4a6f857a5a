// A key from a passphrase: argon2id (RFC 9106). Slow and large on purpose, so that guessing is too.
import { argon2 } from 'node:crypto'
import type { Bytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import { own } from './digest.ts'

export interface PassphraseKeyParameters {
  readonly memoryKiB: number
  readonly passes: number
  readonly lanes: number
}

/** RFC 9106 §4, second recommendation (64 MiB, 3 passes, 4 lanes): for machines that do other work too. */
export const PASSPHRASE_KEY_PARAMETERS: PassphraseKeyParameters = { memoryKiB: 65536, passes: 3, lanes: 4 }

/** Whoever can write the file could ask for any effort: more than this is refused before it is spent. */
const LIMITS: PassphraseKeyParameters = { memoryKiB: 1024 * 1024, passes: 32, lanes: 16 }

/** Octets of the salt (RFC 9106 §3.1 recommends 16). */
export const PASSPHRASE_SALT_OCTETS = 16

/** 32 octets of key, computed in the thread pool. Throws `passphrase.parameters_invalid`. */
export async function keyFromPassphrase(
  passphrase: Uint8Array,
  salt: Uint8Array,
  { memoryKiB, passes, lanes }: PassphraseKeyParameters,
): Promise<Bytes> {
  const sensible =
    inRange(lanes, 1, LIMITS.lanes) &&
    inRange(passes, 1, LIMITS.passes) &&
    inRange(memoryKiB, 8 * lanes, LIMITS.memoryKiB) &&
    salt.length >= 8
  if (!sensible) {
    throw new TouchmarkError('passphrase.parameters_invalid', 'malformed', 'The argon2id parameters are out of bounds.')
  }
  const parameters = { message: passphrase, nonce: salt, parallelism: lanes, tagLength: 32, memory: memoryKiB, passes }
  return new Promise((resolve, reject) =>
    argon2('argon2id', parameters, (error, key) => (error ? reject(error) : resolve(own(key)))),
  )
}

function inRange(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high
}
